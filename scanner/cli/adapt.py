"""``cxrscan adapt``: make a bundle that holds where its films come from."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cxrscan.scanner import NOTICE
from cxrscan.scanner.cli import options
from cxrscan.scanner.errors import CxrscanError, LabelError
from cxrscan.scanner.system.text import is_printable, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxrscan.scanner.evaluation.labels import LabelRequest, Labels
    from cxrscan.scanner.sources.walk import Root
    from cxrscan.training.adaptation.bundle import Parent
    from cxrscan.training.adaptation.measure import Measured
    from cxrscan.training.adaptation.run import Outcome

_MAX_SITE = 64


def _site(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """A name that a bundle may hold."""
    if not value.strip() or len(value) > _MAX_SITE or not is_printable(value):
        raise click.BadParameter(f"give a name of up to {_MAX_SITE} characters.")
    return value.strip()


@click.command(short_help="Adapt the model to your own labelled films.")
@options.run_folder
@options.labels
@options.verdicts
@click.option(
    "-o",
    "--output",
    type=options.LocalPath(file_okay=False, path_type=Path),
    required=True,
    metavar="BUNDLE",
    help="Folder for the new bundle.",
)
@options.model
@click.option(
    "--site",
    default="this site",
    show_default=True,
    callback=_site,
    help="Where the films come from; the bundle's card says so.",
)
@click.option(
    "--sensitivity",
    type=click.FloatRange(0.5, 0.999),
    help="Make the threshold the default one that promises this sensitivity; without: the best balance.",
)
@click.option(
    "--rung",
    type=click.Choice(["threshold", "recalibration", "head"]),
    help="Try this one alone; default: the highest that gains on films held back.",
)
@click.option(
    "--fine-tune",
    is_flag=True,
    help="With 90 films of each class: also train the last blocks; reads films again, takes minutes (extra `train`).",
)
@click.option(
    "--films",
    "places",
    multiple=True,
    type=options.Place(),
    metavar="PLACE",
    help="Where --fine-tune finds the films now; default: as scanned, when that is on this computer.",
)
@click.option(
    "--positive-share",
    "share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Needs no label: a threshold that calls this share of the films; never validated.",
)
@options.patients
@click.option(
    "--validation-run",
    type=options.LocalPath(exists=True, file_okay=False, path_type=Path),
    metavar="RUN",
    help="A labelled run over the films that the old model was validated on: also say what becomes of these.",
)
@click.option(
    "--patient-column",
    default="patient",
    show_default=True,
    metavar="NAME",
    help="Column of the label file that names the patient.",
)
@click.option("--force", is_flag=True, help="Write the bundle though no gain is certain, or over another one.")
@options.as_json
@options.quiet
def adapt(
    run_folder: Path,
    labels: LabelRequest | None,
    verdicts: Path | None,
    output: Path,
    bundle: Path | None,
    site: str,
    sensitivity: float | None,
    rung: Any,
    fine_tune: bool,
    places: tuple[Root, ...],
    share: float | None,
    patients: Path | None,
    validation_run: Path | None,
    patient_column: str,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Adapt the bundle of RUN to its labelled films, and write a new one where films held back show a gain.

    Works from the run's journal. What so many labels allow is tried from the top: a new head, recalibration, a
    threshold. Without --labels or --verdicts the labels of the run itself count. Needs the extra `adapt`.

    \b
    cxrscan adapt cxrscan-out --labels truth.csv -o our-model --site "St Elsewhere"
    cxrscan run films/ --model our-model
    """
    _require_libraries(fine_tune)
    ask_for_labels = {
        "--labels": labels,
        "--verdicts": verdicts,
        "--sensitivity": sensitivity,
        "--rung": rung,
        "--fine-tune": fine_tune,
        "--validation-run": validation_run,
    }
    for option, given in ask_for_labels.items():
        if share is not None and given:
            raise click.UsageError(f"--positive-share heeds no labels: leave {option} out.")
    from cxrscan.training.adaptation.run import AdaptRequest, adapt_run
    from cxrscan.training.dataset import read_patients

    outcome = adapt_run(
        AdaptRequest(
            run=run_folder,
            out=output,
            parent=_parent(run_folder, bundle),
            labels=_labels(run_folder, labels, verdicts),
            site=site,
            sensitivity=sensitivity,
            rung=rung,
            share=share,
            patients={} if patients is None else read_patients(patients),
            patient_column=patient_column,
            validation_run=validation_run,
            force=force,
            fine_tune=fine_tune,
            places=places,
            say=lambda text: None if quiet else click.echo(text, err=True),
        )
    )
    if as_json:
        click.echo(json.dumps(_document(outcome)))
    else:
        for line in _story(outcome):
            click.echo(printable(line))
    if not quiet:
        if outcome.joined is not None:
            click.echo(printable(outcome.joined.sentence), err=True)
        if outcome.bundle is not None:
            click.echo(f"Bundle   {output}\nUse it   cxrscan run FILMS --model {output}", err=True)
        click.echo(NOTICE, err=True)
    if outcome.bundle is None and outcome.best is not None:
        raise LabelError("no-gain", _refusal(outcome.best))
    return 0


def _require_libraries(fine_tune: bool) -> None:
    if find_spec("scipy") is None:
        raise CxrscanError("extra-missing", "Adapting a model needs SciPy, from the extra `adapt`.")
    if not fine_tune:
        return
    if find_spec("tensorflow") is None:
        raise CxrscanError("extra-missing", "--fine-tune needs TensorFlow, the extra `train`.")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it wonders at networks that are made anew


