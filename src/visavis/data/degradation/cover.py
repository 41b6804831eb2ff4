"""A face that is partly covered."""

from __future__ import annotations

import cv2
import numpy as np

from visavis.data.degradation.operator import FacePlace, Pixels


def cover_block(pixels: Pixels, face: FacePlace, share: float, rng: np.random.Generator) -> Pixels:
    """An upright rectangle of one colour over a share of the face's box, at a random place within it.

    Args:
        pixels: uint8 RGB ``(H, W, 3)``.
        face: The face.
        share: Of the area of the box that is covered, 0..1.
        rng: What place, shape and colour are drawn from.
    """
    left, top, right, bottom = (float(value) for value in face.box)
    width, height = right - left, bottom - top
    tall = rng.uniform(max(share, 0.4), 1.0)
    wide = min(share / tall, 1.0)
    x = left + rng.uniform(0, 1 - wide) * width
    y = top + rng.uniform(0, 1 - tall) * height
    colour = [int(value) for value in rng.integers(0, 256, 3)]
    made = pixels.copy()
    corner, other = (round(x), round(y)), (round(x + wide * width), round(y + tall * height))
    cv2.rectangle(made, corner, other, colour, thickness=cv2.FILLED)
    return made


def cover_mask(pixels: Pixels, face: FacePlace, height: float, rng: np.random.Generator) -> Pixels:
    """A cloth over the lower face: a mask as it is worn, or one that has slipped.

    Its outline is drawn in the frame of the eyes and the mouth, so that it follows roll and size: from cheek to cheek,
    down to below the chin, with its upper edge at ``height``.

    Args:
        pixels: uint8 RGB ``(H, W, 3)``.
        face: The face.
        height: Of the upper edge above the mouth, in distances from mouth to eyes: 0 covers the chin and the lower lip,
            0.75 reaches the bridge of the nose.
        rng: What the colour is drawn from: white, blue or black cloth.
    """
    eyes, mouth = face.points[:2].mean(axis=0), face.points[3:].mean(axis=0)
    up = np.asarray(eyes - mouth, np.float64)
    across = np.array([-up[1], up[0]]) * 0.87  # as far as the eyes stand apart in a face that looks at the camera
    shape = np.array(
        [(-1.05, height - 0.12), (-0.5, height), (0, height + 0.08), (0.5, height), (1.05, height - 0.12),
         (0.9, -0.35), (0.4, -0.72), (0, -0.8), (-0.4, -0.72), (-0.9, -0.35)]
    )  # fmt: skip
    outline = mouth + shape[:, :1] * across + shape[:, 1:] * up
    colour = ((235, 238, 240), (120, 160, 200), (35, 35, 40))[int(rng.integers(3))]
    made = pixels.copy()
    cv2.fillPoly(made, [np.rint(outline).astype(np.int32)], colour, lineType=cv2.LINE_AA)
    return made
