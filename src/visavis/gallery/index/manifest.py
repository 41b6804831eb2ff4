"""Manifest: which segments make up an index on disk, and which state of the gallery they reflect."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.gallery.index.scan_codes import scan_dtype
from visavis.gallery.index.segment import SegmentMeta

FORMAT = 1
NAME = re.compile(r"[0-9a-f]{12}")
"""How the folder of a segment is named."""


@dataclass(frozen=True, slots=True, eq=False)
class SegmentEntry:
    """One segment of a manifest.

    Attributes:
        name: Of its folder.
        meta: What is known of it.
        dead: int64, rising: rows that do not count.
    """

    name: str
    meta: SegmentMeta
    dead: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Manifest:
    """What an index on disk is.

    Attributes:
        uuid: Of the gallery it was derived from.
        space: Fingerprint of the space of its vectors.
        revision: Of the gallery; people set later are not in the segments.
        known: Of the gallery; people removed or replaced until then may be missing already.
        write: Of the gallery, at ``known`` or later: see `visavis.gallery.index.feed.Feed.last_write`.
        wiped: Whether the bytes of rows that do not count have been overwritten.
        segments: Its segments.
    """

    uuid: str
    space: str
    revision: int
    known: int
    write: str
    wiped: bool
    segments: Sequence[SegmentEntry]

    def to_bytes(self) -> bytes:
        """JSON, with a checksum of all but the checksum."""
        document = {
            "format": FORMAT,
            "uuid": self.uuid,
            "space": self.space,
            "revision": self.revision,
            "known": self.known,
            "write": self.write,
            "wiped": self.wiped,
            "segments": [
                {"name": one.name, "meta": one.meta.to_dict(), "dead": one.dead.tolist()} for one in self.segments
            ],
        }
        return json.dumps({**document, "crc32": _checksum(document)}, indent=1).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """Read one.

        Raises:
            ValueError: It is none, or damaged; the words say how.
        """
        try:
            document = json.loads(data)
            told = document.pop("crc32")
            if told != _checksum(document):
                raise ValueError("its checksum is wrong")
            if document["format"] != FORMAT:
                raise ValueError(f"its format is {document['format']}, not {FORMAT}")
            return cls(
                str(document["uuid"]),
                str(document["space"]),
                int(document["revision"]),
                int(document["known"]),
                str(document["write"]),
                bool(document["wiped"]),
                [_entry(one) for one in _list(document["segments"])],
            )
        except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            raise ValueError(f"a field is missing or is none ({error!r})") from error


def _entry(document: dict[str, Any]) -> SegmentEntry:
    """One segment; its name becomes a path, its sizes become maps, and so they are looked at."""
    name, meta = document["name"], SegmentMeta(**document["meta"])
    scan_dtype(meta.scan)
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a segment")
    if not (meta.rows > 0 and meta.dimension > 0 and meta.step > 0 and meta.longest > 0 and meta.worst >= 0):
        raise ValueError(f"{name} has no such rows: {meta}")
    if type(meta.rows) is not int or type(meta.dimension) is not int:
        raise ValueError(f"{name} counts in other than whole numbers: {meta}")
    dead = _list(document["dead"])
    if any(type(row) is not int for row in dead):
        raise ValueError(f"the rows of {name} that do not count are no whole numbers")
    return SegmentEntry(name, meta, np.array(dead, np.int64))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return value


def _checksum(document: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(document, sort_keys=True).encode())
