"""The story of a run: walk -> executor -> journal -> outputs."""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.executors.base import Chunk, Executor
from cxrscan.scanner.model_bundle import ModelSpec
from cxrscan.scanner.records import Band, Duplicates, ImageSource, RunInfo, ScanResult, Skip, StudyRule
from cxrscan.scanner.render import Tally, WriteOutputs, render_journal
from cxrscan.scanner.runs.claim import refuse_to_replace, set_aside
from cxrscan.scanner.runs.grouping import refuse_unknown_column, with_grouping
from cxrscan.scanner.runs.journal import Journal, stored_info
from cxrscan.scanner.runs.layout import JOURNAL_NAME
from cxrscan.scanner.settings import ScanSettings, result_key
from cxrscan.scanner.sources.filters import Filter
from cxrscan.scanner.sources.walk import Root, find_images
from cxrscan.scanner.system.stopwatch import Stopwatch
from cxrscan.scanner.trial import TriedBundle, open_bundle
from cxrscan.version import __version__

if TYPE_CHECKING:
    from cxrscan.scanner.evaluation.labels import LabelRequest, Labels

#: Libraries whose version can change a number; the manifest names them.
_LIBRARIES = ("ai-edge-litert", "numpy", "opencv-python-headless", "pillow", "pydicom", "imagecodecs")
#: Fewer films than this are scanned by one worker with many threads: starting more takes about as long.
_SMALL_JOB = 32
_REASONS_TOLD = 5  # where there is no film at all


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM)."""


@dataclass(frozen=True, slots=True)
class Start:
    """What is known when the workers start."""

    n_first: int
    """Films to scan; 32 stands for more."""
    n_there: int
    """Results of earlier sessions in the folder."""
    model: str
    """Name and version."""


OnStart = Callable[[Start], None]
OnFile = Callable[[ScanResult | Skip | None], None]


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What the user asked for."""

    roots: tuple[Root, ...]
    out: Path
    settings: ScanSettings
    n_workers: int
    executor: Executor | None = None
    """Where to scan; None for this process or a pool of processes, as the job's size asks for."""
    timeout_s: float = 60.0
    """Longest time for one film, in seconds, where there are several."""
    max_memory_gib: float = 4.0
    """Memory that each process which reads films may take, in GiB, where the system can limit it; 0 for no limit."""
    threshold: str | None = None
    """Operating point or number; None for that of the run in the folder, else the bundle's default."""
    refer: Band | Literal["off"] | None = None
    """Films with a probability in this band are marked REFER; None for what an earlier session in the folder did."""
    labels: LabelRequest | None = None
    """Where the truth is, or None."""
    keep_labels: bool = False
    """Whether the labels of the run that is in the folder count on."""
    duplicates: Duplicates | None = None
    """See ``RunInfo.duplicates``; None for what an earlier session in the folder did, else ``keep``."""
    group: str | None = None
    """See ``RunInfo.group``, ``off`` for no studies; None for what an earlier session in the folder did."""
    study_rule: StudyRule | None = None
    """See ``RunInfo.study_rule``; None likewise."""
    dicom_ids: Literal["hashed", "plain"] | None = None
    """Whether identifiers go into the table: hashed with a key of this run, or plain."""
    names: Literal["plain", "hashed"] = "plain"
    """Whether outputs call the films as their folder does, or by their files' hash."""
    keep: Filter = field(default_factory=Filter)
    follow_links: bool = False
    """Whether links to folders, and to files outside the folder given, are followed."""
    fresh: bool = False
    """Whether to forget an earlier run in the same folder."""
    arguments: dict[str, Any] | None = None
    """The command's options, for the manifest."""
    argument_sources: dict[str, str] = field(default_factory=dict)
    """See ``RunInfo.argument_sources``."""


def run(
    request: RunRequest,
    write_outputs: WriteOutputs,
    *,
    on_start: OnStart = lambda start: None,
    on_file: OnFile = lambda outcome: None,
) -> Tally:
    """Scan, journal and render.

    Parameters
    ----------
    request
        What to scan, and how.
    write_outputs
        Renders the outputs from the journal.
    on_start
        Called once the workers are starting.
    on_file
        Called for every file: its result, why it was skipped, or None when an earlier session did it.

    Raises
    ------
    CxrscanError
        The model, the labels, the input or the output folder cannot be used.
    """
    return carry_out(prepare(request, on_file), write_outputs, on_start=on_start, on_file=on_file)


