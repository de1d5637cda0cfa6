from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.films import TINY, loaded_films
from training.films import FilmFile
from training.sampling import balanced_shares, draw_films, films_per_epoch, loss_weights


def film(population: str, is_positive: bool, view: str = "", weight: float = 1.0) -> FilmFile:
    return FilmFile("", is_positive, "", (Path("a"),), population=population, view=view, weight=weight)


def test_populations_classes_and_views_are_drawn_equally_often() -> None:
    films = [
        *[film("children", False)] * 2,
        *[film("children", True)] * 6,
        *[film("adults", False, "PA")] * 9,
        film("adults", False, "AP"),
        *[film("adults", True, "AP")] * 3,
    ]
    shares = balanced_shares(films)
    assert shares.sum() == pytest.approx(1)
    np.testing.assert_allclose([shares[:8].sum(), shares[8:].sum()], 0.5)
    np.testing.assert_allclose([shares[:2].sum(), shares[2:8].sum(), shares[8:18].sum(), shares[18:].sum()], 0.25)
    np.testing.assert_allclose([shares[8:17].sum(), shares[17]], 0.125)


def test_within_a_group_films_are_drawn_as_their_weights_say() -> None:
    shares = balanced_shares([film("a", False, weight=1.0), film("a", False, weight=0.25), film("a", True)])
    np.testing.assert_allclose(shares, [0.4, 0.1, 0.5])


def test_an_epoch_draws_as_many_films_as_it_is_told_and_the_same_ones_again() -> None:
    loaded = loaded_films({"n1": ["a", "b", "c", "d"], "p1": ["e"]})
    train = np.array([0, 1, 2, 4])
    config = replace(TINY, balanced=True, films_per_epoch=1000)
    drawn = draw_films(loaded, train, config, 0)
    assert drawn.size == films_per_epoch(4, config) == 1000
    assert set(drawn.tolist()) == {0, 1, 2, 4}
    assert 400 < np.sum(drawn == 4) < 600
    np.testing.assert_array_equal(drawn, draw_films(loaded, train, config, 0))
    assert draw_films(loaded, train, config, 1).tolist() != drawn.tolist()


def test_without_balance_every_film_comes_once_and_counts_as_weight_and_class_say() -> None:
    loaded = loaded_films({"n1": ["a", "b", "c"], "p1": ["d"]})
    assert sorted(draw_films(loaded, np.arange(4), TINY, 0)) == [0, 1, 2, 3]
    assert films_per_epoch(4, replace(TINY, films_per_epoch=99)) == 4
    films = [film("", False), film("", False, weight=0.5), film("", True)]
    np.testing.assert_allclose(loss_weights(films, TINY), [0.75, 0.375, 1.5])
    np.testing.assert_allclose(loss_weights(films, replace(TINY, class_weight=False)), [1, 0.5, 1])
    np.testing.assert_allclose(loss_weights(films, replace(TINY, balanced=True)), 1)
