"""All that is done to crops in training, and how often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from visavis.data.augmentation.blur import blur
from visavis.data.augmentation.change_colour import change_colour
from visavis.data.augmentation.compress import compress
from visavis.data.augmentation.flip import flip, flip_points
from visavis.data.augmentation.keep_window import keep_window
from visavis.data.augmentation.lower_resolution import lower_resolution
from visavis.data.augmentation.occlude import occlude
from visavis.data.augmentation.shift import shift
from visavis.data.augmentation.shrink import shrink
from visavis.data.philox import generator
from visavis.errors import UsageError

_PURPOSE, _SHIFTS, _SHRINKS = 6, 12, 43
_Transform = Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]]
_IN_ORDER: tuple[tuple[str, _Transform], ...] = (
    ("crop", keep_window),
    ("occlusion", occlude),
    ("colour", change_colour),
    ("blur", blur),
    ("low_resolution", lower_resolution),
    ("jpeg", compress),
)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """The probability of each transform; they come in the order in which light, lens, sensor and file would act.

    Flip at 0.5 is what all published recipes do, and the only one of ArcFace (Deng et al. 2019). Crop, colour and low
    resolution at 0.2 are AdaFace's (Kim et al. 2022). Blur at 0.2 is that of the DALI pipeline in insightface's
    arcface_torch. JPEG and occlusion at 0.1 are a choice of this library: recipes agree on no value. Random erasing
    (Zhong et al. 2020) has 0.5, chosen for whole bodies. The ranges stand at each transform.

    Attributes:
        flip: Mirror the crop.
        crop: Keep a window; `keep_window`.
        occlusion: Cover a rectangle; `occlude`.
        colour: Change brightness, contrast and saturation; `change_colour`.
        blur: `blur`.
        low_resolution: `lower_resolution`.
        jpeg: `compress`.
        shift: Move the crop; `shift`. Light CNN: 1, its only transform beside the flip. It comes after the flip.
        shrink: As cut from a picture of very few pixels; `shrink`. It comes last.
    """

    flip: float = 0.5
    crop: float = 0.2
    occlusion: float = 0.1
    colour: float = 0.2
    blur: float = 0.2
    low_resolution: float = 0.2
    jpeg: float = 0.1
    shift: float = 0.0
    shrink: float = 0.0

    def __post_init__(self) -> None:
        wrong = {one.name: getattr(self, one.name) for one in fields(self) if not 0 <= getattr(self, one.name) <= 1}
        if wrong:
            raise UsageError(f"a probability is 0 to 1; got {wrong}")

    @classmethod
    def none(cls) -> Augmentation:
        """No transform at all."""
        return cls(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

    @classmethod
    def flip_only(cls) -> Augmentation:
        """What ArcFace, CosFace and MagFace train with."""
        return cls(0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

    def apply(
        self, pixels: NDArray[np.uint8], landmarks: NDArray[np.float32], *, seed: int, step: int, first: int = 0
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Transform a batch; what a row gets depends on the seed, the step and its place in the batch alone.

        Args:
            pixels: uint8 RGB ``(B, H, W, 3)``; may be changed in place.
            landmarks: float32 ``(B, 5, 2)``; may be changed in place.
            seed: Of the run.
            step: Global step.
            first: Place in the batch of the first row, where these are some of its rows.

        Returns:
            Crops and landmarks of the same shapes.
        """
        width = pixels.shape[2]
        for row, place in enumerate(range(first, first + len(pixels))):
            rng = generator(seed, _PURPOSE, step, place)
            chance = rng.random(1 + len(_IN_ORDER))
            crop = pixels[row]
            if chance[0] < self.flip:
                crop = flip(crop)
                landmarks[row] = flip_points(landmarks[row], width=width)
            # What others draw is the same with and without a shift or a shrink.
            if self.shift > 0 and (own := generator(seed, _SHIFTS, step, place)).random() < self.shift:
                crop, landmarks[row] = shift(crop, landmarks[row], own)
            for draw, (name, transform) in zip(chance[1:], _IN_ORDER, strict=True):
                if draw < getattr(self, name):
                    crop = transform(crop, rng)
            if self.shrink > 0 and (own := generator(seed, _SHRINKS, step, place)).random() < self.shrink:
                crop, landmarks[row] = shrink(crop, landmarks[row], own)
            if crop is not pixels[row]:
                pixels[row] = crop
        return pixels, landmarks
