// The reader's sheet as a CSV file: what each verdict was given on travels with it, and stays as it was.
/** @import { Cell, Config, Film, Verdict } from "./types.mjs" */
import { cellText, neutralised, original, parseCsv } from "./csv.mjs";

/** What a verdict on a film is given on now: column -> text.
 * @param {Film} film
 * @param {Pick<Config, "columns" | "verdictColumns">} config
 * @param {(film: Film, name: string) => Cell} valueOf
 * @returns {Record<string, string>} */
export function givenOn(film, { columns, verdictColumns }, valueOf) {
  const known = columns.filter(({ name }) => verdictColumns.includes(name));
  return Object.fromEntries(known.map((column) => [column.name, cellText(column, valueOf(film, column.name))]));
}

/** The sheet as rows.
 * @param {Iterable<Verdict>} verdicts
 * @param {string} reader  Who read where a verdict names nobody
 * @param {string[]} columns
 * @returns {string[][]} */
export function sheetRows(verdicts, reader, columns) {
  return [columns, ...[...verdicts].map(({ verdict, comment, reader: own, at, blind, on }) => {
    /** @type {Record<string, string>} */
    const cells = {
      ...on, verdict, comment: neutralised(comment), reader: neutralised(own || reader), reviewed_at: at, blind: blind ? "yes" : "no",
    };
    return columns.map((name) => cells[name] ?? "");
  })];
}

/** What a sheet holds for these films, and what in it cannot be taken over.
 * @param {string} text
 * @param {Film[]} films
 * @param {(film: Film) => Record<string, string>} onOf  What a verdict would be given on now
 * @param {Pick<Config, "verdicts" | "agreements">} config
 * @returns {{taken: [Film, Verdict][], nUnknown: number, nOtherContent: number, nOtherModel: number} | null}  null without its columns */
export function readSheet(text, films, onOf, config) {
  const [head = [], ...rows] = parseCsv(text);
  const names = head.map((name) => name.trim());
  if (!names.includes("path") || !names.includes("verdict")) return null;
  const filmByPath = new Map(films.map((film) => [neutralised(film.path), film]));
  /** @type {[Film, Verdict][]} */
  const taken = [];
  let nUnknown = 0, nOtherContent = 0, nOtherModel = 0;
  for (const row of rows) {
    const cells = Object.fromEntries(names.map((name, i) => [name, row[i] ?? ""]));
    const film = filmByPath.get(cells.path), verdict = readingOf(cells, config);
    if (!film || verdict === null) { nUnknown++; continue; }
    const now = onOf(film);
    if (cells.sha256 && now.sha256 && cells.sha256 !== now.sha256) { nOtherContent++; continue; }
    if (cells.model && cells.model !== now.model) nOtherModel++;
    const on = Object.fromEntries(Object.keys(now).map((name) => [name, cells[name] ?? ""]));
    taken.push([film, {
      verdict, comment: original(cells.comment ?? ""), reader: original(cells.reader ?? ""), at: cells.reviewed_at ?? "",
      blind: cells.blind === "yes", on,
    }]);
  }
  return { taken, nUnknown, nOtherContent, nOtherModel };
}

/** What a row says about the film; an older sheet's agreement is with the call beside it. Null when nobody can know.
 * @param {Record<string, string>} cells
 * @param {Pick<Config, "verdicts" | "agreements">} config
 * @returns {string | null} */
function readingOf({ verdict, prediction }, { verdicts, agreements }) {
  if (verdict === "" || Object.hasOwn(verdicts, verdict)) return verdict;
  return Object.hasOwn(agreements, verdict) ? agreements[verdict][prediction] ?? null : null;
}
