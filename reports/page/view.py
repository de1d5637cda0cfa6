"""Records -> what the report shows: texts, figures and lists, ready to print; no HTML."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cxrscan.reports.page.charts import Chart, coverage_chart, labelled_charts, unlabelled_charts
from cxrscan.reports.page.colour_scale import OPACITIES, STOPS
from cxrscan.reports.page.comparisons import ComparisonView, changes_view, readers_view
from cxrscan.reports.page.evaluation import EvaluationView, evaluation_view
from cxrscan.reports.page.points import OfferedPoint, offered_points
from cxrscan.reports.page.studies import ROW, StudiesView, studies_view, study_rows
from cxrscan.reports.tables.columns import Column
from cxrscan.reports.wording import (
    AGREEMENTS,
    METRICS,
    OUTCOMES,
    VERDICT_COLUMNS,
    VERDICTS,
    Form,
    Metric,
    code_title,
    date_text,
    figure_text,
    fixed,
    interval_text,
    plain_text,
    probability_text,
    reject_title,
    set_title,
    significant,
    title_of,
    with_interval,
)
from cxrscan.scanner import NOTICE
from cxrscan.scanner.errors import HINTS
from cxrscan.scanner.evaluation.changes import Changes
from cxrscan.scanner.evaluation.evaluate import Evaluation
from cxrscan.scanner.evaluation.fit import OUTSIDE, fit_sentence
from cxrscan.scanner.evaluation.second_readers import Readings
from cxrscan.scanner.evaluation.studies import Study
from cxrscan.scanner.evaluation.survey import EXAMPLES, Problem, Survey
from cxrscan.scanner.metrics import ConfusionMatrix, Summary, figure_table
from cxrscan.scanner.records import GATE_REASONS, NEGATIVE, POSITIVE, REFERRED, Band, Estimate, RunInfo, StudySummary
from cxrscan.scanner.run_record import PLACES, Run
from cxrscan.scanner.system.text import count, duration_text, field_title

if TYPE_CHECKING:
    from cxrscan.reports.page.drift import DriftView
    from cxrscan.scanner.evaluation.drift import Drift

_FIGURES_OF_SETS = ("auc", "sensitivity", "specificity", "brier", "ece", "ece_at_prior")


@dataclass(frozen=True, slots=True)
class FlowStep:
    """A box of the flow diagram, with what leaves the flow before the next box."""

    label: str
    n: int
    excluded: tuple[tuple[str, int], ...] = ()
    """(reason, files)."""


@dataclass(frozen=True, slots=True)
class FlowOutcome:
    """What the films of one call turned out to be."""

    label: str
    n: int
    truths: tuple[tuple[str, int], ...]
    """(truth, films); empty without labels."""


@dataclass(frozen=True, slots=True)
class MetricView:
    """One line of a table of figures."""

    key: str
    title: str
    meaning: str
    form: Form
    value: str
    interval: str
    reason: str
    whisker: tuple[float, float, float] | None
    """Interval and value in percent of the bar's width; None for figures without upper bound."""


@dataclass(frozen=True, slots=True)
class ProblemView:
    """Files that share a reason for having no score."""

    code: str
    title: str
    hint: str
    n: int
    examples: tuple[tuple[str, str], ...]
    n_more: int
    """Files beyond the examples."""


@dataclass(frozen=True, slots=True)
class PointView:
    """An operating point of the model."""

    name: str
    threshold: float
    text: str
    rule: str
    data: str
    sensitivity: str
    specificity: str
    used: bool
    """Whether the run used it."""


@dataclass(frozen=True, slots=True)
class Performance:
    """What the labels tell."""

    confusion: ConfusionMatrix
    at_threshold: tuple[MetricView, ...]
    headline: tuple[MetricView, ...]
    """Sensitivity, specificity, PPV and AUC, for the summary."""
    overall: tuple[MetricView, ...]
    prevalence: str
    """Share of pneumonia among these films, in percent."""
    basis: str
    """Which films the figures are of."""
    unscored: str
    """Sentence on labelled films without a score; empty when there are none."""


