"""The last blocks are trained on films that are read again, and parts of the patients say what that gains."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from cxrscan.scanner.engines.litert import LiteRTEngine
from cxrscan.scanner.errors import RunFolderError, TrainingError
from cxrscan.scanner.gate.statistics import GateStatistics
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, load_bundle, read_document, read_weights
from cxrscan.scanner.records import Reading
from cxrscan.scanner.runs.journal import Journal
from cxrscan.scanner.sources.walk import find_images
from cxrscan.training.adaptation.bundle import Parent, adapted_bundle, write_adapted
from cxrscan.training.adaptation.films_again import Whereabouts, read_again, whereabouts
from cxrscan.training.adaptation.fine_tune import fine_tune, on_scale_of
from cxrscan.training.adaptation.graph import read_head
from cxrscan.training.adaptation.last_blocks import frozen_features, restore, train_last_blocks
from cxrscan.training.adaptation.local_films import LocalFilms
from cxrscan.training.adaptation.measure import measure_tuned
from cxrscan.training.adaptation.rungs import N_PARTS
from cxrscan.training.dataset import DataSet, find_films, load_films
from cxrscan.training.run import train
from tests.training.adaptation.films import made_films, write_run
from tests.training.films import TINY, write_data

CONFIG = replace(TINY, ema=0.9, stray_heat=0.5)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Parent:
    folder = tmp_path_factory.mktemp("bundle")
    train([DataSet(data)], folder, TINY)
    return Parent(load_bundle(folder), read_document(folder), read_weights(folder))


@pytest.fixture(scope="module")
def films(data: Path, parent: Parent) -> LocalFilms:
    """The films of the data set as a scan has seen them."""
    loaded = load_films(find_films(data), parent.spec)
    said = LiteRTEngine(parent.spec).predict(loaded.pixels)
    return LocalFilms(
        names=tuple(str(film.paths[0].relative_to(data)) for film in loaded.films),
        truth=loaded.truth,
        log_odds=said.logits.astype(np.float64),
        embeddings=said.embeddings,
        patients=np.array([film.patient for film in loaded.films]),
        circumstances=({},) * len(loaded.films),
        sha256=loaded.digests,
    )


def at(*places: Path) -> Whereabouts:
    return Whereabouts(places, follows_links=False, reading=Reading())


def test_a_fine_tuned_bundle_says_what_its_network_says(
    parent: Parent, films: LocalFilms, data: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    pixels = read_again(films, at(data), parent.spec)
    tuned = fine_tune(parent, films, pixels, told.append, config=CONFIG, n_seen=1)
    assert len(told) == N_PARTS + 3
    assert np.isfinite(tuned.out_of_fold).all()
    measured = measure_tuned(tuned, films, parent.spec, "youden", 0.9)
    write_adapted(tmp_path / "ours", adapted_bundle(parent, films, measured, "here", forced=not measured.is_gain))
    spec = load_bundle(tmp_path / "ours")
    assert spec.lineage[0].rung == "fine-tuning"
    said = LiteRTEngine(spec).predict(pixels)
    assert not np.allclose(said.logits, films.log_odds, atol=1e-3)
    np.testing.assert_allclose(said.embeddings, tuned.embeddings, rtol=1e-3, atol=1e-4)
    assert tuned.max_abs_difference < 0.05
    before, after = (GateStatistics.from_document(gate) for gate in (parent.document["gate"], spec.gate) if gate)
    assert not np.allclose(before.feature_mean, after.feature_mean)
    np.testing.assert_array_equal(before.grey_template, after.grey_template)


@pytest.mark.parametrize("n_parts", [2, 5])
def test_a_film_keeps_the_rank_that_its_own_network_gave_it(n_parts: int) -> None:
    rng = np.random.default_rng(0)
    folds = np.arange(600) % n_parts
    answers = rng.normal(size=600) * 2 + rng.normal(size=(n_parts, 600)) + 3 * rng.normal(size=(n_parts, 1))
    network = np.logaddexp(0.0, answers.mean(axis=0)) - 3  # the lowest answers drawn together
    carried = on_scale_of(network, answers, folds)
    for film in range(0, 600, 37):
        assert (answers[folds[film]] >= answers[folds[film], film]).sum() == (network >= carried[film]).sum()


def test_films_that_a_network_does_not_tell_apart_share_the_lowest_rank() -> None:
    answers = np.repeat([[0.0, 1.0, 5.0]], 3, axis=0).repeat(20, axis=1)
    carried = on_scale_of(np.arange(60.0), answers, np.arange(60) % 3)
    np.testing.assert_array_equal(carried, np.repeat([0.0, 20.0, 40.0], 20))


def test_networks_that_say_the_same_of_all_films_leave_no_threshold_beyond_the_networks() -> None:
    carried = on_scale_of(np.full(60, 1.5), np.zeros((3, 60)), np.arange(60) % 3)
    np.testing.assert_array_equal(carried, np.full(60, 1.5))


def test_the_network_of_all_films_has_moved_and_answers_as_those_of_the_parts(data: Path) -> None:
    spec = replace(load_bundle(DEFAULT_BUNDLE), gate=None)
    shipped = Parent(spec, read_document(DEFAULT_BUNDLE), read_weights(DEFAULT_BUNDLE))
    loaded = load_films(find_films(data), spec)
    films = replace(made_films(20), truth=loaded.truth, patients=np.array([film.patient for film in loaded.films]))
    config = replace(CONFIG, learning_rate=5e-5)
    tuned = fine_tune(shipped, films, loaded.pixels, config=config, n_seen=1)
    said = read_head(tuned.graph).log_odds(tuned.embeddings)
    was = LiteRTEngine(spec).predict(loaded.pixels).logits
    assert np.abs(said - was).max() > 0.05
    assert np.corrcoef(said, tuned.out_of_fold)[0, 1] > 0.8


def test_only_the_last_blocks_and_the_head_learn(parent: Parent, films: LocalFilms, data: Path) -> None:
    config = replace(CONFIG, input_px=parent.spec.input_px)
    network, untrained = restore(parent, config), restore(parent, config)
    for each in (network, untrained):
        each.get_layer("hidden").bias.assign(np.ones(8, np.float32))  # so small a network has units that never wake
    made = frozen_features(network, read_again(films, at(data), parent.spec), 2, config)
    assert made.shape[:2] == (2, films.n)
    strong = np.random.default_rng(0).normal(size=made.shape).astype(np.float16) + films.truth[:, None, None, None]
    train_last_blocks(network, strong.astype(np.float16), films.truth, np.arange(films.n), config)
    both = zip(network.get_layer("backbone").layers, untrained.get_layer("backbone").layers, strict=True)
    moved = {new.name for new, old in both if not _same(new, old)}
    assert {"block_16_expand", "Conv_1"} <= moved
    assert all(name.startswith(("block_16", "Conv_1")) for name in moved)
    assert not _same(network.get_layer("hidden"), untrained.get_layer("hidden"))


def _same(new: keras.Layer, old: keras.Layer) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(new.get_weights(), old.get_weights(), strict=True))


def test_a_film_that_is_gone_or_another_one_is_told(
    parent: Parent, films: LocalFilms, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError) as caught:
        read_again(films, at(tmp_path), parent.spec)
    assert caught.value.code == "films-missing"
    shutil.copytree(data, tmp_path / "data")
    first, second = (source.path for source in list(find_images([tmp_path / "data"]))[:2])
    shutil.copyfile(str(second), str(first))
    with pytest.raises(TrainingError, match="another one"):
        read_again(films, at(tmp_path / "data"), parent.spec)


def test_a_received_run_does_not_choose_where_films_are_read(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", made_films(20))
    with Journal(run) as journal:
        journal.put("run", {**journal.get("run"), "roots": ["https://intranet/films/"]})  # type: ignore[dict-item]
    with Journal(run, read_only=True) as journal:
        with pytest.raises(RunFolderError) as caught:
            whereabouts(journal)
        assert whereabouts(journal, [tmp_path]).roots == (tmp_path,)
    assert caught.value.code == "films-elsewhere"
