from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from cxrscan.scanner.cli.train import train as train_command
from cxrscan.scanner.engines.litert import LiteRTEngine
from cxrscan.scanner.errors import TrainingError
from cxrscan.scanner.model_bundle import load_bundle
from cxrscan.scanner.network.config import NetworkConfig
from cxrscan.scanner.network.network import build_network
from cxrscan.training.config import TrainConfig
from cxrscan.training.dataset import DataSet, find_films, load_films
from cxrscan.training.fit import fit, predict_logits
from cxrscan.training.heat_loss import guide_heat
from cxrscan.training.run import train
from cxrscan.training.splits import split_by_patient
from cxrscan.training.taught_loss import TaughtLoss, teacher_networks
from tests.training.films import TINY, write_data


def _network(seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return build_network(NetworkConfig(input_px=64, alpha=0.35, hidden_units=4, weights="none", seed=seed))


def test_a_network_is_drawn_towards_the_mean_of_its_teachers() -> None:
    network, teachers = _network(0), [_network(1), _network(2)]
    rng = np.random.default_rng(0)
    films = rng.random((3, 64, 64, 1)).astype(np.float32)
    features, hidden = np.zeros((3, 2, 2, 1280), np.float32), np.zeros((3, 4), np.float32)
    logit = rng.normal(size=(3, 1)).astype(np.float32)
    layer = TaughtLoss(network, teachers, taught=0.7, heat=0.0)
    np.testing.assert_array_equal(layer([tf.constant(each) for each in (films, features, hidden, logit)]), logit)
    wanted = 1 / (1 + np.exp(-np.mean([teacher(films, training=False) for teacher in teachers], axis=0)))
    prob = 1 / (1 + np.exp(-logit))
    losses = -(wanted * np.log(prob) + (1 - wanted) * np.log(1 - prob))
    assert float(layer.losses[0]) == pytest.approx(0.7 * losses.mean(), rel=1e-4)
    assert not layer.trainable_variables


def test_a_network_taught_by_itself_agrees_with_its_heat() -> None:
    network = _network(3)
    films = np.random.default_rng(1).random((2, 64, 64, 1)).astype(np.float32)
    config = TrainConfig(input_px=64, alpha=0.35, weights="none", taught=0.0, taught_heat=1.0, dropout=0.0)
    trained = guide_heat(network, config, teachers=[network])
    trained([films, np.ones((2, 2, 2), np.float32), np.zeros((2, 1), np.float32)], training=False)
    assert sum(map(float, trained.losses)) == pytest.approx(0.0, abs=1e-6)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    train([DataSet(write_data(folder.parent / "data"))], folder, replace(TINY, epochs=1))
    return folder


def test_a_bundle_teaches_what_it_says_of_films(bundle: Path) -> None:
    (teacher,) = teacher_networks(replace(TINY, teachers=(str(bundle),), taught=0.5))
    films = np.random.default_rng(2).random((4, 32, 32, 1)).astype(np.float32)
    said = LiteRTEngine(load_bundle(bundle)).predict(films)
    np.testing.assert_allclose(teacher(films, training=False)[:, 0], said.logits, atol=2e-3)


def test_a_network_is_trained_by_two_bundles_and_its_card_names_them(bundle: Path, tmp_path: Path) -> None:
    twin, out, teachers = tmp_path / "twin", tmp_path / "pupil", [bundle, tmp_path / "twin"]
    shutil.copytree(bundle, twin)
    settings = {"input_px": 32, "alpha": 0.35, "hidden_units": 8, "weights": "none", "train_from": "block_16",
                "epochs": 1, "settle_epochs": 0, "films_per_epoch": 16, "batch_size": 8,
                "style_balance": 1.0}  # fmt: skip
    arguments = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    arguments += [part for each in teachers for part in ("--teacher", str(each))]
    result = CliRunner().invoke(
        train_command, [str(bundle.parent / "data"), "-o", str(out), "--config", "taught", *arguments],
        catch_exceptions=False,
    )  # fmt: skip
    assert result.exit_code == 0
    label = load_bundle(bundle).label
    assert load_bundle(out).training["teachers"] == [label, label]
    assert load_bundle(out).training["config"]["teachers"] == [bundle.name, "twin"]
    assert f"- Taught by 2 networks (70 % of the target): {label}, {label}.\n" in (out / "MODEL_CARD.md").read_text()


def test_teaching_draws_a_network_to_its_teacher(bundle: Path, tmp_path: Path) -> None:
    loaded = load_films(find_films(bundle.parent / "data"), TINY)
    split = split_by_patient(loaded, 0.3, 0)
    alone = replace(TINY, epochs=4, dropout=0.0, learning_rate=3e-3)
    films = loaded.pixels
    wanted = LiteRTEngine(load_bundle(bundle)).predict(films).logits
    apart = []
    for config in (alone, replace(alone, teachers=(str(bundle),), taught=1.0)):
        keras.utils.set_random_seed(0)
        network = build_network(config)
        fit(network, loaded, *split, config, checkpoint=tmp_path / "checkpoint.npz")
        apart.append(float(np.abs(predict_logits(network, films) - wanted).mean()))
    assert apart[1] < apart[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"taught": 0.5}, "need each other"),
        ({"teachers": ("",)}, "need each other"),
        ({"teachers": ("",), "taught": 0.5, "input_px": 64}, "films of 32 pixels"),
    ],
)
def test_teachers_that_cannot_teach_are_told_before_the_films_are_read(
    bundle: Path, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    config = replace(TINY, **{**changes, **({"teachers": (str(bundle),)} if "teachers" in changes else {})})
    with pytest.raises(TrainingError, match=said) as caught:
        train([DataSet(tmp_path / "none")], tmp_path / "out", config)
    assert caught.value.code == "config-invalid"