@dataclass(frozen=True, slots=True)
class FigureTable:
    """Figures of several sets of films."""

    titles: tuple[str, ...]
    """One for each figure."""
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    """Set of films -> figures, each with its interval; empty where there is none."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The model, described for a reader who decides whether to trust it."""

    label: str
    facts: tuple[tuple[str, str], ...]
    intended_use: str
    limits: tuple[str, ...]
    points: tuple[PointView, ...]
    holds_for: FigureTable
    """For whom the figures hold: sets of validation films side by side."""
    validation: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """What else was measured: set of films -> (metric, figure with interval)."""


@dataclass(frozen=True, slots=True)
class ReportView:
    """The report, top to bottom."""

    title: str
    notice: str
    version: str
    lead: tuple[str, ...]
    """The result in sentences."""
    facts: tuple[tuple[str, str], ...]
    """Date, folder, model and operating point."""
    unfinished: str
    """A warning when the run did not come to its end; else empty."""
    fit: Literal["good", "doubtful", "poor", ""]
    """How far the films are those that the model knows; empty where nothing judged it."""
    fit_sentence: str
    """Told before anything else; empty where the films fit."""
    threshold: str
    threshold_name: str
    flow: tuple[FlowStep, ...]
    outcomes: tuple[FlowOutcome, ...]
    performance: Performance | None
    evaluation: EvaluationView | None
    """What ``cxrscan evaluate`` found; None in other reports."""
    studies: StudiesView | None
    """What the studies amount to; None where films are not grouped."""
    readers: ComparisonView | None
    """What readers say; None unless their verdicts were given."""
    changes: ComparisonView | None
    """What changed since an earlier run; None unless one was named."""
    drift: DriftView | None
    """What ``cxrscan drift`` found; None in other reports."""
    points: tuple[OfferedPoint, ...]
    """Thresholds worth choosing."""
    refer: str
    """The band that a person is to read; empty without one."""
    charts: tuple[Chart, ...]
    failures: tuple[ProblemView, ...]
    rejects: tuple[ProblemView, ...]
    warnings: tuple[tuple[str, str, int], ...]
    """(code, sentence, films)."""
    n_warned: str
    """Films with a caveat, with noun and verb: ``1 film carries``."""
    heat_scale: str
    model: ModelCard
    methods: str
    versions: tuple[tuple[str, str], ...]
    arguments: tuple[tuple[str, str], ...]
    config: dict[str, Any]
    """What the report's script needs besides the films."""


def build_view(
    survey: Survey,
    summary: Summary | None,
    run: Run,
    columns: Sequence[Column],
    *,
    title: str = "",
    evaluation: Evaluation | None = None,
    drift: Drift | None = None,
    studies: Sequence[Study] = (),
    study_summary: StudySummary | None = None,
    readings: Readings | None = None,
    changes: Changes | None = None,
) -> ReportView:
    """Make the view of a run.

    Parameters
    ----------
    summary
        The figures of the labelled films; None without labels.
    title
        Heading of the report; empty for one made of the folder's name.
    evaluation
        What ``cxrscan evaluate`` found, where it is what renders.
    drift
        What ``cxrscan drift`` found, likewise.
    studies, study_summary
        The run's studies and what they amount to, where films are grouped.
    readings
        What readers say of the films.
    changes
        What changed since an earlier run.
    """
    return ReportView(
        title=title or _default_title(run.info),
        notice=NOTICE,
        version=run.info.version,
        lead=_lead(survey, run.info),
        facts=_facts(run),
        unfinished=_UNFINISHED.get(run.info.exit_reason, ""),
        fit=survey.fit.level if survey.fit is not None else "",
        fit_sentence=fit_sentence(survey.fit),
        threshold=probability_text(run.info.threshold),
        threshold_name=run.info.threshold_name,
        flow=_flow(survey, run.info),
        outcomes=_outcomes(survey, summary),
        performance=None if summary is None else _performance(summary, survey),
        evaluation=None if evaluation is None else evaluation_view(evaluation),
        studies=None if study_summary is None else studies_view(study_summary, run),
        readers=None if readings is None else readers_view(readings),
        changes=None if changes is None else changes_view(changes),
        drift=None if drift is None else _drift_view(drift),
        points=_points(survey, summary, run),
        refer=_band(run.info.refer) if run.info.refer is not None else "",
        charts=_charts(survey, summary, run.info),
        failures=tuple(_failure(code, problem) for code, problem in _most_first(survey.failures)),
        rejects=tuple(_reject(reasons, problem) for reasons, problem in _most_first(survey.rejects)),
        warnings=tuple(
            (code, GATE_REASONS.get(code, code), n)
            for code, n in sorted(survey.warnings.items(), key=lambda item: (-item[1], item[0]))
        ),
        n_warned=count(survey.counts.n_warned, "film carries", "films carry"),
        heat_scale=significant(run.model.heat_scale, 3),
        model=model_card(run),
        methods=_methods(survey, summary, run),
        versions=tuple(run.info.versions.items()),
        arguments=_arguments(run.info),
        config=_config(survey, run, columns) | _studies_config(studies, study_summary),
    )


