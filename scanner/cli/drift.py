"""``cxrscan drift``: whether the films have changed since the model was validated, or since an earlier run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cxrscan.scanner import NOTICE
from cxrscan.scanner.cli import options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxrscan.scanner.evaluation.drift import Drift, Portrait
    from cxrscan.scanner.runs.journal import Journal

_DRIFTED = 5
"""Exit code of ``--fail-on-drift``."""


@click.command(short_help="Say whether the films have changed, and what changed.")
@options.run_folder
@click.option(
    "--reference",
    metavar="RUN",
    type=options.LocalPath(exists=True, file_okay=False, path_type=Path),
    help="Compare with the films of an earlier run; default: with those that the model was validated on.",
)
@click.option(
    "-o",
    "--output",
    type=options.LocalPath(file_okay=False, path_type=Path),
    help="Folder for drift.json; default: RUN, whose report then tells of the drift as well.",
)
@options.patients
@click.option("--fail-on-drift", is_flag=True, help=f"End with exit code {_DRIFTED} when the films have changed.")
@click.option("--json", "as_json", is_flag=True, help="Print drift.json instead of the table.")
@options.quiet
def drift(
    run_folder: Path,
    reference: Path | None,
    output: Path | None,
    patients: Path | None,
    fail_on_drift: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Compare the films of RUN with those that its model was validated on, or with those of an earlier run.

    Scores, embeddings, pictures and headers are compared, one film of each patient. Films that have not changed raise
    an alarm in 1 of 100 comparisons. It tells whether more or fewer of the films show pneumonia, or whether the films
    themselves look different, where the reference has labels.

    \b
    cxrscan drift cxrscan-out
    cxrscan drift this-month --reference last-month --json --fail-on-drift
    """
    from cxrscan.reports.evaluation.drift import drift_document, drift_text, write_drift
    from cxrscan.reports.outputs import write_outputs
    from cxrscan.scanner.render import render
    from cxrscan.scanner.runs.journal import Journal
    from cxrscan.scanner.system.whole_files import followed
    from cxrscan.training.dataset import read_patients

    with Journal(run_folder, read_only=True) as journal:
        found = _find(journal, reference, {} if patients is None else read_patients(patients))
    may_write = os.access(run_folder, os.W_OK)
    if output is not None or may_write:
        write_drift(followed(output or run_folder), found)
    tells = output is None and may_write
    if tells:
        tally = render(run_folder, write_outputs, drift=found)
    if as_json:
        click.echo(json.dumps(drift_document(found), ensure_ascii=False))
    else:
        click.echo(drift_text(found), nl=False)
    if not quiet:
        if tells:
            click.echo(f"Report   {tally.outputs.html}", err=True)
        click.echo(NOTICE, err=True)
    return _DRIFTED if fail_on_drift and found.is_found else 0


def _find(journal: Journal, reference: Path | None, patients: Mapping[str, str]) -> Drift:
    """Portray the run and what it is compared with, and compare them."""
    from cxrscan.scanner.evaluation.drift import find_drift, nearest
    from cxrscan.scanner.populations.portrait import portray
    from cxrscan.scanner.populations.reference import references
    from cxrscan.scanner.runs.journal import Journal, stored_model

    model = stored_model(journal)
    current = portray(journal.films, model, journal.folder.resolve().name, patients=patients)
    portraits: list[Portrait]
    if reference is None:
        portraits = references(model)
    else:
        with Journal(reference, read_only=True) as earlier:
            name = earlier.folder.resolve().name
            portraits = [portray(earlier.films, stored_model(earlier), name, patients=patients)]
    return find_drift(nearest(portraits, current) if len(portraits) > 1 else portraits[0], current)
