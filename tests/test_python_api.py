"""``import cxrscan``: folders and single films from Python, and what is said of them."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pytest
from pydicom import Dataset, dcmread

import cxrscan
from tests.builders import dicom_film, film_pixels, write_film
from tests.test_docs import ROOT

NOTEBOOK = ROOT / "docs/python.ipynb"


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for seed in range(4):
        write_film(folder / ("NORMAL", "PNEUMONIA")[seed % 2] / f"{seed}.png", seed, height=260, width=240)
    (folder / "NORMAL/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no film")
    return folder


@pytest.fixture(scope="module")
def run(films: Path, tmp_path_factory: pytest.TempPathFactory) -> cxrscan.Run:
    return cxrscan.scan(films, tmp_path_factory.mktemp("run") / "out", gate="warn", progress=False)


@pytest.fixture(scope="module")
def model() -> cxrscan.Model:
    return cxrscan.load_model(gate="warn")


def test_a_run_is_the_table_of_its_folder(run: cxrscan.Run) -> None:
    with (run.folder / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(run.frame.columns) == list(rows[0])
    assert run.frame.path.tolist() == [row["path"] for row in rows]
    assert run.frame.prob_pneumonia.round(4).fillna(-1).tolist() == [float(row["prob_pneumonia"] or -1) for row in rows]
    assert run.frame.error_code.fillna("").tolist() == [row["error_code"] for row in rows]
    assert len(run) == len(rows) == 5
    assert [film.name for film in run] == run.frame.path.tolist()
    assert "4 scored" in run._repr_html_()


def test_the_table_goes_to_others_as_arrow(run: cxrscan.Run) -> None:
    table = arrow.table(run)
    assert table.column("path").to_pylist() == run.frame.path.tolist()
    assert table.schema.field("prob_pneumonia").type == arrow.float64()


def test_without_pyarrow_the_extra_is_named(run: cxrscan.Run) -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None\nimport cxrscan\n"
        f"try:\n    cxrscan.open_run({str(run.folder)!r}).arrow()\n"
        "except cxrscan.CxrscanError as error:\n    print(error.code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "extra-missing\n", done.stderr


def test_an_opened_run_equals_the_one_that_was_scanned(run: cxrscan.Run) -> None:
    assert cxrscan.open_run(run.folder).frame.equals(run.frame)
    with pytest.raises(cxrscan.RunFolderError) as caught:
        cxrscan.open_run(run.folder.parent)
    assert caught.value.code == "not-a-run"


def test_a_film_of_a_run_has_its_picture_and_heat_map(run: cxrscan.Run) -> None:
    film = run.film("PNEUMONIA/1.png")
    assert film.picture is not None
    assert (film.picture.shape, film.picture.dtype) == ((260, 240), np.float32)
    assert film.heat_map is not None
    assert film.heat_map.shape == (7, 7)
    assert film.heat_map.min() >= 0
    overlay = film.overlay(long_side_px=130)
    assert overlay is not None
    assert overlay.shape == (130, 120, 3)
    assert film.embedding is not None
    assert film.embedding.shape == (1280,)
    assert film.call in ("PNEUMONIA", "NORMAL")
    assert film._repr_html_().count("<img ") == 2


def test_a_film_that_failed_says_why(run: cxrscan.Run) -> None:
    film = run.film("NORMAL/broken.jpg")
    assert (film.status, film.probability, film.call, film.picture, film.heat_map) == ("failed", None, None, None, None)
    assert film.result.failure is not None
    assert film.result.failure.code in film._repr_html_()
    with pytest.raises(KeyError):
        run.film("nothing.png")


def test_names_of_films_are_no_markup(films: Path, tmp_path: Path) -> None:
    write_film(tmp_path / "films/<b>&.png", 1, height=220, width=210)
    run = cxrscan.scan(tmp_path / "films", tmp_path / "out", progress=False)
    assert "<b>&.png" not in next(iter(run))._repr_html_()


def test_the_original_may_be_gone(tmp_path: Path) -> None:
    write_film(tmp_path / "films/a.png", 1, height=1200, width=1000)
    run = cxrscan.scan(str(tmp_path / "films"), tmp_path / "out", gate="warn", progress=False)
    (tmp_path / "films/a.png").unlink()
    small = run.film("a.png").picture
    assert small is not None
    assert max(small.shape) < 1000


def test_evaluation_takes_labels_from_python_and_keeps_them(films: Path, tmp_path: Path) -> None:
    run = cxrscan.scan(films, tmp_path, gate="warn", progress=False)
    with pytest.raises(cxrscan.LabelError) as caught:
        run.evaluate()
    assert caught.value.code == "labels-none"
    with pytest.raises(cxrscan.RunFolderError) as unknown:
        run.evaluate("folders", by=["moon"])
    assert unknown.value.code == "group-unknown"
    evaluation = run.evaluate({"NORMAL/0.png": 0, "NORMAL/2.png": "normal", "PNEUMONIA/1.png": 1}, by=["kind"])
    document = json.loads((tmp_path / "evaluation/metrics.json").read_text())
    assert (
        evaluation.summary.estimates["sensitivity"].value == document["at_threshold"]["metrics"]["sensitivity"]["value"]
    )
    assert run.frame.truth.dropna().tolist() == ["NORMAL", "NORMAL", "PNEUMONIA"]
    assert run.evaluate("folders").summary.estimates["auc"].value is not None
    assert run.frame.truth.count() == 5


def test_the_report_is_rendered_again(films: Path, tmp_path: Path) -> None:
    run = cxrscan.scan([films / "NORMAL", films / "PNEUMONIA"], tmp_path, gate="warn", progress=False)
    report = run.report(threshold=0.01, refer=(0.2, 0.3), title="Ward 7")
    assert "Ward 7" in report.read_text()
    assert (run.info.threshold, run.info.refer) == (0.01, (0.2, 0.3))
    assert set(run.frame.threshold) == {0.01}


def test_a_bar_counts_the_files(films: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cxrscan.scan(films, tmp_path, tables=["parquet"])
    assert "5" in capfd.readouterr().err
    assert (tmp_path / "results.parquet").exists()


def test_films_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(cxrscan.RunFolderError) as caught:
        cxrscan.scan(tmp_path / "nowhere", tmp_path / "out", progress=False)
    assert caught.value.code == "no-images"
    assert not (tmp_path / "out").exists()


def test_a_film_has_one_probability_however_it_comes(model: cxrscan.Model, run: cxrscan.Run, films: Path) -> None:
    pixels = film_pixels(1, height=260, width=240)
    expected = run.film("PNEUMONIA/1.png").probability
    given = (films / "PNEUMONIA/1.png", pixels, pixels / 255, pixels.astype(np.uint16) * 257, np.dstack([pixels] * 3))
    assert [model.predict(film).probability for film in given] == pytest.approx([expected] * 5, abs=1e-6)


def test_a_data_set_is_read_as_its_file_is(model: cxrscan.Model, tmp_path: Path) -> None:
    (tmp_path / "film.dcm").write_bytes(dicom_film(film_pixels(2, height=260, width=240)))
    data_set = dcmread(tmp_path / "film.dcm")
    film = model.predict(data_set, threshold="sens95")
    assert film.probability == model.predict(str(tmp_path / "film.dcm")).probability
    assert film.picture is not None
    assert film.picture.shape == (260, 240)
    assert film.threshold == model.spec.threshold("sens95")[1]
    with pytest.raises(cxrscan.FilmError) as caught:
        model.predict(Dataset())
    assert caught.value.code == "input-unfit"


@pytest.mark.parametrize(
    "array",
    [np.zeros((2, 3, 4)), np.zeros(7), np.full((9, 9), 1.5), np.full((9, 9), np.nan), np.zeros((9, 9), np.int64)],
    ids=["four channels", "one dimension", "too bright", "no number", "whole numbers"],
)
def test_arrays_that_are_no_film_are_refused(array: np.ndarray, model: cxrscan.Model) -> None:
    with pytest.raises(cxrscan.FilmError) as caught:
        model.predict(array)
    assert caught.value.code == "input-unfit"


def test_a_file_that_is_no_film_raises(model: cxrscan.Model, films: Path, tmp_path: Path) -> None:
    with pytest.raises(cxrscan.FilmError):
        model.predict(films / "NORMAL/broken.jpg")
    with pytest.raises(cxrscan.FilmError) as caught:
        model.predict(tmp_path / "nothing.png")
    assert caught.value.code == "unreadable"
    with pytest.raises(cxrscan.BundleError) as missing:
        cxrscan.load_model(tmp_path)
    assert missing.value.code == "bundle-missing"


def test_a_script_needs_no_guard_and_names_are_complete(films: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"import cxrscan\nrun = cxrscan.scan({str(films)!r}, workers=2, progress=False)\nprint(run, dir(cxrscan))\n"
        "assert all(getattr(cxrscan, name) for name in cxrscan.__all__)\n"
    )
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "5 films" in done.stdout
    assert done.stderr == ""


SHOW = """
import ast, json, sys
names = {}
for number, cell in enumerate(json.loads(sys.stdin.read())):
    tree = ast.parse(cell)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, f"cell {number}", "exec"), names)
    if last is not None:
        shown = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
        print(shown._repr_html_() if hasattr(shown, "_repr_html_") else repr(shown))
"""


def test_every_cell_of_the_notebook_runs(tmp_path: Path) -> None:
    cells = [
        "".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"
    ]
    assert len(cells) > 5
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SHOW],
        input=json.dumps(cells),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("<img ") >= 2
