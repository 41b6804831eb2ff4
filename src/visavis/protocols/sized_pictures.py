"""Whole pictures reduced to given sizes of the face, and the templates that come of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from visavis.data.degradation.operator import FacePlace, Operator
from visavis.data.degradation.operators import operators_of
from visavis.errors import UsageError
from visavis.pipeline.pipeline import Pipeline
from visavis.runtime.workers import ordered_map
from visavis.types import Crops, Failure, Picture, Pictures, Templates

FULL = "full"
"""The size of a picture that is left as it is."""
DEFAULT = "down-cubic"
"""The operator that no quality scorer was fitted with, and that `shrink` does not use."""
Progress = Callable[[int, int], None]
_AT_A_TIME = 16


@dataclass(frozen=True, slots=True)
class Sizes:
    """To which sizes pictures are reduced, and how.

    Attributes:
        pixels: The longer side of the face's box, pixels, rising; it is the height nearly always.
        operator: ``down-area``, ``down-linear`` or ``down-cubic``; see `visavis.data.degradation.operators`.

    Raises:
        UsageError: No size, one below 4 or above 112, not rising, or another operator.
    """

    pixels: tuple[int, ...] = (8, 12, 16, 24, 32)
    operator: str = DEFAULT

    def __post_init__(self) -> None:
        sides = self.pixels
        if not sides or list(sides) != sorted(set(sides)) or sides[0] < 4 or sides[-1] > 112:
            raise UsageError(f"sizes are rising numbers of pixels from 4 to 112, for example 8,16,32; got {sides}")
        known = [one.name for one in operators_of("test") if one.name.startswith("down-")]
        if self.operator not in known:
            raise UsageError(f"pictures are reduced by {', '.join(known)}; got {self.operator!r}")

    @property
    def names(self) -> tuple[str, ...]:
        """Of all sizes, the full one last."""
        return (*(str(side) for side in self.pixels), FULL)


def sized_templates(
    pipelines: Sequence[Pipeline], sources: Sequence[Any], sizes: Sizes, *, progress: Progress | None = None
) -> list[dict[str, Templates]]:
    """Templates of pictures at each size, of each of several recognisers; the most central large face of each picture.

    The face of the picture as it is says how far the picture is reduced. Then the small picture is all there is: the
    face is detected and aligned in it anew, and one that is not found there has failed. A face that is smaller than a
    size already stays as it is. Detection and alignment are done once for all recognisers.

    Args:
        pipelines: Recognisers behind one detector and one template of crops.
        sources: The pictures.
        sizes: See `Sizes`.
        progress: Called with the number of pictures done and of all.

    Returns:
        A dictionary a pipeline: templates by the name of the size, a row a picture.

    Raises:
        UsageError: No pipeline, or two that detect or cut otherwise.
    """
    kinds = {(one.space.detector, one.space.crop) for one in pipelines}
    if len(kinds) != 1:
        raise UsageError(f"recognisers behind one detector and one template of crops share crops; got {sorted(kinds)}")
    operator = operators_of(sizes.operator)[0]

    def chunk(start: int) -> list[dict[str, Templates]]:
        crops = _crops(pipelines[0], sources[start : start + _AT_A_TIME], sizes, operator)
        return [{name: one.embedder.embed(some) for name, some in crops.items()} for one in pipelines]

    parts: list[list[dict[str, Templates]]] = []
    done = 0
    for part in ordered_map(chunk, range(0, len(sources), _AT_A_TIME), workers=pipelines[0].engine.workers):
        parts.append(part)
        done = min(done + _AT_A_TIME, len(sources))
        if progress is not None:
            progress(done, len(sources))
    return [
        {name: Templates.concat([part[place][name] for part in parts]) for name in sizes.names}
        for place in range(len(pipelines))
    ]


def _crops(pipeline: Pipeline, sources: Sequence[Any], sizes: Sizes, operator: Operator) -> Mapping[str, Crops]:
    pictures, faces = pipeline.detect(sources, which="central")
    crops = {FULL: pipeline.aligner.align(pictures, faces)}
    rng = np.random.default_rng(0)  # reducing a picture draws nothing
    for side in sizes.pixels:
        items: list[Picture | Failure] = []
        for row, picture in enumerate(pictures.items):
            failure = faces.status.failures[row]
            if picture is None or failure is not None:
                items.append(failure or Failure("no-face", "no face was found"))
                continue
            place = FacePlace(faces.boxes[row], faces.points[row])
            items.append(Picture(operator.apply(picture.pixels, place, float(side), rng), picture.source))
        small = Pictures.of(items, sources=pictures.sources)
        crops[str(side)] = pipeline.aligner.align(small, pipeline.detector.detect(small, which="central"))
    return crops
