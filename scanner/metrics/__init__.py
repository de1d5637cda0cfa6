"""How good are the answers? Pure functions from truth and probability to figures with intervals.

Nothing here reads a file or knows a film. Undefined figures are ``Estimate(None)`` with the reason, never NaN.
"""

from scanner.metrics.arrays import BoolArray, FloatArray
from scanner.metrics.bootstrap import bootstrap_by_patient, bootstrap_difference_by_patient
from scanner.metrics.calibration import BrierDecomposition, ReliabilityBin, decompose_brier, reliability_curve
from scanner.metrics.comparison import PairedDifference, compare_auc, compare_models, compare_proportions, mcnemar_exact
from scanner.metrics.confusion import ConfusionMatrix, confusion_matrix
from scanner.metrics.curves import (
    PrecisionRecallCurve,
    RocCurve,
    average_precision,
    precision_recall_curve,
    roc_curve,
    youden_threshold,
)
from scanner.metrics.decision import (
    CoverageCurve,
    DecisionCurve,
    coverage_curve,
    decision_curve,
    predictive_values_at,
)
from scanner.metrics.delong import auc_delong
from scanner.metrics.figures import figure_estimates, figure_table
from scanner.metrics.intervals import clopper_pearson_interval, wilson_interval
from scanner.metrics.summary import Subgroup, Summary, summarise, summarise_subgroups

__all__ = [
    "BoolArray",
    "BrierDecomposition",
    "ConfusionMatrix",
    "CoverageCurve",
    "DecisionCurve",
    "FloatArray",
    "PairedDifference",
    "PrecisionRecallCurve",
    "ReliabilityBin",
    "RocCurve",
    "Subgroup",
    "Summary",
    "auc_delong",
    "average_precision",
    "bootstrap_by_patient",
    "bootstrap_difference_by_patient",
    "clopper_pearson_interval",
    "compare_auc",
    "compare_models",
    "compare_proportions",
    "confusion_matrix",
    "coverage_curve",
    "decision_curve",
    "decompose_brier",
    "figure_estimates",
    "figure_table",
    "mcnemar_exact",
    "precision_recall_curve",
    "predictive_values_at",
    "reliability_curve",
    "roc_curve",
    "summarise",
    "summarise_subgroups",
    "wilson_interval",
    "youden_threshold",
]
