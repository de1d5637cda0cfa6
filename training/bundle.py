"""Write the bundle: the exported graph, ``model.json`` and the model card."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cxrscan.training.bundle_files import estimate_document, point_document, write_files
from cxrscan.training.config import TrainConfig
from cxrscan.training.evaluate import Evaluation
from cxrscan.training.model_card import render_card

INTENDED_USE = (
    "Research and teaching: pre-sorting and analysis of frontal chest radiographs by the probability of pneumonia. "
    "Not a medical device; not for diagnosis or treatment decisions."
)


def write_bundle(
    folder: Path,
    graph: bytes,
    evaluation: Evaluation,
    config: TrainConfig,
    training: Mapping[str, Any],
    *,
    name: str,
) -> None:
    """Write ``model.tflite``, ``model.json`` and ``MODEL_CARD.md``; the JSON is checked before anything is written.

    Parameters
    ----------
    training
        JSON-ready account of data, split, duration and software.
    name
        What the bundle is called in tables and reports.

    Raises
    ------
    TrainingError
        ``output-unwritable``.
    """
    document = {
        "schema_version": 1,
        "name": name,
        "version": f"{training['date'].replace('-', '.')}-{config.name}",
        **network_document(graph, evaluation),
        "input_px": config.input_px,
        "pixel_range": [0, 1],
        "class_names": ["NORMAL", "PNEUMONIA"],
        **described(evaluation),
        "gate": None,
        "trained_on": {"views": config.views.split(), "below_years": config.below_years or None},
        "training": {**training, "config": _portable(config)},
        "intended_use": INTENDED_USE,
        "limits": [
            f"Trained and validated only on {config.population}.",
            "Other people, views and devices are untested.",
            "It separates pneumonia from films without. Others (effusion, mass and more) may score high or low.",
            "Validation films come from the training films' source; expect a lower specificity elsewhere.",
            "The heat map shows what drove the score. It does not outline disease.",
        ],
        "licence": config.licence,
        "initial_weights": initial_weights(config),
    }
    write_files(folder, graph, document, render_card(document))


def network_document(graph: bytes, evaluation: Evaluation) -> dict[str, Any]:
    """What ``model.json`` says of the exported graph."""
    return {
        "weights_sha256": hashlib.sha256(graph).hexdigest(),
        "export": {
            "max_abs_prob_difference": evaluation.max_abs_prob_difference,
            "n_films": evaluation.n_films,
            "weights": "float16",
        },
    }


def described(evaluation: Evaluation) -> dict[str, Any]:
    """What ``model.json`` says of calibration, operating points and validation films."""
    return {
        "calibration": evaluation.calibrated.to_document(),
        "heat_scale": evaluation.heat_scale,
        "operating_points": {name: point_document(point) for name, point in evaluation.operating_points.items()},
        "default_operating_point": evaluation.default_operating_point,
        "validation": {
            films: {metric: estimate_document(estimate) for metric, estimate in metrics.items()}
            for films, metrics in evaluation.validation.items()
        },
    }


def initial_weights(config: TrainConfig) -> str:
    """Say where the weights came from before training."""
    if config.weights == "none":
        return "random"
    if config.weights == "imagenet":
        return "ImageNet, Keras Applications MobileNetV2 (Apache-2.0)"
    path = Path(config.weights)
    source = f"{config.weights_source}; " if config.weights_source else ""
    return f"{source}{path.name}, SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}"


def _portable(config: TrainConfig) -> dict[str, Any]:
    """The configuration without the paths of this machine."""
    return {
        **asdict(config),
        "weights": _without_folder(config.weights),
        "style_weights": _without_folder(config.style_weights),
        "teachers": [Path(each).name for each in config.teachers],
    }


def _without_folder(weights: str) -> str:
    return weights if weights in {"imagenet", "none", ""} else Path(weights).name
