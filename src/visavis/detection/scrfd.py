"""Read the outputs of SCRFD, the detectors of the InsightFace packs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from visavis.detection.candidates import Candidates
from visavis.errors import ModelError

_STRIDES = (8, 16, 32, 64, 128)
_KINDS = {1: "scores", 4: "boxes", 10: "points"}


def scrfd_outputs(names: tuple[str, ...]) -> tuple[str, ...]:
    """All outputs: their names are numbers, so `decode_scrfd` tells them apart by shape.

    Raises:
        ModelError: Not scores, boxes and points for three or five strides.
    """
    if len(names) not in (9, 15):
        raise ModelError(
            f"not an SCRFD with five points: it has {len(names)} outputs, not 9 or 15; take one whose name has kps or "
            "bnkps, or the det_*.onnx of a pack",
            reason="model.refused",
        )
    return names


@lru_cache(maxsize=64)
def _cells(height: int, width: int, stride: int, anchors: int) -> NDArray[np.float32]:
    """Corner of every cell in pixels ``(rows * columns * anchors, 2)``, x first."""
    rows, columns = np.mgrid[: -(-height // stride), : -(-width // stride)]
    corners = np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float32) * stride
    return np.repeat(corners, anchors, axis=0)


def _by_kind(outputs: Sequence[NDArray[np.float32]]) -> dict[str, list[NDArray[np.float32]]]:
    """Outputs ``(B, C, values)`` by what they hold, each from the finest stride to the coarsest."""
    kinds: dict[str, list[NDArray[np.float32]]] = {name: [] for name in _KINDS.values()}
    for output in outputs:
        batched = output[None] if output.ndim == 2 else output
        if batched.ndim != 3 or batched.shape[2] not in _KINDS:
            raise _misfit(f"an output has shape {output.shape}, not (cells, 1, 4 or 10) with or without a batch")
        kinds[_KINDS[batched.shape[2]]].append(batched)
    sizes = []
    for levels in kinds.values():
        levels.sort(key=lambda level: -level.shape[1])
        sizes.append([level.shape[:2] for level in levels])
    if sizes[0] != sizes[1] or sizes[0] != sizes[2]:
        raise _misfit(f"scores, boxes and points differ in shape: {sizes}")
    return kinds


def _misfit(detail: str) -> ModelError:
    return ModelError(f"not an SCRFD: {detail}", reason="model.refused")


def decode_scrfd(outputs: Sequence[NDArray[np.float32]], *, height: int, width: int, floor: float) -> list[Candidates]:
    """Candidates of each picture of a batch.

    Of a cell with corner ``c = (column, row) * stride``: box ``(c - d[:2] * stride, c + d[2:] * stride)``, points
    ``c + d * stride``; scores are probabilities (Guo et al. 2021, SCRFD; released code). Cells run by rows, the
    anchors of a cell side by side.

    Args:
        outputs: For 3 or 5 strides, in any order: scores ``(B, C, 1)``, boxes ``(B, C, 4)`` and points
            ``(B, C, 10)`` with C cells times anchors, or all without the batch axis for one picture.
        height: Height of the network's input.
        width: Width of the network's input.
        floor: Candidates below this score are left out.

    Raises:
        ModelError: The outputs are not those of an SCRFD for this input.
    """
    kinds = _by_kind(outputs)
    found: list[list[Candidates]] = [[] for _ in range(len(kinds["scores"][0]))]
    for stride, score, box, point in zip(_STRIDES, kinds["scores"], kinds["boxes"], kinds["points"], strict=False):
        count = -(-height // stride) * -(-width // stride)
        anchors, rest = divmod(score.shape[1], count)
        if rest or not anchors:
            raise _misfit(f"{score.shape[1]} candidates at stride {stride} do not fit {count} cells")
        corners = _cells(height, width, stride, anchors)
        for row, candidates in enumerate(found):
            keep = np.flatnonzero(score[row, :, 0] >= floor)
            corner, reach = corners[keep], box[row, keep] * stride
            boxes = np.concatenate([corner - reach[:, :2], corner + reach[:, 2:]], axis=1)
            points = corner[:, None] + point[row, keep].reshape(-1, 5, 2) * stride
            candidates.append(Candidates(boxes, np.clip(score[row, keep, 0], 0, 1), points))
    return [Candidates.concat(levels) for levels in found]
