// The table of studies, and the studies of one patient side by side.
/** @import { Browser } from "./browser.mjs" */
/** @import { Study } from "./types.mjs" */
import { callOfProb } from "./calls.mjs";
import { config, films } from "./data.mjs";
import { byId, element, fieldById } from "./elements.mjs";
import { callBadge, filmFrame, probabilityText, spokenFilm } from "./film_parts.mjs";
import { collator } from "./filters.mjs";
import { VirtualList } from "./list.mjs";
import { goTo } from "./navigation.mjs";
import { state } from "./state.mjs";
import { changeText, countText, probText } from "./wording.mjs";

/** @type {Study[]} */
const studies = (config.studies?.rows ?? []).map((row) => {
  /** @type {Record<string, any>} */
  const study = {};
  config.studies?.row.forEach((name, i) => { study[name] = row[i]; });
  return /** @type {Study} */ (study);
});

/** @type {Record<string, {title: string, holds: (study: Study) => boolean}>} */
const SHOWN = {
  all: { title: "all studies", holds: () => true },
  positive: { title: "called PNEUMONIA", holds: (study) => callOf(study) === config.classes.positive },
  several: { title: "of patients with several", holds: (study) => study.ofPatient > 1 },
  changed: { title: "changed since the last", holds: (study) => study.beyond === true },
  unscored: { title: "without a scored film", holds: (study) => study.prob_pneumonia === null },
};

/** @type {Record<string, {title: string, compare: (a: Study, b: Study) => number}>} */
const SORTS = {
  probability: { title: "Probability", compare: (a, b) => (b.prob_pneumonia ?? -1) - (a.prob_pneumonia ?? -1) },
  change: { title: "Size of change", compare: (a, b) => Math.abs(b.change ?? 0) - Math.abs(a.change ?? 0) },
  patient: { title: "Patient", compare: (a, b) => collator.compare(a.patient, b.patient) || a.number - b.number },
  films: { title: "Number of films", compare: (a, b) => b.films.length - a.films.length },
};

/** @param {Study} study */
function callOf(study) {
  return callOfProb(study.prob_pneumonia, state.threshold, config);
}

/** Put the table of studies onto the page, where there are any.
 * @param {Browser} browser */
export function showStudies(browser) {
  if (config.studies) new StudyBrowser(browser);
}

class StudyBrowser {
  /** @param {Browser} browser */
  constructor(browser) {
    this.browser = browser;
    byId("study-browser").hidden = false;
    this.table = new StudyTable(byId("study-scroller"), (study) => this.follow(study));
    for (const [id, choices] of Object.entries({ "study-show": SHOWN, "study-sort": SORTS })) {
      byId(id).append(...Object.entries(choices).map(([value, { title }]) => element("option", { value }, title)));
      byId(id).addEventListener("change", () => this.choose());
    }
    byId("study-query").addEventListener("input", () => this.choose());
    this.table.scroller.append(this.table.root);
    this.table.scroller.addEventListener("scroll", () => this.table.draw(), { passive: true });
    new ResizeObserver(() => this.table.draw()).observe(this.table.scroller);
    browser.onApplied = () => this.table.refresh();
    this.choose();
    addEventListener("beforeprint", () => this.print());
    addEventListener("afterprint", () => byId("print-studies").replaceChildren());
  }

  choose() {
    const words = fieldById("study-query").value.toLowerCase().split(/\s+/).filter(Boolean);
    const { holds } = SHOWN[fieldById("study-show").value];
    const chosen = studies.filter((study) => holds(study)
      && words.every((word) => `${study.name}\n${study.patient}`.toLowerCase().includes(word)));
    this.chosen = chosen.sort(SORTS[fieldById("study-sort").value].compare);
    byId("study-status").textContent = `${countText(chosen.length)} of ${countText(studies.length)} studies`;
    this.table.scroller.scrollTop = 0;
    this.table.show(chosen);
  }

  /** Show a study among all of its patient, in order.
   * @param {Study} study */
  follow(study) {
    const mine = study.patient ? studies.filter(({ patient }) => patient === study.patient) : [study];
    const some = mine.flatMap((one) => one.films.map((at) => films[at]));
    const panel = byId("follow-up");
    panel.hidden = false;
    panel.replaceChildren(
      element("div", { class: "follow-up-head" },
        element("h3", { id: "follow-up-title" }, study.patient ? "Patient " : "Study ", element("bdi", {}, study.patient || study.name),
          mine.length > 1 ? `: ${countText(mine.length)} studies, ${ORDERS[study.orderedBy]}` : ""),
        element("button", { type: "button", class: "quiet", onclick: () => this.list(study) }, "List its films"),
        element("button", { type: "button", class: "icon", "aria-label": "Close", onclick: () => this.close() }, "\u2715")),
      element("ol", { class: "follow" }, ...mine.map((one) => element("li", { "aria-current": one === study ? "true" : null },
        element("p", { class: "follow-name" }, element("b", {}, one.acquired.slice(0, 10) || `No. ${one.number}`), " ", element("bdi", {}, one.name)),
        element("p", {}, studyCall(one)), changeLine(one),
        element("div", { class: "follow-films" }, ...one.films.map((at) => this.film(films[at], some)))))));
    panel.focus({ preventScroll: true });
    panel.scrollIntoView({ block: "nearest" });
  }

  /** @param {import("./types.mjs").Film} film
   * @param {import("./types.mjs").Film[]} some */
  film(film, some) {
    const open = () => this.browser.viewer.open(film, some);
    return element("figure", {}, filmFrame(film, { tag: "button", attributes: { type: "button", "aria-label": spokenFilm(film), onclick: open } }),
      element("figcaption", {}, element("b", {}, probabilityText(film, 2)), " ", callBadge(film)));
  }

