"""``cxrscan watch``: scan a folder that other programs write into, as films come."""

from __future__ import annotations

from pathlib import Path

import click

from cxrscan.scanner.cli import options, service_options
from cxrscan.scanner.cli.dicom import require_highdicom
from cxrscan.scanner.cli.send import aet_option


@click.command(short_help="Scan a folder as films come into it.")
@click.argument("folder", type=options.LocalPath(exists=True, file_okay=False, path_type=Path), required=False)
@service_options.output
@service_options.scanning
@service_options.upkeep
@service_options.certificates
@click.option(
    "--rest-time",
    type=click.FloatRange(min=0.0),
    default=5.0,
    show_default=True,
    help="Seconds for which size and time of a file must stay the same before it is read.",
)
@click.option(
    "--look-every", type=click.FloatRange(min=0.1), default=2.0, show_default=True, help="Seconds between two looks."
)
@click.option("--include", multiple=True, metavar="GLOB", help="Look only at matching files; may be repeated.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Leave out matching files and folders; may be repeated.")
@click.option(
    "--dicom-results", is_flag=True, help="Write results as DICOM objects, into dicom-results/ of the output."
)
@aet_option("Our own application entity title, for --to.")
@click.option("--title", default="", help="Heading of the report.")
@service_options.status
@options.as_json
def watch(
    folder: Path | None,
    output: Path,
    how: service_options.HowToScan,
    upkeep: service_options.Upkeep,
    certificates: service_options.Certificates,
    rest_time: float,
    look_every: float,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    dicom_results: bool,
    aet: str,
    title: str,
    status: bool,
    as_json: bool,
) -> int:
    """Watch FOLDER, with its subfolders, and scan what comes to rest there, until it is stopped (SIGTERM, Ctrl-C).

    Films are never changed. A restart goes on where the last one ended and scans nothing twice.

    \b
    cxrscan watch incoming -o out
    cxrscan watch incoming -o out --to PACS@10.0.0.5:104   with results for the archive
    cxrscan watch --status -o out
    """
    if status:
        return service_options.tell_status(output, as_json=as_json)
    if folder is None:
        raise click.UsageError("Name the folder that is to be watched.")
    writes_results = dicom_results or upkeep.to is not None
    if writes_results:
        require_highdicom()
    from cxrscan.scanner.service.clock import SteadyClock
    from cxrscan.scanner.service.folder_arrivals import FolderArrivals
    from cxrscan.scanner.sources.filters import Filter

    clock = SteadyClock()
    run = how.request(folder, output)
    keep = Filter(include, exclude)
    arrivals = FolderArrivals(folder.absolute(), clock, rest_s=rest_time, every_s=look_every, keep=keep)
    request = upkeep.request(run, title, aet, certificates, writes_results=writes_results)
    return service_options.work(request, arrivals, clock, upkeep, f"Watching {folder}, results in {output}")
