"""What one chunk of a job gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RowFailure:
    """A row of a job that could not be done.

    Attributes:
        key: Names the row, for example the picture.
        reason: Slug for machines, as of a failed row of a batch.
        message: One line for people.
    """

    key: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """The outcome of one chunk.

    Attributes:
        result: Small facts that JSON can hold; large results go to files of the job's own.
        failures: Its rows that could not be done.
    """

    result: Mapping[str, Any] = field(default_factory=dict)
    failures: tuple[RowFailure, ...] = ()


Work = Callable[[int], ChunkResult]
"""Does the chunk of that number. It may be called twice for one chunk, and must leave the same."""
Progress = Callable[[int, int], None]
"""Called with the number of chunks done and of all."""


def in_rows(progress: Progress | None, *, chunk: int, rows: int) -> Progress | None:
    """The progress of a job told in rows, of which each chunk but the last has so many.

    Args:
        progress: Called with the number of rows done and of all; None tells nobody.
        chunk: Rows of a chunk.
        rows: Of all chunks.
    """
    return None if progress is None else lambda done, _: progress(min(done * chunk, rows), rows)
