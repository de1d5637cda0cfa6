"""What `serve` and `watch` share: options, log, how they are asked to end, and how they tell of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from cxrscan.scanner import NOTICE
from cxrscan.scanner.cli import options
from cxrscan.scanner.cli.send import parse_entity_option, require

if TYPE_CHECKING:
    from cxrscan.scanner.records import Band
    from cxrscan.scanner.run import RunRequest
    from cxrscan.scanner.service.clock import SteadyClock
    from cxrscan.scanner.service.desk import Arrivals
    from cxrscan.scanner.service.service import ServiceRequest

LOG_FOLDER = "log"
_file = options.LocalPath(exists=True, dir_okay=False, path_type=Path)

output = click.option(
    "-o",
    "--output",
    type=options.LocalPath(file_okay=False, path_type=Path),
    required=True,
    help="Folder for all results; `cxrscan report`, `view` and `evaluate` open it while it grows.",
)
status = click.option("--status", is_flag=True, help="Tell how the service of the folder stands, and end.")


@dataclass(frozen=True, slots=True)
class HowToScan:
    """The options on scanning."""

    bundle: Path | None
    threshold: str | None
    refer: Band | Literal["off"] | None
    gate: Literal["strict", "warn", "off"]
    include_dicom_ids: Literal["hashed", "plain"] | None
    no_thumbnails: bool
    workers: int | None
    timeout: float
    max_memory: float

    def request(self, films: Path, out: Path) -> RunRequest:
        """The run that grows in ``out``."""
        from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE
        from cxrscan.scanner.run import RunRequest
        from cxrscan.scanner.settings import ScanSettings
        from cxrscan.scanner.system.cores import available_cores

        usual = ScanSettings()
        settings = ScanSettings(
            model=self.bundle or DEFAULT_BUNDLE,
            gate=self.gate,
            thumbnail_px=0 if self.no_thumbnails else usual.thumbnail_px,
        )
        return RunRequest(
            roots=(films.absolute(),),
            out=out,
            settings=settings,
            n_workers=self.workers or available_cores(),
            timeout_s=self.timeout,
            max_memory_gib=self.max_memory,
            threshold=self.threshold,
            refer=self.refer,
            keep_labels=True,
            dicom_ids=self.include_dicom_ids,
            names="hashed" if self.include_dicom_ids == "hashed" else "plain",
            arguments={"gate": self.gate, "include_dicom_ids": self.include_dicom_ids},
        )


scanning = options.as_one(
    "how",
    HowToScan,
    options.model,
    options.threshold,
    options.refer,
    click.option(
        "--gate",
        type=click.Choice(["strict", "warn", "off"]),
        default="strict",
        show_default=True,
        help="What becomes of pictures that are no frontal chest film.",
    ),
    click.option(
        "--include-dicom-ids",
        is_flag=False,
        flag_value="hashed",
        type=click.Choice(["hashed", "plain"]),
        help="Add patient, study and object identifiers to the table, hashed unless =plain is given.",
    ),
    click.option("--no-thumbnails", is_flag=True, help="Keep no small pictures."),
    click.option("--workers", type=click.IntRange(min=1), help="Worker processes; default: one per core."),
    click.option(
        "--timeout", type=click.FloatRange(min=0.1), default=60.0, show_default=True, help="Seconds for a film."
    ),
    click.option(
        "--max-memory",
        type=click.FloatRange(min=0.0),
        default=4.0,
        show_default=True,
        help="GiB that each worker may take (Linux); 0: no limit.",
    ),
)


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files for TLS."""

    tls_ca: Path | None
    tls_cert: Path | None
    tls_key: Path | None


certificates = options.as_one(
    "certificates",
    Certificates,
    click.option("--tls-ca", type=_file, metavar="FILE", help="Certificates to trust, PEM."),
    click.option("--tls-cert", type=_file, metavar="FILE", help="Our own certificate, PEM."),
    click.option("--tls-key", type=_file, metavar="FILE", help="The key that belongs to it, PEM."),
)


