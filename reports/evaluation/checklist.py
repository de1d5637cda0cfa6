"""Reporting checklists, prefilled with what a run knows; what only the authors know is left to them.

The items are in our own short words: STARD 2015 (Bossuyt et al., BMJ 2015;351:h5527) with the topics that STARD-AI
(Sounderajah et al., Nature Medicine 2025) adds for artificial intelligence, and CLAIM (Mongan, Moy and Kahn,
Radiology: Artificial Intelligence 2020;2:e200029). The published lists are what counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from cxrscan.reports.wording import probability_text, significant, title_of, with_interval
from cxrscan.scanner.evaluation.evaluate import Evaluation
from cxrscan.scanner.records import NEGATIVE, POSITIVE, Counts
from cxrscan.scanner.run_record import Run

ChecklistName = Literal["stard-ai", "claim"]

TO_FILL = "*to be filled in*"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a checklist."""

    number: str
    text: str
    facts: str = ""
    """Keys of what the run knows, separated by spaces; empty when only the authors know."""
    complete: bool = False
    """Whether the run's facts say all that the item asks for."""


_TITLES = {
    "stard-ai": "STARD-AI: reporting of diagnostic accuracy studies of artificial intelligence",
    "claim": "CLAIM: checklist for artificial intelligence in medical imaging",
}
_SOURCES = {
    "stard-ai": "Numbers are those of STARD 2015; items marked AI stand for what STARD-AI (2025) adds.",
    "claim": "Numbers are those of CLAIM 2020.",
}

_STARD_AI = (
    Item("1", "Title: a study of diagnostic accuracy, with a measure of accuracy; names artificial intelligence"),
    Item("2", "Structured abstract"),
    Item("3", "Background, intended use and clinical role of the index test", "intended_use"),
    Item("4", "Objectives and hypotheses"),
    Item("5", "Data collected before (prospective) or after (retrospective) index test and reference standard"),
    Item("6", "Eligibility criteria, of participants and of images", "gate"),
    Item("7", "How eligible participants were found"),
    Item("8", "Setting, place and dates"),
    Item("9", "Consecutive, random or convenience series"),
    Item("AI", "Data sets: source, size, how they were made, de-identification, licence", "training_data"),
    Item("AI", "Partitions for training, validation and test, and whether patients are disjoint", "partition"),
    Item("AI", "Acquisition devices and pre-processing of the images", "preprocessing"),
    Item("10a", "Index test, in enough detail to repeat it", "index_test software", complete=True),
    Item("AI", "Software and hardware: versions, availability, human interaction", "software hardware licence"),
    Item("10b", "Reference standard, in enough detail to repeat it", "labels"),
    Item("11", "Why this reference standard"),
    Item("12a", "Cut-off of the index test, and whether it was specified beforehand", "threshold"),
    Item("12b", "Cut-off of the reference standard, and whether it was specified beforehand"),
    Item("13a", "Clinical information and reference results known to the index test", "blinding", complete=True),
    Item("13b", "Clinical information and index test results known to the assessors of the reference standard"),
    Item("14", "Methods of estimating accuracy", "statistics", complete=True),
    Item("15", "Handling of indeterminate results", "indeterminate", complete=True),
    Item("16", "Handling of missing data", "missing"),
    Item("17", "Analyses of variability, specified beforehand or exploratory", "variability"),
    Item("AI", "Analysis of performance error, bias and fairness", "errors variability"),
    Item("18", "Intended sample size and how it was found"),
    Item("19", "Flow of participants, with a diagram", "flow"),
    Item("20", "Baseline demographic and clinical characteristics", "variability"),
    Item("21a", "Distribution of severity among those with the condition"),
    Item("21b", "Distribution of other diagnoses among those without"),
    Item("22", "Time between index test and reference standard, and treatment in between"),
    Item("23", "Index test by reference standard: the 2 x 2 table", "table", complete=True),
    Item("24", "Estimates of accuracy with their precision", "estimates", complete=True),
    Item("25", "Adverse events"),
    Item("26", "Limitations, bias, uncertainty, generalisability", "limits"),
    Item("27", "Implications for practice, intended use and clinical role", "intended_use"),
    Item("28", "Registration number"),
    Item("29", "Where the protocol is"),
    Item("30", "Funding"),
    Item("AI", "Availability of code, model and data; commercial interests", "licence"),
)

