"""``run --dry-run``: what it says of a run is what the run then does, and nothing is written."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import click
import pytest

from cxrscan.scanner.cli.configuration import setting_name
from cxrscan.scanner.cli.main import cxrscan
from cxrscan.scanner.cli.sections import SECTIONS, in_section
from cxrscan.scanner.forecast import sample
from cxrscan.scanner.system.text import bytes_text
from tests.builders import dicom_film, film_pixels, write_film
from tests.scanner.cli.test_cli import cxrscan as command


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for i in range(80):
        write_film(folder / ("a" if i % 4 else "b") / f"{i}.png", i, height=240, width=240)
    (folder / "single.dcm").write_bytes(dicom_film(film_pixels(1)))
    (folder / "notes.txt").write_text("no film")
    return folder


def everything(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


def test_a_dry_run_tells_what_the_run_then_does(films: Path, tmp_path: Path) -> None:
    before, home = everything(films), {**os.environ, "HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path)}
    arguments = ["run", films, "-o", tmp_path / "out", "--workers", "2"]
    done = command(*arguments, "--include-dicom-ids", "--dry-run", "--json", env=home)
    assert done.returncode == 0, done.stderr
    assert everything(films) == before
    left = [path for path in everything(tmp_path) if "matplotlib" not in path]  # which lists its fonts
    assert {str(Path(path).relative_to(tmp_path)) for path in left} <= {"home", "home/.cache", "home/.config"}
    told = json.loads(done.stdout)
    assert (told["n_films"], told["n_tried"], told["n_skipped"]) == (81, 64, {"no picture": 1})
    assert (told["kinds"], told["folders"]) == ({"png": 80, "dicom": 1}, {"a": 60, "b": 20, ".": 1})
    low, high = told["duration_s"]
    assert 0 < low <= high
    assert command(*arguments, "-q").returncode == 0
    sizes: Counter[str] = Counter()
    parts = {"journal.sqlite": "journal", "results.csv": "tables"}
    for path in (tmp_path / "out").iterdir():
        sizes[parts.get(path.name, "report")] += path.stat().st_size
    for part, size in told["outputs_bytes"].items():
        assert size == pytest.approx(sizes[part], rel=0.1), part


def test_a_dry_run_knows_what_is_done_and_leaves_it_as_it_is(films: Path, tmp_path: Path) -> None:
    assert command("run", films / "b", "-o", tmp_path / "out", "-q").returncode == 0
    before = everything(tmp_path)
    done = command("run", films / "b", "-o", tmp_path / "out", "--dry-run")
    assert "Films    20 (" in done.stdout
    assert "Done     20 results of earlier sessions, which are kept\n" in done.stdout
    assert "measured now on 20 films drawn by chance" in done.stdout
    assert done.stderr.endswith("Nothing was written.\n")
    other = command("run", films / "a", "-o", tmp_path / "out", "--dry-run")
    assert (other.returncode, "[other-run]" in other.stderr) == (1, True)
    assert everything(tmp_path) == before


def test_each_film_is_as_likely_to_be_drawn_as_any_other() -> None:
    assert sample(range(5), 9) == [0, 1, 2, 3, 4]
    drawn = sample(range(100_000), 2_000)
    assert len(set(drawn)) == 2_000
    assert sum(drawn) / len(drawn) == pytest.approx(50_000, rel=0.05)


def test_sizes_are_told_in_the_largest_unit_that_fits() -> None:
    assert [bytes_text(n) for n in (0, 999, 1000, 123_456, 2_500_000, 7e9, 3e15)] == [
        *("0 B", "999 B", "1.0 kB", "123 kB", "2.5 MB", "7.0 GB", "3000 TB"),
    ]


def test_every_option_of_run_stands_in_a_section_of_its_help() -> None:
    run = cxrscan.get_command(click.Context(cxrscan), "run")
    assert run is not None
    context = click.Context(run)
    assert [setting_name(each) for each in in_section(run.get_params(context), "Others")] == ["help"]
    said = run.get_help(context)
    assert [said.index(f"\n{title}:\n") for title in SECTIONS] == sorted(
        said.index(f"\n{title}:\n") for title in SECTIONS
    )
