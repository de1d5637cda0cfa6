"""docs/extending.md works: its code, put into a copy of the project, does what the page says."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.builders import encode, film_pixels, write_film
from tests.test_docs import ROOT

PAGE = (ROOT / "docs/extending.md").read_text()
START = "from cxrscan.scanner.cli.main import main; main()"


def apply(page: str, root: Path) -> dict[str, set[str]]:
    """Do what the page's blocks say; returns the files touched by section."""
    touched: dict[str, set[str]] = {}
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        for block in re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL):
            head, _, code = block.partition("\n")
            name, where, text = re.fullmatch(r"# ([\w./]+)(?:, (after|before): (.+))?", head).groups()  # type: ignore[union-attr]
            touched.setdefault(section.partition("\n")[0], set()).add(name)
            path = root / name
            if where is None:
                path.write_text(code)
                continue
            lines = path.read_text().splitlines(keepends=True)
            (at,) = (i for i, line in enumerate(lines) if text in line)
            lines.insert(at + (where == "after"), code)
            path.write_text("".join(lines))
    return touched


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages with everything of the page in it."""
    root = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "cxrscan", root / "cxrscan", symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for package in ("scanner", "reports", "templates"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__", "models"))
    (root / "scanner/models").symlink_to(ROOT / "scanner/models")
    apply(PAGE, root)
    return root


@pytest.fixture(scope="module")
def out(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a scan with all that was added."""
    films = tmp_path_factory.mktemp("films")
    for seed, label in enumerate(("NORMAL", "PNEUMONIA", "NORMAL")):
        write_film(films / label / f"{seed}.png", seed, height=300, width=300)
    (films / "NORMAL/3.pgm").write_bytes(encode(film_pixels(3, height=300, width=300), "PPM"))
    np.save(films / "PNEUMONIA/4.npy", film_pixels(4, height=300, width=300))
    out = films.parent / "out"
    arguments = ["run", str(films), "-o", str(out), "--labels", "folders", "--md", "--executor", "here"]
    done = subprocess.run(
        [sys.executable, "-c", START, *arguments],
        env={**os.environ, "PYTHONPATH": str(project)},
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out


def rows(out: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((out / "results.csv").read_text("utf-8-sig"))))


def test_films_of_new_formats_are_scored(out: Path) -> None:
    assert [(row["path"], row["status"], row["kind"]) for row in rows(out)] == [
        ("NORMAL/0.png", "scored", "png"),
        ("NORMAL/2.png", "scored", "png"),
        ("NORMAL/3.pgm", "scored", "ppm"),
        ("PNEUMONIA/1.png", "scored", "png"),
        ("PNEUMONIA/4.npy", "scored", "numpy"),
    ]


def test_a_new_figure_stands_in_the_manifest_and_on_the_page(out: Path) -> None:
    measured = json.loads((out / "run.json").read_text())["evaluation"]["metrics"]
    assert measured["false_omission_rate"]["value"] == pytest.approx(1 - measured["npv"]["value"])
    assert "Share of the films called normal that are not" in (out / "report.html").read_text()


def test_a_new_form_of_the_table_has_its_rows(out: Path) -> None:
    lines = (out / "results.md").read_text().splitlines()
    assert lines[0].startswith("| path | status |")
    assert len(lines) == 2 + len(rows(out))


def test_a_new_column_stands_in_the_table(out: Path) -> None:
    assert {row["megapixels"] for row in rows(out)} == {"0.09"}


def test_new_data_comes_through_the_journal_into_the_table(out: Path) -> None:
    assert all(0.1 < float(row["mean_grey"]) < 0.9 for row in rows(out))


def test_the_page_counts_the_files_right(tmp_path: Path) -> None:
    for package in ("scanner", "reports"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "models"))
    touched = {section.lower(): len(files) for section, files in apply(PAGE, tmp_path).items()}
    told = {what: int(n) for what, n in re.findall(r"^\| (a[^|]+?) \| (\d) \|$", PAGE, re.MULTILINE)}
    assert {section: n for section, n in told.items() if section in touched} == touched
