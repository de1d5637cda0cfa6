"""``cxrscan run``: scan folders."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from cxrscan.scanner.cli import options
from cxrscan.scanner.cli.configuration import settings_of, source_of
from cxrscan.scanner.cli.sections import InSections
from cxrscan.scanner.errors import CxrscanError
from cxrscan.scanner.system.addresses import without_secrets
from cxrscan.scanner.system.text import count, printable

if TYPE_CHECKING:
    from cxrscan.scanner.engines.base import EngineName
    from cxrscan.scanner.evaluation.labels import LabelRequest
    from cxrscan.scanner.executors.base import Executor
    from cxrscan.scanner.forecast import Forecast
    from cxrscan.scanner.records import Band, Duplicates, StudyRule
    from cxrscan.scanner.render import Tally, WriteOutputs
    from cxrscan.scanner.run import RunRequest
    from cxrscan.scanner.settings import GateMode, ScanSettings
    from cxrscan.scanner.sources.filters import Filter, Shard
    from cxrscan.scanner.sources.remote import RemotePath
    from cxrscan.scanner.sources.walk import Root


def _roots(paths: tuple[Path | RemotePath, ...], from_file: str | None) -> tuple[Root, ...]:
    """Where films are looked for."""
    from cxrscan.scanner.sources.lists import FileList

    if not paths and from_file is None:
        raise click.UsageError("Name files or folders, or give --from-file.")
    if from_file is None:
        return paths
    return (*paths, FileList(from_file if from_file == "-" else str(Path(from_file).absolute())))


def _settings(
    bundle: Path | None,
    batch_size: int,
    engine: EngineName,
    max_megapixels: float,
    all_frames: bool,
    window: int | str,
    gate: GateMode,
    no_thumbnails: bool,
    no_embeddings: bool,
) -> ScanSettings:
    """How films are scanned."""
    from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE
    from cxrscan.scanner.settings import ScanSettings

    return ScanSettings(
        model=bundle or DEFAULT_BUNDLE,
        batch_size=batch_size,
        engine=engine,
        max_megapixels=max_megapixels,
        all_frames=all_frames,
        window=_window(window),
        gate=gate,
        thumbnail_px=0 if no_thumbnails else ScanSettings().thumbnail_px,
        embeddings=not no_embeddings,
    )


def _window(argument: object) -> int | None:
    """``--window``, a number from 1 or ``none`` -> ``ScanSettings.window``."""
    if argument == "none":
        return None
    return argument - 1 if isinstance(argument, int) else 0


def _filter(include: tuple[str, ...], exclude: tuple[str, ...], shard: Shard | None) -> Filter:
    """Which files are looked at."""
    from cxrscan.scanner.sources.filters import Filter

    return Filter(include, exclude, shard)


def _shard(text: str | None) -> Shard | None:
    """``3/16`` -> the third of sixteen parts."""
    if text is None:
        return None
    from cxrscan.scanner.sources.filters import Shard

    number, slash, of = text.partition("/")
    if not (slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise click.BadParameter("give K/N with K from 1 to N, for example 3/16")
    return Shard(int(number), int(of))


@dataclass(frozen=True, slots=True)
class _Workplace:
    """Where films are scanned, and what may be taken there; the options of these names."""

    executor: str
    workers: int | None
    scheduler: str | None
    cluster: Path | None
    timeout: float
    """Seconds for a film."""
    max_memory: float
    """GiB for each worker."""

    @property
    def n_workers(self) -> int:
        """Worker processes on this machine."""
        from cxrscan.scanner.system.cores import available_cores

        return self.workers or available_cores()


def _workplace(
    executor: str,
    workers: int | None,
    scheduler: str | None,
    cluster: Path | None,
    timeout: float,
    max_memory: float,
) -> _Workplace:
    """Where films are scanned; on this machine, where a first worker starts now."""
    if executor == "local":
        start_worker_early()
    return _Workplace(executor, workers, scheduler, cluster, timeout, max_memory)


def _local(place: _Workplace) -> None:
    """No executor: the run chooses one that fits the job."""
    if place.scheduler or place.cluster:
        raise click.UsageError("--scheduler and --cluster go with --executor dask.")


def _dask(place: _Workplace) -> Executor:
    if place.scheduler and place.cluster:
        raise click.UsageError("Give --scheduler or --cluster, not both.")
    if find_spec("distributed") is None or (place.cluster and find_spec("dask_jobqueue") is None):
        raise CxrscanError(
            "extra-missing", "--executor dask needs distributed and dask-jobqueue, from the extra `dask`."
        )
    from cxrscan.scanner.executors.dask import DaskExecutor, JobQueue, LocalWorkers, Scheduler

    if place.scheduler:
        return DaskExecutor(Scheduler(place.scheduler), timeout_s=place.timeout)
    where = JobQueue(place.cluster) if place.cluster else LocalWorkers(place.n_workers)
    return DaskExecutor(where, timeout_s=place.timeout)


_EXECUTORS: dict[str, Callable[[_Workplace], Executor | None]] = {
    "local": _local,
    "dask": _dask,
}
"""Name for ``--executor`` -> what makes it."""


@click.command(cls=InSections, short_help="Scan folders of films.")
@options.gathered("place", _workplace)  # first, so that a worker starts before anything large is loaded
@click.argument("paths", nargs=-1, type=options.Place(), metavar="PATHS...")
@click.option(
    "--from-file",
    metavar="FILE|-",
    type=options.LocalPath(),
    help="Scan also the files and URLs that a list names, one a line.",
)
@click.option(
    "-o",
    "--output",
    type=options.LocalPath(file_okay=False, path_type=Path),
    default=Path("cxrscan-out"),
    show_default=True,
    help="Folder for the results. An interrupted run is continued.",
)
@options.model
@options.labels
@options.duplicates
@options.group
@options.study_rule
@options.threshold
@options.refer
@click.option("--workers", type=click.IntRange(min=1), help="Worker processes; default: one per core.")
@click.option(
    "--batch-size", type=click.IntRange(1, 256), default=16, show_default=True, help="Films per chunk sent to a worker."
)
@click.option(
    "--engine",
    type=click.Choice(["litert", "keras"]),
    default="litert",
    show_default=True,
    help="What runs the network; keras needs the extra `train` and uses a GPU where there is one.",
)
@click.option("--include", multiple=True, metavar="GLOB", help="Look only at matching files; may be repeated.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Leave out matching files and folders; may be repeated.")
@click.option("--follow-links", is_flag=True, help="Follow links to folders, and to files outside the folder given.")
@click.option(
    "--shard",
    metavar="K/N",
    callback=lambda context, parameter, value: _shard(value),
    help="Look only at the K-th of N equal parts, chosen by the files' names; see `cxrscan merge`.",
)
@click.option("--max-megapixels", type=float, default=200.0, show_default=True, help="Refuse larger pictures.")
@click.option("--all-frames", is_flag=True, help="Score every frame of a multi-frame DICOM object, not only the first.")
@click.option(
    "--window",
    type=options.Window(),
    default=1,
    metavar="N|none",
    help="Which of a DICOM film's windows to use, or `none` for one that fits its pixels; default: 1.",
)
@click.option(
    "--include-dicom-ids",
    is_flag=False,
    flag_value="hashed",
    type=click.Choice(["hashed", "plain"]),
    help="Add identifiers of patient, study and object and the moment of acquisition to the table, hashed and with "
    "shifted days unless =plain is given.",
)
@click.option(
    "--film-names",
    type=click.Choice(["plain", "hashed"]),
    help="What outputs call the films: as their folder does, or by their files' hash; default: plain, "
    "hashed with hashed identifiers.",
)
@click.option(
    "--no-thumbnails", is_flag=True, help="Keep no small pictures: names burned into films stay out of all outputs."
)
@click.option(
    "--no-embeddings",
    is_flag=True,
    help="Keep no embeddings, 2.5 KB a film in the journal; `cxrscan adapt` and `cxrscan drift` need them.",
)
@click.option(
    "--gate",
    type=click.Choice(["strict", "warn", "off"]),
    default="strict",
    show_default=True,
    help="What becomes of pictures that are no frontal chest film: no score, a score with a warning, or no check.",
)
@click.option(
    "--executor",
    type=click.Choice(list(_EXECUTORS)),
    default="local",
    show_default=True,
    help="Where to scan: processes on this machine, or a Dask cluster (extra `dask`).",
)
@click.option("--scheduler", metavar="ADDRESS", help="The Dask scheduler, such as tcp://10.0.0.1:8786.")
@click.option(
    "--cluster",
    type=options.LocalPath(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.yaml",
    help="Dask workers as jobs of SLURM, PBS, LSF …; see docs/scaling.md.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=60.0,
    show_default=True,
    help="Give up on a film after this many seconds.",
)
@click.option(
    "--max-memory",
    type=click.FloatRange(min=0.0),
    default=4.0,
    show_default=True,
    help="GiB that each worker may take (Linux); 0: no limit.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Tell what would be scanned, how long it would take and how large the outputs would be; write nothing.",
)
@click.option("--keep-labels", is_flag=True, help="Continue with the labels of the run that is in the folder.")
@click.option("--resume/--fresh", default=True, help="Continue an earlier run in the folder, or start over.")
@click.option(
    "--dicom-results",
    is_flag=True,
    help="Also write the results as DICOM objects, into dicom-results/ of the output folder; see `cxrscan dicom`.",
)
@options.outputs
@click.option(
    "--fail-on-poor-fit",
    is_flag=True,
    help="End with exit code 4 when the films are unlike those that the model knows.",
)
@options.as_json
@options.quiet
@click.option("-v", "--verbose", is_flag=True, help="Tell why files are skipped or failed.")
@options.gathered("roots", _roots)
@options.gathered("settings", _settings)
@options.gathered("keep", _filter)
def run(
    roots: tuple[Root, ...],
    output: Path,
    settings: ScanSettings,
    keep: Filter,
    follow_links: bool,
    place: _Workplace,
    labels: LabelRequest | None,
    duplicates: Duplicates | None,
    group: str | None,
    study_rule: StudyRule | None,
    threshold: str | None,
    refer: Band | Literal["off"] | None,
    include_dicom_ids: Literal["hashed", "plain"] | None,
    film_names: Literal["plain", "hashed"] | None,
    resume: bool,
    keep_labels: bool,
    dry_run: bool,
    dicom_results: bool,
    write_outputs: WriteOutputs,
    fail_on_poor_fit: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Scan files and folders of films and write results.csv, report.html and run.json.

    \b
    cxrscan run films/                      results in ./cxrscan-out
    cxrscan run films/ --labels folders     with sensitivity and specificity
    cxrscan run s3://bucket/films           from a bucket, archive or server; see docs/scaling.md
    """
    from cxrscan.scanner.run import RunRequest

    if dicom_results:
        from cxrscan.scanner.cli.dicom import require_highdicom

        require_highdicom()
    request = RunRequest(
        roots=roots,
        out=output,
        settings=settings,
        n_workers=place.n_workers,
        executor=_EXECUTORS[place.executor](place),
        timeout_s=place.timeout,
        max_memory_gib=place.max_memory,
        threshold=threshold,
        refer=refer,
        labels=labels,
        keep_labels=keep_labels,
        duplicates=duplicates,
        group=group,
        study_rule=study_rule,
        dicom_ids=include_dicom_ids or ("hashed" if group == "dicom" else None),
        names=film_names or ("hashed" if include_dicom_ids == "hashed" else "plain"),
        keep=keep,
        follow_links=follow_links,
        fresh=not resume,
        arguments=_arguments(click.get_current_context()),
        argument_sources=_sources(click.get_current_context()),
    )
    if dry_run:
        _foretell(request, write_outputs, as_json=as_json)
        return 0
    tally = scan(request, write_outputs, quiet=quiet, verbose=verbose)
    options.tell(tally, as_json=as_json, quiet=quiet)
    if verbose:
        click.echo(_profile(tally), err=True)
    fit = tally.outputs.fit
    codes = [tally.exit_code, 4 if fail_on_poor_fit and fit is not None and fit.level == "poor" else 0]
    if dicom_results and tally.info.exit_reason == "finished":
        codes.append(_write_dicom(request, quiet=quiet))
    return max(codes)


