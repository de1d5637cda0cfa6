"""Do two samples come from one distribution? Energy distances and tests that need no further assumption.

The energy distance (Székely and Rizzo 2013, 10.1016/j.jspi.2013.03.018) of two samples is
2 E d(x, y) - E d(x, x') - E d(y, y'). It is 0 only for equal distributions, in any number of dimensions and for every
distance d of negative type, as the Euclidean and the share of differing categories are.
Several distances of the same items make one family of tests, whose p-values hold for all of them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxrscan.scanner.metrics.arrays import BoolArray, FloatArray
from cxrscan.scanner.records import Estimate

Distances = NDArray[np.float32]
"""shape (N, N), distance of every pair of items; symmetric, 0 on the diagonal."""

N_DRAWS = 999
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Difference:
    """How two samples differ by one distance."""

    share: float
    """Energy distance over twice the mean distance between the samples, in [0, 1]: 0 for equal distributions."""
    p_value: float
    """Chance of such a difference, or a larger one, by any distance of the family, where there is none."""


def euclidean_distances(rows: FloatArray) -> Distances:
    """Distance of every pair of rows, each column scaled to a standard deviation of 1.

    Parameters
    ----------
    rows
        float array, shape (N, K), finite.
    """
    spread = rows.std(axis=0)
    scaled = (rows - rows.mean(axis=0)) / np.where(spread > _TINY, spread, 1.0)
    squares = (scaled**2).sum(axis=1)
    distances = np.sqrt(np.maximum(squares[:, np.newaxis] + squares - 2 * scaled @ scaled.T, 0.0))
    np.fill_diagonal(distances, 0.0)
    return np.asarray(distances, dtype=np.float32)


def mismatch_distances(codes: NDArray[np.intp]) -> Distances:
    """Share of the columns in which each pair of rows differs, from numbers of categories, shape (N, K)."""
    differing = sum((column[:, np.newaxis] != column).astype(np.float32) for column in codes.T)
    return np.asarray(differing / max(1, codes.shape[1]), dtype=np.float32).reshape(len(codes), len(codes))


def energy_test(
    family: Sequence[Distances], is_second: BoolArray, *, n_draws: int = N_DRAWS, seed: int = 0
) -> list[Difference]:
    """Test whether two samples are of one distribution, by permuting which sample each item belongs to.

    The p-values are adjusted for the family (Westfall and Young 1993, single-step minP), so that one below 0.05 comes
    up in at most 5 of 100 pairs of samples without a difference. Exact where items are exchangeable.

    Parameters
    ----------
    family
        Several distances of the same N items.
    is_second
        bool array, shape (N,): whether an item is of the second sample.

    Returns
    -------
    One difference for each distance.
    """
    rng = np.random.default_rng(seed)
    labels = np.stack([is_second, *(rng.permutation(is_second) for _ in range(n_draws))], axis=1).astype(np.float32)
    second, first = labels / is_second.sum(), (1 - labels) / (~is_second).sum()
    return _differences([_energy(distances, first, second) for distances in family])


def mixture_share(distances: Distances, is_positive: BoolArray, weights: FloatArray, others: FloatArray) -> FloatArray:
    """Share of positives in a mixture of a reference's classes that comes nearest to other items.

    The energy distance is a parabola of this share, whose lowest point is known in closed form (Kawakubo, du Plessis
    and Sugiyama 2016, 10.1587/transinf.2015EDP7212).

    Parameters
    ----------
    distances
        Of N items, those of the reference among them.
    is_positive
        bool array, shape (N,): class of the items of the reference.
    weights
        float array, shape (N, B): how much each item of the reference counts, 0 for the others; B cases.
    others
        float array, shape (N, B): how much each other item counts; sums to 1.

    Returns
    -------
    float array, shape (B,), values in [0, 1].
    """
    positive, negative = (
        part / np.maximum(part.sum(axis=0), _TINY)
        for part in (weights * is_positive[:, np.newaxis], weights * ~is_positive[:, np.newaxis])
    )
    gap = (positive - negative).astype(np.float32)
    towards = distances @ gap  # how much farther from the positives than from the negatives each item is
    between = -(gap * towards).sum(axis=0)
    lead = ((negative - others) * towards).sum(axis=0)
    return np.asarray(np.clip(lead / np.maximum(between, _TINY), 0.0, 1.0), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Mixture:
    """How a sample compares with a mixture of a reference's two classes."""

    share: Estimate
    """Share of positives in the mixture that comes nearest to the sample, with a bootstrap interval of 95 %."""
    differences: tuple[Difference, ...]
    """What that mixture leaves unexplained, by each distance of the family; p-values as of ``energy_test``."""


