"""The files of an exported gallery as rows: their columns, and the way there and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.gallery.exchange.manifest import CORRECTIONS, CROPS, EVENTS, PEOPLE, SAMPLES, refused
from visavis.gallery.exchange.parquet import arrow, values_of

Row = dict[str, Any]
_TEXT, _WHOLE, _NUMBER, _MOMENT, _BYTES = "string", "int64", "float64", "moment", "binary"
_COLUMNS: Mapping[str, Mapping[str, str]] = {
    PEOPLE: {
        "key": _WHOLE,
        "person": _TEXT,
        "name": _TEXT,
        "metadata": _TEXT,
        "consent_basis": _TEXT,
        "consent_given": _MOMENT,
        "consent_withdrawn": _MOMENT,
        "expires": _MOMENT,
        "created": _MOMENT,
    },
    SAMPLES: {
        "id": _WHOLE,
        "person": _WHOLE,
        "sha256": _TEXT,
        "source": _TEXT,
        "left": _NUMBER,
        "top": _NUMBER,
        "right": _NUMBER,
        "bottom": _NUMBER,
        "score": _NUMBER,
        "quality": _NUMBER,
        "norm": _NUMBER,
        "created": _MOMENT,
    },
    CROPS: {"sample": _WHOLE, "template": _TEXT, "png": _BYTES},
    CORRECTIONS: {
        "when": _MOMENT,
        "who": _TEXT,
        "what": _TEXT,
        "sample": _WHOLE,
        "source": _TEXT,
        "target": _TEXT,
        "reason": _TEXT,
    },
    EVENTS: {"when": _MOMENT, "who": _TEXT, "what": _TEXT, "detail": _TEXT},
}
_JSON = {PEOPLE: "metadata", EVENTS: "detail"}
"""Columns of JSON."""
_MAY_BE_NONE = {
    "name", "consent_basis", "consent_given", "consent_withdrawn", "expires", "quality", "sample", "target",
}  # fmt: skip
VECTOR = "vector"
_LARGEST_JSON = {PEOPLE: 1 << 18, EVENTS: 1 << 26}
_LONGEST_TEXT = 4096
"""Characters of the longest text that a gallery keeps, the name of a picture."""
_DEEPEST_JSON = 32
_MOST_JSON = 1 << 28
"""Characters of JSON in all rows that are read at a time."""


def schema_of(name: str, dimension: int) -> Any:
    """The columns of a file, as Arrow describes them; samples have lists of so many values besides."""
    package = arrow()
    kinds: dict[str, Callable[[], Any]] = {
        _TEXT: package.string,
        _WHOLE: package.int64,
        _NUMBER: package.float64,
        _MOMENT: lambda: package.timestamp("us", tz="UTC"),
        _BYTES: package.binary,
    }
    fields = [package.field(column, kinds[kind]()) for column, kind in _COLUMNS[name].items()]
    if name == SAMPLES:
        fields.append(package.field(VECTOR, package.list_(package.float32(), dimension)))
    return package.schema(fields)


def batch_of(name: str, rows: list[Row], schema: Any, vectors: NDArray[np.float32] | None = None) -> Any:
    """Rows as Arrow writes them."""
    package = arrow()
    arrays = []
    for column in _COLUMNS[name]:
        values = [row[column] for row in rows]
        if _JSON.get(name) == column:
            values = [json.dumps(value, sort_keys=True) for value in values]
        arrays.append(package.array(values, schema.field(column).type))
    if vectors is not None:
        flat = package.array(np.ascontiguousarray(vectors, np.float32).reshape(-1))
        arrays.append(package.FixedSizeListArray.from_arrays(flat, vectors.shape[1]))
    return package.RecordBatch.from_arrays(arrays, schema=schema)


def rows_of(name: str, batch: Any, *, where: str) -> list[Row]:
    """Rows as a gallery takes them; vectors are left to `vectors_of`.

    Raises:
        InputError: ``exchange.archive``: a field is empty that may not be, a text that no gallery keeps, a date that no
            calendar has, or JSON that is none.
    """
    columns = {}
    for column, kind in _COLUMNS[name].items():
        values = _moments(where, name, batch.column(column)) if kind == _MOMENT else values_of(batch.column(column))
        if kind == _TEXT and _JSON.get(name) != column:
            _check_length(where, name, values)
        if None in values and (column not in _MAY_BE_NONE or name == CROPS):
            raise refused(where, f"has a row of {name} without {column}")
        columns[column] = _parsed(where, name, values) if _JSON.get(name) == column else values
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def vectors_of(batch: Any, *, where: str) -> NDArray[np.float32]:
    """The vectors of a batch of samples, float32 ``(N, D)``.

    Raises:
        InputError: ``exchange.archive``: one is empty.
    """
    column = batch.column(VECTOR)
    if column.null_count or column.flatten().null_count:
        raise refused(where, f"has a row of {SAMPLES} without a vector")
    values = column.flatten().to_numpy(zero_copy_only=False)
    found: NDArray[np.float32] = np.asarray(values, np.float32).reshape(len(column), -1)
    return found


def _moments(where: str, name: str, column: Any) -> list[Any]:
    try:
        return values_of(column)
    except (OverflowError, ValueError) as error:
        raise refused(where, f"has a date in {name} outside of the years 1 to 9999") from error


def _check_length(where: str, name: str, values: list[str | None]) -> None:
    longest = max((len(value) for value in values if value), default=0)
    if longest > _LONGEST_TEXT:
        raise refused(where, f"has a text of {longest} characters in {name}; a gallery keeps up to {_LONGEST_TEXT}")


def _parsed(where: str, name: str, texts: list[str]) -> list[dict[str, Any]]:
    if max(map(len, texts), default=0) > _LARGEST_JSON[name] or sum(map(len, texts)) > _MOST_JSON:
        raise refused(where, f"has JSON in {name} that is longer than {_LARGEST_JSON[name]} characters")
    try:
        values = [json.loads(text, parse_constant=_no_number, parse_float=_finite) for text in texts]
    except (ValueError, RecursionError) as error:
        raise refused(where, f"has JSON in {name} that is none ({error})") from error
    if not all(isinstance(value, dict) for value in values):
        raise refused(where, f"has JSON in {name} that is no object")
    if not all(_is_storable(value) for value in values):
        raise refused(where, f"has JSON in {name} of more than {_DEEPEST_JSON} levels, or with NUL characters")
    return values


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    return value if abs(value) < float("inf") else _no_number(text[:40])


def _is_storable(value: Any) -> bool:
    """Whether JSON is not too deep and without NUL; without recursion, for it may be built to break that."""
    level = [value]
    for _ in range(_DEEPEST_JSON + 1):
        if any("\0" in item for item in level if isinstance(item, str)):
            return False
        level = [part for item in level for part in _parts(item)]
        if not level:
            return True
    return False


def _parts(item: Any) -> list[Any]:
    if isinstance(item, dict):
        return [*item, *item.values()]
    return item if isinstance(item, list) else []
