"""``cxrscan report``: readers beside the model, and what changed since an earlier run."""

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner

from cxrscan.scanner.cli.main import cxrscan
from cxrscan.scanner.errors import RunFolderError
from tests.builders import write_film
from tests.scanner.cli.test_agreement import write_sheet


def invoke(*arguments: object) -> None:
    done = CliRunner().invoke(cxrscan, [*map(str, arguments), "-q"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for i in range(4):
        write_film(folder / f"{i}.jpg", i)
    return folder


@pytest.fixture(scope="module")
def run(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "earlier"
    invoke("run", films, "-o", out)
    return out


def test_readers_stand_beside_the_model_and_disagreements_first(run: Path, tmp_path: Path) -> None:
    anna = write_sheet(tmp_path / "anna.csv", "Anna", "npnp", sha256="")
    ben = write_sheet(tmp_path / "ben.csv", "Ben", "pp", sha256="")
    invoke("report", run, "-o", tmp_path / "out", "--verdicts", anna, "--verdicts", ben)
    table = {row["path"]: row for row in rows(tmp_path / "out" / "results.csv")}
    assert table["0.jpg"]["readings"] == "Anna: No pneumonia; Ben: Pneumonia"
    assert int(table["0.jpg"]["disagreement"]) >= 4
    assert table["2.jpg"]["readings"] == "Anna: No pneumonia"
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert 'id="readers"' in page
    assert "Anna and Ben" in page
    assert "readings" not in rows(run / "results.csv")[0]


def test_sheets_without_a_verdict_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="no verdict"):
        invoke("report", run, "-o", tmp_path / "out", "--verdicts", write_sheet(tmp_path / "a.csv", "Anna", "  "))


def test_what_changed_since_a_run_is_told_and_forgotten_again(films: Path, run: Path, tmp_path: Path) -> None:
    later = tmp_path / "films"
    later.mkdir()
    for name in ("1.jpg", "2.jpg"):
        (later / name).write_bytes((films / name).read_bytes())
    (later / "moved.jpg").write_bytes((films / "3.jpg").read_bytes())
    write_film(later / "new.jpg", 9)
    out = tmp_path / "out"
    invoke("run", later, "-o", out)
    invoke("report", out, "--since", run)
    found = [(row["path"], row["change"], row["path_before"]) for row in rows(out / "changes.csv")]
    assert found == [("new.jpg", "new", ""), ("moved.jpg", "renamed", "3.jpg"), ("", "gone", "0.jpg")]
    assert {row["path"]: row["change"] for row in rows(out / "results.csv")} == {
        "1.jpg": "",
        "2.jpg": "",
        "moved.jpg": "renamed",
        "new.jpg": "new",
    }
    assert "2 of 4 files changed since earlier" in (out / "report.html").read_text(encoding="utf-8")
    invoke("report", out)
    assert not (out / "changes.csv").exists()


def test_another_threshold_changes_calls(run: Path, tmp_path: Path) -> None:
    invoke("report", run, "-o", tmp_path, "--since", run, "--threshold", "0")
    assert {row["change"] for row in rows(tmp_path / "changes.csv")} == {"call"}
