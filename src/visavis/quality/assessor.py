"""The assessor: every measure of each face, one fused score, and why a face fails the limits of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from visavis.errors import UsageError
from visavis.quality.contrast import ContrastScorer
from visavis.quality.detection_score import DetectionScorer
from visavis.quality.exposure import ExposureScorer
from visavis.quality.fused_weights import WITH_NORM, WITHOUT_NORM
from visavis.quality.norm import NormScorer, has_norm_scale
from visavis.quality.pose import PoseScorer
from visavis.quality.scale import Scale
from visavis.quality.sharpness import SharpnessScorer
from visavis.quality.size import SizeScorer
from visavis.types import Assessment, FaceContext, Quality


class ScaledScorer(Protocol):
    """A quality scorer with its declared mapping from raw value to score."""

    scale: Scale

    def assess(self, context: FaceContext) -> Quality:
        """One score a face, in order; failed faces give failed rows."""
        ...


SCORERS: Mapping[str, ScaledScorer] = {
    "size": SizeScorer(),
    "sharpness": SharpnessScorer(),
    "exposure": ExposureScorer(),
    "contrast": ContrastScorer(),
    "pose": PoseScorer(),
    "detection": DetectionScorer(),
    "norm": NormScorer(),
}
"""The measures, by name, in the order in which they are shown."""


class Assessor:
    """All measures of each face and the fused score; cheap to make, without state, safe to share between threads.

    The measure ``norm`` is of recognisers whose norms have a scale only (SFace); for others, and where nothing was
    embedded, it is left out and the fused score has the weights of the other measures.

    Args:
        limits: By measure, the worst raw value of a face whose comparisons count; `WeightCard.quality_limits`. Of
            ``pose``, where less is better, it is the largest angle.

    Raises:
        UsageError: A limit on a measure that does not exist.

    Example:
        >>> Assessor(limits={"size": 16.0}).limits
        {'size': 16.0}
    """

    def __init__(self, *, limits: Mapping[str, float] | Sequence[tuple[str, float]] = ()) -> None:
        self.limits = {str(name): float(value) for name, value in dict(limits).items()}
        unknown = [name for name in self.limits if name not in SCORERS]
        if unknown:
            raise UsageError(f"no quality measure {', '.join(unknown)}; known: {', '.join(SCORERS)}")

    def assess(self, context: FaceContext) -> Assessment:
        """The assessment of each face, in order; failed faces stay failed rows."""
        normed = has_norm_scale(context.templates)
        measures = tuple(scorer.assess(context) for name, scorer in SCORERS.items() if normed or name != "norm")
        fusion = WITH_NORM if normed else WITHOUT_NORM
        return Assessment(measures, fusion.fuse(measures))

    def unfit(self, assessment: Assessment) -> tuple[tuple[str, ...], ...]:
        """Per face, in plain words, each limit that it fails; empty for a face that keeps them, or failed before.

        Raises:
            UsageError: The assessment lacks a measure that has a limit.
        """
        found: list[list[str]] = [[] for _ in range(len(assessment))]
        for name, limit in self.limits.items():
            quality, scale = assessment.measure(name), SCORERS[name].scale
            for row, raw in enumerate(quality.raw.tolist()):
                if scale.worse(raw, limit):
                    found[row].append(_failure(quality, row, limit, scale))
        return tuple(tuple(reasons) for reasons in found)


def _failure(quality: Quality, row: int, limit: float, scale: Scale) -> str:
    unit = f" {quality.unit}" if quality.unit else ""
    side = "least" if scale.rising else "most"
    figure = f"{quality.measure} {quality.raw[row]:.3g}{unit}, the {side} that counts is {limit:g}"
    return f"{quality.reasons[row]} ({figure})" if quality.reasons[row] else figure
