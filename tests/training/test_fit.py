from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from cxrscan.scanner.errors import CxrscanError, TrainingError
from cxrscan.scanner.network.network import build_network
from cxrscan.training.config import AugmentConfig, TrainConfig
from cxrscan.training.dataset import find_films, load_films
from cxrscan.training.films import LoadedFilms
from cxrscan.training.findings_loss import UNKNOWN
from cxrscan.training.fit import EpochLog, _batches, fit, learning_rate_at
from cxrscan.training.sampling import draw_films, shares_of
from cxrscan.training.splits import split_by_patient
from cxrscan.training.table import read_table
from tests.builders import write_film
from tests.training.films import TINY, write_data

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
    checkpoint = tmp_path / "work/run.npz"
    checkpoint.parent.mkdir()

    def block(logs: list[EpochLog]) -> None:
        checkpoint.parent.rename(tmp_path / "kept")
        checkpoint.parent.touch()  # the next one cannot be written

    with pytest.raises(CxrscanError) as caught:
        train(loaded, TINY, checkpoint, on_epoch=block)
    assert caught.value.code == "output-unwritable"
    checkpoint.parent.unlink()
    (tmp_path / "kept").rename(checkpoint.parent)
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


def batch_of(loaded: LoadedFilms, config: TrainConfig) -> tuple[Any, np.ndarray, np.ndarray]:
    train = np.arange(len(loaded.films))
    return next(_batches(loaded, train, shares_of(loaded, train, config), config, 0))


def test_films_of_two_truths_mixed_teach_where_heat_may_lie_and_not_what_the_film_is(loaded: LoadedFilms) -> None:
    config = replace(TINY, mix=1.0, stray_heat=1.0, class_weight=False, batch_size=64)
    ((films, ill, _), labels, weights) = batch_of(loaded, config)
    assert films.shape == (len(labels), 32, 32, 1)
    assert ill.shape == (len(labels), 1, 1)
    is_pure = np.isclose(ill[:, 0, 0], labels[:, 0])
    assert 0 < is_pure.sum() < len(labels)
    np.testing.assert_array_equal(weights, np.where(is_pure, 1.0, 0.0))


def known_films(folder: Path) -> LoadedFilms:
    """Two normal films and two with pneumonia, one of which has a box over its upper half; reports for two of them."""
    lines = [
        "path,label,patient,findings,boxes",
        "n1.png,NORMAL,n1,No Finding,",
        "n2.png,NORMAL,n2,,",
        'p1.png,PNEUMONIA,p1,Mass|Effusion,"[[0, 0, 32, 16]]"',
        "p2.png,PNEUMONIA,p2,,",
    ]
    (folder / "films.csv").write_text("\n".join(lines), encoding="utf-8")
    for seed, name in enumerate(("n1", "p1", "n2", "p2")):
        write_film(folder / f"{name}.png", seed, height=32, width=32)
    return load_films(read_table(folder / "films.csv", ""), TINY)


def test_boxes_and_reports_are_told_of_films_that_have_them(tmp_path: Path) -> None:
    loaded = known_films(tmp_path)
    assert loaded.findings == ("Effusion", "Mass", "No Finding")
    config = replace(TINY, point_heat=1.0, findings=1.0, batch_size=4, augment=AugmentConfig(plain=1.0, flip=False))
    ((films, cells, points, findings), labels, _) = batch_of(loaded, config)
    order = draw_films(np.arange(4), np.full(4, 0.25), config, 0)
    told = {loaded.films[i].patient: k for k, i in enumerate(order)}
    np.testing.assert_allclose(cells[[told[name] for name in ("n1", "n2", "p1", "p2")], 0, 0], [0, 0, 0.5, 1])
    assert {name for name, k in told.items() if points[k]} == {"p1"}
    assert findings[told["p1"]].tolist() == [1, 1, 0]
    assert findings[told["n1"]].tolist() == [0, 0, 1]
    assert (findings[[told["n2"], told["p2"]]] == UNKNOWN).all()
    assert labels[:, 0].tolist() == loaded.truth[order].tolist()
    assert films.shape == (4, 32, 32, 1)


def test_training_with_all_that_is_known_resumes_to_the_same_weights(tmp_path: Path) -> None:
    loaded, both = known_films(tmp_path), (np.arange(4), np.arange(4))
    config = replace(CONFIG, point_heat=1.0, findings=1.0, balanced=True, films_per_epoch=6, dropout=0.0, mix=0.5)
    config = replace(config, augment=replace(config.augment, restyle=0.5))

    def run(checkpoint: Path, **options: object) -> keras.Model:
        keras.utils.set_random_seed(config.seed)
        network = build_network(config)
        fit(network, loaded, *both, config, checkpoint=checkpoint, **options)
        return network

    def stop(logs: list[EpochLog]) -> None:
        raise Stopped

    whole = run(tmp_path / "whole.npz")
    with pytest.raises(Stopped):
        run(tmp_path / "cut.npz", on_epoch=stop)
    resumed = run(tmp_path / "cut.npz", resume=True)
    for wanted, found in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_a_network_may_settle_in_the_same_run() -> None:
    config = replace(
        CONFIG, epochs=6, learning_rate=1e-3, warmup_epochs=1.0, settle_epochs=2, settle_learning_rate=1e-4
    )
    paces = [learning_rate_at(epoch, config) for epoch in (0.5, 1.0, 2.5, 3.999, 4.5, 5.0, 5.9)]
    assert paces == pytest.approx([5e-4, 1e-3, 5e-4, 0.0, 5e-5, 1e-4, 1e-4], abs=1e-7)


def test_the_average_of_a_network_that_settles_forgets_what_was_before(loaded: LoadedFilms, tmp_path: Path) -> None:
    moving = replace(TINY, epochs=2, ema=0.99, learning_rate=1e-2)
    still = replace(moving, settle_epochs=1, settle_learning_rate=1e-12)
    last = train(loaded, replace(moving, epochs=1, ema=0.0), tmp_path / "one.npz").trainable_weights
    for config, is_near in ((still, True), (replace(still, settle_epochs=0, learning_rate=1e-2), False)):
        found = train(loaded, config, tmp_path / "run.npz").trainable_weights
        # two steps: the first counts 0.9, so that a hundredth of the weights before stays
        apart = max(float(np.abs(a.numpy() - b.numpy()).max()) for a, b in zip(last, found, strict=True))
        assert (apart < 1e-3) is is_near
