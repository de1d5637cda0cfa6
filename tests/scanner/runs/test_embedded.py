"""A run keeps what the network made of each film, and gives it back with the log-odds."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, load_bundle, read_document
from cxrscan.scanner.preprocess import to_model_input
from cxrscan.scanner.readers import ReadOptions, read_film
from cxrscan.scanner.records import Film
from cxrscan.scanner.runs.embedded import embedded_films
from cxrscan.scanner.runs.journal import Journal
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.sources.walk import find_images
from cxrscan.scanner.worker import open_model, scan_chunk
from tests.builders import write_film
from tests.reports.films import INFO, failed, scored


def write_run(folder: Path, films: list[Film]) -> Path:
    """A run folder that holds these films."""
    with Journal(folder, create=True) as journal:
        journal.put("model", read_document(DEFAULT_BUNDLE))
        journal.put("run", asdict(replace(INFO, threshold_name="custom")))
        journal.start_session("key")
        journal.add_films(films)
    return folder


def test_a_run_gives_back_what_the_network_said_of_its_films(tmp_path: Path) -> None:
    paths = [write_film(tmp_path / f"films/{seed}.png", seed, height=300, width=300) for seed in (0, 1)]
    settings = ScanSettings()
    results = scan_chunk(list(find_images([tmp_path / "films"])), settings)
    run = write_run(tmp_path / "run", [Film(result) for result in results])  # type: ignore[arg-type]
    spec, engine = open_model(settings)
    options = ReadOptions.for_model(spec)
    inputs = [to_model_input(read_film(path.read_bytes(), options)[0].pixels, spec.input_px) for path in paths]
    said = engine.predict(np.stack(inputs))
    with Journal(run, read_only=True) as journal:
        films = list(embedded_films(journal))
    assert [film.film.result.name for film in films] == ["0.png", "1.png"]
    assert np.stack([film.embedding for film in films]) == pytest.approx(said.embeddings, abs=2e-3)
    assert [film.log_odds for film in films] == pytest.approx(said.logits.tolist(), abs=1e-9)


def test_without_embeddings_a_run_says_so_and_scores_the_same(tmp_path: Path) -> None:
    write_film(tmp_path / "films/1.png", 1, height=300, width=300)
    sources = list(find_images([tmp_path / "films"]))
    (kept,) = scan_chunk(sources, ScanSettings())
    (bare,) = scan_chunk(sources, ScanSettings(embeddings=False))
    assert len(kept.embedding) == 2560  # type: ignore[union-attr]
    assert bare == replace(kept, embedding=b"", duration_ms=bare.duration_ms)  # type: ignore[type-var, union-attr]
    run = write_run(tmp_path / "run", [Film(bare)])  # type: ignore[arg-type]
    with Journal(run, read_only=True) as journal, pytest.raises(RunFolderError) as caught:
        list(embedded_films(journal))
    assert caught.value.code == "no-embeddings"


def test_embeddings_of_two_lengths_are_refused(tmp_path: Path) -> None:
    other = scored("b.jpg", 0.4)
    films = [scored("a.jpg", 0.2), replace(other, result=replace(other.result, embedding=b"\1" * 20)), failed("c.jpg")]
    run = write_run(tmp_path, films)
    with Journal(run, read_only=True) as journal, pytest.raises(RunFolderError) as caught:
        list(embedded_films(journal))
    assert caught.value.code == "journal-format"


@pytest.mark.parametrize("log_odds", [-30.0, -2.5, 0.0, 1e-3, 4.0, 12.0])
def test_log_odds_come_back_from_the_probability_in_each_population(log_odds: float) -> None:
    model = load_bundle(DEFAULT_BUNDLE)
    for population in model.calibrations:
        back = model.log_odds(model.probability(log_odds, population), population)
        assert back == pytest.approx(log_odds, abs=1e-3)


def test_the_log_odds_of_certain_films_are_finite() -> None:
    model = load_bundle(DEFAULT_BUNDLE)
    assert -1e4 < model.log_odds(0.0) < -15
    assert 15 < model.log_odds(1.0) < 1e4
