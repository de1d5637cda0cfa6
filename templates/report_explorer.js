// The threshold explorer: figures, matrix, chart marks and calls follow a threshold that the reader moves.

const byId = (id) => document.getElementById(id);

/** A threshold with two to four digits. */
function thresholdText(value) {
  return value.toFixed(4).replace(/00$/, "");
}

function exploring() {
  return state.threshold !== config.threshold;
}

/** Probabilities of the labelled films by truth, and of all films that are called, each sorted. */
const probabilities = (() => {
  const scored = films.filter((film) => film.status === "scored" && film.prob_pneumonia !== null && !isReferred(film.prob_pneumonia));
  const of = (some) => Float64Array.from(some, (film) => film.prob_pneumonia).sort();
  return {
    positive: of(scored.filter((film) => film.truth === "PNEUMONIA")),
    negative: of(scored.filter((film) => film.truth === "NORMAL")),
    all: of(scored),
  };
})();

/** How many of the sorted values reach a threshold. */
function atOrAbove(values, threshold) {
  let low = 0, high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] >= threshold) high = middle;
    else low = middle + 1;
  }
  return values.length - low;
}

function confusionAt(threshold) {
  const tp = atOrAbove(probabilities.positive, threshold), fp = atOrAbove(probabilities.negative, threshold);
  return { tp, fp, fn: probabilities.positive.length - tp, tn: probabilities.negative.length - fp };
}

class Explorer {
  constructor(onMove) {
    this.onMove = onMove;
    byId("explorer").hidden = false;
    byId("threshold").addEventListener("input", (event) => this.move(Number(event.target.value)));
    byId("threshold-number").addEventListener("change", (event) => {
      const value = within(number(event.target.value), 0, 1);
      this.move(value ?? state.threshold);
    });
    byId("prevalence")?.addEventListener("input", (event) => {
      const percent = within(number(event.target.value), 0.01, 99.99);
      state.prevalence = percent === null ? null : percent / 100;
      this.onMove();
    });
    for (const button of document.querySelectorAll("#explorer [data-threshold]")) {
      button.addEventListener("click", () => this.move(Number(button.dataset.threshold)));
    }
    byId("reset").addEventListener("click", () => this.move(config.threshold));
    this.marks = [...document.querySelectorAll("[data-chart]")].map(addMark);
  }

  move(threshold) {
    state.threshold = threshold;
    this.onMove();
  }

  /** Bring everything up to date. */
  update() {
    const { threshold, prevalence } = state;
    byId("threshold").value = threshold;
    byId("threshold").setAttribute("aria-valuetext", thresholdText(threshold));
    if (document.activeElement !== byId("threshold-number")) byId("threshold-number").value = Number(thresholdText(threshold));
    for (const button of document.querySelectorAll("#explorer [data-threshold]")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.threshold) === threshold));
    }
    byId("strip").hidden = byId("exploring").hidden = !exploring();
    byId("strip-threshold").textContent = thresholdText(threshold);
    byId("explored").textContent = thresholdText(threshold);
    const called = atOrAbove(probabilities.all, threshold), n = probabilities.all.length;
    byId("called").textContent = `${called.toLocaleString("en")} of ${n.toLocaleString("en")} scored films${config.refer ? " that are not referred" : ""} called PNEUMONIA.`;
    if (!byId("n-tp")) return this.moveMarks({});
    const table = confusionAt(threshold);
    if (document.activeElement !== byId("prevalence")) byId("prevalence").value = prevalence === null ? "" : Number((100 * prevalence).toPrecision(6));
    this.showTable(table);
    this.showFigures(estimates(table, prevalence), prevalence);
    return this.moveMarks(table);
  }

  showTable({ tp, fp, fn, tn }) {
    const texts = { "n-tp": tp, "n-fp": fp, "n-fn": fn, "n-tn": tn, "n-called-positive": tp + fp, "n-called-negative": fn + tn };
    for (const [id, n] of Object.entries(texts)) byId(id).textContent = n.toLocaleString("en");
  }

  showFigures(figures, prevalence) {
    for (const { key, form } of config.metrics) {
      const row = byId(`metric-${key}`), figure = figures[key];
      if (!row || !figure) continue;
      const interval = intervalText(figure, form);
      row.querySelector(".value").textContent = figureText(figure.value, form);
      row.querySelector(".interval").textContent = interval || (figure.value === null ? "undefined" : "no interval");
      row.classList.toggle("adjusted", prevalence !== null && (key === "ppv" || key === "npv"));
      const whisker = row.querySelector(".whisker");
      if (!whisker) continue;
      const [value, low, high] = [figure.value, figure.low ?? figure.value, figure.high ?? figure.value].map((v) => 100 * v);
      whisker.querySelector(".range").setAttribute("d", figure.value === null ? "" : `M${low} 5H${high}`);
      whisker.querySelector(".mark").setAttribute("d", figure.value === null ? "" : `M${value} 0V10`);
    }
  }

  moveMarks({ tp, fp, fn, tn }) {
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

/** Put the mark of the moved threshold into a chart. */
function addMark(figure) {
  const made = (name, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const key = figure.dataset.chart, svg = figure.querySelector("svg");
  const mark = key === "histogram" ? made("path", { d: "M0 -400V400", class: "moved line" }) : made("circle", { r: 4.5, class: "moved" });
  const { origin, unit } = { origin: figure.dataset.origin.split(" ").map(Number), unit: figure.dataset.unit.split(" ").map(Number) };
  if (key === "histogram") {
    const box = svg.querySelector("clipPath");
    const clipped = made("g", box ? { "clip-path": `url(#${box.id})` } : {});
    clipped.append(mark);
    svg.append(clipped);
  } else {
    svg.append(mark);
  }
  return { key, mark, origin, unit };
}
