"""A gallery copied into a new file."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from visavis.gallery.exchange.archive_import import new_gallery
from visavis.gallery.gallery import Gallery


def copy_gallery(gallery: Gallery, path: str | Path, *, who: str | None = None) -> Gallery:
    """Make a gallery with all that another one holds at one moment; its file is there whole or not at all.

    Numbers, dates, corrections and events are the same; its name (uuid) is its own.

    Args:
        gallery: The original; writers go on meanwhile.
        path: The new file; nothing may be there.
        who: User to whom the event is put down.

    Raises:
        InputError: ``gallery.exists``, ``gallery.missing``, ``gallery.full`` ...
    """
    with new_gallery(Path(path)) as draft, gallery.snapshot() as snapshot:
        info = snapshot.info
        made = Gallery.create(
            draft, space=info.space, made_by=info.made_by, storage=info.storage, keep_crops=info.keep_crops, who=who
        )
        try:
            with made.loader(whole=True) as loader:
                for people in snapshot.people():
                    loader.people(people)
                for rows, vectors in snapshot.samples():
                    loader.samples(rows, vectors)
                for crops in snapshot.crops():
                    loader.crops(crops)
                for corrections in snapshot.corrections():
                    loader.history("corrections", corrections)
                for events in snapshot.events():
                    loader.history("events", events)
                loader.finish(next_numbers=snapshot.next_numbers, source=info.uuid, copy=True)
        finally:
            made.close()
    return Gallery.open(path, who=who)


def is_copy_of(copy: Gallery, original: Gallery) -> bool:
    """Whether `copy_gallery` made one of the other, and neither was changed since."""
    own, other = copy.info, original.info
    if (own.space.fingerprint, own.people, own.samples) != (other.space.fingerprint, other.people, other.samples):
        return False
    last = deque(copy.events(), maxlen=1)
    return all(
        event.what == "imported" and event.detail.get("copy") is True and event.detail.get("source") == original.uuid
        for event in last
    )
