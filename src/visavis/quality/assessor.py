"""The assessor: every measure of each face, and one fused score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from visavis.errors import UsageError
from visavis.quality.contrast import ContrastScorer
from visavis.quality.detection_score import DetectionScorer
from visavis.quality.exposure import ExposureScorer
from visavis.quality.fused_weights import WITH_NORM, WITHOUT_NORM
from visavis.quality.norm import NormScorer
from visavis.quality.pose import PoseScorer
from visavis.quality.scale import Grading
from visavis.quality.sharpness import SharpnessScorer
from visavis.quality.size import SizeScorer
from visavis.types import Assessment, FaceContext, Quality


class ScaledScorer(Protocol):
    """A quality scorer with its declared mapping from raw value to score."""

    @property
    def scale(self) -> Grading:
        """The declared mapping from raw value to score."""
        ...

    def assess(self, context: FaceContext) -> Quality:
        """One score a face, in order; failed faces give failed rows."""
        ...


@runtime_checkable
class ConditionalScorer(Protocol):
    """A scorer that does not fit every face context; it is left out, column and all, where it does not."""

    def applies(self, context: FaceContext) -> bool:
        """Whether the scorer can assess these faces."""
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
"""The built-in measures, by name, in the order in which they are shown; others come after them."""


class Assessor:
    """All measures of each face and the fused score; cheap to make, without state, safe to share between threads.

    Scorers that do not fit are left out (`ConditionalScorer`). The measure ``norm`` is of recognisers whose norms have
    a scale only (SFace); for others, and where nothing was embedded, the fused score has the weights of the other
    measures.

    Args:
        limits: By measure, the worst raw value of a face whose comparisons count; `WeightCard.quality_limits`. Of
            ``pose``, where less is better, it is the largest angle.
        extra: Further scorers by measure, shown after the built-in ones; see `visavis.quality.extra`.

    Attributes:
        limits: As given.
        scorers: Every scorer by measure, in the order in which they are shown.

    Raises:
        UsageError: A limit on a measure that does not exist, or an extra scorer with the name of a built-in one.

    Example:
        >>> Assessor(limits={"size": 16.0}).limits
        {'size': 16.0}
    """

    def __init__(
        self,
        *,
        limits: Mapping[str, float] | Sequence[tuple[str, float]] = (),
        extra: Mapping[str, ScaledScorer] | None = None,
    ) -> None:
        more = dict(extra or {})
        taken = [name for name in more if name in SCORERS]
        if taken:
            raise UsageError(f"the quality measure {', '.join(taken)} is built in; give the extra scorer another name")
        self.scorers: Mapping[str, ScaledScorer] = MappingProxyType({**SCORERS, **more})
        self.limits = {str(name): float(value) for name, value in dict(limits).items()}
        unknown = [name for name in self.limits if name not in self.scorers]
        if unknown:
            raise UsageError(f"no quality measure {', '.join(unknown)}; known: {', '.join(self.scorers)}")

    def adding(self, extra: Mapping[str, ScaledScorer]) -> Assessor:
        """An assessor with further scorers, or others in place of extra ones of the same name."""
        own = {name: scorer for name, scorer in self.scorers.items() if name not in SCORERS}
        return Assessor(limits=self.limits, extra={**own, **extra})

    def assess(self, context: FaceContext) -> Assessment:
        """The assessment of each face, in order; failed faces stay failed rows."""
        fitting = {name: scorer for name, scorer in self.scorers.items() if _applies(scorer, context)}
        measures = tuple(scorer.assess(context) for scorer in fitting.values())
        fusion = WITH_NORM if "norm" in fitting else WITHOUT_NORM
        return Assessment(measures, fusion.fuse(measures))


def _applies(scorer: ScaledScorer, context: FaceContext) -> bool:
    return not isinstance(scorer, ConditionalScorer) or scorer.applies(context)
