// The controls of the film browser.

class Browser {
  constructor(explorer) {
    this.explorer = explorer;
    byId("browser").hidden = false;
    this.viewer = new Viewer(() => this.verdictsChanged());
    const scroller = byId("scroller"), open = (film) => this.viewer.open(film, this.chosen);
    this.lists = { gallery: new Gallery(scroller, open), table: new Table(scroller, open, (name) => this.sortBy(name)) };
    scroller.addEventListener("scroll", () => this.list.draw(), { passive: true });
    new ResizeObserver(() => this.list?.draw()).observe(scroller);
    this.makeChips();
    this.fillSelects();
    this.listen();
    paintLegend();
  }

  get list() {
    return this.lists[state.view];
  }

  listen() {
    const on = (id, kind, act) => byId(id).addEventListener(kind, (event) => { act(event.target); this.apply(); });
    on("query", "input", (field) => { state.query = field.value; });
    on("sort", "change", (field) => { state.sort = field.value; state.descending = SORTS_DOWN.has(field.value); });
    on("direction", "click", () => { state.descending = !state.descending; });
    on("heat-on", "change", (field) => { state.heat = field.checked ? this.lastHeat ?? START.heat : 0; });
    on("heat", "input", (field) => { state.heat = Number(field.value); });
    on("low", "change", (field) => { state.low = Math.min(within(number(field.value), 0, 1) ?? 0, state.high); });
    on("high", "change", (field) => { state.high = Math.max(within(number(field.value), 0, 1) ?? 1, state.low); });
    on("low-slide", "input", (field) => { state.low = Math.min(Number(field.value), state.high); });
    on("high-slide", "input", (field) => { state.high = Math.max(Number(field.value), state.low); });
    on("clear", "click", () => Object.assign(state, { query: "", show: [], low: 0, high: 1, columns: {} }));
    on("add-filter", "change", (field) => {
      const { name, kind } = columnByName.get(field.value);
      state.columns[name] = kind === "text" ? "" : { low: null, high: null };
      field.value = "";
      this.focusFilter = name;
    });
    for (const button of document.querySelectorAll("[data-view]")) {
      button.addEventListener("click", () => { state.view = button.dataset.view; this.apply(); });
    }
    for (const button of document.querySelectorAll("button[data-outcome]:not(.chip)")) {
      button.addEventListener("click", () => {
        Object.assign(state, { show: [button.dataset.outcome] });
        this.apply();
        goTo("films");
      });
    }
    byId("download").addEventListener("click", () => download("films.csv", csvText(filmRows(this.chosen))));
    byId("export").addEventListener("click", () => download("verdicts.csv", csvText(verdictRows())));
    byId("reader").value = sheet.reader;
    byId("reader").addEventListener("change", (event) => { sheet.reader = event.target.value; keepSheet(); });
    byId("import").addEventListener("change", async (event) => {
      const [file] = event.target.files;
      if (!file) return;
      byId("verdict-message").textContent = importVerdicts(await file.text());
      byId("reader").value = sheet.reader;
      event.target.value = "";
      this.verdictsChanged();
    });
  }

  makeChips() {
    const rows = [CALLS, config.labelled ? TRUTHS : [], ["warned"], [...VERDICTS.keys()]];
    this.chips = new Map(rows.flat().map((key) => [key, element("button", {
      type: "button", class: `chip ${key}`, "data-outcome": key, onclick: () => this.toggle(key),
    })]));
    byId("chips").append(...rows.filter((row) => row.length)
      .map((row) => element("span", { class: "chip-group" }, ...row.map((key) => this.chips.get(key)))));
  }

  fillSelects() {
    const option = (value, text) => element("option", { value }, text);
    const named = this.lists.table.columns.map(({ name, title }) => option(name, title));
    byId("sort").append(...named);
    byId("add-filter").append(option("", "+ Filter by column"), ...config.columns.map(({ name, title }) => option(name, title)));
  }