  /** Filter the list of films by a study.
   * @param {Study} study */
  list(study) {
    state.columns = { study: study.name };
    this.browser.apply();
    goTo("films");
  }

  close() {
    byId("follow-up").hidden = true;
    byId("study-scroller").focus();
  }

  print() {
    const some = this.chosen?.slice(0, PRINTED) ?? [];
    const cells = (/** @type {Study} */ one) => [
      one.patient, probabilityOf(one), callOf(one) ?? "", one.truth ?? "", one.change === null ? "" : changeText(one.change),
    ];
    byId("print-studies").replaceChildren(
      element("p", { class: "small" }, `The first ${countText(some.length)} of ${countText(this.chosen?.length ?? 0)} studies; studies.csv has all.`),
      element("table", { class: "plain" },
        element("thead", {}, element("tr", {}, ...["Study", "Patient", "Probability", "Call", "Label", "Change"].map((name) => element("th", { scope: "col" }, name)))),
        element("tbody", {}, ...some.map((one) => element("tr", {}, element("th", { scope: "row" }, one.name),
          ...cells(one).map((text) => element("td", {}, text)))))));
  }
}

const PRINTED = 24;
/** @type {Record<string, string>} */
const ORDERS = { time: "by time of acquisition", name: "by name, since not all say when they were taken" };

/** @param {Study} study */
function probabilityOf({ prob_pneumonia }) {
  return prob_pneumonia === null ? "" : probText(prob_pneumonia, 3);
}

/** @param {Study} study */
function studyCall(study) {
  const called = callOf(study);
  if (called === null) return element("span", { class: "why" }, "No scored film");
  return element("span", {}, element("b", {}, probabilityOf(study)), " ", element("span", { class: `badge ${called.toLowerCase()}` }, called));
}

/** The change since the last study, and whether it means anything.
 * @param {Study} study */
function changeLine({ change, beyond }) {
  if (change === null) return element("p", { class: "small" }, "\u00a0");
  const said = { true: "beyond repeat", false: "within repeat", null: "" }[String(beyond)] ?? "";
  return element("p", { class: beyond ? "change beyond" : "change" }, `${changeText(change)} `, element("span", { class: "small" }, said));
}

const COLUMNS = [
  { title: "Study", width: 150 }, { title: "Probability", width: 150 }, { title: "Call", width: 105 }, { title: "Change", width: 170 },
  { title: "Label", width: 105 }, { title: "Patient", width: 150 }, { title: "Of patient", width: 85 }, { title: "Films", width: 60 },
  { title: "Taken", width: 100 },
];

/** @extends {VirtualList<Study>} */
class StudyTable extends VirtualList {
  /** @param {HTMLElement} scroller
   * @param {(study: Study) => void} open */
  constructor(scroller, open) {
    super(scroller, element("tbody"));
    this.open = open;
    this.above = element("tr", { "aria-hidden": "true" });
    this.below = element("tr", { "aria-hidden": "true" });
    this.end = this.below;
    this.body.append(this.above, this.below);
    const cols = COLUMNS.map(({ width }) => {
      const col = element("col");
      col.style.width = `${width}px`;
      return col;
    });
    this.root = element("table", { class: "films studies", "aria-label": "Studies" }, element("colgroup", {}, ...cols),
      element("thead", {}, element("tr", { "aria-rowindex": "1" }, ...COLUMNS.map(({ title }) => element("th", { scope: "col" }, title)))), this.body);
    this.root.style.minWidth = `${COLUMNS.reduce((sum, { width }) => sum + width, 0)}px`;
  }

  measure() {
    this.root.setAttribute("aria-rowcount", String(this.shown.length + 1));
    return { perRow: 1, rowHeight: 44, margin: 37 };
  }

  /** @param {number} above
   * @param {number} below */
  place(above, below) {
    this.above.style.height = `${above}px`;
    this.below.style.height = `${below}px`;
  }

  /** @param {Study} study */
  make(study) {
    const open = (/** @type {Event} */ event) => { event.stopPropagation(); this.open(study); };
    return element("tr", { onclick: open },
      element("td", {}, element("button", { type: "button", class: "link", title: study.name, onclick: open }, element("bdi", {}, study.name))),
      ...COLUMNS.slice(1).map(() => element("td")));
  }

  /** @param {HTMLElement} row
   * @param {Study} study */
  update(row, study) {
    const called = callOf(study);
    const cells = [
      called === null ? element("span", { class: "why" }, "no scored film") : bar(study, called),
      called === null ? "" : element("span", { class: `badge ${called.toLowerCase()}` }, called),
      study.change === null ? "" : changeLine(study), study.truth ?? "", element("bdi", { title: study.patient }, study.patient),
      study.ofPatient > 1 ? `${study.number} of ${study.ofPatient}` : "", countText(study.films.length), study.acquired.slice(0, 10),
    ];
    cells.forEach((cell, i) => row.children[i + 1].replaceChildren(cell));
  }

  /** @param {HTMLElement} row
   * @param {number} position */
  number(row, position) {
    row.setAttribute("aria-rowindex", String(position + 2));
  }
}

/** @param {Study} study
 * @param {string} called */
function bar(study, called) {
  const drawn = element("span", { class: `bar ${called.toLowerCase()}`, "aria-hidden": "true" }, element("i"), element("b"));
  drawn.style.setProperty("--prob", String(study.prob_pneumonia));
  drawn.style.setProperty("--threshold", String(state.threshold));
  return element("span", { class: "prob-cell" }, element("b", {}, probabilityOf(study)), drawn);
}
