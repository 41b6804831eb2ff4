"""From faces to the context that the quality scorers share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.types import Crops, FaceContext, Faces, Pictures, Templates

if TYPE_CHECKING:
    from visavis.pipeline.pipeline import Pipeline


@runtime_checkable
class TellingEmbedder(Protocol):
    """An embedder that can tell more than the template in the run that embeds."""

    tells: tuple[str, ...]

    def tell(self, crops: Crops) -> tuple[Templates, dict[str, NDArray[np.float32]]]:
        """Templates, and by name what else is told, with a row a crop."""
        ...


def context_of(pipeline: Pipeline, pictures: Pictures, faces: Faces) -> FaceContext:
    """The faces with crops and templates, and with what else a recogniser tells, of one run.

    Args:
        pipeline: Aligns and embeds.
        pictures: The decoded pictures.
        faces: Where each face lies.
    """
    crops = pipeline.aligner.align(pictures, faces)
    embedder = pipeline.embedder
    if isinstance(embedder, TellingEmbedder) and embedder.tells:
        templates, told = embedder.tell(crops)
        return FaceContext(
            pictures, faces, crops, templates, told.get("attention"), recognizability=told.get("recognizability")
        )
    return FaceContext(pictures, faces, crops, embedder.embed(crops))


def embedded(context: FaceContext) -> Templates:
    """The templates of a context that was embedded.

    Raises:
        UsageError: It was not.
    """
    if context.templates is None:
        raise UsageError("the faces of this context were not embedded; make it with context_of")
    return context.templates
