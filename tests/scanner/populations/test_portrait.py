"""The portrait of a run's films, and what a bundle keeps of it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from cxrscan.scanner.errors import BundleError
from cxrscan.scanner.evaluation.drift import PICTURE_FIGURES, find_drift, nearest
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, ModelSpec, check_document, load_bundle, read_document
from cxrscan.scanner.packed_arrays import pack
from cxrscan.scanner.populations.portrait import picture_figures, portray
from cxrscan.scanner.populations.reference import reference_document, references
from cxrscan.scanner.records import FilmAttributes
from tests.scanner.populations.populations import population

MODEL = load_bundle(DEFAULT_BUNDLE)


def figures_of(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> dict[str, float]:
    figures = picture_figures(bytes(cv2.imencode(".png", picture)[1]))
    assert figures is not None
    return dict(zip(PICTURE_FIGURES, figures.tolist(), strict=True))


def test_one_film_of_each_patient_is_compared_whatever_the_order() -> None:
    films = population(30, 1, films_of_a_patient=3)
    portrait = portray(lambda: films, MODEL, "run")
    again = portray(lambda: films[::-1], MODEL, "run")
    assert (portrait.n, portrait.n_films, portrait.n_without_patient) == (30, 90, 0)
    assert sorted(portrait.log_odds) == sorted(again.log_odds)


def test_a_header_tells_whose_film_it_is_even_hashed() -> None:
    ids = (("patient_id_hash", "5" * 32),)
    films = [
        replace(film, result=replace(film.result, name=f"{i}.dcm", attributes=FilmAttributes(ids=ids)))
        for i, film in enumerate(population(12, 1))
    ]
    assert portray(lambda: films, MODEL, "run").n == 1


def test_films_of_unknown_patients_are_counted_and_no_more_than_asked_are_taken() -> None:
    films = [replace(film, result=replace(film.result, name=f"{i:03}.dcm")) for i, film in enumerate(population(40, 1))]
    portrait = portray(lambda: films, MODEL, "run", max_films=25)
    assert (portrait.n, portrait.n_films, portrait.n_without_patient) == (25, 40, 25)


def test_what_a_run_does_not_keep_is_told() -> None:
    films = population(12, 1, embedded=False)
    portrait = portray(lambda: [replace(f, result=replace(f.result, thumbnail=b"")) for f in films], MODEL, "run")
    assert (portrait.features, portrait.pictures) == (None, None)
    assert [gap.split()[0] for gap in portrait.gaps] == ["Embeddings", "Pictures"]


def test_pictures_are_measured() -> None:
    grey = np.full((90, 120), 128, dtype=np.uint8)
    grey[20:70, 30:90:4] = 200
    plain = figures_of(grey)
    assert plain["aspect_ratio"] == pytest.approx(120 / 90)
    assert figures_of(np.asarray(grey // 2, dtype=np.uint8))["brightness"] < plain["brightness"]
    assert figures_of(np.asarray(cv2.blur(grey, (9, 9)), dtype=np.uint8))["sharpness"] < plain["sharpness"]
    assert plain["border_share"] > 0.4
    assert figures_of(np.zeros_like(grey))["black_share"] == 1
    assert picture_figures(b"nothing") is picture_figures(b"") is None


def with_reference(*films_of: int) -> ModelSpec:
    """The shipped bundle, as if it had been validated on these populations."""
    portraits = [portray(lambda seed=seed: population(60, seed), MODEL, f"population {seed}") for seed in films_of]  # type: ignore[misc]
    document = read_document(DEFAULT_BUNDLE) | {"reference": reference_document(portraits, MODEL)}
    check_document(document, where="model.json")
    return replace(MODEL, reference=document["reference"])


def test_a_bundle_gives_back_the_films_that_it_was_validated_on() -> None:
    films = population(60, 1)
    (portrait,) = references(with_reference(1))
    whole = portray(lambda: films, MODEL, "run")
    assert portrait.name == "population 1"
    assert whole.features is not None
    assert portrait.features == pytest.approx(whole.features, abs=0.01)
    assert portrait.log_odds == pytest.approx(whole.log_odds, abs=0.01)
    assert portrait.truth.tolist() == whole.truth.tolist()
    assert not find_drift(portrait, whole).is_found
    assert any("Headers" in gap for gap in find_drift(portrait, whole).gaps)


def test_a_run_is_compared_with_the_population_that_it_resembles() -> None:
    near, far = (portray(lambda b=b: population(40, 1, brightness=b), MODEL, f"{b}") for b in (120, 200))  # type: ignore[misc]
    assert nearest([far, near], portray(lambda: population(40, 2), MODEL, "run")).name == "120"


def test_a_bundle_that_says_nothing_or_of_other_weights_is_told() -> None:
    known = with_reference(1)
    for model in (
        MODEL if MODEL.reference is None else replace(MODEL, reference=None),
        replace(known, weights_sha256="0" * 64),
    ):
        with pytest.raises(BundleError) as error:
            references(model)
        assert error.value.code == "no-drift-reference"


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("truth", np.full(60, 7.0)),
        ("truth", np.zeros(59)),
        ("log_odds", np.zeros((60, 2))),
        ("features", np.zeros((3, 33))),
        ("pictures", np.zeros((60, 6))),
        ("log_odds", np.zeros(501)),
    ],
)
def test_a_reference_that_was_made_up_is_refused(
    column: str, values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> None:
    model = with_reference(1)
    assert model.reference is not None
    model.reference["populations"][0][column] = pack(values)
    with pytest.raises(BundleError) as error:
        references(model)
    assert error.value.code == "bundle-invalid"


def test_features_in_the_coordinates_of_another_gate_are_not_compared() -> None:
    known = with_reference(1)
    assert known.reference is not None
    (portrait,) = references(replace(known, reference=known.reference | {"coordinates_sha256": "0" * 64}))
    drift = find_drift(portrait, portray(lambda: population(60, 2), MODEL, "run"), counts_films=False)
    assert [each.aspect for each in drift.aspects] == ["scores", "pictures"]
    assert any(gap.startswith("Embeddings") for gap in drift.gaps)
