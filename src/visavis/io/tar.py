"""An index of a tar archive: where each member's bytes are. Nothing is ever extracted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from visavis.errors import UnreadableError
from visavis.io._unreadable import check_bytes, corrupt, truncated, unreadable
from visavis.io.archive_bytes import ArchiveBytes, open_archive_bytes
from visavis.io.limits import Limits, default_limits

_BLOCK = 512
_LONGEST_RECORD = 1 << 20
FILE = "a file"
_FOLDER = "a folder"
_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"5": _FOLDER,
    b"6": "a FIFO (named pipe)",
    b"S": "a sparse file",
}
_WITHOUT_DATA = frozenset({b"1", b"2", b"3", b"4", b"5", b"6"})


class TarMember(NamedTuple):
    """One member of a tar archive.

    Attributes:
        name: As stored, without a leading ``./``.
        offset: Where its bytes start in the (unpacked) archive.
        size: In bytes.
        kind: ``a file``, or what else it is: ``a symbolic link`` ...
    """

    name: str
    offset: int
    size: int
    kind: str

    @property
    def is_safe(self) -> bool:
        """False for an absolute name, or one that climbs out with ``..``."""
        parts = self.name.replace("\\", "/").split("/")
        return bool(self.name) and parts[0] != "" and ".." not in parts and not parts[0].endswith(":")


class TarIndex:
    """Name -> bytes of a tar archive (plain, gzip, xz or bzip2), for random access from many threads.

    The headers are read once, at construction. After that an uncompressed archive costs one ``pread`` a member and
    shares no position between threads. Links, devices and unsafe names are listed but never followed.

    Args:
        path: The archive.

    Raises:
        UnreadableError: Not a tar archive, or one that is damaged or truncated between members.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = os.fspath(path)
        self._bytes: ArchiveBytes = open_archive_bytes(path)
        self.members: tuple[TarMember, ...] = tuple(
            member for member in _walk(self._bytes, self.path) if member.kind != _FOLDER
        )
        self._exact: dict[str, list[TarMember]] = {}
        self._below: dict[str, list[TarMember]] = {}
        for member in self.members:
            self._exact.setdefault(member.name, []).append(member)
            self._below.setdefault(member.name.partition("/")[2], []).append(member)
        self._top = Path(self.path).name.partition(".tar")[0]

    def __len__(self) -> int:
        return len(self.members)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and len(self._candidates(name)) == 1

    def find(self, name: str) -> TarMember:
        """The member of that name, given with or without the archive's top folder.

        Raises:
            UnreadableError: ``unreadable.missing``, or ``unreadable.ambiguous`` when two members answer to the name.
        """
        found = self._candidates(name)
        if not found:
            raise unreadable(f"{self.path}::{name}", "missing", "no such member in the archive; list it with tar -t")
        if len(found) > 1:
            names = ", ".join(sorted({member.name for member in found})[:3])
            raise unreadable(
                f"{self.path}::{name}",
                "ambiguous",
                f"{len(found)} members answer to this name ({names}); give the full name of a single one",
            )
        return found[0]

    def read_member(self, member: TarMember, limits: Limits | None = None) -> bytes:
        """The bytes of a member.

        Raises:
            UnreadableError: ``not-a-file``, ``unsafe-name``, ``empty``, ``too-large`` or ``truncated``.
        """
        name = f"{self.path}::{member.name}"
        refusal = self.refusal(member)
        if refusal is not None:
            raise refusal
        check_bytes(name, member.size, limits or default_limits())
        data = self._bytes.read_at(member.offset, member.size)
        if len(data) < member.size:
            raise truncated(name, "archive")
        return data

    def refusal(self, member: TarMember) -> UnreadableError | None:
        """Why a member is not read: it is a link or a device, or its name is unsafe. None for an ordinary file."""
        name = f"{self.path}::{member.name}"
        if member.kind != FILE:
            return unreadable(name, "not-a-file", f"is {member.kind}; links and devices in archives are not followed")
        if not member.is_safe:
            return unreadable(
                name, "unsafe-name", "absolute names and '..' in archives are refused; pack it with relative names"
            )
        return None

    def _candidates(self, name: str) -> list[TarMember]:
        name = _plain(name)
        found = self._exact.get(name) or self._below.get(name)
        if found:
            return found
        top, _, rest = name.partition("/")
        return self._exact.get(rest, []) if top == self._top and rest else []


