"""The faces of a gallery as embeddings for other programs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError
from visavis.gallery.exchange.csv_file import harmless, write_csv_embeddings
from visavis.gallery.exchange.embeddings import Embeddings
from visavis.gallery.exchange.faiss_file import SIDECAR, write_faiss_embeddings
from visavis.gallery.exchange.npz_file import write_npz_embeddings
from visavis.gallery.exchange.parquet_file import write_parquet_embeddings
from visavis.gallery.exchange.target import no_database
from visavis.gallery.person import may_be_found
from visavis.io.atomic import write_output
from visavis.io.csv_rows import csv_rows

if TYPE_CHECKING:
    from visavis.gallery.gallery import Gallery

WRITERS: dict[str, Callable[[str | Path, Embeddings], Path]] = {
    ".npz": write_npz_embeddings,
    ".csv": write_csv_embeddings,
    ".parquet": write_parquet_embeddings,
}
"""Formats of one row a face, by suffix."""
FAISS = ".faiss"
_SIDES = ("left", "top", "right", "bottom")
_COLUMNS = ("person", "source", "sha256", "norm", "score", "quality", *_SIDES)


def embeddings_of_gallery(gallery: Gallery) -> Embeddings:
    """The samples of everybody who may be found at this moment, a row each.

    Raises:
        InputError: ``gallery.empty``: there are none.
    """
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    parts: list[NDArray[np.float32]] = []
    with gallery.snapshot() as snapshot:
        info = snapshot.info
        listed = [row for page in snapshot.people() for row in page]
        now = datetime.now(UTC)
        usable = {row["key"]: row for row in listed if may_be_found(row["consent_withdrawn"], row["expires"], now=now)}
        for page, vectors in snapshot.samples():
            keep = [place for place, row in enumerate(page) if row["person"] in usable]
            for name, values in columns.items():
                values += [page[place][name] for place in keep]
            parts.append(vectors[keep])
    if not columns["person"]:
        raise _empty(gallery)
    lost = len(listed) - len(usable)
    numbers = {name: np.array(columns[name], np.float32) for name in ("norm", "score", "quality", *_SIDES)}
    return Embeddings(
        people=tuple(usable[key]["person"] for key in columns["person"]),
        vectors=np.concatenate(parts),
        norms=numbers["norm"],
        sources=tuple(columns["source"]),
        digests=tuple(columns["sha256"]),
        boxes=np.stack([numbers[side] for side in _SIDES], axis=1),
        scores=numbers["score"],
        quality=numbers["quality"],
        names=tuple(usable[key]["name"] for key in columns["person"]),
        numbers=np.arange(len(columns["person"])),
        fingerprint=info.space.fingerprint,
        space=info.space,
        made_by=info.made_by,
        notes=(f"{lost} people who expired or withdrew consent were left out",) if lost else (),
    )


def write_faiss_gallery(gallery: Gallery, path: str | Path) -> int:
    """Write a FAISS index with one vector a person, the one that searches compare, and a table of who they are.

    The ids are the keys of the people; the table ``NAME.faiss.people.csv`` has ``id, person, name``.

    Returns:
        Number of people.

    Raises:
        InputError: ``gallery.empty``: there are none.
        UsageError: A path cannot be written.
        DependencyError: faiss is not installed.
    """
    target, names = no_database(path), no_database(f"{path}{SIDECAR}")
    rows: dict[int, NDArray[np.float32]] = {}
    for part in gallery.changes(0):
        for gone in part.removed.tolist():
            rows.pop(gone, None)
        rows |= dict(zip(part.keys.tolist(), part.vectors, strict=True))
    # Who may be found is asked last: nobody goes out who withdrew or expired while the rows were read.
    usable = {person.key: person for person in gallery.people() if person.usable()}
    keys = sorted(rows.keys() & usable.keys())
    if not keys:
        raise _empty(gallery)
    table = [(key, harmless(usable[key].person), harmless(usable[key].name or "")) for key in keys]
    write_output(names, csv_rows(("id", "person", "name"), table))  # first: without it ids are taken for people
    write_faiss_embeddings(target, np.stack([rows[key] for key in keys]), np.array(keys, np.int64))
    return len(keys)


def _empty(gallery: Gallery) -> InputError:
    return InputError(
        f"the gallery {gallery.path} has no sample of anybody who may be found; there is nothing to write",
        reason="gallery.empty",
    )
