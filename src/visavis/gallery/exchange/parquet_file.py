"""Embeddings as Parquet, one row a face."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.gallery.exchange.byte_span import ByteSpan
from visavis.gallery.exchange.columns import BOX, NUMBERS, TEXTS, VECTORS, about_text, columns_of, embeddings_of
from visavis.gallery.exchange.embeddings import Embeddings, PersonRule, wrong
from visavis.gallery.exchange.parquet import ParquetRows, arrow, parquet, values_of
from visavis.gallery.exchange.target import no_database
from visavis.io.atomic import write_output

_ABOUT = b"visavis"


def read_parquet_embeddings(path: str | Path, *, person: PersonRule | None = None, several: bool = False) -> Embeddings:
    """The embeddings of a Parquet file.

    Columns are those of `embeddings_of`; vectors and boxes are lists of numbers.

    Args:
        path: The file.
        person: How the name of a picture names a person, where the file names none.
        several: Whether rows of one id are samples of one person.

    Raises:
        UnreadableError: The file cannot be read.
        InputError: ``exchange.parquet``: it is no sound Parquet file; ``exchange.vectors``: a row cannot be used.
        UsageError: A choice is needed; see `people_of_pictures`.
        DependencyError: pyarrow is not installed.
    """
    where = str(path)
    rows = ParquetRows(ByteSpan.of_file(path))
    try:
        wanted = [name for name in rows.names if name in (*VECTORS, *TEXTS, *NUMBERS, BOX)]
        parts: dict[str, list[Any]] = {name: [] for name in wanted}
        for batch in rows.batches(wanted):
            for name in wanted:
                parts[name].append(_values(where, name, batch.column(name)))
        about = rows.about.get(_ABOUT)
    finally:
        rows.close()
    if not len(rows):
        raise wrong(where, "holds no faces")
    columns = {
        name: [text for part in values for text in part] if name in TEXTS else _joined(where, name, values)
        for name, values in parts.items()
    }
    told = None if about is None else about.decode("utf-8", "replace")
    return embeddings_of(where, columns, about=told, person=person, several=several)


def write_parquet_embeddings(path: str | Path, found: Embeddings) -> Path:
    """Write faces as Parquet.

    Raises:
        UsageError: The path cannot be written.
        DependencyError: pyarrow is not installed.
    """
    package = arrow()
    arrays = {}
    for name, values in columns_of(found).items():
        if isinstance(values, np.ndarray) and values.ndim == 2:
            arrays[name] = list_column(values)
        else:
            arrays[name] = package.array(values, from_pandas=True)
    table = package.table(arrays)
    if found.space is not None and found.made_by is not None:
        table = table.replace_schema_metadata({_ABOUT: about_text(found.space, found.made_by).encode()})
    sink = io.BytesIO()
    parquet().write_table(table, sink)
    return write_output(no_database(path), sink.getvalue())


def list_column(values: NDArray[Any]) -> Any:
    """A matrix as a column of lists of one length; NaN stays NaN."""
    flat = arrow().array(np.ascontiguousarray(values).reshape(-1))
    return arrow().FixedSizeListArray.from_arrays(flat, values.shape[1])


def matrix_of(where: str, name: str, column: Any) -> NDArray[Any]:
    """A column of lists of numbers as a matrix; a row that is null becomes NaN.

    Raises:
        InputError: ``exchange.vectors``: lists of several lengths, or of no numbers.
    """
    kinds = arrow().types
    is_list = kinds.is_list(column.type) or kinds.is_large_list(column.type) or kinds.is_fixed_size_list(column.type)
    if not is_list or not (kinds.is_floating(column.type.value_type) or kinds.is_integer(column.type.value_type)):
        raise wrong(where, f"has {name} as {column.type}; expected are lists of numbers")
    lengths = {one for one in column.value_lengths().unique().to_pylist() if one is not None} \
        if not kinds.is_fixed_size_list(column.type) else {column.type.list_size}  # fmt: skip
    if len(lengths) > 1:
        raise wrong(where, f"has lists of {', '.join(map(str, sorted(lengths)[:3]))} values in {name}; one is expected")
    width = lengths.pop() if lengths else 0
    values = column.flatten().to_numpy(zero_copy_only=False)
    if not column.null_count:
        return np.asarray(values).reshape(len(column), width)
    out = np.full((len(column), width), np.nan, np.float32)
    out[column.is_valid().to_numpy(zero_copy_only=False)] = values.reshape(-1, width)
    return out


def _values(where: str, name: str, column: Any) -> Any:
    if name in (*VECTORS, BOX):
        return matrix_of(where, name, column)
    if name in NUMBERS:
        kinds = arrow().types
        if not (kinds.is_floating(column.type) or kinds.is_integer(column.type) or kinds.is_null(column.type)):
            raise wrong(where, f"has {name} as {column.type}; expected are numbers")
        return column.cast("float32", safe=False).to_numpy(zero_copy_only=False)
    return ["" if value is None else str(value) for value in values_of(column)]


def _joined(where: str, name: str, parts: list[NDArray[Any]]) -> NDArray[Any]:
    widths = {part.shape[1] for part in parts if part.ndim == 2 and part.shape[1]}
    if len(widths) > 1:
        raise wrong(where, f"has lists of {', '.join(map(str, sorted(widths)))} values in {name}; one is expected")
    if not widths and parts and parts[0].ndim == 2:
        raise wrong(where, f"has empty lists in {name}")
    kept = [
        part if part.ndim == 1 or part.shape[1] else np.full((len(part), next(iter(widths))), np.nan) for part in parts
    ]
    return np.concatenate(kept)
