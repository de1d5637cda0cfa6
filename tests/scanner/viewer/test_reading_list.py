"""Reading lists as files: what comes back, and what does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.viewer.reading_list import read_reading_list, write_reading_list
from tests.reports.films import HOSTILE_NAMES, scored

FILMS = [scored(name, 0.5) for name in (*HOSTILE_NAMES, "a.jpg", "b.jpg")]


def test_a_list_gives_its_films_back_in_its_order(tmp_path: Path) -> None:
    wanted = FILMS[::-1]
    write_reading_list(tmp_path / "queue.csv", [(film.result.name, film.result.sha256) for film in wanted])
    assert read_reading_list(tmp_path / "queue.csv", FILMS) == wanted


def test_films_of_another_content_and_of_other_runs_are_left_out(tmp_path: Path) -> None:
    write_reading_list(tmp_path / "queue.csv", [("a.jpg", "0" * 64), ("z.jpg", ""), ("b.jpg", "")])
    assert [film.result.name for film in read_reading_list(tmp_path / "queue.csv", FILMS)] == ["b.jpg"]


@pytest.mark.parametrize("text", ["", "number,name\n1,a.jpg\n", "path\nz.jpg\n", "\0\xff"])
def test_what_is_no_list_of_this_run_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "queue.csv").write_text(text, encoding="latin-1")
    with pytest.raises(RunFolderError) as error:
        read_reading_list(tmp_path / "queue.csv", FILMS)
    assert error.value.code == "queue-unfit"
