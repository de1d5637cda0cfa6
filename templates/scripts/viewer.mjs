// The large view of one film: the film alone and with its heat map, what was found, and the reader's verdict.
/** @import { Film, Region } from "./types.mjs" */
import { viewCommand } from "./command.mjs";
import { copyOnPress } from "./copying.mjs";
import { config } from "./data.mjs";
import { element } from "./elements.mjs";
import {
  callBadge, filmFrame, outcomeBadge, pathLabel, plainText, probabilityBar, reasonsOf,
} from "./film_parts.mjs";
import { valueOf } from "./filters.mjs";
import { heatWord, legend } from "./heat.mjs";
import { Look } from "./looking.mjs";
import { isOfRegions, regionText, shownRegions } from "./regions.mjs";
import { exploring, isHidden, prediction, reading, state, writeAddress } from "./state.mjs";
import { setVerdict, sheet, verdictOf } from "./verdicts.mjs";
import { callSentence, countText, thresholdText } from "./wording.mjs";

/** What the page says of a film now.
 * @type {import("./verdicts.mjs").ValueOf} */
const nowOf = (film, name) => valueOf(film, name, reading);

const IN_FRONT = new Set(["path", "prediction", "prob_pneumonia", "threshold", "truth", "gate_reasons", "error_message"]);

export class Viewer {
  /** @type {Film[]} */
  selection = [];
  position = 0;
  /** Whether an entry of the browser's history stands for the open film. */
  isInHistory = false;
  comment = element("textarea");

  /** @param {() => void} onVerdict */
  constructor(onVerdict) {
    this.onVerdict = onVerdict;
    this.dialog = element("dialog", { class: "viewer", "aria-labelledby": "viewer-title" });
    this.dialog.addEventListener("keydown", (event) => this.onKey(event));
    this.dialog.addEventListener("click", (event) => { if (event.target === this.dialog) this.dialog.close(); });
    this.dialog.addEventListener("close", () => this.onClose());
    addEventListener("popstate", () => this.onBack());
    this.look = new Look(this.dialog, () => this.build());
    document.body.append(this.dialog);
  }

  /** Open a film; ← and → go through the selection as it is now.
   * @param {Film} film
   * @param {Film[]} selection */
  open(film, selection) {
    this.selection = selection;
    this.position = selection.indexOf(film);
    this.dialog.showModal();
    this.build();
    history.pushState({ film: true }, ""); // so that Back leads to the list
    this.isInHistory = true;
  }

  onClose() {
    this.commit();
    if (this.isInHistory) history.back();
  }

  /** The reader went back: to the list, at what is chosen now. */
  onBack() {
    if (!this.isInHistory || history.state?.film) return;
    this.isInHistory = false;
    writeAddress();
    if (this.dialog.open) this.dialog.close();
  }

  /** @param {number} by */
  step(by) {
    this.commit();
    const to = Math.min(this.selection.length - 1, Math.max(0, this.position + by));
    if (to === this.position) return;
    this.position = to;
    this.build();
  }

  get film() {
    return this.selection[this.position];
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const at = /** @type {HTMLElement} */ (event.target);
    if (at.matches("textarea, input[type=text], input[type=range], select") || event.ctrlKey || event.metaKey || event.altKey) return;
    const verdict = Object.keys(config.verdicts).find((key) => key[0] === event.key);
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") this.step(event.key === "ArrowLeft" ? -1 : 1);
    else if (event.key === "Home" || event.key === "End") this.step(event.key === "Home" ? -Infinity : Infinity);
    else if (verdict) this.judge(verdict);
    else if (!this.look.onKey(event.key)) return;
    event.preventDefault();
  }

  build() {
    const film = this.film, focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.key;
    const hidden = isHidden(film), regions = hidden ? [] : shownRegions(film, reading), hasHeat = !hidden && Boolean(film.heat), heat = hasHeat && this.look.values.heat !== "off";
    this.dialog.replaceChildren(
      element("header", {},
        this.stepButton("back", "\u2190", "Previous film (left arrow)", -1), this.stepButton("on", "\u2192", "Next film (right arrow)", 1),
        element("span", { class: "small" }, `${countText(this.position + 1)} of ${countText(this.selection.length)}`),
        element("h3", { id: "viewer-title" }, hidden ? "Blind reading" : pathLabel(film)),
        element("button", { type: "button", class: "icon", "aria-label": "Close", title: "Close (Esc)", onclick: () => this.dialog.close() }, "\u2715")),
      element("div", { class: "viewer-body" },
        element("div", { class: `viewer-films${heat ? "" : " single"}` },
          this.figure(film, false, "Film", this.look.values.outline ? regions : []),
          heat ? this.figure(film, true, "With heat map") : null,
          film.image ? this.look.controls(hasHeat, regions.length > 0) : null,
          hasHeat ? element("p", { class: "small viewer-note" }, heat ? this.heatNote(film) : "The heat map is off.") : null),
        element("div", { class: "viewer-side" }, ...hidden
          ? [element("p", { class: "small" }, "Call, label, name and heat map are hidden until you have read the film."), this.verdictForm(film)]
          : [this.result(film), this.verdictForm(film), this.original(film), this.details(film)])));
    for (const key of [focused, "on", "back"]) {
      const again = /** @type {HTMLElement | null} */ (this.dialog.querySelector(`[data-key="${key}"]:not(:disabled)`));
      if (again) return again.focus();
    }
  }

