// The threshold explorer: figures, matrix, chart marks and calls follow a threshold that the reader moves.
/** @import { Counts, Estimate, Film, Form } from "./types.mjs" */
import { isReferred } from "./calls.mjs";
import { config, films } from "./data.mjs";
import { allOf, byId, fieldById, fieldOf } from "./elements.mjs";
import { number, within } from "./fragment.mjs";
import { exploring, state } from "./state.mjs";
import { atOrAbove, estimates } from "./statistics.mjs";
import { counted, countText, figureText, intervalText, thresholdText } from "./wording.mjs";

/** Probabilities of the labelled films by label, and of all films that are called, each sorted. */
const probabilities = (() => {
  const called = films.filter((film) => film.status === "scored" && film.prob_pneumonia !== null && !isReferred(film.prob_pneumonia, config));
  const sorted = (/** @type {Film[]} */ some) => Float64Array.from(some, (film) => Number(film.prob_pneumonia)).sort();
  return {
    positive: sorted(called.filter((film) => film.truth === config.classes.positive)),
    negative: sorted(called.filter((film) => film.truth === config.classes.negative)),
    all: sorted(called),
  };
})();

/** @param {number} threshold
 * @returns {Counts} */
function countsAt(threshold) {
  const tp = atOrAbove(probabilities.positive, threshold), fp = atOrAbove(probabilities.negative, threshold);
  return { tp, fp, fn: probabilities.positive.length - tp, tn: probabilities.negative.length - fp };
}

export class Explorer {
  /** @param {() => void} onMove */
  constructor(onMove) {
    this.onMove = onMove;
    this.thresholdField = fieldById("threshold-number");
    /** @type {HTMLInputElement | null} */
    this.prevalenceField = fieldById("prevalence");
    byId("explorer").hidden = false;
    byId("threshold").addEventListener("input", (event) => this.move(Number(fieldOf(event).value)));
    this.thresholdField.addEventListener("change", (event) => {
      this.move(within(number(fieldOf(event).value), 0, 1) ?? state.threshold);
    });
    this.prevalenceField?.addEventListener("input", (event) => {
      const percent = within(number(fieldOf(event).value), 0.01, 99.99);
      state.prevalence = percent === null ? null : percent / 100;
      this.onMove();
    });
    this.points = allOf("#explorer [data-threshold]");
    for (const button of this.points) {
      button.addEventListener("click", () => this.move(Number(button.dataset.threshold)));
    }
    byId("reset").addEventListener("click", () => this.move(config.threshold));
    this.marks = allOf("[data-chart]").map(addMark);
  }

  /** @param {number} threshold */
  move(threshold) {
    state.threshold = threshold;
    this.onMove();
  }

  /** Bring everything up to date. */
  update() {
    this.showThreshold();
    const called = atOrAbove(probabilities.all, state.threshold), n = probabilities.all.length;
    const others = films.length - n;
    byId("called").textContent = `Called ${config.classes.positive}: ${countText(called)} of ${counted(n, "film")}`
      + `${others ? ` (${counted(others, "other")} not scored or to be read by a person)` : ""}.`;
    if (this.prevalenceField === null) return this.moveMarks(null);
    const counts = countsAt(state.threshold), { prevalence } = state;
    if (document.activeElement !== this.prevalenceField) {
      this.prevalenceField.value = prevalence === null ? "" : String(Number((100 * prevalence).toPrecision(6)));
    }
    this.showTable(counts);
    this.showFigures(estimates(config.figures, counts, prevalence));
    this.showHeadline(prevalence);
    this.moveMarks(counts);
  }

