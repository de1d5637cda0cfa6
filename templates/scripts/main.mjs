// Puts the page together.
import { Browser } from "./browser.mjs";
import { copyOnPress } from "./copying.mjs";
import { allOf, byId } from "./elements.mjs";
import { Explorer } from "./explorer.mjs";
import { isFiltered } from "./fragment.mjs";
import { goTo, watchSections } from "./navigation.mjs";
import { preparePrinting } from "./printing.mjs";
import { readAddress, state } from "./state.mjs";
import { showStudies } from "./studies.mjs";

readAddress(location.hash);
const explorer = new Explorer(() => browser.apply({ keepPlace: true }));
const browser = new Browser(explorer);
browser.apply();
addEventListener("hashchange", (event) => {
  const { hash } = new URL(event.newURL); // the address itself may be written over by now
  if (!hash.includes("=")) return;
  readAddress(hash);
  browser.apply();
});
watchSections();
preparePrinting(browser);
showStudies(browser);
offerTheme();
offerCopies();
offerFindings();
if (isFiltered(state)) goTo("films"); // a link to some films leads to them

/** Light or dark, on a button; the reader's choice is kept. */
function offerTheme() {
  const root = document.documentElement, button = byId("theme");
  const nameTheme = () => { button.textContent = root.dataset.theme === "dark" ? "Light" : "Dark"; };
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("cxrscan:theme", root.dataset.theme); } catch { /* storage may be closed to local files */ }
    nameTheme();
  });
  nameTheme();
}

/** Buttons that copy a text. */
function offerCopies() {
  for (const button of allOf("[data-copy]")) {
    button.hidden = false;
    copyOnPress(button, byId(button.dataset.copy ?? ""));
  }
}

/** Buttons that show the films which a section tells of. */
function offerFindings() {
  /** @type {Record<string, () => void>} */
  const found = {
    changes: () => Object.assign(state, { columns: { change: "*" }, sort: "path", descending: false }),
    readers: () => Object.assign(state, { columns: { readings: "*" }, sort: "disagreement", descending: true }),
  };
  for (const button of allOf("[data-find]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      found[button.dataset.find ?? ""]();
      browser.apply();
      goTo("films");
    });
  }
}
