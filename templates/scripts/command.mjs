// The command that shows a film in full size, safe to paste into the shells of Linux, macOS and Windows.

// What a shell might act on between double quotes; PowerShell takes curly quotes for straight ones.
const UNSAFE = /["$`%!\\\u201c-\u201f\p{Cc}]/u;

/** A text in double quotes, or null where a shell could take a part of it for more than text.
 * @param {string} text */
function quoted(text) {
  return text === "" || UNSAFE.test(text) ? null : `"${text}"`;
}

/** The command that opens a run at one of its films.
 * @param {string} address  Of the report, which lies in the run's folder
 * @param {string} name  The film's, in the report */
export function viewCommand(address, name) {
  const film = quoted(name);
  return `cxrscan view ${quoted(folderOf(address)) ?? "RUN"}${film === null ? "" : ` --film ${film}`}`;
}

/** The folder on this computer that a page lies in; empty for a page of a server.
 * @param {string} address */
function folderOf(address) {
  const { protocol, host, pathname } = new URL(address);
  if (protocol !== "file:") return "";
  let path;
  try { path = decodeURIComponent(pathname).replace(/\/[^/]*$/, ""); } catch { return ""; }
  return host ? `//${host}${path}` : path.replace(/^\/(?=[A-Za-z]:)/, "");
}