  toggle(key) {
    state.show = state.show.includes(key) ? state.show.filter((other) => other !== key) : [...state.show, key];
    this.apply();
  }

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
    const { chosen, counts } = chooseFilms();
    this.chosen = chosen;
    this.showControls(counts);
    const list = this.list, scroller = byId("scroller");
    if (list.root.parentElement !== scroller) {
      Object.values(this.lists).forEach((other) => other.clear());
      scroller.replaceChildren(list.root);
      keepPlace = false;
    }
    if (!keepPlace) scroller.scrollTop = 0;
    scroller.classList.toggle("empty", chosen.length === 0);
    list.show(chosen);
    list.refresh();
    this.explorer.update();
    rememberState();
  }

  showControls(counts) {
    for (const [key, chip] of this.chips) {
      chip.replaceChildren(OUTCOMES.get(key)[1], element("b", {}, counts.get(key).toLocaleString("en")));
      chip.setAttribute("aria-pressed", String(state.show.includes(key)));
      chip.hidden = !counts.get(key) && !state.show.includes(key) && !ALWAYS_SHOWN.has(key);
    }
    const set = (id, value) => { if (document.activeElement !== byId(id)) byId(id).value = value; };
    set("query", state.query);
    set("sort", state.sort);
    set("low", state.low);
    set("high", state.high);
    byId("low-slide").value = state.low;
    byId("high-slide").value = state.high;
    byId("low").parentElement.style.setProperty("--low", state.low);
    byId("low").parentElement.style.setProperty("--high", state.high);
    byId("direction").textContent = state.descending ? "\u2193" : "\u2191";
    byId("direction").ariaLabel = byId("direction").title = state.descending ? "Falling; press for rising" : "Rising; press for falling";
    document.querySelectorAll("[data-view]").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.view === state.view)));
    this.showHeat();
    this.showColumnFilters();
    const filtered = this.chosen.length !== films.length || state.query || state.show.length || Object.keys(state.columns).length;
    byId("clear").hidden = !filtered;
    byId("status").textContent = `${this.chosen.length.toLocaleString("en")} of ${films.length.toLocaleString("en")} files`;
    const read = Object.keys(sheet.verdicts).length;
    byId("n-verdicts").textContent = read ? read.toLocaleString("en") : "";
  }

  showHeat() {
    if (state.heat) this.lastHeat = state.heat;
    byId("heat-on").checked = state.heat > 0;
    byId("heat").disabled = state.heat === 0;
    if (state.heat) byId("heat").value = state.heat;
    document.documentElement.style.setProperty("--heat-opacity", state.heat / 100);
  }

  /** Fields for the columns that are filtered by; rebuilt only when their set changes, so that typing is not disturbed. */
  showColumnFilters() {
    const names = Object.keys(state.columns).join();
    if (names === this.filterNames) return;
    this.filterNames = names;
    byId("column-filters").replaceChildren(...Object.keys(state.columns).map((name) => this.columnFilter(name)));
    byId("column-filters").querySelector(`[data-column="${this.focusFilter}"] input`)?.focus();
    this.focusFilter = null;
  }

  columnFilter(name) {
    const column = columnByName.get(name), wanted = state.columns[name];
    const field = (key, label) => element("input", {
      type: "number", step: "any", value: wanted[key] ?? "", "aria-label": `${column.title} ${label}`,
      oninput: (event) => { wanted[key] = number(event.target.value); this.apply(); },
    });
    const fields = column.kind === "text"
      ? [element("input", {
        type: "text", value: wanted, placeholder: "contains", "aria-label": `${column.title} contains`, list: `values-${name}`,
        oninput: (event) => { state.columns[name] = event.target.value; this.apply(); },
      }), valueList(name)]
      : [field("low", "from"), "\u2013", field("high", "to")];
    return element("span", { class: "column-filter", "data-column": name }, column.title, ...fields,
      element("button", { type: "button", class: "icon", "aria-label": `Remove the filter on ${column.title}`, onclick: () => { delete state.columns[name]; this.apply(); } }, "\u2715"));
  }
}

const ALWAYS_SHOWN = new Set(["positive", "negative", ...TRUTHS]);
const SORTS_DOWN = new Set(["prob_pneumonia", "duration_ms", "verdict"]);

/** The values that a text column holds, for the browser to suggest. */
function valueList(name) {
  const values = new Set();
  for (const film of films) {
    const value = valueOf(film, name);
    if (value) values.add(value);
    if (values.size > 40) break;
  }
  const offered = values.size > 40 ? [] : [...values].sort(collator.compare);
  return element("datalist", { id: `values-${name}` }, ...offered.map((value) => element("option", { value })));
}

function paintLegend() {
  const last = config.heatStops.length - 1;
  const colours = config.heatStops.map(([r, g, b], i) => `rgb(${r} ${g} ${b} / ${i / last}) ${100 * i / last}%`);
  byId("legend").firstElementChild.style.backgroundImage = `linear-gradient(90deg, ${colours.join(", ")})`;
}
