"""Does another checkout of cxrscan write the same files? Holds every output of a run against the other's, byte by byte.

    git worktree add /tmp/before COMMIT
    python -m tests.bench.same_outputs /tmp/before FILMS

FILMS is a folder of class folders. What differs between two runs of one version is blanked on both sides: times,
names of versions, and the page's own scripts and style with the digests that allow them.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.builders import encode, film_pixels

HERE = Path(__file__).parents[2]
BLANK = "*"
TIMED = {"duration_ms", "started_at", "finished_at", "duration_s", "profile_s", "version", "versions", "runId"}
COMMANDS = (
    ("run", "{films}", "--labels", "folders", "-o", "out", "--jsonl", "--parquet"),
    ("run", "{films}", "{odd}", "-o", "beside", "--refer", "0.3-0.7", "--embed", "none"),
    ("evaluate", "out", "--by", "kind,folder", "--prevalence", "0.1", "--checklist", "claim"),
    ("merge", "merged", "out"),
    ("compare", "out", "merged", "--json"),
)
_START = "import sys; sys.path.pop(0); from cxrscan.scanner.cli.main import main; main()"
_SCRIPT = re.compile(r"(<(script|style)>).*?(</\2>)", re.DOTALL)
_JSON = re.compile(r'(<script type="application/json" (?:id="config"|class="rows")>)(.*?)(</script>)', re.DOTALL)
_TIMES = (
    re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:\+00:00|Z| UTC)?)?"),
    re.compile(r"(?<= in )[\d.,]+ (?:s|min|h)\b"),
    re.compile(r"'sha256-[^']+'|&#39;sha256-.+?&#39;"),
)


def main() -> None:
    """Run both checkouts and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="the other checkout")
    parser.add_argument("films", type=Path, help="films in class folders")
    parser.add_argument("--keep", type=Path, help="keep the outputs in this folder")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cxrscan-same-") as temporary:
        work = wanted.keep or Path(temporary)
        odd = draw_odd_files(work / "odd")
        before, after = work / "before", work / "after"
        for checkout, folder in ((wanted.before, before), (HERE, after)):
            run_commands(checkout.resolve(), folder, wanted.films.resolve(), odd.resolve())
        differing = compare(before, after)
    for line in differing:
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"{len(differing)} outputs differ\n")
    sys.exit(bool(differing))


def draw_odd_files(folder: Path) -> Path:
    """Files that are rejected, fail or are skipped."""
    folder.mkdir(parents=True, exist_ok=True)
    film = encode(film_pixels(3, height=300, width=260), "png")
    (folder / "half.png").write_bytes(film[: len(film) // 2])
    (folder / "blank.png").write_bytes(encode(film_pixels(3, height=300, width=260) * 0, "png"))
    (folder / "promised.jpg").write_bytes(b"no picture at all")
    (folder / "notes.txt").write_text("not a film")
    return folder


def run_commands(checkout: Path, folder: Path, films: Path, odd: Path) -> None:
    """Leave the commands' outputs in a folder; what they print lies there too."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, command in enumerate(COMMANDS):
        arguments = [part.format(films=films, odd=odd) for part in command]
        start = _START if (checkout / "cxrscan").is_dir() else _START.replace("cxrscan.", "")  # as of 26 November 2026
        done = subprocess.run(
            [sys.executable, "-c", start, *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(checkout)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in (0, 3):
            sys.exit(f"{checkout}: {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
        (folder / f"{number}-{command[0]}.stdout").write_text(done.stdout)


def compare(before: Path, after: Path) -> list[str]:
    """Lines on what differs; journals are no outputs."""
    files = sorted(
        {
            path.relative_to(side)
            for side in (before, after)
            for path in side.rglob("*")
            if path.is_file() and not path.name.startswith("journal.sqlite")
        }
    )
    return [f"{file}: {what}" for file in files if (what := _difference(before / file, after / file))]


def _difference(before: Path, after: Path) -> str:
    if not (before.exists() and after.exists()):
        return f"only {'before' if before.exists() else 'after'}"
    first, second = blanked(before), blanked(after)
    if first == second:
        return ""
    at = next((i for i, pair in enumerate(zip(first, second, strict=False)) if pair[0] != pair[1]), len(first))
    return f"{first[max(0, at - 40) : at + 60]!r} became {second[max(0, at - 40) : at + 60]!r}"


def blanked(path: Path) -> bytes | str:
    """A file's content without what differs from run to run."""
    blank = _BLANKERS.get(path.suffix)
    return path.read_bytes() if blank is None else blank(path)


def _blank_csv(path: Path) -> str:
    with path.open(encoding="utf-8", newline="") as file:
        text = file.read()
    rows = list(csv.reader(io.StringIO(text)))
    timed = [i for i, name in enumerate(rows[0]) if name in TIMED]
    if not timed:
        return text
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows(
        [BLANK if i in timed else cell for i, cell in enumerate(row)] for row in rows
    )
    return written.getvalue()


def _blank_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: BLANK if name in TIMED else _blank_value(item) for name, item in value.items()}
    return [_blank_value(item) for item in value] if isinstance(value, list) else value


def _blank_lines(path: Path) -> str:
    return "\n".join(json.dumps(_blank_value(json.loads(line))) for line in path.read_text("utf-8").splitlines())


def _blank_json(path: Path) -> str:
    return json.dumps(_blank_value(json.loads(path.read_text("utf-8"))), indent=1)


def _blank_page(path: Path) -> str:
    timed = -1

    def blank(found: re.Match[str]) -> str:
        nonlocal timed
        value = json.loads(found[2])
        if isinstance(value, dict):
            timed = value["row"].index("duration_ms")
            return found[1] + json.dumps(_blank_value(value)) + found[3]
        rows = [[BLANK if i == timed else cell for i, cell in enumerate(row)] for row in value]
        return found[1] + json.dumps(rows) + found[3]

    return _blank_text(_JSON.sub(blank, _SCRIPT.sub(rf"\1{BLANK}\3", path.read_text("utf-8"))))


def _blank_text(text: str) -> str:
    for times in _TIMES:
        text = times.sub(BLANK, text)
    return text


def _blank_parquet(path: Path) -> str:
    from pyarrow import parquet

    table = parquet.read_table(path)
    return f"{table.schema}\n" + json.dumps(_blank_value(table.to_pylist()))


def _blank_svg(path: Path) -> str:
    return re.sub(r"<dc:date>.*?</dc:date>", BLANK, path.read_text("utf-8"))


_BLANKERS: dict[str, Callable[[Path], str]] = {
    ".csv": _blank_csv,
    ".json": _blank_json,
    ".jsonl": _blank_lines,
    ".parquet": _blank_parquet,
    ".html": _blank_page,
    ".md": lambda path: _blank_text(path.read_text("utf-8")),
    ".svg": _blank_svg,
}


if __name__ == "__main__":
    main()
