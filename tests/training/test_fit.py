from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from scanner.errors import TrainingError
from scanner.network.network import build_network
from tests.training.films import TINY, write_data
from training.config import TrainConfig
from training.dataset import find_films, load_films
from training.films import LoadedFilms
from training.fit import EpochLog, _batches, fit, learning_rate_at
from training.splits import split_by_patient

CONFIG = replace(TINY, ema=0.9, warmup_epochs=0.5, cosine=True)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedFilms:
    return load_films(find_films(write_data(tmp_path_factory.mktemp("data"))), TINY)


class Stopped(Exception):
    """The power goes off."""


def train(loaded: LoadedFilms, config: TrainConfig, checkpoint: Path, **options: object) -> keras.Model:
    keras.utils.set_random_seed(config.seed)
    network = build_network(config)
    fit(network, loaded, *split_by_patient(loaded, 0.3, 0), config, checkpoint=checkpoint, **options)
    return network


def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(loaded: LoadedFilms, tmp_path: Path) -> None:
    whole = train(loaded, CONFIG, tmp_path / "whole.npz")

    def stop(logs: list[EpochLog]) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        train(loaded, CONFIG, tmp_path / "cut.npz", on_epoch=stop)
    epochs: list[int] = []
    resumed = train(loaded, CONFIG, tmp_path / "cut.npz", resume=True, progress=lambda epoch, *_: epochs.append(epoch))
    assert set(epochs) == {2}
    for wanted, found in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_a_checkpoint_of_other_settings_is_not_continued(loaded: LoadedFilms, tmp_path: Path) -> None:
    one_epoch = replace(TINY, epochs=1)
    train(loaded, one_epoch, tmp_path / "run.npz")
    with pytest.raises(TrainingError, match="other settings") as caught:
        train(loaded, replace(one_epoch, learning_rate=0.5), tmp_path / "run.npz", resume=True)
    assert caught.value.code == "config-invalid"


def test_a_checkpoint_that_cannot_be_written_leaves_the_previous_one_whole(loaded: LoadedFilms, tmp_path: Path) -> None:
    checkpoint = tmp_path / "run.npz"

    def block(logs: list[EpochLog]) -> None:
        (tmp_path / "run.npz.partial").mkdir(exist_ok=True)  # the next one cannot be written

    with pytest.raises(TrainingError) as caught:
        train(loaded, TINY, checkpoint, on_epoch=block)
    assert caught.value.code == "output-unwritable"
    (tmp_path / "run.npz.partial").rmdir()
    with np.load(checkpoint) as saved:
        assert '"epoch": 1' in str(saved["header"])
    train(loaded, TINY, checkpoint, resume=True)


def test_the_progress_counts_every_training_film_once_in_each_epoch(loaded: LoadedFilms, tmp_path: Path) -> None:
    seen: list[tuple[int, int, int]] = []
    train(
        loaded,
        replace(TINY, epochs=1),
        tmp_path / "run.npz",
        progress=lambda epoch, n_seen, n_films, metrics: seen.append((epoch, n_seen, n_films)),
    )
    assert seen == [(1, 8, 12), (1, 12, 12)]


def test_the_learning_rate_rises_then_follows_a_cosine_to_zero() -> None:
    config = TrainConfig(learning_rate=1.0, warmup_epochs=1.0, cosine=True, epochs=5)
    assert [round(learning_rate_at(epoch, config), 6) for epoch in (0.5, 1.0, 3.0, 5.0)] == [0.5, 1.0, 0.5, 0.0]
    assert learning_rate_at(3.0, TrainConfig(learning_rate=1.0)) == 1.0


def test_films_of_two_truths_mixed_teach_where_heat_may_lie_and_not_what_the_film_is(loaded: LoadedFilms) -> None:
    config = replace(TINY, mix=1.0, stray_heat=1.0, class_weight=False, batch_size=64)
    ((films, ill), labels, weights) = next(_batches(loaded, np.arange(len(loaded.films)), config, 0))
    assert films.shape == (len(labels), 32, 32, 1)
    assert ill.shape == (len(labels), 1, 1)
    is_pure = np.isclose(ill[:, 0, 0], labels[:, 0])
    assert 0 < is_pure.sum() < len(labels)
    np.testing.assert_array_equal(weights, np.where(is_pure, 1.0, 0.0))
