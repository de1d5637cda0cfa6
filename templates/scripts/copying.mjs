// Texts to copy: a button beside each.

/** Copy an element's text at each press of a button; where that is not allowed, select it.
 * @param {HTMLElement} button
 * @param {HTMLElement} source */
export function copyOnPress(button, source) {
  button.addEventListener("click", async () => {
    getSelection()?.selectAllChildren(source);
    try {
      await navigator.clipboard.writeText((source.textContent ?? "").trim());
      button.textContent = "Copied";
    } catch {
      button.textContent = "Selected";
    }
  });
}
