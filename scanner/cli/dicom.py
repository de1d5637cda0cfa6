"""``cxrscan dicom``: write a run's results as DICOM objects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from cxrscan.scanner.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxrscan.scanner.dicom_results.film_results import FilmResults, Wanted
    from cxrscan.scanner.dicom_results.write import ResultsTally
    from cxrscan.scanner.sources.walk import Root


@click.command(short_help="Write a run's results as DICOM objects.")
@options.run_folder
@click.option(
    "-o",
    "--output",
    type=options.LocalPath(file_okay=False, path_type=Path),
    required=True,
    help="Folder for the objects, study/series/object; it will hold patients' identifiers.",
)
@click.option(
    "--sr/--no-sr", default=True, show_default=True, help="Structured reports for each film: result and regions."
)
@click.option("--sc/--no-sc", default=True, show_default=True, help="A secondary capture for each film.")
@click.option(
    "--status",
    type=click.Choice(["scored", "all"]),
    default="scored",
    show_default=True,
    help="all: rejected films too, without a probability.",
)
@click.option(
    "--films",
    multiple=True,
    type=options.Place(),
    metavar="PLACE",
    help="Where the films are now; default: as scanned, when that is on this computer.",
)
@click.option("--workers", type=click.IntRange(min=1), help="Worker processes; default: one per core.")
@options.as_json
@options.quiet
def dicom(
    run_folder: Path,
    output: Path,
    sr: bool,
    sc: bool,
    status: Literal["scored", "all"],
    films: tuple[Root, ...],
    workers: int | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Write the results of RUN for the archive, as DICOM objects in the films' own studies.

    Each DICOM film that was scored gets a structured report (Comprehensive 3D SR) and a secondary capture with the
    heat map. Where a film shows regions, a second report outlines them. The objects hold the patients' names and
    identifiers. Needs the extra `dicom`.

    \b
    cxrscan dicom cxrscan-out -o results
    """
    if not (sr or sc):
        raise click.UsageError("--no-sr and --no-sc leave nothing to write.")
    require_highdicom()
    from cxrscan.scanner.dicom_results.film_results import Wanted

    tally = write(run_folder, output, Wanted(sr, sc, status), roots=films, workers=workers, quiet=quiet)
    tell(tally, as_json=as_json, quiet=quiet)
    return tally.exit_code


def require_highdicom() -> None:
    """Refuse at once what would fail in the end.

    Raises
    ------
    CxrscanError
        ``extra-missing``.
    """
    from importlib.util import find_spec

    from cxrscan.scanner.errors import CxrscanError

    if find_spec("highdicom") is None:
        raise CxrscanError("extra-missing", "DICOM results need highdicom, from the extra `dicom`.")


def write(
    run_folder: Path, folder: Path, wanted: Wanted, *, roots: Sequence[Root], workers: int | None, quiet: bool
) -> ResultsTally:
    """Write results with a progress bar on stderr where that is a terminal; films without a result are told."""
    import sys

    from tqdm import tqdm

    from cxrscan.scanner.dicom_results.write import write_results
    from cxrscan.scanner.system.cores import available_cores
    from cxrscan.scanner.system.text import printable

    with tqdm(unit=" films", dynamic_ncols=True, disable=True if quiet else None) as bar:

        def on_film(results: FilmResults) -> None:
            bar.update()
            problem = results.problem
            if problem is not None:
                tqdm.write(printable(f"no result  {problem.name}: {problem.message} [{problem.code}]"), file=sys.stderr)

        return write_results(
            run_folder, folder, wanted, roots=roots, n_workers=workers or available_cores(), on_film=on_film
        )


def tell(tally: ResultsTally, *, as_json: bool, quiet: bool) -> None:
    """Close the command: counts to stderr, or JSON to stdout."""
    import json
    from dataclasses import asdict

    from cxrscan.scanner import NOTICE
    from cxrscan.scanner.system.text import printable

    if as_json:
        click.echo(json.dumps({**asdict(tally), "folder": str(tally.folder), "exit_code": tally.exit_code}))
    if quiet:
        return
    click.echo(tally.sentence, err=True)
    click.echo(printable(f"Objects  {tally.folder} (holds patients' names and identifiers)"), err=True)
    click.echo(NOTICE, err=True)
