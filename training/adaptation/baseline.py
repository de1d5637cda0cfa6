"""What view, age and acquisition alone tell: an adapted model must know more than how a film was taken.

Ill people are filmed in bed, so that the view alone separates the classes (Zech et al. 2018,
10.1371/journal.pmed.1002683). A model can learn this from few films, and lose it at the next hospital.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cxrscan.scanner.metrics import FloatArray, auc_delong
from cxrscan.scanner.records import Estimate
from cxrscan.training.adaptation.folds import patient_folds, splits
from cxrscan.training.adaptation.head import fit_heads
from cxrscan.training.adaptation.local_films import LocalFilms
from cxrscan.training.adaptation.measure import N_FOLDS
from cxrscan.training.calibrate import sigmoid

_FEWEST_OF_A_KIND = 5


@dataclass(frozen=True, slots=True)
class Baseline:
    """Models that know no picture."""

    known: tuple[str, ...]
    """What they were told of each film."""
    alone: Estimate
    """AUC of these facts, on films held back."""
    with_parent: Estimate
    """AUC of these facts together with the parent's log-odds."""


def baseline(films: LocalFilms) -> Baseline | None:
    """Fit on how the films were taken; None where nothing that differs is known."""
    facts, known = _facts(films)
    if not known:
        return None
    told = replace(films, embeddings=facts.astype(np.float32))
    return Baseline(known, _auc(replace(told, log_odds=np.zeros(films.n))), _auc(told))


def _auc(films: LocalFilms) -> Estimate:
    said = np.empty(films.n)
    for fitted, held in splits(patient_folds(films.truth, films.patients, N_FOLDS, 0)):
        (head,) = fit_heads(films.part(fitted), (1.0,))
        said[held] = head.log_odds(films.part(held))
    return auc_delong(films.truth, sigmoid(said))


def _facts(films: LocalFilms) -> tuple[FloatArray, tuple[str, ...]]:
    """Columns of numbers, shape (N, F), and the facts that they stand for."""
    columns: list[FloatArray] = []
    known = []
    for name in sorted({name for each in films.circumstances for name in each}):
        values = [each.get(name) for each in films.circumstances]
        made = _numbers(values) if any(isinstance(value, float) for value in values) else _kinds(values)
        if made:
            known.append(name)
            columns += made
    return np.column_stack(columns) if columns else np.empty((films.n, 0)), tuple(known)


def _numbers(values: list[str | float | None]) -> list[FloatArray]:
    numbers = np.array([value if isinstance(value, float) else np.nan for value in values])
    missing = np.isnan(numbers)
    filled = np.where(missing, np.nanmean(numbers), numbers)
    made = [(filled - filled.mean()) / filled.std()] if filled.std() > 0 else []
    return made + _kinds(["missing" if each else None for each in missing])


def _kinds(values: list[str | float | None]) -> list[FloatArray]:
    """One column for each value that some films have and others have not."""
    texts = np.array([str(value or "") for value in values])
    names, counts = np.unique(texts, return_counts=True)
    wanted = [name for name, n in zip(names, counts, strict=True) if _FEWEST_OF_A_KIND <= n < texts.size]
    return [np.asarray(texts == name, dtype=np.float64) for name in wanted]
