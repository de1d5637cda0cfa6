"""``cxrscan serve``: take studies from the network, scan them, and send the results on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cxrscan.scanner.cli import options, service_options
from cxrscan.scanner.cli.dicom import require_highdicom
from cxrscan.scanner.cli.send import aet_option, require
from cxrscan.scanner.errors import CxrscanError

if TYPE_CHECKING:
    import ssl

    from cxrscan.scanner.service.bounded_peer import Bounds
    from cxrscan.scanner.service.callers import Caller


def _callers(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[Caller, ...]:
    """``CR1@10.0.0.17`` -> entries of the allow-list."""
    from cxrscan.scanner.service.callers import Caller

    try:
        return tuple(map(Caller.parse, value))
    except ValueError:
        raise click.BadParameter("give AET@ADDRESS, for example CR1@10.0.0.17 or *@10.0.0.0/24") from None


@dataclass(frozen=True, slots=True)
class Limits:
    """The options on what callers may take."""

    allow: tuple[Caller, ...]
    max_associations: int
    max_object: float
    max_rate: float
    min_free: float
    network_timeout: float

    @property
    def bounds(self) -> Bounds:
        """What holds for each caller."""
        from cxrscan.scanner.service.bounded_peer import Bounds

        max_bytes = int(self.max_object * 2**20)
        return Bounds(self.allow, self.max_associations, max_bytes, max(max_bytes, 1 << 30), self.network_timeout)

    @property
    def min_free_bytes(self) -> int:
        """Space that is left on the disk."""
        return int(self.min_free * 2**30)


limits = options.as_one(
    "limits",
    Limits,
    click.option(
        "--allow",
        multiple=True,
        metavar="AET@ADDRESS",
        callback=_callers,
        help="Who may send; * stands for any title, 10.0.0.0/24 for a network. Default: this computer only.",
    ),
    click.option(
        "--max-associations", type=click.IntRange(1, 200), default=20, show_default=True, help="Side by side."
    ),
    click.option(
        "--max-object", type=click.FloatRange(min=0.01), default=256.0, show_default=True, help="MiB of one object."
    ),
    click.option(
        "--max-rate",
        type=click.FloatRange(min=0.0),
        default=0.0,
        help="Objects a second beyond which answers are held back; default: no limit.",
    ),
    click.option(
        "--min-free",
        type=click.FloatRange(min=0.0),
        default=1.0,
        show_default=True,
        help="GiB that stay free on the disk; else objects are refused with status A700.",
    ),
    click.option(
        "--network-timeout",
        type=click.FloatRange(min=0.5),
        default=30.0,
        show_default=True,
        help="Seconds of silence after which a connection is ended.",
    ),
)


@click.command(short_help="Scan studies as they come from the network.")
@service_options.output
@aet_option("Our own application entity title.")
@click.option("--port", type=click.IntRange(0, 65535), default=11112, show_default=True, help="Port for C-STORE.")
@click.option("--bind", default="127.0.0.1", show_default=True, help="Address to listen on; beyond this computer "
              "--allow must say who may send.")  # fmt: skip
@limits
@click.option("--tls", is_flag=True, help="Speak TLS with callers; --tls-ca also asks for their certificates.")
@service_options.certificates
@click.option("--hash-uids", is_flag=True, help="Hash the objects' identifiers in the audit log.")
@service_options.scanning
@service_options.upkeep
@click.option("--title", default="", help="Heading of the report.")
@service_options.status
@options.as_json
def serve(
    output: Path,
    aet: str,
    port: int,
    bind: str,
    limits: Limits,
    tls: bool,
    certificates: service_options.Certificates,
    hash_uids: bool,
    how: service_options.HowToScan,
    upkeep: service_options.Upkeep,
    title: str,
    status: bool,
    as_json: bool,
) -> int:
    """Take films by C-STORE, scan them, answer each study once it is quiet, until it is stopped (SIGTERM, Ctrl-C).

    Whatever was answered with success is on the disk. A restart goes on where the last one ended. Listens on this
    computer only, unless told. Needs the extra `dicom`.

    \b
    cxrscan serve -o out
    cxrscan serve -o out --bind 10.0.0.5 --allow CR1@10.0.0.17 --to PACS@10.0.0.6:104
    cxrscan serve --status -o out
    """
    if status:
        return service_options.tell_status(output, as_json=as_json)
    require("pynetdicom")
    require_highdicom()
    from cxrscan.scanner.runs.growing import grows
    from cxrscan.scanner.service.audit import AuditLog
    from cxrscan.scanner.service.callers import is_loopback
    from cxrscan.scanner.service.clock import SteadyClock
    from cxrscan.scanner.service.inbox import FILMS_NAME, Inbox
    from cxrscan.scanner.service.reception import Address, Reception

    if not is_loopback(bind) and not limits.allow:
        raise click.UsageError("Beyond this computer --allow must say who may send.")
    if tls and certificates.tls_cert is None:
        raise click.UsageError("--tls needs --tls-cert and --tls-key.")
    if grows(output):
        raise CxrscanError("run-busy", f"Another service works in {output}.")
    clock = SteadyClock()
    run = how.request(output / FILMS_NAME, output)
    request = upkeep.request(run, title, aet, certificates, writes_results=True)
    arrivals = Reception(
        Address(aet, bind, port, _tls(certificates) if tls else None),
        limits.bounds,
        Inbox(output.absolute(), limits.min_free_bytes),
        AuditLog(output / service_options.LOG_FOLDER, hashes_uids=hash_uids),
        clock,
        max_per_s=limits.max_rate,
    )
    told = f"Listening as {aet} on {bind}:{arrivals.port}, results in {output}"
    return service_options.work(request, arrivals, clock, upkeep, told)


def _tls(files: service_options.Certificates) -> ssl.SSLContext:
    """How to speak TLS with callers (PS3.15 section B); their certificates are checked where --tls-ca is given."""
    import ssl

    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=files.tls_ca)
        context.load_cert_chain(str(files.tls_cert), files.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise CxrscanError("tls-invalid", f"The certificates cannot be used: {error}.") from error
    if files.tls_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context