def _walk(archive: ArchiveBytes, path: str) -> Iterator[TarMember]:
    """The members by their headers (POSIX ustar and pax, GNU long names)."""
    position, extra = 0, dict[str, str]()
    while True:
        block = archive.read_at(position, _BLOCK)
        if not block.strip(b"\x00"):
            if position == 0:
                raise unreadable(path, "not-an-image", "is not a tar archive; give a tar, a folder or an image file")
            return
        name, size, kind = _header(block, path, position)
        position += _BLOCK
        if kind in (b"x", b"L", b"K", b"g"):
            extra.update(_extension(archive.read_at(position, min(size, _LONGEST_RECORD)), size, kind, path))
        else:
            size = int(extra.get("size", size))
            name = extra.get("path", name)
            size = 0 if kind in _WITHOUT_DATA else size
            yield TarMember(_plain(name), position, size, _kind(name, kind, extra))
            extra = {}
        position += -(-size // _BLOCK) * _BLOCK


def _header(block: bytes, path: str, position: int) -> tuple[str, int, bytes]:
    if len(block) < _BLOCK:
        raise truncated(path, "tar")
    try:
        expected = int(block[148:156].strip(b" \x00") or b"0", 8)
        size = _number(block[124:136])
    except ValueError:
        expected, size = -1, -1
    if expected != sum(block) - sum(block[148:156]) + 8 * 32 or size < 0:
        if position == 0:
            raise unreadable(path, "not-an-image", "is not a tar archive; give a tar, a folder or an image file")
        raise corrupt(path, "tar", f"bad member header at byte {position}")
    name = _text(block[:100])
    prefix = _text(block[345:500]) if block[257:263] == b"ustar\x00" else ""
    return (f"{prefix}/{name}" if prefix else name), size, block[156:157]


def _extension(record: bytes, size: int, kind: bytes, path: str) -> dict[str, str]:
    """What a header that describes the next member says of it: its path and its size."""
    if size > _LONGEST_RECORD or len(record) < size:
        raise corrupt(path, "tar", "a member header is longer than 1 MiB or cut")
    if kind == b"L":
        return {"path": _text(record)}
    if kind != b"x":
        return {}
    found = {}
    while record:
        digits, space, _ = record.partition(b" ")
        if not (space and digits.isdigit() and len(digits) < 8) or not len(digits) + 2 < int(digits) <= len(record):
            raise corrupt(path, "tar", "a pax header cannot be parsed")
        key, _, value = record[len(digits) + 1 : int(digits) - 1].partition(b"=")
        record = record[int(digits) :]
        if key == b"path" or (key == b"size" and value.isdigit() and len(value) < 20):
            found[key.decode()] = _text(value)
        elif key.startswith(b"GNU.sparse"):
            found["sparse"] = "1"
    return found


def _kind(name: str, kind: bytes, extra: dict[str, str]) -> str:
    if "sparse" in extra:
        return _KINDS[b"S"]
    if kind in (b"\x00", b"0") and name.endswith("/"):
        return _FOLDER
    return _KINDS.get(kind, FILE)


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        return int.from_bytes(bytes((field[0] & 0x7F,)) + field[1:], "big") if field[0] == 0x80 else -1
    return int(field.strip(b" \x00") or b"0", 8)


def _text(field: bytes) -> str:
    return field.partition(b"\x00")[0].decode("utf-8", "surrogateescape")


def _plain(name: str) -> str:
    while name.startswith("./"):
        name = name[2:]
    return name