def _drift_view(drift: Drift) -> DriftView:
    from cxrscan.reports.page.drift import drift_view  # which a scan has no use for

    return drift_view(drift)


def _points(survey: Survey, summary: Summary | None, run: Run) -> tuple[OfferedPoint, ...]:
    if summary is None or not 0 < summary.n_positive < summary.n:
        return offered_points(run)
    return offered_points(run, survey.truth[survey.answered], survey.prob[survey.answered])


def _charts(survey: Survey, summary: Summary | None, info: RunInfo) -> tuple[Chart, ...]:
    if summary is None:
        return unlabelled_charts(survey.all_probs, info.threshold)
    charts = labelled_charts(survey.truth[survey.answered], survey.prob[survey.answered], info.threshold)
    return (*charts, *coverage_chart(survey.truth, survey.prob, survey.distance, info.threshold))


def _arguments(info: RunInfo) -> tuple[tuple[str, str], ...]:
    """Return the options that say anything, with the last part of places alone."""
    given = ((name, value) for name, value in info.arguments.items() if _was_given(value))
    return tuple(
        (field_title(name), _place_text(value) if name in PLACES else plain_text(value)) for name, value in given
    )


def _place_text(value: Any) -> str:
    return ", ".join(map(_last_part, map(str, value if isinstance(value, list | tuple) else [value])))


def _was_given(value: Any) -> bool:
    """Whether an option says anything: not one that is unset, off or empty."""
    return value is not None and value is not False and value not in ("", [], (), {})


_UNFINISHED = {
    "interrupted": "The run was interrupted; the files that it had not reached are missing here. "
    "The same command continues it.",
    "terminated": "The run was stopped; the files that it had not reached are missing here. "
    "The same command continues it.",
}


def _default_title(info: RunInfo) -> str:
    return f"Chest X-ray scan of {_folders(info)}"


def _folders(info: RunInfo) -> str:
    """Names of the folders that were scanned; where they lie is the sender's own affair, and stands in run.json."""
    return ", ".join(map(_last_part, info.roots))


def _last_part(place: str) -> str:
    return re.split(r"[/\\]", place.rstrip("/\\"))[-1] or place


def _lead(survey: Survey, info: RunInfo) -> tuple[str, ...]:
    counts = survey.counts
    called = f"{counts.n_positive:,} of {count(counts.n_scored, 'scored film')} called PNEUMONIA"
    sentences = [f"{called} at the threshold {probability_text(info.threshold)} ({info.threshold_name})."]
    if info.refer is not None:
        sentences = [
            f"{called}; {count(counts.n_referred, 'film')} to be read by a person.",
            f"The threshold is {probability_text(info.threshold)} ({info.threshold_name}); "
            f"films with {_band(info.refer)} are called neither.",
        ]
    if counts.n_copies:
        sentences.append(
            f"{count(counts.n_copies, 'scored film is an exact copy', 'scored films are exact copies')} of others; "
            + (
                "figures count each, so their ranges are too narrow."
                if info.duplicates == "keep"
                else "figures count the first of each."
            )
        )
    if counts.n_warned:
        sentences.append(f"{count(counts.n_warned, 'scored film carries', 'scored films carry')} a caveat.")
    missing = [
        text
        for n, text in (
            (counts.n_rejected, f"{counts.n_rejected:,} rejected (not recognised as a frontal chest film)"),
            (counts.n_failed, f"{counts.n_failed:,} failed (could not be read)"),
        )
        if n
    ]
    if missing:
        sentences.append(f"Without a score: {' and '.join(missing)}.")
    return tuple(sentences)


def _band(refer: Band | None) -> str:
    low, high = map(probability_text, refer or (0.0, 0.0))
    return f"a probability from {low} to {high}"


