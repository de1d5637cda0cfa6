"""``cxrscan dicom-read``: what result objects say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cxrscan.scanner.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxrscan.scanner.dicom_results.read_back import ResultSaid


@click.command(name="dicom-read", short_help="Tell what result objects say.")
@click.argument("files", nargs=-1, required=True, type=options.existing_path, metavar="FILE...")
@options.as_json
@click.option("--fhir", is_flag=True, help="Print each report as an Observation of HL7 FHIR, one a line.")
def dicom_read(files: tuple[Path, ...], as_json: bool, fhir: bool) -> int:
    """Tell what reports and captures of cxrscan say, one sentence for each; folders are searched for them.

    Reports of other programs are read where they follow template 1500 and judge pneumonia.

    \b
    cxrscan dicom-read results/
    cxrscan dicom-read report.dcm --json
    """
    import json
    from dataclasses import asdict

    from cxrscan.scanner.dicom_results.fhir import observation
    from cxrscan.scanner.system.text import printable

    if as_json and fhir:
        raise click.UsageError("Give --json or --fhir, not both.")
    n_failed = 0
    for path, said in _read_all(files):
        if said is None:
            n_failed += 1
        elif as_json:
            click.echo(json.dumps({"file": str(path), **asdict(said)}))
        elif not fhir:
            click.echo(printable(said.sentence))
        elif said.kind == "report":
            click.echo(json.dumps(observation(said)))
    return 3 if n_failed else 0


def _read_all(files: tuple[Path, ...]) -> Iterator[tuple[Path, ResultSaid | None]]:
    """What each object says; None for one that cannot be read, which is told."""
    from cxrscan.scanner.dicom_results.read_back import read_result
    from cxrscan.scanner.errors import FilmError
    from cxrscan.scanner.system.text import printable

    for place in files:
        for path in sorted(place.rglob("*.dcm")) if place.is_dir() else [place]:
            try:
                yield path, read_result(path.read_bytes())
            except OSError as error:
                click.echo(printable(f"{path}: cannot be read: {error.strerror}. [unreadable]"), err=True)
                yield path, None
            except FilmError as error:
                click.echo(printable(f"{path}: {error.message} [{error.code}]"), err=True)
                yield path, None
