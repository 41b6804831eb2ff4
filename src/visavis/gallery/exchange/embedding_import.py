"""Embeddings of others into a gallery, and what space they are of."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visavis._version import __version__
from visavis.errors import InputError, SpaceError, UsageError
from visavis.gallery.accepted import check_id, check_sha256, check_text
from visavis.gallery.exchange.archive_import import Imported, closed_note, new_gallery
from visavis.gallery.exchange.embeddings import Embeddings, rows_named, wrong
from visavis.gallery.gallery import Gallery
from visavis.gallery.info import Storage
from visavis.gallery.sample import NewSample
from visavis.io._unreadable import printable
from visavis.types import Provenance, TemplateSpace

FOREIGN = "foreign"
SAID = "as the user says"
_AT_ONCE = 1000
_LARGEST = 1e9


def foreign_space(name: str, dimension: int) -> TemplateSpace:
    """The space of vectors that no model of visavis made: they are compared among themselves alone.

    Args:
        name: What the user calls the model that made them; equal names are one space.
        dimension: Length of a vector.

    Raises:
        UsageError: An empty name, or one of more than 1,000 characters.
    """
    if not name.strip():
        raise UsageError("a foreign space needs a name: that of the model that made the vectors")
    check_text(name, "name of a foreign space")
    return TemplateSpace(FOREIGN, FOREIGN, FOREIGN, f"{FOREIGN}:{name}", dimension)


def said_provenance(model: str) -> Provenance:
    """What computed vectors of which only the user says so."""
    return Provenance(model, SAID, "unknown", "unknown", __version__)


def import_embeddings(
    found: Embeddings,
    path: str | Path,
    *,
    where: str,
    space: TemplateSpace | None = None,
    made_by: Provenance | None = None,
    storage: Storage = "float32",
    who: str | None = None,
) -> Imported:
    """Take embeddings in as samples, all of them or none; what is there stays.

    A sample without a picture is known by its vector, so that the same file twice adds nothing.

    Args:
        found: The embeddings.
        path: The gallery; it is made when it is not there.
        where: The file that they come from, for the event and for sources.
        space: What the user says that they are of; needed where the file does not say it in full and the gallery is
            not of the space that the file names.
        made_by: What the user says that made them, where the file does not say it.
        storage: How a gallery that is made keeps templates.
        who: User to whom the event is put down.

    Raises:
        SpaceError: They are of another space than the gallery, or nothing says of which.
        InputError: Ids or names that no gallery accepts; or the gallery cannot be opened or written.
    """
    _check_rows(found, where)
    if os.path.lexists(path):
        gallery = Gallery.open(path, who=who)
        _require(found, gallery.space, space=space)
        with gallery.transaction():  # nobody is renamed or withdraws between this look and the write
            before = {person.person: person for person in gallery.people()}
            closed = {name for name in found.people if name in before and not before[name].usable()}
            open_rows = found.rows([row for row, name in enumerate(found.people) if name not in closed])
            people, samples = _add(open_rows, gallery, where=where, said=space is not None)
        conflicts = _other_names(found, {name: person.name for name, person in before.items()})
        notes = (*found.notes, *closed_note(closed))
        return Imported(gallery, False, people, samples, len(open_rows) - samples, conflicts, notes)
    target = _space_of(found, space)
    maker = found.made_by or made_by or said_provenance(f"{FOREIGN}/unknown")
    with new_gallery(Path(path)) as draft:
        gallery = Gallery.create(draft, space=target, made_by=maker, storage=storage, who=who)
        try:
            people, samples = _add(found, gallery, where=where, said=space is not None)
        finally:
            gallery.close()
    opened = Gallery.open(path, who=who)
    return Imported(opened, True, people, samples, len(found) - samples, _other_names(found, {}), found.notes)


def _check_rows(found: Embeddings, where: str) -> None:
    """Refuse rows of which no gallery makes a sample, by their number in the file.

    Raises:
        InputError: ``exchange.vectors``, or that of the id or name.
    """
    for row, number in enumerate(found.numbers.tolist()):
        try:
            check_id(found.people[row])
            check_text(found.names[row], "name of a person")
            if found.digests[row]:
                check_sha256(found.digests[row])
        except UsageError as error:
            raise wrong(where, f"has in row {number} (counted from 0) what cannot be kept: {error.message}") from error
        except InputError as error:
            text = f"{printable(where)}, row {number} (counted from 0): {error.message}"
            raise InputError(text, reason=error.reason) from error
    limits = {"box": found.boxes, "score": found.scores, "norm": found.norms}
    wide = {name: (np.abs(np.nan_to_num(values)) > _LARGEST).reshape(len(found), -1) for name, values in limits.items()}
    wide["quality"] = ((found.quality < 0) | (found.quality > 100)).reshape(-1, 1)
    for name, beyond in wide.items():
        bad = np.flatnonzero(beyond.any(axis=1))
        if bad.size:
            told = "0..100" if name == "quality" else f"-{_LARGEST:.0e}..{_LARGEST:.0e}"
            raise wrong(where, f"has a {name} outside of {told} in {rows_named(found.numbers[bad])}")


def _other_names(found: Embeddings, there: Mapping[str, str | None]) -> dict[str, list[str]]:
    """Who is called otherwise than in the gallery, or of those who are new, than in their first row."""
    kept = dict(there)
    conflicts: dict[str, list[str]] = {}
    for person, name in zip(found.people, found.names, strict=True):
        if name is not None and kept.setdefault(person, name) != name:
            conflicts[person] = ["name"]
        kept.setdefault(person, name)
    return conflicts


def _space_of(found: Embeddings, said: TemplateSpace | None) -> TemplateSpace:
    """The space of a gallery that is made of them.

    Raises:
        SpaceError: The file and the user say different things, or nothing says it.
    """
    if said is not None:
        found.require_space(said)
        return replace(said, pooling="none")
    if found.space is None:
        told = "does not say what model made its vectors"
        model = "NAME"
        if found.fingerprint is not None:
            told = f"names the space {found.fingerprint} and not what it is made of"
            model = printable(found.made_by.model) if found.made_by is not None else model
        raise SpaceError(
            f"the file {told}; name the model of visavis that did (--model {model}), or give the space a name of its "
            "own, in which these vectors are compared among themselves (--foreign NAME)"
        )
    return replace(found.space, pooling="none")


def _require(found: Embeddings, own: TemplateSpace, *, space: TemplateSpace | None) -> None:
    if space is not None and space.fingerprint != own.fingerprint:
        raise SpaceError(
            f"the gallery is in space {own.fingerprint}; the model or name that was given stands for "
            f"{space.fingerprint}: import into a gallery of that space, or into a new file",
            reason="gallery.space",
        )
    if space is None and found.fingerprint is None:
        _space_of(found, None)
    found.require_space(own)


def _add(found: Embeddings, gallery: Gallery, *, where: str, said: bool) -> tuple[int, int]:
    people, samples = gallery.info.people, 0
    with gallery.transaction():
        for part in _samples(found, Path(where).name):
            samples += sum(number is not None for number in gallery.add_samples(part))
        added = gallery.info.people - people
        gallery.note(
            "imported",
            format=Path(where).suffix.lower(),
            people=added,
            samples=samples,
            known=len(found) - samples,
            space="said by the user" if said else "said by the file",
        )
    return added, samples


def _samples(found: Embeddings, name: str) -> Iterator[Sequence[NewSample]]:
    boxes, scores = np.nan_to_num(found.boxes), np.nan_to_num(found.scores)
    for start in range(0, len(found), _AT_ONCE):
        yield [
            NewSample(
                person=found.people[row],
                source=found.sources[row] or f"{name}#{found.numbers[row]}",
                sha256=found.digests[row] or _digest(found.vectors[row]),
                box=(float(boxes[row, 0]), float(boxes[row, 1]), float(boxes[row, 2]), float(boxes[row, 3])),
                score=float(scores[row]),
                quality=float(found.quality[row]),
                norm=float(np.nan_to_num(found.norms[row], nan=1.0)),
                vector=found.vectors[row],
                name=found.names[row],
            )
            for row in range(start, min(start + _AT_ONCE, len(found)))
        ]


def _digest(vector: NDArray[np.float32]) -> str:
    """Stands for the picture of a sample of which only the vector is known."""
    return hashlib.sha256(b"vector\x00" + np.ascontiguousarray(vector, "<f4").tobytes()).hexdigest()
