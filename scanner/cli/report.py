"""``cxrscan report``: render the outputs of a run again, or of several runs together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from scanner.cli import options

if TYPE_CHECKING:
    from reports.outputs import Embed
    from scanner.records import Band


@click.command(short_help="Render a run's outputs again, or merge runs.")
@click.argument(
    "runs",
    nargs=-1,
    required=True,
    metavar="RUN...",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the merged run; needed with several runs.",
)
@options.threshold
@options.refer
@options.labels
@options.label_map
@options.outputs
@options.as_json
@options.quiet
def report(
    runs: tuple[Path, ...],
    output: Path | None,
    threshold: str | None,
    refer: Band | Literal["off"] | None,
    labels: str | None,
    mapping: dict[str, str],
    title: str,
    embed: Embed,
    parquet: bool,
    jsonl: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Render results.csv, report.html and run.json of RUN again: no model and no films are needed.

    Several runs of one model are merged into a new run folder first.

    \b
    cxrscan report cxrscan-out --threshold sens95
    cxrscan report ward-a ward-b -o both
    """
    from scanner.run import render

    if len(runs) == 1 and output is not None:
        raise click.UsageError("-o is for merging several runs; one run is rendered in its own folder.")
    if len(runs) > 1:
        from scanner.merge import merge_runs

        if output is None:
            raise click.UsageError("Name the folder for the merged run with -o.")
        merge_runs(runs, output)
    write_outputs = options.output_writer(title, embed, parquet=parquet, jsonl=jsonl)
    tally = render(output or runs[0], write_outputs, threshold=threshold, refer=refer, labels=labels, mapping=mapping)
    options.tell(tally, as_json=as_json, quiet=quiet)