@dataclass(frozen=True, slots=True)
class Upkeep:
    """The options on studies, results, the report, the log and what is kept."""

    quiet_time: float
    to: tuple[str, str, int] | None
    to_tls: bool
    report_every: float
    keep_days: float | None
    delete_films: bool
    status_port: int
    status_bind: str
    log_level: str
    log_format: Literal["text", "json"]

    def request(
        self, run: RunRequest, title: str, aet: str, tls: Certificates, *, writes_results: bool
    ) -> ServiceRequest:
        """All that the service must know.

        Raises
        ------
        CxrscanError
            ``extra-missing`` or ``tls-invalid``.
        """
        from cxrscan.scanner.service.service import ServiceRequest

        destination = None
        if self.to is not None:
            require("pynetdicom")
            from cxrscan.scanner.dicom_results.destinations import tls_context
            from cxrscan.scanner.dicom_results.storing import StorageEntity

            context = tls_context(tls.tls_ca, tls.tls_cert, tls.tls_key) if self.to_tls else None
            destination = StorageEntity(*self.to, calling_title=aet, tls=context)
        if self.delete_films and self.keep_days is None:
            raise click.UsageError("--delete-films goes with --keep-days.")
        return ServiceRequest(
            run=run,
            write_outputs=options.OutputWriter(None, title, "auto", ()),
            quiet_s=self.quiet_time,
            writes_results=writes_results,
            destination=destination,
            report_every_s=self.report_every,
            keep_days=self.keep_days,
            deletes_films=self.delete_films,
            status_address=(self.status_bind, self.status_port) if self.status_port else None,
        )


upkeep = options.as_one(
    "upkeep",
    Upkeep,
    click.option(
        "--quiet-time",
        type=click.FloatRange(min=0.0),
        default=30.0,
        show_default=True,
        help="Seconds without a further film after which a study counts as complete.",
    ),
    click.option(
        "--to", metavar="AET@HOST:PORT", callback=parse_entity_option, help="Send the results there by C-STORE."
    ),
    click.option("--to-tls", is_flag=True, help="Speak TLS with --to, too."),
    click.option(
        "--report-every",
        type=click.FloatRange(min=1.0),
        default=60.0,
        show_default=True,
        help="Seconds between two renderings of the report, at least.",
    ),
    click.option(
        "--keep-days",
        type=click.FloatRange(min=0.01),
        help="Days for which films stay in the report; default: for ever.",
    ),
    click.option(
        "--delete-films", is_flag=True, help="After --keep-days, delete the films themselves and their results, too."
    ),
    click.option(
        "--status-port",
        type=click.IntRange(0, 65535),
        default=11180,
        show_default=True,
        help="Port of the status page; 0: none.",
    ),
    click.option("--status-bind", default="127.0.0.1", show_default=True, help="Address of the status page."),
    click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default="info",
        show_default=True,
        help="What is written into log/service.log.",
    ),
    click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Lines for people, or JSON.",
    ),
)


def work(request: ServiceRequest, arrivals: Arrivals, clock: SteadyClock, upkeep: Upkeep, told: str) -> int:
    """Run a service until SIGTERM or Ctrl-C; a second one ends it at once. Returns the exit code."""
    import os
    import signal

    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # here and in the workers: threads that nobody uses take CPU
    from cxrscan.scanner.service.events import start_log
    from cxrscan.scanner.service.service import Service
    from cxrscan.scanner.system.text import printable

    def on_start() -> None:
        click.echo(printable(told), err=True)
        if request.status_address is not None:
            click.echo(f"Status   http://{request.status_address[0]}:{request.status_address[1]}/", err=True)
        click.echo(NOTICE, err=True)

    service = Service(request, arrivals, clock, on_start)

    def stop(number: int, frame: object) -> None:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        service.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    start_log(request.run.out / LOG_FOLDER, upkeep.log_level, upkeep.log_format)
    return service.run()


def tell_status(folder: Path, *, as_json: bool) -> int:
    """Tell how the service of a folder stands; 0 when it runs, 3 when it does not."""
    import json
    from dataclasses import asdict

    from cxrscan.scanner.service.status import read_status, rows
    from cxrscan.scanner.system.text import printable

    found = read_status(folder)
    if as_json:
        click.echo(json.dumps(asdict(found)))
    else:
        for what, text in rows(found):
            click.echo(printable(f"{what:36} {text}"))
        for trouble in found.troubles:
            click.echo(printable(f"{trouble.at}  {trouble.message} [{trouble.code}]"))
    return 0 if found.state in ("running", "stopping") else 3