def _facts(run: Run) -> tuple[tuple[str, str], ...]:
    return (
        (
            "Scanned",
            f"{date_text(run.info.finished_at or run.info.started_at)}, in {duration_text(run.info.duration_s)}",
        ),
        ("Folder" if len(run.info.roots) == 1 else "Folders", _folders(run.info)),
        ("Model", run.model.label),
        ("Operating point", f"{run.info.threshold_name}, threshold {probability_text(run.info.threshold)}"),
        ("Labels", {"": "none", "folders": "from the folders' names"}.get(run.info.labels, f"from {run.info.labels}")),
    )


def _flow(survey: Survey, info: RunInfo) -> tuple[FlowStep, ...]:
    """Return the boxes from all files to the scored films (STARD 2015, item 19)."""
    counts = survey.counts
    n_skipped = sum(info.n_skipped.values())
    skipped = sorted(
        ((reason[:1].upper() + reason[1:], n) for reason, n in info.n_skipped.items()),
        key=lambda item: (-item[1], item[0]),
    )
    failures = tuple((code_title(code), problem.n) for code, problem in _most_first(survey.failures))
    rejects = tuple((reject_title(reasons), problem.n) for reasons, problem in _most_first(survey.rejects))
    films = FlowStep("Image files", counts.n_films, failures)
    return (
        *([FlowStep("Files found", counts.n_films + n_skipped, tuple(skipped))] if n_skipped else []),
        films,
        FlowStep("Could be read", counts.n_films - counts.n_failed, rejects),
        FlowStep("Scored", counts.n_scored),
    )


def _outcomes(survey: Survey, summary: Summary | None) -> tuple[FlowOutcome, ...]:
    """Return the calls, each with what is true of its films (the last row of STARD's diagram)."""
    counts = survey.counts
    positive: tuple[tuple[str, int], ...] = ()
    negative: tuple[tuple[str, int], ...] = ()
    n_negative = counts.n_negative
    referred = tuple((truth, n) for truth, n in sorted(survey.referred_truth.items(), reverse=True))
    if summary is not None:
        table = summary.confusion
        positive = ((POSITIVE, table.tp), (NEGATIVE, table.fp), (_UNLABELLED, counts.n_positive - table.tp - table.fp))
        negative = ((POSITIVE, table.fn), (NEGATIVE, table.tn), (_UNLABELLED, n_negative - table.fn - table.tn))
    return (
        FlowOutcome(POSITIVE, counts.n_positive, tuple(part for part in positive if part != (_UNLABELLED, 0))),
        FlowOutcome(NEGATIVE, n_negative, tuple(part for part in negative if part != (_UNLABELLED, 0))),
        *([FlowOutcome(REFERRED, counts.n_referred, referred)] if counts.n_referred else []),
    )


_UNLABELLED = "no label"


def _failure(code: str, problem: Problem) -> ProblemView:
    return _problem(code, code_title(code), HINTS.get(code, ""), problem)


def _reject(reasons: str, problem: Problem) -> ProblemView:
    hint = " ".join(GATE_REASONS.get(code, code) for code in reasons.split())
    return _problem(reasons, reject_title(reasons), hint, problem)


def _problem(code: str, title: str, hint: str, problem: Problem) -> ProblemView:
    return ProblemView(code, title, hint, problem.n, tuple(problem.examples), max(0, problem.n - EXAMPLES))


def _most_first(problems: dict[str, Problem]) -> list[tuple[str, Problem]]:
    return sorted(problems.items(), key=lambda item: (-item[1].n, item[0]))


# -- figures

_HEADLINE = ("sensitivity", "specificity", "ppv", "auc")
_IN_METHODS = ("sensitivity", "specificity", "ppv", "npv", "accuracy", "f1", "auc")
_WHISKER_FORMS = ("share", "score")


def _performance(summary: Summary, survey: Survey) -> Performance:
    views = [_metric(metric, summary.estimates[metric.key]) for metric in METRICS]
    of_table = {figure["key"] for figure in figure_table()}
    return Performance(
        confusion=summary.confusion,
        at_threshold=tuple(view for view in views if view.key in of_table),
        headline=tuple(view for view in views if view.key in _HEADLINE),
        overall=tuple(view for view in views if view.key not in of_table),
        basis=_basis(summary, survey),
        prevalence=fixed(100 * summary.n_positive / summary.n, 1) if summary.n else "",
        unscored=" ".join(
            _left_out(truths, what)
            for truths, what in (
                (survey.unscored_truth, "no score"),
                (survey.referred_truth, "no call but REFER"),
            )
            if truths
        ),
    )


