"""Whether faces are good enough: their quality, and what the policy and the model ask for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visavis.errors import UsageError
from visavis.io._unreadable import printable
from visavis.quality.assessor import Assessor
from visavis.quality.extra import extra_scorers
from visavis.quality.norm import NORM_SCALES
from visavis.quality.policies import quality_policy
from visavis.quality.policy import QualityPolicy
from visavis.quality.refusals import check_policy, refusals
from visavis.types import Assessment, FaceContext

if TYPE_CHECKING:
    from visavis.pipeline.pipeline import Pipeline

STRICT_FOR = frozenset(NORM_SCALES)
"""Hashes of the recognisers that the policy ``strict`` was chosen for: those whose fused score rests on the norm."""
Reasons = tuple[tuple[str, ...], ...]
"""Per face, in plain words; empty where there is nothing to say."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitness:
    """What is known of how usable faces are, a row a face.

    Attributes:
        assessment: Every measure and the fused score.
        unfit: Why the quality policy refuses the face.
        short: Why the face fails the limits on the card of the recogniser, whatever the policy.
    """

    assessment: Assessment
    unfit: Reasons
    short: Reasons


def assessor_of(embedder: Any) -> Assessor:
    """The assessor of an embedder: the limits on its card, if it has one, and the extra scorers that fit it."""
    limits = getattr(getattr(embedder, "card", None), "quality_limits", ())
    return Assessor(limits=limits, extra=extra_scorers(embedder))


def policy_of(policy: str | Path | QualityPolicy, assessor: Assessor, *, recogniser: str) -> QualityPolicy:
    """A quality policy by name, file or as given, checked against the measures of a recogniser.

    Args:
        policy: See `visavis.quality.policies.quality_policy`.
        assessor: Of the recogniser.
        recogniser: Hash of its weights.

    Raises:
        UsageError: It does not fit, or is unknown.
        UnreadableError: Its file cannot be read.
    """
    found = quality_policy(policy, limits=assessor.limits, strict=recogniser in STRICT_FOR)
    check_policy(found, assessor)
    known = recogniser in NORM_SCALES or "norm" in assessor.limits
    if not known and "norm" in dict((*found.limits, *found.scores)):
        raise UsageError(
            f"the quality policy {found.name} asks for norm, and this recogniser has no scale of norms; leave it out, "
            "or use the default recogniser"
        )
    return found


def fitness_of(pipeline: Pipeline, context: FaceContext) -> Fitness:
    """The faces of a context, judged by the assessor and the quality policy of a pipeline."""
    assessor, policy = pipeline.assessor, pipeline.quality_policy
    assessment = assessor.assess(context)
    usual = quality_policy("default", limits=assessor.limits)
    short = refusals(usual, assessor, context, assessment)
    same = (policy.limits, policy.scores) == (usual.limits, usual.scores)
    return Fitness(assessment, short if same else refusals(policy, assessor, context, assessment), short)


def asked_for(sources: tuple[str, ...], unfit: Reasons) -> list[str]:
    """What to ask for in place of pictures that a policy refuses, a line a reason."""
    return [
        f"ask for a better picture than {printable(source)}, because {reason}"
        for source, reasons in zip(sources, unfit, strict=False)
        for reason in reasons
    ]


def let_pass(sources: tuple[str, ...], unfit: Reasons, short: Reasons, policy: str) -> list[str]:
    """What must be known of pictures that a policy lets pass below the limits of the recogniser."""
    return [
        f"the quality policy {policy} lets {printable(source)} pass, although {'; '.join(low)}: error rates and "
        "likelihood ratio were measured on better faces"
        for source, reasons, low in zip(sources, unfit, short, strict=False)
        if low and not reasons
    ]
