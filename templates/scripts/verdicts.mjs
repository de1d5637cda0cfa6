// The second reader's sheet: a verdict and a comment per film, kept in this browser.
/** @import { Cell, Film, Verdict } from "./types.mjs" */
import { cellText, neutralised, original, parseCsv } from "./csv.mjs";
import { columnByName, config, films, outcomesOfKind } from "./data.mjs";

const STORE = `cxrscan:verdicts:${config.runId}`;
export const sheet = openSheet();

function openSheet() {
  const opened = { reader: "", verdicts: /** @type {Record<string, Verdict>} */ (Object.create(null)), kept: true };
  try {
    const { reader, verdicts } = JSON.parse(localStorage.getItem(STORE) ?? "{}");
    opened.reader = reader ?? "";
    Object.assign(opened.verdicts, verdicts);
  } catch { /* storage may be closed to local files, or hold what is not ours */ }
  return opened;
}

/** Keep the sheet in this browser; `sheet.kept` says whether it lets us. */
export function keepSheet() {
  try {
    localStorage.setItem(STORE, JSON.stringify({ reader: sheet.reader, verdicts: sheet.verdicts }));
    sheet.kept = true;
  } catch {
    sheet.kept = false;
  }
}

/** The reader's verdict on a film, or undefined.
 * @param {Film} film
 * @returns {Verdict | undefined} */
export function verdictOf(film) {
  return sheet.verdicts[film.path];
}

/** @type {(film: Film, change: Partial<Verdict>) => void} */
export function setVerdict(film, change) {
  const next = { verdict: "", comment: "", ...verdictOf(film), ...change, at: new Date().toISOString().slice(0, 19) + "Z" };
  if (next.verdict || next.comment) sheet.verdicts[film.path] = next;
  else delete sheet.verdicts[film.path];
  keepSheet();
}

/** The sheet as rows of a CSV file.
 * @param {(film: Film, name: string) => Cell} valueOf
 * @returns {string[][]} */
export function verdictRows(valueOf) {
  const read = films.filter(verdictOf);
  return [config.verdictColumns, ...read.map((film) => {
    const { verdict, comment, at } = /** @type {Verdict} */ (verdictOf(film));
    /** @type {Record<string, string>} */
    const own = { verdict, comment: neutralised(comment), reader: neutralised(sheet.reader), reviewed_at: at };
    return config.verdictColumns.map((name) => {
      const column = columnByName.get(name);
      return own[name] ?? (column ? cellText(column, valueOf(film, name)) : "");
    });
  })];
}

/** Take over an exported sheet; says what happened.
 * @param {string} text */
export function importVerdicts(text) {
  const [head = [], ...rows] = parseCsv(text);
  const at = Object.fromEntries(head.map((name, i) => [name.trim(), i]));
  if (at.path === undefined || at.verdict === undefined) return "This file has no columns path and verdict.";
  const filmByPath = new Map(films.map((film) => [neutralised(film.path), film]));
  const known = new Set(outcomesOfKind("verdict"));
  let taken = 0;
  for (const row of rows) {
    const film = filmByPath.get(row[at.path]), verdict = row[at.verdict] ?? "";
    if (!film || (verdict && !known.has(verdict))) continue;
    setVerdict(film, { verdict, comment: original(row[at.comment] ?? "") });
    const kept = verdictOf(film);
    if (kept && row[at.reviewed_at]) kept.at = row[at.reviewed_at];
    taken++;
  }
  if (at.reader !== undefined && rows[0]?.[at.reader] && !sheet.reader) sheet.reader = rows[0][at.reader];
  keepSheet();
  const left = rows.length - taken;
  return `${taken} verdicts taken over${left ? `, ${left} rows left out: no such film, or no known verdict` : ""}.`;
}
