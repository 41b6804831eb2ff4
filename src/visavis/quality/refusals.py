"""Which faces a quality policy refuses, and why."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from visavis.errors import UsageError
from visavis.quality.assessor import Assessor
from visavis.quality.fusion import FUSED
from visavis.quality.policy import QualityPolicy
from visavis.quality.requirement import Requirement
from visavis.quality.standard.assess import assess_standard
from visavis.quality.standard.components import COMPONENTS
from visavis.types import Assessment, FaceContext, Quality

_SEES_ALL = ("norm", "attention", FUSED)
"""Measures that fall whatever is wrong: what the others say is told with them."""


def check_policy(policy: QualityPolicy, assessor: Assessor) -> None:
    """Refuse a policy on measures that an assessor has not.

    Raises:
        UsageError: An unknown measure, or a limit on a component that is worse on both sides.
    """
    for name, _ in policy.scores:
        _require_known(name, policy, assessor)
    for name, _ in policy.limits:
        _require_known(name, policy, assessor)
        _rising(name, policy, assessor)


def refusals(
    policy: QualityPolicy, assessor: Assessor, context: FaceContext, assessment: Assessment
) -> tuple[tuple[str, ...], ...]:
    """Per face, in plain words, each requirement that it fails; empty for a face that passes, or failed before.

    The components of ISO/IEC 29794-5 are measured only for a policy that asks for one.

    Args:
        policy: Limits and scores.
        assessor: Whose measures they are.
        context: The faces.
        assessment: Of these faces, by that assessor.

    Raises:
        UsageError: The policy asks for what was not measured.
    """
    columns = _columns(policy, assessor, context, assessment)
    asked = [
        (Requirement(name, limit, _rising(name, policy, assessor), columns[name].unit), columns[name].raw)
        for name, limit in policy.limits
    ]
    asked += [(Requirement(name, least, True, "score"), columns[name].score) for name, least in policy.scores]
    found: list[list[str]] = [[] for _ in range(len(assessment))]
    for requirement, values in asked:
        measure = requirement.measure
        wrong = assessment.fused.reasons if measure in _SEES_ALL else columns[measure].reasons
        for row in np.flatnonzero(assessment.fused.status.ok).tolist():
            if requirement.fails(float(values[row])):
                found[row].append(requirement.why(float(values[row]), wrong[row]))
    return tuple(tuple(reasons) for reasons in found)


def _columns(
    policy: QualityPolicy, assessor: Assessor, context: FaceContext, assessment: Assessment
) -> Mapping[str, Quality]:
    names = [name for name, _ in (*policy.limits, *policy.scores)]
    own = (*assessor.scorers, FUSED)
    columns = {name: assessment.measure(name) for name in names if name in own}
    if any(name not in own for name in names):
        columns = {one.measure: one for one in assess_standard(context)} | columns
    return columns


def _require_known(name: str, policy: QualityPolicy, assessor: Assessor) -> None:
    known = (*assessor.scorers, FUSED, *(one for one in COMPONENTS if one not in assessor.scorers))
    if name not in known:
        raise UsageError(
            f"the quality policy {policy.name} asks for {name}, which is no measure of this model; known: "
            f"{', '.join(known)}"
        )


def _rising(name: str, policy: QualityPolicy, assessor: Assessor) -> bool:
    if name == FUSED:
        return True
    if name in assessor.scorers:
        return assessor.scorers[name].scale.rising
    rising = COMPONENTS[name].rising
    if rising is None:
        raise UsageError(
            f"{name} is worse on both sides, so the quality policy {policy.name} cannot have a limit on it; give its "
            "least score of 0..100 under scores"
        )
    return rising
