"""``cxrscan merge``: several runs, or the shards of one, become one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cxrscan.scanner.cli import options

if TYPE_CHECKING:
    from cxrscan.scanner.render import WriteOutputs


@click.command(short_help="Merge the shards of a run, or runs of one model.")
@click.argument("out", metavar="OUT", type=options.LocalPath(file_okay=False, path_type=Path))
@click.argument(
    "runs",
    nargs=-1,
    required=True,
    metavar="RUN...",
    type=options.LocalPath(exists=True, file_okay=False, path_type=Path),
)
@click.option("--partial", is_flag=True, help="Merge what there is in spite of missing shards and unfinished runs.")
@options.outputs
@options.as_json
@options.quiet
def merge(
    out: Path,
    runs: tuple[Path, ...],
    partial: bool,
    write_outputs: WriteOutputs,
    as_json: bool,
    quiet: bool,
) -> int:
    """Merge runs into the new run folder OUT and write its results.csv, report.html and run.json.

    The runs must come from one model, version and settings, hold no film twice, and leave none out: all shards of a
    run, each finished. Runs over different folders get their folder's name before the films' names.

    \b
    cxrscan run films/ --shard 1/2 -o part-1
    cxrscan run films/ --shard 2/2 -o part-2
    cxrscan merge whole part-1 part-2
    """
    from cxrscan.scanner.render import render
    from cxrscan.scanner.runs.merge import merge_runs

    merge_runs(runs, out, partial=partial)
    tally = render(out, write_outputs)
    options.tell(tally, as_json=as_json, quiet=quiet)
    return tally.exit_code
