// Agreement with Python is tested in test_page_scripts.py; here stands what holds by itself.
import assert from "node:assert/strict";
import test from "node:test";
import { atOrAbove, estimateOf, estimates, predictiveValuesAt, wilson } from "../../templates/scripts/statistics.mjs";

/** @typedef {import("../../templates/scripts/types.mjs").Figure} Figure */

/** @type {Figure} */
const SENSITIVITY = { key: "sensitivity", family: "proportion", shares: [{ of: ["tp"], among: ["tp", "fn"] }] };

test("an interval holds its proportion and stays within 0 and 1", () => {
  for (const n of [1, 2, 7, 1000]) {
    for (let k = 0; k <= n; k++) {
      const [low, high] = wilson(k, n);
      assert.ok(low >= 0 && low <= k / n && k / n <= high && high <= 1);
    }
  }
  assert.deepEqual(wilson(0, 0), [0, 1]);
});

test("a published interval: 81 of 263 (Newcombe 1998)", () => {
  const [low, high] = wilson(81, 263);
  assert.equal(low.toFixed(4), "0.2553");
  assert.equal(high.toFixed(4), "0.3662");
});

test("a share among no films is undefined", () => {
  assert.deepEqual(estimateOf(SENSITIVITY, { tp: 0, fn: 0, fp: 3, tn: 4 }), { value: null, low: null, high: null });
});

test("a prevalence changes PPV and NPV, and nothing else", () => {
  const counts = { tp: 45, fp: 8, fn: 5, tn: 92 };
  assert.deepEqual(estimates([SENSITIVITY], counts, 0.1).sensitivity, estimates([SENSITIVITY], counts).sensitivity);
  const { ppv, npv } = predictiveValuesAt(counts, 50 / 150);
  assert.equal(ppv.value?.toFixed(6), (45 / 53).toFixed(6));
  assert.equal(npv.value?.toFixed(6), (92 / 97).toFixed(6));
});

test("counting sorted values that reach a threshold", () => {
  const values = [0.1, 0.3, 0.3, 0.9];
  assert.deepEqual([0, 0.1, 0.2, 0.3, 0.31, 0.9, 1].map((t) => atOrAbove(values, t)), [4, 4, 3, 3, 1, 1, 0]);
  assert.equal(atOrAbove([], 0.5), 0);
});
