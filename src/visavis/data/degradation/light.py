"""A picture with too little or too much light."""

from __future__ import annotations

import numpy as np

from visavis.data.degradation.operator import FacePlace, Pixels

_WELL = 1000.0
"""Electrons at level 255: a small sensor whose gain is fixed, so that dark pictures are noisy."""
_READ = 6.0
"""Standard deviation of the noise of reading, in electrons."""


def low_light(pixels: Pixels, _: FacePlace, share: float, rng: np.random.Generator) -> Pixels:
    """The picture with a share of its light, and the noise of few electrons.

    Shot noise (Poisson) and read noise (Gaussian), per channel, as in common models of cameras (Hasinoff 2014, "Photon,
    Poisson noise"). The picture stays dark: nothing brightens it again.

    Args:
        pixels: uint8 RGB ``(H, W, 3)``.
        _: The face; light does not depend on it.
        share: Of the light that is left, 0..1.
        rng: What the noise is drawn from.
    """
    electrons = pixels.astype(np.float64) * (share * _WELL / 255)
    caught = rng.poisson(electrons) + rng.normal(0, _READ, electrons.shape)
    return np.clip(np.rint(caught * 255 / _WELL), 0, 255).astype(np.uint8)


def over_expose(pixels: Pixels, _: FacePlace, factor: float, __: np.random.Generator) -> Pixels:
    """The picture with ``factor`` times its light; what exceeds 255 is burnt out.

    Args:
        pixels: uint8 RGB ``(H, W, 3)``.
        _: The face; light does not depend on it.
        factor: Of brightness, above 1.
        __: Nothing is drawn.
    """
    return np.clip(np.rint(pixels.astype(np.float64) * factor), 0, 255).astype(np.uint8)
