// CSV out and in, in the very format of results.csv.
/** @import { Cell, Column } from "./types.mjs" */

const FORMULA_START = /^[=+\-@\t\r\n]/;

/** What a spreadsheet would take for a formula gets an apostrophe in front.
 * @param {string} text */
export function neutralised(text) {
  return FORMULA_START.test(text) ? `'${text}` : text;
}

/** The text that `neutralised` was given.
 * @param {string} text */
export function original(text) {
  return text.startsWith("'") && FORMULA_START.test(text.slice(1)) ? text.slice(1) : text;
}

/** A value as it stands in the file.
 * @param {Column} column
 * @param {Cell} value */
export function cellText(column, value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return column.kind === "decimal" ? value.toFixed(column.decimals) : String(value);
  return neutralised(typeof value === "string" ? value : JSON.stringify(value));
}

/** The file, with a byte-order mark.
 * @param {string[][]} rows */
export function csvText(rows) {
  const quoted = (/** @type {string} */ text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return "\ufeff" + rows.map((row) => row.map(quoted).join(",") + "\r\n").join("");
}

/** Rows of a CSV file (RFC 4180, with or without a byte-order mark).
 * @param {string} text
 * @returns {string[][]} */
export function parseCsv(text) {
  /** @type {string[][]} */
  const rows = [];
  /** @type {string[]} */
  let row = [];
  let cell = "", quoted = false;
  const endRow = () => {
    row.push(cell);
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
    cell = "";
  };
  text = text.replace(/^\ufeff/, "").replace(/\r\n?/g, "\n");
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (quoted && character === '"' && text[i + 1] === '"') { cell += '"'; i++; }
    else if (character === '"' && (quoted || cell === "")) quoted = !quoted;
    else if (!quoted && character === ",") { row.push(cell); cell = ""; }
    else if (!quoted && character === "\n") endRow();
    else cell += character;
  }
  if (cell !== "" || row.length) endRow();
  return rows;
}
