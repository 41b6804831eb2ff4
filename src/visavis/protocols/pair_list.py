"""PairList: the pairs of a verification protocol, a column each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError


@dataclass(frozen=True, slots=True, eq=False)
class PairList:
    """Pairs of pictures with the truth about them.

    Attributes:
        image1: Name of the first picture of each pair, relative to the folder or archive of pictures.
        image2: Name of the second.
        same: bool ``(N,)``: True for mated pairs (one person), False for non-mated pairs.
        fold: int64 ``(N,)``: the fold of each pair, -1 for pairs outside all folds; None without folds.
        person1: Who is on the first picture.
        person2: Who is on the second.
    """

    image1: tuple[str, ...]
    image2: tuple[str, ...]
    same: NDArray[np.bool_]
    fold: NDArray[np.int64] | None
    person1: tuple[str, ...]
    person2: tuple[str, ...]

    def __post_init__(self) -> None:
        length = len(self.image1)
        for name in ("image2", "same", "fold", "person1", "person2"):
            value = getattr(self, name)
            if value is not None and len(value) != length:
                raise UsageError(f"PairList.{name} must have {length} rows, one a pair; got {len(value)}")
        object.__setattr__(self, "same", _frozen(self.same, np.bool_, "same"))
        if self.fold is not None:
            object.__setattr__(self, "fold", _frozen(self.fold, np.int64, "fold"))
        for row, (mated, one, two) in enumerate(zip(self.same.tolist(), self.person1, self.person2, strict=True)):
            if mated != (one == two):
                raise UsageError(
                    f"pair {row} is {'mated' if mated else 'non-mated'} but names the people {one!r} and {two!r}"
                )

    @property
    def images(self) -> tuple[str, ...]:
        """The distinct pictures, in order of first use: what has to be read once."""
        return tuple(dict.fromkeys(name for pair in zip(self.image1, self.image2, strict=True) for name in pair))

    @property
    def people(self) -> tuple[str, ...]:
        """The distinct people, sorted."""
        return tuple(sorted({*self.person1, *self.person2}))

    def __len__(self) -> int:
        return len(self.image1)


def _frozen(value: object, dtype: type[np.generic], name: str) -> NDArray[np.generic]:
    array = np.array(value)
    if array.ndim != 1 or (array.dtype.kind not in "biu" and array.size):
        raise UsageError(f"PairList.{name} must be one-dimensional, booleans or integers; got {array.dtype}")
    array = array.astype(dtype)
    array.setflags(write=False)
    return array
