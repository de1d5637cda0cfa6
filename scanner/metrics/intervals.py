"""Confidence intervals from counts and standard errors, and the ``Estimate`` records made of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

from cxrscan.scanner.records import Estimate

CONFIDENCE = 0.95
"""Level of the interval in every ``Estimate``."""

_NEGLIGIBLE = 1e-17  # share of a sum that changes no digit of it

ProportionInterval = Callable[[int, int], tuple[float, float]]
"""Makes a 95 % interval from successes and trials."""


def normal_quantile(confidence: float = CONFIDENCE) -> float:
    """Two-sided quantile of the standard normal distribution: 1.96 for 0.95."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson_interval(successes: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Score interval of a proportion (Wilson 1927; Newcombe 1998, method 3).

    Parameters
    ----------
    successes, n
        Counts, ``0 <= successes <= n``. Without any trial nothing is known: (0, 1).

    Returns
    -------
    Lower and upper bound in [0, 1].
    """
    _check_counts(successes, n)
    if n == 0:
        return 0.0, 1.0
    z = normal_quantile(confidence)
    proportion = successes / n
    centre = (proportion + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(proportion * (1 - proportion) / n + z * z / (4 * n * n))
    # At the ends the formula gives 0 and 1 exactly but for rounding.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high


def clopper_pearson_interval(successes: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Exact, conservative interval of a proportion (Clopper and Pearson 1934), from binomial tails.

    Takes and returns what ``wilson_interval`` does.
    """
    _check_counts(successes, n)
    tail = (1 - confidence) / 2
    return _lowest_proportion(successes, n, tail), 1.0 - _lowest_proportion(n - successes, n, tail)


def binomial_tail(at_least: int, n: int, proportion: float) -> float:
    """Probability of ``at_least`` successes or more in ``n`` trials.

    Parameters
    ----------
    at_least
        From ``n * proportion`` to ``n``; from there on the terms only fall, which keeps every digit of their sum.
    proportion
        Probability of a success, in (0, 1).
    """
    log_ways = math.lgamma(n + 1) - math.lgamma(at_least + 1) - math.lgamma(n - at_least + 1)
    term = math.exp(log_ways + at_least * math.log(proportion) + (n - at_least) * math.log1p(-proportion))
    odds, total = proportion / (1 - proportion), 0.0
    for successes in range(at_least, n + 1):
        total += term
        if term <= total * _NEGLIGIBLE:
            break
        term *= (n - successes) / (successes + 1) * odds
    return total


def _lowest_proportion(successes: int, n: int, tail: float) -> float:
    """Proportion with which as many successes or more come with the probability ``tail``, by bisection."""
    low, high = 0.0, successes / n if n else 0.0
    while low < (middle := (low + high) / 2) < high:
        if binomial_tail(successes, n, middle) < tail:
            low = middle
        else:
            high = middle
    return low


def _check_counts(successes: int, n: int) -> None:
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} trials")


def undefined(reason: str) -> Estimate:
    """Make the estimate of a figure that does not exist."""
    return Estimate(None, reason=reason)


def proportion(successes: int, n: int, nothing: str, interval: ProportionInterval = wilson_interval) -> Estimate:
    """Estimate a proportion; ``nothing`` is the reason given when there is no trial."""
    if n == 0:
        return undefined(nothing)
    return Estimate(successes / n, *interval(successes, n))


def normal_estimate(value: float, standard_error: float, low: float = -math.inf, high: float = math.inf) -> Estimate:
    """Estimate with the interval value ± 1.96 standard errors, cut to the range [low, high]."""
    half = normal_quantile() * standard_error
    return Estimate(value, max(low, value - half), min(high, value + half))


def log_estimate(value: float, log_standard_error: float) -> Estimate:
    """Estimate of a positive ratio with an interval that is symmetric on the log scale."""
    factor = math.exp(normal_quantile() * log_standard_error)
    return Estimate(value, value / factor, value * factor)


def logit_estimate(value: float, standard_error: float) -> Estimate:
    """Estimate of a value strictly between 0 and 1, with an interval that is symmetric on the logit scale.

    Parameters
    ----------
    standard_error
        Of the value itself; the delta method carries it to the logit scale.
    """
    centre = math.log(value / (1 - value))
    half = normal_quantile() * standard_error / (value * (1 - value))
    return Estimate(value, _expit(centre - half), _expit(centre + half))


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
