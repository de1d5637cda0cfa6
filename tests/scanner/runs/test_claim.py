"""A second scan into a folder continues what is there; it neither replaces nor forgets it without a word."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cxrscan.reports.outputs import write_outputs
from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.evaluation.labels import LabelRequest, ReaderLabels
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE
from cxrscan.scanner.records import POSITIVE
from cxrscan.scanner.render import Tally, render
from cxrscan.scanner.run import RunRequest, run
from cxrscan.scanner.runs.journal import Journal
from cxrscan.scanner.settings import ScanSettings
from tests.builders import write_film

FOLDERS = LabelRequest("folders")


@pytest.fixture
def first(tmp_path: Path) -> RunRequest:
    for name in ("NORMAL/1.jpg", "PNEUMONIA/2.jpg"):
        write_film(tmp_path / "films" / name, height=240, width=240)
    return RunRequest((tmp_path / "films",), tmp_path / "out", ScanSettings(), n_workers=1)


def scan(request: RunRequest) -> Tally:
    return run(request, write_outputs)


def refusal(request: RunRequest) -> RunFolderError:
    before = (request.out / "results.csv").read_bytes()
    with pytest.raises(RunFolderError) as caught:
        scan(request)
    assert (request.out / "results.csv").read_bytes() == before
    return caught.value


def other_model(folder: Path) -> Path:
    """A bundle with the shipped weights and a name of its own."""
    shutil.copytree(DEFAULT_BUNDLE, folder / "bundle")
    document = (folder / "bundle/model.json").read_text()
    (folder / "bundle/model.json").write_text(document.replace('"cxrscan-mobilenetv2"', '"mine"', 1))
    return folder / "bundle"


def test_the_same_request_continues(first: RunRequest) -> None:
    assert scan(first).n_new == 2
    assert scan(first).n_new == 0


def test_another_gate_is_refused_by_name(first: RunRequest) -> None:
    first = replace(first, arguments={"gate": "strict"})
    scan(first)
    other = replace(first, settings=ScanSettings(gate="off"), arguments={"gate": "off"})
    refused = refusal(other)
    assert refused.code == "other-settings"
    assert "--gate strict then, off now" in refused.message
    assert scan(replace(other, fresh=True)).n_new == 2


def test_the_run_of_another_model_is_set_aside_and_can_be_compared(first: RunRequest, tmp_path: Path) -> None:
    scan(first)
    table = (first.out / "results.csv").read_bytes()
    tally = scan(replace(first, settings=ScanSettings(model=other_model(tmp_path))))
    assert tally.n_new == 2
    assert "lies in" in tally.advice
    assert (first.out / "earlier/1/results.csv").read_bytes() == table
    assert json.loads((first.out / "run.json").read_text())["model"]["name"] == "mine"
    with Journal(first.out / "earlier/1", read_only=True) as journal:
        assert journal.n_results() == 2
    assert scan(first).n_new == 2
    assert sorted(path.name for path in (first.out / "earlier").iterdir()) == ["1", "2"]


def test_a_planted_link_is_no_place_for_an_earlier_run(first: RunRequest, tmp_path: Path) -> None:
    scan(first)
    (tmp_path / "elsewhere").mkdir()
    (first.out / "earlier").symlink_to(tmp_path / "elsewhere")
    refused = refusal(replace(first, settings=ScanSettings(model=other_model(tmp_path))))
    assert refused.code == "output-unwritable"
    assert not any((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize(
    ("threshold", "refer", "told"), [("0.25", None, "0.25 now"), (None, (0.1, 0.2), "0.1-0.2 now")]
)
def test_another_threshold_or_band_is_refused(
    first: RunRequest, threshold: str | None, refer: tuple[float, float] | None, told: str
) -> None:
    scan(first)
    assert told in refusal(replace(first, threshold=threshold, refer=refer)).message


def test_threshold_and_band_of_the_run_are_kept_where_none_is_given(first: RunRequest) -> None:
    scan(replace(first, threshold="0.25", refer=(0.1, 0.2)))
    info = scan(first).info
    assert (info.threshold, info.threshold_name, info.refer) == (0.25, "custom", (0.1, 0.2))


def test_a_higher_limit_on_size_is_no_other_run(first: RunRequest) -> None:
    scan(replace(first, arguments={"max_megapixels": 200.0}))
    larger = replace(first, settings=ScanSettings(max_megapixels=300.0), arguments={"max_megapixels": 300.0})
    assert scan(larger).counts.n_scored == 2


def test_labels_are_not_forgotten_without_a_word(first: RunRequest) -> None:
    scan(replace(first, labels=FOLDERS))
    refused = refusal(first)
    assert (refused.code, refused.message) == ("labels-dropped", f"The run in {first.out} has labels (folders).")


def test_labels_are_kept_on_request_for_new_films_too(first: RunRequest, tmp_path: Path) -> None:
    scan(replace(first, labels=FOLDERS))
    write_film(tmp_path / "films/NORMAL/3.jpg", 3, height=240, width=240)
    tally = scan(replace(first, keep_labels=True))
    assert tally.labels is not None
    assert len(tally.labels.truth) == 3
    assert scan(replace(first, keep_labels=True)).info.labels == "folders"


def test_labels_are_kept_on_request_where_the_run_starts_over_or_another_model_scans(
    first: RunRequest, tmp_path: Path
) -> None:
    truth = tmp_path / "truth.csv"
    truth.write_text("path,label\nNORMAL/1.jpg,1\nPNEUMONIA/2.jpg,0\n")
    labelled = scan(replace(first, labels=LabelRequest(str(truth))))
    assert labelled.labels is not None
    for again in (replace(first, fresh=True), replace(first, settings=ScanSettings(model=other_model(tmp_path)))):
        for _ in range(2):
            kept = scan(replace(again, keep_labels=True))
            assert kept.labels is not None
            assert (kept.labels.truth, kept.info.labels) == (labelled.labels.truth, "truth.csv")
            again = replace(again, fresh=False)


def test_labels_that_are_in_no_file_are_kept_too(first: RunRequest) -> None:
    scan(first)
    render(first.out, write_outputs, labels=ReaderLabels("verdicts.csv", {"NORMAL/1.jpg": POSITIVE}))
    assert refusal(first).code == "labels-dropped"
    for again in (first, replace(first, fresh=True)):
        info = scan(replace(again, keep_labels=True)).info
        assert info.labels == "verdicts.csv"
        with Journal(first.out) as journal:
            assert [film.truth for film in journal.films()] == [POSITIVE, None]


def test_a_fresh_start_needs_no_labels(first: RunRequest) -> None:
    scan(replace(first, labels=FOLDERS))
    assert scan(replace(first, fresh=True)).info.labels == ""
