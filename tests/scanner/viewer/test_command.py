"""The command ``cxrscan view``, up to the moment when the server starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import write_film

START = "from scanner.cli.main import main; main()"


def view(*arguments: object, before: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", before + START, "view", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_without_streamlit_one_sentence_says_which_extra_is_missing() -> None:
    done = view(before="import sys; sys.modules['streamlit'] = None; ")
    assert (done.returncode, done.stdout) == (1, "")
    assert "[extra-missing]" in done.stderr
    assert "`viewer`" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["folder"], "[not-a-run]"),
        (["film.png", "--threshold", "sometimes"], "[unknown-operating-point]"),
        (["film.png", "--model", "folder"], "[bundle-missing]"),
    ],
)
def test_what_cannot_be_opened_is_told_before_a_server_starts(arguments: list[str], code: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    write_film(tmp_path / "film.png", height=240, width=240)
    places = [tmp_path / text if (tmp_path / text).exists() else text for text in arguments]
    done = view(*places)
    assert (done.returncode, done.stdout) == (2 if "--threshold" in arguments else 1, "")
    assert code in done.stderr
    assert "Viewer at" not in done.stderr