def _foretell(request: RunRequest, write_outputs: WriteOutputs, *, as_json: bool) -> None:
    """Say what the run would scan and take."""
    from cxrscan.scanner.forecast import forecast

    local = replace(write_outputs, upload=None) if isinstance(write_outputs, options.OutputWriter) else write_outputs
    told = forecast(request, local)
    if as_json:
        click.echo(json.dumps(asdict(told)))
        return
    for line in _forecast_lines(told):
        click.echo(printable(line))
    click.echo("Nothing was written.", err=True)


_FOLDERS_TOLD = 8


def _forecast_lines(told: Forecast) -> Iterator[str]:
    from cxrscan.scanner.system.text import bytes_text, duration_text

    yield f"Films    {told.n_films:,} ({bytes_text(told.size_bytes)})"
    yield f"Formats  {_counts(told.kinds)}"
    yield f"Folders  {_counts(dict(list(told.folders.items())[:_FOLDERS_TOLD]))}" + (
        f", {len(told.folders) - _FOLDERS_TOLD:,} more" if len(told.folders) > _FOLDERS_TOLD else ""
    )
    if told.n_skipped:
        yield f"Skipped  {_counts(told.n_skipped)}"
    if told.n_kept:
        yield f"Done     {told.n_kept:,} results of earlier sessions, which are kept"
    low, high = map(duration_text, told.duration_s)
    yield f"Time     {low if low == high else f'{low} to {high}'} with {count(told.n_workers, 'worker')}"
    yield (
        f"         {told.film_s * 1e3:.0f} ms a film and worker, measured now on {count(told.n_tried, 'film')} "
        "drawn by chance; the start of the workers comes on top"
    )
    sizes = ", ".join(f"{part} {bytes_text(size)}" for part, size in told.outputs_bytes.items())
    yield f"Outputs  {bytes_text(sum(told.outputs_bytes.values()))} ({sizes})"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items())