_CLAIM = (
    Item("1", "Title or abstract names the category of artificial intelligence"),
    Item("2", "Structured summary"),
    Item("3", "Background, intended use and clinical role", "intended_use"),
    Item("4", "Objectives and hypotheses"),
    Item("5", "Prospective or retrospective"),
    Item("6", "Goal of the study"),
    Item("7", "Data sources", "training_data"),
    Item("8", "Eligibility criteria", "gate"),
    Item("9", "Pre-processing", "preprocessing", complete=True),
    Item("10", "Selection of subsets of the data", "flow"),
    Item("11", "Definitions of data elements"),
    Item("12", "De-identification"),
    Item("13", "Handling of missing data", "missing"),
    Item("14", "Definition of the reference standard", "labels"),
    Item("15", "Why this reference standard"),
    Item("16", "Source of the annotations, qualification of the annotators"),
    Item("17", "Annotation tools"),
    Item("18", "Variability between and within annotators"),
    Item("19", "Intended sample size"),
    Item("20", "Assignment of data to partitions", "partition"),
    Item("21", "Level at which partitions are disjoint", "partition"),
    Item("22", "Model: inputs, outputs, layers", "index_test"),
    Item("23", "Software libraries", "software", complete=True),
    Item("24", "Initial parameters of the model", "initial_weights", complete=True),
    Item("25", "Training approach", "training"),
    Item("26", "Selection of the final model and its threshold", "threshold"),
    Item("27", "Ensembling"),
    Item("28", "Metrics of performance", "statistics", complete=True),
    Item("29", "Significance and uncertainty", "statistics", complete=True),
    Item("30", "Robustness or sensitivity analysis", "variability"),
    Item("31", "Explainability", "explanation"),
    Item("32", "Test on external data", "partition"),
    Item("33", "Flow of participants or cases", "flow"),
    Item("34", "Demographic and clinical characteristics in each partition", "variability"),
    Item("35", "Performance on all partitions", "validation estimates"),
    Item("36", "Diagnostic accuracy with its precision", "table estimates", complete=True),
    Item("37", "Failure analysis", "errors"),
    Item("38", "Limitations", "limits"),
    Item("39", "Implications for practice", "intended_use"),
    Item("40", "Registration number"),
    Item("41", "Where the protocol is"),
    Item("42", "Funding"),
)

_ITEMS = {"stard-ai": _STARD_AI, "claim": _CLAIM}


