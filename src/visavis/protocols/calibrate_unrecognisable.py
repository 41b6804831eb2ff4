"""Find where a recogniser puts unrecognisable images, from faces that are degraded until they are."""

from __future__ import annotations

from collections.abc import Callable

from visavis.data.degradation.unrecognisable import make_unrecognisable
from visavis.errors import UsageError
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.calibrate_attention import drawn_faces
from visavis.protocols.labelled import Labelled
from visavis.quality.unrecognisable_centre import UnrecognisableCentre, fit_centre
from visavis.recognition.onnx_embedder import OnnxEmbedder


def calibrate_unrecognisable(
    pipeline: Pipeline,
    labelled: Labelled,
    *,
    population: str,
    faces: int = 500,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> UnrecognisableCentre:
    """The centre of the recogniser of a pipeline; see `visavis.quality.unrecognisable_centre.fit_centre`.

    Args:
        pipeline: Its recogniser is a network in ONNX.
        labelled: Pictures of people that no figure is reported on.
        population: Whom the pictures show.
        faces: Number of pictures to draw; all when there are fewer.
        seed: Of the draw and of what is done to them.
        progress: Called with the number of pictures done and of all.

    Raises:
        UsageError: Another recogniser, or too few faces are asked for.
        InputError: Too few of the pictures show a face.
        ModelError: Unrecognisable images lie no nearer to their centre than faces.
    """
    embedder = pipeline.embedder
    if not isinstance(embedder, OnnxEmbedder):
        raise UsageError(
            f"{pipeline.made_by.model} is no network in ONNX; the centre is one of raw embeddings of crops"
        )
    crops, people = drawn_faces(pipeline, labelled, faces=faces, seed=seed, progress=progress)
    return fit_centre(
        embedder.raw(make_unrecognisable(crops, seed=seed)),
        embedder.raw(crops),
        model=embedder.card.name,
        sha256=embedder.card.sha256,
        source=f"{population}: {len(crops)} pictures of {people} people, as stored and degraded until unrecognisable",
    )