def _arguments(context: click.Context) -> dict[str, Any]:
    """What the command was given, by the names that a user knows: ``--max-memory`` as ``max_memory``."""
    names = {one.name: max(one.opts, key=len).lstrip("-").replace("-", "_") for one in context.command.params}
    return {names.get(name, name): _plain(value) for name, value in context.params.items()}


def _sources(context: click.Context) -> dict[str, str]:
    """Where each setting comes from that is not the usual one, by the names of ``_arguments``."""
    sources = {
        name.replace("-", "_"): source_of(context, option) for name, option in settings_of(context.command).items()
    }
    return {name: source for name, source in sources.items() if source != "default"}


def _write_dicom(request: RunRequest, *, quiet: bool) -> int:
    """Write the results of the run that has just ended; returns the exit code."""
    from cxrscan.scanner.cli import dicom
    from cxrscan.scanner.dicom_results.film_results import Wanted
    from cxrscan.scanner.runs.layout import RESULTS_NAME

    folder = request.out / RESULTS_NAME
    written = dicom.write(request.out, folder, Wanted(), roots=request.roots, workers=request.n_workers, quiet=quiet)
    dicom.tell(written, as_json=False, quiet=quiet)
    return written.exit_code


def start_worker_early() -> None:
    """Start a worker process while this one loads what it needs itself."""
    # One thread per process, as the workers will have it: others spin for 0.1 s of CPU when NumPy is loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from cxrscan.scanner.executors.processes import start_early

    start_early()


