// Which films the reader wants to see, and in which order.
/** @import { Cell, Film, Range, Reading } from "./types.mjs" */
import { callOf, outcomeOf } from "./calls.mjs";
import { isOfRegions, regionCell } from "./regions.mjs";

// Chosen outcomes of one group add up, groups narrow each other.
const GROUPS = [["call", "truth"], ["gate"], ["verdict"]];

/** The film's outcomes in each group.
 * @param {Film} film
 * @param {Reading} reading
 * @returns {string[][]} */
export function outcomesOf(film, { config, state, verdictOf }) {
  const { positive, negative, referred } = config.classes;
  const called = callOf(film, state.threshold, config), verdict = verdictOf(film)?.verdict;
  const call = called === null ? film.status : { [positive]: "positive", [negative]: "negative", [referred]: "referred" }[called];
  return [
    [call, outcomeOf(film, state.threshold, config)].filter((key) => key !== null),
    film.status === "scored" && film.gate === "warn" ? ["warned"] : [],
    verdict ? [verdict] : [],
  ];
}

/** The value of a table column; the threshold and what follows from it are the reader's.
 * @param {Film} film
 * @param {string} name
 * @param {Reading} reading
 * @returns {Cell} */
export function valueOf(film, name, reading) {
  const { config, state, verdictOf } = reading;
  if (name === "prediction") return callOf(film, state.threshold, config);
  if (name === "threshold") return state.threshold;
  if (name === "model") return config.model;
  if (name === "outcome") return outcomeOf(film, state.threshold, config);
  if (isOfRegions(name)) return regionCell(film, name, reading);
  if (name === "verdict") return verdictOf(film)?.verdict ?? null;
  return cellOf(film, name);
}

/** A value that the film itself carries.
 * @param {Film} film
 * @param {string} name
 * @returns {Cell} */
export function cellOf(film, name) {
  return /** @type {Record<string, any>} */ (film)[name];
}

const UNSEARCHED = new Set(["prediction", "model", "sha256"]);

/** Everything about a film that a search can find, in lower case; made when first needed.
 * @param {Film} film
 * @param {Reading} reading */
function searchText(film, { config }) {
  film.searchText ??= config.columns
    .filter(({ kind, name }) => kind === "text" && !UNSEARCHED.has(name) && !isOfRegions(name))
    .map(({ name }) => cellOf(film, name) ?? "").join("\n").toLowerCase();
  return film.searchText;
}

/** Whether a film passes the search, the range of probabilities and the columns' filters.
 * @param {Reading} reading
 * @returns {(film: Film) => boolean} */
function makeTest(reading) {
  const { state } = reading;
  const words = state.query.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = Object.entries(state.columns);
  const allProbs = state.low <= 0 && state.high >= 1;
  return (film) => words.every((word) => searchText(film, reading).includes(word))
    && (allProbs || (film.prob_pneumonia !== null && film.prob_pneumonia >= state.low && film.prob_pneumonia <= state.high))
    && wanted.every(([name, want]) => fits(valueOf(film, name, reading), want));
}

/** @type {(value: Cell, want: string | Range) => boolean} */
function fits(value, want) {
  if (want === "*") return value !== null && value !== undefined && value !== "";
  if (typeof want === "string") return String(value ?? "").toLowerCase().includes(want.toLowerCase());
  if (want.low === null && want.high === null) return true;
  return typeof value === "number" && value >= (want.low ?? -Infinity) && value <= (want.high ?? Infinity);
}

/** The films chosen, in the chosen order, and how many each outcome would show under the other filters.
 * @param {Film[]} films
 * @param {Reading} reading
 * @returns {{chosen: Film[], counts: Map<string, number>}} */
export function chooseFilms(films, reading) {
  const { config, state } = reading;
  const test = makeTest(reading);
  const kindOf = new Map(config.outcomes.map(({ key, kind }) => [key, kind]));
  const wanted = GROUPS.map((kinds) => new Set(state.show.filter((key) => kinds.includes(kindOf.get(key) ?? ""))));
  const counts = new Map(config.outcomes.map(({ key }) => [key, 0]));
  const chosen = [];
  for (const film of films) {
    if (!test(film)) continue;
    const outcomes = outcomesOf(film, reading);
    const passes = outcomes.map((some, g) => wanted[g].size === 0 || some.some((outcome) => wanted[g].has(outcome)));
    outcomes.forEach((some, g) => {
      if (passes.every((pass, h) => pass || h === g)) some.forEach((key) => counts.set(key, (counts.get(key) ?? 0) + 1));
    });
    if (passes.every(Boolean)) chosen.push(film);
  }
  return { chosen: sorted(chosen, reading), counts };
}

export const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** Sort by the chosen column; empty cells come last in either direction, ties keep the order of the paths.
 * @param {Film[]} films
 * @param {Reading} reading */
function sorted(films, reading) {
  const { sort, descending } = reading.state;
  if (sort === "path") return descending ? films.reverse() : films;
  const sign = descending ? -1 : 1;
  const keyed = films.map((film) => ({ value: valueOf(film, sort, reading), film }));
  const empty = (/** @type {Cell} */ value) => value === null || value === undefined || value === "";
  keyed.sort(({ value: a }, { value: b }) => {
    if (empty(a) || empty(b)) return Number(empty(a)) - Number(empty(b));
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return a === b ? 0 : sign * collator.compare(String(a), String(b));
  });
  return keyed.map(({ film }) => film);
}
