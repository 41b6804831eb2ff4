"""Fit what the attention scores of a vision transformer mean, on labelled pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError, UsageError
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.labelled import Labelled
from visavis.quality.attention_calibration import AttentionCalibration, fit_attention, rounded
from visavis.recognition.onnx_embedder import OnnxEmbedder

_CHUNK = 64
LEAST = 20
"""Fewer faces give no percentiles."""

Progress = Callable[[int, int], None]


def calibrate_attention(
    pipeline: Pipeline,
    labelled: Labelled,
    *,
    population: str,
    faces: int = 500,
    seed: int = 0,
    progress: Progress | None = None,
) -> AttentionCalibration:
    """The calibration of the recogniser of a pipeline; see `visavis.quality.attention_calibration.fit_attention`.

    Args:
        pipeline: Its recogniser tells its attention; see `visavis.pipeline.attention.attending_embedder`.
        labelled: Pictures of people that no figure is reported on.
        population: Whom the pictures show.
        faces: Number of pictures to draw; all when there are fewer.
        seed: Of the draw.
        progress: Called with the number of pictures done and of all.

    Raises:
        UsageError: The recogniser does not tell its attention, or too few faces are asked for.
        InputError: Too few of the pictures show a face.
        ModelError: The attention says nothing of quality.
    """
    embedder = pipeline.embedder
    if not isinstance(embedder, OnnxEmbedder) or not embedder.tells_attention:
        raise UsageError(f"{pipeline.made_by.model} does not tell its attention; make it with attending_embedder")
    crops, people = drawn_faces(pipeline, labelled, faces=faces, seed=seed, progress=progress)
    return rounded(
        fit_attention(
            lambda pixels: embedder.attention(pixels).mean(axis=1),
            crops,
            model=embedder.card.name,
            sha256=embedder.card.sha256,
            source=f"{population}: {len(crops)} pictures of {people} people, as stored and blurred",
        )
    )


def drawn_faces(
    pipeline: Pipeline, labelled: Labelled, *, faces: int, seed: int, progress: Progress | None = None
) -> tuple[NDArray[np.uint8], int]:
    """Aligned crops of some pictures that are drawn, uint8 RGB ``(N, H, W, 3)``, and the number of people drawn.

    Args:
        pipeline: Detects and aligns.
        labelled: Pictures.
        faces: Number of pictures to draw; all when there are fewer.
        seed: Of the draw.
        progress: Called with the number of pictures done and of all.

    Raises:
        UsageError: Too few faces are asked for.
        InputError: Too few of the pictures show a face.
    """
    if faces < LEAST:
        raise UsageError(f"a calibration of a network's quality needs {LEAST} faces or more; got {faces}")
    order = np.random.default_rng(seed).permutation(len(labelled.names))[:faces]
    names = [labelled.names[row] for row in sorted(order)]
    parts = []
    for start in range(0, len(names), _CHUNK):
        some = [labelled.store.get(name) for name in names[start : start + _CHUNK]]
        found = pipeline.aligner.align(*pipeline.detect(some, which="central"))
        parts.append(found.pixels[found.ok])
        if progress is not None:
            progress(min(start + _CHUNK, len(names)), len(names))
    crops = np.concatenate(parts)
    if len(crops) < LEAST:
        raise InputError(
            f"{len(crops)} of {len(names)} pictures show a face; a calibration of a network's quality needs {LEAST} or "
            "more",
            reason="labelled",
        )
    return crops, len({labelled.people[row] for row in order})
