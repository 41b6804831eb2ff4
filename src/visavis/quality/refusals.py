"""Which faces a quality policy refuses, and why."""

from __future__ import annotations

from collections.abc import Mapping

from visavis.errors import UsageError
from visavis.quality.assessor import Assessor
from visavis.quality.fusion import FUSED
from visavis.quality.policy import QualityPolicy
from visavis.quality.requirement import Requirement
from visavis.quality.standard.assess import assess_standard
from visavis.quality.standard.components import COMPONENTS
from visavis.types import Assessment, FaceContext, Quality


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
    found: list[list[str]] = [[] for _ in range(len(assessment))]
    columns = _columns(policy, assessor, context, assessment)
    for name, limit in policy.limits:
        column = columns[name]
        _note(
            found, column, Requirement(name, limit, _rising(name, policy, assessor), column.unit), column.raw.tolist()
        )
    for name, least in policy.scores:
        column = columns[name]
        _note(found, column, Requirement(name, least, True, "score"), column.score.tolist())
    return tuple(tuple(reasons) for reasons in found)


def _note(found: list[list[str]], column: Quality, requirement: Requirement, values: list[float]) -> None:
    fused = column.measure == FUSED  # its reasons are those of all measures
    for row, (value, good) in enumerate(zip(values, column.status.ok.tolist(), strict=True)):
        if good and requirement.fails(value):
            found[row].append(requirement.why(value, "" if fused else column.reasons[row]))


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
