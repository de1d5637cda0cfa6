"""The story of adapting: labelled films -> ladder -> before and after -> bundle, or a reason why there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from cxrscan.scanner.errors import BundleError, LabelError, TrainingError
from cxrscan.scanner.evaluation.labels import LabelJoin, Labels
from cxrscan.scanner.metrics import auc_delong
from cxrscan.scanner.model_bundle import WEIGHTS_NAME
from cxrscan.scanner.runs.journal import Journal, stored_model
from cxrscan.scanner.sources.walk import Root
from cxrscan.scanner.system.quiet import import_tensorflow
from cxrscan.scanner.system.text import count
from cxrscan.training.adaptation.baseline import Baseline, baseline
from cxrscan.training.adaptation.bundle import Bundle, Parent, adapted_bundle, bundle_by_share, write_adapted
from cxrscan.training.adaptation.films_again import Whereabouts, read_again, whereabouts
from cxrscan.training.adaptation.forecast import Forecast, forecast
from cxrscan.training.adaptation.forgetting import Remembered, remember
from cxrscan.training.adaptation.local_films import LocalFilms, read_local_films
from cxrscan.training.adaptation.measure import Measured, measure, measure_tuned
from cxrscan.training.adaptation.reference import with_reference
from cxrscan.training.adaptation.rungs import PROMISE, Rung, Step, allowed, ladder, promise_text

SENSITIVITY = 0.90
"""What a threshold promises unless another sensitivity is asked for."""
_FEWEST_PEOPLE = 10
"""Of each class: so that every eighth of them, as a learning curve parts them, has one."""
_AS_GOOD = 0.005
"""AUC by which an adapted model should surpass what view, age and acquisition add to its parent."""


@dataclass(frozen=True, slots=True)
class AdaptRequest:
    """What the user asked for."""

    run: Path
    out: Path
    parent: Parent
    labels: Labels | None = None
    """None for the run's own."""
    site: str = "this site"
    sensitivity: float | None = None
    """Where given, the threshold that promises it becomes the default one."""
    rung: Rung | None = None
    """None for the highest that gains."""
    share: float | None = None
    """Share of the films that shall be called positive, whatever labels say."""
    patients: Mapping[str, str] = field(default_factory=dict)
    """File name -> patient, where the user has a table of them."""
    patient_column: str = "patient"
    validation_run: Path | None = None
    """A labelled run of the parent over the films that it was validated on."""
    force: bool = False
    fine_tune: bool = False
    """Whether the films are read again to train the last blocks, where there are enough."""
    places: tuple[Root, ...] = ()
    """Where the films are now, to be read again; empty for where the run found them."""
    say: Callable[[str], None] = lambda text: None
    """Told what takes long."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found out, and whether a bundle was written."""

    films: LocalFilms
    steps: tuple[Step, ...]
    promise: str
    """Which promise of sensitivity the labels allow."""
    measured: tuple[Measured, ...]
    """The rungs that were tried, the highest first; empty without labels."""
    best: Measured | None
    """The one of them that counts."""
    bundle: Bundle | None
    """None: nothing was gained for certain, and none was written."""
    baseline: Baseline | None = None
    forecast: Forecast | None = None
    remembered: Remembered | None = None
    """What becomes of the parent's validation films; None where they were not given."""
    warnings: tuple[str, ...] = ()
    joined: LabelJoin | None = None


def adapt_run(request: AdaptRequest) -> Outcome:
    """Adapt a run's bundle to its labelled films.

    Raises
    ------
    CxrscanError
        The run, the labels or the bundle cannot be used, there are too few labels, or the output cannot be written.
    """
    if not request.force and (request.out / WEIGHTS_NAME).exists():
        raise TrainingError("bundle-exists", f"{request.out} holds a bundle.")
    with Journal(request.run, read_only=True) as journal:
        _refuse_other_bundle(journal, request.parent)
        if request.share is not None:
            return _by_share(journal, request, request.share)
        if request.labels is None and not journal.is_labelled():
            raise LabelError("labels-none", f"{request.run} has no labels, and no --positive-share was given.")
        request = replace(request, parent=_as_at_site(request.parent, journal))
        joined = journal.join(request.labels) if request.labels is not None else None
        if joined is not None:
            joined.refuse_misfit()
        truth = None if joined is None else joined.truth
        films = read_local_films(journal, truth, joined.rows if joined else {}, request.patient_column)
        where = whereabouts(journal, request.places) if request.fine_tune else None
    films = _with_patients(films, request.patients)
    with threadpool_limits(1, user_api="blas"):  # small products; threads would wait for each other
        return replace(_adapt(films, where, request), joined=joined)


def _adapt(films: LocalFilms, where: Whereabouts | None, request: AdaptRequest) -> Outcome:
    steps = ladder(films)
    sensitivity = request.sensitivity or SENSITIVITY
    promise = promise_text(films.n_positive_patients, sensitivity)
    point = PROMISE if request.sensitivity is not None else "youden"
    rungs = _rungs(steps, request)
    _refuse_few_people(films)
    measured = tuple(_measure(rung, films, where, request, point, sensitivity) for rung in rungs)
    best = best_of(measured)
    remembered = None
    if request.validation_run is not None:
        remembered = remember(request.validation_run, request.parent.spec, best)
    bundle = None
    if best.is_gain or request.force:
        bundle = adapted_bundle(
            request.parent, films, best, request.site, forced=not best.is_gain, remembered=remembered
        )
        bundle = with_reference(bundle, request.run, films, best, request.site)
        write_adapted(request.out, bundle)
    told = baseline(films)
    warnings = _warnings(films, best, told)
    if remembered is not None and remembered.is_loss:
        warnings += ("The films that the old model was validated on are told apart worse than before.",)
    return Outcome(films, steps, promise, measured, best, bundle, told, forecast(films), remembered, warnings)


