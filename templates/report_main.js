// Puts the page together.

readFragment(location.hash);
let browser = null;
const explorer = new Explorer(() => browser.apply({ keepPlace: true }));
browser = new Browser(explorer);
browser.apply();
addEventListener("hashchange", () => {
  if (!location.hash.includes("=")) return;
  readFragment(location.hash);
  browser.apply();
});

/** Scroll to a section and move the focus there; the fragment stays the reader's view. */
function goTo(id) {
  const target = byId(id);
  target.tabIndex = -1;
  target.scrollIntoView();
  target.focus({ preventScroll: true });
}

for (const link of document.querySelectorAll('a[href^="#"]')) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    goTo(link.hash.slice(1));
  });
}

// Which section is in view.
const sectionLinks = new Map([...document.querySelectorAll(".sections a")].map((link) => [link.hash.slice(1), link]));
const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    sectionLinks.forEach((link) => link.removeAttribute("aria-current"));
    sectionLinks.get(target.id).setAttribute("aria-current", "true");
  }
}, { rootMargin: "-30% 0px -65%" });
sectionLinks.forEach((link, id) => watcher.observe(byId(id)));

// Light or dark.
const root = document.documentElement;
byId("theme").hidden = false;
byId("theme").addEventListener("click", () => {
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  try { localStorage.setItem("cxrscan:theme", root.dataset.theme); } catch { /* storage may be closed to local files */ }
  nameTheme();
});
function nameTheme() {
  byId("theme").textContent = root.dataset.theme === "dark" ? "Light" : "Dark";
}
nameTheme();

// Copy buttons.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = byId(button.dataset.copy);
    getSelection().selectAllChildren(source);
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      button.textContent = "Copied";
    } catch {
      button.textContent = "Selected";
    }
  });
}

// On paper: the films of the current selection, as many as make sense.
const PRINTED_FILMS = 100;
addEventListener("beforeprint", () => {
  const some = browser.chosen.slice(0, PRINTED_FILMS);
  const gallery = new Gallery(byId("scroller"), () => {});
  const cards = some.map((film) => {
    const card = gallery.make(film);
    gallery.update(card, film);
    return card;
  });
  const left = browser.chosen.length - some.length;
  byId("print-films").replaceChildren(
    element("p", { class: "small" }, `${browser.chosen.length.toLocaleString("en")} of ${films.length.toLocaleString("en")} files`
      + `${left ? `, of which the first ${some.length} are printed` : ""}; threshold ${thresholdText(state.threshold)}`
      + `${exploring() ? `, explored: the run used ${thresholdText(config.threshold)}` : ""}.`),
    element("ul", { class: "gallery" }, ...cards));
});
addEventListener("afterprint", () => byId("print-films").replaceChildren());
