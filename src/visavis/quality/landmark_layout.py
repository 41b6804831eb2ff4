"""Landmark layouts: which number is which point of the face, and what becomes of it in a mirror."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError


@dataclass(frozen=True, slots=True)
class LandmarkLayout:
    """The order of K landmarks. Left and right are as seen in the picture.

    Attributes:
        name: For messages and files.
        mirror: By landmark, the number that it has in the mirror image; K numbers.
        left_eye: The landmarks whose mean is the left eye.
        right_eye: Those of the right eye.
        nose: The tip of the nose.
        left_mouth: The left corner of the mouth.
        right_mouth: The right corner.

    Raises:
        UsageError: The table is no mirror table, or does not carry the left side to the right one.
    """

    name: str
    mirror: tuple[int, ...]
    left_eye: tuple[int, ...]
    right_eye: tuple[int, ...]
    nose: int
    left_mouth: int
    right_mouth: int

    def __post_init__(self) -> None:
        table = np.array(self.mirror)
        if sorted(self.mirror) != list(range(len(table))) or (table[table] != np.arange(len(table))).any():
            raise UsageError(f"the mirror table of {self.name} must send every landmark to one other and back")
        named = (*self.left_eye, *self.right_eye, self.nose, self.left_mouth, self.right_mouth)
        if not (self.left_eye and self.right_eye) or min(named) < 0 or max(named) >= len(table):
            raise UsageError(f"{self.name} has landmarks 0..{len(table) - 1}; got {named}")
        eyes = {self.mirror[one] for one in self.left_eye} == set(self.right_eye)
        if not eyes or self.mirror[self.left_mouth] != self.right_mouth or self.mirror[self.nose] != self.nose:
            raise UsageError(f"the mirror table of {self.name} must carry left eye and mouth corner to the right ones")

    @property
    def count(self) -> int:
        """K, the number of landmarks."""
        return len(self.mirror)

    def check(self, points: ArrayLike) -> NDArray[np.float64]:
        """The points as float64 ``(B, K, 2)``.

        Raises:
            UsageError: Another shape, or another number of landmarks.
        """
        found = np.asarray(points, np.float64)
        if found.ndim != 3 or found.shape[1:] != (self.count, 2):
            raise UsageError(
                f"landmarks in the layout {self.name} are (B, {self.count}, 2) pixels; got {found.shape}. A forest is "
                "of one layout: fit one for yours with visavis.quality.landmark_fit.fit_landmark_forest"
            )
        return found

    def anchors(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Left eye, right eye, nose, left and right mouth corner, float64 ``(B, 5, 2)``."""
        at = np.asarray(points, np.float64)
        eyes = [at[:, list(which)].mean(axis=1) for which in (self.left_eye, self.right_eye)]
        return np.stack([*eyes, at[:, self.nose], at[:, self.left_mouth], at[:, self.right_mouth]], axis=1)

    def mirrored(self, points: NDArray[np.floating], *, width: float = 0.0) -> NDArray[np.float64]:
        """The landmarks of the mirror image, in their order, float64 ``(B, K, 2)``.

        Args:
            points: ``(B, K, 2)``.
            width: Of the picture; 0 mirrors about the left edge.
        """
        turned = np.array(points, np.float64)[:, list(self.mirror)]
        turned[..., 0] = width - turned[..., 0]
        return turned


def _mirror(count: int, *pairs: tuple[int, int]) -> tuple[int, ...]:
    """A table from pairs; landmarks in none of them lie in the middle."""
    table = list(range(count))
    for one, other in pairs:
        table[one], table[other] = other, one
    return tuple(table)


def _sums(total: int, first: int, last: int) -> list[tuple[int, int]]:
    """The pairs of the numbers first..last whose sum is total."""
    return [(one, total - one) for one in range(first, last + 1) if one < total - one]


def _across(left: Sequence[int], right: Sequence[int]) -> list[tuple[int, int]]:
    return list(zip(left, right, strict=True))