  showThreshold() {
    const { threshold } = state, text = thresholdText(threshold);
    fieldById("threshold").value = String(threshold);
    byId("threshold").setAttribute("aria-valuetext", text);
    if (document.activeElement !== this.thresholdField) this.thresholdField.value = String(Number(text));
    for (const button of this.points) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.threshold) === threshold));
    }
    byId("strip").hidden = byId("exploring").hidden = !exploring();
    byId("strip-threshold").textContent = text;
    byId("explored").textContent = text;
  }

  /** @param {Counts} counts */
  showTable({ tp, fp, fn, tn }) {
    const texts = { "n-tp": tp, "n-fp": fp, "n-fn": fn, "n-tn": tn, "n-called-positive": tp + fp, "n-called-negative": fn + tn };
    for (const [id, n] of Object.entries(texts)) byId(id).textContent = countText(n);
  }

  /** @param {Record<string, Estimate>} figures */
  showFigures(figures) {
    for (const { key, form } of config.metrics) {
      const row = document.getElementById(`metric-${key}`), figure = figures[key];
      if (!row || !figure) continue;
      showFigure(row, figure, form);
      row.classList.toggle("adjusted", state.prevalence !== null && (key === "ppv" || key === "npv"));
    }
  }

  /** PPV of the run at the prevalence in force.
   * @param {number | null} prevalence */
  showHeadline(prevalence) {
    const box = byId("headline-ppv"), { ppv } = estimates(config.figures, countsAt(config.threshold), prevalence);
    const share = prevalence ?? probabilities.positive.length / (probabilities.positive.length + probabilities.negative.length);
    const texts = [`PPV at ${figureText(share, "share")} pneumonia`, figureText(ppv.value, "share"), intervalText(ppv, "share")];
    [...box.querySelectorAll("dt, b, span")].forEach((part, i) => { part.textContent = texts[i]; });
  }

  /** @param {Counts | null} counts */
  moveMarks(counts) {
    const { tp, fp, fn, tn } = counts ?? { tp: NaN, fp: NaN, fn: NaN, tn: NaN };
    /** @type {Record<string, [number, number]>} */
    const at = {
      roc: [fp / (fp + tn), tp / (tp + fn)],
      pr: [tp / (tp + fn), tp / (tp + fp)],
      histogram: [state.threshold, 0],
    };
    for (const { key, mark, origin, unit } of this.marks) {
      const [x, y] = at[key] ?? [NaN, NaN];
      mark.setAttribute("visibility", exploring() && Number.isFinite(x) && Number.isFinite(y) ? "visible" : "hidden");
      if (Number.isFinite(x + y)) mark.setAttribute("transform", `translate(${origin[0] + x * unit[0]} ${origin[1] - y * unit[1]})`);
    }
  }
}

/** Write a figure with its interval and its whisker into a row of a table.
 * @param {HTMLElement} row
 * @param {Estimate} figure
 * @param {Form} form */
function showFigure(row, { value, low, high }, form) {
  const set = (/** @type {string} */ cell, /** @type {string} */ text) => { /** @type {HTMLElement} */ (row.querySelector(cell)).textContent = text; };
  set(".value", figureText(value, form));
  set(".interval", intervalText({ low, high }, form) || (value === null ? "undefined" : "no interval"));
  const whisker = row.querySelector(".whisker");
  if (!whisker) return;
  const draw = (/** @type {string} */ part, /** @type {string} */ path) => whisker.querySelector(part)?.setAttribute("d", value === null ? "" : path);
  const percent = (/** @type {number | null} */ bound) => 100 * (bound ?? value ?? 0);
  draw(".range", `M${percent(low)} 5H${percent(high)}`);
  draw(".mark", `M${percent(value)} 0V10`);
}

/** Put the mark of the moved threshold into a chart.
 * @param {HTMLElement} figure */
function addMark(figure) {
  const { chart: key = "", origin = "", unit = "" } = figure.dataset;
  const svg = /** @type {SVGElement} */ (figure.querySelector("svg"));
  const mark = key === "histogram" ? svgElement("path", { d: "M0 -400V400", class: "moved line" }) : svgElement("circle", { r: "4.5", class: "moved" });
  if (key === "histogram") {
    const box = svg.querySelector("clipPath");
    const clipped = svgElement("g", box ? { "clip-path": `url(#${box.id})` } : {});
    clipped.append(mark);
    svg.append(clipped);
  } else {
    svg.append(mark);
  }
  return { key, mark, origin: origin.split(" ").map(Number), unit: unit.split(" ").map(Number) };
}

/** @param {string} name
 * @param {Record<string, string>} attributes */
function svgElement(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
