"""Figures of verification and identification, and how sure they are; pure numpy.

Failures, ties and weights mean the same everywhere: see `visavis.metrics.verification` and
`visavis.metrics.identification`.
"""

from __future__ import annotations

from visavis.metrics.acquisition import FailureRate, fta
from visavis.metrics.curves import Det, Ranking, Roc, auc, det, deviates, eer, roc
from visavis.metrics.discard import DiscardCurve, Discarding, discard_curve, edc_fixed, pair_quality
from visavis.metrics.discard_recomputed import RecomputedCurve, Recomputing, edc_recomputed
from visavis.metrics.folds import FoldAccuracy, fold_accuracy, identity_folds
from visavis.metrics.identification import (
    average_precision,
    cmc,
    cmc_statistic,
    dir_at_fpir,
    dir_at_fpir_statistic,
    fnir,
    fpir,
    map_statistic,
    mean_average_precision,
    threshold_at_fpir,
)
from visavis.metrics.intervals import (
    Interval,
    Statistic,
    clopper_pearson,
    gated,
    paired_difference,
    person_bootstrap,
    person_weights,
)
from visavis.metrics.searches import Searches, search
from visavis.metrics.streaming import Blocks, exact_quantiles, nonmated_blocks, streaming_threshold_at_fmr
from visavis.metrics.tail_bootstrap import tar_at_far_intervals
from visavis.metrics.verification import dprime, fmr, fnmr, fnmr_at_fmr, tar_at_far, threshold_at_fmr
from visavis.metrics.weighted import (
    accuracy_statistic,
    auc_statistic,
    eer_statistic,
    fmr_statistic,
    fnmr_statistic,
    tar_at_far_statistic,
)

__all__ = [
    "Blocks",
    "Det",
    "DiscardCurve",
    "Discarding",
    "FailureRate",
    "FoldAccuracy",
    "Interval",
    "Ranking",
    "RecomputedCurve",
    "Recomputing",
    "Roc",
    "Searches",
    "Statistic",
    "accuracy_statistic",
    "auc",
    "auc_statistic",
    "average_precision",
    "clopper_pearson",
    "cmc",
    "cmc_statistic",
    "det",
    "deviates",
    "dir_at_fpir",
    "dir_at_fpir_statistic",
    "discard_curve",
    "dprime",
    "edc_fixed",
    "edc_recomputed",
    "eer",
    "eer_statistic",
    "exact_quantiles",
    "fmr",
    "fmr_statistic",
    "fnir",
    "fnmr",
    "fnmr_at_fmr",
    "fnmr_statistic",
    "fold_accuracy",
    "fpir",
    "fta",
    "gated",
    "identity_folds",
    "map_statistic",
    "mean_average_precision",
    "nonmated_blocks",
    "pair_quality",
    "paired_difference",
    "person_bootstrap",
    "person_weights",
    "roc",
    "search",
    "streaming_threshold_at_fmr",
    "tar_at_far",
    "tar_at_far_intervals",
    "tar_at_far_statistic",
    "threshold_at_fmr",
    "threshold_at_fpir",
]
