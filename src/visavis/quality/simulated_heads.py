"""Landmarks of simulated heads: a 3-D shape turned, scaled, seen from far away, and found with some error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedHeads:
    """Faces whose pose and size are known.

    Attributes:
        points: float64 ``(N, K, 2)``, pixels about the middle of the head.
        yaw: float64 ``(N,)``, radians.
        pitch: Radians.
        roll: Radians.
        eye_distance: Pixels between the eyes if the head looked at the camera.
    """

    points: _Float
    yaw: _Float
    pitch: _Float
    roll: _Float
    eye_distance: _Float


def rotations(yaw: _Float, pitch: _Float, roll: _Float) -> _Float:
    """``Rz(roll) Rx(pitch) Ry(yaw)``, float64 ``(N, 3, 3)``; x to the right, y down, z towards the camera."""
    ca, sa, cb, sb, cc, sc = (f(angle) for angle in (yaw, pitch, roll) for f in (np.cos, np.sin))
    one, nil = np.ones_like(ca), np.zeros_like(ca)
    about_y = _matrices([[ca, nil, sa], [nil, one, nil], [-sa, nil, ca]])
    about_x = _matrices([[one, nil, nil], [nil, cb, -sb], [nil, sb, cb]])
    about_z = _matrices([[cc, -sc, nil], [sc, cc, nil], [nil, nil, one]])
    turned: _Float = about_z @ about_x @ about_y
    return turned


def _matrices(rows: list[list[_Float]]) -> _Float:
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def simulate_heads(
    head: NDArray[np.floating],
    count: int,
    *,
    rng: np.random.Generator,
    yaw: float = np.radians(70.0),
    pitch: float = np.radians(40.0),
    roll: float = np.radians(30.0),
    eye_distance: tuple[float, float] = (8.0, 120.0),
    shape_noise: float = 0.04,
    point_noise: float = 0.6,
) -> SimulatedHeads:
    """Draw heads: angles evenly between plus and minus their limits, sizes evenly in their logarithm.

    Args:
        head: ``(K, 3)``: the mean shape, in distances between the eyes, x to the right, y down, z to the camera.
        count: Number of heads.
        rng: Where the draws come from.
        yaw: Largest yaw, radians.
        pitch: Largest pitch, radians.
        roll: Largest roll, radians.
        eye_distance: Least and largest distance between the eyes, pixels.
        shape_noise: Standard deviation of each coordinate of each head's shape, in distances between the eyes.
        point_noise: Standard deviation of what a detector errs, pixels in x and in y.
    """
    aside, up, leaning = (rng.uniform(-limit, limit, count) for limit in (yaw, pitch, roll))
    smallest, largest = np.log(eye_distance).tolist()
    distance = np.exp(rng.uniform(smallest, largest, count))
    shapes = np.asarray(head, np.float64) + rng.normal(0, shape_noise, (count, len(head), 3))
    seen = np.einsum("nij,nkj->nki", rotations(aside, up, leaning), shapes)[..., :2] * distance[:, None, None]
    points = seen + rng.normal(0, point_noise, seen.shape)
    return SimulatedHeads(points, aside, up, leaning, distance)
