"""``cxrscan report``: render the outputs of a run again."""

from __future__ import annotations

from pathlib import Path

import click

from scanner.cli import options


@click.command(short_help="Render a run's outputs again.")
@options.run_folder
@options.threshold
@options.labels
@options.label_map
@options.as_json
@options.quiet
def report(
    run_folder: Path, threshold: str | None, labels: str | None, mapping: dict[str, str], as_json: bool, quiet: bool
) -> None:
    """Render results.csv, report.html and run.json of RUN again: no model and no films are needed."""
    from reports.outputs import write_outputs
    from scanner.run import render

    tally = render(run_folder, write_outputs, threshold=threshold, labels=labels, mapping=mapping)
    options.tell(tally, as_json=as_json, quiet=quiet)
