"""What more labels would bring: a power law through the learning curve (10.48550/arXiv.2510.11553)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cxrscan.scanner.metrics import FloatArray, auc_delong
from cxrscan.scanner.records import Estimate
from cxrscan.training.adaptation.folds import patient_folds
from cxrscan.training.adaptation.head import fit_heads
from cxrscan.training.adaptation.local_films import LocalFilms
from cxrscan.training.calibrate import sigmoid

N_MORE = 50
_PENALTY = 1e4
_N_DRAWS, _N_PARTS, _N_RESAMPLES = 4, 8, 100
_FEWEST_FILMS = 80
_SLOWEST, _FASTEST = 0.1, 2.0


@dataclass(frozen=True, slots=True)
class Curve:
    """AUC of heads that were fitted on parts of the labelled films."""

    n_films: FloatArray
    """shape (M,), films fitted on."""
    auc: FloatArray
    """shape (M,), on the patients that were left out."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Where the curve leads."""

    curve: Curve
    gain: Estimate
    """AUC that N_MORE further labelled films would add; interval from resampled points of the curve."""


def learning_curve(films: LocalFilms, *, seed: int = 0) -> Curve:
    """Fit heads on two to six eighths of the patients, and measure each on a quarter that none of these is of."""
    points = []
    for draw in range(_N_DRAWS):
        folds = patient_folds(films.truth, films.patients, _N_PARTS, seed + draw)
        held = films.part(np.flatnonzero(folds >= 6))
        for n_parts in (2, 3, 4, 6):
            fitted = films.part(np.flatnonzero(folds < n_parts))
            if not 0 < fitted.n_positive < fitted.n:
                continue
            (head,) = fit_heads(fitted, (_PENALTY,))
            auc = auc_delong(held.truth, sigmoid(head.log_odds(held))).value
            if auc is not None:
                points.append((float(fitted.n), auc))
    n_films, aucs = np.array(points, dtype=np.float64).reshape(-1, 2).T
    return Curve(n_films, aucs)


def forecast(films: LocalFilms) -> Forecast | None:
    """Extrapolate the learning curve; None where there are too few films for one."""
    if films.n < _FEWEST_FILMS or min(films.n_positive, films.n_negative) < _FEWEST_FILMS // 4:
        return None
    curve = learning_curve(films)
    if not curve.auc.size:
        return None
    ends = np.array([films.n, films.n + N_MORE], dtype=np.float64)
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(_N_RESAMPLES):
        drawn = rng.integers(curve.auc.size, size=curve.auc.size)
        gains.append(float(np.diff(_power_law(Curve(curve.n_films[drawn], curve.auc[drawn]), ends))[0]))
    value = float(np.diff(_power_law(curve, ends))[0])
    low, high = np.quantile(gains, [0.025, 0.975])
    return Forecast(curve, Estimate(value, min(float(low), value), max(float(high), value)))


def _power_law(curve: Curve, at: FloatArray) -> FloatArray:
    """AUC = 1 - a - b n^-c by least squares, a and b not negative, c on a grid."""
    fits = []
    for exponent in np.linspace(_SLOWEST, _FASTEST, 20):
        falls = (curve.n_films / curve.n_films.mean()) ** -exponent
        a, b = _line(falls, 1 - curve.auc)
        fits.append((float(np.sum((1 - curve.auc - a - b * falls) ** 2)), float(exponent), a, b))
    _, exponent, a, b = min(fits)
    return np.asarray(1 - a - b * (at / curve.n_films.mean()) ** -exponent)


def _line(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Intercept and slope by least squares, neither negative."""
    spread = float(np.var(x))
    slope = float(np.cov(x, y, bias=True)[0, 1]) / spread if spread > 0 else 0.0
    slope = max(slope, 0.0)
    intercept = float(y.mean() - slope * x.mean())
    if intercept < 0:
        return 0.0, float(x @ y / (x @ x))
    return intercept, slope
