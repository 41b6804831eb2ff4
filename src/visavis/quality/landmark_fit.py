"""Fit a landmark forest: on simulated heads, or on the landmarks of pictures whose quality is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis._require import require
from visavis.errors import InputError, UsageError
from visavis.quality.forest import Forest
from visavis.quality.landmark_forest import LandmarkForest, ranged
from visavis.quality.landmark_geometry import DEFAULT_GROUPS, Landmarks, landmark_features
from visavis.quality.landmark_layout import LandmarkLayout, layout_of

_GOOD = 0.9
"""The features of a good face are the medians over the faces whose quality is at least this quantile."""


def fit_landmark_forest(
    points: ArrayLike,
    quality: ArrayLike,
    *,
    layout: LandmarkLayout | None = None,
    boxes: ArrayLike | None = None,
    confidence: ArrayLike | None = None,
    sizes: ArrayLike | None = None,
    groups: Sequence[str] = DEFAULT_GROUPS,
    head: ArrayLike | None = None,
    detectors: Sequence[str] = (),
    label: str = "given",
    source: str = "",
    trees: int = 100,
    least: int = 2,
    mirror: bool = True,
    seed: int = 0,
) -> LandmarkForest:
    """Fit a forest to landmarks and qualities.

    Bootstrap, squared error, all features at every split, no limit of depth (Breiman 2001; scikit-learn's
    ``RandomForestRegressor``). The same data, seed and version of scikit-learn give the same trees.

    Args:
        points: ``(B, K, 2)``, pixels.
        quality: ``(B,)`` in 0..1, of `visavis.quality.landmark_labels` or your own.
        layout: Which landmark is which; the known one of K landmarks when None.
        boxes: ``(B, 4)`` xyxy, for the features ``box`` and ``box-shape``.
        confidence: ``(B,)``, for the feature ``confidence``.
        sizes: ``(B, 2)`` width and height of each picture, for the feature ``frame``.
        groups: The groups of features, see `visavis.quality.landmark_geometry.landmark_features`.
        head: ``(K, 3)``, for the feature ``residual``.
        detectors: sha256 of the detectors whose landmarks these are, or their first 16 digits; empty for any.
        label: What the quality is: ``rule``, ``utility``.
        source: What the faces are.
        trees: Number of trees.
        least: Least number of faces in a leaf.
        mirror: Fit on the mirror image of each face as well.
        seed: Of the bootstrap.

    Raises:
        UsageError: Other lengths, a quality outside 0..1, an unknown group or one whose column is missing.
        InputError: ``landmarks``: a face that cannot be judged; the message says which.
        DependencyError: scikit-learn is not installed.
    """
    ensemble = require("sklearn.ensemble", extra="cluster", why="fitting a landmark forest")
    faces = _faces(points, layout, boxes, confidence, sizes)
    target = _target(quality, len(faces))
    shape = None if head is None else np.asarray(head, np.float64)
    table = landmark_features(faces, groups, head=shape)
    best = np.median(table[target >= np.quantile(target, _GOOD)], axis=0).astype(np.float32)
    measured = ranged(faces)
    rows, wanted = table, target
    if mirror:
        other = faces.mirrored()
        measured = np.concatenate([measured, ranged(other)])
        rows, wanted = np.concatenate([table, landmark_features(other, groups, head=shape)]), np.tile(target, 2)
    fitted = ensemble.RandomForestRegressor(
        n_estimators=trees, min_samples_leaf=least, max_features=1.0, bootstrap=True, random_state=seed
    ).fit(rows, wanted)
    return LandmarkForest(
        forest=Forest.from_sklearn(fitted),
        layout=faces.layout,
        groups=tuple(groups),
        best=best,
        ranges=np.stack([measured.min(axis=0), measured.max(axis=0)], axis=1),
        detectors=tuple(name[:16] for name in detectors),
        label=label,
        source=source,
        head=shape,
    )


def _faces(points: ArrayLike, layout: LandmarkLayout | None, *columns: Any) -> Landmarks:
    found = np.asarray(points, np.float64)
    if found.ndim != 3:
        raise UsageError(f"landmarks are (B, K, 2) pixels; got {found.shape}")
    boxes, confidence, sizes = (None if one is None else np.asarray(one, np.float64) for one in columns)
    faces = Landmarks(layout or layout_of(found.shape[1]), found, boxes, confidence, sizes)
    for row, failure in enumerate(faces.status):
        if failure is not None:
            raise InputError(f"face {row} cannot be fitted on: {failure.message}; leave it out", reason=failure.reason)
    return faces


def _target(quality: ArrayLike, count: int) -> NDArray[np.float64]:
    target = np.asarray(quality, np.float64)
    if target.shape != (count,) or count < 2:
        raise UsageError(f"one quality for each of 2 or more faces is needed; got {target.shape} for {count} faces")
    if not ((target >= 0) & (target <= 1)).all():
        raise UsageError("a quality lies in 0..1; scale yours first")
    return target
