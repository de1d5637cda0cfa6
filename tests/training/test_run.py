from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cxrscan.scanner.cli.train import train as train_command
from cxrscan.scanner.engines.litert import LiteRTEngine
from cxrscan.scanner.errors import TrainingError
from cxrscan.scanner.model_bundle import load_bundle
from cxrscan.training.dataset import DataSet, find_films, load_films
from cxrscan.training.model_card import render_card
from cxrscan.training.run import train
from tests.builders import write_film
from tests.training.films import TINY, write_data

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


def test_a_bundle_is_called_after_its_folder_or_as_asked_and_replaced_on_request_only(
    data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "Ward 7 (ü)"
    assert train([DataSet(data)], out, TINY).folder == out
    assert load_bundle(out).name == "Ward-7-"
    with pytest.raises(TrainingError) as caught:
        train([DataSet(data)], out, TINY)
    assert caught.value.code == "bundle-exists"
    train([DataSet(data)], out, TINY, force=True, name="ward 7")
    assert load_bundle(out).name == "ward 7"


def test_a_name_that_no_bundle_can_have_is_refused_before_training(data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        train([DataSet(data)], tmp_path / "out", TINY, name="\x1b[2J")
    assert caught.value.code == "config-invalid"
    assert not (tmp_path / "out").exists()


def test_each_epoch_is_a_line_and_the_end_has_intervals_and_a_warning_of_few_films(data: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(train_command, arguments(data, tmp_path / "out"), catch_exceptions=False)
    epoch = r"^Epoch 1 of 1: loss \d+\.\d+, validation AUC \d\.\d+, \d+ films a second\.$"
    assert re.search(epoch, result.stderr, re.MULTILINE)
    assert re.search(r"(sensitivity|specificity) \d[^,(]*\(\d", result.stderr)
    assert re.search(r"^Trained on \d+ films in .* s\. ", result.stderr, re.MULTILINE)
    assert "of the rarer class: the ranges are wide" in result.stderr


def test_the_same_command_continues_what_was_stopped(data: Path, tmp_path: Path) -> None:
    def stop(epoch: int, n_seen: int, n_films: int, metrics: dict[str, float]) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train([DataSet(data)], tmp_path / "out", TINY, progress=stop)
    epochs: list[int] = []
    train([DataSet(data)], tmp_path / "out", TINY, progress=lambda epoch, *_: epochs.append(epoch))
    assert set(epochs) == {2}


def test_without_a_network_the_missing_weights_are_told_in_a_sentence(data: Path, tmp_path: Path) -> None:
    """In a process of its own, whose Keras has an empty cache and no way out."""
    command = [sys.executable, "-c", "from cxrscan.scanner.cli.main import main; main()", "train", str(data)]
    alone = {**os.environ, "KERAS_HOME": str(tmp_path / "keras"), "https_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(
        [*command, "-o", str(tmp_path / "out")], capture_output=True, text=True, check=False, env=alone
    )
    assert done.returncode == 1
    assert "cxrscan: The ImageNet weights cannot be downloaded. [weights-offline]" in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_that_do_not_exist_are_told_with_those_that_do(data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"nope is no settings file, nor any of .*robust"):
        CliRunner().invoke(train_command, arguments(data, tmp_path / "out", "--config", "nope"), catch_exceptions=False)


def test_a_setting_without_a_value_is_a_usage_error(data: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(train_command, [str(data), "-o", str(tmp_path), "--set", "zoom"])
    assert result.exit_code == 2
    assert "KEY=VALUE" in result.stderr


def test_an_output_place_that_is_a_file_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError) as caught:
        train([DataSet(data)], tmp_path / "file" / "bundle", TINY)
    assert caught.value.code == "output-unwritable"