def best_of(measured: Sequence[Measured]) -> Measured:
    """The rung to take: of those that gain for certain the one with the least loss, a threshold where none else does.

    A head that does no better on films held back than a recalibration is not worth its thousand weights.
    """
    gaining = [each for each in measured if each.is_gain] or list(measured)
    return min(gaining, key=lambda each: (each.rung == "threshold", each.loss))


def _measure(
    rung: Rung, films: LocalFilms, where: Whereabouts | None, request: AdaptRequest, point: str, sensitivity: float
) -> Measured:
    spec = request.parent.spec
    if where is None or rung != "fine-tuning":
        return measure(rung, films, spec, point, sensitivity)
    pixels = read_again(films, where, spec)
    import_tensorflow()
    from cxrscan.training.adaptation.fine_tune import fine_tune  # TensorFlow takes seconds to import

    return measure_tuned(fine_tune(request.parent, films, pixels, request.say), films, spec, point, sensitivity)


def _rungs(steps: Sequence[Step], request: AdaptRequest) -> tuple[Rung, ...]:
    """Rungs to try, the highest first; fine-tuning only where it is asked for.

    Raises
    ------
    LabelError
        ``labels-few``.
    """
    tries: set[Rung] = {request.rung} if request.rung else {"threshold", "recalibration", "head"}
    if request.fine_tune:
        tries.add("fine-tuning")
    demanded = request.rung or ("fine-tuning" if request.fine_tune else "threshold")
    step = next(step for step in steps if step.rung == demanded)
    if not step.is_allowed:
        raise LabelError("labels-few", f"{step.reason[0].upper()}{step.reason[1:]}")
    return tuple(rung for rung in allowed(steps) if rung in tries)


def _refuse_few_people(films: LocalFilms) -> None:
    """Many films of a few people cannot be parted into some to fit on and others to measure on."""
    if min(films.n_positive_patients, films.n_negative_patients) < _FEWEST_PEOPLE:
        raise LabelError(
            "labels-few",
            f"The films with pneumonia are of {count(films.n_positive_patients, 'person', 'people')}, those without of "
            f"{films.n_negative_patients:,}; {_FEWEST_PEOPLE} and {_FEWEST_PEOPLE} are needed.",
        )


def _by_share(journal: Journal, request: AdaptRequest, share: float) -> Outcome:
    """A threshold that calls a wanted share of the films; labels say only what they would allow."""
    probs = [prob for film in journal.films() if (prob := film.result.prob_pneumonia) is not None]
    if not probs:
        raise LabelError("labels-few", f"{request.run} holds no scored film.")
    films = _with_patients(read_local_films(journal, None, {}), request.patients)
    bundle = bundle_by_share(request.parent, probs, share, request.site)
    write_adapted(request.out, bundle)
    warning = f"No label has validated this threshold: it calls {share:g} of the films, right or wrong."
    promise = promise_text(films.n_positive_patients, SENSITIVITY)
    return Outcome(films, ladder(films), promise, (), None, bundle, warnings=(warning,))


def _refuse_other_bundle(journal: Journal, parent: Parent) -> None:
    run = stored_model(journal)
    if run.weights_sha256 != parent.spec.weights_sha256 or run.calibrations != parent.spec.calibrations:
        raise BundleError(
            "other-bundle",
            f"{journal.folder} was made with {run.label}, and {parent.spec.folder} holds another bundle.",
        )


def _as_at_site(parent: Parent, journal: Journal) -> Parent:
    """The parent with one calibration: that of the population which most of the films look like."""
    seen = Counter(film.result.population for film in journal.films() if film.result.status == "scored")
    population = seen.most_common(1)[0][0] if seen else ""
    return replace(parent, spec=parent.spec.of_population(population))


def _with_patients(films: LocalFilms, patients: Mapping[str, str]) -> LocalFilms:
    if not patients:
        return films
    names = [patients.get(Path(name).name, own) for name, own in zip(films.names, films.patients.tolist(), strict=True)]
    return replace(films, patients=np.array(names, dtype=np.str_))


def _warnings(films: LocalFilms, measured: Measured, told: Baseline | None) -> tuple[str, ...]:
    """What the adapting cannot mend, and what it may owe to other things than disease."""
    warnings = []
    auc = auc_delong(films.truth, measured.after.prob)
    if auc.low is not None and auc.low <= 0.5:
        warnings.append(
            f"An AUC of {auc.value:.2f} (from {auc.low:.2f}) may be chance. "
            "No threshold and no recalibration mends that."
        )
    if told is not None and told.with_parent.value is not None and auc.value is not None:
        before = auc_delong(films.truth, measured.before.prob).value or 0.0
        if auc.value - before > _AS_GOOD and told.with_parent.value > auc.value - _AS_GOOD:
            warnings.append(
                f"{', '.join(told.known)}, added to the old answer, give an AUC of {told.with_parent.value:.3f}: "
                "the gain may be no more than how the films were taken."
            )
    if films.n_patients == films.n:
        warnings.append("Each film counts as a person of its own. If some share one, tell with --patients FILE.csv.")
    return tuple(warnings)
