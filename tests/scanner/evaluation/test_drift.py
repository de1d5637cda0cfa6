"""What has changed about a run's films, and what is not to be told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.evaluation.drift import Cause, Drift, Portrait, find_drift
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, load_bundle
from cxrscan.scanner.populations.portrait import portray
from tests.scanner.populations.populations import population

MODEL = load_bundle(DEFAULT_BUNDLE)


def portrait(seed: int, n: int = 120, **kind: Any) -> Portrait:
    return portray(lambda: population(n, seed, **kind), MODEL, "run")


def drift_of(reference: Portrait | None = None, **kind: Any) -> Drift:
    return find_drift(reference or portrait(1), portrait(2, **kind))


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ({}, "none"),
        ({"share": 0.8}, "prevalence"),
        ({"brightness": 170}, "appearance"),
        ({"brightness": 170, "share": 0.8}, "appearance"),
        ({"view": "AP"}, "headers"),
    ],
)
def test_the_cause_of_a_change_is_named(kind: dict[str, Any], cause: Cause) -> None:
    drift = drift_of(**kind)
    assert drift.cause == cause
    assert (drift.n_needed is not None) == (cause != "none")


def test_a_change_is_seen_in_the_aspect_that_it_is_of() -> None:
    aspects = {each.aspect: each for each in drift_of(brightness=170).aspects}
    assert aspects["pictures"].p_value <= 0.01 < aspects["scores"].p_value
    assert aspects["pictures"].changes[0].name == "brightness"
    assert aspects["pictures"].changes[0].shift > 1
    headers = {each.aspect: each for each in drift_of(view="AP").aspects}["headers"]
    assert {change.name for change in headers.changes[:2]} == {"view_position: AP", "view_position: PA"}


def test_the_new_share_of_pneumonia_is_estimated() -> None:
    drift = drift_of(share=0.8)
    assert drift.prevalence is not None
    assert drift.prevalence.low is not None
    assert drift.prevalence.high is not None
    assert drift.prevalence.low <= 0.8 <= drift.prevalence.high
    assert drift.reference_prevalence == pytest.approx(0.4, abs=0.12)


def test_without_labels_the_cause_stays_unknown() -> None:
    reference = replace(portrait(1), truth=np.full(120, -1, dtype=np.int8))
    drift = drift_of(reference, share=0.9)
    assert (drift.cause, drift.prevalence) == ("unknown", None)


def test_other_networks_leave_pictures_and_headers() -> None:
    drift = drift_of(replace(portrait(1), weights_sha256="0" * 64), share=0.9)
    assert [each.aspect for each in drift.aspects] == ["pictures", "headers"]
    assert any("different networks" in gap for gap in drift.gaps)


def test_few_films_cannot_be_compared() -> None:
    with pytest.raises(RunFolderError) as error:
        find_drift(portrait(1), portrait(2, n=9))
    assert error.value.code == "too-few-films"


def test_portraits_without_a_common_aspect_cannot_be_compared() -> None:
    bare = replace(portrait(1), weights_sha256="0" * 64, pictures=None, headers=None)
    with pytest.raises(RunFolderError) as error:
        find_drift(bare, portrait(2))
    assert error.value.code == "nothing-to-compare"
    assert "different networks" in error.value.message
