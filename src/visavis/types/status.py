"""Why a row of a batch has no answer: the status column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import VisavisError
from visavis.types._arrays import rows


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason a row failed.

    Attributes:
        reason: Slug for machines: ``no-face``, ``unreadable.truncated`` ...
        message: One line for people.
    """

    reason: str
    message: str

    @classmethod
    def of(cls, error: VisavisError) -> Failure:
        """The failure that stands for an error in a batch."""
        return cls(error.reason, error.message)


@dataclass(frozen=True, slots=True, eq=True)
class Status:
    """One entry a row: ``None`` where the row is good, a `Failure` where it is not."""

    failures: tuple[Failure | None, ...]

    @classmethod
    def good(cls, length: int) -> Status:
        """All rows good."""
        return cls((None,) * length)

    @classmethod
    def concat(cls, parts: Sequence[Status]) -> Status:
        """The parts one after the other."""
        return cls(tuple(failure for part in parts for failure in part.failures))

    @property
    def ok(self) -> NDArray[np.bool_]:
        """bool ``(N,)``: True where the row is good."""
        return np.array([failure is None for failure in self.failures], dtype=np.bool_)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The slug of each row; the empty string where the row is good."""
        return tuple("" if failure is None else failure.reason for failure in self.failures)

    def __len__(self) -> int:
        return len(self.failures)

    def __iter__(self) -> Iterator[Failure | None]:
        return iter(self.failures)

    def __getitem__(self, index: Any) -> Status:
        return Status(tuple(self.failures[row] for row in rows(index, len(self))))
