"""Recognizability: what a recogniser that was trained to tell it says of a face."""

from __future__ import annotations

from typing import Any

from visavis.errors import UsageError
from visavis.quality.column import quality_column
from visavis.quality.flat import without_flat
from visavis.quality.scale import Scale
from visavis.runtime.told import RECOGNIZABILITY
from visavis.types import FaceContext, Quality

MEASURE = "recognizability"


class RecognizabilityScorer:
    """Measure ``recognizability``: the guessed recognizability index of a network that has a regressor for it.

    Chai et al. 2023, Recognizability Embedding Enhancement (CVPR, arXiv 2304.10066), see
    `visavis.nn.backbones.recognizable.RecognizableBackbone`. The raw value is 0 at the mean of unrecognisable images
    and 1 at the 95th percentile of the undegraded faces that the network was trained on; both come with the network.
    """

    scale = Scale(0.0, 1.0, "0: the mean of unrecognisable images, 1: the 95th percentile of undegraded training faces")

    def applies(self, context: FaceContext) -> bool:
        """Whether the recogniser that was used told it."""
        return context.recognizability is not None

    def assess(self, context: FaceContext) -> Quality:
        """One index a face; a crop of one colour has score 0.

        Raises:
            UsageError: The recogniser that was used told none.
        """
        if context.recognizability is None:
            raise UsageError(
                f"the quality measure {MEASURE} needs the run of a recogniser that has a regressor for it; train one "
                "with the section recognizability of a recipe, or leave the measure out"
            )
        column = quality_column(
            MEASURE,
            context.recognizability,
            self.scale,
            context.status,
            unit="",
            reason=lambda *_: "the recogniser takes it for a face that nobody can recognise",
        )
        return without_flat(column, context)


def recognizability_scorer(embedder: Any) -> RecognizabilityScorer | None:
    """The scorer of a recogniser whose file tells recognizability; else None.

    Args:
        embedder: Anything; one with `RECOGNIZABILITY` among what it ``tells`` counts.
    """
    return RecognizabilityScorer() if RECOGNIZABILITY in getattr(embedder, "tells", ()) else None