def carry_out(wanted: Wanted, write_outputs: WriteOutputs, *, on_start: OnStart, on_file: OnFile) -> Tally:
    """Scan, journal and render what ``prepare`` has found; parameters and errors as of ``run``."""
    wanted = _with_kept_labels(wanted)
    request = wanted.request
    aside = None if request.fresh else set_aside(request.out, _roots(request), _shard(request), wanted.bundle.document)
    with Journal(request.out, create=True) as journal:
        session = _open(journal, wanted)
        session = _scan(session, on_start, on_file)
        return _close(session, write_outputs, aside)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request whose model, labels and films are there; no folder has been made for it yet."""

    request: RunRequest
    bundle: TriedBundle
    point: tuple[str, float]
    """Name and value of the threshold."""
    labels: Labels | None
    sources: Iterator[ImageSource]
    n_skipped: Counter[str]
    on_skip: Callable[[Skip], None]
    watch: Stopwatch

    @property
    def places(self) -> tuple[Path, ...]:
        """Where films are; of remote ones, class folders have only the names."""
        return tuple(Path(str(root)) for root in self.request.roots)


@dataclass(frozen=True, slots=True)
class Session:
    """One process's turn at a run."""

    wanted: Wanted
    journal: Journal
    info: RunInfo
    settings: ScanSettings
    started: float
    n_there: int
    """Results of earlier sessions."""
    n_new: int = 0


def open_growing(request: RunRequest) -> Session:
    """Take a folder for a run whose films come while it goes on; whoever calls owns it (``runs.growing.owning``).

    Nothing is walked, scanned or rendered. The caller closes the session's journal.

    Raises
    ------
    CxrscanError
        The model or the output folder cannot be used.
    """
    bundle = open_bundle(request.settings.model)
    point = bundle.spec.threshold(request.threshold)
    wanted = _with_kept_labels(
        Wanted(request, bundle, point, None, iter(()), Counter(), lambda skip: None, Stopwatch())
    )
    set_aside(request.out, _roots(request), _shard(request), bundle.document)
    journal = Journal(request.out, create=True, shared=True)
    try:
        return _open(journal, wanted)
    except BaseException:
        journal.close()
        raise


def prepare(request: RunRequest, on_file: OnFile) -> Wanted:
    """Find out whether the request can be met; what cannot be used is told before a folder is made."""
    bundle = open_bundle(request.settings.model)
    point = bundle.spec.threshold(request.threshold)
    n_skipped: Counter[str] = Counter()

    def skip(what: Skip) -> None:
        n_skipped[what.reason] += 1
        on_file(what)

    watch = Stopwatch()
    sources = watch.each(
        "walk", find_images(request.roots, keep=request.keep, follow_links=request.follow_links, on_skip=skip)
    )
    wanted = Wanted(request, bundle, point, None, sources, n_skipped, skip, watch)
    if request.labels is not None:
        wanted = replace(wanted, labels=_open_labels(request.labels, wanted.places))
    if wanted.labels is not None or not request.keep_labels:
        columns, source = (wanted.labels.columns, wanted.labels.source) if wanted.labels is not None else ((), "")
        refuse_unknown_column(request.group or "", columns, source)
    if request.keep.shard is None:  # a shard of few films may be empty, and is still wanted for the merge
        wanted = replace(wanted, sources=_not_empty(sources, request.roots, n_skipped))
    return wanted


def n_kept(request: RunRequest) -> int:
    """How many results of earlier sessions a request would go on with; refuses a folder that the run would refuse."""
    if request.fresh or not (request.out / JOURNAL_NAME).exists():
        return 0
    with Journal(request.out, read_only=True) as journal:
        return 0 if _claim(journal, request) is None else journal.n_results()


def _open(journal: Journal, wanted: Wanted) -> Session:
    """Take the folder for this run, or go on with the run that is there."""
    request = wanted.request
    earlier = _claim(journal, request)
    if earlier is not None and wanted.labels is None and _has_labels(journal, earlier):
        raise RunFolderError("labels-dropped", f"The run in {request.out} has labels ({earlier.labels}).")
    info = _info(wanted, earlier)
    settings = replace(wanted.bundle.hold(request.settings), dicom_ids=_id_key(journal, request.dicom_ids))
    versions = {"cxrscan": __version__, **_library_versions()}
    shaping = settings.shaping(wanted.bundle.document, versions)
    if earlier is not None:
        wanted.watch.add(earlier.profile_s)
        refuse_to_replace(journal, earlier, info, shaping.keys() - versions.keys(), shaping)
    journal.put("model", wanted.bundle.document)
    journal.put("run", asdict(info))
    journal.put("reading", asdict(settings.reading))
    if request.labels is not None:
        journal.put("label_request", asdict(request.labels))
    journal.put("shaping", shaping)
    journal.start_session(result_key(shaping))
    return Session(wanted, journal, info, settings, time.monotonic(), journal.n_results())


