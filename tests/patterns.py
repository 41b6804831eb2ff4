"""Pictures of patterns instead of faces, and an embedder that reads them exactly."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from visavis.pipeline.pipeline import Pipeline
from visavis.recognition.template_rows import template_rows
from visavis.types import Provenance, TemplateSpace

CELLS = 4
_SIDE = 112 // CELLS


class PatternEmbedder:
    """The mean grey of each of 4 x 4 cells, less 128, as an embedding of 16 dimensions; no flip."""

    made_by = Provenance("embedder/pattern", "numpy", "fp32", "1", "1")

    def space(self, detector):
        return TemplateSpace(detector, "five-point", "arcface-112", "0" * 64, CELLS * CELLS)

    def embed(self, crops):
        cells = crops.pixels.reshape(len(crops), CELLS, _SIDE, CELLS, _SIDE, 3).mean(axis=(2, 4, 5)) - 128
        raw = cells.reshape(len(crops), -1).astype(np.float32)
        return template_rows(raw, crops.status, self.space(crops.detector), self.made_by)


def pattern_pipeline():
    return Pipeline(model=PatternEmbedder())


def pattern(rng):
    """Greys of the cells of one person, uint8 ``(4, 4)``."""
    return rng.integers(40, 216, (CELLS, CELLS), dtype=np.uint8)


def varied(cells, rng, *, spread=12):
    """Another picture of the person."""
    return np.clip(cells + np.round(rng.normal(0, spread, cells.shape)), 0, 255).astype(np.uint8)


def picture(cells):
    """RGB pixels ``(112, 112, 3)``."""
    return np.repeat(np.kron(cells, np.ones((_SIDE, _SIDE), np.uint8))[:, :, None], 3, axis=2)


def png(cells):
    """The picture, encoded without loss."""
    stream = io.BytesIO()
    Image.fromarray(picture(cells)).save(stream, "PNG")
    return stream.getvalue()


def unit(cells):
    """The template of a picture, in float64."""
    vector = cells.astype(np.float64).ravel() - 128
    return vector / np.linalg.norm(vector)
