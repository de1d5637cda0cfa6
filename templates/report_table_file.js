// CSV out and in, in the very format of results.csv.
const FORMULA_START = /^[=+\-@\t\r\n]/;

/** What a spreadsheet would take for a formula gets an apostrophe in front. */
function neutralised(text) {
  return FORMULA_START.test(text) ? `'${text}` : text;
}

function csvText(rows) {
  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return "\ufeff" + rows.map((row) => row.map(quoted).join(",") + "\r\n").join("");
}

function cellText(column, value) {
  if (value === null || value === undefined) return "";
  if (column.kind === "decimal") return value.toFixed(column.decimals);
  return column.kind === "text" ? neutralised(value) : String(value);
}

function filmRows(some) {
  return [
    config.columns.map((column) => column.name),
    ...some.map((film) => config.columns.map((column) => cellText(column, valueOf(film, column.name)))),
  ];
}

/** Rows of a CSV file (RFC 4180, with or without a byte-order mark). */
function parseCsv(text) {
  const rows = [];
  let row = [], cell = "", quoted = false;
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

function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = element("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