def checklist_text(name: ChecklistName, evaluation: Evaluation, run: Run, counts: Counts) -> str:
    """Return the checklist as Markdown: number, item, and what the run knows."""
    facts = known_facts(evaluation, run, counts)
    lines = [
        f"# {_TITLES[name]}",
        "",
        f"Prefilled by cxrscan {run.info.version} from a run of {run.info.started_at[:10]}. {_SOURCES[name]} "
        "The wording is shortened; check against the published list. "
        "Every prefilled answer is a draft for the authors to confirm.",
        "",
        "| No. | Item | In this study |",
        "|---|---|---|",
    ]
    for item in _ITEMS[name]:
        answers = [facts[key] for key in item.facts.split()] + ([] if item.complete else [TO_FILL])
        cells = (item.number, item.text, "<br>".join(answers))
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def known_facts(evaluation: Evaluation, run: Run, counts: Counts) -> dict[str, str]:
    """Return what the run knows, as sentences, by topic."""
    info, model = run.info, run.model
    summary, films = evaluation.summary, evaluation.films
    table = summary.confusion
    config = model.training.get("config", {})
    n_skipped = sum(info.n_skipped.values())
    unscored = ", ".join(f"{n} {status}" for status, n in sorted(films.unscored.items())) or "none"
    n_small = sum(group.small for groups in evaluation.subgroups.values() for group in groups)
    return {
        "intended_use": model.intended_use,
        "gate": f"Files that are no frontal chest film were rejected by cxrscan's gate: {counts.n_rejected}.",
        "training_data": f"Of the model: {config.get('data_source', 'see its model card')}.",
        "partition": f"Of the model: {_partition(model.training)}. Whether patients of this study were among the "
        "model's training patients is for the authors to confirm.",
        "preprocessing": f"Decoded to grey, whole film resized by area to {model.input_px} x {model.input_px} pixels, "
        "values in [0, 1]; the steps for each file are in the journal.",
        "index_test": f"cxrscan {info.version}, model {model.label} (weights SHA-256 {model.weights_sha256}): "
        "MobileNetV2 with a dense head, calibrated probability of pneumonia "
        f"({model.calibration_text}; assumed share with pneumonia {significant(model.prior, 3)}).",
        "software": ", ".join(f"{library} {version}" for library, version in info.versions.items()) + ".",
        "hardware": "Platform as above; the scan needs no graphics processor.",
        "licence": f"cxrscan: Apache-2.0. Model: {model.licence}.",
        "labels": "Labels from the names of class folders." if info.labels == "folders" else f"Labels: {info.labels}.",
        "threshold": _threshold(run),
        "blinding": "None: the index test reads the image file alone.",
        "statistics": "Proportions with Wilson 95 % intervals (Clopper-Pearson where asked for), ratios with log "
        "intervals, AUC with DeLong's variance on the logit scale"
        + ("; intervals by bootstrap over patients beside them." if evaluation.by_patient else "."),
        "indeterminate": f"Files rejected by the gate have no result and are left out ({counts.n_rejected}); films "
        f"with a warning of the gate are scored and counted ({counts.n_warned}); films referred to a reader are "
        f"left out ({counts.n_referred}).",
        "missing": f"Unreadable files: {counts.n_failed}. Labelled films without a call, left out: {unscored}.",
        "variability": f"Subgroups by {', '.join(evaluation.subgroups)} (see metrics.csv); {n_small} of them have "
        "fewer than 30 films."
        if evaluation.subgroups
        else "No subgroups were asked for (--by).",
        "errors": f"{table.fp} false positives and {table.fn} false negatives, with heat maps, in report.html.",
        "flow": f"{counts.n_films + n_skipped} files; {n_skipped} no films; {counts.n_failed} unreadable; "
        f"{counts.n_rejected} rejected; {counts.n_scored} scored; {summary.n} of them with a label "
        f"({summary.n_positive} {POSITIVE}, {summary.n - summary.n_positive} {NEGATIVE}). Diagram: report.html.",
        "table": f"TP {table.tp}, FP {table.fp}, FN {table.fn}, TN {table.tn}.",
        "estimates": "; ".join(
            f"{title_of(metric)} {with_interval(metric, summary.estimates[metric])}"
            for metric in ("sensitivity", "specificity", "ppv", "npv", "auc")
        )
        + ".",
        "limits": " ".join(model.limits),
        "initial_weights": model.initial_weights,
        "training": _listed(config) + ".",
        "explanation": "Grad-CAM of the last convolutional layer, computed in the same forward pass; not validated as "
        "a localisation.",
        "validation": "Validation films of the model: "
        + "; ".join(
            f"{name}: " + ", ".join(f"{title_of(key)} {with_interval(key, value)}" for key, value in metrics.items())
            for name, metrics in model.validation.items()
        )
        + ".",
    }


def _threshold(run: Run) -> str:
    point = run.model.operating_points.get(run.info.threshold_name)
    if point is None:
        return f"{probability_text(run.info.threshold)}, given by the user; say whether before the labels were seen."
    return (
        f"{probability_text(run.info.threshold)} ({point.name}): {point.rule}, on {point.data}; shipped with the model."
    )


def _partition(training: dict[str, Any]) -> str:
    told = [
        f"{training[n_films]} films of {training[n_patients]} patients for {purpose}"
        for n_films, n_patients, purpose in (
            ("n_train", "n_train_patients", "training"),
            ("n_validation", "n_validation_patients", "validation"),
        )
        if n_films in training and n_patients in training
    ]
    return ", ".join(told) + ", split by patient" if told else "see its model card"


def _listed(value: Any) -> str:
    """Write JSON values as words."""
    if isinstance(value, dict):
        return "; ".join(f"{str(key).replace('_', ' ')}: {_listed(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_listed, value))
    return str(value)
