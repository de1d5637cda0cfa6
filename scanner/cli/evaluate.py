"""``cxrscan evaluate``: measure a run against labels."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from cxrscan.scanner import NOTICE
from cxrscan.scanner.cli import options
from cxrscan.scanner.errors import LabelError

if TYPE_CHECKING:
    from collections.abc import Sequence, Set

    from cxrscan.reports.evaluation.checklist import ChecklistName
    from cxrscan.scanner.evaluation.labels import LabelRequest
    from cxrscan.scanner.records import Band, Duplicates, StudyRule


def split_names(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    """``a,b`` -> names, in order, without repeats."""
    return tuple(dict.fromkeys(name.strip().casefold() for name in (value or "").split(",") if name.strip()))


@click.command(short_help="Measure a run against labels.")
@options.run_folder
@options.labels
@options.verdicts
@options.threshold
@options.refer
@click.option(
    "--by",
    metavar="NAME,...",
    callback=split_names,
    help="Subgroups: view_position, patient_sex, age_band, manufacturer, population, kind, folder, gate, "
    "or a column of the label file.",
)
@click.option(
    "--prevalence",
    "prevalences",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    multiple=True,
    help="Also give PPV and NPV where this share of the films shows pneumonia; may be repeated.",
)
@options.duplicates
@options.group
@options.study_rule
@click.option("--exact", is_flag=True, help="Clopper-Pearson intervals for proportions instead of Wilson's.")
@click.option(
    "--checklist", type=click.Choice(["stard-ai", "claim"]), help="Also write a reporting checklist, prefilled."
)
@click.option(
    "-o",
    "--output",
    type=options.LocalPath(file_okay=False, path_type=Path),
    help="Folder for metrics.json, metrics.csv and the charts; default: RUN/evaluation.",
)
@click.option("--json", "as_json", is_flag=True, help="Print metrics.json instead of the table.")
@options.quiet
def evaluate(
    run_folder: Path,
    labels: LabelRequest | None,
    verdicts: Path | None,
    threshold: str | None,
    refer: Band | Literal["off"] | None,
    by: tuple[str, ...],
    prevalences: tuple[float, ...],
    duplicates: Duplicates | None,
    group: str | None,
    study_rule: StudyRule | None,
    exact: bool,
    checklist: ChecklistName | None,
    output: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure RUN against labels: every figure with its 95 % interval, by film and by patient, in subgroups.

    Writes metrics.json, metrics.csv and charts, and renders the report again: of a run that may only be read, into
    the folder that -o names. Without --labels the labels of the run itself count.

    \b
    cxrscan evaluate cxrscan-out --labels truth.csv --by view_position,site
    """
    from cxrscan.reports.evaluation.checklist import checklist_text
    from cxrscan.reports.evaluation.files import evaluation_text, write_evaluation
    from cxrscan.reports.outputs import write_outputs
    from cxrscan.scanner.evaluation.evaluate import Asked
    from cxrscan.scanner.render import render
    from cxrscan.scanner.run_record import Run
    from cxrscan.scanner.runs.journal import Journal, stored_info, stored_model
    from cxrscan.scanner.system.whole_files import followed, replacing_text

    def ask(columns: Set[str]) -> Asked:
        _check_names(by, columns)
        return Asked(by, prevalences, exact)

    if labels is not None and verdicts is not None:
        raise click.UsageError("Give --labels or --verdicts, not both.")
    truth = labels if verdicts is None else options.reader_labels(run_folder, verdicts)
    with Journal(run_folder, read_only=True) as journal:
        info, model = stored_info(journal), stored_model(journal)
    if truth is None and not info.labels:
        raise LabelError("labels-none", f"{run_folder} has no labels.")
    if info.names == "hashed" and "folder" in by:
        raise click.BadParameter("the outputs of this run name no folders.", param_hint="--by")
    elsewhere = output if not os.access(run_folder, os.W_OK) else None
    tally = render(
        run_folder,
        write_outputs,
        threshold=threshold,
        refer=refer,
        labels=truth,
        duplicates=duplicates,
        group=group,
        study_rule=study_rule,
        out=elsewhere,
        ask=ask,
    )
    evaluation, run = tally.evaluation, Run(tally.info, model)
    if evaluation is None:
        raise LabelError("labels-none", "No film of the run has both a label and a probability.")
    folder = followed(output) if output else followed(run_folder) / "evaluation"
    document = write_evaluation(folder, evaluation, run, tally.outputs.studies)
    if checklist is not None:
        with replacing_text(folder / f"checklist-{checklist}.md") as stream:
            stream.write(checklist_text(checklist, evaluation, run, tally.counts))
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        click.echo(evaluation_text(evaluation, tally.info, tally.outputs.studies), nl=False)
    if not quiet:
        if tally.labels is not None:
            click.echo(tally.labels.sentence, err=True)
            _tell_misfits(tally.labels.ambiguous, "fits several lines or shares one")
            _tell_misfits([f"line {row.line}: {row.path}" for row in tally.labels.unmatched], "names no film")
        click.echo(f"Report   {tally.outputs.html}\nFigures  {folder}\n{NOTICE}", err=True)


_MAX_TOLD = 10


def _tell_misfits(names: Sequence[str], why: str) -> None:
    for name in names[:_MAX_TOLD]:
        click.echo(f"  {name}: {why}", err=True)
    if len(names) > _MAX_TOLD:
        click.echo(f"  ... and {len(names) - _MAX_TOLD} more", err=True)


def _check_names(by: tuple[str, ...], columns: Set[str]) -> None:
    from cxrscan.scanner.evaluation.evaluate import ATTRIBUTES

    known = (*ATTRIBUTES, *sorted(columns))
    unknown = [name for name in by if name not in known]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(known)}.", param_hint="--by")
