"""How well groups of faces are the people: pairwise and BCubed precision and recall, and shared information.

Every function takes the true person and the found group of each face as whole numbers; which number stands for whom
does not matter. A group -1, of faces that failed, is a group like any other here: leave them out. Sums are over the
table of people against groups, so that a million faces take no matrix of pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError


@dataclass(frozen=True, slots=True)
class Agreement:
    """Precision, recall and their harmonic mean, each in 0..1, or NaN where it is undefined.

    Attributes:
        precision: Of what is together in a group, the share that is of one person.
        recall: Of what is of one person, the share that is together in a group.
    """

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """``2 P R / (P + R)``; 0 where both are 0, NaN where one is undefined."""
        total = self.precision + self.recall
        return 0.0 if total == 0 else 2 * self.precision * self.recall / total


def pairwise_agreement(people: ArrayLike, groups: ArrayLike) -> Agreement:
    """Agreement over pairs of faces: is a pair of one group of one person, and the other way round?

    Precision is undefined where no two faces are in one group, recall where no two are of one person.

    Args:
        people: Whole numbers ``(N,)``.
        groups: Whole numbers ``(N,)``.

    Raises:
        UsageError: Empty, not whole numbers, or of two lengths.

    Example:
        >>> pairwise_agreement([0, 0, 1, 1], [5, 5, 5, 6])
        Agreement(precision=0.3333333333333333, recall=0.5)
    """
    table = _Table.of(people, groups)
    together, of_one, of_group = (_pairs(count).sum() for count in (table.cells, table.people, table.groups))
    return Agreement(_share(together, of_group), _share(together, of_one))


def bcubed_agreement(people: ArrayLike, groups: ArrayLike) -> Agreement:
    """Agreement over faces (Bagga and Baldwin 1998): the mean of what each face finds in its group, itself included.

    Defined for every face, so that people with one picture count too.

    Args:
        people: Whole numbers ``(N,)``.
        groups: Whole numbers ``(N,)``.

    Raises:
        UsageError: Empty, not whole numbers, or of two lengths.

    Example:
        >>> bcubed_agreement([0, 0, 1, 1], [5, 5, 5, 6]).recall
        0.75
    """
    table = _Table.of(people, groups)
    squares = table.cells.astype(np.float64) ** 2
    faces = float(table.cells.sum())
    return Agreement(
        float((squares / table.groups[table.group_of]).sum() / faces),
        float((squares / table.people[table.person_of]).sum() / faces),
    )


def mutual_information(people: ArrayLike, groups: ArrayLike) -> float:
    """Normalised mutual information: ``2 I(people; groups) / (H(people) + H(groups))``, in 0..1.

    It is high for many small groups, whatever they hold; look at `bcubed_agreement` first. Where all faces are of one
    person and in one group it is 1.

    Args:
        people: Whole numbers ``(N,)``.
        groups: Whole numbers ``(N,)``.

    Raises:
        UsageError: Empty, not whole numbers, or of two lengths.
    """
    table = _Table.of(people, groups)
    faces = table.cells.sum()
    joint = table.cells / faces
    expected = table.people[table.person_of] * table.groups[table.group_of] / float(faces) ** 2
    entropy = _entropy(table.people / faces) + _entropy(table.groups / faces)
    if entropy == 0:
        return 1.0
    return float(np.clip(2 * (joint * np.log(joint / expected)).sum() / entropy, 0.0, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """The cells of people against groups that are not empty.

    Attributes:
        cells: Faces in each.
        person_of: Row of each cell.
        group_of: Column of each cell.
        people: Faces of each person.
        groups: Faces of each group.
    """

    cells: NDArray[np.int64]
    person_of: NDArray[np.int64]
    group_of: NDArray[np.int64]
    people: NDArray[np.int64]
    groups: NDArray[np.int64]

    @classmethod
    def of(cls, people: ArrayLike, groups: ArrayLike) -> _Table:
        rows, columns = _numbers(people, "people"), _numbers(groups, "groups")
        if len(rows) != len(columns):
            raise UsageError(f"each face has a person and a group; got {len(rows)} people and {len(columns)} groups")
        width = int(columns.max()) + 1
        places, cells = np.unique(rows * width + columns, return_counts=True)
        return cls(cells.astype(np.int64), places // width, places % width, np.bincount(rows), np.bincount(columns))


def _numbers(values: ArrayLike, name: str) -> NDArray[np.int64]:
    """The values as 0, 1, 2 ..."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu" or array.ndim != 1 or not array.size:
        raise UsageError(
            f"{name} must be a non-empty one-dimensional array of whole numbers; got {array.dtype} {array.shape}"
        )
    return np.unique(array, return_inverse=True)[1].astype(np.int64)


def _pairs(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return counts * (counts - 1) // 2


def _share(part: np.int64, whole: np.int64) -> float:
    return float(part / whole) if whole else float("nan")


def _entropy(shares: NDArray[np.float64]) -> float:
    return float(-(shares * np.log(shares)).sum())
