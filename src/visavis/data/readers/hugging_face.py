"""Data sets of the package ``datasets``, with a column of pictures and one of labels."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from visavis._require import require
from visavis.data.readers.collection import Record, collection_error
from visavis.errors import UsageError
from visavis.io._unreadable import check_bytes, unreadable
from visavis.io.files import read_file
from visavis.io.fingerprints import hashed
from visavis.io.limits import Limits
from visavis.io.source import Source


class HuggingFaceSet:
    """The pictures of a ``datasets.Dataset``; nothing is decoded before it is read, nothing is downloaded.

    Args:
        dataset: The data set, one split.
        image: Name of its column of pictures.
        label: Name of its column of labels; names of a ``ClassLabel`` are used.
        path: Where it is, for messages.

    Raises:
        DependencyError: The package ``datasets`` is not installed.
        UsageError: Not a data set, or no such columns.
    """

    def __init__(self, dataset: Any, *, image: str = "image", label: str = "label", path: str = "<dataset>") -> None:
        datasets = require("datasets", extra="datasets", why="a data set of Hugging Face")
        if not isinstance(dataset, datasets.Dataset):
            raise UsageError(f"a datasets.Dataset is read; got {type(dataset).__name__}; choose a split: data['train']")
        if not {image, label} <= set(dataset.column_names):
            raise UsageError(f"the columns are {', '.join(dataset.column_names)}; asked for were {image} and {label}")
        self.path = path
        self._image = image
        kind = dataset.features[label]
        self._name = kind.int2str if isinstance(kind, datasets.ClassLabel) else str
        if not isinstance(dataset.features[image], datasets.Image):
            raise UsageError(f"the column {image} holds {dataset.features[image]}, no pictures (datasets.Image)")
        self._data = dataset.cast_column(image, datasets.Image(decode=False))
        self._labels = self._data[label][:]
        self._print = str(dataset._fingerprint)
        if not len(self._data):
            raise collection_error(path, "the data set has no rows")

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, row: int) -> Record:
        label = self._labels[row]
        identity = "unlabelled" if label is None else self._name(label)
        return Record(f"{row}", identity, Source(f"{self.path}::{row}", partial(self._bytes, row)))

    def records(self) -> Iterator[Record]:
        """All pictures in order."""
        return (self[row] for row in range(len(self)))

    def fingerprint(self) -> str:
        """See `Collection.fingerprint`."""
        return hashed([self._print, str(len(self)), *map(str, self._labels)])

    def _bytes(self, row: int, limits: Limits) -> bytes:
        stored = self._data[row][self._image]
        name = f"{self.path}::{row}"
        if not stored or (stored.get("bytes") is None and stored.get("path") is None):
            raise unreadable(name, "missing", "the row has no picture")
        if stored.get("bytes") is None:
            return read_file(stored["path"], limits)
        data = bytes(stored["bytes"])
        check_bytes(name, len(data), limits)
        return data


def open_saved(
    path: str | Path, *, split: str | None = None, image: str = "image", label: str = "label"
) -> HuggingFaceSet:
    """A data set that ``save_to_disk`` wrote.

    Args:
        path: The folder.
        split: Which split, where it has several.
        image: Name of its column of pictures.
        label: Name of its column of labels.

    Raises:
        InputError: It cannot be read.
        UsageError: A split is needed or there is no such one; no such columns.
    """
    datasets = require("datasets", extra="datasets", why="a data set of Hugging Face")
    try:
        found = datasets.load_from_disk(str(path))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise collection_error(str(path), f"cannot be read as a saved data set ({error})") from error
    if isinstance(found, datasets.DatasetDict):
        if split not in found:
            raise UsageError(f"{path} has the splits {', '.join(found)}; got {split}; choose one with --split")
        found = found[split]
    return HuggingFaceSet(found, image=image, label=label, path=str(path))


def is_saved(path: str | Path) -> bool:
    """Whether a folder was written by ``save_to_disk``."""
    return any((Path(path) / name).is_file() for name in ("state.json", "dataset_dict.json"))
