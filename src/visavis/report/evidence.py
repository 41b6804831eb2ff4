"""What carried the decision of a case: the explanation that a report shows."""

from __future__ import annotations

from visavis import registry
from visavis.pipeline.case import Case
from visavis.pipeline.pair import DEFAULT_EXPLAINER
from visavis.report.pictures import shown_rows
from visavis.types import Explanation
from visavis.types.protocols import Embedder, PairExplainer


def case_evidence(
    case: Case, embedder: Embedder, *, explainer: PairExplainer | None = None
) -> tuple[Explanation, tuple[int, int]]:
    """Explain the best picture of each side.

    Args:
        case: What `Pipeline.examine` returned.
        embedder: The embedder that made its templates.
        explainer: Another explainer than the default one; its sentence then speaks of its own threshold.

    Returns:
        The explanation, and the rows of the two pictures: ``explained`` of `write_case`. With several pictures a side
        it is the similarity of these two that is explained, not that of the pooled templates.

    Raises:
        ModelError: A crop without an embedding.
    """
    left, right = shown_rows(case)
    if explainer is None:
        threshold = case.calibration.threshold(case.decision.at)
        explainer = registry.create(DEFAULT_EXPLAINER, embedder=embedder, threshold=threshold)
    (found,) = explainer.explain(case.left.crops[[left]], case.right.crops[[right]])
    return found, (left, right)
