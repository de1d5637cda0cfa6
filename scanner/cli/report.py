"""``cxrscan report``: render the outputs of a run again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from cxrscan.scanner.cli import options

if TYPE_CHECKING:
    from cxrscan.scanner.evaluation.labels import LabelRequest
    from cxrscan.scanner.records import Band, Duplicates, StudyRule
    from cxrscan.scanner.run import WriteOutputs


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
    write_outputs: WriteOutputs,
    as_json: bool,
    quiet: bool,
) -> None:
    """Render results.csv, report.html and run.json of RUN again: no model and no films are needed.

    \b
    cxrscan report cxrscan-out --threshold sens95
    """
    from cxrscan.scanner.run import render

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
