// The second reader's sheet: a verdict and a comment per film, kept in this browser.
/** @import { Cell, Film, Verdict } from "./types.mjs" */
import { config, films } from "./data.mjs";
import { givenOn, readSheet, sheetRows } from "./sheet.mjs";
import { counted } from "./wording.mjs";

const STORE = `cxrscan:readings:${config.runId}`;
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

/** @typedef {(film: Film, name: string) => Cell} ValueOf  What the page says of a film now */

/** Note a verdict with what it is given on now, or only a comment on one that stays as it was given.
 * @param {Film} film
 * @param {{verdict?: string, comment?: string, blind?: boolean}} change
 * @param {ValueOf} valueOf */
export function setVerdict(film, change, valueOf) {
  const known = verdictOf(film) ?? { verdict: "", comment: "", blind: false, reader: "", at: "", on: {} };
  const again = verdictOf(film) !== undefined && (change.verdict ?? known.verdict) === known.verdict;
  const next = {
    ...known, ...change, reader: sheet.reader, at: new Date().toISOString().slice(0, 19) + "Z",
    on: again ? known.on : givenOn(film, config, valueOf),
  };
  if (next.verdict || next.comment) sheet.verdicts[film.path] = next;
  else delete sheet.verdicts[film.path];
  keepSheet();
}

/** The sheet as rows of a CSV file, in the order of the films.
 * @returns {string[][]} */
export function verdictRows() {
  return sheetRows(films.map(verdictOf).filter((verdict) => verdict !== undefined), sheet.reader, config.verdictColumns);
}

/** Take over an exported sheet; says what happened.
 * @param {string} text
 * @param {ValueOf} valueOf */
export function importVerdicts(text, valueOf) {
  const found = readSheet(text, films, (film) => givenOn(film, config, valueOf), config);
  if (found === null) return "This file has no columns path and verdict.";
  for (const [film, verdict] of found.taken) {
    if (verdict.verdict || verdict.comment) sheet.verdicts[film.path] = verdict;
  }
  sheet.reader ||= found.taken.find(([, { reader }]) => reader)?.[1].reader ?? "";
  keepSheet();
  const notes = [
    found.nUnknown && `${counted(found.nUnknown, "row")} left out: no such film, or no known verdict`,
    found.nOtherContent && `${counted(found.nOtherContent, "row")} left out: given on a file of another content`,
    found.nOtherModel && `${counted(found.nOtherModel, "verdict")} given beside another model's call, which is kept`,
  ].filter(Boolean);
  return [`${counted(found.taken.length, "verdict")} taken over`, ...notes].join("; ") + ".";
}
