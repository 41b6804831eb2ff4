"""Embeddings of a file of any kind that is read, by its suffix."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from visavis.errors import UsageError
from visavis.gallery.exchange.columns import embeddings_of
from visavis.gallery.exchange.csv_file import read_csv_embeddings
from visavis.gallery.exchange.deepface_file import read_deepface_embeddings
from visavis.gallery.exchange.embeddings import Embeddings, PersonRule, described
from visavis.gallery.exchange.faiss_file import read_faiss_embeddings
from visavis.gallery.exchange.npz_file import read_npz_embeddings
from visavis.gallery.exchange.parquet_file import read_parquet_embeddings
from visavis.io.files import open_regular
from visavis.recognition.compact_file import SUFFIX, read_compact

_TABLES: dict[str, Callable[..., Embeddings]] = {
    ".npz": read_npz_embeddings,
    ".csv": read_csv_embeddings,
    ".parquet": read_parquet_embeddings,
}
SUFFIXES = (*_TABLES, SUFFIX, ".faiss", ".index", ".pkl")
"""Formats that are read; ``.index`` is a FAISS index too, and ``.pkl`` a datastore of DeepFace."""


def read_embeddings(path: str | Path, *, person: PersonRule | None = None, several: bool = False) -> Embeddings:
    """The embeddings of a file.

    Args:
        path: A file with one of `SUFFIXES`.
        person: How the name of a picture names a person, where the file names none: ``folder`` or ``file``.
        several: Whether rows of one id are samples of one person.

    Raises:
        UnreadableError: The file cannot be read.
        InputError: It is none of its kind, or hostile, or a row cannot be used.
        UsageError: Another suffix, an option that this kind of file has no use for, or a choice is needed.
        DependencyError: A package is needed.
    """
    suffix = Path(path).suffix.lower()
    if suffix in _TABLES:
        return _TABLES[suffix](path, person=person, several=several)
    readers: dict[str, Callable[[], Embeddings]] = {
        SUFFIX: partial(_compact, path, person),
        ".pkl": partial(read_deepface_embeddings, path, person=person),
        ".faiss": partial(read_faiss_embeddings, path, several=several),
        ".index": partial(read_faiss_embeddings, path, several=several),
    }
    if suffix not in readers:
        os.close(open_regular(os.fspath(path)))  # what is not there has no format
        raise UsageError(f"embeddings are read from {' '.join(SUFFIXES)}; got {str(path)!r}")
    if several and suffix in (SUFFIX, ".pkl"):
        raise UsageError(f"a file {suffix} has pictures and no ids; --several is for ids")
    if person is not None and suffix in (".faiss", ".index"):
        raise UsageError("a FAISS index has ids and no pictures; --person is for names of pictures")
    return readers[suffix]()


def _compact(path: str | Path, person: PersonRule | None) -> Embeddings:
    """The templates of a file of one byte a value."""
    templates = read_compact(path)
    if templates.names is None:
        raise UsageError(f"{path} holds no names of pictures; embed with visavis embed --out NAME{SUFFIX}")
    decoded = templates.decoded()
    columns: dict[str, Any] = {
        "image": list(templates.names),
        "vector": np.asarray(decoded.vectors),
        "status": ["ok" if failure is None else "failed" for failure in decoded.status],
    }
    found = embeddings_of(str(path), columns, person=person)
    space = templates.space
    return described(str(path), found, fingerprint=space.fingerprint, space=space, made_by=templates.made_by)
