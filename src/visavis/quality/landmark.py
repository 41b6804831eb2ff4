"""Landmarks: whether a face is large and frontal enough, as a forest tells it from the five points alone."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files
from typing import Any

import numpy as np

from visavis.errors import UsageError
from visavis.quality.column import quality_column
from visavis.quality.landmark_forest import LandmarkForest
from visavis.quality.landmark_geometry import Landmarks
from visavis.quality.scale import Scale
from visavis.types import FaceContext, Quality, Status

_WORDS = {
    "resolution": "too small",
    "pose": "turned too far",
    "out_of_frame": "partly outside the picture",
    "low_confidence": "not surely a face",
}
_EVERY = 101.0
"""Above every score: whether a face is given its reason is the forest's to say."""


@cache
def shipped_forest() -> LandmarkForest:
    """The forest that ships: fitted to simulated heads by rule, for the five points of YuNet.

    Made by benchmarks/fit_landmark_forest.py; no picture of anybody is in it.
    """
    with as_file(files("visavis.quality").joinpath("landmark_forest.npz")) as path:
        return LandmarkForest.load(path)


class LandmarkScorer:
    """Measure ``landmark``: quality in 0..1 from the landmarks alone; higher is better.

    The design is that of LM-FIQA (arXiv 2507.15961), as far as its abstract tells: normalised landmarks into a random
    forest. It knows size and pose, and nothing of blur, light or covering. A face that the forest does not accept has
    its reason.

    Args:
        forest: Another forest of five points; the one that ships when None.

    Raises:
        UsageError: A forest of another number of landmarks than five, which is what a detector gives.
    """

    scale = Scale(0.0, 1.0, "no people: the quality that the forest was fitted to, times 100")

    def __init__(self, forest: LandmarkForest | None = None) -> None:
        self.forest = forest or shipped_forest()
        if self.forest.layout.count != 5:
            raise UsageError(
                f"faces carry five landmarks; the forest is of {self.forest.layout.name}. Use its method judge with "
                "the landmarks of your own detector"
            )

    def applies(self, context: FaceContext) -> bool:
        """Whether the landmarks are of a detector that the forest is for."""
        return self.forest.fits(context.crops.detector)

    def assess(self, context: FaceContext) -> Quality:
        """One quality a face.

        Raises:
            UsageError: Landmarks of a detector that the forest is not for.
        """
        judged = self.forest.judge(_landmarks(context, self.forest), detector=context.crops.detector)
        pairs = zip(context.status, judged.status, strict=True)
        status = Status(tuple(failed or fault for failed, fault in pairs))

        def reason(row: int, _: float) -> str:
            names = judged.reasons[row]
            return f"by its landmarks the face is {', '.join(_WORDS[name] for name in names)}" if names else ""

        return quality_column("landmark", judged.quality, self.scale, status, unit="", poor=_EVERY, reason=reason)


def _landmarks(context: FaceContext, forest: LandmarkForest) -> Landmarks:
    """The faces in pixels of the stored pictures."""
    faces, scale = context.faces, context.scale.astype(np.float64)
    sizes = [(1, 1) if item is None else item.size for item in context.pictures.items]
    stored = np.array(sizes, np.float64).reshape(-1, 2)[faces.picture] * scale
    points, boxes = faces.points * scale[:, None], faces.boxes.astype(np.float64) * np.tile(scale, 2)
    return Landmarks(forest.layout, points, boxes, faces.score.astype(np.float64), stored)


def landmark_scorer(_: Any) -> LandmarkScorer:
    """The scorer for any embedder: it looks at none."""
    return LandmarkScorer()
