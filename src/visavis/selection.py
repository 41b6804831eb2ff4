"""Which face of a picture is meant."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError

Select = Literal["central", "largest", "all"]
SELECTIONS: tuple[Select, ...] = ("central", "largest", "all")


def check_selection(which: str) -> Select:
    """The selection, when it is one.

    Raises:
        UsageError: Unknown selection.
    """
    for known in SELECTIONS:
        if which == known:
            return known
    raise UsageError(f"a selection is {', '.join(SELECTIONS)}; got {which!r}")


def chosen(boxes: NDArray[np.floating], which: Select, *, width: float, height: float) -> NDArray[np.intp]:
    """The rows that are meant.

    Args:
        boxes: ``(N, 4)`` xyxy of the faces of one picture.
        which: ``central``: the most central large face, that is the greatest square root of box area minus
            distance between box centre and picture centre; ``largest``: the greatest box area; ``all``.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.

    Returns:
        One row, or all rows for ``all``; none when there is no box.

    Raises:
        UsageError: Unknown selection.
    """
    check_selection(which)
    if which == "all" or len(boxes) < 2:
        return np.arange(len(boxes))
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    rank = np.sqrt(sides.prod(axis=1))
    if which == "central":
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        rank = rank - np.hypot(centres[:, 0] - width / 2, centres[:, 1] - height / 2)
    return np.array([int(rank.argmax())])
