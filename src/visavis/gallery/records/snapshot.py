"""A whole gallery as rows, told page by page as it is at one moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sql
from numpy.typing import NDArray

from visavis.gallery.info import GalleryInfo
from visavis.gallery.records import tables as t
from visavis.gallery.records.description import describe
from visavis.gallery.records.store import Transaction
from visavis.gallery.records.templates import decode

Row = dict[str, Any]
PERSON_FIELDS = ("name", "metadata", "consent_basis", "consent_given", "consent_withdrawn", "expires")
"""Columns that say who somebody is."""

_PAGE, _PICTURES = 5000, 200


class Snapshot:
    """The rows of a gallery; see `visavis.gallery.gallery_transfer.GalleryTransfer.snapshot`."""

    def __init__(self, transaction: Transaction, path: Path) -> None:
        self._transaction = transaction
        self._path = path

    @property
    def info(self) -> GalleryInfo:
        """What the gallery is."""
        return describe(self._transaction, self._path)

    @property
    def next_numbers(self) -> tuple[int, int]:
        """The numbers that the next person and the next sample get."""
        row = self._transaction.connection.execute(sql.select(t.gallery.c.next_person, t.gallery.c.next_sample)).one()
        return int(row.next_person), int(row.next_sample)

    def people(self) -> Iterator[list[Row]]:
        """Everybody, in the order in which they were added."""
        columns = [t.person.c[name] for name in ("key", "person", *PERSON_FIELDS, "created")]
        return self._pages(sql.select(*columns).order_by(t.person.c.key))

    def samples(self) -> Iterator[tuple[list[Row], NDArray[np.float32]]]:
        """All samples in the order in which they were added.

        Yields:
            Rows ``id, person`` (the key), ``sha256, source, left, top, right, bottom, score, quality, norm, created``,
            and their templates of the gallery's space, float32 ``(N, D)``.
        """
        state = self._transaction
        of_space = sql.and_(t.template.c.sample == t.sample.c.id, t.template.c.fingerprint == state.fingerprint)
        query = sql.select(t.sample, t.template.c.norm, t.template.c.data).join(t.template, of_space)
        for page in self._pages(query.order_by(t.sample.c.id)):
            yield page, decode([row["data"] for row in page], state.storage, state.dimension)

    def crops(self) -> Iterator[list[Row]]:
        """All crops: ``sample, template, png``."""
        return self._pages(sql.select(t.crop).order_by(t.crop.c.sample), page=_PICTURES)

    def corrections(self) -> Iterator[list[Row]]:
        """All corrections, oldest first."""
        return self._pages(sql.select(t.correction).order_by(t.correction.c.id))

    def events(self) -> Iterator[list[Row]]:
        """All events, oldest first."""
        return self._pages(sql.select(t.event).order_by(t.event.c.id))

    def _pages(self, query: sql.Select[Any], *, page: int = _PAGE) -> Iterator[list[Row]]:
        for rows in (
            self._transaction.connection.execute(query.execution_options(yield_per=page)).mappings().partitions()
        ):
            yield [dict(row) for row in rows]
