"""A comparison of two runs, as a document and as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from reports.evaluation.files import figure, metric_title, number
from scanner.evaluation.compare import Comparison
from scanner.records import NEGATIVE, POSITIVE


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as JSON values; undefined figures are null with the reason."""
    return asdict(comparison)


def comparison_text(comparison: Comparison, names: tuple[str, str]) -> str:
    """Return the comparison as lines for a terminal; ``names`` are those of the runs."""
    return "\n".join(_lines(comparison, names)) + "\n"


def _lines(comparison: Comparison, names: tuple[str, str]) -> Iterator[str]:
    yield (
        f"{comparison.n} films of {comparison.n_patients} patients with truth and both probabilities: "
        f"{comparison.n_positive} {POSITIVE}, {comparison.n - comparison.n_positive} {NEGATIVE}."
    )
    if comparison.n_first_only:
        yield f"Left out: {comparison.n_first_only} labelled films that the second run did not score."
    for label, name, threshold in zip("AB", names, comparison.thresholds, strict=True):
        yield f"{label} = {name}, threshold {threshold:.4f}"
    yield ""
    yield f"{'':14}{'A':>8}{'B':>8}  {'B - A (95 % interval)':26}  {'p':8}" + (
        "  clustered by patient" if comparison.by_patient else ""
    )
    for metric, pair in comparison.differences.items():
        values = "".join(f"{number(value):>8}" for value in (pair.first, pair.second))
        p_value = "-" if pair.p_value is None else "< 0.0001" if pair.p_value < 1e-4 else f"{pair.p_value:.4f}"
        clustered = figure(comparison.by_patient[metric]) if comparison.by_patient else ""
        yield f"{metric_title(metric):14}{values}  {figure(pair.difference):26}  {p_value:8}  {clustered}".rstrip()
    yield "p: exact McNemar test of paired calls; for AUC DeLong's test."
    yield ""
    n_changed, n_better = len(comparison.changed), sum(film.better for film in comparison.changed)
    yield f"Films that changed sides: {n_changed}; B is right on {n_better}, A on {n_changed - n_better}."
    for film in comparison.changed:
        yield (
            f"  {film.first_prob:.3f} -> {film.second_prob:.3f}  {film.first_call:9} -> {film.second_call:9}  "
            f"truly {film.truth:9}  {film.name}"
        )
