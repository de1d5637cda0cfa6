"""``cxrscan agreement``: sheets of several readers held against each other."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from cxrscan.reports.wording import VERDICT_COLUMNS
from tests.scanner.cli.test_cli import cxrscan

SHARED = {"sha256": "0" * 64, "prediction": "PNEUMONIA", "threshold": "0.5", "model": "m 1", "blind": "yes"}


def write_sheet(path: Path, reader: str, said: str, **cells: str) -> Path:
    """A sheet on as many films as ``said`` has letters: (p)neumonia, (n)o, (u)nsure, or a blank for none."""
    words = {"p": "pneumonia", "n": "no-pneumonia", "u": "unsure", " ": ""}
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8-sig") as stream:
        sheet = csv.DictWriter(stream, VERDICT_COLUMNS, restval="")
        sheet.writeheader()
        sheet.writerows(
            {**SHARED, "path": f"{i}.jpg", "verdict": words[letter], "reader": reader, **cells}
            for i, letter in enumerate(said)
        )
    return path


def test_two_readers_and_the_model(tmp_path: Path) -> None:
    anna = write_sheet(tmp_path / "a.csv", "Anna", "ppppnnnn")
    ben = write_sheet(tmp_path / "b.csv", "Ben", "pppnnnnu")
    found = json.loads(cxrscan("agreement", anna, ben, "--json").stdout)
    assert [reader["name"] for reader in found["readers"]] == ["Anna", "Ben", "m 1 at 0.5"]
    both, *with_model = found["pairs"]
    assert (both["n_films"], both["observed"]) == (8, 0.75)
    assert both["kappa"]["value"] == pytest.approx((0.75 - 0.4375) / (1 - 0.4375))
    assert [pair["second"] for pair in with_model] == ["m 1 at 0.5"] * 2
    assert with_model[0]["observed"] == 0.5
    assert found["fleiss"] is None


def test_all_sheets_of_a_run_and_the_kappa_of_three(tmp_path: Path) -> None:
    for name, said in {"verdicts": "ppnn p", "verdicts-ben": "ppnnnn", "verdicts-cleo": "ppnnpn"}.items():
        write_sheet(tmp_path / f"{name}.csv", "" if name == "verdicts" else name[9:], said)
    done = cxrscan("agreement", tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[1:4]] == ["ben", "cleo", "verdicts"]
    assert "ben and cleo: 6 films read by both" in done.stdout
    assert "All 3 readers: 5 films read by all" in done.stdout
    assert "Fleiss' kappa 0.7" in done.stdout


def test_a_second_reading_is_held_against_the_first(tmp_path: Path) -> None:
    sheets = [write_sheet(tmp_path / f"{name}.csv", "Anna", said) for name, said in {"1": "ppnn", "2": "ppnp"}.items()]
    found = json.loads(cxrscan("agreement", *sheets, "--json").stdout)
    assert (found["pairs"][0]["n_films"], found["pairs"][0]["observed"]) == (4, 0.75)


def test_films_of_another_content_are_other_films(tmp_path: Path) -> None:
    anna = write_sheet(tmp_path / "a.csv", "Anna", "pp")
    ben = write_sheet(tmp_path / "b.csv", "Ben", "pp", sha256="1" * 64)
    found = json.loads(cxrscan("agreement", anna, ben, "--json").stdout)
    assert (found["pairs"][0]["n_films"], found["pairs"][0]["observed"]) == (0, None)
    assert found["pairs"][0]["kappa"]["reason"]


@pytest.mark.parametrize("text", ["", "path,verdict\na.jpg,\n"])
def test_without_a_verdict_there_is_nothing_to_tell(tmp_path: Path, text: str) -> None:
    (tmp_path / "verdicts.csv").write_text(text)
    done = cxrscan("agreement", tmp_path)
    assert (done.returncode, "[verdicts-none]" in done.stderr) == (1, True)


def test_names_of_readers_cannot_drive_the_terminal(tmp_path: Path) -> None:
    done = cxrscan("agreement", write_sheet(tmp_path / "a.csv", "\x1b]0;Anna\x07", "pn"))
    assert "\x1b" not in done.stdout
    assert "Anna" in done.stdout
