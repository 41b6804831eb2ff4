"""Relabelling: a trained network corrects the labels that it was trained on."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from visavis.errors import UsageError
from visavis.losses.loss import UNLABELLED, check_labels

KEPT, RELABELLED, DROPPED = 0, 1, 2
"""What happened to a row."""

_FEW = 0.5
_ROUNDING = 1e-3


@dataclass(frozen=True, slots=True)
class Relabelling:
    """New labels, in the order of the rows.

    Attributes:
        labels: int64 ``(N,)``; `UNLABELLED` where the row is dropped.
        actions: int64 ``(N,)``: `KEPT`, `RELABELLED` or `DROPPED`.
        confidences: ``(N,)``, the largest probability of each row.
    """

    labels: Tensor
    actions: Tensor
    confidences: Tensor

    @property
    def kept(self) -> float:
        """Share of the rows that still have a label, kept or new."""
        return float((self.actions != DROPPED).to(torch.float64).mean())

    @property
    def noise(self) -> float:
        """An estimate of the share of wrong labels: rows relabelled among those that still have a label; NaN of none.

        Rows that are dropped are left out of it, and among them more labels are wrong.
        """
        left = int((self.actions != DROPPED).sum())
        return int((self.actions == RELABELLED).sum()) / left if left else float("nan")

    def compact(self) -> tuple[Tensor, Tensor]:
        """Labels without gaps, and the old class of each.

        Returns:
            int64 ``(N,)`` in 0..K - 1 or `UNLABELLED`, and int64 ``(K,)``.
        """
        known = self.labels != UNLABELLED
        classes, places = self.labels[known].unique(return_inverse=True)
        return torch.full_like(self.labels, UNLABELLED).masked_scatter_(known, places), classes


def relabel(
    probabilities: Tensor, labels: Tensor, *, threshold: float = 0.7, floor: float | None = None, least: int = 1
) -> Relabelling:
    """Replace labels by predictions that are sure, and drop the rows of which the network is not.

    The semantic bootstrapping of Wu et al. 2018, A Light CNN for deep face representation with noisy labels:
    predict all rows, relabel, train again on the result, and predict the first labels once more.
    The threshold depends on the number of classes and on how long the network was trained.

    Args:
        probabilities: ``(N, C)``, softmax outputs.
        labels: int64 ``(N,)``, as given.
        threshold: tau; rows whose largest probability is below it are dropped. 0.7 is a recollection.
        floor: When given, such a row keeps its label if that has this probability or more.
        least: Rows of a class that is left with fewer are dropped too; 2 for losses of pairs.

    Raises:
        UsageError: Shapes or numbers that do not fit, such as a probability that is NaN.

    Warns:
        UserWarning: Fewer than half of the rows are left: the network is not trained well enough for it.
    """
    if probabilities.ndim != 2 or len(probabilities) == 0:
        raise UsageError(f"probabilities are float (N, C) with rows; got {tuple(probabilities.shape)}")
    check_labels(labels, rows=len(probabilities), classes=probabilities.shape[1])
    _check_probabilities(probabilities)
    confidences, best = probabilities.max(1)
    own = probabilities.gather(1, labels.clamp_min(0)[:, None])[:, 0]
    return relabel_predicted(best, confidences, own, labels, threshold=threshold, floor=floor, least=least)


def relabel_predicted(
    best: Tensor,
    confidences: Tensor,
    own: Tensor,
    labels: Tensor,
    *,
    threshold: float = 0.7,
    floor: float | None = None,
    least: int = 1,
) -> Relabelling:
    """`relabel`, of what it takes from the probabilities: three columns in place of a matrix of all classes.

    Args:
        best: int64 ``(N,)``, the most probable class of each row.
        confidences: ``(N,)``, its probability.
        own: ``(N,)``, the probability of the label that was given.
        labels: int64 ``(N,)``, as given.
        threshold: See `relabel`.
        floor: See `relabel`.
        least: See `relabel`.

    Raises:
        UsageError: Shapes or numbers that do not fit, such as a probability that is NaN.

    Warns:
        UserWarning: Fewer than half of the rows are left.
    """
    columns = [tuple(column.shape) for column in (best, confidences, own, labels)]
    if len(set(columns)) != 1 or len(columns[0]) != 1 or not len(best):
        raise UsageError(f"predictions and labels are columns (N,) of one length with rows; got {columns}")
    check_labels(labels, rows=len(best), classes=None)
    check_labels(best, rows=len(best), classes=None)
    _check_probabilities(torch.stack([confidences, own], 1))
    if not 0 <= threshold <= 1 or least < 1 or (floor is not None and not 0 <= floor <= 1):
        raise UsageError(
            f"threshold and floor are in [0, 1] and least is 1 or more; got {threshold}, {floor} and {least}"
        )
    dropped = ~(confidences >= threshold)
    if floor is not None:
        stays = dropped & (own >= floor) & (labels != UNLABELLED)
        best, dropped = torch.where(stays, labels, best), dropped & ~stays
    counts = torch.bincount(best[~dropped], minlength=int(best.max()) + 1)
    dropped = dropped | (counts[best] < least)
    actions = torch.where(dropped, DROPPED, torch.where(best == labels, KEPT, RELABELLED))
    result = Relabelling(torch.where(dropped, UNLABELLED, best), actions, confidences)
    if result.kept < _FEW:
        warnings.warn(
            f"only {result.kept:.0%} of the rows are left at threshold {threshold:g}; train longer or lower it, "
            "or the next training will be worse than with the noise",
            stacklevel=2,
        )
    return result


def _check_probabilities(values: Tensor) -> None:
    """Refuse rows ``(N, K)`` with a number that is no probability; half precision may round above 1."""
    bad = ~((values >= -_ROUNDING) & (values <= 1 + _ROUNDING)).all(1)
    if bad.any():
        row = int(bad.nonzero()[0, 0])
        raise UsageError(
            f"probabilities are finite and in [0, 1]; {int(bad.sum())} of {len(values)} rows are not, the first is row "
            f"{row} with {values[row].min():g}..{values[row].max():g}; take a network that did not diverge, and the "
            "softmax of its scores"
        )
