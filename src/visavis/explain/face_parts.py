"""Where the named parts of an aligned face lie."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.geometry import ARCFACE_112, TEMPLATES

Ellipse = tuple[float, float, float, float]

PARTS: dict[str, tuple[Ellipse, ...]] = {
    "eyes": ((38.3, 51.7, 12.0, 7.0), (73.5, 51.5, 12.0, 7.0)),
    "brows": ((37.0, 40.0, 14.0, 5.0), (75.0, 40.0, 14.0, 5.0)),
    "nose": ((56.0, 64.0, 9.0, 15.0),),
    "mouth": ((56.1, 92.3, 19.0, 8.5),),
    "cheeks": ((27.0, 76.0, 12.0, 14.0), (85.0, 76.0, 12.0, 14.0)),
    "jaw": ((56.0, 108.0, 31.0, 7.5),),
    "forehead": ((56.0, 21.0, 33.0, 14.0),),
}
"""Part -> ellipses on the template ``arcface-112``: centre x and y, half width and half height, in pixels.

Eyes, nose and mouth corners are fixed by the template; the others are where they lie on an upright frontal face, and
a turned face puts something else there."""

_SOFT = 1.5


def part_masks(template: str, *, grow: float = 1.0) -> dict[str, NDArray[np.float32]]:
    """A mask for each part.

    Args:
        template: Name of the crop template.
        grow: The half axes are multiplied by it.

    Returns:
        Part -> float32 ``(H, W)`` in 0..1, edges softened by a Gaussian of 1.5 pixels.

    Raises:
        UsageError: A template that is not known, so that nobody can say where the nose is.
    """
    if template not in TEMPLATES:
        raise UsageError(
            f"parts of a face are known on crops of {', '.join(TEMPLATES)}; got {template!r}: use an explainer without "
            "parts, such as explainer/random-masks"
        )
    target = TEMPLATES[template]
    source, points = ARCFACE_112.array(), target.array()
    # Side and height apart: some crops are wider than others, and none is turned.
    scale, shift = np.array([np.polyfit(source[:, axis], points[:, axis], 1) for axis in (0, 1)]).T
    y, x = np.mgrid[0 : target.height, 0 : target.width].astype(np.float64)
    masks = {}
    for name, ellipses in PARTS.items():
        mask = np.zeros((target.height, target.width), np.float32)
        for ellipse in ellipses:
            centre = np.array(ellipse[:2]) * scale + shift
            half = np.array(ellipse[2:]) * scale * grow
            mask[((x - centre[0]) / half[0]) ** 2 + ((y - centre[1]) / half[1]) ** 2 <= 1] = 1
        masks[name] = np.asarray(cv2.GaussianBlur(mask, (0, 0), _SOFT * float(scale.mean())), np.float32)
    return masks
