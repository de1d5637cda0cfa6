"""Energy distances: what they are by definition, how often their tests are wrong, and what they see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import energy_distance

from cxrscan.scanner.metrics import BoolArray, FloatArray
from cxrscan.scanner.metrics.energy import (
    _energy,
    energy_test,
    euclidean_distances,
    films_needed,
    mismatch_distances,
    mixture_share,
    mixture_test,
)

seeds = st.integers(0, 10_000)


def two_samples(seed: int, n: int = 40, m: int = 60, shift: float = 0.0, k: int = 3) -> tuple[FloatArray, BoolArray]:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n + m, k))
    is_second = np.arange(n + m) >= n
    rows[is_second, 0] += shift
    return rows, is_second


def two_classes(seed: int, share: float, n: int, apart: float = 2.0) -> tuple[FloatArray, BoolArray]:
    """One score, and a second number that tells nothing."""
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < share
    return np.stack([rng.normal(size=n) + apart * truth, rng.normal(size=n)], axis=1), truth


@given(seeds, st.floats(-1, 1))
def test_energy_distance_in_one_dimension_is_that_of_scipy(seed: int, shift: float) -> None:
    rows, is_second = two_samples(seed, shift=shift, k=1)
    scaled = rows[:, 0] / rows.std()
    weights = (~is_second / 40)[:, np.newaxis], (is_second / 60)[:, np.newaxis]
    energies, _ = _energy(euclidean_distances(rows), *weights)
    # scipy takes the square root of Cramér's distance, which is half of the energy distance
    assert energies[0] == pytest.approx(energy_distance(scaled[~is_second], scaled[is_second]) ** 2, abs=1e-4)


@given(seeds)
def test_distances_are_symmetric_and_do_not_care_about_units(seed: int) -> None:
    rows, _ = two_samples(seed, 8, 9)
    distances = euclidean_distances(rows)
    assert np.array_equal(distances, distances.T)
    assert not distances.diagonal().any()
    assert np.allclose(distances, euclidean_distances(rows * [1, 20, 0.3] + 7), atol=1e-3)


def test_mismatch_is_the_share_of_differing_columns() -> None:
    assert mismatch_distances(np.array([[0, 1], [0, 2], [1, 0]])).tolist() == [[0, 0.5, 1], [0.5, 0, 1], [1, 1, 0]]


def test_few_pairs_of_equal_samples_differ_by_any_of_several_distances() -> None:
    n_alarms = 0
    for seed in range(200):
        rows, is_second = two_samples(seed)
        family = [
            euclidean_distances(rows[:, :1]),
            euclidean_distances(rows),
            mismatch_distances(np.sign(rows).astype(np.intp)),
        ]
        n_alarms += min(each.p_value for each in energy_test(family, is_second, n_draws=99, seed=seed)) <= 0.05
    assert n_alarms <= 20  # 10 expected; more than 20 would come up in 1 of 1,000 such tests


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_a_shift_is_seen_by_the_distance_that_it_changes(shift: float) -> None:
    rows, is_second = two_samples(0, shift=shift)
    seen, unchanged = energy_test([euclidean_distances(rows[:, :1]), euclidean_distances(rows[:, 1:])], is_second)
    assert seen.p_value <= 0.01 < unchanged.p_value
    assert 0 <= unchanged.share < seen.share <= 1


@given(seeds)
def test_p_values_are_of_all_distances_together(seed: int) -> None:
    rows, is_second = two_samples(seed, 12, 12)
    first, second = euclidean_distances(rows[:, :1]), euclidean_distances(rows)
    alone = energy_test([first], is_second, n_draws=99)[0].p_value
    together = energy_test([first, second], is_second, n_draws=99)[0].p_value
    twice = energy_test([first, first], is_second, n_draws=99)[0].p_value
    assert 0.01 <= alone == twice <= together <= 1


@given(seeds, st.floats(0.05, 0.95))
def test_the_share_of_a_mixture_is_where_its_distance_is_least(seed: int, share: float) -> None:
    reference, truth = two_classes(seed, 0.5, 60)
    truth[:2] = [True, False]
    others, _ = two_classes(seed + 1, share, 50)
    rows = np.concatenate([reference, others])
    is_second = np.arange(110) >= 60
    distances = euclidean_distances(rows[:, :1])
    positive = np.concatenate([truth, np.zeros(50, dtype=np.bool_)])
    one, two = (~is_second / 60)[:, np.newaxis], (is_second / 50)[:, np.newaxis]
    (found,) = mixture_share(distances, positive, one, two)
    grid = np.linspace(0, 1, 201)
    classes = [part / part.sum() for part in (~is_second & positive, ~is_second & ~positive)]
    mixed = np.stack([s * classes[0] + (1 - s) * classes[1] for s in grid], axis=1)
    energies, _ = _energy(distances, mixed, np.repeat(two, 201, axis=1))
    assert found == pytest.approx(grid[energies.argmin()], abs=0.011)


@pytest.mark.parametrize("share", [0.1, 0.7])
def test_another_share_of_the_same_classes_is_explained(share: float) -> None:
    explained, held = [], []
    for seed in range(40):
        reference, truth = two_classes(seed, 0.4, 150)
        rows = np.concatenate([reference, two_classes(1000 + seed, share, 150)[0]])
        is_second = np.arange(300) >= 150
        scores = euclidean_distances(rows[:, :1])
        positive = np.concatenate([truth, np.zeros(150, dtype=np.bool_)])
        found = mixture_test([scores, euclidean_distances(rows)], scores, is_second, positive, n_draws=199, seed=seed)
        explained.append(min(each.p_value for each in found.differences) > 0.05)
        assert found.share.low is not None
        assert found.share.high is not None
        held.append(found.share.low <= share <= found.share.high)
    assert sum(explained) >= 33  # 38 expected
    assert sum(held) >= 32


def test_what_no_share_explains_is_told() -> None:
    reference, truth = two_classes(0, 0.4, 150)
    others, _ = two_classes(1, 0.7, 150)
    others[:, 1] += 0.8
    rows = np.concatenate([reference, others])
    is_second = np.arange(300) >= 150
    scores = euclidean_distances(rows[:, :1])
    positive = np.concatenate([truth, np.zeros(150, dtype=np.bool_)])
    found = mixture_test([scores, euclidean_distances(rows)], scores, is_second, positive)
    assert found.differences[0].p_value > 0.01 >= found.differences[1].p_value
    assert found.share.value == pytest.approx(0.7, abs=0.15)


def test_a_larger_shift_needs_fewer_films() -> None:
    needed = []
    for shift in (3.0, 0.8, 0.0):
        rows, is_second = two_samples(0, 200, 200, shift, k=1)
        needed.append(films_needed([euclidean_distances(rows)], is_second, 0.01))
    small, large, none = needed
    assert small is not None
    assert large is not None
    assert small < large
    assert none is None
