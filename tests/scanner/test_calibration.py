from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cxrscan.scanner.calibration import PopulationFinder, open_finder, probabilities
from cxrscan.scanner.errors import BundleError
from cxrscan.scanner.model_bundle import (
    DEFAULT_BUNDLE,
    Calibration,
    ModelSpec,
    check_document,
    read_document,
    spec_from_document,
)
from cxrscan.scanner.packed_arrays import pack
from cxrscan.scanner.records import Predictions

TWO = {"children": {"scale": 2.0, "offset": 1.0}, "adults": {"scale": 0.5, "offset": -1.0}}


def finder_document(rows: list[list[float]]) -> dict[str, Any]:
    return {"weights": pack(np.array(rows, np.float32))}


def document(calibration: dict[str, Any] | None) -> dict[str, Any]:
    found = {name: value for name, value in read_document(DEFAULT_BUNDLE).items() if name != "temperature"}
    return found | ({"calibration": calibration} if calibration else {})


def spec(calibration: dict[str, Any] | None, **others: Any) -> ModelSpec:
    described = document(calibration) | others
    described.pop("calibration" if calibration is None else "temperature", None)
    check_document(described, where="model.json")
    return spec_from_document(described, Path())


def test_a_film_gets_the_calibration_of_the_population_that_it_looks_like() -> None:
    finder = finder_document([[1, 0, 0], [0, 1, 0]])
    known = spec({"prior": 0.2, "populations": TWO, "finder": finder})
    said = Predictions(
        np.array([0.5, 0.5], np.float32),
        np.array([[4, 1], [1, 4]], np.float32),
        np.zeros((2, 7, 7), np.float32),
    )
    assert probabilities(known, said) == pytest.approx([1 / (1 + np.exp(-2.0)), 1 / (1 + np.exp(0.75))])
    assert known.prior == 0.2
    assert known.calibration_text == "children: log-odds x 2 + 1; adults: log-odds x 0.5 - 1"


def test_a_bundle_of_versions_that_had_a_temperature_only_gives_the_same_probabilities_as_then() -> None:
    old = spec(None, temperature=0.8)
    assert old.calibrations == {"": Calibration(1.25)}
    assert old.probability(0.4) == pytest.approx(1 / (1 + np.exp(-0.5)))
    assert open_finder(old) is None


@pytest.mark.parametrize(
    ("calibration", "message"),
    [
        ({"prior": 0.2, "populations": TWO}, "tells the calibration's populations apart"),
        ({"prior": 0, "populations": TWO}, "prior"),
        ({"prior": 0.2, "populations": {}}, "populations"),
        ({"prior": 0.2, "populations": {"": {"scale": 0, "offset": 0}}}, "scale"),
        ({"prior": 0.2, "populations": {"\x1b[2J": {"scale": 1, "offset": 0}}}, "propertyNames|pattern|control|breaks"),
        ({"prior": 0.2, "populations": {"": {"scale": 1}}}, "offset|required"),
        (None, "oneOf|calibration"),
    ],
)
def test_a_calibration_that_cannot_be_used_is_refused(calibration: dict[str, Any] | None, message: str) -> None:
    described = document(calibration)
    described.pop("calibration" if calibration is None else "temperature", None)
    with pytest.raises(BundleError, match=message):
        check_document(described, where="model.json")


def test_two_calibrations_in_one_bundle_are_refused() -> None:
    described = document({"prior": 0.5, "populations": {"": {"scale": 1, "offset": 0}}}) | {"temperature": 1.0}
    with pytest.raises(BundleError):
        check_document(described, where="model.json")


@pytest.mark.parametrize("rows", [[[1, 0, 0]], [[1, 0, 0], [np.inf, 0, 0]]])
def test_a_finder_that_does_not_fit_is_refused(rows: list[list[float]]) -> None:
    weights = np.array(rows, np.float32)
    packed = {"shape": list(weights.shape), "float16": base64.b64encode(weights.astype("<f2")).decode()}
    with pytest.raises(BundleError) as caught:
        PopulationFinder.from_document(("a", "b"), {"weights": packed})
    assert caught.value.code == "bundle-invalid"


def test_a_finder_for_another_network_is_refused() -> None:
    finder = PopulationFinder.from_document(("a", "b"), finder_document([[1, 0, 0], [0, 1, 0]]))
    with pytest.raises(BundleError, match="3 features"):
        finder.find(np.zeros(3, np.float32))