def _basis(summary: Summary, survey: Survey) -> str:
    """Say of how many films the figures are, and what became of the others."""
    left_out = (
        (sum(survey.referred_truth.values()), "to be read by a person"),
        (sum(survey.unscored_truth.values()), "without a score"),
    )
    n_labelled = summary.n + sum(n for n, _ in left_out)
    if n_labelled == summary.n:
        return f"Figures of all {count(summary.n, 'labelled film')}."
    why = ", ".join(f"{n:,} {what}" for n, what in left_out if n)
    return f"Figures of {summary.n:,} of {n_labelled:,} labelled films; left out: {why}."


def _left_out(truths: dict[str, int], what: str) -> str:
    n = sum(truths.values())
    by_truth = ", ".join(f"{n:,} {truth}" for truth, n in sorted(truths.items()))
    return (
        f"{count(n, 'labelled file has', 'labelled files have')} {what} ({by_truth}) and "
        f"{'is' if n == 1 else 'are'} left out of these figures."
    )


def _metric(metric: Metric, estimate: Estimate) -> MetricView:
    whisker = None
    if metric.form in _WHISKER_FORMS and estimate.value is not None:
        low = estimate.value if estimate.low is None else estimate.low
        high = estimate.value if estimate.high is None else estimate.high
        whisker = (round(100 * low, 2), round(100 * estimate.value, 2), round(100 * high, 2))
    return MetricView(
        key=metric.key,
        title=metric.title,
        meaning=metric.meaning,
        form=metric.form,
        value=figure_text(estimate.value, metric.form),
        interval=interval_text(estimate, metric.form),
        reason=estimate.reason,
        whisker=whisker,
    )


# -- the model and the run


def model_card(run: Run) -> ModelCard:
    """Describe a model; ``info`` says which operating point is used."""
    training = {name: value for name, value in run.model.training.items() if isinstance(value, str | int | float)}
    return ModelCard(
        label=run.model.label,
        facts=(
            ("Weights, SHA-256", run.model.weights_sha256),
            ("Input", f"{run.model.input_px} x {run.model.input_px} pixels, grey"),
            ("Calibration", run.model.calibration_text),
            ("Share with pneumonia that probabilities assume", significant(run.model.prior, 3)),
            ("Initial weights", run.model.initial_weights),
            *(_training_fact(name, value) for name, value in training.items()),
            ("Licence", run.model.licence),
        ),
        intended_use=run.model.intended_use,
        limits=run.model.limits,
        points=tuple(
            PointView(
                name=point.name,
                threshold=point.threshold,
                text=probability_text(point.threshold),
                rule=point.rule,
                data=point.data,
                sensitivity=with_interval("sensitivity", point.sensitivity),
                specificity=with_interval("specificity", point.specificity),
                used=point.name == run.info.threshold_name,
            )
            for point in run.model.operating_points.values()
        ),
        holds_for=_side_by_side({films: each for films, each in run.model.validation.items() if "auc" in each}),
        validation=tuple(
            (
                set_title(films),
                tuple((title_of(key), with_interval(key, estimate)) for key, estimate in metrics.items()),
            )
            for films, metrics in run.model.validation.items()
            if "auc" not in metrics
        ),
    )


def _side_by_side(sets: Mapping[str, Mapping[str, Estimate]]) -> FigureTable:
    """A row for each set of films."""
    return FigureTable(
        titles=tuple(title_of(key) for key in _FIGURES_OF_SETS),
        rows=tuple(
            (
                set_title(films),
                tuple(with_interval(key, metrics[key]) if key in metrics else "" for key in _FIGURES_OF_SETS),
            )
            for films, metrics in sets.items()
        ),
    )


