"""What shapes a result is in its key: what is not known to be equal is done again."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

import pytest

from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, read_document
from cxrscan.scanner.settings import ScanSettings, result_key

DOCUMENT = read_document(DEFAULT_BUNDLE)
VERSIONS = {"cxrscan": "1", "pillow": "2"}
INDIFFERENT = {"model", "model_is_checked", "model_sha256", "model_files", "batch_size", "n_threads"}
CARD = {
    *("name", "version", "operating_points", "default_operating_point", "validation", "export", "intended_use"),
    *("limits", "licence", "initial_weights", "lineage", "reference"),
}


def key(settings: ScanSettings | None = None, **changes: Any) -> str:
    return result_key((settings or ScanSettings()).shaping({**DOCUMENT, **changes}, VERSIONS))


def other(name: str) -> Any:
    """Another value than a setting's default."""
    default = next(field.default for field in fields(ScanSettings) if field.name == name)
    assert default is not MISSING
    if default is None:
        return b"key"
    return {bool: lambda: not default, str: lambda: f"{default}x"}.get(type(default), lambda: default + 1)()


@pytest.mark.parametrize("name", sorted({field.name for field in fields(ScanSettings)} - INDIFFERENT))
def test_whatever_shapes_a_result_is_in_its_key(name: str) -> None:
    assert key(replace(ScanSettings(), **{name: other(name)})) != key()


@pytest.mark.parametrize("name", sorted([*(DOCUMENT.keys() - CARD), "a field of a later version"]))
def test_whatever_a_bundle_says_is_in_the_key_unless_it_is_for_readers(name: str) -> None:
    assert key(**{name: "another"}) != key()


def test_where_and_how_to_work_and_what_is_for_readers_are_not_in_the_key() -> None:
    elsewhere = ScanSettings(model=Path("/elsewhere"), model_is_checked=True, batch_size=3, n_threads=4)
    assert key(elsewhere) == key()
    assert key(**dict.fromkeys(CARD, "another")) == key()


@pytest.mark.parametrize("name", VERSIONS)
def test_versions_are_in_the_key(name: str) -> None:
    shaping = ScanSettings().shaping(DOCUMENT, VERSIONS)
    assert result_key(ScanSettings().shaping(DOCUMENT, {**VERSIONS, name: "9"})) != result_key(shaping)


def test_the_key_that_hides_identifiers_is_not_to_be_found_in_it() -> None:
    secret = bytes(range(16))
    shaping = ScanSettings(dicom_ids=secret).shaping(DOCUMENT, VERSIONS)
    assert repr(secret) not in str(shaping)
    assert secret.hex() not in str(shaping)
