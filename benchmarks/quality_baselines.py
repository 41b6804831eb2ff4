"""Measures of quality that others use, for comparison alone: the variance of the Laplacian, and BRISQUE."""

from __future__ import annotations

import cv2
import numpy as np

from visavis.quality.column import quality_column
from visavis.quality.scale import Scale
from visavis.types import FaceContext, Quality


class LaplacianScorer:
    """Measure ``laplacian``: variance of the Laplacian of the aligned crop (Pech-Pacheco et al. 2000)."""

    scale = Scale(0.0, 1000.0, "no people: for ranking alone")

    def assess(self, context: FaceContext) -> Quality:
        """One variance a face."""
        raw = np.array([cv2.Laplacian(crop, cv2.CV_32F).var() for crop in context.luma], np.float32)
        return quality_column("laplacian", raw, self.scale, context.status, unit="", reason=lambda *_: "")


class BrisqueScorer:
    """Measure ``brisque``: BRISQUE (Mittal et al. 2012) of the aligned crop, lower is better.

    By the package ``brisque`` (Apache-2.0) and the model it holds; this library neither needs nor ships it:
    ``pip install --no-deps brisque libsvm-official``.
    """

    scale = Scale(100.0, 0.0, "the scale of BRISQUE itself")

    def __init__(self) -> None:
        from brisque import BRISQUE

        class Flat(BRISQUE):
            """Version 0.2.0 holds features as arrays of one number, which NumPy 2 takes for no number."""

            def scale_features(self, features):
                return super().scale_features([np.ravel(one)[0] for one in features])

        self._model = Flat(url=False)

    def assess(self, context: FaceContext) -> Quality:
        """One score a face."""
        raw = np.full(len(context), np.nan, np.float32)
        for row in np.flatnonzero(context.status.ok).tolist():
            with np.errstate(all="ignore"):
                raw[row] = np.nan_to_num(self._model.score(context.crops.pixels[row]), nan=100.0)
        return quality_column("brisque", raw, self.scale, context.status, unit="", reason=lambda *_: "")


def baselines() -> dict[str, object]:
    """Every baseline whose package is there; says which is left out."""
    found: dict[str, object] = {"laplacian": LaplacianScorer()}
    try:
        found["brisque"] = BrisqueScorer()
    except ImportError as error:
        print(f"BRISQUE is left out ({error}); pip install --no-deps brisque libsvm-official")
    return found
