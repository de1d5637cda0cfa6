"""Both engines run the same network and say the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cxrscan.scanner.engines import open_engine
from cxrscan.scanner.errors import BundleError
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, load_bundle
from cxrscan.scanner.preprocess import to_model_input
from cxrscan.scanner.records import ScanResult
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.sources.walk import find_images
from cxrscan.scanner.worker import scan_chunk
from tests.builders import dicom_film, film_pixels, write_film


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for seed, name in enumerate(("a.jpg", "b.png", "c.tif", "d.bmp", "e.jpeg")):
        write_film(folder / name, seed, height=300 + 90 * seed, width=400)
    (folder / "f.dcm").write_bytes(dicom_film(film_pixels(9, height=260, width=300)))
    return folder


def scanned(folder: Path, settings: ScanSettings) -> list[ScanResult]:
    outcomes = scan_chunk(list(find_images([folder])), settings)
    return [outcome for outcome in outcomes if isinstance(outcome, ScanResult)]


def cells(film: ScanResult) -> np.ndarray:
    assert film.heat_map is not None
    return np.frombuffer(film.heat_map.values, "<f2").astype(float)


def test_keras_gives_the_results_of_litert_over_a_folder(folder: Path) -> None:
    settings = ScanSettings(gate="off")
    litert, keras = scanned(folder, settings), scanned(folder, replace(settings, engine="keras"))
    assert [film.status for film in litert] == ["scored"] * 6
    assert [film.name for film in keras] == [film.name for film in litert]
    probs = np.array([[film.prob_pneumonia for film in films] for films in (litert, keras)], dtype=float)
    assert np.abs(probs[0] - probs[1]).max() <= 2e-3
    heat = np.array([[cells(film) for film in films] for films in (litert, keras)])
    np.testing.assert_allclose(heat[0], heat[1], atol=2e-3 * heat.max())


def test_a_films_answer_does_not_depend_on_its_batch() -> None:
    spec = load_bundle(DEFAULT_BUNDLE)
    films = np.stack([to_model_input(film_pixels(i).astype(np.float32) / 255, spec.input_px) for i in range(5)])
    engine = open_engine("litert", spec, 1)
    together, alone = engine.predict(films), [engine.predict(films[i : i + 1]) for i in range(5)]
    np.testing.assert_allclose(together.logits, [one.logits[0] for one in alone], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(together.heat_maps, [one.heat_maps[0] for one in alone], rtol=1e-4, atol=1e-6)
    assert together.embeddings.shape == (5, 1280)


def test_keras_refuses_a_graph_of_another_width() -> None:
    spec = load_bundle(DEFAULT_BUNDLE)
    training = {**spec.training, "config": {**spec.training["config"], "alpha": 0.5}}
    with pytest.raises(BundleError, match="another network") as caught:
        open_engine("keras", replace(spec, training=training), 1)
    assert caught.value.code == "bundle-invalid"