def mixture_test(
    family: Sequence[Distances],
    scores: Distances,
    is_second: BoolArray,
    is_positive: BoolArray,
    *,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> Mixture:
    """Test whether a second sample may be a mixture of the classes of the first: whether only their shares changed.

    The null distribution comes from samples drawn from the first with its classes in the estimated shares; the share
    is estimated anew in each.

    Parameters
    ----------
    family
        Several distances of the same N items.
    scores
        Distances by which the share is estimated: those of a classifier's output.
    is_second
        bool array, shape (N,).
    is_positive
        bool array, shape (N,): class of the items of the first sample, which has both; that of others is not looked at.
    """
    rng = np.random.default_rng(seed)
    first = ~is_second
    ones = _uniform(first)[:, np.newaxis], _uniform(is_second)[:, np.newaxis]
    share = float(mixture_share(scores, is_positive, *ones)[0])
    resampled = _drawn_by_class(rng, first, is_positive, n_draws)
    anew = mixture_share(scores, is_positive, resampled, _drawn(rng, _uniform(is_second), is_second.sum(), n_draws))
    low, high = np.quantile(anew, [0.025, 0.975])
    at_share = _mixed(ones[0], is_positive, np.array([share]))
    drawn = _drawn(rng, at_share[:, 0], is_second.sum(), n_draws)
    resampled = _drawn_by_class(rng, first, is_positive, n_draws)
    mixed = _mixed(resampled, is_positive, mixture_share(scores, is_positive, resampled, drawn))
    mixtures, others = np.hstack([at_share, mixed]), np.hstack([ones[1], drawn])
    return Mixture(
        Estimate(share, min(float(low), share), max(float(high), share)),
        tuple(_differences([_energy(distances, mixtures, others) for distances in family])),
    )


def _uniform(chosen: BoolArray) -> FloatArray:
    return np.asarray(chosen / chosen.sum(), dtype=np.float64)


def _drawn(rng: np.random.Generator, chances: FloatArray, n: int, n_draws: int) -> FloatArray:
    """Weights of samples of ``n`` items drawn with replacement, shape (N, n_draws)."""
    return np.asarray(rng.multinomial(n, chances / chances.sum(), size=n_draws).T / n, dtype=np.float64)


def _drawn_by_class(rng: np.random.Generator, first: BoolArray, is_positive: BoolArray, n_draws: int) -> FloatArray:
    """Weights of resamples of a reference, each class drawn by itself, shape (N, n_draws)."""
    classes = [first & is_positive, first & ~is_positive]
    parts = [_drawn(rng, _uniform(each), each.sum(), n_draws) * each.sum() for each in classes]
    return np.asarray((parts[0] + parts[1]) / first.sum())


def _mixed(weights: FloatArray, is_positive: BoolArray, share: FloatArray) -> FloatArray:
    """Weights of a reference with its classes in other shares; columns sum to 1."""
    positive, negative = weights * is_positive[:, np.newaxis], weights * ~is_positive[:, np.newaxis]
    return np.asarray(share * positive / positive.sum(axis=0) + (1 - share) * negative / negative.sum(axis=0))


def _energy(distances: Distances, first: FloatArray, second: FloatArray) -> tuple[FloatArray, float]:
    """Energy distances of B pairs of weighted samples, shape (B,), and the mean distance within the first pair.

    Weights have shape (N, B), and each column sums to 1.
    """
    first, second = np.asarray(first, dtype=np.float32), np.asarray(second, dtype=np.float32)
    gap = first - second
    energy = -np.einsum("ij,ij->j", gap, distances @ gap)
    between = float(first[:, 0] @ (distances @ second[:, 0]))
    return np.maximum(energy.astype(np.float64), 0.0), between


def _differences(found: Sequence[tuple[FloatArray, float]]) -> list[Difference]:
    """Adjusted p-values of the first case of each row of energies, held against the others."""
    # Ranks from above within each distance: 1 for the largest. They make distances comparable.
    ranks = np.stack([_ranks_from_above(energies) for energies, _ in found])
    best = ranks.min(axis=0)
    n = best.size
    return [
        Difference(float(energies[0] / (2 * between)) if between > _TINY else 0.0, float((best <= rank[0]).sum() / n))
        for (energies, between), rank in zip(found, ranks, strict=True)
    ]


def _ranks_from_above(values: FloatArray) -> NDArray[np.intp]:
    """How many values are as large or larger."""
    return np.asarray(values.size - np.searchsorted(np.sort(values), values, side="left"))


def films_needed(family: Sequence[Distances], is_second: BoolArray, level: float, *, seed: int = 0) -> int | None:
    """Smallest of some sizes at which 8 of 10 samples of the second items are told from the first.

    Parameters
    ----------
    family, is_second
        As for ``energy_test``.
    level
        Largest p-value that counts as a difference.

    Returns
    -------
    10, 20, 40 … items, fewer than there are; None where even as many do not show the difference so often.
    """
    rng = np.random.default_rng(seed)
    first, second = np.flatnonzero(~is_second), np.flatnonzero(is_second)
    size = _FEWEST
    while size < second.size:
        n_missed = n_seen = 0
        while n_seen < _SEEN and n_missed <= _N_TRIALS - _SEEN:
            chosen = np.concatenate([first, rng.choice(second, size, replace=False)])
            part = [distances[np.ix_(chosen, chosen)] for distances in family]
            found = energy_test(part, np.arange(chosen.size) >= first.size, n_draws=_N_TRIAL_DRAWS, seed=n_seen)
            is_seen = min(each.p_value for each in found) <= level
            n_seen, n_missed = n_seen + is_seen, n_missed + (not is_seen)
        if n_seen == _SEEN:
            return size
        size *= 2
    return None


# As many draws as p-values of 0.01 need: of four distances each has its own largest draw.
_FEWEST, _N_TRIALS, _SEEN, _N_TRIAL_DRAWS = 10, 10, 8, 599
