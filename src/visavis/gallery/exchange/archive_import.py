"""An exported gallery into a new file, or into a gallery that is there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visavis.errors import InputError, SpaceError, UsageError, VisavisError
from visavis.gallery.exchange.archive import GalleryArchive
from visavis.gallery.exchange.archive_rows import Row, rows_of, vectors_of
from visavis.gallery.exchange.manifest import CORRECTIONS, CROPS, EVENTS, PEOPLE, SAMPLES, refused
from visavis.gallery.gallery import Gallery
from visavis.io.limits import Limits
from visavis.jobs.alone import alone

if TYPE_CHECKING:
    from visavis.gallery.records.loader import Loader

Progress = Callable[[int, int], None]
_SHOWN = 5
_MOST_BYTES, _MOST_PIXELS = 1 << 24, 1 << 24


@dataclass(frozen=True, slots=True)
class Imported:
    """What came into a gallery.

    Attributes:
        gallery: The gallery.
        made: Whether it was made.
        people: Number of people that were added.
        samples: Number of samples that were added.
        known: Number of samples that were there already.
        conflicts: People who were there with another name, metadata, consent or expiry, which stays: id -> fields.
        notes: What else a reader should know.
    """

    gallery: Gallery
    made: bool
    people: int
    samples: int
    known: int
    conflicts: dict[str, list[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def import_gallery(
    archive: GalleryArchive, path: str | Path, *, who: str | None = None, progress: Progress | None = None
) -> Imported:
    """Take an exported gallery in, all of it or nothing.

    Where there is no gallery, its copy is made, with all numbers, dates, corrections and events, and a name (uuid) of
    its own. Where there is one of the same space, people are known by their id and samples by person, picture and box:
    what is there stays as it is.

    Args:
        archive: What was exported; its hashes have been checked.
        path: The gallery.
        who: User to whom the event is put down.
        progress: Called with the number of samples taken in and of all.

    Raises:
        SpaceError: ``gallery.space``: the gallery is in another space.
        InputError: ``exchange.archive`` or ``exchange.parquet``: rows that no gallery would hold; or the gallery
            cannot be opened or written.
    """
    if os.path.lexists(path):
        gallery = Gallery.open(path, who=who)
        _require_space(archive, gallery)
        taken = _load(archive, gallery, whole=False, progress=progress)
        notes = (*closed_note(taken.closed), *_notes(archive))
        return Imported(gallery, False, taken.people, taken.samples, taken.known, taken.conflicts, notes)
    manifest = archive.manifest
    with new_gallery(Path(path)) as draft:
        gallery = Gallery.create(
            draft,
            space=manifest.space,
            made_by=manifest.made_by,
            storage=manifest.storage,
            keep_crops=manifest.keep_crops,
            who=who,
        )
        try:
            taken = _load(archive, gallery, whole=True, progress=progress)
        finally:
            gallery.close()
    return Imported(Gallery.open(path, who=who), True, taken.people, taken.samples, taken.known)


@contextmanager
def new_gallery(path: Path) -> Iterator[Path]:
    """A folder's hidden path for a gallery that is being made; it takes its name when the block ends well.

    What a call before left that was killed is erased first: it holds faces.

    Yields:
        ``.NAME.import/NAME`` beside the path.

    Raises:
        InputError: ``gallery.exists``: something is there; ``gallery.missing``: no such folder; ``gallery.locked``:
            another process makes it at this moment; ``gallery.permission``.
    """
    from visavis.gallery.records.creation import check_free, not_made, put

    check_free(path)
    folder = path.with_name(f".{path.name[:100]}.import")
    busy = InputError(f"{path} is being made by another process; wait until it has ended", reason="gallery.locked")
    lock = path.with_name(f".{path.name[:100]}.lock")
    with alone(lock, busy):
        check_free(path)  # another process may have made it a moment ago
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            yield folder / path.name
            put(folder / path.name, path)
        except OSError as error:
            raise not_made(path, error) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)


def _load(archive: GalleryArchive, gallery: Gallery, *, whole: bool, progress: Progress | None) -> Any:
    where, manifest = archive.path, archive.manifest
    total, done = manifest.files[SAMPLES].rows, 0
    with _told(where), gallery.loader(whole=whole) as loader:
        for batch in archive.batches(PEOPLE):
            loader.people(rows_of(PEOPLE, batch, where=where))
        for batch in archive.batches(SAMPLES):
            loader.samples(rows_of(SAMPLES, batch, where=where), vectors_of(batch, where=where))
            done += len(batch)
            if progress is not None:
                progress(done, total)
        if CROPS in manifest.files:
            for batch in archive.batches(CROPS):
                loader.crops([_checked_crop(where, row) for row in rows_of(CROPS, batch, where=where)])
        if whole:
            _history(archive, loader)
        return loader.finish(
            next_numbers=(manifest.next_person, manifest.next_sample), source=manifest.uuid, manifest=archive.sha256
        )


def _history(archive: GalleryArchive, loader: Loader) -> None:
    for name in (CORRECTIONS, EVENTS):
        for batch in archive.batches(name):
            loader.history(name.removesuffix(".parquet"), rows_of(name, batch, where=archive.path))


@contextmanager
def _told(where: str) -> Iterator[None]:
    """What a gallery refuses of an archive, as a fault of the archive."""
    try:
        yield
    except UsageError as error:
        raise refused(where, f"holds what no gallery takes: {error.message}") from error
    except InputError as error:
        if error.reason in ("gallery.person-id", "gallery.text", "gallery.metadata"):
            raise refused(where, f"holds what no gallery takes: {error.message}") from error
        raise


def _checked_crop(where: str, row: Row) -> Row:
    """A crop whose picture can be read: it is decoded once, within limits."""
    from visavis.io.decode import decode
    from visavis.io.signatures import image_format

    try:
        if image_format(row["png"]) != "PNG":
            raise refused(where, f"has a crop of sample {row['sample']} that is no PNG")
        decode(row["png"], name=f"crop of sample {row['sample']}", limits=Limits(_MOST_BYTES, _MOST_PIXELS))
    except VisavisError as error:
        raise refused(where, f"has a crop that cannot be used: {error.message}") from error
    return row


def _require_space(archive: GalleryArchive, gallery: Gallery) -> None:
    own, other = gallery.space, archive.manifest.space
    if own.fingerprint != other.fingerprint:
        raise SpaceError(
            f"{archive.path} holds templates of space {other.fingerprint}, the gallery {gallery.path} is in "
            f"{own.fingerprint}; import into a new file and move that over with visavis gallery migrate",
            reason="gallery.space",
        )


def closed_note(people: Collection[str]) -> tuple[str, ...]:
    """What is told of people to whom nothing was added; nothing where there are none."""
    if not people:
        return ()
    names = sorted(people)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (
        f"nothing was added to {len(names)} people who expired or withdrew consent: {', '.join(names[:_SHOWN])}{more}",
    )


def _notes(archive: GalleryArchive) -> tuple[str, ...]:
    left = [name for name in (CORRECTIONS, EVENTS) if archive.manifest.files[name].rows]
    names = " and ".join(name.removesuffix(".parquet") for name in left)
    return (f"{names} of the other gallery were not taken over: they are its history",) if left else ()
