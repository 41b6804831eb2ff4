"""Embeddings as NumPy archives: what `visavis embed` writes, and plain ``ids`` with ``vectors``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from visavis.gallery.exchange.columns import BOX, NUMBERS, TEXTS, VECTORS, about_text, columns_of, embeddings_of
from visavis.gallery.exchange.embeddings import Embeddings, PersonRule, wrong
from visavis.gallery.exchange.target import no_database
from visavis.io.atomic import output_file
from visavis.io.npz import read_npz, write_npz

_META = "meta"


def read_npz_embeddings(path: str | Path, *, person: PersonRule | None = None, several: bool = False) -> Embeddings:
    """The embeddings of an ``.npz`` file.

    Either that of ``visavis embed``: ``vector`` with ``image``, ``box``, ``score``, ``norm``, ``status`` and the
    origin in ``meta``; or ``ids`` with ``vectors``.

    Args:
        path: The file.
        person: How the name of a picture names a person, where the file names none.
        several: Whether rows of one id are samples of one person.

    Raises:
        UnreadableError: The file cannot be read.
        InputError: ``arrays``: it is no such archive, is hostile, or holds objects; ``exchange.vectors``: a row or
            column cannot be used.
        UsageError: A choice is needed; see `people_of_pictures`.
    """
    arrays = read_npz(path)
    about = arrays.pop(_META, None)
    if about is not None and (about.ndim or about.dtype.kind != "U"):
        raise wrong(str(path), f"has {_META} as {about.dtype} {about.shape}; expected is one text")
    known = {name: value for name, value in arrays.items() if name in (*VECTORS, *TEXTS, *NUMBERS, BOX)}
    scalar = next((name for name, value in known.items() if not value.ndim), None)
    if scalar is not None:
        raise wrong(str(path), f"has {scalar} as a single value; expected is a row a face")
    return embeddings_of(str(path), known, about=None if about is None else str(about), person=person, several=several)


def write_npz_embeddings(path: str | Path, found: Embeddings) -> Path:
    """Write faces as an ``.npz`` that `read_npz_embeddings` and ``numpy.load`` without pickles read.

    Raises:
        UsageError: The path cannot be written.
    """
    arrays = columns_of(found)
    if found.space is not None and found.made_by is not None:
        arrays[_META] = np.array(about_text(found.space, found.made_by))
    target = no_database(path)
    with output_file(target) as file:
        write_npz(file, arrays)
    return target
