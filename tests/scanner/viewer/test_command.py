"""The command ``cxrscan view``, up to the moment when the server starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cxrscan.reports.outputs import write_outputs
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE
from cxrscan.scanner.run import RunRequest, run
from cxrscan.scanner.settings import ScanSettings
from tests.builders import write_film

START = "from cxrscan.scanner.cli.main import main; main()"


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


def test_a_run_is_shown_with_its_own_model_and_begins_with_a_film_that_it_has(tmp_path: Path) -> None:
    write_film(tmp_path / "films" / "a.png", height=240, width=240)
    request = RunRequest(roots=(tmp_path / "films",), out=tmp_path / "out", settings=ScanSettings(), n_workers=1)
    run(request, write_outputs)
    for arguments, told in (
        ((tmp_path / "out", "--model", DEFAULT_BUNDLE), "it shows the model that scored it"),
        ((tmp_path / "out", "--film", "b.png"), "the run has no film called 'b.png'"),
        ((tmp_path / "films" / "a.png", "--film", "a.png"), "needs the folder of a run"),
    ):
        done = view(*arguments)
        assert (done.returncode, told in " ".join(done.stderr.split())) == (2, True), done.stderr
        assert "Viewer at" not in done.stderr
