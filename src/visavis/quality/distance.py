"""Distance: how far a face is from what a recogniser makes of unrecognisable images."""

from __future__ import annotations

from typing import Any

from visavis.cards import WeightCard
from visavis.errors import UsageError
from visavis.quality.column import quality_column
from visavis.quality.flat import without_flat
from visavis.quality.scale import Scale
from visavis.quality.unrecognisable_centre import UnrecognisableCentre, centre_beside
from visavis.types import FaceContext, Quality

MEASURE = "distance"


class DistanceScorer:
    """Measure ``distance``: 1 - cosine to the centre of unrecognisable images, of any recogniser, without a label.

    Deng et al. 2021, Harnessing unrecognizable faces (arXiv 2106.04112); d_UI of Chai et al. 2023. It flags what
    nobody can recognise and does not grade good pictures: beyond a dozen pixels all are about as far away.

    Args:
        centre: Of the recogniser.
    """

    def __init__(self, centre: UnrecognisableCentre | None = None) -> None:
        self._centre = centre
        low, high = (0.0, 1.0) if centre is None else (centre.nothing, centre.faces)
        self.scale = Scale(low, high, "0: the mean of unrecognisable images, 100: the median of faces as they are")

    def applies(self, context: FaceContext) -> bool:
        """Whether the recogniser that embedded is that of the centre."""
        templates = context.templates
        return self._centre is not None and templates is not None and templates.space.recogniser == self._centre.sha256

    def assess(self, context: FaceContext) -> Quality:
        """One distance a face; a crop of one colour has score 0.

        Raises:
            UsageError: There is no centre, or it is of another recogniser.
        """
        if self._centre is None or context.templates is None or not self.applies(context):
            raise UsageError(
                f"the quality measure {MEASURE} needs the centre of the recogniser that embedded; make one with "
                "visavis.protocols.calibrate_unrecognisable, or leave the measure out"
            )
        column = quality_column(
            MEASURE,
            self._centre.distances(context.templates.vectors),
            self.scale,
            context.status,
            unit="",
            reason=lambda *_: "the recogniser takes it for an unrecognisable image",
        )
        return without_flat(column, context)


def distance_scorer(embedder: Any) -> DistanceScorer | None:
    """The scorer of a recogniser with a centre beside its file; else None.

    Args:
        embedder: Anything; one with a ``card`` counts.
    """
    card = getattr(embedder, "card", None)
    centre = centre_beside(card) if isinstance(card, WeightCard) else None
    return None if centre is None else DistanceScorer(centre)
