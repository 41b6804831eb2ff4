"""Templates as bytes: four a value, or one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.gallery.info import Storage
from visavis.types.codes import dequantise, quantise

_UNIT_TOLERANCE = 1e-3
_VALUES: dict[str, np.dtype[Any]] = {"float32": np.dtype("<f4"), "int8": np.dtype("i1")}


def encode(vectors: NDArray[np.float32], storage: Storage) -> list[bytes]:
    """Bytes of each template.

    Args:
        vectors: float32 ``(N, D)``, unit norm.
        storage: ``float32`` keeps them as they are; ``int8`` keeps codes, see `visavis.types.codes.quantise`.
    """
    if not len(vectors):
        return []
    stored = quantise(vectors) if storage == "int8" else vectors.astype(_VALUES[storage])
    return [row.tobytes() for row in stored]


def decode(data: Sequence[bytes], storage: Storage, dimension: int) -> NDArray[np.float32]:
    """Templates of bytes, float32 ``(N, D)``, unit norm; a row whose length is wrong becomes NaN."""
    width = byte_length(storage, dimension)
    whole = [row if len(row) == width else None for row in data]
    joined = b"".join(bytes(width) if row is None else row for row in whole)
    values = np.frombuffer(joined, _VALUES[storage]).reshape(len(data), dimension)
    vectors = dequantise(values) if storage == "int8" and len(data) else values.astype(np.float32)
    vectors[[row is None for row in whole]] = np.nan
    return vectors


def byte_length(storage: Storage, dimension: int) -> int:
    """Bytes of one template."""
    return int(_VALUES[storage].itemsize) * dimension


def check_vectors(vectors: Sequence[NDArray[np.float32]], dimension: int) -> NDArray[np.float32]:
    """Vectors as rows of one array, each finite and of unit norm.

    Returns:
        float32 ``(N, D)``.

    Raises:
        UsageError: Names the first that is not.
    """
    rows = [np.asarray(vector) for vector in vectors]
    for row, vector in enumerate(rows):
        if vector.shape != (dimension,) or vector.dtype.kind != "f":
            raise UsageError(
                f"sample {row} has a vector of {vector.dtype} {vector.shape}; this gallery takes floats ({dimension},)"
            )
    stacked = np.array(rows, np.float32).reshape(len(rows), dimension)
    wrong = ~(np.abs(np.linalg.norm(stacked, axis=1) - 1) < _UNIT_TOLERANCE)
    if wrong.any():
        raise UsageError(
            f"the vector of sample {int(np.argmax(wrong))} is not of unit norm, or not finite; leave failed faces out, "
            "divide others by their norm"
        )
    return stacked
