"""Pictures by name: a folder or a tar archive behind one interface."""

from __future__ import annotations

import os
from functools import lru_cache, partial
from pathlib import Path
from typing import Protocol

from visavis.errors import UnreadableError
from visavis.io._unreadable import unreadable
from visavis.io.files import is_folder
from visavis.io.limits import Limits
from visavis.io.source import Source, is_image_name
from visavis.io.tar import TarIndex, TarMember


class ImageStore(Protocol):
    """Pictures by relative name; safe to share between threads."""

    def names(self) -> list[str]:
        """The names of all pictures, sorted."""
        ...

    def get(self, name: str) -> Source:
        """The picture of that name, given with or without the top folder's name.

        Raises:
            UnreadableError: There is none, or more than one.
        """
        ...

    def read_bytes(self, name: str, limits: Limits | None = None) -> bytes:
        """The encoded bytes of the picture of that name.

        Raises:
            UnreadableError: There is none, more than one, or it cannot be read.
        """
        ...

    def __contains__(self, name: object) -> bool: ...


class TarStore:
    """The pictures in a tar archive, read in memory.

    Args:
        path: The archive; plain archives are fast for random access, compressed ones only in order.

    Raises:
        UnreadableError: Not a readable tar archive.
    """

    def __init__(self, path: str | Path) -> None:
        self.index = TarIndex(path)

    def names(self) -> list[str]:
        """The names of all pictures, sorted; links, devices and unsafe names are left out."""
        return sorted(
            {
                member.name
                for member in self.index.members
                if is_image_name(member.name) and self.index.refusal(member) is None
            }
        )

    def get(self, name: str) -> Source:
        """The picture of that name, given with or without the archive's top folder.

        Raises:
            UnreadableError: ``unreadable.missing`` or ``unreadable.ambiguous``.
        """
        return self._source(self.index.find(name))

    def read_bytes(self, name: str, limits: Limits | None = None) -> bytes:
        """The encoded bytes of the picture of that name.

        Raises:
            UnreadableError: There is none, more than one, or it cannot be read.
        """
        return self.index.read_member(self.index.find(name), limits)

    def sources(self) -> list[Source]:
        """All pictures in the order of the archive; links, devices and unsafe names fail when they are read."""
        return [self._source(member) for member in self.index.members if is_image_name(member.name)]

    def __contains__(self, name: object) -> bool:
        return name in self.index

    def _source(self, member: TarMember) -> Source:
        return Source(f"{self.index.path}::{member.name}", partial(_read_member, self, member))

    def __reduce__(self) -> tuple[type[TarStore], tuple[str]]:
        return TarStore, (self.index.path,)


class FolderStore:
    """The pictures below a folder, found by relative path.

    Names cannot leave the folder: absolute paths and ``..`` are refused. A symbolic link that lies in the folder and
    leads to a regular file is followed, as its owner meant it.

    Args:
        path: The folder.

    Raises:
        UnreadableError: Not a folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not is_folder(self.path):
            raise unreadable(str(path), "missing", "is not a folder; give a folder or a tar archive")
        self._top = self.path.resolve().name

    def names(self) -> list[str]:
        """The relative names of all pictures, with forward slashes, sorted."""
        return sorted(found.relative_to(self.path).as_posix() for found in image_files(self.path))

    def get(self, name: str) -> Source:
        """The picture of that name, given with or without the folder's own name in front.

        Raises:
            UnreadableError: ``unreadable.missing`` or ``unreadable.unsafe-name``.
        """
        return Source.of_file(self._locate(name))

    def read_bytes(self, name: str, limits: Limits | None = None) -> bytes:
        """The encoded bytes of the picture of that name.

        Raises:
            UnreadableError: There is none, or it cannot be read.
        """
        return self.get(name).read_bytes(limits)

    def __contains__(self, name: object) -> bool:
        try:
            return isinstance(name, str) and self._locate(name).is_file()
        except UnreadableError:
            return False

    def _locate(self, name: str) -> Path:
        shown = f"{self.path}/{name}"
        if not TarMember(name, 0, 0, "").is_safe or "\x00" in name:
            raise unreadable(shown, "unsafe-name", "absolute paths and '..' are refused; give a path below the folder")
        relative = Path(name)
        direct = self.path / relative
        if os.path.lexists(direct):
            return direct
        if relative.parts[:1] == (self._top,) and os.path.lexists(inner := self.path.joinpath(*relative.parts[1:])):
            return inner
        raise unreadable(shown, "missing", "no such file in the folder; check the name")


def open_store(path: str | Path) -> TarStore | FolderStore:
    """The pictures of a folder or a tar archive, by name.

    Args:
        path: A folder, or a tar archive (plain, gzip, xz or bzip2).

    Raises:
        UnreadableError: Neither, or it cannot be read.
    """
    return FolderStore(path) if is_folder(path) else TarStore(path)


def cached_tar(path: str | Path) -> TarStore:
    """A tar store, kept for the next call as long as the file is the same.

    Raises:
        UnreadableError: Not a readable tar archive.
    """
    try:
        state = Path(path).stat()
    except (OSError, ValueError):
        return TarStore(path)
    return _kept(os.fspath(path), (state.st_ino, state.st_size, state.st_mtime_ns))


def image_files(folder: Path, *, recursive: bool = True) -> list[Path]:
    """The files with the suffix of a picture below a folder, in sorted order; linked folders are not entered.

    Raises:
        UnreadableError: ``unreadable.permission``: a folder cannot be listed.
    """
    found = []
    for where, folders, files in os.walk(folder, onerror=_cannot_list):
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if recursive else []
        found += [Path(where, name) for name in sorted(files) if is_image_name(name)]
    return found


def _cannot_list(error: OSError) -> None:
    raise unreadable(str(error.filename), "permission", f"the folder cannot be listed ({error.strerror})")


def _read_member(store: TarStore, member: TarMember, limits: Limits) -> bytes:
    return store.index.read_member(member, limits)


@lru_cache(maxsize=4)
def _kept(path: str, state: tuple[int, int, int]) -> TarStore:
    return TarStore(path)
