"""From a similarity to a decision, by a calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from visavis.calibration.groups import Group, GroupTable
from visavis.calibration.table import Calibration
from visavis.types import FMR, Answer, Assessment, Decision, Provenance, RateInterval, SecondOpinion

Children = Literal["unknown", "yes", "no"]


def decide(
    calibration: Calibration,
    similarity: float,
    *,
    at: FMR,
    counts: tuple[int, int] = (1, 1),
    made_by: Provenance,
    children: Children = "unknown",
    unfit: Sequence[str] = (),
    short: bool = False,
    warnings: Sequence[str] = (),
    quality: tuple[Assessment, Assessment] | None = None,
    second: SecondOpinion | None = None,
) -> Decision:
    """The decision on one similarity.

    ``inconclusive`` when the quality policy refuses a face; when the similarity lies between the thresholds of the two
    ends of the false match rate's interval, where the fit itself cannot tell on which side of the wanted rate it is;
    and when it would be ``same`` but concerns a child under 13, for whom the rate that was asked for does not hold.

    Args:
        calibration: Threshold, interval, likelihood ratio and groups.
        similarity: Cosine of the two templates.
        at: The operating point.
        counts: Pictures of the two sides.
        made_by: What computed the templates.
        children: Whether the decision concerns a child under 13, as the caller knows it.
        unfit: Why the quality policy refuses faces.
        short: Whether a face fails the limits of the recogniser: the likelihood ratio was fitted on others.
        warnings: What else the reader must know.
        quality: Assessment of both sides.
        second: A second embedder's opinion.

    Raises:
        ModelError: The calibration does not reach the operating point.
    """
    left, right = counts
    threshold = calibration.threshold(at, left=left, right=right)
    band = calibration.band(at, left=left, right=right)
    reasons = list(unfit)
    if band is not None and band[0] <= similarity < band[1]:
        reasons.append(
            f"the similarity {similarity:.3f} lies between {band[0]:.3f} and {band[1]:.3f}, the thresholds of the two "
            f"ends of the false match rate's interval: the calibration cannot tell on which side of {at} it is"
        )
    clear: Answer = "same" if similarity >= threshold else "different"
    single = calibration.threshold(at)
    about_children = _about_children(calibration, single, children)
    if children == "yes" and clear == "same":
        reasons += about_children
    notes = [
        *about_children,
        *_about_groups(calibration, at, single),
        *_about_counts(calibration, counts),
        *warnings,
        calibration.caution,
    ]
    if second is not None and not second.agrees:
        notes.insert(0, f"the second opinion ({second.model}) is {second.answer}")
    return Decision(
        answer="inconclusive" if reasons else clear,
        similarity=similarity,
        threshold=threshold,
        at=at,
        population=calibration.population,
        calibration=calibration.name,
        space=calibration.space,
        made_by=made_by,
        warnings=tuple(notes),
        fmr=calibration.rate(at),
        band=band,
        # The curve is of adults; of children it would claim far too much.
        llr=None if short or children == "yes" else calibration.log10_lr(similarity, left=left, right=right),
        reasons=tuple(reasons),
        quality=quality,
        second=second,
        groups=_rates(calibration.groups, single),
    )


def _rates(table: GroupTable | None, threshold: float) -> tuple[RateInterval, ...]:
    """The worst supported group and children, at the highest of the table's thresholds that is not above this one."""
    if table is None:
        return ()
    row = table.nearest(threshold)
    worst = table.worst(row)
    named: list[Group] = [group for group in (worst, table.children) if group is not None]
    return tuple(table.interval(group, row) for group in named)


def _about_children(calibration: Calibration, threshold: float, children: Children) -> list[str]:
    table = calibration.groups
    if children == "no":
        return []
    if table is None:
        told = "this calibration was not measured on children under 13; expect far more false matches among them"
        return [told if children == "unknown" else f"the decision concerns a child: {told}"]
    row = table.nearest(threshold)
    group = table.children
    rate = (
        f"{group.events[row]} of {group.pairs} pairs of different children ({100 * group.rate(row):.2g} %; "
        f"{table.population}) reach the threshold {table.thresholds[row]:.3f}"
    )
    if children == "yes":
        return [
            f"the decision concerns a child under 13, so the false match rate is not {table.rates[row]:g}: {rate}; no "
            "likelihood ratio is known for children"
        ]
    return [f"if a child under 13 is concerned, the false match rate is not {table.rates[row]:g}: {rate}"]


def _about_groups(calibration: Calibration, at: FMR, threshold: float) -> list[str]:
    if at.worst_group:
        point = calibration.worst_point(at)
        how = (
            f"its {point.pairs} pairs are too few for {at}, so its threshold for {point.events} false matches was "
            "carried on as that of all groups' pairs together"
            if point.extended
            else f"{point.events} false matches of {point.pairs} pairs"
        )
        return [f"the threshold is that of {point.group}: {how}"]
    table = calibration.groups
    if table is None:
        return []
    row = table.nearest(threshold)
    worst = table.worst(row)
    if worst is None:
        return []
    return [
        f"within {worst.name} ({table.population}) the false match rate of the threshold {table.thresholds[row]:.3f} "
        f"is {100 * worst.rate(row):.2g} % ({worst.events[row]} of {worst.pairs} pairs); {at},worst-group decides by it"
    ]


def _about_counts(calibration: Calibration, counts: tuple[int, int]) -> list[str]:
    if counts == (1, 1):
        return []
    if not calibration.calibrated_for(*counts):
        fewer, more = calibration.stand_in(*counts)
        fitted = "on single pictures" if more == 1 else f"for {fewer} and {more} pictures a side"
        return [
            f"the threshold was fitted {fitted}; for {counts[0]} and {counts[1]} pictures a side the false match rate "
            "was not measured, and is higher"
        ]
    return []