_TRAINING = {
    "date": "Trained on",
    "n_train": "Films trained on",
    "n_train_patients": "Their patients",
    "n_train_positive": "With pneumonia, of the films trained on",
    "n_validation": "Films held out for validation",
    "n_validation_patients": "Patients held out",
    "n_validation_positive": "With pneumonia, of the films held out",
    "n_versions": "Files, with several versions of a film",
    "split_seed": "Seed of the split",
    "duration_s": "Training took",
    "images_per_s": "Films per second",
}
"""What a bundle says of its training -> what that is."""


def _training_fact(name: str, value: str | float) -> tuple[str, str]:
    title = _TRAINING.get(name, field_title(name))
    if isinstance(value, str):
        return title, value
    return title, duration_text(value) if name == "duration_s" else f"{value:,}"


def _methods(survey: Survey, summary: Summary | None, run: Run) -> str:
    """Return a paragraph for the methods section of a paper."""
    info, model = run.info, run.model
    counts = survey.counts
    parts = [
        f"Chest radiographs were scored with cxrscan {info.version} (model {model.label}, weights SHA-256 "
        f"{model.weights_sha256[:12]}), research software that estimates the probability of pneumonia from a frontal "
        f"film with a MobileNetV2 network at {model.input_px} x {model.input_px} pixels.",
        f"Of {count(counts.n_films, 'file')}, {counts.n_failed:,} could not be read and {counts.n_rejected:,} "
        f"{'was' if counts.n_rejected == 1 else 'were'} not recognised as a frontal chest film and rejected; "
        f"{counts.n_scored:,} {'was' if counts.n_scored == 1 else 'were'} scored.",
        f"A film was called positive at a probability of {probability_text(info.threshold)} or more ({_rule(run)}).",
    ]
    if info.refer is not None:
        parts.append(
            f"Films with {_band(info.refer)} were called neither positive nor negative but referred to a reader "
            f"({counts.n_referred:,}); the figures leave them out."
        )
    if summary is not None:
        figures = "; ".join(
            f"{title_of(key) if title_of(key).isupper() else title_of(key).lower()} "
            + with_interval(key, summary.estimates[key])
            for key in _IN_METHODS
        )
        parts.append(
            f"Against the labels of {count(summary.n, 'film')} ({summary.n_positive:,} with pneumonia), "
            f"with 95 % confidence intervals: {figures}. "
            "Intervals of proportions are Wilson's, of the AUC DeLong's; films were taken as independent."
        )
    return " ".join(parts)


def _rule(run: Run) -> str:
    point = run.model.operating_points.get(run.info.threshold_name)
    if point is None:
        return "a threshold of the user's"
    return f"operating point \N{LEFT DOUBLE QUOTATION MARK}{point.name}\N{RIGHT DOUBLE QUOTATION MARK}: {point.rule}"


def _studies_config(studies: Sequence[Study], summary: StudySummary | None) -> dict[str, Any]:
    if summary is None:
        return {}
    return {"studies": {"row": ROW, "rows": study_rows(studies, summary.repeat)}}


def _config(survey: Survey, run: Run, columns: Iterable[Column]) -> dict[str, Any]:
    identity = "\n".join((*run.info.roots, run.info.started_at, run.model.weights_sha256))
    return {
        "runId": hashlib.sha256(identity.encode(errors="backslashreplace")).hexdigest()[:16],
        "threshold": run.info.threshold,
        "refer": run.info.refer,
        "model": run.model.label,
        "labelled": survey.labelled,
        "columns": [
            {"name": c.name, "title": c.title, "kind": c.kind, "decimals": c.decimals, "meaning": c.meaning}
            for c in columns
        ],
        "classes": {"positive": POSITIVE, "negative": NEGATIVE, "referred": REFERRED},
        "outcomes": [{"key": one.key, "kind": one.kind, "title": one.title} for one in OUTCOMES.values()],
        "verdicts": VERDICTS,
        "agreements": AGREEMENTS,
        "verdictColumns": VERDICT_COLUMNS,
        "heatStops": [(*stop, opacity) for stop, opacity in zip(STOPS, OPACITIES, strict=True)],
        "reasons": {
            code: {"title": code_title(code), "text": text, "outside": code in OUTSIDE}
            for code, text in GATE_REASONS.items()
        },
        "errors": {code: {"title": code_title(code), "hint": HINTS.get(code, "")} for code in survey.failures},
        "metrics": [{"key": metric.key, "form": metric.form} for metric in METRICS],
        "figures": figure_table(),
    }
