"""Explaining a candidate: a face of a picture against the best stored crop of a person."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from visavis.errors import InputError, NoFaceError
from visavis.explain.sentence import sentence
from visavis.pipeline.pair import DEFAULT_EXPLAINER, ExplainedPair, create_explainer
from visavis.pipeline.pipeline import Pipeline
from visavis.selection import Select
from visavis.types import Crops, Status

if TYPE_CHECKING:
    from visavis.gallery.gallery import Gallery


def explain_candidate(
    pipeline: Pipeline,
    gallery: Gallery,
    source: Any,
    person: str,
    *,
    face: int = 0,
    which: Select = "all",
    method: str = DEFAULT_EXPLAINER,
    budget: int | None = None,
    threshold: float | None = None,
) -> ExplainedPair:
    """What in a face and in the stored crop of a person carried their similarity.

    A person of several samples is searched by one template of them all; what is explained is the comparison with the
    sample of the best quality alone, and its similarity is that of the two crops.

    Args:
        pipeline: Whose embedder is explained.
        gallery: Where the person is.
        source: The picture.
        person: Id of the person.
        face: Number of the face, from 0.
        which: Among which faces of the picture it counts.
        method: Registry name of an explainer.
        budget: The most crops that go through the network; the explainer's own when None.
        threshold: Similarities at or above it are a match.

    Raises:
        InputError: The picture cannot be read or has no such face; nobody has that id; no crop of them is kept.
    """
    stored, told = stored_crop(pipeline, gallery, person)
    probe = _face_crop(pipeline, source, face, which)
    (found,) = create_explainer(pipeline, method, budget=budget).explain(probe, stored)
    if found.regions:
        found = replace(found, sentence=sentence(found.similarity, found.regions, threshold=threshold))
    return ExplainedPair(found, probe, stored, threshold, (told,))


def stored_crop(pipeline: Pipeline, gallery: Gallery, person: str) -> tuple[Crops, str]:
    """The crop of a person's sample of the best quality, and a sentence on where it came from.

    Raises:
        InputError: Nobody has that id, or no crop is kept that this pipeline can use.
    """
    template = pipeline.space.crop
    samples = gallery.samples(person)
    kept = [one for one in samples if one.crop_template == template]
    best = max(kept, key=lambda one: np.nan_to_num(one.quality, nan=-1.0), default=None)
    pixels = None if best is None else gallery.crop(best.sample)
    if best is None or pixels is None:
        raise InputError(
            f"the gallery keeps no {template} crop of {person} ({len(samples)} samples), so there is nothing to draw a "
            "map on; enrol with crops kept, or compare with a picture of the person: visavis explain A B",
            reason="gallery.crops",
        )
    crops = Crops(pixels[None], np.full((1, 2, 3), np.nan), template, Status.good(1), pipeline.space.detector)
    return crops, f"right is the best of the {len(samples)} samples of {person}: {best.source}"


def _face_crop(pipeline: Pipeline, source: Any, face: int, which: Select) -> Crops:
    pictures, faces = pipeline.detect([source], which=which)
    failure = faces.status.failures[0]
    if failure is not None:
        raise NoFaceError(failure.message, reason=failure.reason)
    if not 0 <= face < len(faces):
        raise InputError(f"{pictures.sources[0]} shows {len(faces)} faces, numbered from 0; got face {face}")
    crops = pipeline.aligner.align(pictures, faces[[face]])
    failed = crops.status.failures[0]
    if failed is not None:
        raise InputError(failed.message, reason=failed.reason)
    return crops
