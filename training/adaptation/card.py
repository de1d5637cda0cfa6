"""The model card of an adapted bundle, written from ``model.json`` so that no figure is typed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TITLES = {
    "auc": "AUC",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "balanced_accuracy": "balanced accuracy",
    "brier": "Brier score",
    "calibration_slope": "calibration slope",
    "ece": "expected calibration error",
}
GAINS = {
    "cross_entropy": "cross-entropy saved (nats)",
    "balanced_accuracy": "balanced accuracy",
    "specificity": "specificity",
    "promise": "sensitivity that the old threshold could not promise",
}
"""Gain -> its name for people."""


def render_adapted_card(document: Mapping[str, Any]) -> str:
    """Make the Markdown text of the card.

    Parameters
    ----------
    document
        Checked content of ``model.json``, with a lineage.
    """
    sections = [
        f"# {document['name']} {document['version']}",
        document["intended_use"],
        "## Limits\n\n" + "\n".join(f"- {limit}" for limit in document["limits"]),
        "## Lineage\n\n" + "\n".join(_descent(entry) for entry in document["lineage"]),
        f"## Figures\n\nWith 95 % intervals, at the operating point `{document['default_operating_point']}`. Films "
        "held back: no film was measured by a model fitted on its patient.\n\n" + _table(document["validation"]),
        "## Operating points\n\n" + _points(document),
        f"## Licence\n\n{document['licence']}",
    ]
    return "\n\n".join(sections) + "\n"


def _descent(entry: Mapping[str, Any]) -> str:
    parent = entry["parent"]
    said = (
        f"- {entry['date']}, {entry['site']}: {entry['rung']}, {entry['n_films']} films, from {parent['name']} "
        f"{parent['version']} (weights `{parent['weights_sha256'][:12]}`)"
    )
    if "gain" not in entry:
        return f"{said}. Not validated."
    forced = " Written by force." if entry["forced"] else ""
    return (
        f"{said}. {entry['n_positive']} with pneumonia, {entry['n_patients']} people. "
        f"{GAINS[entry['gain_of']]}: {_text(entry['gain'])} more.{forced}"
    )


def _table(validation: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    rows = [f"| films | {' | '.join(_TITLES.values())} |", "|---" * (len(_TITLES) + 1) + "|"]
    for name, figures in validation.items():
        if "auc" in figures:
            rows.append(f"| {name} | " + " | ".join(_text(figures.get(key)) for key in _TITLES) + " |")
    others = [
        f"- {name}, {key}: {_text(estimate)}"
        for name, figures in validation.items()
        if "auc" not in figures
        for key, estimate in figures.items()
    ]
    return "\n".join(rows) + ("\n\n" + "\n".join(others) if others else "")


def _points(document: Mapping[str, Any]) -> str:
    rows = ["| name | threshold | rule | sensitivity | specificity |", "|---|---|---|---|---|"]
    for name, point in document["operating_points"].items():
        mark = " (default)" if name == document["default_operating_point"] else ""
        rows.append(
            f"| `{name}`{mark} | {point['threshold']:.4f} | {point['rule']} | {_text(point['sensitivity'])} | "
            f"{_text(point['specificity'])} |"
        )
    return "\n".join(rows)


def _text(estimate: Mapping[str, float] | None) -> str:
    if not estimate:
        return "not known"
    interval = f" ({estimate['low']:.3f} to {estimate['high']:.3f})" if "low" in estimate else ""
    return f"{estimate['value']:.3f}{interval}"
