"""What a scan would take, before it begins: a walk counts the films, and some of them are scanned for trial.

The trial runs as the scan would, in a folder of its own that is deleted. A part of its films goes first; then the same
run is continued with the rest. What the rest adds to the outputs is what a film costs.
"""

from __future__ import annotations

import math
import random
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from cxrscan.scanner.executors.processes import ProcessExecutor
from cxrscan.scanner.records import ImageSource, ScanResult, Skip
from cxrscan.scanner.render import Tally, WriteOutputs
from cxrscan.scanner.run import RunRequest, Wanted, carry_out, n_kept, prepare
from cxrscan.scanner.runs.layout import JOURNAL_NAME

_N_TRIED = 64
_FIRST = 4
"""The films that go first are one in so many."""
_WIDTH = 2.0
"""Standard errors on either side of the mean; 1.96 hold 95 % of a normal distribution."""
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run would scan, and what that would take."""

    n_films: int
    size_bytes: int
    """Of the films, as far as their places tell."""
    kinds: dict[str, int]
    """Format -> films; ``unknown`` where only the name promises one."""
    folders: dict[str, int]
    """First folder of the film's name, ``.`` for none -> films."""
    n_skipped: dict[str, int]
    """Reason -> files passed over."""
    n_kept: int
    """Results of earlier sessions in the output folder; films that have one are not scanned again."""
    n_tried: int
    n_workers: int
    film_s: float
    """Time of a worker for one film."""
    duration_s: tuple[float, float]
    """Range of the time for scanning and for the report, as far as the films that were tried are like the others."""
    outputs_bytes: dict[str, int]
    """Part of the outputs -> size."""


def forecast(request: RunRequest, write_outputs: WriteOutputs) -> Forecast:
    """Count what a run would scan, and try some of it; nothing is written but a folder that is deleted again.

    Raises
    ------
    CxrscanError
        What the run itself would raise before it scans: the model, the labels, the films or the folder cannot be used.
    """
    wanted = prepare(request, lambda outcome: None)
    there = n_kept(request)
    kinds: Counter[str] = Counter()
    folders: Counter[str] = Counter()
    size_bytes = 0

    def counted() -> Iterator[ImageSource]:
        nonlocal size_bytes
        for source in wanted.sources:
            kinds[source.kind or "unknown"] += 1
            folder, slash, _ = source.name.partition("/")
            folders[folder if slash else "."] += 1
            size_bytes += source.size_bytes or 0
            yield source

    tried = sample(counted(), _N_TRIED)
    n_films = kinds.total()
    trial = _try(wanted, tried, write_outputs) if tried else _NOTHING
    return Forecast(
        n_films=n_films,
        size_bytes=size_bytes,
        kinds=dict(kinds.most_common()),
        folders=dict(folders.most_common()),
        n_skipped=dict(wanted.n_skipped.most_common()),
        n_kept=there,
        n_tried=len(tried),
        n_workers=request.n_workers,
        film_s=statistics.fmean(trial.films_s),
        duration_s=_duration_s(trial, max(0, n_films - there), n_films, request.n_workers),
        outputs_bytes={
            part: round(_continued(trial.first_bytes[part], size, trial, n_films)) for part, size in trial.bytes.items()
        },
    )


def sample(items: Iterable[_Item], n: int) -> list[_Item]:
    """Draw ``n`` of any number of items, all equally probable, the same each time (Vitter 1985, algorithm R)."""
    chance = random.Random(0)
    drawn: list[_Item] = []
    for i, item in enumerate(items):
        if i < n:
            drawn.append(item)
        elif (place := chance.randint(0, i)) < n:
            drawn[place] = item
    return drawn


@dataclass(frozen=True, slots=True)
class _Trial:
    n_first: int
    n: int
    films_s: tuple[float, ...]
    """Time of each film."""
    first_bytes: dict[str, int]
    """Sizes of the outputs after the films that went first."""
    bytes: dict[str, int]
    first_render_s: float
    render_s: float


_NOTHING = _Trial(0, 0, (0.0,), {}, {}, 0.0, 0.0)


def _try(wanted: Wanted, films: list[ImageSource], write_outputs: WriteOutputs) -> _Trial:
    """Scan some films, in two sessions of one run."""
    n_first = max(1, len(films) // _FIRST)
    films_s: list[float] = []

    def note(outcome: ScanResult | Skip | None) -> None:
        if isinstance(outcome, ScanResult):
            films_s.append(outcome.duration_ms / 1e3)

    with TemporaryDirectory(prefix="cxrscan-") as folder:
        out = Path(folder) / "trial"
        request = _trial_request(wanted.request, out, len(films))

        def session(part: list[ImageSource]) -> Tally:
            taken = replace(wanted, request=request, labels=None, sources=iter(part), n_skipped=Counter())
            return carry_out(taken, write_outputs, on_start=lambda start: None, on_file=note)

        first = session(films[:n_first])
        first_bytes = _sizes(out)
        if len(films) > n_first:
            films_s.clear()
        last = session(films)
        return _Trial(
            n_first,
            len(films),
            tuple(films_s) or (0.0,),
            first_bytes,
            _sizes(out),
            first.outputs.render_s,
            last.outputs.render_s,
        )


def _trial_request(request: RunRequest, out: Path, n: int) -> RunRequest:
    """The request for the trial: the same work in another folder, on this computer, without a key to be kept."""
    n_workers = min(request.n_workers, n)
    share = max(1, n // (2 * n_workers))
    return replace(
        request,
        out=out,
        settings=replace(request.settings, batch_size=min(request.settings.batch_size, share)),
        executor=ProcessExecutor(n_workers, timeout_s=request.timeout_s, max_memory_gib=request.max_memory_gib),
        labels=None,
        dicom_ids=None,
        fresh=False,
    )


def _sizes(out: Path) -> dict[str, int]:
    """Size of each part of the outputs, in bytes."""
    sizes = {"journal": 0, "report": 0, "tables": 0}
    for path in out.rglob("*"):
        if path.is_file():
            name = path.relative_to(out).parts[0]
            part = (
                "journal"
                if name.startswith(JOURNAL_NAME)
                else "tables"
                if name.startswith(("results.", "studies."))
                else "report"
            )
            sizes[part] += path.stat().st_size
    return sizes


def _continued(first: float, last: float, trial: _Trial, n: int) -> float:
    """What comes of ``n`` films where ``first`` came of those that went first, and ``last`` of all that were tried."""
    n_more = trial.n - trial.n_first
    return max(last, last + (last - first) / n_more * (n - trial.n)) if n_more else last


def _duration_s(trial: _Trial, n_to_scan: int, n_films: int, n_workers: int) -> tuple[float, float]:
    mean = statistics.fmean(trial.films_s)
    deviation = statistics.stdev(trial.films_s) if len(trial.films_s) > 1 else 0.0
    error = _WIDTH * deviation / math.sqrt(len(trial.films_s))
    render_s = _continued(trial.first_render_s, trial.render_s, trial, n_films)
    low, high = (max(0.0, each) * n_to_scan / n_workers + render_s for each in (mean - error, mean + error))
    return low, high
