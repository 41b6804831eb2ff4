"""An exported gallery, looked at before anything of it is used: names, links, sizes, hashes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from visavis.errors import UnreadableError
from visavis.gallery.exchange.archive_rows import schema_of
from visavis.gallery.exchange.byte_span import ByteSpan
from visavis.gallery.exchange.manifest import CROPS, MANIFEST, FileEntry, Manifest, refused
from visavis.gallery.exchange.parquet import BATCH, ParquetRows, parquet
from visavis.gallery.exchange.parquet_probe import probe
from visavis.io.files import is_folder
from visavis.io.tar import TarIndex

_LARGEST_MANIFEST = 1 << 20
_CROPS_AT_ONCE = 16


class GalleryArchive:
    """A folder or a tar archive that `export_gallery` wrote, or that somebody says is one.

    At construction everything is read once: there may be no file but those of the manifest, no link, no device, no
    name that leads elsewhere, none twice; each file must have its size and its hash, and be sound. Whoever can write
    the archive can write its manifest too: the hashes find damage, and find changes only for who knows the manifest's
    own.

    Args:
        path: The folder or archive.

    Attributes:
        manifest: What is in it.
        sha256: Of the manifest.

    Raises:
        UnreadableError: It cannot be read.
        InputError: ``exchange.archive``: it is none, or something of the above; ``exchange.parquet``: a file is not
            sound.
        DependencyError: pyarrow is not installed.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = os.fspath(path)
        self._members = _folder(self.path) if is_folder(path) else _tar(self.path)
        told = self._members.get(MANIFEST)
        if told is None:
            raise refused(self.path, f"holds no {MANIFEST}; visavis gallery export writes one")
        if told.size > _LARGEST_MANIFEST:
            raise refused(self.path, f"has a {MANIFEST} of {told.size} bytes; it is none")
        data = told.open().read()
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.manifest = Manifest.of_json(data, where=self.path)
        self._check_names()
        for name, entry in self.manifest.files.items():
            self._check_file(name, entry)
        parquet()  # told to be missing here, and not by the process that reads
        for name in self.manifest.files:
            probe(self._members[name], f"{self.path}::{name}")

    def batches(self, name: str) -> Iterator[Any]:
        """The record batches of a file, of the columns that it must have.

        Raises:
            InputError: ``exchange.parquet``, or ``exchange.archive``: other columns or another number of rows.
        """
        where = f"{self.path}::{name}"
        rows = ParquetRows(self._members[name], name=where, probed=True)
        try:
            wanted = schema_of(name, self.manifest.space.dimension)
            if not rows.schema.equals(wanted):
                raise refused(where, "has other columns than this version of the format")
            if len(rows) != self.manifest.files[name].rows:
                raise refused(where, f"has {len(rows)} rows; its manifest says {self.manifest.files[name].rows}")
            yield from rows.batches(size=_CROPS_AT_ONCE if name == CROPS else BATCH)
        finally:
            rows.close()

    def _check_names(self) -> None:
        listed = {MANIFEST, *self.manifest.files}
        missing, unknown = sorted(listed - set(self._members)), sorted(set(self._members) - listed)
        if missing or unknown:
            text = f"lacks {', '.join(missing)}" if missing else f"holds {', '.join(map(repr, unknown[:3]))} besides"
            raise refused(self.path, f"{text}; an exported gallery has the files of its {MANIFEST} and no others")

    def _check_file(self, name: str, entry: FileEntry) -> None:
        digest, size = hashlib.sha256(), 0
        for block in self._members[name].open().blocks():
            digest.update(block)
            size += len(block)
        if (size, digest.hexdigest()) != (entry.bytes, entry.sha256):
            raise refused(
                f"{self.path}::{name}",
                f"is not the file that was exported: {size} bytes of {entry.bytes}, and its sha256 differs; use an "
                "intact copy",
            )


def _folder(path: str) -> dict[str, ByteSpan]:
    members = {}
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except OSError as error:
        raise refused(path, f"cannot be listed ({error.strerror})") from error
    for entry in entries:
        if entry.is_symlink() or not entry.is_file(follow_symlinks=False):
            kind = "a link" if entry.is_symlink() else "no regular file"
            raise refused(path, f"holds {entry.name!r}, which is {kind}; links and devices are not followed")
        members[entry.name] = ByteSpan(entry.path, 0, entry.stat(follow_symlinks=False).st_size)
    return members


def _tar(path: str) -> dict[str, ByteSpan]:
    try:
        index = TarIndex(path)
    except UnreadableError as error:
        if error.reason == "unreadable.not-an-image":
            raise refused(path, "is no folder and no tar archive; visavis gallery export writes either") from error
        raise
    members: dict[str, ByteSpan] = {}
    for member in index.members:
        problem = index.refusal(member)
        if problem is not None:
            raise refused(path, f"is not safe to read: {problem.message}")
        if member.name in members:
            raise refused(path, f"holds {member.name!r} twice; it could be read in two ways")
        members[member.name] = ByteSpan(path, member.offset, member.size, packed=True)
    return members
