"""``run.json``, the manifest of a run."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cxrscan.scanner.evaluation.fit import FIT_RULE
from cxrscan.scanner.evaluation.survey import Survey
from cxrscan.scanner.metrics import Summary
from cxrscan.scanner.records import StudySummary
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.system.whole_files import replacing_text

_SCHEMA_VERSION = 1


def run_document(
    run: Run, survey: Survey, summary: Summary | None, studies: StudySummary | None = None
) -> dict[str, Any]:
    """Return the content of ``run.json``: the run, its counts, the model's identity and, with labels, every figure."""
    counts, fit = survey.counts, survey.fit
    return {
        "schema_version": _SCHEMA_VERSION,
        **asdict(run.info),
        "model": {
            "name": run.model.name,
            "version": run.model.version,
            "weights_sha256": run.model.weights_sha256,
            "calibration": {name: asdict(each) for name, each in run.model.calibrations.items()},
            "prior": run.model.prior,
        },
        "fit": fit and fit.level,
        "fit_rule": fit and FIT_RULE,
        "n_outside": fit and fit.n_outside,
        "counts": asdict(counts)
        | {
            "n_negative": counts.n_negative,
            "failures": {code: problem.n for code, problem in survey.failures.items()},
            "rejects": {reasons: problem.n for reasons, problem in survey.rejects.items()},
            "warnings": survey.warnings,
        },
        "evaluation": None if summary is None else _evaluation(summary, survey),
        "studies": studies and asdict(studies),
    }


def _evaluation(summary: Summary, survey: Survey) -> dict[str, Any]:
    return {
        "n_films": summary.n,
        "n_positive": summary.n_positive,
        "unscored": survey.unscored_truth,
        "referred": survey.referred_truth,
        "confusion_matrix": asdict(summary.confusion),
        "metrics": {name: asdict(estimate) for name, estimate in summary.estimates.items()},
    }


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a document, indented.

    Raises
    ------
    RunFolderError
        ``output-unwritable``.
    """
    with replacing_text(path) as stream:
        json.dump(document, stream, ensure_ascii=False, allow_nan=False, indent=2)
        stream.write("\n")
