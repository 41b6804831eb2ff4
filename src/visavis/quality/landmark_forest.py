"""LandmarkForest: a forest with the contract under which its answers mean something."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError, UsageError
from visavis.io.atomic import write_output
from visavis.io.npz import read_npz
from visavis.quality.forest import Forest
from visavis.quality.landmark_geometry import Landmarks, feature_names, landmark_features, normalised, pose_proxies
from visavis.quality.landmark_layout import LandmarkLayout
from visavis.types import Status

SCHEMA = "visavis.landmark-forest 1"
REASONS = ("resolution", "pose", "out_of_frame", "low_confidence")
_MATTERS = 0.05
"""A factor is a reason when putting it right raises the quality by this much at least."""
_SCALE_COLUMNS = ("log s", "log eye distance", "log short side")
_RANGED = 3


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkQuality:
    """What a landmark forest says of faces.

    Attributes:
        quality: float32 ``(B,)`` in 0..1; NaN in failed rows.
        accept: bool ``(B,)``: good enough to send on; False in failed rows.
        reasons: Per face, which of `REASONS` keep it from being accepted.
        status: Per face, None or why it could not be judged.
    """

    quality: NDArray[np.float32]
    accept: NDArray[np.bool_]
    reasons: tuple[tuple[str, ...], ...]
    status: Status


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LandmarkForest:
    """Quality of a face from its landmarks alone: how large it is, and how far it is turned.

    It sees no blur, light or covering, and it believes the landmarks: a detector puts plausible ones on garbage.

    Attributes:
        forest: The trees.
        layout: Which landmark is which.
        groups: The groups of features, see `visavis.quality.landmark_geometry`.
        best: float32 ``(F,)``: the features of a good face, from which reasons are told.
        ranges: float64 ``(3, 2)``: least and largest log s, yaw and pitch proxy that the trees were fitted on. Trees
            cannot go beyond them: a face below the least size, or turned further, has quality 0, and a larger face
            counts as the largest.
        detectors: First 16 digits of the sha256 of the detectors whose landmarks it is for; empty for any.
        label: What the quality it was fitted on is: ``rule``, ``utility`` or a word of the caller.
        source: What it was fitted on.
        threshold: Quality from which on a face is accepted.
        confidence: The detector's confidence below which a face is not accepted, where it is known.
        head: float64 ``(K, 3)`` for the feature ``residual``; empty without.

    Raises:
        InputError: ``forest``: parts that do not fit together.
    """

    forest: Forest
    layout: LandmarkLayout
    groups: tuple[str, ...]
    best: NDArray[np.float32]
    ranges: NDArray[np.float64]
    detectors: tuple[str, ...] = ()
    label: str = "given"
    source: str = ""
    threshold: float = 0.5
    confidence: float = 0.6
    head: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        columns = len(feature_names(self.layout, self.groups))
        if self.forest.columns != columns or self.best.shape != (columns,) or self.ranges.shape != (_RANGED, 2):
            raise InputError(
                f"a landmark forest of {self.layout.name} with the features {', '.join(self.groups)} has {columns} "
                f"columns; got trees on {self.forest.columns}, a best face of {self.best.shape} and ranges "
                f"{self.ranges.shape}; take the file as it was written",
                reason="forest",
            )

    @property
    def hash(self) -> str:
        """sha256 of the trees."""
        return self.forest.hash

    def at(self, threshold: float) -> LandmarkForest:
        """The same with another threshold."""
        return replace(self, threshold=float(threshold))

    def judge(self, landmarks: Landmarks, *, detector: str | None = None) -> LandmarkQuality:
        """The quality of each face, whether it is accepted, and why not.

        ``quality`` is the forest's answer times the share of landmarks inside the picture. A face with a landmark
        outside, or less confidence than the least, is not accepted whatever its quality.

        Args:
            landmarks: The faces.
            detector: Tag or sha256 of the detector that placed the landmarks; None to vouch for them.

        Raises:
            UsageError: Another layout or detector than the forest is for, or a column that its features need is
                missing.
        """
        self._check(landmarks, detector)
        status = landmarks.status
        good = np.flatnonzero(status.ok)
        quality, accept = np.full(len(landmarks), np.nan, np.float32), np.zeros(len(landmarks), np.bool_)
        reasons: list[tuple[str, ...]] = [()] * len(landmarks)
        if len(good):
            some = landmarks[good]
            table, beyond = self._table(some)
            answer = self.forest.predict(table)
            answer[beyond.any(axis=1)] = 0
            quality[good] = answer * some.inside
            kept_out = self._kept_out(some)
            accept[good] = (quality[good] >= self.threshold) & ~kept_out.any(axis=1)
            refused = np.flatnonzero(~accept[good])
            told = self._reasons(table[refused], answer[refused], beyond[refused], kept_out[refused])
            for row, names in zip(good[refused].tolist(), told, strict=True):
                reasons[row] = names
        return LandmarkQuality(quality, accept, tuple(reasons), status)

    def fits(self, detector: str) -> bool:
        """Whether the forest is for the landmarks of a detector, by its tag or sha256."""
        return not self.detectors or detector.partition("/")[0][:16] in self.detectors

    def _check(self, landmarks: Landmarks, detector: str | None) -> None:
        if landmarks.layout != self.layout:
            raise UsageError(
                f"the forest is for landmarks in the layout {self.layout.name}; got {landmarks.layout.name}. Fit one "
                "for yours with visavis.quality.landmark_fit.fit_landmark_forest"
            )
        if detector is not None and not self.fits(detector):
            raise UsageError(
                f"the forest is for the landmarks of the detector {' or '.join(self.detectors)}; got {detector}. Fit "
                "one for yours with visavis.quality.landmark_fit.fit_landmark_forest"
            )

    def _table(self, landmarks: Landmarks) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Features, of too large faces as of the largest known; and whether size or pose lie beyond what is known."""
        table = landmark_features(landmarks, self.groups, head=self.head)
        measured = ranged(landmarks)
        low, high = self.ranges.T
        excess = np.maximum(measured[:, 0] - high[0], 0).astype(np.float32)
        table[:, self._columns(scale=True)] -= excess[:, None]
        turned = ((measured < low) | (measured > high))[:, 1:].any(axis=1)
        return table, np.column_stack([measured[:, 0] < low[0], turned])

    def _columns(self, *, scale: bool) -> NDArray[np.intp]:
        """The columns that tell of size, or those that tell of shape."""
        names = feature_names(self.layout, self.groups)
        other = {"inside", "confidence"}
        return np.flatnonzero([(name in _SCALE_COLUMNS) is scale and name not in other for name in names])

    def _kept_out(self, landmarks: Landmarks) -> NDArray[np.bool_]:
        """bool ``(B, 2)``: a landmark outside the picture; a detector that is not sure."""
        unsure = np.zeros(len(landmarks), np.bool_)
        if landmarks.confidence is not None:
            unsure = ~(landmarks.confidence >= self.confidence)
        return np.column_stack([landmarks.inside < 1, unsure])

    def _reasons(
        self,
        table: NDArray[np.float32],
        answer: NDArray[np.float32],
        beyond: NDArray[np.bool_],
        kept_out: NDArray[np.bool_],
    ) -> list[tuple[str, ...]]:
        """What would raise the quality if it were as in a good face; the larger of the two where neither does alone."""
        gains = np.empty((len(table), 2), np.float32)
        for place, scale in enumerate((True, False)):
            better, columns = table.copy(), self._columns(scale=scale)
            better[:, columns] = self.best[columns]
            gains[:, place] = self.forest.predict(better) - answer
        low = answer < self.threshold
        found = (gains >= _MATTERS) & low[:, None]
        lost = low & ~found.any(axis=1)
        found[lost, gains[lost].argmax(axis=1)] = True
        flags = np.column_stack([found | beyond, kept_out])
        return [tuple(name for name, flag in zip(REASONS, row, strict=True) if flag) for row in flags.tolist()]

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Everything as arrays, the contract as JSON in ``meta``."""
        layout = {name: getattr(self.layout, name) for name in type(self.layout).__dataclass_fields__}
        meta = {
            "schema": SCHEMA,
            "layout": layout,
            "groups": self.groups,
            "detectors": self.detectors,
            "label": self.label,
            "source": self.source,
            "threshold": self.threshold,
            "confidence": self.confidence,
            "sha256": self.hash,
        }
        text = json.dumps(meta, sort_keys=True).encode()
        arrays = {
            **self.forest.to_arrays(),
            "best": self.best,
            "ranges": self.ranges,
            "meta": np.frombuffer(text, np.uint8),
        }
        return arrays if self.head is None else {**arrays, "head": self.head}

    def save(self, path: str | Path) -> None:
        """Write an ``.npz`` file; the same forest gives the same bytes.

        Raises:
            InputError: The file cannot be written.
        """
        stream = io.BytesIO()
        np.savez_compressed(stream, **self.to_arrays())  # type: ignore[arg-type]
        write_output(Path(path), stream.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> LandmarkForest:
        """Read what `save` wrote. Nothing is unpickled.

        Raises:
            InputError: Not such a file, or a damaged one.
        """
        return cls.from_arrays(read_npz(path), origin=str(path))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, origin: str) -> LandmarkForest:
        """What `to_arrays` gave.

        Args:
            arrays: By name.
            origin: Where they come from, for messages.

        Raises:
            InputError: They are no landmark forest, or trees and hash differ.
        """
        try:
            meta = json.loads(arrays["meta"].tobytes())
            if meta["schema"] != SCHEMA:
                raise ValueError(f"schema {meta['schema']!r}")
            made = cls(
                forest=Forest.from_arrays(arrays, columns=len(arrays["best"])),
                layout=_layout(meta["layout"]),
                groups=tuple(meta["groups"]),
                best=np.asarray(arrays["best"], np.float32),
                ranges=np.asarray(arrays["ranges"], np.float64),
                detectors=tuple(meta["detectors"]),
                label=str(meta["label"]),
                source=str(meta["source"]),
                threshold=float(meta["threshold"]),
                confidence=float(meta["confidence"]),
                head=arrays.get("head"),
            )
            if made.hash != meta["sha256"]:
                raise ValueError("its trees are not those it was written with")
        except (KeyError, TypeError, ValueError, AttributeError, InputError) as error:
            raise InputError(
                f"{origin} is no {SCHEMA} file ({error}); write one with LandmarkForest.save", reason="forest"
            ) from error
        return made


def ranged(landmarks: Landmarks) -> NDArray[np.float64]:
    """Log s, yaw and pitch proxy of each face, float64 ``(B, 3)``: what has a range."""
    proxies = pose_proxies(normalised(landmarks), landmarks.layout)
    return np.column_stack([np.log(landmarks.spread), proxies[:, :2]])


def _layout(record: Mapping[str, Any]) -> LandmarkLayout:
    mirror, left, right = (tuple(int(one) for one in record[name]) for name in ("mirror", "left_eye", "right_eye"))
    nose, left_mouth, right_mouth = (int(record[name]) for name in ("nose", "left_mouth", "right_mouth"))
    return LandmarkLayout(str(record["name"]), mirror, left, right, nose, left_mouth, right_mouth)
