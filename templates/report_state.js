// What the reader has chosen: one object, mirrored in the address's fragment so that a view can be bookmarked.
const START = {
  query: "", show: [], low: 0, high: 1, columns: {}, sort: "path", descending: false, view: "gallery",
  threshold: config.threshold, prevalence: null, heat: 60,
};
const state = structuredClone(START);
const columnByName = new Map(config.columns.map((column) => [column.name, column]));
const SORTS = new Set([...columnByName.keys(), "outcome", "verdict"]);

/** The chosen view as a fragment, without what stands as at the start. */
function fragment() {
  const parts = new URLSearchParams();
  if (state.query) parts.set("q", state.query);
  if (state.show.length) parts.set("show", state.show.join(","));
  if (state.low > 0 || state.high < 1) parts.set("p", `${state.low}..${state.high}`);
  for (const [name, wanted] of Object.entries(state.columns)) {
    parts.set(`f.${name}`, typeof wanted === "string" ? wanted : `${wanted.low ?? ""}..${wanted.high ?? ""}`);
  }
  if (state.sort !== START.sort || state.descending) parts.set("sort", (state.descending ? "-" : "") + state.sort);
  if (state.view !== START.view) parts.set("view", state.view);
  if (state.threshold !== START.threshold) parts.set("t", String(state.threshold));
  if (state.prevalence !== null) parts.set("prevalence", String(state.prevalence));
  if (state.heat !== START.heat) parts.set("heat", String(state.heat));
  return parts.toString();
}

/** Take over what a fragment says; what it gets wrong stays as at the start. */
function readFragment(text) {
  Object.assign(state, structuredClone(START));
  const parts = new URLSearchParams(text.replace(/^#/, ""));
  state.query = parts.get("q") ?? "";
  state.show = (parts.get("show") ?? "").split(",").filter((key) => OUTCOMES.has(key));
  const range = rangeOf(parts.get("p"));
  state.low = within(range.low, 0, 1) ?? 0;
  state.high = within(range.high, 0, 1) ?? 1;
  for (const [key, value] of parts) {
    const column = key.startsWith("f.") ? columnByName.get(key.slice(2)) : null;
    if (column) state.columns[column.name] = column.kind === "text" ? value : rangeOf(value);
  }
  const sort = parts.get("sort") ?? "";
  if (SORTS.has(sort.replace(/^-/, ""))) {
    state.sort = sort.replace(/^-/, "");
    state.descending = sort.startsWith("-");
  }
  if (parts.get("view") === "table") state.view = "table";
  state.threshold = within(number(parts.get("t")), 0, 1) ?? START.threshold;
  state.prevalence = within(number(parts.get("prevalence")), 0.0001, 0.9999);
  state.heat = within(number(parts.get("heat")), 0, 100) ?? START.heat;
}

function rangeOf(text) {
  const [low, high] = (text ?? "").split("..");
  return { low: number(low), high: number(high) };
}

/** The number that a text holds, or null. */
function number(text) {
  const value = text === null || text === undefined || text.trim() === "" ? NaN : Number(text);
  return Number.isFinite(value) ? value : null;
}

function within(value, low, high) {
  return value !== null && value >= low && value <= high ? value : null;
}

let fragmentTimer = 0;

/** Browsers refuse more than a few changes of the address per second, so wait until the reader's hand rests. */
function rememberState() {
  clearTimeout(fragmentTimer);
  fragmentTimer = setTimeout(() => history.replaceState(null, "", `#${fragment()}`), 250);
}
