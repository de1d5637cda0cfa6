// The reader's choice as the address's fragment, so that a view can be bookmarked and passed on.
/** @import { Config, Range, State } from "./types.mjs" */

/** What is chosen when nothing is.
 * @param {number} threshold  The run's
 * @returns {State} */
export function startState(threshold) {
  return {
    query: "", show: [], low: 0, high: 1, columns: {}, sort: "prob_pneumonia", descending: true, view: "gallery",
    threshold, prevalence: null, heat: 60, blind: false,
  };
}

/** The choice as a fragment, without what stands as at the start.
 * @param {State} state
 * @param {State} start */
export function writeFragment(state, start) {
  const parts = new URLSearchParams();
  if (state.query) parts.set("q", state.query);
  if (state.show.length) parts.set("show", state.show.join(","));
  if (state.low > 0 || state.high < 1) parts.set("p", `${state.low}..${state.high}`);
  for (const [name, wanted] of Object.entries(state.columns)) {
    parts.set(`f.${name}`, typeof wanted === "string" ? wanted : `${wanted.low ?? ""}..${wanted.high ?? ""}`);
  }
  if (state.sort !== start.sort || state.descending !== start.descending) parts.set("sort", (state.descending ? "-" : "") + state.sort);
  if (state.view !== start.view) parts.set("view", state.view);
  if (state.threshold !== start.threshold) parts.set("t", String(state.threshold));
  if (state.prevalence !== null) parts.set("prevalence", String(state.prevalence));
  if (state.heat !== start.heat) parts.set("heat", String(state.heat));
  if (state.blind) parts.set("blind", "1");
  return parts.toString();
}

/** The choice that a fragment says; what it gets wrong stays as at the start.
 * @param {string} text
 * @param {Pick<Config, "threshold" | "columns" | "outcomes">} config
 * @returns {State} */
export function readFragment(text, { threshold, columns, outcomes }) {
  const state = startState(threshold);
  const parts = new URLSearchParams(text.replace(/^#/, ""));
  const known = new Set(outcomes.map(({ key }) => key));
  state.query = parts.get("q") ?? "";
  state.show = (parts.get("show") ?? "").split(",").filter((key) => known.has(key));
  const range = rangeOf(parts.get("p"));
  state.low = within(range.low, 0, 1) ?? 0;
  state.high = within(range.high, 0, 1) ?? 1;
  for (const [key, value] of parts) {
    const column = columns.find(({ name }) => key === `f.${name}`);
    if (column) state.columns[column.name] = column.kind === "text" ? value : rangeOf(value);
  }
  const sort = parts.get("sort") ?? "", name = sort.replace(/^-/, "");
  if (["outcome", "verdict"].includes(name) || columns.some((column) => column.name === name)) {
    state.sort = name;
    state.descending = sort.startsWith("-");
  }
  if (parts.get("view") === "table") state.view = "table";
  state.threshold = within(number(parts.get("t")), 0, 1) ?? state.threshold;
  state.prevalence = within(number(parts.get("prevalence")), 0.0001, 0.9999);
  state.heat = within(number(parts.get("heat")), 0, 100) ?? state.heat;
  state.blind = parts.get("blind") === "1";
  return state;
}

/** Whether a choice leaves films out.
 * @param {State} state */
export function isFiltered({ query, show, low, high, columns }) {
  return query !== "" || show.length > 0 || low > 0 || high < 1 || Object.keys(columns).length > 0;
}

/** @type {(text: string | null) => Range} */
function rangeOf(text) {
  const [low, high] = (text ?? "").split("..");
  return { low: number(low), high: number(high) };
}

/** The number that a text holds, or null.
 * @param {string | null | undefined} text */
export function number(text) {
  const value = text === null || text === undefined || text.trim() === "" ? NaN : Number(text);
  return Number.isFinite(value) ? value : null;
}

/** A number that lies in a range, or null.
 * @param {number | null} value
 * @param {number} low
 * @param {number} high */
export function within(value, low, high) {
  return value !== null && value >= low && value <= high ? value : null;
}
