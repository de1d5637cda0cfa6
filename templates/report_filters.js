// Which films the reader wants to see, and in which order.

// Outcome -> [group, label]. Chosen outcomes of one group add up, groups narrow each other.
const OUTCOMES = new Map(Object.entries({
  positive: ["outcome", "PNEUMONIA"], negative: ["outcome", "NORMAL"],
  referred: ["outcome", "REFER"],
  rejected: ["outcome", "Rejected"], failed: ["outcome", "Failed"],
  tp: ["outcome", "True positive"], fn: ["outcome", "False negative"],
  fp: ["outcome", "False positive"], tn: ["outcome", "True negative"],
  warned: ["gate", "Caveat"],
  agree: ["verdict", "Agree"], disagree: ["verdict", "Disagree"], unsure: ["verdict", "Unsure"],
}));
const GROUPS = ["outcome", "gate", "verdict"];
const CALLS = ["positive", "negative", "referred", "rejected", "failed"];
const TRUTHS = ["tp", "fn", "fp", "tn"];

/** Whether a probability lies in the band that a person is to read, whatever the threshold. */
function isReferred(prob) {
  return config.refer !== null && prob !== null && config.refer[0] <= prob && prob <= config.refer[1];
}

/** What the film is called at the chosen threshold: PNEUMONIA, NORMAL, REFER or null without a score. */
function prediction(film) {
  if (film.status !== "scored" || film.prob_pneumonia === null) return null;
  if (isReferred(film.prob_pneumonia)) return "REFER";
  return film.prob_pneumonia >= state.threshold ? "PNEUMONIA" : "NORMAL";
}

/** tp, fp, fn or tn; null without a call or a truth. */
function truthOutcome(film) {
  const called = prediction(film);
  if (called === null || called === "REFER" || !film.truth) return null;
  return (film.truth === called ? "t" : "f") + (called === "PNEUMONIA" ? "p" : "n");
}

/** The film's outcomes in each group. */
function outcomesOf(film) {
  const called = prediction(film), verdict = verdictOf(film)?.verdict;
  const call = { PNEUMONIA: "positive", NORMAL: "negative", REFER: "referred" }[called] ?? film.status;
  return [
    [call, truthOutcome(film)].filter(Boolean),
    film.status === "scored" && film.gate === "warn" ? ["warned"] : [],
    verdict ? [verdict] : [],
  ];
}

/** The value of a table column; the threshold and what follows from it are the reader's. */
function valueOf(film, name) {
  if (name === "prediction") return prediction(film);
  if (name === "threshold") return state.threshold;
  if (name === "model") return config.model;
  if (name === "outcome") return truthOutcome(film);
  if (name === "verdict") return verdictOf(film)?.verdict ?? null;
  return film[name];
}

const UNSEARCHED = new Set(["prediction", "model", "sha256"]);

/** Everything about a film that a search can find, in lower case; made when first needed. */
function searchText(film) {
  film.searchText ??= config.columns
    .filter(({ kind, name }) => kind === "text" && !UNSEARCHED.has(name))
    .map((column) => film[column.name] ?? "").join("\n").toLowerCase();
  return film.searchText;
}

function makeTest() {
  const words = state.query.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = Object.entries(state.columns);
  const allProbs = state.low <= 0 && state.high >= 1;
  return (film) => words.every((word) => searchText(film).includes(word))
    && (allProbs || (film.prob_pneumonia !== null && film.prob_pneumonia >= state.low && film.prob_pneumonia <= state.high))
    && wanted.every(([name, want]) => fits(valueOf(film, name), want));
}

function fits(value, want) {
  if (typeof want === "string") return String(value ?? "").toLowerCase().includes(want.toLowerCase());
  if (want.low === null && want.high === null) return true;
  return typeof value === "number" && value >= (want.low ?? -Infinity) && value <= (want.high ?? Infinity);
}

/** The films chosen, in the chosen order, and how many each outcome would show under the other filters. */
function chooseFilms() {
  const test = makeTest();
  const wanted = GROUPS.map((group) => new Set(state.show.filter((key) => OUTCOMES.get(key)[0] === group)));
  const counts = new Map([...OUTCOMES.keys()].map((key) => [key, 0]));
  const chosen = [];
  for (const film of films) {
    if (!test(film)) continue;
    const outcomes = outcomesOf(film);
    const passes = outcomes.map((some, g) => wanted[g].size === 0 || some.some((outcome) => wanted[g].has(outcome)));
    outcomes.forEach((some, g) => {
      if (passes.every((pass, h) => pass || h === g)) some.forEach((key) => counts.set(key, counts.get(key) + 1));
    });
    if (passes.every(Boolean)) chosen.push(film);
  }
  return { chosen: sorted(chosen), counts };
}

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** Sort by the chosen column; empty cells come last in either direction, ties keep the order of the paths. */
function sorted(some) {
  if (state.sort === "path") return state.descending ? some.reverse() : some;
  const sign = state.descending ? -1 : 1;
  const keyed = some.map((film) => [valueOf(film, state.sort), film]);
  const empty = (value) => value === null || value === undefined || value === "";
  keyed.sort(([a], [b]) => {
    if (empty(a) || empty(b)) return empty(a) - empty(b);
    return sign * (typeof a === "number" ? a - b : a === b ? 0 : collator.compare(a, b));
  });
  return keyed.map(([, film]) => film);
}
