"""The documented set of degradations: what quality is fitted with, and what it is tested on."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType

import cv2
import numpy as np

from visavis.data.augmentation.blur import blur
from visavis.data.augmentation.compress import compress
from visavis.data.degradation.cover import cover_block, cover_mask
from visavis.data.degradation.down_sample import down_sample
from visavis.data.degradation.light import low_light, over_expose
from visavis.data.degradation.motion_blur import motion_blur
from visavis.data.degradation.operator import FacePlace, Operator, Pixels
from visavis.errors import UsageError


def _reduced(kernel: int, pixels: Pixels, face: FacePlace, side: float, _: np.random.Generator) -> Pixels:
    return down_sample(pixels, face, side, kernel=kernel)


def _blurred(pixels: Pixels, face: FacePlace, sigma: float, rng: np.random.Generator) -> Pixels:
    width = sigma * face.side / 112
    return blur(pixels, rng, sigma=(width, width))


def _compressed(pixels: Pixels, _: FacePlace, quality: float, rng: np.random.Generator) -> Pixels:
    return compress(pixels, rng, quality=(int(quality), int(quality)))


_SIDES = (48.0, 32.0, 24.0, 16.0, 12.0)
_FACE = "pixels of a face whose longer side has 112"
OPERATORS = MappingProxyType(
    {
        operator.name: operator
        for operator in (
            Operator("down-area", _SIDES, "pixels of the face's longer side", partial(_reduced, cv2.INTER_AREA)),
            Operator("down-linear", _SIDES, "pixels of the face's longer side", partial(_reduced, cv2.INTER_LINEAR)),
            Operator("gaussian-blur", (1.0, 2.0, 3.0, 5.0, 8.0), f"sigma, {_FACE}", _blurred),
            Operator("jpeg", (30.0, 20.0, 12.0, 8.0, 4.0), "JPEG quality", _compressed),
            Operator("block", (0.1, 0.2, 0.3, 0.4, 0.5), "share of the box", cover_block),
            Operator("low-light", (0.4, 0.2, 0.1, 0.06, 0.03), "share of the light", low_light),
            Operator("over-exposure", (1.5, 2.0, 3.0, 4.5, 7.0), "times the light", over_expose),
            Operator("down-cubic", _SIDES, "pixels of the face's longer side", partial(_reduced, cv2.INTER_CUBIC)),
            Operator("motion-blur", (6.0, 10.0, 16.0, 24.0, 36.0), f"length, {_FACE}", motion_blur),
            Operator("mask", (0.0, 0.25, 0.45, 0.6, 0.75), "upper edge, mouth to eyes", cover_mask),
        )
    }
)
"""Every operator by name. Pose is not synthesised. Lengths follow the face, so that a level means the same at any
size of the picture."""
FIT = ("down-area", "down-linear", "gaussian-blur", "jpeg", "block", "low-light", "over-exposure")
"""What scorers may be fitted and chosen with."""
TEST_ONLY = ("down-cubic", "motion-blur", "mask")
"""What no scorer is to be fitted or chosen with: only figures are reported under these.

The fused weights with the norm are older than this set: short horizontal motion blur was among the pictures that they
were fitted with (``benchmarks/choose_quality_fusion.py``). ``mask`` is unseen by all.
"""
SETS = MappingProxyType({"fit": FIT, "test": (*FIT, *TEST_ONLY), "test-only": TEST_ONLY})
"""Named sets of operators."""


def operators_of(name: str) -> tuple[Operator, ...]:
    """The operators of a set, or the one of that name.

    Raises:
        UsageError: Neither a set nor an operator.

    Example:
        >>> [one.name for one in operators_of("test-only")]
        ['down-cubic', 'motion-blur', 'mask']
    """
    if name in SETS:
        return tuple(OPERATORS[one] for one in SETS[name])
    if name not in OPERATORS:
        raise UsageError(f"no degradation {name!r}; sets: {', '.join(SETS)}; operators: {', '.join(OPERATORS)}")
    return (OPERATORS[name],)
