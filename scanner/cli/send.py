"""``cxrscan send``: send result objects to an archive."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cxrscan.scanner.cli import options

if TYPE_CHECKING:
    import ssl

    from cxrscan.scanner.dicom_results.outgoing import Destination, Outgoing, SendTally

_file = options.LocalPath(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Where:
    """The destination and how to speak to it, as the options say."""

    to: tuple[str, str, int] | None
    stow: str | None
    aet: str
    tls: bool
    tls_ca: Path | None
    tls_cert: Path | None
    tls_key: Path | None
    timeout: float

    def destination(self) -> Destination:
        """Make it; nothing is sent.

        Raises
        ------
        CxrscanError
            ``extra-missing`` or ``tls-invalid``.
        """
        if (self.to is None) == (self.stow is None):
            raise click.UsageError("Give one destination: --to AET@HOST:PORT or --stow URL.")
        if (self.tls_ca or self.tls_cert or self.tls_key) and not (self.tls or self.stow):
            raise click.UsageError("--tls-ca, --tls-cert and --tls-key go with --tls or --stow.")
        if self.stow is not None:
            return self._web_store(self.stow)
        return self._entity()

    def _entity(self) -> Destination:
        require("pynetdicom")
        from cxrscan.scanner.dicom_results.storing import StorageEntity

        title, host, port = self.to or ("", "", 0)
        return StorageEntity(title, host, port, self.aet, self.timeout, self._tls() if self.tls else None)

    def _web_store(self, url: str) -> Destination:
        require("dicomweb_client")
        from cxrscan.scanner.dicom_results.stow import WebStore
        from cxrscan.scanner.sources.dicomweb import WebArchive, web_session

        archive = WebArchive.parse(url)
        session = web_session(archive.login)
        self._tls()  # tells of unusable files now
        session.verify = True if self.tls_ca is None else str(self.tls_ca)
        session.cert = (str(self.tls_cert), str(self.tls_key or self.tls_cert)) if self.tls_cert else None
        session.max_redirects = 0  # the destination is the one that was given
        return WebStore(archive.url, archive.url, session, self.timeout)

    def _tls(self) -> ssl.SSLContext:
        from cxrscan.scanner.dicom_results.destinations import tls_context

        return tls_context(self.tls_ca, self.tls_cert, self.tls_key)


def require(module: str) -> None:
    """Refuse what needs a library that is not there.

    Raises
    ------
    CxrscanError
        ``extra-missing``.
    """
    from importlib.util import find_spec

    from cxrscan.scanner.errors import CxrscanError

    if find_spec(module) is None:
        raise CxrscanError("extra-missing", f"Sending needs {module}, from the extra `dicom`.")


def parse_entity_option(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[str, str, int] | None:
    """``PACS@10.0.0.5:104`` -> title, host, port."""
    if value is None:
        return None
    from cxrscan.scanner.dicom_results.destinations import parse_entity

    try:
        return parse_entity(value)
    except ValueError:
        raise click.BadParameter("give AET@HOST:PORT, for example PACS@10.0.0.5:104") from None


def _own_title(context: click.Context, parameter: click.Parameter, value: str) -> str:
    from cxrscan.scanner.dicom_results.destinations import is_entity_title

    if not is_entity_title(value):
        raise click.BadParameter("a title has 1 to 16 ASCII characters and no backslash")
    return value


def aet_option(text: str) -> options.Options:
    """``--aet``: the title under which the program speaks."""
    return click.option("--aet", default="CXRSCAN", show_default=True, callback=_own_title, help=text)


where = options.as_one(
    "where",
    Where,
    click.option(
        "--to",
        metavar="AET@HOST:PORT",
        callback=parse_entity_option,
        help="Send by C-STORE to this application entity.",
    ),
    click.option("--stow", metavar="URL", help="Send by STOW-RS to this DICOMweb server: https://host/dicom-web."),
    aet_option("Our own application entity title, for --to."),
    click.option("--tls", is_flag=True, help="Speak TLS with --to; the other side's certificate is checked."),
    click.option("--tls-ca", type=_file, metavar="FILE", help="Certificates to trust, PEM; default: the system's."),
    click.option("--tls-cert", type=_file, metavar="FILE", help="Our own certificate, PEM."),
    click.option("--tls-key", type=_file, metavar="FILE", help="The key that belongs to it, PEM."),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0.1),
        default=30.0,
        show_default=True,
        help="Seconds to wait for a connection and for each answer.",
    ),
)


@click.command(short_help="Send result objects to an archive.")
@click.argument("folder", type=options.LocalPath(exists=True, file_okay=False, path_type=Path))
@where
@click.option(
    "--retries", type=click.IntRange(0, 20), default=4, show_default=True, help="How often to try again, ever later."
)
@click.option("--all-objects", is_flag=True, help="Send DICOM objects that cxrscan did not make, too.")
@click.option("--dry-run", is_flag=True, help="List what would be sent, and send nothing.")
@options.as_json
@options.quiet
def send(folder: Path, where: Where, retries: int, all_objects: bool, dry_run: bool, as_json: bool, quiet: bool) -> int:
    """Send the results in FOLDER, that `cxrscan dicom` wrote, to a PACS. Nothing is sent without a destination.

    \b
    cxrscan send results --to PACS@10.0.0.5:104
    cxrscan send results --stow https://pacs.example/dicom-web
    """
    from cxrscan.scanner.dicom_results.outgoing import SendTally, find_outgoing
    from cxrscan.scanner.errors import RunFolderError

    destination = where.destination()
    objects, n_left_out = find_outgoing(folder, everything=all_objects)
    if not objects:
        raise RunFolderError("nothing-to-send", f"{folder} holds no results of cxrscan.")
    if dry_run:
        for outgoing in objects:
            click.echo(_line("would send", outgoing))
        click.echo(f"{len(objects):,} objects to {destination}; nothing was sent.", err=True)
        return 0
    n_sent, n_failed = _send(objects, destination, retries, quiet=quiet)
    tally = SendTally(n_sent, n_failed, n_left_out)
    _tell(tally, destination, as_json=as_json, quiet=quiet)
    return tally.exit_code


def _send(objects: list[Outgoing], destination: Destination, retries: int, *, quiet: bool) -> tuple[int, int]:
    from cxrscan.scanner.dicom_results.outgoing import Delivery
    from cxrscan.scanner.dicom_results.outgoing import send as send_objects
    from cxrscan.scanner.system.text import printable

    def tell(delivery: Delivery) -> None:
        if delivery.problem:
            click.echo(printable(f"{_line('not sent', delivery.outgoing)}: {delivery.problem}"), err=True)
        elif not quiet:
            click.echo(_line("sent", delivery.outgoing), err=True)

    return send_objects(objects, destination, n_retries=retries, on_done=tell)


def _line(what: str, outgoing: Outgoing) -> str:
    """An object by what does not tell whose it is."""
    from cxrscan.scanner.system.text import printable

    return printable(f"{what}  {outgoing.modality} {outgoing.sop_uid} ({outgoing.size_bytes / 1e3:,.0f} kB)")


def _tell(tally: SendTally, destination: Destination, *, as_json: bool, quiet: bool) -> None:
    import json
    from dataclasses import asdict

    from cxrscan.scanner.system.text import printable

    if as_json:
        click.echo(json.dumps({**asdict(tally), "exit_code": tally.exit_code}))
    if not quiet:
        click.echo(printable(f"{tally.sentence} Destination: {destination}"), err=True)
