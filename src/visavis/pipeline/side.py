"""One side of a comparison: the pictures of one person, and the template made of them."""

from __future__ import annotations

from dataclasses import dataclass

from visavis.types import Faces, Templates


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """What one side of a comparison consists of.

    Attributes:
        sources: Path or member name of each picture.
        faces: The face that was taken of each picture.
        template: One row: the single template, or the mean of several.
        warnings: What the reader must know, for example that a picture shows several faces.
    """

    sources: tuple[str, ...]
    faces: Faces
    template: Templates
    warnings: tuple[str, ...] = ()
