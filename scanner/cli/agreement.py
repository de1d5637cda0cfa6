"""``cxrscan agreement``: how far readers say the same, and the model with them."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cxrscan.scanner.cli import options


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
    from cxrscan.scanner.evaluation.agreement import measure_agreement
    from cxrscan.scanner.viewer.verdicts import read_sheets

    found = measure_agreement(read_sheets(places))
    if as_json:
        click.echo(json.dumps(agreement_document(found), ensure_ascii=False))
    else:
        click.echo(agreement_text(found), nl=False)