  /** @param {string} key
   * @param {string} label
   * @param {string} name
   * @param {number} by */
  stepButton(key, label, name, by) {
    return element("button", {
      type: "button", class: "icon", "data-key": key, "aria-label": name, title: name,
      disabled: this.position + by < 0 || this.position + by >= this.selection.length, onclick: () => this.step(by),
    }, label);
  }

  /** @param {Film} film */
  heatNote(film) {
    const side = Math.sqrt(atob(film.heat ?? "").length);
    return `Heat: ${heatWord(film)}. It points to a region of a ${side} × ${side} grid and outlines no lesion. The pictures are of reduced size.`;
  }

  /** @param {Film} film
   * @param {boolean} heat
   * @param {string} caption
   * @param {Region[]} regions  To outline */
  figure(film, heat, caption, regions = []) {
    const label = isHidden(film) ? caption : `${caption}: ${film.path}`, contour = this.look.values.heat === "contour";
    return element("figure", {}, filmFrame(film, { heat, contour, regions, attributes: { role: "img", "aria-label": label } }),
      element("figcaption", {}, caption, heat ? (contour ? element("span", {}, "Line: half of strong") : legend()) : null));
  }

  /** @param {Film} film */
  result(film) {
    const called = prediction(film), prob = film.prob_pneumonia;
    const caveats = film.status === "scored" && film.gate === "warn" ? reasonsOf(film).map(({ title }) => title).join(", ") : "";
    return element("div", { class: "result" },
      element("p", { class: "line" }, callBadge(film), outcomeBadge(film)),
      probabilityBar(film),
      called !== null && prob !== null ? element("p", { class: "said" }, callSentence(prob, called, state.threshold, config)) : null,
      caveats ? element("p", { class: "caveat-text" }, `Not reliable for this film: ${caveats}.`) : null,
      called !== null && exploring() ? element("p", { class: "small" }, `Explored; the run used ${thresholdText(config.threshold)}.`) : null,
      film.truth ? element("p", {}, `Labelled ${film.truth}`) : null,
      this.regionList(film),
      ...this.reasons(film));
  }

  /** Where the heat lies, in the order of the outlines' numbers; null without a region.
   * @param {Film} film */
  regionList(film) {
    const regions = shownRegions(film, reading);
    return regions.length ? element("div", { class: "regions" },
      element("p", { class: "small" }, "Where the heat lies, not the outline of a disease:"),
      element("ol", {}, ...regions.map((region) => element("li", {}, regionText(region))))) : null;
  }

  /** What speaks against the film, or why it has no score.
   * @param {Film} film */
  reasons(film) {
    if (film.status !== "failed") return reasonsOf(film).map((reason) => element("p", { class: "small" }, reason.text));
    const hint = config.errors[film.error_code ?? ""]?.hint;
    return [element("p", {}, film.error_message), element("p", { class: "muted" }, hint)];
  }

  /** @param {Film} film */
  verdictForm(film) {
    const verdict = verdictOf(film);
    const choice = (/** @type {[string, string]} */ [key, title]) => element("button", {
      type: "button", "data-key": key, "aria-pressed": String(verdict?.verdict === key),
      title: `${title} (${key[0]})`, onclick: () => this.judge(key),
    }, title);
    this.comment = element("textarea", { rows: "2", value: verdict?.comment ?? "", "aria-label": "Comment", placeholder: "Comment", onchange: () => this.commit() });
    return element("fieldset", { class: "verdict-form" }, element("legend", {}, "You read"),
      element("div", { class: "segment" }, ...Object.entries(config.verdicts).map(choice)), this.comment,
      this.givenNote(film),
      sheet.kept ? null : element("p", { class: "small" }, "This browser keeps nothing for local files: export your readings before you close the page."));
  }

  /** What a verdict was given on, where the page says something else now.
   * @param {Film} film */
  givenNote(film) {
    const { on = {}, blind = false } = verdictOf(film) ?? {};
    if (!on.prediction || (on.prediction === (prediction(film) ?? "") && on.model === config.model)) return null;
    const model = on.model && on.model !== config.model ? ` by ${on.model}` : "";
    return element("p", { class: "small given" }, `Read${blind ? " blind" : ""} when the call was ${on.prediction}${model}, at the threshold ${on.threshold}.`);
  }

  /** @param {string} key */
  judge(key) {
    const same = verdictOf(this.film)?.verdict === key;
    setVerdict(this.film, { verdict: same ? "" : key, comment: this.comment.value, blind: isHidden(this.film) }, nowOf);
    this.build();
    this.onVerdict();
  }

  /** Keep a comment that was typed. */
  commit() {
    if (this.comment.value === (verdictOf(this.film)?.comment ?? "")) return;
    setVerdict(this.film, { comment: this.comment.value }, nowOf);
    this.onVerdict();
  }

  /** How to see the film itself: the page links to no file, since its names may be anybody's.
   * @param {Film} film */
  original(film) {
    const command = element("code", {}, viewCommand(location.href, film.path));
    const copy = element("button", { type: "button", class: "quiet" }, "Copy");
    copyOnPress(copy, command);
    return element("div", { class: "original" }, element("p", { class: "small" }, "The original, in full size:", copy), command);
  }

  /** @param {Film} film */
  details(film) {
    const text = (/** @type {string} */ name) => plainText(name, valueOf(film, name, reading));
    return element("dl", { class: "details" }, ...config.columns
      .filter(({ name }) => !IN_FRONT.has(name) && !isOfRegions(name) && text(name) !== "")
      .map(({ name, title }) => element("div", {}, element("dt", {}, title), element("dd", { dir: "auto" }, text(name)))));
  }
}
