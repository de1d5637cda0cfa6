// The command that shows a film in full size: what is pasted is text to every shell.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

import { viewCommand } from "../../templates/scripts/command.mjs";

const HERE = "file:///home/anna/cxrscan%20out/report.html#t=0.5";

test("the run lies where the report lies", () => {
  assert.equal(viewCommand(HERE, "NORMAL/a b.jpg"), 'cxrscan view "/home/anna/cxrscan out" --film "NORMAL/a b.jpg"');
  assert.equal(viewCommand("file:///C:/Users/anna/out/report.html", "a.dcm#2"), 'cxrscan view "C:/Users/anna/out" --film "a.dcm#2"');
  assert.equal(viewCommand("file://server/share/out/report.html", "a.jpg"), 'cxrscan view "//server/share/out" --film "a.jpg"');
  assert.equal(viewCommand("https://example.org/out/report.html", "a.jpg"), 'cxrscan view RUN --film "a.jpg"');
});

test("a name that a shell could act on is left out", () => {
  for (const name of ['a" & calc "', "$(id).jpg", "`id`", "%PATH%", "!x", "a\\", "\u201d; calc; \u201c", "a\nb", "\u0007"]) {
    assert.equal(viewCommand(HERE, name), 'cxrscan view "/home/anna/cxrscan out"');
  }
  assert.equal(viewCommand("file:///tmp/$(id)/report.html", "a.jpg"), 'cxrscan view RUN --film "a.jpg"');
  assert.equal(viewCommand("file:///tmp/%E0%A4%A/report.html", "a.jpg"), 'cxrscan view RUN --film "a.jpg"');
});

test("a shell takes what is left as it stands", { skip: process.platform === "win32" }, () => {
  for (const name of ["a; id.jpg", "a' b.jpg", "a & b | c > d.jpg", "-x", "*", "~", "#a", "\u00e4 (1).jpg", "{a,b}"]) {
    const command = viewCommand(HERE, name).replace("cxrscan view", "printf '%s\\n'");
    const said = execFileSync("sh", ["-c", command], { encoding: "utf8", cwd: "/tmp" });
    assert.deepEqual(said.split("\n"), ["/home/anna/cxrscan out", "--film", name, ""]);
  }
});