def scan(request: RunRequest, write_outputs: WriteOutputs, *, quiet: bool, verbose: bool) -> Tally:
    """Run a request and tell how it goes on standard error."""
    import signal
    from threading import Thread

    from cxrscan.scanner.cli.progress import progress
    from cxrscan.scanner.run import Start, Terminated
    from cxrscan.scanner.run import run as run_request
    from cxrscan.scanner.sources.walk import count_files

    def terminate(number: int, frame: object) -> None:
        if hangs_up:  # a terminal that closes may say so twice; the second time must not stop the partial report
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        raise Terminated

    signal.signal(signal.SIGTERM, terminate)
    # nohup has it ignored, and is heeded; Windows has none.
    hangs_up = hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
    if hangs_up:
        signal.signal(signal.SIGHUP, terminate)
    where = f"scanning {', '.join(map(str, request.roots))} into {request.out}"
    with progress(where, lambda: count_files(request.roots), quiet=quiet, verbose=verbose) as teller:

        def on_start(start: Start) -> None:
            Thread(target=_load_report, kwargs={"charts": request.labels is not None or request.keep_labels}).start()
            teller.start(start)

        return run_request(request, write_outputs, on_start=on_start, on_file=teller.file)


def _load_report(*, charts: bool) -> None:
    """Load what the report needs while the workers load what they need; charts take longest."""
    from cxrscan.reports.outputs import prepare

    prepare(charts=charts)


def _profile(tally: Tally) -> str:
    """Where the time went, stage by stage."""
    from cxrscan.scanner.system.stopwatch import STAGES

    n_films, spent = max(1, tally.counts.n_films), tally.info.profile_s
    rows = [
        f"  {stage:10}{spent[stage]:9.2f} s {spent[stage] / n_films * 1e3:9.2f} ms per film"
        for stage in STAGES
        if stage in spent
    ]
    return "\n".join(["Time by stage, all workers together:", *rows])


def _plain(value: object) -> object:
    """An option's value as the manifest holds it."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (int, float, dict)):
        return value
    return without_secrets(str(value))
