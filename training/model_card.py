"""The model card (Mitchell et al. 2019), written from ``model.json`` so that no figure is typed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cxrscan.scanner.model_bundle import spec_from_document
from cxrscan.scanner.system.text import count, duration_text, field_title

_METRICS = {
    "auc": "AUC",
    "accuracy": "accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "brier": "Brier score",
    "ece": "calibration error",
    "ece_at_prior": "the same, at the assumed share",
}
_SHARES = frozenset({"accuracy", "sensitivity", "specificity"})


def render_card(document: Mapping[str, Any]) -> str:
    """Make the Markdown text of a model card.

    Parameters
    ----------
    document
        Checked content of ``model.json``.
    """
    training, spec = document["training"], spec_from_document(dict(document), Path())
    sections = [
        f"# {document['name']} {document['version']}",
        f"{document['intended_use']}\n\nPositive class: pneumonia. Input: one grey film, {document['input_px']} x "
        f"{document['input_px']} pixels, the whole film squashed to a square. "
        "Outputs: log-odds, embedding, Grad-CAM.",
        "## Limits\n\n" + "\n".join(f"- {limit}" for limit in document["limits"]),
        "## Training\n\n"
        + _populations(training)
        + f"- Films: {training['n_train']:,} of {count(training['n_train_patients'], 'patient')}{_files(training)}.\n"
        f"- Source: {training['config']['data_source']}.\n"
        f"- Held out for validation, whole patients at a time: {training['n_validation']:,} films of "
        f"{count(training['n_validation_patients'], 'patient')}. Seed of the split: {training['split_seed']}.\n"
        f"- Initial weights: {document['initial_weights']}.\n"
        + _teachers(training)
        + f"- Configuration `{training['config']['name']}`, seed {training['config']['seed']}, "
        f"{count(training['config']['epochs'], 'epoch')}, {duration_text(training['duration_s'])}, "
        f"{training['images_per_s']:.0f} films/s.",
        "## For whom these figures hold\n\n"
        f"At the default operating point `{document['default_operating_point']}`, with 95 % intervals. *Shifted*: the "
        "same films with another exposure, frame, sharpness and coding. Brightness, contrast, gamma, crop, border,\n"
        "resampling, blur, noise and JPEG quality differ.\n\n"
        f"Probabilities assume that a share of {spec.prior:.2g} of the films shows pneumonia. Where fewer do, they are "
        "too high. The last column counts films as if that share did.\n\n" + _figures(document["validation"]),
        "## Operating points\n\n"
        f"Calibration: {spec.calibration_text}. Chosen on: "
        f"{next(iter(document['operating_points'].values()))['data']}.\n\n"
        + _operating_points(document["operating_points"], document["default_operating_point"]),
        "## Export\n\n"
        f"LiteRT, float16 weights. Largest difference in probability from Keras over {document['export']['n_films']:,} "
        f"films: {document['export']['max_abs_prob_difference']:.1e}. SHA-256 of the weights: "
        f"`{document['weights_sha256']}`." + _filter(document["export"]),
        f"## Licence\n\n{document['licence']}",
    ]
    return "\n\n".join(sections) + "\n"


def _filter(export: Mapping[str, Any]) -> str:
    if "blur_taps" not in export:
        return ""
    return f" After training, the binomial filter in front of the network was made longer: {export['blur_taps']} taps."


def _files(training: Mapping[str, Any]) -> str:
    n_films = training["n_train"] + training["n_validation"]
    if training["n_versions"] <= n_films:
        return ""
    return f" ({training['n_versions']:,} files for {n_films:,} films: some come in several versions)"


def _figures(validation: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """One row for each set of films of both classes, and a line for each other figure."""
    sets = [name for name, metrics in validation.items() if "auc" in metrics]
    rows = [f"| films | {' | '.join(_METRICS.values())} |", "|---" * (len(_METRICS) + 1) + "|"]
    for name in sets:
        rows.append(
            f"| {name} | " + " | ".join(_text(metric, validation[name].get(metric)) for metric in _METRICS) + " |"
        )
    others = [
        f"- {name}, {field_title(metric).lower()}: {_text(metric, estimate)}"
        for name, metrics in validation.items()
        if name not in sets
        for metric, estimate in metrics.items()
    ]
    return "\n".join(rows) + ("\n\n" + "\n".join(others) if others else "")


def _teachers(training: Mapping[str, Any]) -> str:
    """Who taught the network, where others did."""
    teachers = training.get("teachers", [])
    if not teachers:
        return ""
    share = 100 * training["config"]["taught"]
    return f"- Taught by {count(len(teachers), 'network')} ({share:.0f} % of the target): {', '.join(teachers)}.\n"


def _populations(training: Mapping[str, Any]) -> str:
    """A table of the populations, where there are several."""
    populations = training.get("populations", {})
    if not populations:
        return ""
    rows = ["| population | films trained on | with pneumonia | held out | with pneumonia |", "|---|---|---|---|---|"]
    for name, counts in populations.items():
        figures = ("n_train", "n_train_positive", "n_validation", "n_validation_positive")
        rows.append(f"| {name} | " + " | ".join(f"{counts[figure]:,}" for figure in figures) + " |")
    return "\n".join(rows) + "\n\n"


def _operating_points(points: Mapping[str, Mapping[str, Any]], default: str) -> str:
    rows = ["| name | threshold | rule | sensitivity | specificity |", "|---|---|---|---|---|"]
    for name, point in points.items():
        mark = " (default)" if name == default else ""
        rows.append(
            f"| `{name}`{mark} | {point['threshold']:.3f} | {point['rule']} | "
            f"{_text('sensitivity', point['sensitivity'])} | {_text('specificity', point['specificity'])} |"
        )
    return "\n".join(rows)


def _text(metric: str, estimate: Mapping[str, float] | None) -> str:
    """Write a figure with its interval as the report does: shares in percent, numbers of films whole."""
    if estimate is None:
        return ""
    if metric.startswith("n_"):
        return f"{estimate['value']:,.0f}"
    factor, digits, unit = (
        (100, 1, " %") if metric in _SHARES or metric.endswith(("_in_a_box", "_in_boxes")) else (1, 3, "")
    )
    value, *bounds = (f"{factor * estimate[name]:.{digits}f}" for name in ("value", "low", "high") if name in estimate)
    return f"{value}{unit}" + (f" ({bounds[0]}\N{EN DASH}{bounds[1]})" if len(bounds) == 2 else "")
