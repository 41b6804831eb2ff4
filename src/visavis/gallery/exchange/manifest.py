"""The manifest of an exported gallery: what is in it, and the hash of each file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from visavis.errors import InputError
from visavis.gallery.exchange.columns import provenance_of, space_of
from visavis.gallery.info import Storage
from visavis.io._unreadable import printable
from visavis.types import Provenance, TemplateSpace

MANIFEST = "manifest.json"
FORMAT = "visavis-gallery"
VERSION = 1
PEOPLE, SAMPLES, CROPS, CORRECTIONS, EVENTS = (
    f"{name}.parquet" for name in ("people", "samples", "crops", "corrections", "events")
)
FILES = (PEOPLE, SAMPLES, CROPS, CORRECTIONS, EVENTS)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LARGEST = (1 << 62) - 1


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of an exported gallery.

    Attributes:
        rows: Number of rows.
        bytes: Size.
        sha256: Of its bytes.
    """

    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an exported gallery says of itself.

    Attributes:
        visavis: Version that wrote it.
        created: When it was written, ISO 8601.
        uuid: Of the gallery it was.
        revision: Of the gallery it was.
        space: Of its templates.
        made_by: Model and engine that made them.
        storage: How the gallery kept them.
        keep_crops: Whether the gallery kept crops.
        next_person: Number of the next person.
        next_sample: Number of the next sample.
        files: Name -> entry; the crops may be left out.
    """

    visavis: str
    created: str
    uuid: str
    revision: int
    space: TemplateSpace
    made_by: Provenance
    storage: Storage
    keep_crops: bool
    next_person: int
    next_sample: int
    files: Mapping[str, FileEntry]

    def to_json(self) -> bytes:
        """The file."""
        record = {"format": FORMAT, "version": VERSION, **asdict(self)}
        return (json.dumps(record, indent=2, ensure_ascii=True) + "\n").encode()

    @classmethod
    def of_json(cls, data: bytes, *, where: str) -> Manifest:
        """The manifest in a file.

        Raises:
            InputError: ``exchange.archive``: it is no manifest, or of another version.
        """
        try:
            record = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise refused(where, f"has a {MANIFEST} that is no JSON ({error})") from error
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise refused(where, "is no exported gallery; visavis gallery export writes one")
        if record.get("version") != VERSION:
            raise refused(where, f"is of version {record.get('version')!r}; this visavis reads version {VERSION}")
        try:
            return cls(**_fields(record))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise refused(where, f"has a {MANIFEST} that does not fit together ({error})") from error


def refused(where: str, text: str) -> InputError:
    """The error for an exported gallery that is not read."""
    return InputError(f"{printable(where)} {printable(text)}", reason="exchange.archive")


def _fields(record: dict[str, Any]) -> dict[str, Any]:
    if record["storage"] not in ("float32", "int8"):
        raise ValueError(f"storage {record['storage']!r}")
    if type(record["keep_crops"]) is not bool:
        raise ValueError("keep_crops is true or false")
    numbers = {name: _number(record[name], name) for name in ("revision", "next_person", "next_sample")}
    texts = {name: _text(record[name], name) for name in ("visavis", "created", "uuid")}
    entries = {name: _entry(name, entry) for name, entry in record["files"].items()}
    if set(FILES) - {CROPS} - set(entries):
        raise ValueError(f"no {', '.join(sorted(set(FILES) - {CROPS} - set(entries)))}")
    return {
        **numbers,
        **texts,
        "space": space_of(record["space"]),
        "made_by": provenance_of(record["made_by"]),
        "storage": record["storage"],
        "keep_crops": record["keep_crops"],
        "files": entries,
    }


def _entry(name: str, record: Any) -> FileEntry:
    if name not in FILES:
        raise ValueError(f"the unknown file {name!r}")
    if not _SHA256.fullmatch(_text(record["sha256"], "sha256")):
        raise ValueError(f"the sha256 {record['sha256']!r}")
    return FileEntry(_number(record["rows"], "rows"), _number(record["bytes"], "bytes"), record["sha256"])


def _number(value: Any, name: str) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise ValueError(f"{name} {value!r}")
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or len(value) > 200:
        raise ValueError(f"{name} {value!r}")
    return value
