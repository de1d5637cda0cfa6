"""The command line as users meet it: help, exit codes, what goes to stdout and what to stderr."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import dicom_film, film_pixels, write_film

CXRSCAN = [sys.executable, "-c", "from cxrscan.scanner.cli.main import main; main()"]


def cxrscan(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, as a shell would."""
    command = [*CXRSCAN, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


@pytest.fixture
def films(tmp_path: Path) -> Path:
    for name in ("NORMAL/1.jpg", "PNEUMONIA/2.png"):
        write_film(tmp_path / "my films" / name, height=240, width=240)
    return tmp_path / "my films"


def test_a_report_whose_pictures_lie_beside_it_says_so(films: Path, tmp_path: Path) -> None:
    done = cxrscan("run", films, "-o", tmp_path / "out", "--embed", "none")
    assert "2 pictures of the report lie beside it: pass the folder on as a whole" in done.stderr
    again = cxrscan("report", tmp_path / "out", "--embed", "all")
    assert "beside it" not in again.stderr


def test_the_installed_command_scans_a_folder(films: Path, tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("cxrscan")
    done = subprocess.run([command, "run", films], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "cxrscan-out").iterdir()} == {
        "journal.sqlite",
        "report.html",
        "results.csv",
        "run.json",
    }
    assert done.stdout == ""
    assert "2 files: 2 scored" in done.stderr
    assert "Research software, not a medical device." in done.stderr


def test_json_goes_to_stdout_and_nothing_else(films: Path, tmp_path: Path) -> None:
    done = cxrscan("run", films, "-o", tmp_path / "out", "--labels", "folders", "--json", "-q")
    summary = json.loads(done.stdout)
    assert (summary["n_films"], summary["n_scored"], summary["exit_code"]) == (2, 2, 0)
    assert Path(summary["outputs"]["html"]).is_file()
    assert done.stderr == ""


def test_few_films_are_told_one_by_one(films: Path, tmp_path: Path) -> None:
    (films / "empty.jpg").touch()
    said = cxrscan("run", films, "-o", tmp_path / "out", "--labels", "folders").stderr
    assert re.search(r"^ *([<>] )?0\.\d\d  (PNEUMONIA|NORMAL).*  NORMAL/1\.jpg$", said, re.MULTILINE)
    assert "failed: The file is empty.  empty.jpg" in said
    assert re.search(r"^Sensitivity .*%.*, Specificity .*%", said, re.MULTILINE)
    assert "1 failed (empty-file 1; see Problems in the report)" in said


def test_without_a_terminal_the_log_starts_with_a_stamp(films: Path, tmp_path: Path) -> None:
    said = cxrscan("run", films, "-o", tmp_path / "out").stderr
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  cxrscan \S+, cxrscan-mobilenetv2 \S+: scanning ", said)


def test_a_second_run_says_that_nothing_was_scanned_and_keeps_the_time(films: Path, tmp_path: Path) -> None:
    first = json.loads(cxrscan("run", films, "-o", tmp_path / "out", "--json").stdout)
    again = cxrscan("run", films, "-o", tmp_path / "out", "--json")
    second = json.loads(again.stdout)
    assert "2 files: 2 scored by earlier sessions and none now" in again.stderr
    assert (first["n_new"], second["n_new"]) == (2, 0)
    assert first["duration_s"] == second["duration_s"]
    (films / "new.jpg").write_bytes((films / "NORMAL/1.jpg").read_bytes())
    assert ", 2 of them by earlier sessions" in cxrscan("run", films, "-o", tmp_path / "out").stderr
    assert "3 files: 3 scored, " in cxrscan("report", tmp_path / "out").stderr


def test_films_that_the_model_does_not_know_are_told_first_and_can_be_an_error(tmp_path: Path) -> None:
    (tmp_path / "oblique.dcm").write_bytes(dicom_film(film_pixels(1, height=300, width=300), ViewPosition="LLO"))
    done = cxrscan(
        "run", tmp_path / "oblique.dcm", "-o", tmp_path / "out", "--gate", "warn", "--json", "--fail-on-poor-fit"
    )
    assert (done.returncode, json.loads(done.stdout)["fit"]) == (4, "poor")
    assert done.stderr.splitlines()[1].startswith(
        "These films are not like those that the model was trained on: 1 of 1"
    )
    assert json.loads((tmp_path / "out/run.json").read_text())["fit"] == "poor"
    assert cxrscan("run", tmp_path / "oblique.dcm", "-o", tmp_path / "out", "--gate", "warn").returncode == 0


def test_a_threshold_that_is_none_is_wrong_usage(films: Path, tmp_path: Path) -> None:
    done = cxrscan("run", films, "-o", tmp_path / "out", "--threshold", "nope")
    assert (done.returncode, "[unknown-operating-point]" in done.stderr) == (2, True)


def test_class_folders_are_noticed(films: Path, tmp_path: Path) -> None:
    assert "add --labels folders" in cxrscan("run", films, "-o", tmp_path / "out").stderr
    assert "--labels folders" not in cxrscan("run", films, "-o", tmp_path / "out", "--labels", "folders").stderr


def test_labels_of_other_films_fail_the_run_after_its_results_are_written(films: Path, tmp_path: Path) -> None:
    labels = tmp_path / "truth.csv"
    labels.write_text("path,label\nwrist.png,1\n")
    done = cxrscan("run", films, "-o", tmp_path / "out", "--labels", labels, "-q")
    assert done.returncode == 1
    assert "0 of 2 films have a label: a film is called" in done.stderr
    assert "[labels-unmatched]" in done.stderr
    assert (tmp_path / "out" / "results.csv").is_file()


def test_failed_files_end_with_exit_code_3_and_are_told_at_v(films: Path, tmp_path: Path) -> None:
    (films / "empty.jpg").touch()
    (films / "notes.txt").write_text("no film")
    done = cxrscan("run", films, "-o", tmp_path / "out", "-v")
    assert done.returncode == 3
    assert "failed   empty.jpg: The file is empty. [empty-file]" in done.stderr
    assert "skipped  notes.txt: no picture" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run"], 2, "Name files or folders"),
        (["run", "nowhere"], 2, "does not exist"),
        (["run", "films", "--threshold", "sometimes"], 2, "[unknown-operating-point]"),
        (["run", "films", "--threshold", "1.5"], 2, "[unknown-operating-point]"),
        (["run", "films", "--model", "films"], 1, "[bundle-missing]"),
        (["run", "films", "--labels", "none.csv"], 1, "[labels-unreadable]"),
        (["run", "empty"], 1, "[no-images]"),
        (["report", "films"], 1, "[not-a-run]"),
        (["model", "verify", "films"], 1, "[bundle-missing]"),
    ],
)
def test_wrong_use_is_one_sentence_with_a_code(arguments: list[str], code: int, message: str, tmp_path: Path) -> None:
    write_film(tmp_path / "films/1.png", height=240, width=240)
    (tmp_path / "empty").mkdir()
    done = cxrscan(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "cxrscan-out").exists()


