// The second reader's sheet: agree, disagree or unsure and a comment per film, kept in this browser.
const VERDICTS = new Map([["agree", "Agree"], ["disagree", "Disagree"], ["unsure", "Unsure"]]);
const VERDICT_COLUMNS = [
  "path", "sha256", "prediction", "prob_pneumonia", "threshold", "model", "verdict", "comment", "reader", "reviewed_at",
];
const STORE = `cxrscan:verdicts:${config.runId}`;
const sheet = openSheet();
let sheetKept = true;

function openSheet() {
  const opened = { reader: "", verdicts: Object.create(null) };
  try {
    const { reader, verdicts } = JSON.parse(localStorage.getItem(STORE) ?? "{}");
    opened.reader = reader ?? "";
    Object.assign(opened.verdicts, verdicts);
  } catch { /* storage may be closed to local files, or hold what is not ours */ }
  return opened;
}

function keepSheet() {
  try {
    localStorage.setItem(STORE, JSON.stringify(sheet));
    sheetKept = true;
  } catch {
    sheetKept = false;
  }
}

/** The reader's verdict on a film: {verdict, comment, at}, or undefined. */
function verdictOf(film) {
  return sheet.verdicts[film.path];
}

function setVerdict(film, change) {
  const next = { verdict: "", comment: "", ...verdictOf(film), ...change, at: new Date().toISOString().slice(0, 19) + "Z" };
  if (next.verdict || next.comment) sheet.verdicts[film.path] = next;
  else delete sheet.verdicts[film.path];
  keepSheet();
}

function verdictRows() {
  const read = films.filter(verdictOf);
  return [VERDICT_COLUMNS, ...read.map((film) => {
    const { verdict, comment, at } = verdictOf(film);
    const own = { verdict, comment: neutralised(comment), reader: neutralised(sheet.reader), reviewed_at: at };
    return VERDICT_COLUMNS.map((name) => own[name] ?? cellText(columnByName.get(name), valueOf(film, name)));
  })];
}

/** Take over an exported sheet; says what happened. */
function importVerdicts(text) {
  const [head = [], ...rows] = parseCsv(text);
  const at = Object.fromEntries(head.map((name, i) => [name.trim(), i]));
  if (at.path === undefined || at.verdict === undefined) return "This file has no columns path and verdict.";
  const filmByPath = new Map(films.map((film) => [neutralised(film.path), film]));
  let taken = 0;
  for (const row of rows) {
    const film = filmByPath.get(row[at.path]), verdict = row[at.verdict] ?? "";
    if (!film || (verdict && !VERDICTS.has(verdict))) continue;
    const comment = (row[at.comment] ?? "").replace(/^'(?=[=+\-@\t\r\n])/, "");
    setVerdict(film, { verdict, comment });
    if (verdictOf(film) && row[at.reviewed_at]) verdictOf(film).at = row[at.reviewed_at];
    taken++;
  }
  if (at.reader !== undefined && rows[0]?.[at.reader] && !sheet.reader) sheet.reader = rows[0][at.reader];
  keepSheet();
  const left = rows.length - taken;
  return `${taken} verdicts taken over${left ? `, ${left} rows left out: no such film, or no known verdict` : ""}.`;
}
