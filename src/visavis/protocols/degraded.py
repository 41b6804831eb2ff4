"""Pictures of a list, degraded whole before anything is detected in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from visavis.data.degradation.degrade import Degrading
from visavis.data.degradation.operator import FacePlace
from visavis.pipeline.pipeline import Pipeline
from visavis.types import Picture

_AT_A_TIME = 16


def degraded_pictures(
    pipeline: Pipeline, sources: Sequence[Any], names: Sequence[str], how: Degrading
) -> Iterator[Any]:
    """Each picture as ``how`` makes it, in order and in bounded memory; detector and alignment then see the worse one.

    The face of the picture as it is says what a length means (`FacePlace`): the most central large one. A picture that
    cannot be read, shows no face, or is not drawn is passed on as it is.

    Args:
        pipeline: Whose detector places the faces.
        sources: The pictures.
        names: One a picture: what it gets depends on it and the seed alone.
        how: Which get worse, and how.
    """
    for start in range(0, len(sources), _AT_A_TIME):
        some, called = sources[start : start + _AT_A_TIME], names[start : start + _AT_A_TIME]
        wanted = [row for row, name in enumerate(called) if how.drawn(name) is not None]
        made = dict(
            zip(wanted, _worse(pipeline, [some[r] for r in wanted], [called[r] for r in wanted], how), strict=True)
        )
        yield from (source if made.get(row) is None else made[row] for row, source in enumerate(some))


def _worse(pipeline: Pipeline, sources: list[Any], names: list[str], how: Degrading) -> list[Picture | None]:
    if not sources:
        return []
    pictures, faces = pipeline.detect(sources, which="central")
    found: list[Picture | None] = [None] * len(sources)
    for row, picture in enumerate(faces.picture.tolist()):
        item = pictures.items[picture]
        if item is not None and faces.status.failures[row] is None:
            place = FacePlace(faces.boxes[row], faces.points[row])
            found[picture] = Picture(how.apply(item.pixels, names[picture], place), item.source)
    return found
