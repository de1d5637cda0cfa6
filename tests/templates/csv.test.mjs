import assert from "node:assert/strict";
import test from "node:test";
import { cellText, csvText, neutralised, original, parseCsv } from "../../templates/scripts/csv.mjs";

const TEXTS = ["", "plain", 'with "quotes"', "a, comma", "two\nlines", "=1+1", "'apostrophe", "+R", "-", "@x", "ä ☃", " space "];

test("what is written is read again", () => {
  const rows = TEXTS.map((text, i) => [String(i), text]);
  assert.deepEqual(parseCsv(csvText(rows)), rows);
});

test("a file has a byte-order mark, commas and Windows line ends", () => {
  assert.equal(csvText([["a", 'b"c'], ["d,e", ""]]), '\ufeffa,"b""c"\r\n"d,e",\r\n');
});

test("files of other programs are read: no mark, Unix or old Mac line ends, no end of the last line", () => {
  const rows = [["path", "verdict"], ["x", "agree"]];
  for (const text of ["path,verdict\nx,agree", "path,verdict\rx,agree\r", "\ufeffpath,verdict\r\n\r\nx,agree\r\n"]) {
    assert.deepEqual(parseCsv(text), rows);
  }
});

test("no text becomes a formula, and the apostrophe comes off again", () => {
  for (const start of "=+-@\t\r\n") assert.equal(neutralised(`${start}1`), `'${start}1`);
  for (const text of TEXTS) assert.equal(original(neutralised(text)), text);
});

test("decimals have the column's digits, integers none, nothing is empty", () => {
  const column = { name: "x", title: "", decimals: 4, meaning: "" };
  assert.equal(cellText({ ...column, kind: "decimal" }, 0.5), "0.5000");
  assert.equal(cellText({ ...column, kind: "integer" }, 1200), "1200");
  assert.equal(cellText({ ...column, kind: "text" }, "=x"), "'=x");
  assert.equal(cellText({ ...column, kind: "text" }, null), "");
});
