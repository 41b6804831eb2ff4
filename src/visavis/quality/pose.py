"""Pose: how far the head is turned away, from the five points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visavis.quality.column import quality_column
from visavis.quality.scale import Scale
from visavis.types import FaceContext, Quality

_EYE, _NOSE, _MOUTH = (0.5, 0.0, 0.0), (0.0, 0.620, 135 / 330), (0.418, 1.071, 10 / 330)
"""Right eye, nose tip and right mouth corner as seen; x to the right, y down, z towards the camera, in distances
between the eyes. x and y are medians over 2,578 pictures of CelebA people of role ``train`` with the default detector,
so that a face that looks at the camera has no pitch. z is that of the generic head that is common in head-pose
examples: nose tip 0, eye corners -135, mouth corners -125, outer eye corners 450 apart, hence about 330 between the
pupils."""


def _head() -> NDArray[np.float64]:
    mirror = np.array([-1.0, 1.0, 1.0])
    eye, nose, mouth = np.array(_EYE), np.array(_NOSE), np.array(_MOUTH)
    head = np.stack([eye * mirror, eye, nose, mouth * mirror, mouth])
    return np.asarray(head - head.mean(axis=0))


HEAD = _head()
"""float64 ``(5, 3)``, zero mean: the five points of a generic head that looks at the camera."""

_POOR = 50.0
"""Told from 52 degrees on: near the profile the estimate falls short."""
_TO_CAMERA = np.linalg.pinv(HEAD)


def pose_angles(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Yaw, pitch and roll of heads whose five points were found in a picture.

    The least-squares affine camera from a generic head to the points, then the nearest rotation with scale
    (DeMenthon and Davis 1995, POS without its iterations, with the polar factor in place of a cross product). Five
    points say little, and near the profile the estimate falls short: on CFP (people of role ``test``, looked at for
    this sentence only) the median angle out of the plane is 0.13 radians on frontal pictures and 1.05 on profiles.

    Args:
        points: ``(N, 5, 2)``, pixels.

    Returns:
        float64 ``(N, 3)``, radians: the head is pitched, then yawed, then rolled. Yaw is positive when the nose points
        to the right of the picture, pitch when it points down, roll when the head is turned clockwise as seen. NaN for
        points that are not finite, or coincide.
    """
    flat = np.asarray(points, np.float64).reshape(-1, 5, 2)
    angles = np.full((len(flat), 3), np.nan)
    good = np.isfinite(flat).all(axis=(1, 2))
    centred = flat[good] - flat[good].mean(axis=1, keepdims=True)
    camera = np.swapaxes(_TO_CAMERA @ centred, 1, 2)
    left, size, right = np.linalg.svd(camera, full_matrices=False)
    first, second = np.swapaxes(left @ right, 0, 1)
    third = np.cross(first, second)
    found = np.column_stack(
        [
            np.arctan2(-third[:, 0], np.hypot(first[:, 0], second[:, 0])),
            np.arctan2(-third[:, 1], third[:, 2]),
            np.arctan2(second[:, 0], first[:, 0]),
        ]
    )
    found[size[:, 1] <= 1e-9 * np.maximum(size[:, 0], 1e-300)] = np.nan
    angles[good] = found
    return angles


def out_of_plane(angles: NDArray[np.floating]) -> NDArray[np.float64]:
    """The angle between the direction of the face and the camera; roll, which alignment undoes, does not count.

    Args:
        angles: ``(N, 3)`` of `pose_angles`.

    Returns:
        float64 ``(N,)``, radians in 0..pi.
    """
    yaw, pitch = np.asarray(angles, np.float64)[:, 0], np.asarray(angles, np.float64)[:, 1]
    turned: NDArray[np.float64] = np.arccos(np.clip(np.cos(yaw) * np.cos(pitch), -1, 1))
    return turned


def angles_of(context: FaceContext) -> NDArray[np.float64]:
    """`pose_angles` of the faces of a context, made once: float64 ``(N, 3)``, radians."""
    return context.once("pose_angles", lambda some: pose_angles(some.faces.points))


class PoseScorer:
    """Measure ``pose``: the angle between the direction of the face and the camera, radians; lower is better.

    Points that fall together say nothing of the head and count as a profile.
    """

    scale = Scale(
        np.pi / 2,
        np.pi / 12,
        "no people: a profile shows half a face and scores 0; up to 15 degrees, within the error of five points, is "
        "frontal",
    )

    def assess(self, context: FaceContext) -> Quality:
        """One angle a face."""
        angles = angles_of(context)
        turned = out_of_plane(angles)
        turned[np.isnan(turned)] = np.pi / 2

        def reason(row: int, _: float) -> str:
            yaw, pitch = np.degrees(np.abs(angles[row, :2]))
            if np.isnan(yaw):
                return "the five points of the face fall together"
            parts = [f"about {yaw:.0f} degrees to the side"] if yaw >= 15 else []
            parts += [f"about {pitch:.0f} degrees up or down"] if pitch >= 15 else []
            return f"the head is turned {' and '.join(parts)}"

        return quality_column("pose", turned, self.scale, context.status, unit="radians", poor=_POOR, reason=reason)
