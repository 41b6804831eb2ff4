"""A whole gallery into a folder or a tar archive of Parquet files, with a manifest of their hashes."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from visavis._version import __version__
from visavis.errors import UsageError
from visavis.gallery.exchange.archive_rows import Row, batch_of, schema_of
from visavis.gallery.exchange.manifest import (
    CORRECTIONS,
    CROPS,
    EVENTS,
    FILES,
    MANIFEST,
    PEOPLE,
    SAMPLES,
    FileEntry,
    Manifest,
)
from visavis.gallery.exchange.parquet import parquet
from visavis.gallery.exchange.target import no_database
from visavis.jobs.alone import alone

if TYPE_CHECKING:
    from visavis.gallery.gallery import Gallery
    from visavis.gallery.records.snapshot import Snapshot

Progress = Callable[[int, int], None]
TAR = ".tar"
_BLOCK = 1 << 20
_Page = tuple[list[Row], NDArray[np.float32] | None]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        path: Folder or archive.
        manifest: What is in it.
        sha256: Of the manifest: whoever knows it can tell later that nothing was changed.
    """

    path: Path
    manifest: Manifest
    sha256: str


def export_gallery(
    gallery: Gallery, out: str | Path, *, crops: bool = True, progress: Progress | None = None
) -> Exported:
    """Write everything that a gallery holds, as it is at one moment; writers go on meanwhile.

    Args:
        gallery: The gallery.
        out: A file ``NAME.tar``, or a folder that is not there. It is there whole or not at all,
            and for its owner alone (mode 0600, folders 0700). What a call before left that was killed is erased first.
        crops: Whether the aligned crops come along; without them the copy cannot be moved to another model.
        progress: Called with the number of samples written and of all.

    Raises:
        UsageError: The path is taken, or cannot be written.
        InputError: The gallery cannot be read.
        DependencyError: pyarrow is not installed.
    """
    target = no_database(out)
    as_tar = target.suffix.lower() == TAR
    if os.path.lexists(target) and not (as_tar and target.is_file() and not target.is_symlink()):
        raise UsageError(f"{target} is there already; name a folder that is not, or a file NAME{TAR}")
    parquet()
    if not target.parent.is_dir():
        raise UsageError(f"the folder {target.parent} does not exist; make it")
    draft, lock = (target.with_name(f".{target.name[:100]}.{kind}") for kind in ("export", "lock"))
    busy = UsageError(f"{target} is being written by another process; wait until it has ended")
    with alone(lock, busy):
        try:
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(mode=0o700)
            manifest = _fill(gallery, draft, crops=crops, progress=progress)
            if as_tar:
                packed = draft / "packed"
                _pack(packed, draft, [MANIFEST, *manifest.files])
                packed.replace(target)
            else:
                draft.rename(target)
        except OSError as error:
            raise UsageError(
                f"{target} cannot be written ({error.strerror or error}); check that its folder exists and has room"
            ) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
            lock.unlink(missing_ok=True)
    return Exported(target, manifest, hashlib.sha256(manifest.to_json()).hexdigest())


def _fill(gallery: Gallery, folder: Path, *, crops: bool, progress: Progress | None) -> Manifest:
    with gallery.snapshot() as snapshot:
        info = snapshot.info
        next_person, next_sample = snapshot.next_numbers
        entries = {}
        for name in FILES:
            if crops or name != CROPS:
                pages = _pages(snapshot, name)
                if name == SAMPLES and progress is not None:
                    pages = _counted(pages, info.samples, progress)
                entries[name] = _write(folder / name, name, info.space.dimension, pages)
    manifest = Manifest(
        visavis=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        uuid=info.uuid,
        revision=info.revision,
        space=info.space,
        made_by=info.made_by,
        storage=info.storage,
        keep_crops=info.keep_crops and crops,
        next_person=next_person,
        next_sample=next_sample,
        files=entries,
    )
    with _private(folder / MANIFEST) as file:
        file.write(manifest.to_json())
        file.flush()
        os.fsync(file.fileno())
    return manifest


def _pages(snapshot: Snapshot, name: str) -> Iterator[_Page]:
    if name == SAMPLES:
        yield from snapshot.samples()
        return
    tables = {
        PEOPLE: snapshot.people, CROPS: snapshot.crops, CORRECTIONS: snapshot.corrections, EVENTS: snapshot.events
    }  # fmt: skip
    for rows in tables[name]():
        yield rows, None


def _counted(pages: Iterator[_Page], total: int, progress: Progress) -> Iterator[_Page]:
    done = 0
    for page in pages:
        yield page
        done += len(page[0])
        progress(done, total)


def _write(path: Path, name: str, dimension: int, pages: Iterator[_Page]) -> FileEntry:
    schema = schema_of(name, dimension)
    rows = 0
    with _hashed(path) as file:
        # Vectors and pictures do not shrink; dictionaries of them would cost memory and give nothing.
        texts = [field.name for field in schema if str(field.type) == "string"]
        with parquet().ParquetWriter(file, schema, compression="zstd", use_dictionary=texts) as writer:
            for page, vectors in pages:
                writer.write_batch(batch_of(name, page, schema, vectors))
                rows += len(page)
    return FileEntry(rows, file.size, file.digest.hexdigest())


def _private(path: Path) -> BinaryIO:
    """A new file that nobody but its owner reads."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600), "wb")


class _Hashed(io.RawIOBase):
    """A file that is hashed as it is written."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.digest, self.size = hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self._file.write(view)
        self.digest.update(view)
        self.size += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        return self.size


@contextmanager
def _hashed(path: Path) -> Iterator[_Hashed]:
    with _private(path) as file:
        yield _Hashed(file)
        file.flush()
        os.fsync(file.fileno())


def _pack(path: Path, folder: Path, names: list[str]) -> None:
    """An archive of these files, the same bytes for the same files."""
    with _private(path) as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for name in names:
                member = tarfile.TarInfo(name)
                member.size = (folder / name).stat().st_size
                with (folder / name).open("rb") as source:
                    archive.addfile(member, source)
                (folder / name).unlink()
        file.flush()
        os.fsync(file.fileno())
