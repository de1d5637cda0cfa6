// The controls of the film browser.
/** @import { Explorer } from "./explorer.mjs" */
/** @import { Film, Range } from "./types.mjs" */
import { columnByName, config, films, outcomeTitles, outcomesOfKind } from "./data.mjs";
import { csvText, cellText } from "./csv.mjs";
import { allOf, byId, download, element, fieldById, fieldOf } from "./elements.mjs";
import { chooseFilms, collator, valueOf } from "./filters.mjs";
import { isFiltered, number, within } from "./fragment.mjs";
import { paintLegend } from "./heat.mjs";
import { differs, Gallery, Table } from "./list.mjs";
import { goTo } from "./navigation.mjs";
import { reading, rememberState, START, state } from "./state.mjs";
import { importVerdicts, keepSheet, sheet, verdictRows } from "./verdicts.mjs";
import { Viewer } from "./viewer.mjs";
import { countText } from "./wording.mjs";

const ALWAYS_SHOWN = new Set(["positive", "negative", ...outcomesOfKind("truth")]);
const SORTS_DOWN = new Set(["prob_pneumonia", "duration_ms", "verdict", "disagreement"]);
const TELLING_SORTS = new Set(["prob_pneumonia", "prediction", "outcome", "truth", "gate_reasons", "gate_distance", "disagreement", "readings"]);
const MAX_SUGGESTED = 40;

export class Browser {
  /** @type {Film[]} */
  chosen = [];
  lastHeat = START.heat;
  filterNames = "";
  /** Called when the films, or what they are called, may have changed. */
  onApplied = () => {};
  /** @type {string | null} */
  focusFilter = null;

  /** @param {Explorer} explorer */
  constructor(explorer) {
    this.explorer = explorer;
    byId("browser").hidden = false;
    this.viewer = new Viewer(() => this.verdictsChanged());
    this.scroller = byId("scroller");
    const open = (/** @type {Film} */ film) => this.viewer.open(film, this.chosen);
    this.table = new Table(this.scroller, open, (name) => this.sortBy(name));
    this.gallery = new Gallery(this.scroller, open);
    this.scroller.addEventListener("scroll", () => this.list.draw(), { passive: true });
    new ResizeObserver(() => this.list.draw()).observe(this.scroller);
    this.chips = this.makeChips();
    this.fillSelects();
    this.listenToFilters();
    this.listenToButtons();
    this.listenToSheet();
    paintLegend();
  }

  get list() {
    return state.view === "table" ? this.table : this.gallery;
  }

  listenToFilters() {
    const on = (/** @type {string} */ id, /** @type {string} */ kind, /** @type {(field: HTMLInputElement) => void} */ act) => {
      byId(id).addEventListener(kind, (event) => { act(fieldOf(event)); this.apply(); });
    };
    on("query", "input", (field) => { state.query = field.value; });
    on("sort", "change", (field) => { state.sort = field.value; state.descending = SORTS_DOWN.has(field.value); });
    on("direction", "click", () => { state.descending = !state.descending; });
    on("heat-on", "change", (field) => { state.heat = field.checked ? this.lastHeat : 0; });
    on("heat", "input", (field) => { state.heat = Number(field.value); });
    on("low", "change", (field) => { state.low = Math.min(within(number(field.value), 0, 1) ?? 0, state.high); });
    on("high", "change", (field) => { state.high = Math.max(within(number(field.value), 0, 1) ?? 1, state.low); });
    on("low-slide", "input", (field) => { state.low = Math.min(Number(field.value), state.high); });
    on("high-slide", "input", (field) => { state.high = Math.max(Number(field.value), state.low); });
    on("blind", "change", (field) => this.readBlind(field.checked));
    on("clear", "click", () => Object.assign(state, { query: "", show: [], low: 0, high: 1, columns: {} }));
    on("add-filter", "change", (field) => {
      const column = columnByName.get(field.value);
      if (column) state.columns[column.name] = column.kind === "text" ? "" : { low: null, high: null };
      this.focusFilter = field.value;
      field.value = "";
    });
  }

