"""Parquet files of others, read a bounded part at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from visavis._require import require
from visavis.errors import InputError
from visavis.gallery.exchange.byte_span import ByteSpan
from visavis.gallery.exchange.parquet_probe import probe
from visavis.io._unreadable import printable
from visavis.io.archive_bytes import growth_limit

_LONGEST_FOOTER = 1 << 26
_MOST_COLUMNS = 1000
_LONGEST_TEXT, _LONGEST_BYTES = 1 << 26, 1 << 24
_WHY = "reading and writing Parquet"
BATCH = 8192
"""Rows that are read at a time."""


def arrow() -> Any:
    """The package that reads and writes Parquet."""
    return require("pyarrow", extra="tables", why=_WHY)


def parquet() -> Any:
    """Its module for Parquet."""
    return require("pyarrow.parquet", extra="tables", why=_WHY)


class ParquetRows:
    """A Parquet file whose declared sizes were looked at before anything was unpacked.

    Texts and bytes are read as dictionaries: what a file names a million times is held once, also by `values_of`; a
    text of more than 64 MiB and bytes of more than 16 MiB are refused.

    Args:
        span: Its bytes.
        name: For messages; the path when omitted.
        probed: It has been read by another process; else it is now, see `visavis.gallery.exchange.parquet_probe`.

    Attributes:
        name: For messages.
        schema: The columns as the file declares them.
        declared: Bytes that it unpacks to, as it says.

    Raises:
        UnreadableError: The path cannot be read.
        InputError: ``exchange.parquet``: it is no sound Parquet file, or declares more than 200 times its own size.
        DependencyError: pyarrow is not installed.
    """

    def __init__(self, span: ByteSpan, *, name: str | None = None, probed: bool = False) -> None:
        self.name = span.path if name is None else name
        parquet()
        if not probed:
            probe(span, self.name)
        opened = span.open()
        try:
            _check_footer(self.name, opened, span.size)
            with _sound(self.name):
                self.schema = parquet().ParquetFile(opened).schema_arrow
                self._file = parquet().ParquetFile(
                    opened, read_dictionary=_texts(self.schema), thrift_string_size_limit=_LONGEST_FOOTER
                )
                self.rows = int(self._file.metadata.num_rows)
                self.names: tuple[str, ...] = tuple(self._file.schema_arrow.names)
                self.declared = _check_sizes(self.name, self._file.metadata, span.size)
        except BaseException:
            opened.close()
            raise

    def __len__(self) -> int:
        return self.rows

    @property
    def about(self) -> dict[bytes, bytes]:
        """The key-value metadata of the file."""
        return dict(self._file.schema_arrow.metadata or {})

    def batches(self, columns: Sequence[str] | None = None, *, size: int = BATCH) -> Iterator[Any]:
        """Record batches of some columns, in order.

        Args:
            columns: Their names; all when None.
            size: Rows at a time.

        Raises:
            InputError: ``exchange.parquet``: a part is damaged, or other than the footer says.
        """
        rows = 0
        with _sound(self.name):
            for batch in self._file.iter_batches(batch_size=size, columns=columns):
                rows += len(batch)
                batch.validate(full=True)
                for column in batch.columns:
                    _check_texts(self.name, column)
                yield batch
        if rows != self.rows:
            raise refused(self.name, f"declares {self.rows} rows and holds {rows}")

    def close(self) -> None:
        """Close the file."""
        self._file.close(force=True)


@contextmanager
def _sound(name: str) -> Iterator[None]:
    """Errors of Arrow in plain words."""
    try:
        yield
    except (arrow().ArrowException, OSError, ValueError, OverflowError, MemoryError, KeyError, TypeError) as error:
        words = " ".join(str(error).split())[:200]
        raise refused(name, f"is not a sound Parquet file ({words}); use an intact copy") from error


def refused(name: str, text: str) -> InputError:
    """The error for a Parquet file that is not read."""
    return InputError(f"{printable(name)} {printable(text)}", reason="exchange.parquet")


def _check_footer(name: str, file: Any, size: int) -> None:
    file.seek(max(0, size - 8))
    tail = file.read(8)
    file.seek(0)
    if size < 12 or file.read(4) != b"PAR1" or tail[4:] != b"PAR1":
        raise refused(name, "is not a Parquet file, or it is cut")
    footer = int.from_bytes(tail[:4], "little")
    if footer > min(size - 12, _LONGEST_FOOTER):
        raise refused(name, f"has a footer of {footer} bytes; it is damaged")
    file.seek(0)


def _check_sizes(name: str, metadata: Any, size: int) -> int:
    if metadata.num_columns > _MOST_COLUMNS:
        raise refused(name, f"has {metadata.num_columns} columns; at most {_MOST_COLUMNS} are read")
    unpacked = packed = values = 0
    for group in range(metadata.num_row_groups):
        part = metadata.row_group(group)
        for place in range(part.num_columns):
            chunk = part.column(place)
            unpacked += max(chunk.total_uncompressed_size, 0)
            packed += max(chunk.total_compressed_size, 0)
            values += max(chunk.num_values, 0)
    if packed > size:
        raise refused(name, f"declares {packed} packed bytes and has {size}: parts overlap, or it is cut")
    if max(unpacked, 4 * values) > growth_limit(size):
        raise refused(
            name,
            f"unpacks to {max(unpacked, 4 * values)} bytes, too much for a file of {size}; write it without so much "
            "repetition if it can be trusted",
        )
    return max(unpacked, 4 * values)


def values_of(column: Any) -> list[Any]:
    """The values of a column as Python's; equal texts are one object."""
    if not arrow().types.is_dictionary(column.type):
        return list(column.to_pylist())
    values = column.dictionary.to_pylist()
    return [None if place is None else values[place] for place in column.indices.to_pylist()]


def _texts(schema: Any) -> list[str]:
    types = arrow().types
    kinds = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary, types.is_dictionary)
    return [field.name for field in schema if any(kind(field.type) for kind in kinds)]


def _check_texts(name: str, column: Any) -> None:
    if not arrow().types.is_dictionary(column.type) or not len(column.dictionary):
        return
    kind = column.type.value_type
    is_text = arrow().types.is_string(kind) or arrow().types.is_large_string(kind)
    compute = require("pyarrow.compute", extra="tables", why=_WHY)
    longest = compute.max(compute.binary_length(column.dictionary)).as_py() or 0
    most = _LONGEST_TEXT if is_text else _LONGEST_BYTES
    if longest > most:
        raise refused(name, f"holds a value of {longest} bytes; at most {most} are read")
