"""``cxrscan agreement``: how far readers say the same, and the model with them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cxrscan.scanner.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxrscan.scanner.evaluation.agreement import Opinion


@click.command(short_help="Say how far readers agree with each other and with the model.")
@click.argument("places", metavar="SHEET|RUN...", nargs=-1, required=True, type=options.existing_path)
@options.as_json
def agreement(places: tuple[Path, ...], as_json: bool) -> None:
    """Hold sheets of verdicts against each other: Cohen's kappa of every pair, Fleiss' kappa of three and more readers.

    A sheet is what the viewer keeps and the report exports; of a RUN all sheets are taken. The model counts as it
    called the films beside the verdicts. Nothing is written.

    \b
    cxrscan agreement cxrscan-out
    cxrscan agreement verdicts-anna.csv verdicts-ben.csv
    """
    from cxrscan.reports.evaluation.agreement import agreement_document, agreement_text
    from cxrscan.scanner.errors import RunFolderError
    from cxrscan.scanner.evaluation.agreement import measure_agreement
    from cxrscan.scanner.viewer.verdicts import read_opinions, sheets_of

    sheets = [sheet for place in places for sheet in (sheets_of(place) if place.is_dir() else [place])]
    found = measure_agreement(_told_apart(sheets, [read_opinions(sheet) for sheet in sheets]))
    if not any(reader.is_reader for reader in found.readers):
        raise RunFolderError("verdicts-none", f"{', '.join(map(str, places))}: no verdict on a film.")
    if as_json:
        click.echo(json.dumps(agreement_document(found), ensure_ascii=False))
    else:
        click.echo(agreement_text(found), nl=False)


def _told_apart(sheets: Sequence[Path], opinions: Sequence[Sequence[Opinion]]) -> list[Opinion]:
    """All opinions; a person who has two sheets counts as two, so that a second reading can be held against a first."""
    n_sheets: dict[str, int] = {}
    for each in opinions:
        for who in {opinion.who for opinion in each if opinion.is_reader}:
            n_sheets[who] = n_sheets.get(who, 0) + 1
    return [
        replace(opinion, who=f"{opinion.who} ({sheet})") if n_sheets.get(opinion.who, 0) > 1 else opinion
        for sheet, each in zip(sheets, opinions, strict=True)
        for opinion in each
    ]