def _parent(run_folder: Path, bundle: Path | None) -> Parent:
    """The bundle to adapt: the one given, else that which the run names, else the shipped one."""
    from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, read_weights
    from cxrscan.scanner.runs.journal import Journal, stored_info
    from cxrscan.scanner.trial import open_bundle
    from cxrscan.training.adaptation.bundle import Parent

    if bundle is None:
        with Journal(run_folder, read_only=True) as journal:
            named = stored_info(journal).arguments.get("model")
        bundle = Path(named) if isinstance(named, str) else DEFAULT_BUNDLE
    opened = open_bundle(bundle)
    return Parent(opened.spec, opened.document, opened.files.weights or read_weights(opened.spec.folder))


def _labels(run_folder: Path, labels: LabelRequest | None, verdicts: Path | None) -> Labels | None:
    """Where the truth is; None for the run's own labels."""
    from cxrscan.scanner.evaluation.labels import open_labels
    from cxrscan.scanner.runs.journal import Journal, stored_info

    if labels is not None and verdicts is not None:
        raise click.UsageError("Give --labels or --verdicts, not both.")
    if verdicts is not None:
        return options.reader_labels(run_folder, verdicts)
    if labels is None:
        return None
    with Journal(run_folder, read_only=True) as journal:
        roots = stored_info(journal).roots
    return open_labels(labels, tuple(map(Path, roots)))


def _story(outcome: Outcome) -> Iterator[str]:
    """What was found out, line by line."""
    from cxrscan.reports.wording import difference_text, title_of, with_interval
    from cxrscan.training.adaptation.forecast import N_MORE

    films = outcome.films
    if outcome.measured:
        yield (
            f"{films.n:,} labelled films of {films.n_patients:,} people: {films.n_positive:,} with pneumonia, "
            f"{films.n_negative:,} without."
        )
    for step in outcome.steps:
        yield f"  {'+' if step.is_allowed else '-'} {step.reason[0].upper()}{step.reason[1:]}"
    yield outcome.promise
    for measured in outcome.measured:
        told = "" if measured.is_gain else "; the interval includes a loss"
        yield (
            f"{measured.rung}, {_gain_name(measured)}: {difference_text('auc', measured.gain)}{told}; "
            f"AUC {difference_text('auc', measured.auc_gain)}"
        )
    if outcome.best is not None:
        measured = outcome.best
        before, after = (held.figures(films.truth, measured.point) for held in (measured.before, measured.after))
        yield f"On films held back, {measured.rung}, operating point {measured.point}:"
        yield f"  {'':26}{'before':26}after"
        for key in before:
            figures = (with_interval(key, figure[key]) for figure in (before, after))
            yield f"  {title_of(key):26}{next(figures):26}{next(figures)}"
    if outcome.remembered is not None:
        then, now = outcome.remembered.before, outcome.remembered.after
        yield f"On the {outcome.remembered.n_films:,} films that the old model was validated on:"
        yield from (
            f"  {title_of(key):26}{with_interval(key, then[key]):26}{with_interval(key, now[key])}" for key in then
        )
        yield f"  AUC {difference_text('auc', outcome.remembered.auc_change)}"
    if outcome.baseline is not None:
        told = ", ".join(outcome.baseline.known)
        yield (
            f"How the films were taken ({told}), without the picture: AUC "
            f"{with_interval('auc', outcome.baseline.alone)}; with the old answer "
            f"{with_interval('auc', outcome.baseline.with_parent)}"
        )
    if outcome.forecast is not None:
        yield f"{N_MORE} more labels: AUC {difference_text('auc', outcome.forecast.gain)} for a head (power law)."
    yield from (f"Mind: {warning}" for warning in outcome.warnings)


def _gain_name(measured: Measured) -> str:
    from cxrscan.training.adaptation.card import GAINS

    return f"gain in {GAINS[measured.gain_of]}"


def _refusal(measured: Measured) -> str:
    return (
        f"No bundle is written: on films held back the {_gain_name(measured)} by the {measured.rung} "
        f"may be a loss ({measured.gain.low or 0:.3f} to {measured.gain.high or 0:.3f})."
    )


def _document(outcome: Outcome) -> dict[str, Any]:
    """The outcome as JSON values."""
    films = outcome.films
    return {
        "written": outcome.bundle is not None,
        "n_films": films.n,
        "n_positive": films.n_positive,
        "n_patients": films.n_patients,
        "n_copies": films.n_copies,
        "ladder": [asdict(step) for step in outcome.steps],
        "promise": outcome.promise,
        "tried": [
            {
                "rung": measured.rung,
                "point": measured.point,
                "gain_of": measured.gain_of,
                "gain": asdict(measured.gain),
                "auc_gain": asdict(measured.auc_gain),
                "is_chosen": measured is outcome.best,
                "before": _figures(measured.before.figures(films.truth, measured.point)),
                "after": _figures(measured.after.figures(films.truth, measured.point)),
            }
            for measured in outcome.measured
        ],
        "baseline": outcome.baseline and asdict(outcome.baseline),
        "forecast": outcome.forecast and asdict(outcome.forecast.gain),
        "validation_of_parent": outcome.remembered
        and {
            "n_films": outcome.remembered.n_films,
            "before": _figures(outcome.remembered.before),
            "after": _figures(outcome.remembered.after),
            "auc_change": asdict(outcome.remembered.auc_change),
        },
        "warnings": list(outcome.warnings),
    }


def _figures(figures: Any) -> dict[str, Any]:
    return {key: asdict(figure) for key, figure in figures.items()}
