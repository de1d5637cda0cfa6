"""A run from folder to outputs: everything accounted for, continued where it stopped."""

from __future__ import annotations

import csv
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import cxrscan.scanner.run as run_module
from cxrscan.reports.outputs import write_outputs
from cxrscan.scanner.errors import CxrscanError
from cxrscan.scanner.evaluation.labels import LabelRequest
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, SPEC_NAME, WEIGHTS_NAME, read_document, read_weights
from cxrscan.scanner.records import ScanResult, Skip
from cxrscan.scanner.render import Tally, render
from cxrscan.scanner.run import RunRequest, run
from cxrscan.scanner.runs.merge import merge_runs
from cxrscan.scanner.settings import ScanSettings
from tests.builders import write_film


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Six films in class folders, a broken one and a text file."""
    folder = tmp_path / "films"
    for seed in range(6):
        write_film(folder / ("NORMAL" if seed < 3 else "pneumonia") / f"{seed}.jpg", seed, height=240, width=300)
    (folder / "broken.jpg").touch()
    (folder / "notes.txt").write_text("no film")
    return folder


def request(films: Path, out: Path, **options: Any) -> RunRequest:
    return RunRequest(**{"roots": (films,), "out": out, "settings": ScanSettings(), "n_workers": 1, **options})


def rows(tally: Tally) -> list[dict[str, str]]:
    with tally.outputs.csv.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_every_file_is_accounted_for(films: Path, tmp_path: Path) -> None:
    tally = run(request(films, tmp_path / "out"), write_outputs)
    assert [row["path"] for row in rows(tally)] == [
        *(f"NORMAL/{i}.jpg" for i in range(3)),
        "broken.jpg",
        *(f"pneumonia/{i}.jpg" for i in range(3, 6)),
    ]
    assert (tally.counts.n_films, tally.counts.n_scored, tally.counts.n_failed) == (7, 6, 1)
    assert tally.info.n_skipped == {"no picture": 1}
    assert tally.exit_code == 3
    assert "1 failed" in tally.sentence
    assert tally.outputs.html.is_file()


def test_class_folders_give_truth_and_metrics(films: Path, tmp_path: Path) -> None:
    tally = run(request(films, tmp_path / "out", labels=LabelRequest("folders")), write_outputs)
    assert [row["truth"] for row in rows(tally)] == ["NORMAL"] * 3 + [""] + ["PNEUMONIA"] * 3
    manifest = json.loads(tally.outputs.json.read_text())
    confusion = manifest["evaluation"]["confusion_matrix"]
    assert confusion["tp"] + confusion["fn"] == 3
    assert confusion["fp"] + confusion["tn"] == 3


def test_a_label_file_gives_truth(films: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("path,label\nNORMAL/0.jpg,1\npneumonia/3.jpg,0\nelsewhere.jpg,1\n")
    tally = run(request(films, tmp_path / "out", labels=LabelRequest(str(labels))), write_outputs)
    assert {row["path"]: row["truth"] for row in rows(tally) if row["truth"]} == {
        "NORMAL/0.jpg": "PNEUMONIA",
        "pneumonia/3.jpg": "NORMAL",
    }
    assert tally.labels is not None
    assert len(tally.labels.unmatched) == 1


def test_an_interrupted_run_says_so_and_is_continued(films: Path, tmp_path: Path) -> None:
    settings = ScanSettings(batch_size=2)
    whole = run(request(films, tmp_path / "whole", settings=settings), write_outputs)

    def interrupt_at(n: int) -> Any:
        seen: list[object] = []

        def on_file(outcome: ScanResult | Skip | None) -> None:
            seen.append(outcome)
            if len(seen) == n:
                raise KeyboardInterrupt

        return on_file

    partial = run(request(films, tmp_path / "out", settings=settings), write_outputs, on_file=interrupt_at(3))
    assert partial.exit_code == 130
    assert partial.info.exit_reason == "interrupted"
    assert 0 < partial.counts.n_films < 7

    seen: list[ScanResult | Skip | None] = []
    finished = run(request(films, tmp_path / "out", settings=settings), write_outputs, on_file=seen.append)
    assert finished.info.exit_reason == "finished"
    assert seen.count(None) == partial.counts.n_films
    without_time = [[{**row, "duration_ms": ""} for row in rows(tally)] for tally in (finished, whole)]
    assert without_time[0] == without_time[1]


def test_a_changed_and_a_vanished_file_are_noticed_on_the_next_run(films: Path, tmp_path: Path) -> None:
    before = rows(run(request(films, tmp_path / "out"), write_outputs))
    write_film(films / "NORMAL/0.jpg", 9, height=240, width=300)
    (films / "NORMAL/1.jpg").unlink()
    after = rows(run(request(films, tmp_path / "out"), write_outputs))
    assert [row["path"] for row in after] == [row["path"] for row in before if row["path"] != "NORMAL/1.jpg"]
    assert after[0]["sha256"] != before[0]["sha256"]


def test_another_runs_folder_is_refused_and_left_unchanged(films: Path, tmp_path: Path) -> None:
    first = run(request(films, tmp_path / "out"), write_outputs)
    before = first.outputs.csv.read_bytes()
    with pytest.raises(CxrscanError) as caught:
        run(request(films / "NORMAL", tmp_path / "out"), write_outputs)
    assert caught.value.code == "other-run"
    assert first.outputs.csv.read_bytes() == before


def test_fresh_starts_over(films: Path, tmp_path: Path) -> None:
    run(request(films, tmp_path / "out"), write_outputs)
    tally = run(request(films / "NORMAL", tmp_path / "out", fresh=True), write_outputs)
    assert [row["path"] for row in rows(tally)] == ["0.jpg", "1.jpg", "2.jpg"]


def test_a_folder_without_films_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    with pytest.raises(CxrscanError) as caught:
        run(request(tmp_path / "films", tmp_path / "out"), write_outputs)
    assert caught.value.code == "no-images"
    assert not (tmp_path / "out").exists()


def test_outputs_are_rendered_again_without_films_or_model(films: Path, tmp_path: Path) -> None:
    first = run(request(films, tmp_path / "out", labels=LabelRequest("folders")), write_outputs)
    before = first.outputs.csv.read_bytes()
    for file in films.rglob("*.jpg"):
        file.unlink()
    first.outputs.csv.unlink()
    assert render(tmp_path / "out", write_outputs).outputs.csv.read_bytes() == before
    everything = render(tmp_path / "out", write_outputs, threshold="0")
    assert everything.counts.n_positive == 6
    assert everything.info.threshold_name == "custom"


def test_labels_of_an_earlier_session_do_not_linger(films: Path, tmp_path: Path) -> None:
    run(request(films, tmp_path / "out", labels=LabelRequest("folders")), write_outputs)
    tally = run(request(films, tmp_path / "out", fresh=True), write_outputs)
    assert {row["truth"] for row in rows(tally)} == {""}
    assert tally.info.labels == ""


def test_runs_of_one_model_are_merged_under_the_names_of_their_folders(films: Path, tmp_path: Path) -> None:
    run(request(films / "NORMAL", tmp_path / "a", labels=LabelRequest("folders")), write_outputs)
    run(request(films / "pneumonia", tmp_path / "b", labels=LabelRequest("folders")), write_outputs)
    merge_runs([tmp_path / "a", tmp_path / "b"], tmp_path / "both")
    tally = render(tmp_path / "both", write_outputs)
    assert [row["path"] for row in rows(tally)] == [f"a/{i}.jpg" for i in range(3)] + [
        f"b/{i}.jpg" for i in range(3, 6)
    ]
    assert [row["truth"] for row in rows(tally)] == ["NORMAL"] * 3 + ["PNEUMONIA"] * 3


def test_merging_into_a_run_is_refused(films: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        run(request(films / "NORMAL", tmp_path / name), write_outputs)
    with pytest.raises(CxrscanError) as caught:
        merge_runs([tmp_path / "a"], tmp_path / "b")
    assert caught.value.code == "other-run"


def test_further_tables_are_written_on_request_and_kept_fresh(films: Path, tmp_path: Path) -> None:
    run(request(films, tmp_path / "out"), partial(write_outputs, tables=["jsonl"]))
    render(tmp_path / "out", write_outputs, threshold="0")
    lines = [json.loads(line) for line in (tmp_path / "out/results.jsonl").read_text().splitlines()]
    assert {line["prediction"] for line in lines if line["status"] == "scored"} == {"PNEUMONIA"}


def test_workers_give_the_same_rows_as_one_process(tmp_path: Path) -> None:
    films = tmp_path / "films"
    for seed in range(40):
        write_film(films / f"{seed}.png", seed, height=120, width=130)
    results = [
        rows(run(request(films, tmp_path / f"out{n}", n_workers=n, settings=ScanSettings(batch_size=8)), write_outputs))
        for n in (1, 2)
    ]
    for row in (*results[0], *results[1]):
        del row["duration_ms"]
    assert results[0] == results[1]
    assert len(results[0]) == 40


def test_the_same_weights_with_another_calibration_are_another_model(films: Path, tmp_path: Path) -> None:
    bundles = [tmp_path / name for name in ("old", "new")]
    for bundle, scale in zip(bundles, (1.0, 0.3), strict=True):
        bundle.mkdir()
        (bundle / WEIGHTS_NAME).write_bytes(read_weights(DEFAULT_BUNDLE))
        calibration = {"prior": 0.5, "populations": {"": {"scale": scale, "offset": 0.0}}}
        document = {**read_document(DEFAULT_BUNDLE), "calibration": calibration}
        (bundle / SPEC_NAME).write_text(json.dumps(document))

    def probabilities(bundle: Path, out: str, **options: Any) -> list[str]:
        tally = run(request(films, tmp_path / out, settings=ScanSettings(model=bundle), **options), write_outputs)
        return [row["prob_pneumonia"] for row in rows(tally)]

    old, new = probabilities(bundles[0], "out"), probabilities(bundles[1], "new")
    assert old != new
    with pytest.raises(CxrscanError, match="settings: model: calibration") as caught:
        merge_runs([tmp_path / "out", tmp_path / "new"], tmp_path / "merged")
    assert caught.value.code == "runs-differ"
    assert probabilities(bundles[1], "out") == new
    assert (tmp_path / "out/earlier").is_dir()


def test_after_an_update_of_a_library_films_are_scanned_again(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(request(films, tmp_path / "out"), write_outputs)
    assert run(request(films, tmp_path / "out"), write_outputs).n_new == 0
    for version in ("_library_versions", "__version__"):
        value = "99" if version == "__version__" else lambda: {"pillow": "99"}
        monkeypatch.setattr(run_module, version, value)
        assert run(request(films, tmp_path / "out"), write_outputs).n_new == 7
        assert run(request(films, tmp_path / "out"), write_outputs).n_new == 0


def test_labels_that_fitted_no_film_do_not_have_to_be_kept(tmp_path: Path) -> None:
    write_film(tmp_path / "films/film.png", height=240, width=300)
    run(request(tmp_path / "films", tmp_path / "out", labels=LabelRequest("folders")), write_outputs)
    assert run(request(tmp_path / "films", tmp_path / "out"), write_outputs).info.labels == ""
