from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from cxrscan.scanner.errors import TrainingError
from cxrscan.scanner.gate.statistics import GateStatistics
from cxrscan.scanner.model_bundle import (
    CARD_NAME,
    DEFAULT_BUNDLE,
    SPEC_NAME,
    WEIGHTS_NAME,
    load_bundle,
    read_document,
    read_weights,
)
from cxrscan.scanner.records import FloatImage
from cxrscan.training.dataset import find_films, load_films
from cxrscan.training.export import run_graph
from cxrscan.training.films import LoadedFilms
from cxrscan.training.model_card import render_card
from cxrscan.training.refit import main, next_version
from cxrscan.training.splits import read_split, split_again, split_by_patient, write_splits
from tests.training.films import write_data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def loaded(data: Path) -> LoadedFilms:
    return load_films(find_films(data), load_bundle(DEFAULT_BUNDLE))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    for name in (WEIGHTS_NAME, SPEC_NAME):
        shutil.copy(DEFAULT_BUNDLE / name, tmp_path)
    return tmp_path


def test_a_split_file_gives_back_the_split(loaded: LoadedFilms, tmp_path: Path) -> None:
    train, validation = split_by_patient(loaded, 0.3, seed=0)
    write_splits(tmp_path / "splits.csv", loaded, validation)
    read = read_split(tmp_path / "splits.csv", loaded)
    assert [list(part) for part in read] == [list(train), list(validation)]


@pytest.mark.parametrize("content", ["", "film,split\nNORMAL/other,train\n", "name,part\nNORMAL/IM-0000-0000,train\n"])
def test_a_split_file_of_other_films_is_refused(loaded: LoadedFilms, tmp_path: Path, content: str) -> None:
    (tmp_path / "splits.csv").write_text(content)
    with pytest.raises(TrainingError) as caught:
        read_split(tmp_path / "splits.csv", loaded)
    assert caught.value.code == "data-unusable"


def test_the_description_of_a_bundle_gives_back_the_split(loaded: LoadedFilms) -> None:
    train, validation = split_by_patient(loaded, 0.3, seed=5)
    account = {"n_train": len(train), "n_validation": len(validation), "split_seed": 5}
    document = {"training": {**account, "config": {"validation_fraction": 0.3}}}
    assert [list(part) for part in split_again(document, loaded)] == [list(train), list(validation)]


@pytest.mark.parametrize("training", [{}, read_document(DEFAULT_BUNDLE)["training"]])
def test_films_of_another_run_are_not_split_again(loaded: LoadedFilms, training: dict[str, Any]) -> None:
    with pytest.raises(TrainingError) as caught:
        split_again({"training": training}, loaded)
    assert caught.value.code == "data-unusable"


def test_each_fit_is_a_version_of_its_own() -> None:
    assert next_version("2026.11.26-lungs") == "2026.11.26-lungs.2"
    assert next_version("2026.11.26-lungs.2") == "2026.11.26-lungs.3"
    assert next_version("1.0") == "1.0.2"


def test_the_command_fits_a_bundle_again_to_the_same_numbers(bundle: Path, data: Path, loaded: LoadedFilms) -> None:
    _, validation = split_by_patient(loaded, 0.3, seed=0)
    write_splits(bundle / "splits.csv", loaded, validation)
    described = json.loads((bundle / SPEC_NAME).read_text(encoding="utf-8"))
    described["gate"] = {"of": "another version"}
    (bundle / SPEC_NAME).write_text(json.dumps(described), encoding="utf-8")
    documents, cards = [], []
    for _ in range(2):
        outcome = CliRunner().invoke(
            main, [str(bundle), str(data), "--splits", str(bundle / "splits.csv"), "--prior", "0.3"]
        )
        assert outcome.exit_code == 0, outcome.output
        documents.append(read_document(bundle))
        cards.append((bundle / CARD_NAME).read_text(encoding="utf-8"))
    fitted = ("gate", "calibration", "heat_scale", "operating_points", "validation")
    before = read_document(DEFAULT_BUNDLE)
    assert [documents[0][name] for name in fitted] == [documents[1][name] for name in fitted]
    assert [document["version"] for document in documents] == [
        next_version(before["version"]),
        next_version(next_version(before["version"])),
    ]
    assert all(documents[0][name] == before[name] for name in ("weights_sha256", "training", "export", "limits"))
    assert cards[0] == render_card(documents[0])
    assert documents[0]["calibration"]["prior"] == 0.3
    assert "share of 0.3" in cards[0]
    statistics = GateStatistics.from_document(documents[0]["gate"])
    assert np.linalg.norm(statistics.feature_basis, axis=1) == pytest.approx(1.0, abs=1e-2)


