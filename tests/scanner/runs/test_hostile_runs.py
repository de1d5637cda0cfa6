"""A run folder that somebody prepared: commands write into it, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from cxrscan.scanner.cli.main import cxrscan
from cxrscan.scanner.runs.layout import JOURNAL_NAME
from tests.scanner.runs.test_hostile_journals import run, whole

__all__ = ["run", "whole"]  # fixtures

OUTPUTS = ("results.csv", "results.partial.csv", "results.jsonl", "report.html", "run.json", ".results.csv.part")


def call(*arguments: object) -> int:
    done = CliRunner().invoke(cxrscan, list(map(str, arguments)))
    assert done.exception is None or isinstance(done.exception, SystemExit) or hasattr(done.exception, "code"), done
    return done.exit_code


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The user's own files."""
    folder = tmp_path / "home"
    (folder / "pictures").mkdir(parents=True)
    (folder / ".profile").write_text("the user's own")
    (folder / "pictures" / f"{'0' * 16}.jpg").write_text("the user's own")
    return folder


def content(folder: Path) -> dict[str, str]:
    return {str(path): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("target", [".profile", "new"])
def test_links_planted_in_a_run_folder_lead_no_output_astray(run: Path, home: Path, target: str) -> None:
    before = content(home)
    for name in OUTPUTS:
        (run / name).symlink_to(home / target)
    assert call("report", run, "--jsonl") == 0
    assert content(home) == before
    assert not any((run / name).is_symlink() for name in ("results.csv", "results.jsonl", "report.html", "run.json"))
    (run / "evaluation").mkdir()
    for name in ("metrics.json", "metrics.csv", "roc.svg", "roc.png", "checklist-claim.md"):
        (run / "evaluation" / name).symlink_to(home / target)
    assert call("evaluate", run, "--checklist", "claim") == 0
    assert content(home) == before
    assert not any(path.is_symlink() for path in (run / "evaluation").iterdir())


@pytest.mark.parametrize("name", ["thumbnails", "evaluation"])
def test_a_folder_of_pictures_that_is_a_link_is_neither_written_nor_emptied(run: Path, home: Path, name: str) -> None:
    before = content(home)
    (run / name).symlink_to(home / "pictures")
    call("report", run, "--embed", "none")
    call("report", run, "--embed", "all")
    call("evaluate", run)
    assert content(home) == before


def test_a_run_folder_that_the_user_names_by_a_link_is_taken(run: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(run)
    assert call("report", tmp_path / "current", "--embed", "none") == 0
    assert (run / "thumbnails").is_dir()
    assert call("evaluate", tmp_path / "current") == 0
    assert (run / "evaluation/metrics.json").is_file()


def test_verdicts_are_not_read_through_a_link(run: Path, home: Path) -> None:
    from cxrscan.scanner.errors import RunFolderError
    from cxrscan.scanner.viewer.finished_run import open_run

    (home / "list.csv").write_text("path,verdict,comment\nNORMAL/a.jpg,agree,the user's own\n")
    (run / "verdicts.csv").symlink_to(home / "list.csv")
    with pytest.raises(RunFolderError) as caught:
        open_run(run)
    assert caught.value.code == "verdicts-unreadable"


@pytest.mark.parametrize("command", ["compare", "merge", "open"])
def test_what_only_reads_leaves_a_run_folder_as_it_is(run: Path, tmp_path: Path, command: str) -> None:
    from cxrscan.scanner.viewer.finished_run import open_run

    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.iterdir()}
    assert JOURNAL_NAME in before
    if command == "compare":
        call("compare", run, run)
    elif command == "merge":
        call("merge", tmp_path / "merged", run)
    else:
        open_run(run)
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.iterdir()} == before


def test_a_pipe_in_a_journals_place_holds_nobody(run: Path) -> None:
    (run / JOURNAL_NAME).unlink()
    os.mkfifo(run / JOURNAL_NAME)
    for command in (("report", run), ("compare", run, run), ("merge", run.parent / "merged", run)):
        assert call(*command) == 1
