"""How good are the answers? Pure functions from truth and probability to figures with intervals.

Nothing here reads a file or knows a film. Undefined figures are ``Estimate(None)`` with the reason, never NaN.
"""

from cxrscan.scanner.metrics.agreement import cohen_kappa, fleiss_kappa, observed_agreement
from cxrscan.scanner.metrics.arrays import BoolArray, FloatArray
from cxrscan.scanner.metrics.bootstrap import bootstrap_by_patient, bootstrap_difference_by_patient
from cxrscan.scanner.metrics.calibration import BrierDecomposition, decompose_brier, reliability_curve
from cxrscan.scanner.metrics.comparison import PairedDifference, compare_models
from cxrscan.scanner.metrics.confusion import ConfusionMatrix
from cxrscan.scanner.metrics.curves import precision_recall_curve, roc_curve, youden_threshold
from cxrscan.scanner.metrics.decision import coverage_curve, decision_curve, predictive_values_at
from cxrscan.scanner.metrics.delong import auc_delong
from cxrscan.scanner.metrics.figures import figure_estimates, figure_table
from cxrscan.scanner.metrics.intervals import clopper_pearson_interval, wilson_interval
from cxrscan.scanner.metrics.summary import Subgroup, Summary, summarise, summarise_subgroups

__all__ = [
    "BoolArray",
    "BrierDecomposition",
    "ConfusionMatrix",
    "FloatArray",
    "PairedDifference",
    "Subgroup",
    "Summary",
    "auc_delong",
    "bootstrap_by_patient",
    "bootstrap_difference_by_patient",
    "clopper_pearson_interval",
    "cohen_kappa",
    "compare_models",
    "coverage_curve",
    "decision_curve",
    "decompose_brier",
    "figure_estimates",
    "figure_table",
    "fleiss_kappa",
    "observed_agreement",
    "precision_recall_curve",
    "predictive_values_at",
    "reliability_curve",
    "roc_curve",
    "summarise",
    "summarise_subgroups",
    "wilson_interval",
    "youden_threshold",
]
