"""Tar shards in the manner of webdataset: a picture and its label side by side."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from visavis.data.readers.collection import Record, collection_error
from visavis.errors import UsageError
from visavis.io.fingerprints import file_state, hashed
from visavis.io.source import is_image_name
from visavis.io.stores import TarStore
from visavis.io.tar import TarMember

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_FIELDS = ("label", "identity", "person", "cls", "class")
_MOST_SHARDS = 100_000
_LABELS = (".cls", ".json")


class TarShards:
    """The pictures of one or several tar archives: ``key.jpg`` with its label in ``key.cls`` or ``key.json``.

    ``.cls`` holds the label as text. ``.json`` is an object with one of the fields label, identity, person, cls or
    class. A key is the member's name up to the first dot after its last folder, as in webdataset.

    Args:
        path: An archive, or many: ``faces-{000..003}.tar``.

    Raises:
        UnreadableError: An archive is missing or damaged.
        InputError: A picture without a label, two pictures of one key, or no picture.
        UsageError: A range that runs backwards or is too long.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._stores = [TarStore(shard) for shard in expand_range(self.path)]
        self._rows = [row for number in range(len(self._stores)) for row in self._of_shard(number)]
        if not self._rows:
            raise collection_error(self.path, "there is no picture in these archives")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: int) -> Record:
        number, name, label = self._rows[row]
        store = self._stores[number]
        return Record(f"{Path(store.index.path).name}::{name}", label, store.get(name))

    def records(self) -> Iterator[Record]:
        """All pictures, shard by shard in the order of each archive."""
        return (self[row] for row in range(len(self)))

    def fingerprint(self) -> str:
        """See `Collection.fingerprint`."""
        states = [file_state(store.index.path) for store in self._stores]
        return hashed([*states, *(text for _, name, label in self._rows for text in (name, label))])

    def _of_shard(self, number: int) -> Iterator[tuple[int, str, str]]:
        index = self._stores[number].index
        pictures: dict[str, TarMember] = {}
        labels: dict[str, TarMember] = {}
        for member in index.members:
            if index.refusal(member) is not None:
                continue
            key, ending = _key(member.name)
            if ending in _LABELS:
                labels.setdefault(key, member)
            elif is_image_name(member.name) and key in pictures:
                raise collection_error(index.path, f"two pictures have the key {key}: {member.name} is the second")
            elif is_image_name(member.name):
                pictures[key] = member
        for key, member in pictures.items():
            if key not in labels:
                raise collection_error(index.path, f"{member.name} has no label: {key}.cls or {key}.json is missing")
            yield number, member.name, _label(f"{index.path}::{labels[key].name}", index.read_member(labels[key]))


def has_labels(path: str | Path) -> bool:
    """Whether an archive holds labels beside its pictures, so that it is a shard.

    Raises:
        UnreadableError: Not a readable archive.
    """
    members = TarStore(path).index.members
    pictures = {_key(member.name)[0] for member in members if is_image_name(member.name)}
    return any(_key(member.name)[1] in _LABELS and _key(member.name)[0] in pictures for member in members)


def expand_range(pattern: str) -> list[str]:
    """The paths that ``name-{000..003}.tar`` stands for; numbers keep their width.

    Raises:
        UsageError: A range that runs backwards, or more than 100,000 paths.
    """
    texts, count = [pattern], 1
    for found in _RANGE.finditer(pattern):
        first, last = int(found[1]), int(found[2])
        count *= max(0, last - first + 1)
        if not 0 < count <= _MOST_SHARDS:
            raise UsageError(f"the ranges of {pattern} run backwards, or over more than {_MOST_SHARDS} archives")
        width = len(found[1]) if found[1].startswith("0") else 0
        numbers = [f"{number:0{width}}" for number in range(first, last + 1)]
        texts = [text.replace(found[0], number, 1) for text in texts for number in numbers]
    return texts


def _key(name: str) -> tuple[str, str]:
    folder, slash, last = name.rpartition("/")
    stem, dot, ending = last.partition(".")
    return f"{folder}{slash}{stem}", f"{dot}{ending}".lower()


def _label(name: str, data: bytes) -> str:
    try:
        text = data.decode("utf-8").strip()
        if name.lower().endswith(".json"):
            text = _field(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise collection_error(name, f"the label cannot be read ({error})") from error
    if not text:
        raise collection_error(name, f"there is no label in it; a JSON label is in one of {', '.join(_FIELDS)}")
    return text


def _field(record: Any) -> str:
    if not isinstance(record, dict):
        return ""
    value = next((record[name] for name in _FIELDS if name in record), "")
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
