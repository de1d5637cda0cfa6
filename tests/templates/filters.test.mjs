import assert from "node:assert/strict";
import test from "node:test";
import { callOf, outcomeOf } from "../../templates/scripts/calls.mjs";
import { chooseFilms, outcomesOf, valueOf } from "../../templates/scripts/filters.mjs";
import { startState } from "../../templates/scripts/fragment.mjs";
import { config, film, sheet } from "./films.mjs";

const FILMS = [
  film("a10.jpg", 0.9, { truth: "PNEUMONIA", manufacturer: "Acme", width_px: 1200 }),
  film("a2.jpg", 0.4, { truth: "PNEUMONIA", gate: "warn", width_px: 900 }),
  film("b.jpg", 0.7, { truth: "NORMAL", manufacturer: "acme two" }),
  film("c.jpg", 0.1),
  film("d.jpg", null),
];
const VERDICTS = { "b.jpg": { verdict: "no-pneumonia", comment: "", reader: "", at: "", blind: false, on: {} } };

/** @param {Record<string, any>} change */
function choose(change, of = FILMS) {
  const state = { ...startState(0.5), sort: "path", descending: false, ...change };
  const { chosen, counts } = chooseFilms([...of], { config, state, verdictOf: sheet(VERDICTS) });
  return { names: chosen.map(({ path }) => path), counts };
}

test("a film is called by the threshold, at the threshold too", () => {
  assert.equal(callOf(film("x", 0.5), 0.5, config), "PNEUMONIA");
  assert.equal(callOf(film("x", 0.4999), 0.5, config), "NORMAL");
  assert.equal(callOf(film("x", null), 0.5, config), null);
  assert.equal(callOf(film("x", 0.9, { status: "rejected" }), 0.5, config), null);
});

test("a probability in the band is referred, whatever the threshold, and is no outcome", () => {
  const banded = { ...config, refer: /** @type {[number, number]} */ ([0.3, 0.6]) };
  for (const prob of [0.3, 0.45, 0.6]) assert.equal(callOf(film("x", prob), 0.1, banded), "REFER");
  assert.equal(callOf(film("x", 0.61), 0.9, banded), "NORMAL");
  assert.equal(outcomeOf(film("x", 0.5, { truth: "NORMAL" }), 0.5, banded), null);
});

test("columns of regions follow the call at the reader's threshold", () => {
  const regions = [{ side: "right", zone: "lower" }];
  const some = film("x", 0.4, { regions, n_regions: 1, largest_region: "right lower" });
  const value = (/** @type {string} */ name, /** @type {number} */ threshold, of = some) =>
    valueOf(of, name, { config, state: { ...startState(0.5), threshold }, verdictOf: sheet({}) });
  assert.deepEqual(["n_regions", "largest_region", "regions"].map((name) => value(name, 0.3)), [1, "right lower", regions]);
  assert.deepEqual(["n_regions", "largest_region", "regions"].map((name) => value(name, 0.5)), [0, null, null]);
  assert.equal(value("n_regions", 0.3, film("y", null)), null);
});

test("the four outcomes", () => {
  const outcome = (/** @type {number} */ prob, /** @type {string} */ truth) => outcomeOf(film("x", prob, { truth }), 0.5, config);
  assert.deepEqual([outcome(0.9, "PNEUMONIA"), outcome(0.9, "NORMAL"), outcome(0.1, "PNEUMONIA"), outcome(0.1, "NORMAL")], ["tp", "fp", "fn", "tn"]);
});

test("all words of a search must occur somewhere in a film's row", () => {
  assert.deepEqual(choose({ query: "ACME" }).names, ["a10.jpg", "b.jpg"]);
  assert.deepEqual(choose({ query: "acme two" }).names, ["b.jpg"]);
  assert.deepEqual(choose({ query: "acme three" }).names, []);
});

test("outcomes of one group add up, groups narrow each other", () => {
  assert.deepEqual(choose({ show: ["tp", "fp"] }).names, ["a10.jpg", "b.jpg"]);
  assert.deepEqual(choose({ show: ["tp", "fp", "no-pneumonia"] }).names, ["b.jpg"]);
  assert.deepEqual(choose({ show: ["fn", "warned"] }).names, ["a2.jpg"]);
  assert.deepEqual(choose({ show: ["failed"] }).names, ["d.jpg"]);
});

test("a chip counts what pressing it would show under the other filters", () => {
  const { counts } = choose({ show: ["no-pneumonia"] });
  assert.equal(counts.get("fp"), 1);
  assert.equal(counts.get("tp"), 0);
  assert.equal(counts.get("no-pneumonia"), 1);
  assert.equal(choose({}).counts.get("positive"), 2);
});

test("the calls follow the threshold that is chosen", () => {
  assert.deepEqual(choose({ show: ["positive"], threshold: 0.8 }).names, ["a10.jpg"]);
  const reading = { config, state: { ...startState(0.5), threshold: 0.3 }, verdictOf: sheet() };
  assert.equal(valueOf(FILMS[1], "prediction", reading), "PNEUMONIA");
  assert.equal(valueOf(FILMS[1], "threshold", reading), 0.3);
  assert.deepEqual(outcomesOf(FILMS[1], reading), [["positive", "tp"], ["warned"], []]);
});

test("a range of probabilities leaves films without one out, ends included", () => {
  assert.deepEqual(choose({ low: 0.4, high: 0.7 }).names, ["a2.jpg", "b.jpg"]);
});

test("columns are filtered by text, in any case, and by numbers", () => {
  assert.deepEqual(choose({ columns: { manufacturer: "ACME" } }).names, ["a10.jpg", "b.jpg"]);
  assert.deepEqual(choose({ columns: { manufacturer: "*" } }).names, ["a10.jpg", "b.jpg"]);
  assert.deepEqual(choose({ columns: { width_px: { low: 1000, high: null } } }).names, ["a10.jpg"]);
  assert.equal(choose({ columns: { width_px: { low: null, high: null } } }).names.length, 5);
});

test("empty cells come last in either direction, ties keep the order of the paths", () => {
  assert.deepEqual(choose({ sort: "width_px" }).names, ["a2.jpg", "a10.jpg", "b.jpg", "c.jpg", "d.jpg"]);
  assert.deepEqual(choose({ sort: "width_px", descending: true }).names, ["a10.jpg", "a2.jpg", "b.jpg", "c.jpg", "d.jpg"]);
  assert.deepEqual(choose({ descending: true }).names, ["d.jpg", "c.jpg", "b.jpg", "a2.jpg", "a10.jpg"]);
});

test("texts are sorted as people do, numbers in them by size", () => {
  const some = ["x10", "x9", "X1"].map((manufacturer, i) => film(String(i), 0.5, { manufacturer }));
  assert.deepEqual(choose({ sort: "manufacturer" }, some).names, ["2", "1", "0"]);
});
