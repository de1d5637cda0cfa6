from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cxrscan.training.films import FilmFile
from cxrscan.training.sampling import (
    balanced_shares,
    draw_films,
    films_per_epoch,
    loss_weights,
    shares_of,
    style_factors,
)
from tests.training.films import TINY, loaded_films


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
    shares = balanced_shares(films, np.ones(len(films)))
    assert shares.sum() == pytest.approx(1)
    np.testing.assert_allclose([shares[:8].sum(), shares[8:].sum()], 0.5)
    np.testing.assert_allclose([shares[:2].sum(), shares[2:8].sum(), shares[8:18].sum(), shares[18:].sum()], 0.25)
    np.testing.assert_allclose([shares[8:17].sum(), shares[17]], 0.125)


def test_within_a_group_films_are_drawn_as_their_weights_say() -> None:
    films = [film("a", False, weight=1.0), film("a", False, weight=0.25), film("a", True)]
    np.testing.assert_allclose(balanced_shares(films, np.ones(3)), [0.4, 0.1, 0.5])
    np.testing.assert_allclose(balanced_shares(films, np.array([1.0, 4.0, 4.0])), [0.25, 0.25, 0.5])


def test_a_class_that_is_rare_in_a_style_is_drawn_more_often_within_bounds() -> None:
    clusters = np.array([0] * 10 + [1] * 10)
    truth = np.array([False] + [True] * 9 + [False] * 9 + [True])
    factors = style_factors(clusters, truth, 2.0)
    np.testing.assert_allclose(factors, np.where((clusters == 0) == truth, 0.7, 2.0))
    np.testing.assert_allclose(style_factors(np.zeros(20, int), truth, 2.0), 1.0)
    np.testing.assert_allclose(style_factors(np.repeat([0, 1], 10), clusters == 0, 2.0), 0.7)


def test_an_epoch_draws_as_many_films_as_it_is_told_and_the_same_ones_again() -> None:
    loaded = loaded_films({"n1": ["a", "b", "c", "d"], "p1": ["e"]})
    train = np.array([0, 1, 2, 4])
    config = replace(TINY, balanced=True, films_per_epoch=1000)
    shares = shares_of(loaded, train, config)
    drawn = draw_films(train, shares, config, 0)
    assert drawn.size == films_per_epoch(4, config) == 1000
    assert set(drawn.tolist()) == {0, 1, 2, 4}
    assert 400 < np.sum(drawn == 4) < 600
    np.testing.assert_array_equal(drawn, draw_films(train, shares, config, 0))
    assert draw_films(train, shares, config, 1).tolist() != drawn.tolist()


def test_without_balance_every_film_comes_once_and_counts_as_weight_and_class_say() -> None:
    assert sorted(draw_films(np.arange(4), np.full(4, 0.25), TINY, 0)) == [0, 1, 2, 3]
    assert films_per_epoch(4, replace(TINY, films_per_epoch=99)) == 4
    films = [film("", False), film("", False, weight=0.5), film("", True)]
    np.testing.assert_allclose(loss_weights(films, TINY), [0.75, 0.375, 1.5])
    np.testing.assert_allclose(loss_weights(films, replace(TINY, class_weight=False)), [1, 0.5, 1])
    np.testing.assert_allclose(loss_weights(films, replace(TINY, balanced=True)), 1)
