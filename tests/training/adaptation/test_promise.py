"""A threshold that promises a sensitivity keeps it as often as it says."""

from __future__ import annotations

import numpy as np
import pytest

from cxrscan.training.adaptation.promise import positives_needed, promised_threshold


@pytest.mark.parametrize(("sensitivity", "needed"), [(0.90, [29, 46, 61]), (0.95, [59, 93, 124])])
def test_a_promise_takes_as_many_positives_as_the_binomial_says(sensitivity: float, needed: list[int]) -> None:
    assert [positives_needed(sensitivity, n_missed) for n_missed in range(3)] == needed


@pytest.mark.parametrize(("n", "n_missed"), [(28, None), (29, 0), (45, 0), (46, 1), (61, 2)])
def test_the_threshold_lies_just_below_the_first_film_that_must_be_found(n: int, n_missed: int | None) -> None:
    scores = np.random.default_rng(n).permutation(np.arange(n, dtype=np.float64))
    promise = promised_threshold(np.ones(n, np.bool_), scores, np.arange(n).astype(str), 0.90)
    if n_missed is None:
        assert promise is None
    else:
        assert promise is not None
        assert promise.n_missed == n_missed
        assert n_missed - 1 < promise.log_odds < n_missed


def test_films_of_one_person_count_once() -> None:
    patients = np.repeat(np.arange(14).astype(str), 3)
    assert promised_threshold(np.ones(42, np.bool_), np.arange(42.0), patients, 0.90) is None


@pytest.mark.parametrize("n", [29, 50, 100])
def test_the_promise_is_kept_in_95_of_100_draws(n: int) -> None:
    rng = np.random.default_rng(0)
    kept = []
    for _ in range(2000):
        promise = promised_threshold(np.ones(n, np.bool_), rng.uniform(size=n), np.arange(n).astype(str), 0.90)
        assert promise is not None
        kept.append(promise.log_odds <= 0.10)  # the share of all positive films that lies below
    assert np.mean(kept) > 0.94
