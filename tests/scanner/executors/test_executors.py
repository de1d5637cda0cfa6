"""The pool gives the same results with any number of workers, and outlives crashes and hangs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from multiprocessing import active_children
from pathlib import Path

import pytest

from cxrscan.scanner.errors import CxrscanError
from cxrscan.scanner.executors.base import Chunk, Executor
from cxrscan.scanner.executors.processes import ProcessExecutor
from cxrscan.scanner.records import ImageSource, ScanResult, Skip
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.sources.walk import find_images
from tests.builders import write_film


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[ImageSource]:
    folder = tmp_path_factory.mktemp("films")
    for seed in range(10):
        write_film(folder / f"{seed}.png", seed, height=210, width=210)
    return list(find_images([folder]))


def chunks(films: list[ImageSource], size: int) -> Iterator[Chunk]:
    yield from (films[start : start + size] for start in range(0, len(films), size))


def scan(executor: Executor, films: list[ImageSource], size: int = 4) -> dict[str, ScanResult]:
    outcomes = [outcome for done in executor.run(chunks(films, size), ScanSettings()) for outcome in done]
    assert len(outcomes) == len(films)
    return {outcome.name: outcome for outcome in outcomes if isinstance(outcome, ScanResult)}


@pytest.mark.parametrize("executor", [ProcessExecutor(1), ProcessExecutor(3)])
def test_any_number_of_workers_scans_every_film_once(executor: Executor, films: list[ImageSource]) -> None:
    results = scan(executor, films)
    assert results.keys() == {film.name for film in films}
    assert {result.status for result in results.values()} == {"scored"}


def test_a_model_that_cannot_be_used_ends_the_run(films: list[ImageSource], tmp_path: Path) -> None:
    with pytest.raises(CxrscanError) as caught:
        list(ProcessExecutor(2).run(chunks(films, 4), ScanSettings(model=tmp_path)))
    assert caught.value.code == "bundle-missing"


def test_chunks_are_taken_only_as_workers_get_free(films: list[ImageSource]) -> None:
    taken = 0

    def stream() -> Iterator[Chunk]:
        nonlocal taken
        for chunk in chunks(films * 10, 5):
            taken += 1
            yield chunk

    results = ProcessExecutor(2).run(stream(), ScanSettings())
    next(results)
    assert taken <= 4
    results.close()  # type: ignore[attr-defined]


def poison(sources: Chunk, settings: ScanSettings) -> list[ScanResult | Skip]:
    for source in sources:
        if source.name == "3.png":
            os.kill(os.getpid(), signal.SIGSEGV)
        if source.name == "7.png":
            time.sleep(1000)
    return [ScanResult(source.name, source.kind, source.size_bytes, source.mtime_ns) for source in sources]


def test_a_crash_and_a_hang_cost_one_film_each(films: list[ImageSource]) -> None:
    results = scan(ProcessExecutor(2, timeout_s=3.0, scan=poison), films)
    codes = {name: result.failure.code for name, result in results.items() if result.failure}
    assert codes == {"3.png": "worker-died", "7.png": "timed-out"}
    assert len(results) == len(films)


class StartsTheSecondTime:
    """Takes the first process along that unpickles it."""

    def __init__(self, first: Path) -> None:
        self.first = first

    def __call__(self, sources: Chunk, settings: ScanSettings) -> list[ScanResult | Skip]:
        return poison(sources, settings)

    def __setstate__(self, state: dict[str, Path]) -> None:
        self.__dict__ = state
        try:
            self.first.unlink()
        except FileNotFoundError:
            return
        os._exit(3)


def test_a_worker_that_dies_while_it_starts_costs_no_film(films: list[ImageSource], tmp_path: Path) -> None:
    (tmp_path / "first").touch()
    some = [film for film in films if film.name not in {"3.png", "7.png"}]
    results = scan(ProcessExecutor(1, scan=StartsTheSecondTime(tmp_path / "first")), some)
    assert len(results) == 8
    assert not [result for result in results.values() if result.failure]
    assert not (tmp_path / "first").exists()


class Unstartable:
    """Pickles here and takes the process along that unpickles it."""

    def __call__(self, sources: Chunk, settings: ScanSettings) -> list[ScanResult | Skip]:
        raise AssertionError("never reached")

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return os._exit, (3,)


def test_workers_that_cannot_start_end_the_run(films: list[ImageSource]) -> None:
    with pytest.raises(CxrscanError) as caught:
        scan(ProcessExecutor(2, scan=Unstartable()), films)
    assert caught.value.code == "workers-failed"


def test_films_that_come_later_are_scanned_by_the_same_workers(films: list[ImageSource]) -> None:
    given: list[str] = []
    done: list[str] = []

    def chunks_in_time() -> Iterator[Chunk]:
        for film in films[:4]:
            given.append(film.name)
            yield [film]
            while len(done) < len(given):
                yield []

    for outcomes in ProcessExecutor(2).run(chunks_in_time(), ScanSettings()):
        done += [outcome.name for outcome in outcomes]
    assert done == [film.name for film in films[:4]]


def test_a_worker_that_dies_while_it_has_nothing_to_do_costs_no_film(films: list[ImageSource]) -> None:
    done: list[ScanResult | Skip] = []

    def chunks_in_time() -> Iterator[Chunk]:
        yield [films[0]]
        while not done:
            yield []
        (worker,) = children()
        os.kill(worker, signal.SIGKILL)
        while children():
            time.sleep(0.01)
        yield [films[1]]

    for outcomes in ProcessExecutor(1).run(chunks_in_time(), ScanSettings()):
        done += outcomes
    assert [getattr(outcome, "failure", None) for outcome in done] == [None, None]


def children() -> list[int]:
    """This process's workers that live."""
    return [child.pid for child in active_children() if child.pid is not None]
