// Finding and making the page's elements.

/** The element of an id, which the page has.
 * @param {string} id
 * @returns {HTMLElement} */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** The field of an id, which the page has.
 * @param {string} id
 * @returns {HTMLInputElement} */
export function fieldById(id) {
  return /** @type {HTMLInputElement} */ (document.getElementById(id));
}

/** Elements of a selector.
 * @param {string} selector
 * @param {ParentNode} within
 * @returns {HTMLElement[]} */
export function allOf(selector, within = document) {
  return [...within.querySelectorAll(selector)].map((found) => /** @type {HTMLElement} */ (found));
}

/** The field that an event comes from.
 * @param {Event} event */
export function fieldOf(event) {
  return /** @type {HTMLInputElement} */ (event.target);
}

/** An element; text goes in as text, never as HTML.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {Record<string, any>} attributes  `on…` listens, null and false are left out
 * @param {(Node | string | null | undefined)[]} children
 * @returns {HTMLElementTagNameMap[K]} */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "value" || key === "checked") /** @type {any} */ (made)[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Give the reader a file.
 * @param {string} name
 * @param {string} text
 * @param {string} type */
export function download(name, text, type = "text/csv") {
  const address = URL.createObjectURL(new Blob([text], { type }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
