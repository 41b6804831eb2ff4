"""A gallery's file: made whole or not at all, and opened."""

from __future__ import annotations

import os
import secrets
import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from visavis.errors import InputError, SpaceError, UsageError
from visavis.gallery.info import GalleryInfo, Storage
from visavis.gallery.records import schema
from visavis.gallery.records import tables as t
from visavis.gallery.records.description import describe
from visavis.gallery.records.dialect import WAIT_SECONDS, WRITES, connect
from visavis.gallery.records.failures import in_plain_words, patiently
from visavis.gallery.records.store import Store
from visavis.io.files import is_file
from visavis.types import Provenance, TemplateSpace

_STORAGES = ("float32", "int8")


def create(
    path: Path, *, space: TemplateSpace, made_by: Provenance, storage: Storage, keep_crops: bool, who: str
) -> None:
    """Make a file with an empty gallery; whoever looks sees nothing or all of it.

    Raises:
        UsageError: Another storage.
        InputError: ``gallery.exists``, ``gallery.missing`` or ``gallery.permission``.
    """
    if storage not in _STORAGES:
        raise UsageError(f"templates are kept as {' or '.join(_STORAGES)}; got {storage!r}")
    check_free(path)
    draft = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.part")
    try:
        draft.touch(exist_ok=False)
        with in_plain_words(path):
            _fill(draft, space=space, made_by=made_by, storage=storage, keep_crops=keep_crops, who=who)
        put(draft, path)
    except OSError as error:
        raise not_made(path, error) from error
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{draft}{suffix}").unlink(missing_ok=True)


def open_store(
    path: Path, *, who: str, space: TemplateSpace | None, wait: float = WAIT_SECONDS
) -> tuple[Store, GalleryInfo]:
    """The store of a gallery that is there, its tables brought to the last version, and what it is.

    Raises:
        SpaceError: The gallery is in another space than the one that is asked for.
        InputError: ``gallery.missing``, ``gallery.format``, ``gallery.newer``, ``gallery.damaged`` ...
    """
    if not is_file(path):
        kind = "is no file" if os.path.lexists(path) else "does not exist"
        raise InputError(
            f"the gallery {path} {kind}; make one with visavis enrol DIR --gallery FILE", reason="gallery.missing"
        )
    store = Store(path, who=who, wait=wait)
    try:
        with in_plain_words(path):
            found = patiently(lambda: schema.version(store.engine, path), seconds=wait)
            if found != schema.LATEST:
                patiently(lambda: schema.upgrade(store.engine, path, found=found), seconds=wait)
                with store.write() as transaction:
                    transaction.log("upgraded", before=found, after=schema.LATEST)
        with store.read() as transaction:
            info = describe(transaction, path)
        if space is not None and space.fingerprint != info.space.fingerprint:
            _refuse(path, info.space, space)
        store.expected = info.space.fingerprint
    except BaseException:
        store.close()
        raise
    return store, info


def _refuse(path: Path, own: TemplateSpace, asked: TemplateSpace) -> None:
    fields = [name for name in own.__dataclass_fields__ if name != "compatible"]
    names = [name for name in fields if getattr(own, name) != getattr(asked, name)]
    raise SpaceError(
        f"the gallery {path} is in space {own.fingerprint}, this model makes templates of {asked.fingerprint}; they "
        f"differ in {', '.join(names)}: use the model of the gallery, or move it over with visavis gallery migrate",
        reason="gallery.space",
    )


def not_made(path: Path, error: OSError) -> InputError:
    """The error for a gallery whose file or folder the system refuses."""
    return InputError(
        f"the gallery {path} cannot be made ({error.strerror or error}); check that its folder may be written",
        reason="gallery.permission",
    )


def check_free(path: Path) -> None:
    """Refuse a path at which a new gallery cannot be made.

    Raises:
        InputError: ``gallery.exists`` or ``gallery.missing``.
    """
    for suffix in ("", "-wal", "-journal"):
        taken = Path(f"{path}{suffix}")
        if taken.exists() or taken.is_symlink():
            raise InputError(
                f"{taken} is there already; open the gallery, or name another file for a new one",
                reason="gallery.exists",
            )
    if not path.parent.is_dir():
        raise InputError(f"the folder {path.parent} of the gallery does not exist; make it", reason="gallery.missing")


def _fill(
    draft: Path, *, space: TemplateSpace, made_by: Provenance, storage: Storage, keep_crops: bool, who: str
) -> None:
    engine = connect(draft)
    now = datetime.now(UTC)
    try:
        with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
            schema.make(connection)
            connection.execute(
                t.gallery.insert().values(
                    id=1,
                    uuid=str(uuid.uuid4()),
                    space=asdict(space),
                    fingerprint=space.fingerprint,
                    made_by=made_by.to_dict(),
                    storage=storage,
                    keep_crops=keep_crops,
                    created=now,
                    revision=0,
                    next_person=1,
                    next_sample=1,
                )
            )
            detail = {"fingerprint": space.fingerprint, "storage": storage, "keep_crops": keep_crops}
            connection.execute(t.event.insert().values(when=now, who=who, what="created", detail=detail))
    finally:
        engine.dispose()


def put(draft: Path, path: Path) -> None:
    """Give the draft its name, unless somebody else was first."""
    try:
        os.link(draft, path)
    except FileExistsError as error:
        raise InputError(
            f"{path} was made by another program meanwhile; open the gallery", reason="gallery.exists"
        ) from error
    except OSError:  # a file system without links
        draft.rename(path)
    if hasattr(os, "O_DIRECTORY"):  # the name is on the disk too, where folders can be opened
        folder = os.open(path.parent, os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
