"""Tables to CSV or Parquet, whole or not at all."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from visavis._require import require
from visavis.errors import UsageError
from visavis.io.atomic import write_output
from visavis.io.files import is_folder

SUFFIXES = (".csv", ".parquet")


def check_suffix(path: Path | None, accepted: Sequence[str] = SUFFIXES) -> None:
    """Refuse a file name that says no format, before any work is done.

    Raises:
        UsageError: Another suffix, or a folder that does not exist.
        DependencyError: Parquet without its package.
    """
    if path is None:
        return
    if path.suffix.lower() not in accepted:
        raise UsageError(f"the table is written as {' or '.join(accepted)}; got {path.name!r}")
    check_folder(path)
    if path.suffix.lower() == ".parquet":
        require("pyarrow.parquet", extra="tables", why="writing Parquet")


def check_folder(path: Path | None) -> None:
    """Refuse a file in a folder that does not exist, or one that is itself a folder, before any work is done.

    Raises:
        UsageError: There is no such folder, or the path is a folder.
    """
    if path is not None and not is_folder(path.parent):
        raise UsageError(f"there is no folder {path.parent} for {path.name}; make it first")
    if path is not None and is_folder(path):
        raise UsageError(f"{path} is a folder; name a file in it")


def check_picture(path: Path | None) -> None:
    """Refuse a picture that could not be written, before any work is done.

    Raises:
        UsageError: Another suffix, no such folder, or the path is a folder.
    """
    from visavis.io.encode import SUFFIXES as KNOWN

    if path is not None and path.suffix.lower() not in KNOWN:
        raise UsageError(f"pictures are written as {' '.join(KNOWN)}; got {path.name!r}")
    check_folder(path)


def write_table(path: Path, columns: Mapping[str, Any]) -> Path:
    """Write named columns of one length; the suffix decides the format.

    Args:
        path: ``.csv`` or ``.parquet``.
        columns: Name -> values. A two-dimensional array is a list column in Parquet and columns ``name_0``,
            ``name_1`` ... in CSV. NaN is null in Parquet and empty in CSV.

    Raises:
        UsageError: Another suffix, or the path cannot be written.
        DependencyError: Parquet without its package.
    """
    check_suffix(path)
    data = _csv(columns) if path.suffix.lower() == ".csv" else _parquet(columns)
    return write_output(path, data)


def _csv(columns: Mapping[str, Any]) -> bytes:
    names: list[str] = []
    values: list[Sequence[Any]] = []
    for name, column in columns.items():
        array = column if isinstance(column, np.ndarray) else None
        if array is not None and array.ndim == 2:
            names += [f"{name}_{index}" for index in range(array.shape[1])]
            values += [array[:, index].tolist() for index in range(array.shape[1])]
        else:
            names.append(name)
            values.append(array.tolist() if array is not None else list(column))
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(names)
    for row in zip(*values, strict=True):
        writer.writerow(["" if isinstance(value, float) and value != value else value for value in row])
    return stream.getvalue().encode("utf-8", "surrogateescape")


def _parquet(columns: Mapping[str, Any]) -> bytes:
    arrow = require("pyarrow", extra="tables", why="writing Parquet")
    parquet = require("pyarrow.parquet", extra="tables", why="writing Parquet")
    arrays = {}
    for name, column in columns.items():
        if isinstance(column, np.ndarray) and column.ndim == 2:
            flat = arrow.array(np.ascontiguousarray(column).reshape(-1), from_pandas=True)
            arrays[name] = arrow.FixedSizeListArray.from_arrays(flat, column.shape[1])
        elif isinstance(column, np.ndarray):
            arrays[name] = arrow.array(column, from_pandas=True)
        else:
            arrays[name] = arrow.array([_text(value) for value in column])
    sink = io.BytesIO()
    parquet.write_table(arrow.table(arrays), sink)
    return sink.getvalue()


def _text(value: Any) -> Any:
    """Names of files may hold bytes that are not UTF-8; they are escaped."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