def _info(wanted: Wanted, earlier: RunInfo | None) -> RunInfo:
    """What is true of a run that begins, or goes on with what an earlier session decided."""
    request, (threshold_name, threshold) = wanted.request, wanted.point
    refer = None if request.refer == "off" else request.refer
    if earlier is not None:
        if request.threshold is None:
            threshold_name, threshold = earlier.threshold_name, earlier.threshold
        refer = earlier.refer if request.refer is None else refer
    info = RunInfo(
        version=__version__,
        roots=_roots(request),
        arguments=request.arguments or {},
        argument_sources=request.argument_sources,
        started_at=earlier.started_at if earlier is not None else _now(),
        finished_at=_now(),
        exit_reason="interrupted",  # until the end is reached
        threshold=threshold,
        threshold_name=threshold_name,
        labels=wanted.labels.source if wanted.labels is not None else "",
        n_skipped={},
        duration_s=earlier.duration_s if earlier is not None else 0.0,
        versions=_versions(),
        refer=refer,
        notes=_notes(wanted.bundle.spec, request.settings),
        shard=_shard(request),
        names=request.names,
        duplicates=request.duplicates or (earlier.duplicates if earlier is not None else "keep"),
        group=earlier.group if earlier is not None else "",
        study_rule=earlier.study_rule if earlier is not None else "highest",
    )
    return with_grouping(info, request.group, request.study_rule)


def _scan(session: Session, on_start: OnStart, on_file: OnFile) -> Session:
    """Scan what has no result yet, until all is done or somebody stops it."""
    journal, n_new = session.journal, 0

    def begin(n_first: int) -> None:
        on_start(Start(n_first, session.n_there, session.wanted.bundle.spec.label))

    def note(outcome: ScanResult | None) -> None:
        nonlocal n_new
        n_new += outcome is not None
        on_file(outcome)

    info = session.info
    try:
        _scan_missing(session, begin, note)
        journal.forget_unmet()
        info = replace(info, exit_reason="finished")
    except Terminated:
        info = replace(info, exit_reason="terminated")
    except KeyboardInterrupt:
        pass  # as noted at the start
    return replace(session, info=info, n_new=n_new)


def _close(session: Session, write_outputs: WriteOutputs, aside: Path | None) -> Tally:
    """Join the labels, note how the run ended, and render it."""
    journal, wanted = session.journal, session.wanted
    labels = wanted.labels
    joined = journal.join(labels) if labels is not None else None
    journal.set_truth(joined.truth if joined is not None else {})
    info = replace(
        session.info,
        finished_at=_now(),
        n_skipped=dict(sorted(wanted.n_skipped.items())),
        duration_s=round(time.monotonic() - session.started, 3) if session.n_new else session.info.duration_s,
        profile_s={stage: round(seconds, 4) for stage, seconds in wanted.watch.seconds.items()},
    )
    tally = render_journal(journal, info, write_outputs, joined)
    return replace(tally, n_new=session.n_new, advice=_advice(journal, labels, wanted.places, aside))


def _with_kept_labels(wanted: Wanted) -> Wanted:
    """A request with the labels of the run in the folder, where these are to be kept: it may not go on there."""
    request = wanted.request
    if not request.keep_labels or request.labels is not None or not (request.out / JOURNAL_NAME).is_file():
        return wanted
    with Journal(request.out, read_only=True) as journal:
        info = stored_info(journal) if journal.get("run") is not None else None
        if info is None or not _has_labels(journal, info):
            return wanted
        kept = _stored_labels(journal)
        if kept is None:
            return replace(wanted, labels=_labels_in(journal, info.labels))
    return replace(wanted, request=replace(request, labels=kept), labels=_open_labels(kept, wanted.places))


def _has_labels(journal: Journal, info: RunInfo) -> bool:
    """Whether a run has labels that are not to be forgotten without a word: some that fit a film."""
    return bool(info.labels) and (info.exit_reason != "finished" or journal.is_labelled())


def _stored_labels(journal: Journal) -> LabelRequest | None:
    """Where a run's labels come from; None for those that are in no file, such as verdicts."""
    from cxrscan.scanner.evaluation.label_file import LabelColumns
    from cxrscan.scanner.evaluation.labels import LabelRequest

    stored = journal.get("label_request")
    if stored is None:
        return None
    try:
        return LabelRequest(str(stored["source"]), LabelColumns(**stored["columns"]))
    except (TypeError, KeyError) as error:
        raise journal.unfit("label_request") from error


def _labels_in(journal: Journal, source: str) -> Labels:
    """The labels of a run's films themselves."""
    from cxrscan.scanner.evaluation.labels import ReaderLabels

    return ReaderLabels(source, {film.result.name: film.truth for film in journal.films() if film.truth is not None})


def _open_labels(request: LabelRequest, places: tuple[Path, ...]) -> Labels:
    from cxrscan.scanner.evaluation.labels import open_labels  # not on the way to every scan

    return open_labels(request, places)


