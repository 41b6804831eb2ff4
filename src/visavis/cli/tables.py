"""Tables to CSV or Parquet, whole or not at all."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from visavis._require import require
from visavis.errors import UsageError
from visavis.io.atomic import output_file, write_output
from visavis.io.files import is_folder

if TYPE_CHECKING:
    from visavis.io import Source

SUFFIXES = (".csv", ".parquet")
_ROWS_OF_A_GROUP = 1 << 16


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


def check_not_read(path: Path | None, sources: Iterable[Source]) -> None:
    """Refuse to write over a picture, or an archive of pictures, that is read, before any work is done.

    Raises:
        UsageError: The path is one of them.
    """
    if path is None or not path.exists():
        return
    if any(_same(path, name) for source in sources for name in (source.name, source.name.rpartition("::")[0])):
        raise UsageError(f"{path} is one of the pictures; give another file, it would be written over")


def _same(path: Path, name: str) -> bool:
    try:
        return bool(name) and path.samefile(name)
    except (OSError, ValueError):
        return False


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
    return write_table_parts(path, [columns])


def write_table_parts(path: Path, parts: Iterable[Mapping[str, Any]]) -> Path:
    """`write_table` for columns that come part by part, one or more, all with the same names; few are held at a time.

    Raises:
        UsageError: Another suffix, or the path cannot be written.
        DependencyError: Parquet without its package.
    """
    check_suffix(path)
    if path.suffix.lower() == ".csv":
        return write_output(path, _csv(parts))
    with output_file(path) as file:
        _write_parquet(file, parts)
    return path


def _csv(parts: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    for number, columns in enumerate(parts):
        names, values = _flat(columns)
        stream = io.StringIO(newline="")
        writer = csv.writer(stream)
        if not number:
            writer.writerow(names)
        for row in zip(*values, strict=True):
            writer.writerow(["" if isinstance(value, float) and value != value else value for value in row])
        yield stream.getvalue().encode("utf-8", "surrogateescape")


def _flat(columns: Mapping[str, Any]) -> tuple[list[str], list[Sequence[Any]]]:
    """Names and values of columns of single values."""
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
    return names, values


def _write_parquet(file: BinaryIO, parts: Iterable[Mapping[str, Any]]) -> None:
    arrow = require("pyarrow", extra="tables", why="writing Parquet")
    parquet = require("pyarrow.parquet", extra="tables", why="writing Parquet")
    writer: Any = None
    waiting: list[Any] = []
    with ExitStack() as stack:

        def flush() -> None:
            nonlocal writer
            table = arrow.concat_tables(waiting)
            if writer is None:
                writer = stack.enter_context(parquet.ParquetWriter(file, table.schema))
            writer.write_table(table)
            waiting.clear()

        for columns in parts:
            waiting.append(_arrow(arrow, columns))
            if sum(table.num_rows for table in waiting) >= _ROWS_OF_A_GROUP:
                flush()
        if waiting:
            flush()


def _arrow(arrow: Any, columns: Mapping[str, Any]) -> Any:
    arrays = {}
    for name, column in columns.items():
        if isinstance(column, np.ndarray) and column.ndim == 2:
            flat = arrow.array(np.ascontiguousarray(column).reshape(-1), from_pandas=True)
            arrays[name] = arrow.FixedSizeListArray.from_arrays(flat, column.shape[1])
        elif isinstance(column, np.ndarray) and column.dtype.kind != "U":
            arrays[name] = arrow.array(column, from_pandas=True)
        else:
            arrays[name] = arrow.array([_text(value) for value in column])
    return arrow.table(arrays)


def _text(value: Any) -> Any:
    """Names of files may hold bytes that are not UTF-8; they are escaped."""
    return str(value.encode("utf-8", "backslashreplace").decode()) if isinstance(value, str) else value
