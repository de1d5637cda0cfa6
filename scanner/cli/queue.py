"""``cxrscan queue``: which films to read next."""

from __future__ import annotations

from pathlib import Path

import click

from cxrscan.scanner.cli import options


@click.command(short_help="Choose the films that are worth reading next.")
@options.run_folder
@click.option("--n", "n", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Films on the list.")
@click.option(
    "-o",
    "--output",
    type=options.LocalPath(dir_okay=False, path_type=Path),
    help="The list to write; default: RUN/queue.csv.",
)
@click.option("--again", is_flag=True, help="Also take patients of whom a film has a verdict in RUN.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Another seed, another choice.")
@options.patients
@options.quiet
def queue(
    run_folder: Path, n: int, output: Path | None, again: bool, seed: int, patients: Path | None, quiet: bool
) -> None:
    """Put films of RUN on a reading list: unlike each other, at all heights of the score, the uncertain ones first.

    No patient is on it twice. The list tells no score, so that it can be read blind, by one reader or by several:

    \b
    cxrscan queue cxrscan-out --n 50
    cxrscan view cxrscan-out --queue cxrscan-out/queue.csv --reader anna
    cxrscan view cxrscan-out --queue cxrscan-out/queue.csv --reader ben
    cxrscan agreement cxrscan-out
    """
    from cxrscan.scanner.errors import RunFolderError
    from cxrscan.scanner.evaluation.reading_list import choose_films
    from cxrscan.scanner.model_bundle import log_odds
    from cxrscan.scanner.populations.pool import pool_of
    from cxrscan.scanner.runs.journal import Journal, stored_info, stored_model
    from cxrscan.scanner.system.text import count
    from cxrscan.scanner.system.whole_files import followed
    from cxrscan.scanner.viewer.reading_list import FILE_NAME, write_reading_list
    from cxrscan.scanner.viewer.verdicts import films_read
    from cxrscan.training.dataset import read_patients

    with Journal(run_folder, read_only=True) as journal:
        threshold, model = stored_info(journal).threshold, stored_model(journal)
        read = frozenset() if again else films_read(journal.folder)
        pool = pool_of(journal.films, model, read, str(run_folder), {} if patients is None else read_patients(patients))
    if not pool.names:
        raise RunFolderError("queue-empty", f"{run_folder} has no film to read.")
    chosen = choose_films(pool.log_odds, pool.features, log_odds(threshold), n, seed=seed)
    path = followed(output or run_folder / FILE_NAME)
    write_reading_list(path, [(pool.names[i], pool.sha256[i]) for i in chosen])
    if not quiet:
        click.echo(
            f"{count(len(chosen), 'film')} of as many patients, chosen from {len(pool.names):,}: {path}", err=True
        )
        if pool.n_left_out:
            click.echo(f"{count(pool.n_left_out, 'film')} of patients who have been read left out.", err=True)