def _advice(journal: Journal, labels: Labels | None, places: tuple[Path, ...], aside: Path | None) -> str:
    from cxrscan.scanner.evaluation.labels import has_class_folders

    told = []
    if aside is not None:
        told.append(f"The run of another model that was here lies in {aside}; `cxrscan compare` takes both.")
    if labels is None and has_class_folders(journal.names(), places):
        told.append("Films lie in folders NORMAL and PNEUMONIA: add --labels folders for sensitivity and specificity.")
    return " ".join(told)


def _scan_missing(
    session: Session, on_start: Callable[[int], None], on_file: Callable[[ScanResult | None], None]
) -> None:
    journal, watch = session.journal, session.wanted.watch

    def missing() -> Iterator[ImageSource]:
        for source in session.wanted.sources:
            with watch.measure("journal"):
                is_known = journal.holds(source)
                if is_known:
                    journal.note_met(source)
            if is_known:
                on_file(None)
            else:
                yield source

    todo = missing()
    first = list(islice(todo, _SMALL_JOB))
    executor, settings = _executor(len(first), session)

    def chunks() -> Iterator[Chunk]:
        on_start(len(first))  # executors start their workers before they ask for the first chunk
        yield from _chunks(chain(first, todo), settings.batch_size)

    for outcomes in executor.run(chunks(), settings):
        with watch.measure("journal"):
            journal.add(outcome for outcome in outcomes if isinstance(outcome, ScanResult))
        for outcome in outcomes:
            if isinstance(outcome, Skip):
                session.wanted.on_skip(outcome)
            else:
                watch.add(outcome.stage_s)
                on_file(outcome)


def _executor(n_first: int, session: Session) -> tuple[Executor, ScanSettings]:
    """The one asked for; else one worker with many threads for a small job, one for each core for a large one."""
    request, settings = session.wanted.request, session.settings
    if request.executor is not None:
        return request.executor, settings
    n_workers = request.n_workers if n_first >= _SMALL_JOB else 1
    if n_workers == 1:
        settings = replace(settings, n_threads=request.n_workers)
    from cxrscan.scanner.executors.processes import ProcessExecutor

    return ProcessExecutor(n_workers, timeout_s=request.timeout_s, max_memory_gib=request.max_memory_gib), settings


def _chunks(sources: Iterator[ImageSource], size: int) -> Iterator[Chunk]:
    while chunk := list(islice(sources, size)):
        yield chunk


def _not_empty(
    sources: Iterator[ImageSource], roots: tuple[Root, ...], n_skipped: Counter[str]
) -> Iterator[ImageSource]:
    first = next(sources, None)
    if first is None:
        where = ", ".join(map(str, roots))
        skipped = ", ".join(f"{count} x {reason}" for reason, count in n_skipped.most_common(_REASONS_TOLD))
        told = f" Passed over: {skipped}." if n_skipped else ""
        raise RunFolderError("no-images", f"No film found in {where}.{told}")
    return chain([first], sources)


def _claim(journal: Journal, request: RunRequest) -> RunInfo | None:
    """The run that is there and goes on; refuse another one, or start over where asked to."""
    if request.fresh:
        journal.clear()
    if journal.get("run") is None:
        return None
    earlier = stored_info(journal)
    if (earlier.roots, earlier.shard) != (_roots(request), _shard(request)):
        part = f" (shard {earlier.shard})" if earlier.shard else ""
        raise RunFolderError("other-run", f"{request.out} holds a run over {', '.join(earlier.roots)}{part}.")
    return earlier


def _roots(request: RunRequest) -> tuple[str, ...]:
    return tuple(str(root.resolve()) for root in request.roots)


def _shard(request: RunRequest) -> str:
    return str(request.keep.shard or "")


def _id_key(journal: Journal, wanted: Literal["hashed", "plain"] | None) -> bytes | Literal["plain"] | None:
    """The key that this run's identifiers are hashed with, the same in every session."""
    if wanted != "hashed":
        return wanted
    from cxrscan.scanner.runs.id_keys import id_key

    return id_key(journal)


def _notes(spec: ModelSpec, settings: ScanSettings) -> tuple[str, ...]:
    """What the run cannot do with this bundle and these settings."""
    if settings.gate == "off":
        return ("The gate is off: pictures that are no chest film are scored too.",)
    if spec.gate is None:
        return ("The model bundle says nothing of its training films: the gate judges header and contrast only.",)
    return ()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "platform": "-".join((platform.system(), platform.release(), platform.machine())),
        **_library_versions(),
    }


@cache
def _library_versions() -> dict[str, str]:
    from importlib.metadata import version  # slow to import

    return {library: version(library) for library in _LIBRARIES}
