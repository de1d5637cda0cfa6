import assert from "node:assert/strict";
import test from "node:test";
import { greyFilter } from "../../templates/scripts/looking.mjs";

/** What a CSS filter makes of a grey level.
 * @param {string} filter
 * @param {number} grey */
function shown(filter, grey) {
  for (const [, name, value] of filter.matchAll(/(\w+)\(([\d.]+)\)/g)) {
    if (name === "brightness") grey *= Number(value);
    if (name === "contrast") grey = (grey - 0.5) * Number(value) + 0.5;
    if (name === "invert") grey = 1 - grey;
  }
  return grey;
}

test("a window makes one grey black and another white, and inverts last", () => {
  for (const [black, white] of [[0, 100], [20, 70], [0, 50], [50, 100], [90, 95]]) {
    const filter = greyFilter(black, white, false);
    assert.ok(Math.abs(shown(filter, black / 100)) < 1e-9, `${black} to ${white}`);
    assert.ok(Math.abs(shown(filter, white / 100) - 1) < 1e-9, `${black} to ${white}`);
    assert.ok(Math.abs(shown(greyFilter(black, white, true), white / 100)) < 1e-9);
  }
  assert.equal(greyFilter(0, 100, false), "none");
});
