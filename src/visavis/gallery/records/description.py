"""What a gallery is."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sql

from visavis.gallery.info import GalleryInfo
from visavis.gallery.records import tables as t
from visavis.gallery.records.failures import damaged
from visavis.gallery.records.store import Transaction
from visavis.types import Provenance, TemplateSpace


def describe(transaction: Transaction, path: Path) -> GalleryInfo:
    """What a gallery is.

    Raises:
        InputError: ``gallery.damaged``.
    """
    row = transaction.connection.execute(sql.select(t.gallery)).one()
    try:
        made_by = Provenance(**row.made_by)
        space = TemplateSpace(**{**row.space, "compatible": tuple(row.space.get("compatible", ()))})
    except (TypeError, AttributeError) as error:
        raise damaged(path, "its template space or what made its templates cannot be read") from error
    if space.fingerprint != row.fingerprint:
        raise damaged(path, f"it says that it is in space {row.fingerprint}, and describes {space.fingerprint}")
    counts = [sql.select(sql.func.count()).select_from(table) for table in (t.person, t.sample)]
    people, samples = (int(transaction.connection.execute(count).scalar_one()) for count in counts)
    return GalleryInfo(
        row.uuid,
        space,
        made_by,
        row.storage,
        row.keep_crops,
        row.created,
        str(transaction.connection.execute(sql.select(t.version.c.version_num)).scalar()),
        row.revision,
        people,
        samples,
    )