  /** Hide what the model says until a film is read; order and filters must not tell it either.
   * @param {boolean} blind */
  readBlind(blind) {
    state.blind = blind;
    if (!blind) return;
    if (TELLING_SORTS.has(state.sort)) Object.assign(state, { sort: "path", descending: false });
    state.show = state.show.filter((key) => outcomesOfKind("verdict").includes(key));
    Object.assign(state, { low: 0, high: 1, columns: {} });
  }

  listenToButtons() {
    for (const button of allOf("[data-view]")) {
      button.addEventListener("click", () => { state.view = button.dataset.view ?? START.view; this.apply(); });
    }
    for (const button of allOf("button[data-outcome]:not(.chip)")) {
      button.addEventListener("click", () => {
        state.show = [button.dataset.outcome ?? ""];
        this.apply();
        goTo("films");
      });
    }
    byId("download").addEventListener("click", () => download("films.csv", csvText(filmRows(this.chosen))));
  }

  listenToSheet() {
    byId("export").addEventListener("click", () => {
      download("verdicts.csv", csvText(verdictRows()));
    });
    const reader = fieldById("reader");
    reader.value = sheet.reader;
    reader.addEventListener("change", () => { sheet.reader = reader.value; keepSheet(); });
    byId("import").addEventListener("change", async (event) => {
      const field = fieldOf(event), file = field.files?.[0];
      if (!file) return;
      byId("verdict-message").textContent = importVerdicts(await file.text(), (film, name) => valueOf(film, name, reading));
      reader.value = sheet.reader;
      field.value = "";
      this.verdictsChanged();
    });
  }

  makeChips() {
    const rows = [outcomesOfKind("call"), config.labelled ? outcomesOfKind("truth") : [], outcomesOfKind("gate"), outcomesOfKind("verdict")];
    const chips = new Map(rows.flat().map((key) => [key, element("button", {
      type: "button", class: `chip ${key}`, "data-outcome": key, onclick: () => this.toggle(key),
    })]));
    byId("chips").append(...rows.filter((row) => row.length)
      .map((row) => element("span", { class: "chip-group" }, ...row.map((key) => chips.get(key)))));
    return chips;
  }

  fillSelects() {
    const option = (/** @type {{name: string, title: string}} */ { name, title }) => element("option", { value: name }, title);
    byId("sort").append(...this.table.columns.map(option));
    byId("add-filter").append(option({ name: "", title: "+ Filter by column" }), ...config.columns.filter(({ name, kind }) => kind !== "json" && differs(name)).map(option));
  }

  /** @param {string} key */
  toggle(key) {
    state.show = state.show.includes(key) ? state.show.filter((other) => other !== key) : [...state.show, key];
    this.apply();
  }

  /** @param {string} name */
  sortBy(name) {
    state.descending = state.sort === name ? !state.descending : SORTS_DOWN.has(name);
    state.sort = name;
    this.apply();
  }

  verdictsChanged() {
    this.apply({ keepPlace: true });
  }

  /** Show what the state says, and remember it. */
  apply({ keepPlace = false } = {}) {
    const { chosen, counts } = chooseFilms(films, reading);
    this.chosen = chosen;
    this.showControls(counts);
    const { list, scroller } = this;
    if (list.root.parentElement !== scroller) {
      this.gallery.clear();
      this.table.clear();
      scroller.replaceChildren(list.root);
      keepPlace = false;
    }
    if (!keepPlace) scroller.scrollTop = 0;
    scroller.classList.toggle("empty", chosen.length === 0);
    list.show(chosen);
    list.refresh();
    this.explorer.update();
    this.onApplied();
    rememberState();
  }

