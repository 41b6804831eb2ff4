"""The landmark forest on simulated heads: which features tell good from bad, and the graded quality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.quality.landmark_fit import fit_landmark_forest
from visavis.quality.landmark_geometry import Landmarks, landmark_features
from visavis.quality.landmark_labels import rule_quality
from visavis.quality.landmark_layout import FIVE
from visavis.quality.simulated_heads import SimulatedHeads, simulate_heads

SHAPE = np.array(
    [[-0.5, -0.35, 0.0], [0.5, -0.35, 0.0], [0.0, 0.05, 0.6], [-0.38, 0.5, 0.05], [0.38, 0.5, 0.05]], np.float64
)
"""The fact sheet's head, in distances between the eyes; x to the right, y down, z towards the camera."""
ARMS = {
    "default": ("shape", "scale", "pose"),
    "without scale": ("shape", "pose"),
    "box": ("box-shape",),
    "box and scale": ("box-shape", "scale"),
}
"""By arm, the groups of features; the box is the bounding box of the landmarks."""


@dataclass(frozen=True, slots=True)
class Heads:
    """Size of the task.

    Attributes:
        train: Heads to fit on.
        test: Heads to report on.
        trees: Trees of a forest.
    """

    train: int = 4000
    test: int = 2000
    trees: int = 100


QUICK = Heads()
"""The fact sheet's."""


@dataclass(frozen=True, slots=True)
class SimulatedResult:
    """What the arms reach on heads they were not fitted on.

    Attributes:
        accuracy: By arm, share of heads whose label the forest gives, thresholded at one half.
        determined: By arm, R2 of the graded quality.
        mirrored: Mean and largest difference of the quality of a head and its mirror image, default features.
        majority: Share of the commoner label.
    """

    accuracy: dict[str, float]
    determined: dict[str, float]
    mirrored: tuple[float, float]
    majority: float


def simulate(setting: Heads, seed: int) -> SimulatedResult:
    """Fit and judge all arms on the same heads."""
    rng = np.random.default_rng(seed)
    train, test = (simulate_heads(SHAPE, count, rng=rng) for count in (setting.train, setting.test))
    seen = Landmarks(FIVE, test.points)
    good, graded = _good(test), _graded(test)
    accuracy, determined = {}, {}
    mirrored = (float("nan"), float("nan"))
    for arm, groups in ARMS.items():
        table = landmark_features(seen, groups)
        answers = [
            fit_landmark_forest(train.points, target, groups=groups, trees=setting.trees, seed=seed).forest
            for target in (_good(train), _graded(train))
        ]
        accuracy[arm] = float(((answers[0].predict(table) >= 0.5) == (good > 0.5)).mean())
        told = answers[1].predict(table).astype(np.float64)
        determined[arm] = 1 - float(np.square(told - graded).sum() / np.square(graded - graded.mean()).sum())
        if arm == "default":
            apart = np.abs(answers[1].predict(landmark_features(seen.mirrored(), groups)) - told)
            mirrored = float(apart.mean()), float(apart.max())
    return SimulatedResult(accuracy, determined, mirrored, float(max(good.mean(), 1 - good.mean())))


def _good(heads: SimulatedHeads) -> NDArray[np.float64]:
    """Turned by less than 30 degrees aside and 20 up or down, with more than 24 pixels between the eyes."""
    turned = (np.abs(heads.yaw) < np.radians(30)) & (np.abs(heads.pitch) < np.radians(20))
    return np.asarray(turned & (heads.eye_distance > 24), np.float64)


def _graded(heads: SimulatedHeads) -> NDArray[np.float64]:
    return rule_quality(heads.yaw, heads.pitch, heads.eye_distance)
