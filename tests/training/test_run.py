from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from scanner.cli.train import train as train_command
from scanner.engines.litert import LiteRTEngine
from scanner.errors import TrainingError
from scanner.model_bundle import load_bundle
from tests.builders import write_film
from tests.training.films import TINY, write_data
from training.dataset import DataSet, find_films, load_films
from training.model_card import render_card
from training.run import train

SETTINGS = {
    "input_px": 224,
    "alpha": 0.35,
    "hidden_units": 8,
    "weights": "none",
    "train_from": "block_16",
    "epochs": 1,
    "batch_size": 8,
    "validation_fraction": 0.3,
}


def arguments(data: Path, out: Path, *more: str) -> list[str]:
    settings = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={value}")]
    return [str(data), "-o", str(out), *settings, *more]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    large = folder.parent / "large"
    write_film(large / "NORMAL" / "IM-0001-0000.png", 100, height=90, width=110)
    write_film(large / "PNEUMONIA" / "person1_virus_0.png", 150, height=90, width=110)
    train([DataSet(data)], folder, TINY, also=[large], keep_keras=True)
    return folder


def test_the_bundle_opens_in_the_scanner_and_scores_films(bundle: Path, data: Path) -> None:
    spec = load_bundle(bundle)
    films = load_films(find_films(data), spec).pixels
    predictions = LiteRTEngine(spec).predict(films[:3])
    assert predictions.logits.shape == (3,)
    assert np.isfinite(predictions.logits).all()
    assert predictions.heat_maps.min() >= 0


def test_model_json_tells_split_export_and_figures(bundle: Path) -> None:
    spec = load_bundle(bundle)
    assert spec.training["n_train"] + spec.training["n_validation"] == 20
    assert spec.training["config"]["weights"] == "none"
    assert spec.initial_weights == "random"
    assert {"plain", "shifted"} <= set(spec.validation)
    assert spec.export["n_films"] == spec.training["n_validation"]
    assert spec.export["max_abs_prob_difference"] <= 2e-3
    assert set(spec.operating_points) == {"youden", "sens95", "spec95", "half"}
    assert spec.default_operating_point == "sens95"


def test_the_model_card_is_what_model_json_says(bundle: Path) -> None:
    document = json.loads((bundle / "model.json").read_text(encoding="utf-8"))
    card = (bundle / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card == render_card(document)
    assert document["weights_sha256"] in card
    assert "`sens95` (default)" in card


def test_the_run_leaves_its_split_log_and_curves(bundle: Path) -> None:
    with (bundle / "training" / "log.csv").open(encoding="utf-8", newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]
    assert (bundle / "training" / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert (bundle / "training" / "splits.csv").read_text(encoding="utf-8").count("validation") == 8
    assert not (bundle / "training" / "checkpoint.npz").exists()
    assert (bundle / "model.keras").is_file()


def test_a_test_film_among_the_training_films_stops_the_run_unless_allowed(data: Path, tmp_path: Path) -> None:
    test = tmp_path / "test"
    shutil.copytree(data / "NORMAL", test / "NORMAL")
    with pytest.raises(TrainingError, match="10 test films are also training films") as caught:
        train([DataSet(data)], tmp_path / "out", TINY, test=test)
    assert caught.value.code == "split-leak"


def test_the_command_trains_and_measures_the_test_films_with_the_scanner(data: Path, tmp_path: Path) -> None:
    root = tmp_path / "set"
    shutil.copytree(data, root / "train")
    shutil.copytree(data, root / "test")
    out = tmp_path / "out"
    result = CliRunner().invoke(train_command, arguments(root, out, "--allow-leak"), catch_exceptions=False)
    assert result.exit_code == 0
    assert "20 test films are also training films" in result.stderr
    assert "10 PNEUMONIA, 10 NORMAL" in result.stdout
    manifest = json.loads((out / "test" / "run.json").read_text(encoding="utf-8"))
    assert manifest["counts"]["n_films"] == 20
    assert load_bundle(out).label in (out / "test" / "results.csv").read_text(encoding="utf-8")


def test_a_setting_without_a_value_is_a_usage_error(data: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(train_command, [str(data), "-o", str(tmp_path), "--set", "zoom"])
    assert result.exit_code == 2
    assert "KEY=VALUE" in result.stderr


def test_an_output_place_that_is_a_file_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError) as caught:
        train([DataSet(data)], tmp_path / "file" / "bundle", TINY)
    assert caught.value.code == "output-unwritable"
