"""Agreement of readers, held against published examples, scikit-learn and the definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import cohen_kappa_score

from cxrscan.scanner.metrics import cohen_kappa, fleiss_kappa, observed_agreement
from cxrscan.scanner.metrics.agreement import ALL_AGREE, NO_FILM, ONE_CATEGORY, ONE_PATIENT, Calls

# Fleiss 1971, Psychological Bulletin 76:378, and every textbook since: 14 raters, 10 subjects, 5 categories.
VOTES = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)
two_readers = arrays(np.intp, st.tuples(st.integers(2, 40), st.just(2)), elements=st.integers(0, 2))
several_readers = arrays(np.intp, st.tuples(st.integers(2, 40), st.integers(2, 5)), elements=st.integers(0, 2))


def own(calls: Calls) -> np.ndarray[tuple[int, ...], np.dtype[np.str_]]:
    """Every film of a patient of its own."""
    return np.arange(len(calls)).astype(np.str_)


def table(cells: list[list[int]]) -> Calls:
    """Calls of two readers with these counts."""
    pairs = [(i, j) for i, row in enumerate(cells) for j, n in enumerate(row) for _ in range(n)]
    return np.array(pairs, dtype=np.intp)


def test_fleiss_kappa_of_the_textbook() -> None:
    calls = np.array([np.repeat(np.arange(5), row) for row in VOTES])
    kappa = fleiss_kappa(calls, own(calls))
    assert kappa.value == pytest.approx(0.210, abs=5e-4)


def test_cohen_kappa_of_a_table() -> None:
    calls = table([[20, 5], [10, 15]])  # observed .7, by chance .5
    kappa = cohen_kappa(calls, own(calls))
    assert kappa.value == pytest.approx(0.4)
    assert kappa.low is not None
    assert kappa.high is not None
    # Fleiss, Cohen and Everitt's (1969) large-sample error of this table is 0.127.
    assert (kappa.high - kappa.low) / (2 * 1.96) == pytest.approx(0.127, abs=0.02)
    assert observed_agreement(calls) == pytest.approx(0.7)


@given(two_readers)
def test_cohen_kappa_is_that_of_scikit_learn(calls: Calls) -> None:
    kappa = cohen_kappa(calls, own(calls))
    if kappa.value is None:
        assert kappa.reason == ONE_CATEGORY
        assert len(np.unique(calls)) == 1
    else:
        assert kappa.value == pytest.approx(cohen_kappa_score(*calls.T), abs=1e-9)


@given(several_readers)
def test_an_interval_holds_its_kappa_within_bounds(calls: Calls) -> None:
    for kappa in (fleiss_kappa(calls, own(calls)), *([cohen_kappa(calls, own(calls))] if calls.shape[1] == 2 else [])):
        if kappa.low is not None and kappa.high is not None and kappa.value is not None:
            assert -1 <= kappa.low <= kappa.value <= kappa.high <= 1
        else:
            assert kappa.reason


@given(several_readers, st.randoms(use_true_random=False))
def test_order_of_films_readers_and_categories_does_not_matter_to_fleiss(calls: Calls, random: object) -> None:
    films = np.random.default_rng(len(calls)).permutation(len(calls))
    turned = np.array([2, 0, 1])[calls[films][:, ::-1]]
    first, second = fleiss_kappa(calls, own(calls)), fleiss_kappa(turned, own(turned))
    assert (first.value is None) == (second.value is None)
    if first.value is not None:
        assert first.value == pytest.approx(second.value)


def test_films_of_one_patient_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    films = rng.random(60) < 0.5
    calls = np.repeat(np.stack([films, films ^ (rng.random(60) < 0.2)], axis=1).astype(np.intp), 4, axis=0)
    apart, together = cohen_kappa(calls, own(calls)), cohen_kappa(calls, np.repeat(np.arange(60), 4).astype(np.str_))
    assert apart.value == together.value
    widths = [each.high - each.low for each in (apart, together) if each.high is not None and each.low is not None]
    assert widths[1] > 1.7 * widths[0]


@pytest.mark.parametrize(("share", "accuracy"), [(0.5, 0.8), (0.2, 0.9)])
def test_intervals_hold_the_truth_in_95_of_100_samples(share: float, accuracy: float) -> None:
    rng = np.random.default_rng(1)
    positive = share * accuracy + (1 - share) * (1 - accuracy)
    by_chance = positive**2 + (1 - positive) ** 2
    kappa = (accuracy**2 + (1 - accuracy) ** 2 - by_chance) / (1 - by_chance)
    held = []
    for _ in range(400):
        truth = rng.random(100) < share
        calls = (truth[:, np.newaxis] ^ (rng.random((100, 2)) > accuracy)).astype(np.intp)
        found = cohen_kappa(calls, own(calls))
        assert found.low is not None
        assert found.high is not None
        held.append(found.low <= kappa <= found.high)
    assert 0.92 <= np.mean(held) <= 0.98


def test_what_has_no_value_or_no_interval_says_why() -> None:
    nobody = np.zeros((0, 2), dtype=np.intp)
    assert cohen_kappa(nobody, own(nobody)).reason == NO_FILM
    same = table([[5, 0], [0, 5]])
    assert (cohen_kappa(same, own(same)).value, cohen_kappa(same, own(same)).reason) == (1.0, ALL_AGREE)
    one = np.zeros(10, dtype=np.str_)
    assert cohen_kappa(table([[3, 2], [2, 3]]), one).reason == ONE_PATIENT


@pytest.mark.parametrize("shape", [(4, 1), (4, 3), (4,)])
def test_cohen_kappa_takes_two_readers(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape"):
        cohen_kappa(np.zeros(shape, dtype=np.intp), np.arange(4).astype(np.str_))