_MIDDLE_468 = (0, 1, 2, *range(4, 7), *range(8, 20), 94, 151, 152, 164, 168, 175, 195, 197, 199, 200)
"""In the canonical face of MediaPipe the landmarks off the middle are numbered on one side first, 3..247, then in the
same order on the other, 248..467."""

FIVE = LandmarkLayout("five-point", (1, 0, 2, 4, 3), (0,), (1,), 2, 3, 4)
"""Eyes, nose, mouth corners: YuNet, SCRFD, RetinaFace, MTCNN."""
IBUG_68 = LandmarkLayout(
    "ibug-68",
    _mirror(
        68,
        *_sums(16, 0, 16),
        *_sums(43, 17, 26),
        *_sums(66, 31, 35),
        *_across((36, 37, 38, 39, 40, 41), (45, 44, 43, 42, 47, 46)),
        *_sums(102, 48, 54),
        *_sums(114, 55, 59),
        *_sums(124, 60, 64),
        *_sums(132, 65, 67),
    ),
    tuple(range(36, 42)),
    tuple(range(42, 48)),
    30,
    48,
    54,
)
"""iBUG 300-W, dlib and FAN."""
WFLW_98 = LandmarkLayout(
    "wflw-98",
    _mirror(
        98,
        *_sums(32, 0, 32),
        *_across((33, 34, 35, 36, 37, 38, 39, 40, 41), (46, 45, 44, 43, 42, 50, 49, 48, 47)),
        *_sums(114, 55, 59),
        *_across((60, 61, 62, 63, 64, 65, 66, 67), (72, 71, 70, 69, 68, 75, 74, 73)),
        *_sums(158, 76, 82),
        *_sums(170, 83, 87),
        *_sums(180, 88, 92),
        *_sums(188, 93, 95),
        (96, 97),
    ),
    tuple(range(60, 68)),
    tuple(range(68, 76)),
    54,
    76,
    82,
)
"""WFLW (Wu et al. 2018) and PFLD."""
INSIGHTFACE_106 = LandmarkLayout(
    "insightface-106",
    _mirror(
        106,
        *((one, one + 16) for one in range(1, 17)),
        *_across((35, 36, 33, 37, 39, 42, 40, 41, 34, 38), (93, 91, 87, 90, 89, 95, 94, 96, 88, 92)),
        *_across((43, 44, 45, 47, 46, 50, 51, 49, 48), (101, 100, 99, 98, 97, 102, 103, 104, 105)),
        *_across((75, 76, 77, 78, 79), (81, 82, 83, 84, 85)),
        *_across((52, 55, 56, 63, 64, 65, 54, 66), (61, 58, 59, 67, 68, 69, 57, 70)),
    ),
    (33, 35, 36, 37, 39, 40, 41, 42),
    (87, 89, 90, 91, 93, 94, 95, 96),
    86,
    52,
    61,
)
"""InsightFace's 2d106det; other networks with 106 landmarks have another order."""
MEDIAPIPE_468 = LandmarkLayout(
    "mediapipe-468",
    _mirror(468, *_across(sorted(set(range(248)) - set(_MIDDLE_468)), range(248, 468))),
    (33, 133),
    (263, 362),
    1,
    61,
    291,
)
"""MediaPipe's face mesh, without the irises."""

LAYOUTS: Mapping[int, LandmarkLayout] = MappingProxyType(
    {layout.count: layout for layout in (FIVE, IBUG_68, WFLW_98, INSIGHTFACE_106, MEDIAPIPE_468)}
)
"""By number of landmarks."""


def layout_of(count: int) -> LandmarkLayout:
    """The known layout of that many landmarks.

    Raises:
        UsageError: None is known.
    """
    if count not in LAYOUTS:
        raise UsageError(
            f"no layout of {count} landmarks is known, only of {', '.join(map(str, LAYOUTS))}; make a LandmarkLayout"
        )
    return LAYOUTS[count]