  /** @param {Map<string, number>} counts */
  showControls(counts) {
    this.showChips(counts);
    this.showFields();
    this.showDirection();
    allOf("[data-view]").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.view === state.view)));
    fieldById("blind").checked = state.blind;
    document.documentElement.classList.toggle("blind", state.blind);
    this.showHeat();
    this.showColumnFilters();
    byId("clear").hidden = !isFiltered(state);
    byId("status").textContent = `${countText(this.chosen.length)} of ${countText(films.length)} files`;
    const read = Object.keys(sheet.verdicts).length;
    byId("n-verdicts").textContent = read ? countText(read) : "";
  }

  /** @param {Map<string, number>} counts */
  showChips(counts) {
    for (const [key, chip] of this.chips) {
      const n = counts.get(key) ?? 0, pressed = state.show.includes(key);
      chip.replaceChildren(outcomeTitles.get(key) ?? key, element("b", {}, countText(n)));
      chip.setAttribute("aria-pressed", String(pressed));
      chip.hidden = !n && !pressed && !ALWAYS_SHOWN.has(key);
    }
  }

  showFields() {
    const texts = { query: state.query, sort: state.sort, low: state.low, high: state.high };
    for (const [id, value] of Object.entries(texts)) {
      if (document.activeElement !== byId(id)) fieldById(id).value = String(value);
    }
    for (const side of /** @type {const} */ (["low", "high"])) {
      fieldById(`${side}-slide`).value = String(state[side]);
      byId("low").parentElement?.style.setProperty(`--${side}`, String(state[side]));
    }
  }

  showDirection() {
    const direction = byId("direction");
    direction.textContent = state.descending ? "\u2193" : "\u2191";
    direction.ariaLabel = direction.title = state.descending ? "Falling; press for rising" : "Rising; press for falling";
  }

  showHeat() {
    if (state.heat) this.lastHeat = state.heat;
    fieldById("heat-on").checked = state.heat > 0;
    fieldById("heat").disabled = state.heat === 0;
    if (state.heat) fieldById("heat").value = String(state.heat);
    document.documentElement.style.setProperty("--heat-opacity", String(state.heat / 100));
  }

  /** Fields for the columns that are filtered by; rebuilt only when their set changes, so that typing is not disturbed. */
  showColumnFilters() {
    const names = Object.keys(state.columns).join();
    if (names === this.filterNames) return;
    this.filterNames = names;
    const holder = byId("column-filters");
    holder.replaceChildren(...Object.keys(state.columns).map((name) => this.columnFilter(name)));
    /** @type {HTMLElement | null} */ (holder.querySelector(`[data-column="${this.focusFilter}"] input`))?.focus();
    this.focusFilter = null;
  }

  /** @param {string} name */
  columnFilter(name) {
    const title = columnByName.get(name)?.title ?? name, wanted = state.columns[name];
    const fields = typeof wanted === "string" ? this.textFields(name, title, wanted)
      : [this.numberField(title, wanted, "low", "from"), "\u2013", this.numberField(title, wanted, "high", "to")];
    return element("span", { class: "column-filter", "data-column": name }, title, ...fields,
      element("button", { type: "button", class: "icon", "aria-label": `Remove the filter on ${title}`, onclick: () => { delete state.columns[name]; this.apply(); } }, "\u2715"));
  }

  /** @type {(name: string, title: string, wanted: string) => Node[]} */
  textFields(name, title, wanted) {
    return [element("input", {
      type: "text", value: wanted, placeholder: "contains; * any", "aria-label": `${title} contains`, list: `values-${name}`,
      oninput: (/** @type {Event} */ event) => { state.columns[name] = fieldOf(event).value; this.apply(); },
    }), valueList(name)];
  }

  /** @type {(title: string, wanted: Range, side: "low" | "high", label: string) => Node} */
  numberField(title, wanted, side, label) {
    return element("input", {
      type: "number", step: "any", value: wanted[side] ?? "", "aria-label": `${title} ${label}`,
      oninput: (/** @type {Event} */ event) => { wanted[side] = number(fieldOf(event).value); this.apply(); },
    });
  }
}

/** Films as rows of a CSV file, in the columns of results.csv.
 * @param {Film[]} some
 * @returns {string[][]} */
function filmRows(some) {
  return [
    config.columns.map((column) => column.name),
    ...some.map((film) => config.columns.map((column) => cellText(column, valueOf(film, column.name, reading)))),
  ];
}

/** The values that a text column holds, for the browser to suggest; none when there are many.
 * @param {string} name */
function valueList(name) {
  const values = new Set();
  for (const film of films) {
    const value = valueOf(film, name, reading);
    if (value) values.add(value);
    if (values.size > MAX_SUGGESTED) break;
  }
  const offered = values.size > MAX_SUGGESTED ? [] : [...values].sort(collator.compare);
  return element("datalist", { id: `values-${name}` }, ...offered.map((value) => element("option", { value })));
}
