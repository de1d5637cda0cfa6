"""A comparison of two runs, as a document and as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from cxrscan.reports.wording import (
    difference_text,
    figure_text,
    fixed,
    form_of,
    probability_text,
    terminal_text,
    title_of,
)
from cxrscan.scanner.evaluation.compare import Comparison
from cxrscan.scanner.records import NEGATIVE, POSITIVE
from cxrscan.scanner.system.text import count


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as JSON values; undefined figures are null with the reason."""
    return asdict(comparison)


def comparison_text(comparison: Comparison, names: tuple[str, str]) -> str:
    """Return the comparison as lines for a terminal; ``names`` are those of the runs."""
    return terminal_text("\n".join(_lines(comparison, names))) + "\n"


def _lines(comparison: Comparison, names: tuple[str, str]) -> Iterator[str]:
    yield (
        f"{count(comparison.n, 'film')} of {count(comparison.n_patients, 'patient')} with a label and both "
        f"probabilities: {comparison.n_positive} {POSITIVE}, {comparison.n - comparison.n_positive} {NEGATIVE}."
    )
    if comparison.n_first_only:
        yield f"Left out: {comparison.n_first_only} labelled films that the second run did not score."
    for label, name, threshold in zip("AB", names, comparison.thresholds, strict=True):
        yield f"{label} = {name}, threshold {probability_text(threshold)}"
    yield ""
    yield f"{'':14}{'A':>8}{'B':>8}  {'B - A (95 % interval)':32}  {'p':8}" + (
        "  clustered by patient" if comparison.by_patient else ""
    )
    for metric, pair in comparison.differences.items():
        values = "".join(f"{figure_text(value, form_of(metric)):>8}" for value in (pair.first, pair.second))
        p_value = "-" if pair.p_value is None else "< 0.0001" if pair.p_value < 1e-4 else fixed(pair.p_value, 4)
        difference = difference_text(metric, pair.difference)
        clustered = difference_text(metric, comparison.by_patient[metric]) if comparison.by_patient else ""
        yield f"{title_of(metric):14}{values}  {difference:32}  {p_value:8}  {clustered}".rstrip()
    yield "p: exact McNemar test of paired calls; for AUC DeLong's test."
    yield ""
    n_changed, n_better = len(comparison.changed), sum(film.better for film in comparison.changed)
    yield f"Films that changed sides: {n_changed}; B is right on {n_better}, A on {n_changed - n_better}."
    for film in comparison.changed:
        yield (
            f"  {fixed(film.first_prob, 3)} -> {fixed(film.second_prob, 3)}  "
            f"{film.first_call:9} -> {film.second_call:9}  labelled {film.truth:9}  {film.name}"
        )