def test_a_longer_filter_goes_in_front_of_the_network(bundle: Path, data: Path, loaded: LoadedFilms) -> None:
    _, validation = split_by_patient(loaded, 0.3, seed=0)
    write_splits(bundle / "splits.csv", loaded, validation)
    before = read_document(bundle)
    taps = before["export"]["blur_taps"] + 4
    command = [str(bundle), str(data), "--splits", str(bundle / "splits.csv")]
    outcome = CliRunner().invoke(main, [*command, "--blur-taps", str(taps)])
    assert outcome.exit_code == 0, outcome.output
    after = read_document(bundle)
    assert after["weights_sha256"] != before["weights_sha256"]
    assert after["training"] == before["training"]
    assert (after["export"]["blur_taps"], after["export"]["n_films"]) == (taps, len(validation))
    assert f"made longer: {taps} taps" in (bundle / CARD_NAME).read_text(encoding="utf-8")
    assert after["export"]["max_abs_prob_difference"] < 1e-3
    films = loaded.pixels[:8]
    softer = np.stack([_filtered(film[..., 0], 5)[..., np.newaxis] for film in films])
    inner = np.s_[:, 1:-1, 1:-1]  # the frame around a film is filtered with it in one case only
    wanted, found = run_graph(read_weights(DEFAULT_BUNDLE), softer), run_graph(read_weights(bundle), films)
    np.testing.assert_allclose(found.logits, wanted.logits, atol=0.5)
    assert np.corrcoef(found.heat_maps[inner].ravel(), wanted.heat_maps[inner].ravel())[0, 1] > 0.98
    for options in (["--blur-taps", str(taps - 2)], ["--blur-taps", str(taps + 1)]):
        refused = CliRunner().invoke(main, [*command, *options]).exception
        assert isinstance(refused, TrainingError)
        assert refused.code == "config-invalid"


def _filtered(film: FloatImage, taps: int) -> FloatImage:
    filter_1d = np.poly1d([0.5, 0.5]) ** (taps - 1)
    return np.asarray(cv2.sepFilter2D(film, -1, filter_1d.coeffs, filter_1d.coeffs), dtype=np.float32)


def test_the_gate_alone_is_fitted_again(bundle: Path, data: Path, loaded: LoadedFilms) -> None:
    _, validation = split_by_patient(loaded, 0.3, seed=0)
    write_splits(bundle / "splits.csv", loaded, validation)
    command = [str(bundle), str(data), "--splits", str(bundle / "splits.csv"), "--only-gate"]
    assert CliRunner().invoke(main, [*command, "--blur-taps", "9"]).exit_code == 2
    outcome = CliRunner().invoke(main, command)
    assert outcome.exit_code == 0, outcome.output
    before, after = read_document(DEFAULT_BUNDLE), read_document(bundle)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == {"version", "gate", "reference"}
    assert (bundle / CARD_NAME).read_text(encoding="utf-8") == render_card(after)
    gate = GateStatistics.from_document(after["gate"])
    assert gate.embedding_weights is not None
    assert len(gate.embedding_weights) == len(gate.anatomy_weights) > 1
