"""Read the outputs of RetinaFace as biubug6 trained and exported it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from visavis.detection.candidates import Candidates
from visavis.errors import ModelError

_SIZES = {8: (16, 32), 16: (64, 128), 32: (256, 512)}
_CENTRE_VARIANCE = 0.1
_SIZE_VARIANCE = 0.2
_VALUES = (4, 2, 10)


def retinaface_outputs(names: tuple[str, ...]) -> tuple[str, ...]:
    """The three outputs; `decode_retinaface` tells them apart by shape.

    Raises:
        ModelError: Not three outputs.
    """
    if len(names) != 3:
        raise ModelError(
            f"not a RetinaFace: it has {len(names)} outputs, not boxes, classes and points", reason="model.refused"
        )
    return names


@lru_cache(maxsize=64)
def _priors(height: int, width: int) -> NDArray[np.float32]:
    """Centre and side of every prior in pixels ``(P, 3)``: by stride, rows, columns, then size."""
    parts = []
    for stride, sizes in _SIZES.items():
        rows, columns = np.mgrid[: -(-height // stride), : -(-width // stride)]
        centres = (np.stack([columns.ravel(), rows.ravel()], axis=1) + 0.5) * stride
        sides = np.tile(sizes, len(centres))[:, None]
        parts.append(np.concatenate([np.repeat(centres, len(sizes), axis=0), sides], axis=1))
    return np.concatenate(parts).astype(np.float32)


def decode_retinaface(
    outputs: Sequence[NDArray[np.float32]], *, height: int, width: int, floor: float
) -> list[Candidates]:
    """Candidates of each picture of a batch.

    Of a prior with centre ``p`` and side ``s``: centre ``p + .1 d s``, size ``s exp(.2 d)``, point ``p + .1 d s``;
    the score is the second class's probability. Priors of 16 and 32 pixels at stride 8, 64 and 128 at 16, 256
    and 512 at 32 (Deng et al. 2020; priors and variances of Pytorch_Retinaface).

    Args:
        outputs: In any order boxes ``(B, P, 4)``, class probabilities ``(B, P, 2)``, points ``(B, P, 10)``.
        height: Height of the network's input.
        width: Width of the network's input.
        floor: Candidates below this score are left out.

    Raises:
        ModelError: The outputs are not those of a RetinaFace for this input.
    """
    priors = _priors(height, width)
    kinds = {output.shape[-1]: output for output in outputs if output.ndim == 3 and output.shape[1] == len(priors)}
    if set(kinds) != set(_VALUES):
        shapes = ", ".join(str(output.shape) for output in outputs)
        raise ModelError(
            f"not a RetinaFace for {width} x {height} pixels: its outputs are {shapes}, expected (B, {len(priors)}, "
            "4, 2 and 10)",
            reason="model.refused",
        )
    boxes, classes, points = (kinds[values] for values in _VALUES)
    found = []
    for row in range(len(boxes)):
        keep = np.flatnonzero(classes[row, :, 1] >= floor)
        centre, side, box = priors[keep, :2], priors[keep, 2:], boxes[row, keep]
        middle = centre + _CENTRE_VARIANCE * box[:, :2] * side
        half = side * np.exp(_SIZE_VARIANCE * box[:, 2:]) / 2
        place = centre[:, None] + _CENTRE_VARIANCE * points[row, keep].reshape(-1, 5, 2) * side[:, None]
        score = np.clip(classes[row, keep, 1], 0, 1)
        found.append(Candidates(np.concatenate([middle - half, middle + half], axis=1), score, place))
    return found
