// The parts that every view of a film is made of: picture, badges, bar, names.
/** @import { Cell, Film, Region } from "./types.mjs" */
import { columnByName, config, imageAddress, outcomeTitles } from "./data.mjs";
import { element } from "./elements.mjs";
import { heatCanvas } from "./heat.mjs";
import { outlines, placeOf } from "./regions.mjs";
import { prediction, state, truthOutcome } from "./state.mjs";
import { verdictOf } from "./verdicts.mjs";
import { countText, probText } from "./wording.mjs";

/** The film's picture with its heat map, fitted into a frame.
 * @param {Film} film
 * @param {{tag?: "span" | "button", heat?: boolean, contour?: boolean, regions?: Region[], attributes?: Record<string, any>}} options */
export function filmFrame(film, { tag = "span", heat = true, contour = false, regions = [], attributes = {} } = {}) {
  const frame = element(tag, { class: "frame", ...attributes });
  const address = imageAddress(film);
  if (address === null) {
    frame.append(element("span", { class: "none" }, outcomeTitles.get(film.status) ?? "No picture"));
    return frame;
  }
  const holder = element("span", { class: "film" });
  const picture = element("img", { alt: "", decoding: "async", draggable: "false" });
  picture.addEventListener("load", () => {
    holder.style.setProperty("--aspect", String(picture.naturalWidth / picture.naturalHeight));
  });
  picture.src = address;
  holder.append(picture);
  const canvas = heat ? heatCanvas(film, { contour }) : null;
  if (canvas) holder.append(canvas);
  if (regions.length) holder.append(...outlines(film, regions));
  frame.append(holder);
  return frame;
}

/** PNEUMONIA, NORMAL, Rejected or Failed, coloured.
 * @param {Film} film */
export function callBadge(film) {
  const called = prediction(film);
  const colour = isOutside(film) ? "outside" : (called ?? film.status).toLowerCase();
  return element("span", { class: `badge ${colour}` }, called ?? outcomeTitles.get(film.status));
}

/** Whether the film is unlike those that the model was trained on; its call is then no answer, and has no colour.
 * @param {Film} film */
function isOutside(film) {
  return film.status === "scored" && (film.gate_reasons || "").split(" ").some((code) => config.reasons[code]?.outside);
}

/** True or false positive or negative; null without a label.
 * @param {Film} film */
export function outcomeBadge(film) {
  const outcome = truthOutcome(film);
  return outcome === null ? null : element("span", { class: `outcome ${outcome}` }, outcomeTitles.get(outcome));
}

/** The sign of a caveat; null without one.
 * @param {Film} film */
export function caveatMark(film) {
  if (film.status !== "scored" || film.gate !== "warn") return null;
  const titles = reasonsOf(film).map((reason) => reason.title).join(", ");
  return element("span", { class: "caveat", title: titles, role: "img", "aria-label": `Caveat: not reliable for this film: ${titles}` }, "\u26a0\ufe0e");
}

/** The reader's verdict; null without one.
 * @param {Film} film */
export function verdictMark(film) {
  const verdict = verdictOf(film);
  if (!verdict) return null;
  const label = config.verdicts[verdict.verdict] ?? "Comment";
  return element("span", { class: `verdict ${verdict.verdict}`, title: verdict.comment || null }, label);
}

/** The gate's reasons on a film.
 * @param {Film} film
 * @returns {{title: string, text: string}[]} */
export function reasonsOf(film) {
  return (film.gate_reasons || "").split(" ").filter(Boolean)
    .map((code) => config.reasons[code] ?? { title: code, text: code });
}

/** Why a file has no score, in a few words.
 * @param {Film} film */
export function shortReason(film) {
  const code = film.error_code ?? "";
  if (film.status === "failed") return config.errors[code]?.title ?? code;
  return reasonsOf(film).map((reason) => reason.title).join(", ");
}

/** The probability on a line from 0 to 1, with the threshold; null without one.
 * @param {Film} film */
export function probabilityBar(film) {
  const called = prediction(film);
  if (called === null) return null;
  const bar = element("span", { class: `bar ${isOutside(film) ? "outside" : called.toLowerCase()}`, "aria-hidden": "true" }, element("i"), element("b"));
  bar.style.setProperty("--prob", String(film.prob_pneumonia));
  bar.style.setProperty("--threshold", String(state.threshold));
  return bar;
}

/** The probability with so many digits; empty without one.
 * @param {Film} film
 * @param {number} digits */
export function probabilityText({ prob_pneumonia }, digits) {
  return prob_pneumonia === null ? "" : probText(prob_pneumonia, digits);
}

const KEPT_END = 14;

/** Folder and name; a long name is cut in the middle, since names differ at their ends.
 * @param {Film} film */
export function pathLabel(film) {
  const cut = film.path.lastIndexOf("/") + 1, tail = Math.max(cut, film.path.length - KEPT_END);
  return element("bdi", { class: "path", title: film.path },
    cut ? element("span", { class: "folder" }, film.path.slice(0, cut)) : null,
    element("span", { class: "base" }, film.path.slice(cut, tail)),
    element("span", { class: "tail" }, film.path.slice(tail)));
}

/** The film in a sentence, for those who hear the page.
 * @param {Film} film */
export function spokenFilm(film) {
  const outcome = truthOutcome(film), called = prediction(film);
  const said = called === null ? `${outcomeTitles.get(film.status)}: ${shortReason(film)}`
    : `${called}, probability of pneumonia ${probabilityText(film, 2)}${outcome ? `, ${outcomeTitles.get(outcome)}` : ""}`;
  return `${film.path}: ${said}`;
}

/** A value of a column as people read it.
 * @param {string} name
 * @param {Cell} value */
export function plainText(name, value) {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(placeOf).join("; ");
  const column = columnByName.get(name);
  if (typeof value !== "number" || !column) return String(value);
  return column.kind === "integer" ? countText(value) : value.toFixed(column.decimals);
}
