"""What the choices about quality share: CelebA people of one role, their pictures as stored and spoilt."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from visavis.io import open_store
from visavis.pipeline.assess import assess_stream
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.ledger import Ledger
from visavis.types import FMR, Assessment, Picture, Templates


@dataclass
class Assessed:
    """Pictures of one collection, embedded and assessed.

    Attributes:
        vectors: float32 ``(N, 128)``; NaN for a failed picture.
        ok: bool ``(N,)``.
        people: Person of each row.
        raw: By measure, float ``(N,)``.
        score: By measure, float ``(N,)`` in 0..100.
        side: Longer side of each face, pixels.
    """

    vectors: np.ndarray
    ok: np.ndarray
    people: np.ndarray
    raw: dict[str, np.ndarray]
    score: dict[str, np.ndarray]
    side: np.ndarray

    def mated(self, others: Assessed, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Similarities with all rows of ``others``, and which are of one person but not of one picture."""
        same = self.people[:, None] == others.people[None]
        same[np.arange(len(own)), own] = False
        return self.vectors @ others.vectors.T, same & others.ok[None]


def pictures_of(data: Path, role: str) -> tuple[list, list[str]]:
    """Sources and people of a role, without ``suspect`` pictures."""
    ledger = Ledger.load()
    store = open_store(data / "celeba_ids/celeba_ids.tar")
    rows = list(csv.DictReader((data / "celeba_ids/labels.csv").open()))
    rows = [r for r in rows if ledger.role("celeba_ids", r["identity"]) == role and r["suspect"] == "0"]
    return [store.get(r["file"]) for r in rows], [r["identity"] for r in rows]


def assessed(pipeline: Pipeline, sources: list, people: list[str] | np.ndarray) -> Assessed:
    parts = list(assess_stream(pipeline, sources))
    assessment = Assessment.concat([part.assessment for part in parts])
    templates = Templates.concat([part.analysis.templates for part in parts])
    side = np.concatenate([part.analysis.faces.size for part in parts])
    return Assessed(
        templates.vectors,
        templates.ok,
        np.asarray(people),
        {quality.measure: quality.raw.astype(float) for quality in assessment.measures},
        {quality.measure: quality.score.astype(float) for quality in assessment.measures},
        side,
    )


def spoilt(picture: Picture, kind: str, amount: float, side: float, rng: np.random.Generator) -> Picture:
    """A picture made worse; lengths are in pixels of a face 112 pixels high."""
    pixels = picture.pixels
    if kind == "blur":
        made = cv2.GaussianBlur(pixels, (0, 0), amount * side / 112)
    elif kind == "motion":
        half = max(1, round(amount * side / 112))
        kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
        kernel[half] = 1 / (2 * half + 1)
        made = cv2.filter2D(pixels, -1, kernel)
    elif kind == "small":
        factor = amount / side
        size = [max(1, round(length * factor)) for length in picture.size]
        made = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    elif kind == "jpeg":
        made = cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(amount)])[1], 1)
    else:
        values = pixels.astype(np.float64)
        if kind == "dark":
            values = values * amount + rng.normal(0, 1, values.shape)  # what is left of a picture is noisy
        elif kind == "bright":
            values = values * amount
        elif kind == "fog":
            values = ((values - 128) * amount + 128).round()
        elif kind == "noise":
            values = values + rng.normal(0, amount, values.shape)
        made = np.clip(values, 0, 255).astype(np.uint8)
    return Picture(np.ascontiguousarray(made))


def degraded(
    pipeline: Pipeline, sources: list, clean: Assessed, ladder: dict[str, list[float]], *, every: int
) -> tuple[Assessed, np.ndarray, np.ndarray]:
    """Every ``every``-th picture at every step of a ladder; also the row of its original, and ``kind:amount``."""
    rng = np.random.default_rng(0)
    chosen = np.flatnonzero(clean.ok)[::every]
    items = pipeline.read([sources[row] for row in chosen]).items
    made, rows, tags = [], [], []
    for kind, amounts in ladder.items():
        for amount in amounts:
            made += [spoilt(item, kind, amount, clean.side[row], rng) for item, row in zip(items, chosen, strict=True)]
            rows += chosen.tolist()
            tags += [f"{kind}:{amount:g}"] * len(chosen)
    own = np.array(rows)
    return assessed(pipeline, made, clean.people[own]), own, np.array(tags)


LADDER = {
    "blur": [1, 2, 3, 4, 6, 8, 12],
    "small": [8, 12, 16, 20, 24, 32, 48],
    "dark": [0.01, 0.02, 0.03, 0.05, 0.1, 0.2],
    "bright": [2, 4, 8],
    "fog": [0.03, 0.06, 0.12, 0.25],
    "noise": [20, 40, 80],
    "jpeg": [5, 10],
}
"""How the pictures of develop people are spoilt; every third of them, `degraded`."""
EVERY = 3


def threshold(pipeline: Pipeline, rate: float = 1e-3) -> float:
    """The shipped threshold."""
    return pipeline.calibration().threshold(FMR(rate))
