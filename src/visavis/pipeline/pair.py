"""Explaining a pair of pictures: detection, alignment, and an explainer for the pipeline's embedder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from visavis import registry
from visavis.errors import ModelError
from visavis.explain.sentence import sentence
from visavis.pipeline.pipeline import Pipeline
from visavis.types import FMR, Crops, Explanation
from visavis.types.protocols import PairExplainer

DEFAULT_EXPLAINER = "explainer/evidence"
_TWINS = ("embedder/sface.2021dec", "embedder/sface-fp32.2021dec")


@dataclass(frozen=True, slots=True, eq=False)
class ExplainedPair:
    """An explanation and the crops it is over.

    Attributes:
        explanation: Maps, effects of parts, sentence.
        left: Crop of the first picture, one row.
        right: Crop of the second, one row.
        threshold: The threshold that the sentence speaks of; None where there was none.
        warnings: What the reader must know, for example that a picture shows several faces.
    """

    explanation: Explanation
    left: Crops
    right: Crops
    threshold: float | None = None
    warnings: tuple[str, ...] = ()


def create_explainer(
    pipeline: Pipeline, method: str = DEFAULT_EXPLAINER, *, budget: int | None = None
) -> PairExplainer:
    """The explainer of a name, for the embedder of a pipeline.

    Args:
        pipeline: Whose embedder is to be explained.
        method: Full or short registry name.
        budget: The most passes a pair; the explainer's own when None.

    Raises:
        ModelError: The name is unknown, or it needs gradients and the embedder has no torch twin.
        DependencyError: It needs torch, which is not installed.
        UsageError: A budget that is too small.
    """
    name = registry.resolve(method, kind="explainer")
    options: dict[str, Any] = {} if budget is None else {"budget": budget}
    kind = registry.load(name)
    embedder = _twin(pipeline, name) if getattr(kind, "needs_gradients", False) else pipeline.embedder
    explainer: PairExplainer = registry.create(name, embedder=embedder, **options)
    return explainer


def explain_pair(
    pipeline: Pipeline,
    left: Any,
    right: Any,
    *,
    method: str | PairExplainer = DEFAULT_EXPLAINER,
    budget: int | None = None,
    threshold: float | None = None,
) -> ExplainedPair:
    """What in the most central large faces of two pictures carried their similarity.

    Args:
        pipeline: From pictures to crops, and the embedder that is explained.
        left: One picture, as for `visavis.io.read`.
        right: Another.
        method: Registry name of an explainer, or one that `create_explainer` made.
        budget: The most crops that go through the network; the explainer's own when None.
        threshold: Similarities at or above it are a match.

    Raises:
        InputError: A picture that cannot be read or shows no face.
        ModelError: See `create_explainer`.
        UsageError: A budget that is too small.
    """
    explainer = create_explainer(pipeline, method, budget=budget) if isinstance(method, str) else method
    one, two = pipeline.side([left]), pipeline.side([right])
    (found,) = explainer.explain(one.crops, two.crops)
    if found.regions:
        found = replace(found, sentence=sentence(found.similarity, found.regions, threshold=threshold))
    return ExplainedPair(found, one.crops, two.crops, threshold, (*one.warnings, *two.warnings))


def _twin(pipeline: Pipeline, method: str) -> Any:
    """The pipeline's embedder in torch."""
    model = pipeline.made_by.model
    if model not in _TWINS or getattr(pipeline.embedder, "flip", False):
        raise ModelError(
            f"{method} needs gradients, which only {' and '.join(_TWINS)} give here, without --flip; got {model}: use "
            "explainer/evidence, explainer/occlusion, explainer/random-masks or explainer/regions",
            reason="model.refused",
        )
    from visavis.recognition.sface_torch import TorchSFaceEmbedder

    return TorchSFaceEmbedder(registry.load(model))


def pair_threshold(pipeline: Pipeline, at: FMR | None) -> float | None:
    """The threshold of an operating point; without one, that of fmr=0.001, or None where nothing is calibrated.

    Raises:
        ModelError: An operating point was given and there is no calibration for it.
    """
    if at is not None:
        return float(pipeline.calibration().threshold(at))
    try:
        return float(pipeline.calibration().threshold(FMR(1e-3)))
    except ModelError:
        return None
