import assert from "node:assert/strict";
import test from "node:test";
import { csvText } from "../../templates/scripts/csv.mjs";
import { valueOf } from "../../templates/scripts/filters.mjs";
import { startState } from "../../templates/scripts/fragment.mjs";
import { givenOn, readSheet, sheetRows } from "../../templates/scripts/sheet.mjs";
import { config, film, sheet } from "./films.mjs";

const FILMS = [film("=a.jpg", 0.6, { sha256: "aa" }), film("b.jpg", 0.2, { sha256: "bb" })];

/** @param {number} threshold */
const onAt = (threshold) => (/** @type {any} */ one) => givenOn(one, config, (some, name) => valueOf(some, name, { config, state: startState(threshold), verdictOf: sheet() }));
const read = (/** @type {string} */ text, threshold = 0.5) => readSheet(text, FILMS, onAt(threshold), config);

test("a verdict keeps the call it was given on, through export and import at another threshold", () => {
  const verdict = { verdict: "no-pneumonia", comment: "=1, \"x\"", reader: "+R", at: "2026-01-02T03:04:05Z", blind: true, on: onAt(0.7)(FILMS[0]) };
  assert.equal(verdict.on.prediction, "NORMAL");
  const found = read(csvText(sheetRows([verdict], "", config.verdictColumns)), 0.2);
  assert.deepEqual(found, { taken: [[FILMS[0], verdict]], nUnknown: 0, nOtherContent: 0, nOtherModel: 0 });
});

test("an older sheet's agreement is with the call beside it", () => {
  const found = read("path,prediction,verdict\n'=a.jpg,NORMAL,agree\nb.jpg,NORMAL,disagree\n");
  assert.deepEqual(found?.taken.map(([, { verdict }]) => verdict), ["no-pneumonia", "pneumonia"]);
  assert.equal(read("path,verdict\nb.jpg,agree\n")?.nUnknown, 1);
});

test("another content is refused, another model is kept and told", () => {
  const found = read("path,sha256,model,prediction,verdict\nb.jpg,cc,toy 1.0,NORMAL,unsure\n'=a.jpg,aa,toy 2.0,PNEUMONIA,unsure\n");
  assert.equal(found?.nOtherContent, 1);
  assert.equal(found?.nOtherModel, 1);
  assert.deepEqual(found?.taken[0][1].on, { path: "'=a.jpg", sha256: "aa", model: "toy 2.0", prediction: "PNEUMONIA" });
});

test("unknown films and verdicts are counted, and a file without the columns is none", () => {
  assert.equal(read("path,verdict\nnowhere.jpg,unsure\nb.jpg,constructor\nb.jpg,\n")?.nUnknown, 2);
  assert.equal(read("a,b\n1,2\n"), null);
});

test("who reads is named where a verdict names nobody", () => {
  const verdict = { verdict: "unsure", comment: "", reader: "", at: "", blind: false, on: { path: "b.jpg" } };
  assert.equal(sheetRows([verdict, { ...verdict, reader: "AB" }], "CD", ["reader"]).join(), "reader,CD,AB");
});
