// On paper: the films of the current selection, as many as make sense.
/** @import { Browser } from "./browser.mjs" */
import { config, films } from "./data.mjs";
import { byId, element } from "./elements.mjs";
import { Gallery } from "./list.mjs";
import { exploring, state } from "./state.mjs";
import { countText, thresholdText } from "./wording.mjs";

const PRINTED_FILMS = 48;

/** Draw the chosen films before printing, and take them away after.
 * @param {Browser} browser */
export function preparePrinting(browser) {
  addEventListener("beforeprint", () => {
    const some = browser.chosen.slice(0, PRINTED_FILMS);
    const gallery = new Gallery(byId("scroller"), () => {});
    const left = browser.chosen.length - some.length;
    byId("print-films").replaceChildren(
      element("p", { class: "small" }, `${countText(browser.chosen.length)} of ${countText(films.length)} files`
        + `${left ? `, of which the first ${some.length} are printed` : ""}; threshold ${thresholdText(state.threshold)}`
        + `${exploring() ? `, explored: the run used ${thresholdText(config.threshold)}` : ""}.`),
      element("ul", { class: "gallery" }, ...some.map((film) => gallery.add(film))));
  });
  addEventListener("afterprint", () => byId("print-films").replaceChildren());
}
