import assert from "node:assert/strict";
import test from "node:test";
import { number, readFragment, startState, within, writeFragment } from "../../templates/scripts/fragment.mjs";
import { config } from "./films.mjs";

const START = startState(config.threshold);

test("what stands as at the start needs no fragment", () => {
  assert.equal(writeFragment(START, START), "");
  assert.deepEqual(readFragment("", config), START);
});

test("every choice comes back from its fragment", () => {
  const chosen = {
    query: "a b&c=#ü", show: ["fn", "warned"], low: 0.25, high: 0.75, columns: { manufacturer: "A..B", width_px: { low: 3, high: null } },
    sort: "width_px", descending: true, view: "table", threshold: 0.123456, prevalence: 0.02, heat: 0, blind: true,
  };
  assert.deepEqual(readFragment(`#${writeFragment(chosen, START)}`, config), chosen);
});

test("one choice changes nothing else", () => {
  for (const change of [{ query: "x" }, { show: ["tp"] }, { high: 0.5 }, { sort: "verdict" }, { descending: false }, { threshold: 0 }, { heat: 100 }]) {
    const chosen = { ...START, ...change };
    assert.deepEqual(readFragment(writeFragment(chosen, START), config), chosen);
  }
});

test("what a fragment gets wrong stays as at the start", () => {
  for (const text of ["#show=nobody,constructor", "#p=2..9", "#t=7", "#t=x", "#sort=__proto__", "#view=grid", "#heat=-1", "#prevalence=0", "#f.nothing=1", "#%%%"]) {
    assert.deepEqual(readFragment(text, config), START, text);
  }
});

test("numbers", () => {
  assert.equal(number(" 0.5 "), 0.5);
  for (const text of ["", " ", "x", "Infinity", null, undefined]) assert.equal(number(text), null);
  assert.equal(within(1, 0, 1), 1);
  assert.equal(within(1.01, 0, 1), null);
});
