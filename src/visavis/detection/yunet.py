"""Read the outputs of YuNet."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from visavis.detection.candidates import Candidates

STRIDES = (8, 16, 32)
OUTPUTS = ("cls", "obj", "bbox", "kps")
"""The joined outputs, see `visavis.runtime.rewrites.join_strides`."""


@lru_cache(maxsize=64)
def _cells(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Column and row of every cell over all strides ``(C, 2)``, and each cell's stride ``(C, 1)``."""
    grids, strides = [], []
    for stride in STRIDES:
        rows, columns = np.mgrid[: height // stride, : width // stride]
        grids.append(np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float32))
        strides.append(np.full((grids[-1].shape[0], 1), stride, np.float32))
    return np.concatenate(grids), np.concatenate(strides)


def decode_yunet(outputs: Sequence[NDArray[np.float32]], *, height: int, width: int, floor: float) -> list[Candidates]:
    """Candidates of each picture of a batch.

    ``score = sqrt(cls * obj)``, ``centre = (cell + d) * stride``, ``size = exp(d) * stride``,
    ``point = (cell + d) * stride`` (Wu et al. 2023, released code).

    Args:
        outputs: In the order of `OUTPUTS`, each ``(B, cells, values)``, the cells of the finest stride first.
        height: Height of the network's input, a multiple of 32.
        width: Width of the network's input, a multiple of 32.
        floor: Candidates below this score are left out.
    """
    cells, strides = _cells(height, width)
    classes, objects, boxes, points = outputs
    product = (classes * objects)[..., 0]
    found = []
    for row, values in enumerate(product):
        # Few cells hold a face: they are picked before anything else is computed.
        keep = (values >= floor * floor).nonzero()[0]
        cell, stride, box = cells[keep], strides[keep], boxes[row, keep]
        centre = (cell + box[:, :2]) * stride
        half = np.exp(box[:, 2:]) * (stride / 2)
        place = (cell[:, None] + points[row, keep].reshape(-1, 5, 2)) * stride[:, None]
        score = np.sqrt(np.minimum(values[keep], 1))
        found.append(Candidates(np.concatenate([centre - half, centre + half], axis=1), score, place))
    return found
