"""Templates: what a recogniser makes of faces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.types._arrays import column, rows
from visavis.types.provenance import Provenance
from visavis.types.space import TemplateSpace
from visavis.types.status import Status

_UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Templates:
    """Unit vectors, a row per face; failed rows are NaN and compare as NaN, never as a match.

    Attributes:
        vectors: float32 ``(N, D)``, unit norm.
        norms: float32 ``(N,)``: norm of the raw embedding.
        status: Per row, None or the reason it failed.
        quality: float32 ``(N,)`` in 0..100, NaN where it was not assessed.
        space: What the vectors may be compared with.
        made_by: Engine, precision and versions.
    """

    vectors: NDArray[np.float32]
    norms: NDArray[np.float32]
    status: Status
    quality: NDArray[np.float32]
    space: TemplateSpace
    made_by: Provenance

    def __post_init__(self) -> None:
        vectors = column(self.vectors, "Templates.vectors", (None, self.space.dimension))
        length = len(vectors)
        if len(self.status) != length:
            raise UsageError(f"Templates.status must have {length} rows; got {len(self.status)}")
        failed = ~self.status.ok
        if failed.any() and not np.isnan(vectors[failed]).all():
            # Whatever a failed row held, it must not compare as a match.
            vectors = vectors.copy()
            vectors[failed] = np.nan
            vectors.setflags(write=False)
        object.__setattr__(self, "vectors", vectors)
        object.__setattr__(self, "norms", column(self.norms, "Templates.norms", (length,)))
        object.__setattr__(self, "quality", column(self.quality, "Templates.quality", (length,)))
        lengths = np.linalg.norm(vectors[self.status.ok], axis=1)
        if not (np.abs(lengths - 1) < _UNIT_TOLERANCE).all():
            raise UsageError("a template that did not fail must be finite and have unit norm; divide by its norm first")

    @classmethod
    def concat(cls, parts: Sequence[Templates]) -> Templates:
        """The parts one after the other.

        Raises:
            UsageError: No parts.
            SpaceError: The parts are of different spaces.
        """
        if not parts:
            raise UsageError("Templates.concat needs at least one part")
        for part in parts[1:]:
            parts[0].space.require_same(part.space)
        return cls(
            np.concatenate([part.vectors for part in parts]),
            np.concatenate([part.norms for part in parts]),
            Status.concat([part.status for part in parts]),
            np.concatenate([part.quality for part in parts]),
            parts[0].space,
            parts[0].made_by,
        )

    @property
    def ok(self) -> NDArray[np.bool_]:
        """bool ``(N,)``: True where there is a template."""
        return self.status.ok

    def __len__(self) -> int:
        return len(self.vectors)

    def __iter__(self) -> Iterator[Templates]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, index: Any) -> Templates:
        keep = rows(index, len(self))
        return Templates(
            self.vectors[keep], self.norms[keep], self.status[keep], self.quality[keep], self.space, self.made_by
        )


def require_comparable(left: Templates, right: Templates) -> None:
    """Refuse to compare templates of two spaces.

    Raises:
        SpaceError: Names the fields in which the spaces differ.
    """
    left.space.require_comparable(right.space)