def test_report_renders_with_another_threshold(films: Path, tmp_path: Path) -> None:
    assert cxrscan("run", films, "-o", tmp_path / "out").returncode == 0
    done = cxrscan("report", tmp_path / "out", "--threshold", "0", "--labels", "folders", "--json")
    assert json.loads(done.stdout)["n_positive"] == 2


def test_model_info_and_verify_know_the_shipped_bundle() -> None:
    said = cxrscan("model", "info").stdout
    assert "Operating points" in said
    assert "sens95" in said
    assert json.loads(cxrscan("model", "info", "--json").stdout)["schema_version"] == 1
    assert "OK. Schema, hash and a test film agree" in cxrscan("model", "verify").stdout


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE

    for file in ("model.json", "model.tflite"):
        (tmp_path / file).write_bytes((DEFAULT_BUNDLE / file).read_bytes())
    with (tmp_path / "model.tflite").open("r+b") as weights:
        weights.seek(100_000)
        weights.write(b"\0\1\2\3")
    assert "[bundle-hash]" in cxrscan("model", "verify", tmp_path).stderr


def test_an_unreadable_file_is_a_failed_row(films: Path, tmp_path: Path) -> None:
    (films / "NORMAL/1.jpg").chmod(0)
    # root reads everything, unless it lacks these capabilities
    plain_user = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    command = [*plain_user, *CXRSCAN, "run", str(films), "-o", str(tmp_path / "out"), "-v"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "[unreadable]" in done.stderr


def test_an_output_folder_that_cannot_be_made_is_told(films: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = cxrscan("run", films, "-o", tmp_path / "file/out")
    assert done.returncode == 1
    assert "[output-unwritable]" in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_help_and_version_import_nothing_heavy(arguments: list[str]) -> None:
    heavy = "{'numpy', 'cv2', 'PIL', 'tensorflow', 'pandas', 'matplotlib', 'sklearn', 'pydicom', 'ai_edge_litert'}"
    code = (
        f"import sys; from cxrscan.scanner.cli.main import cxrscan; "
        f"cxrscan.main({arguments!r}, standalone_mode=False); "
        f"sys.exit(str(sorted({heavy} & set(sys.modules))) if {heavy} & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_run_imports_no_training_and_no_plotting_it_does_not_need(films: Path, tmp_path: Path) -> None:
    heavy = "{'tensorflow', 'keras', 'pandas', 'sklearn', 'streamlit', 'pydicom'}"
    code = (
        f"import sys; from cxrscan.scanner.cli.main import cxrscan; "
        f"cxrscan.main(['run', {str(films)!r}, '-o', {str(tmp_path / 'out')!r}, '-q'], standalone_mode=False); "
        f"sys.exit(str(sorted({heavy} & set(sys.modules))) if {heavy} & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
