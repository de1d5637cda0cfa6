"""A bundle learns what its validation films look like, and a run over the same films does not differ from them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cxrscan.scanner.evaluation.drift import find_drift
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, load_bundle
from cxrscan.scanner.populations.portrait import portray
from cxrscan.scanner.populations.reference import references
from cxrscan.scanner.records import Film, ScanResult
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.sources.walk import find_images
from cxrscan.scanner.worker import scan_chunk
from cxrscan.training.drift_reference import add_reference
from cxrscan.training.films import FilmFile
from tests.builders import write_film


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    for name in ("model.json", "model.tflite"):
        shutil.copyfile(DEFAULT_BUNDLE / name, folder / name)
    return folder


def test_validation_films_are_described_as_a_run_sees_them(bundle: Path, tmp_path: Path) -> None:
    large = [write_film(tmp_path / f"films/{i:02}.png", i, height=400, width=420) for i in range(12)]
    small = [write_film(tmp_path / f"small/{i:02}.png", i, height=64, width=64) for i in range(12)]
    films = [
        FilmFile(path.stem, i % 2 == 1, f"patient {i}", (tiny, path), population="drawn")
        for i, (tiny, path) in enumerate(zip(small, large, strict=True))
    ]
    copies = [write_film(tmp_path / f"copies/{i:02}.png", 20 + i, height=64, width=64) for i in range(5)]
    add_reference(
        bundle, [*films, *(FilmFile(path.stem, True, path.stem, (path,), population="drawn") for path in copies)]
    )
    spec = load_bundle(bundle)
    (reference,) = references(spec)
    assert (reference.name, reference.n, reference.truth.sum()) == ("drawn", 12, 6)
    results = scan_chunk(list(find_images([tmp_path / "films"])), ScanSettings(gate="warn"))
    run = portray(lambda: [Film(result) for result in results if isinstance(result, ScanResult)], spec, "run")
    assert run.n == 12
    assert sorted(reference.log_odds) == pytest.approx(sorted(run.log_odds), abs=0.02)
    assert not find_drift(reference, run).is_found


def test_few_films_describe_nothing(bundle: Path, tmp_path: Path) -> None:
    before = load_bundle(bundle).reference
    add_reference(bundle, [FilmFile("1", True, "1", (write_film(tmp_path / "1.png", 1),))])
    assert load_bundle(bundle).reference == before
