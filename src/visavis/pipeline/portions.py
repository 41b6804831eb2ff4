"""Portions of a long run: what the streams of a pipeline share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from visavis.types import Faces


def chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """The items, so many at a time."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def shifted(faces: Faces, offset: int) -> Faces:
    """Faces of a portion whose first picture is the ``offset``-th of the whole run."""
    return Faces(faces.boxes, faces.score, faces.points, faces.picture + offset, faces.status)
