"""``cxrscan compare``: two runs over the same films."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cxrscan.scanner.cli import options
from cxrscan.scanner.system.text import printable

if TYPE_CHECKING:
    from cxrscan.scanner.evaluation.labels import LabelRequest
    from cxrscan.scanner.model_bundle import ModelSpec


@click.command(short_help="Compare two runs over the same films.")
@click.argument("run_a", type=options.LocalPath(exists=True, file_okay=False, path_type=Path))
@click.argument("run_b", type=options.LocalPath(exists=True, file_okay=False, path_type=Path))
@options.labels
@options.as_json
def compare(run_a: Path, run_b: Path, labels: LabelRequest | None, as_json: bool) -> None:
    """Compare RUN_A with RUN_B film by film: McNemar and DeLong tests, differences, films that changed sides.

    Each run counts at its own threshold; films that either of them refers are left out. Without --labels the labels
    of RUN_A count. Nothing is written.
    """
    from cxrscan.reports.evaluation.comparison import comparison_document, comparison_text
    from cxrscan.scanner.decision import is_referred
    from cxrscan.scanner.evaluation.compare import compare_runs
    from cxrscan.scanner.evaluation.evaluate import cells_of, collect_films
    from cxrscan.scanner.evaluation.labels import open_labels
    from cxrscan.scanner.runs.journal import Journal, stored_info, stored_model

    with Journal(run_a, read_only=True) as journal:
        info_a, model_a = stored_info(journal), stored_model(journal)
        if labels is None:
            first = collect_films(journal.films(), {}, refer=info_a.refer, duplicates=info_a.duplicates)
        else:
            source = open_labels(labels, tuple(map(Path, info_a.roots)))
            joined = source.join([film.result.name for film in journal.films()])
            joined.refuse_misfit()
            click.echo(joined.sentence, err=True)
            films = (replace(film, truth=joined.truth.get(film.result.name)) for film in journal.films())
            first = collect_films(films, cells_of(joined.rows), refer=info_a.refer, duplicates=info_a.duplicates)
    with Journal(run_b, read_only=True) as journal:
        info_b, model_b = stored_info(journal), stored_model(journal)
        second = {
            film.result.name: film.result.prob_pneumonia
            for film in journal.films()
            if film.result.prob_pneumonia is not None and not is_referred(film.result, info_b.refer)
        }
    comparison = compare_runs(first, second, (info_a.threshold, info_b.threshold))
    if as_json:
        click.echo(json.dumps(comparison_document(comparison), ensure_ascii=False))
    else:
        click.echo(comparison_text(comparison, (str(run_a), str(run_b))), nl=False)
    for run, model, other in ((run_a, model_a, model_b), (run_b, model_b, model_a)):
        _warn_of_own_films(run, model, other)


def _warn_of_own_films(run: Path, model: ModelSpec, other: ModelSpec) -> None:
    """Say where one model was adapted to labelled films that the other was not: they may be these."""
    last = model.lineage[-1] if model.lineage else None
    if last is not None and last not in other.lineage and last.rung != "share":
        said = f"{run} was scored by a model that was adapted to films of {last.site}"
        click.echo(printable(f"Mind: {said}. On these films its figures come out too good."), err=True)
