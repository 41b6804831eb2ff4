"""The part of an aligned crop that is face whoever it shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROWS = (0.30, 0.92)
_COLUMNS = (0.22, 0.78)


def face_region(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """The brightness of brows to chin and cheek to cheek, without hair and background.

    The bounds are shares of the crop's sides: of the ArcFace template (112 pixels; eyes at row 52, mouth at row 92,
    eyes at columns 38 and 74) they cut rows 34..103 and columns 25..87.

    Args:
        luma: float32 ``(N, H, W)``.

    Returns:
        A view ``(N, h, w)``.
    """
    rows, columns = face_rectangle(*luma.shape[1:])
    return luma[:, rows, columns]


def face_rectangle(height: int, width: int) -> tuple[slice, slice]:
    """The rows and columns of that part in a crop of this size."""
    rows = slice(round(_ROWS[0] * height), round(_ROWS[1] * height))
    return rows, slice(round(_COLUMNS[0] * width), round(_COLUMNS[1] * width))
