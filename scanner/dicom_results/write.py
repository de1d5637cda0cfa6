"""From a run folder to a folder of results: reports and a capture for each DICOM film.

The films are found and read once more, as the run found them; the answers come from the journal.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path

from cxrscan.scanner.dicom_results.film_results import (
    FRAME,
    FilmResults,
    Problem,
    ResultsRequest,
    Wanted,
    write_film_results,
)
from cxrscan.scanner.dicom_results.folder import prepare_folder
from cxrscan.scanner.errors import WorkerError
from cxrscan.scanner.records import Film, ImageSource, RunInfo
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.runs.journal import Journal, stored_info, stored_model, stored_reading
from cxrscan.scanner.sources.stored import stored_roots
from cxrscan.scanner.sources.walk import Root, find_images
from cxrscan.scanner.system.text import count

_FEW = 8  # files that this process writes about itself: starting others takes about as long

#: Files for each process that wait for it.
_AHEAD = 4

_Task = tuple[ImageSource, Sequence[Film]]


@dataclass(frozen=True, slots=True)
class ResultsTally:
    """What became of writing results: owns the counts, the closing sentence and the exit code."""

    folder: Path
    n_reports: int
    n_region_reports: int
    n_captures: int
    n_unchanged: int
    """Objects that were there already."""
    n_no_dicom: int
    """Films that are no DICOM, and so belong to no study."""
    problems: tuple[Problem, ...]

    @property
    def exit_code(self) -> int:
        """0 ok, 3 when a DICOM film that should have a result has none."""
        return 3 if self.problems else 0

    @property
    def sentence(self) -> str:
        """What was written, for people."""
        written = [count(self.n_reports, "structured report")]
        written += [count(self.n_region_reports, "report of regions", "reports of regions")]
        parts = [f"{', '.join(written)} and {count(self.n_captures, 'secondary capture')} written"]
        parts += [f"{count(self.n_unchanged, 'object')} already there"] if self.n_unchanged else []
        parts += [f"{count(self.n_no_dicom, 'film')} left out, being no DICOM"] if self.n_no_dicom else []
        parts += [f"{count(len(self.problems), 'film')} without a result"] if self.problems else []
        return ", ".join(parts) + "."


def write_results(
    run_folder: Path,
    folder: Path,
    wanted: Wanted,
    *,
    roots: Sequence[Root] | None = None,
    n_workers: int = 1,
    on_film: Callable[[FilmResults], None] = lambda results: None,
) -> ResultsTally:
    """Write the results of a run.

    Parameters
    ----------
    folder
        Where to; made with mode 0700, or a folder of earlier results.
    roots
        Where the films are; None for where the run found them.
    n_workers
        Processes that read films and draw.
    on_film
        Called with what was written about each file.

    Raises
    ------
    CxrscanError
        The run, the films' place or the folder cannot be used.
    """
    with Journal(run_folder, read_only=True) as journal:
        run, reading = Run(stored_info(journal), stored_model(journal)), stored_reading(journal)
        films = [_light(film) for film in journal.films() if wanted.takes(film)]
    missing = _by_file(film for film in films if film.result.kind == "dicom")
    n_no_dicom = sum(film.result.kind != "dicom" for film in films)
    prepare_folder(folder)
    write = partial(write_film_results, request=ResultsRequest(folder, wanted, run, reading))
    done = []
    for results in _written(write, _tasks(roots or stored_roots(run.info), dict(missing), run.info), n_workers):
        missing.pop(results.name, None)
        done.append(results)
        on_film(results)
    for name in missing:
        done.append(FilmResults(name, problem=Problem(name, "unreadable", "The film is no longer where it was.")))
        on_film(done[-1])
    return ResultsTally(
        folder,
        n_reports=sum(results.n_reports for results in done),
        n_region_reports=sum(results.n_region_reports for results in done),
        n_captures=sum(results.n_captures for results in done),
        n_unchanged=sum(results.n_unchanged for results in done),
        n_no_dicom=n_no_dicom,
        problems=tuple(results.problem for results in done if results.problem is not None),
    )


def _light(film: Film) -> Film:
    """A film without its thumbnail: those of 100,000 films would fill the memory."""
    return replace(film, result=replace(film.result, thumbnail=b""))


def _by_file(films: Iterable[Film]) -> dict[str, list[Film]]:
    """The films of each file: one, or one for each frame."""
    groups: dict[str, list[Film]] = {}
    for film in films:
        groups.setdefault(FRAME.sub("", film.result.name), []).append(film)
    return groups


def _tasks(roots: Sequence[Root], films: dict[str, list[Film]], info: RunInfo) -> Iterator[_Task]:
    """The files that have results to be written, as the run found them."""
    for source in find_images(roots, follow_links=bool(info.arguments.get("follow_links"))):
        if source.name in films:
            yield source, films[source.name]


def _written(write: Callable[[_Task], FilmResults], tasks: Iterator[_Task], n_workers: int) -> Iterator[FilmResults]:
    """Write the results of all files: a few here, many in other processes."""
    first = list(islice(tasks, _FEW))
    if n_workers == 1 or len(first) < _FEW:
        yield from map(write, first)
        yield from map(write, tasks)
        return
    waiting: deque[Future[FilmResults]] = deque()
    with ProcessPoolExecutor(n_workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            for task in chain(first, tasks):
                waiting.append(pool.submit(write, task))
                if len(waiting) > _AHEAD * n_workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise WorkerError("workers-failed", "A process that writes results died.") from error
        finally:
            pool.shutdown(cancel_futures=True)
