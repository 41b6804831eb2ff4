"""Which stretches, of different times, show one person."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visavis.calibration.table import Calibration
from visavis.pipeline.tracking.stretch import Stretch, joined
from visavis.types import FMR


def join(stretches: Sequence[Stretch], *, calibration: Calibration, at: FMR, keep: int) -> list[Stretch]:
    """Join stretches whose templates agree, the most similar first.

    Two stretches that are seen at one time are two people, however similar. After each joining the template is that of
    all the best frames together. A stretch without a template stays alone.

    Args:
        stretches: Any number.
        calibration: Of the templates' space.
        at: The operating point; the threshold is that for so many pictures a side.
        keep: Best frames of a joined stretch at most.

    Returns:
        Fewer, or as many, by their first second.

    Raises:
        ModelError: The calibration does not reach the operating point.
    """
    single = calibration.threshold(at)
    alone = [one for one in stretches if one.templates is None]
    parts: list[list[Stretch]] = [[one] for one in stretches if one.templates is not None]
    whole = [one[0] for one in parts]
    centres = [_centre(one) for one in whole]
    evidence = np.full((len(whole), len(whole)), -np.inf)

    def compare(row: int) -> None:
        for other in range(len(whole)):
            apart = other != row and not any(_together(a, b) for a in parts[row] for b in parts[other])
            value = -np.inf
            if apart:
                similarity = float(centres[row] @ centres[other])
                left, right = len(whole[row].best), len(whole[other].best)
                value = calibration.single(similarity, left=left, right=right) - single
            evidence[row, other] = evidence[other, row] = value

    for row in range(len(whole)):
        compare(row)
    while evidence.size and evidence.max() >= 0:
        row, other = sorted(int(place) for place in np.unravel_index(int(evidence.argmax()), evidence.shape))
        parts[row] += parts.pop(other)
        whole.pop(other)
        centres.pop(other)
        evidence = np.delete(np.delete(evidence, other, axis=0), other, axis=1)
        whole[row] = joined(parts[row], keep=keep)
        centres[row] = _centre(whole[row])
        compare(row)
    return sorted([*whole, *alone], key=lambda one: float(one.times[0]))


def _together(one: Stretch, other: Stretch) -> bool:
    """Whether two stretches are seen at one time."""
    return bool(one.times[0] <= other.times[-1] and other.times[0] <= one.times[-1])


def _centre(one: Stretch) -> NDArray[np.float32]:
    pooled = one.pooled
    assert pooled is not None, "stretches without templates are not compared"
    vector: NDArray[np.float32] = pooled.vectors[0]
    return vector
