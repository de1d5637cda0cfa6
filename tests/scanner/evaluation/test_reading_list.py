"""Which films are worth reading next."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cxrscan.scanner.evaluation.reading_list import choose_films
from cxrscan.scanner.metrics import FloatArray


def films(n: int, seed: int) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    return rng.normal(-1, 2, n), rng.normal(size=(n, 6))


@given(st.integers(1, 60), st.integers(1, 80), st.integers(0, 1000))
def test_as_many_different_films_as_there_are_are_chosen_the_same_each_time(n: int, wanted: int, seed: int) -> None:
    log_odds, features = films(n, seed)
    chosen = choose_films(log_odds, features, 0.0, wanted, seed=seed)
    assert len(set(chosen.tolist())) == len(chosen) == min(n, wanted)
    assert chosen.tolist() == choose_films(log_odds, features, 0.0, wanted, seed=seed).tolist()


@given(st.integers(5, 60), st.integers(0, 1000))
def test_a_shorter_list_is_the_beginning_of_a_longer_one(n: int, seed: int) -> None:
    log_odds, features = films(n, seed)
    assert choose_films(log_odds, features, 0.0, 5).tolist() == choose_films(log_odds, features, 0.0, n)[:5].tolist()


def test_films_alike_are_not_chosen_twice_while_there_are_others() -> None:
    log_odds, features = films(40, 0)
    copies = choose_films(np.tile(log_odds, 3), np.tile(features, (3, 1)), 0.0, 20) % 40
    assert len(set(copies.tolist())) == 20


def test_all_heights_of_the_score_are_on_the_list_and_high_ones_more_often() -> None:
    log_odds, features = films(500, 0)
    chosen = log_odds[choose_films(log_odds, features, 0.0, 52)]
    fifths = np.quantile(log_odds, [0.2, 0.4, 0.6, 0.8])
    assert np.bincount(np.searchsorted(fifths, chosen), minlength=5).tolist() == [4, 8, 12, 12, 16]


def test_films_near_the_threshold_are_preferred() -> None:
    log_odds, features = films(2000, 0)
    near = [
        float(np.median(np.abs(log_odds[choose_films(log_odds, features, at, 100)] - at))) for at in (-3.0, -1.0, 1.0)
    ]
    all_of_them = [float(np.median(np.abs(log_odds - at))) for at in (-3.0, -1.0, 1.0)]
    assert sum(near) < sum(all_of_them)


def test_copies_alone_can_be_chosen_from() -> None:
    assert sorted(choose_films(np.zeros(4), np.ones((4, 2)), 0.0, 4).tolist()) == [0, 1, 2, 3]
