"""``cxrscan worklist``: in which order to read a run's studies, and what that order gains."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cxrscan.scanner import NOTICE
from cxrscan.scanner.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cxrscan.scanner.evaluation.studies import Study
    from cxrscan.scanner.run_record import Run


def _views(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    """``pa,ll`` -> views, in order, without repeats."""
    return tuple(dict.fromkeys(view.strip().upper() for view in value.split(",") if view.strip()))


@click.command(short_help="Put studies in the order of their urgency.")
@options.run_folder
@click.option(
    "--prevalence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of the studies that show pneumonia; default: the share that the model assumes.",
)
@click.option(
    "--minutes-per-study",
    type=click.FloatRange(0, 1_000, min_open=True),
    default=3.0,
    show_default=True,
    help="How long a reader takes for a study.",
)
@click.option("--readers", type=click.IntRange(1, 1_000), default=1, show_default=True, help="Readers side by side.")
@click.option(
    "--views", default="", metavar="VIEW,...", callback=_views, help="Views that each study should have, as PA,LL."
)
@click.option(
    "--n", "n_printed", type=click.IntRange(1, 10_000), default=200, show_default=True, help="Studies on the page."
)
@click.option(
    "-o",
    "--output",
    type=options.LocalPath(file_okay=False, path_type=Path),
    help="Folder for worklist.csv and worklist.html; default: RUN.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the simulation.")
@click.option("--json", "as_json", is_flag=True, help="Print the simulation as JSON instead of the table.")
@options.quiet
def worklist(
    run_folder: Path,
    prevalence: float | None,
    minutes_per_study: float,
    readers: int,
    views: tuple[str, ...],
    n_printed: int,
    output: Path | None,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Put the studies of RUN, or its films where they are not grouped, in the order in which they are to be read.

    Writes worklist.csv, and worklist.html to print, and simulates how much sooner studies with pneumonia are read.
    It tells scores: for reading blind, and for labels that a model learns from, there is `cxrscan queue`.

    \b
    cxrscan worklist cxrscan-out --prevalence 0.05 --minutes-per-study 4
    """
    from cxrscan.reports.evaluation.worklist import (
        CSV_NAME,
        PAGE_NAME,
        worklist_document,
        worklist_text,
        write_worklist_csv,
        write_worklist_page,
    )
    from cxrscan.scanner.errors import RunFolderError
    from cxrscan.scanner.evaluation.waiting import simulate_waiting
    from cxrscan.scanner.evaluation.worklist import order_by_urgency
    from cxrscan.scanner.system.whole_files import followed, make_folder

    run, studies = _read(run_folder)
    if not studies:
        raise RunFolderError("worklist-empty", f"{run_folder} has no film.")
    share = prevalence if prevalence is not None else run.model.prior
    entries = order_by_urgency(studies, prior=run.model.prior, prevalence=share, views=views)
    waiting = simulate_waiting(
        entries, prevalence=share, minutes_per_study=minutes_per_study, n_readers=readers, seed=seed
    )
    folder = followed(output or run_folder)
    make_folder(folder)
    write_worklist_csv(folder / CSV_NAME, entries, run, waiting)
    write_worklist_page(folder / PAGE_NAME, entries, run, waiting, n_printed)
    if as_json:
        click.echo(json.dumps(worklist_document(waiting), ensure_ascii=False))
    elif not quiet:
        click.echo(worklist_text(entries, run, waiting), nl=False)
    if not quiet:
        click.echo(f"Table    {folder / CSV_NAME}\nPage     {folder / PAGE_NAME}\n{NOTICE}", err=True)


def _read(run_folder: Path) -> tuple[Run, tuple[Study, ...]]:
    """A run and its studies, called as outputs call them; each film by itself where the run has no grouping."""
    from cxrscan.scanner.evaluation.grouping import grouped
    from cxrscan.scanner.evaluation.studies import StudyCollector
    from cxrscan.scanner.run_record import Run
    from cxrscan.scanner.runs.grouping import grouped_films
    from cxrscan.scanner.runs.journal import Journal, stored_info, stored_model
    from cxrscan.scanner.runs.sharing import shareable

    with Journal(run_folder, read_only=True) as journal:
        info, model = stored_info(journal), stored_model(journal)
        films = grouped_films(journal, info, None) if info.group else lambda: grouped(journal.films(), "", {})
        run = shareable(Run(info, model, films))
        collector = StudyCollector(model)
        _exhaust(collector.watch(run.films()))
    return replace(run, films=lambda: ()), collector.studies(info.study_rule)


def _exhaust(films: Iterable[object]) -> None:
    for _ in films:
        pass
