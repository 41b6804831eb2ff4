"""A gallery moved to another recogniser: every sample is embedded again from the crop that was kept of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError, SpaceError, UsageError
from visavis.gallery.exchange.copy import copy_gallery, is_copy_of
from visavis.gallery.gallery import Gallery
from visavis.gallery.sample import StoredSample
from visavis.geometry import TEMPLATES
from visavis.io.decode import decode
from visavis.pipeline.pipeline import Pipeline
from visavis.runtime.workers import ordered_map
from visavis.types import Crops, Status, Templates, TemplateSpace

Progress = Callable[[int, int], None]
_AT_ONCE = 128
"""Samples that are embedded and put down at a time; a kill costs as many."""
_SHOWN = 5


def migrate_gallery(
    gallery: Gallery, pipeline: Pipeline, *, keep_old: bool = False, progress: Progress | None = None
) -> int:
    """Move a gallery to the space of a pipeline.

    New templates are put beside the old ones, some at a time, in writes of their own. What is there of them is the
    ledger of the work: it goes on after a kill where it was, a second process that does the same does no harm, and
    samples that are added meanwhile are found. Searches go on in the old space until one last write makes the new
    space the gallery's; from then on objects that opened it before are refused with `SpaceError`, and this one goes on.
    Where another process made that last write first, nothing is left to do, and this object is refused like others.

    Args:
        gallery: With a crop of every sample.
        pipeline: Its recogniser embeds the crops; its detector must be the one that placed them.
        keep_old: Whether the old templates stay in the file beside the new ones.
        progress: Called with the number of samples done and of all.

    Returns:
        How many samples were embedded by this call.

    Raises:
        UsageError: The gallery is in that space already.
        SpaceError: ``gallery.space``: the crops were cut for another detector or crop template.
        InputError: ``gallery.crops``: samples without a crop, or of another template; ``embedding``: a crop of which
            the network makes no template.
    """
    check_migration(gallery, pipeline)
    done = 0

    def told(count: int, total: int) -> None:
        nonlocal done
        done = count
        if progress is not None:
            progress(count, total)

    try:
        return _moved(gallery, pipeline, keep_old=keep_old, told=told)
    except SpaceError:
        with closing(Gallery.open(gallery.path)) as anew:
            if anew.space.fingerprint != pipeline.space.fingerprint:
                raise
        return done  # another process was faster


def _moved(gallery: Gallery, pipeline: Pipeline, *, keep_old: bool, told: Progress) -> int:
    space = pipeline.space
    total, done, after = gallery.count_without_template(space), 0, 0
    while True:
        batch = gallery.without_template(space, after=after, limit=_AT_ONCE)
        if batch:
            templates, numbers = _embedded(pipeline, gallery.space, batch), [row.sample.sample for row in batch]
            done += gallery.add_templates(space, numbers, templates.vectors, templates.norms)
            after = numbers[-1]
            told(done, max(total, done))
        elif _switched(gallery, pipeline, keep_old=keep_old):
            return done
        else:
            after = 0


def migrate_copy(
    gallery: Gallery,
    path: str | Path,
    pipeline: Pipeline,
    *,
    keep_old: bool = False,
    progress: Progress | None = None,
) -> tuple[Gallery, int]:
    """As `migrate_gallery`, in a copy; the gallery stays as it is.

    Args:
        gallery: As it is at this moment; what is added later is not in the copy.
        path: The new file; or the copy that a call before was killed over, where neither has changed since.
        pipeline: See `migrate_gallery`.
        keep_old: See `migrate_gallery`.
        progress: See `migrate_gallery`.

    Returns:
        The copy, and how many samples were embedded by this call.

    Raises:
        InputError: ``gallery.exists``: something else is at that path; and what `migrate_gallery` raises.
    """
    check_migration(gallery, pipeline)
    if not os.path.lexists(path):
        copy = copy_gallery(gallery, path)
    else:
        copy = Gallery.open(path)
        if not is_copy_of(copy, gallery):
            raise InputError(
                f"{path} is there already and is no unfinished copy of {gallery.path} as it stands; name a file that "
                "is not there",
                reason="gallery.exists",
            )
    done = migrate_gallery(copy, pipeline, keep_old=keep_old, progress=progress)
    return Gallery.open(path, space=pipeline.space), done


def check_migration(gallery: Gallery, pipeline: Pipeline) -> None:
    """Refuse what cannot be moved, before any work is done.

    Raises:
        UsageError: The gallery is in the pipeline's space already.
        SpaceError: ``gallery.space``: the crops were cut for another detector or crop template.
        InputError: ``gallery.crops``: samples without a crop, or of another template.
    """
    own, other = gallery.space, pipeline.space
    if own.fingerprint == other.fingerprint:
        raise UsageError(f"the gallery {gallery.path} is in space {own.fingerprint} already: that of this model")
    differing = [name for name in ("detector", "landmarks", "crop") if getattr(own, name) != getattr(other, name)]
    if differing:
        others = ", ".join(str(getattr(other, name)) for name in differing)
        raise SpaceError(
            f"the crops of {gallery.path} were cut for {own.crop} by the detector {own.detector}; the new model has "
            f"another {' and another '.join(differing)} ({others}): "
            "name the detector of the gallery, or enrol the photos again",
            reason="gallery.space",
        )
    _require_crops([row.sample.person for row in gallery.stored_samples(crops=False, page=5000)
                    if row.sample.crop_template != own.crop])  # fmt: skip


def _require_crops(people: Sequence[str]) -> None:
    if not people:
        return
    names = sorted(set(people))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    raise InputError(
        f"{len(people)} samples of {len(names)} people have no aligned crop to embed again ({', '.join(names[:_SHOWN])}"
        f"{more}); enrol their photos again into a gallery of the new model, or remove those samples first",
        reason="gallery.crops",
    )


def _embedded(pipeline: Pipeline, own: TemplateSpace, batch: Sequence[StoredSample]) -> Templates:
    _require_crops([row.sample.person for row in batch if row.png is None or row.sample.crop_template != own.crop])
    pixels = np.stack(list(ordered_map(_pixels, batch, workers=pipeline.engine.workers)))
    matrices = np.full((len(batch), 2, 3), np.nan, np.float32)
    crops = Crops(pixels, matrices, own.crop, Status.good(len(batch)), own.detector)
    templates = pipeline.embedder.embed(crops)
    failed = np.flatnonzero(~templates.ok)
    if failed.size:
        sample, failure = batch[int(failed[0])].sample, templates.status.failures[int(failed[0])]
        raise InputError(
            f"sample {sample.sample} of {sample.person!r}: {failure.message if failure else 'failed'}; remove it and "
            "go on",
            reason="embedding",
        )
    return templates


def _pixels(row: StoredSample) -> NDArray[np.uint8]:
    template = TEMPLATES[row.sample.crop_template or ""]
    size = (template.height, template.width)
    found: NDArray[np.uint8] = decode(row.png or b"", name=f"crop of sample {row.sample.sample}").pixels
    if found.shape[:2] != size:
        raise InputError(
            f"the crop of sample {row.sample.sample} of {row.sample.person!r} is {found.shape[:2]}, its template "
            f"{size}; remove it and go on",
            reason="gallery.crops",
        )
    return found


def _switched(gallery: Gallery, pipeline: Pipeline, *, keep_old: bool) -> bool:
    """Make the new space the gallery's; False where samples came in at the last moment."""
    try:
        gallery.switch_space(pipeline.space, made_by=pipeline.made_by, keep_old=keep_old)
    except InputError as error:
        if error.reason != "gallery.unfinished":
            raise
        return False
    return True
