"""``cxrscan report``: render the outputs of a run again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from cxrscan.scanner.cli import options

if TYPE_CHECKING:
    from cxrscan.scanner.cli.options import OutputWriter
    from cxrscan.scanner.evaluation.changes import Earlier
    from cxrscan.scanner.evaluation.labels import LabelRequest
    from cxrscan.scanner.records import Band, Duplicates, StudyRule


@click.command(short_help="Render a run's outputs again.")
@options.run_folder
@click.option(
    "-o",
    "--output",
    type=options.LocalPath(file_okay=False, path_type=Path),
    help="Another folder for the outputs; RUN stays as it is, and may be one that can only be read.",
)
@options.threshold
@options.refer
@options.labels
@options.duplicates
@options.group
@options.study_rule
@click.option(
    "--verdicts",
    "sheets",
    type=options.existing_path,
    multiple=True,
    metavar="SHEET|RUN",
    help="Show what readers say beside the model, from a sheet of verdicts or all sheets of a run; may be repeated.",
)
@click.option(
    "--since",
    type=options.LocalPath(exists=True, file_okay=False, path_type=Path),
    metavar="RUN",
    help="Also tell what changed since an earlier run, and write changes.csv.",
)
@options.outputs
@options.as_json
@options.quiet
def report(
    run_folder: Path,
    output: Path | None,
    threshold: str | None,
    refer: Band | Literal["off"] | None,
    labels: LabelRequest | None,
    duplicates: Duplicates | None,
    group: str | None,
    study_rule: StudyRule | None,
    sheets: tuple[Path, ...],
    since: Path | None,
    write_outputs: OutputWriter,
    as_json: bool,
    quiet: bool,
) -> None:
    """Render results.csv, report.html and run.json of RUN again: no model and no films are needed.

    \b
    cxrscan report cxrscan-out --threshold sens95
    cxrscan report cxrscan-out --verdicts anna.csv --verdicts ben.csv
    cxrscan report this-week --since last-week
    """
    from cxrscan.scanner.render import render
    from cxrscan.scanner.viewer.verdicts import read_sheets

    write_outputs = replace(
        write_outputs,
        opinions=read_sheets(sheets) if sheets else (),
        earlier=_earlier(since) if since is not None else None,
    )
    tally = render(
        run_folder,
        write_outputs,
        threshold=threshold,
        refer=refer,
        labels=labels,
        duplicates=duplicates,
        group=group,
        study_rule=study_rule,
        out=output,
    )
    options.tell(tally, as_json=as_json, quiet=quiet)


def _earlier(folder: Path) -> Earlier:
    """A run of before, its films called as its outputs call them."""
    from cxrscan.reports.wording import called_by_text
    from cxrscan.scanner.evaluation.changes import Earlier
    from cxrscan.scanner.evaluation.film_notes import note
    from cxrscan.scanner.run_record import Run
    from cxrscan.scanner.runs.journal import Journal, stored_info, stored_model
    from cxrscan.scanner.runs.sharing import shareable

    with Journal(folder, read_only=True) as journal:
        run = Run(stored_info(journal), stored_model(journal), journal.films)
        notes = tuple(note(film, run.info) for film in shareable(run).films())
    return Earlier(folder.resolve().name, called_by_text(run), notes)
