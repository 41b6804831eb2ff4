"""Which people have a row in an index, and which row: kept right in the transaction that changes their samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sql
from numpy.typing import NDArray

from visavis.gallery.records import tables as t
from visavis.gallery.records.store import Transaction
from visavis.gallery.records.templates import decode, encode
from visavis.types.pooled import pooled_directions, quality_weights

PORTION = 500
"""How many keys one statement names; databases limit it."""
_SAMPLES = 5000
"""How many samples are read at once, but for one person who has more."""


def portions(items: Iterable[Any]) -> Iterator[list[Any]]:
    """The items in lists that one statement can name."""
    listed = list(items)
    for start in range(0, len(listed), PORTION):
        yield listed[start : start + PORTION]


def refresh(transaction: Transaction, keys: Iterable[int]) -> None:
    """Work out the rows of these people again, and tell followers of the gallery.

    A person without a sample, or whose consent was withdrawn, has no row.

    Args:
        transaction: A write.
        keys: People; those that are not there are gone from the index too.
    """
    for portion in by_samples(transaction, sorted(set(keys))):
        _refresh(transaction, portion)


def by_samples(transaction: Transaction, keys: Sequence[int]) -> Iterator[list[int]]:
    """People in lists that one statement can name, whose samples fit into memory; one of many is alone."""
    for portion in portions(keys):
        counted = sql.select(t.sample.c.person, sql.func.count()).where(t.sample.c.person.in_(portion))
        rows = transaction.connection.execute(counted.group_by(t.sample.c.person))
        counts: dict[int, int] = {row[0]: row[1] for row in rows}
        part: list[int] = []
        held = 0
        for key in portion:
            count = counts.get(key, 0)
            if part and held + count > _SAMPLES:
                yield part
                part, held = [], 0
            part.append(key)
            held += count
        yield part


def forget(transaction: Transaction, keys: Sequence[int]) -> None:
    """Tell followers that these people have no row any more."""
    connection = transaction.connection
    for portion in portions(keys):
        connection.execute(t.removal.delete().where(t.removal.c.person.in_(portion)))
        connection.execute(t.removal.insert(), [{"person": key, "revision": transaction.revision} for key in portion])


def _refresh(transaction: Transaction, keys: list[int]) -> None:
    connection = transaction.connection
    state = sql.select(t.person.c.key, t.person.c.changed, t.person.c.consent_withdrawn).where(t.person.c.key.in_(keys))
    people = connection.execute(state.order_by(t.person.c.key)).all()
    owners, ids, fused = _pooled(transaction, keys)
    count = {key: int(number) for key, number in zip(*np.unique(owners, return_counts=True), strict=True)}
    first = dict(zip(owners[::-1].tolist(), ids[::-1].tolist(), strict=True))
    connection.execute(t.fused.delete().where(t.fused.c.person.in_(keys)))
    if fused:
        connection.execute(t.fused.insert(), [{"person": key, "data": data} for key, data in fused.items()])
    has_row = {row.key for row in people if row.key in count and row.consent_withdrawn is None}
    if people:
        connection.execute(
            _UPDATE,
            [
                {
                    "of": row.key,
                    "number": count.get(row.key, 0),
                    "only": first[row.key] if count.get(row.key) == 1 else None,
                    "revision": transaction.revision if row.key in has_row else None,
                }
                for row in people
            ],
        )
    connection.execute(t.removal.delete().where(t.removal.c.person.in_(has_row)))
    gone = [row.key for row in people if row.changed is not None and row.key not in has_row]
    forget(transaction, gone)


_UPDATE = (
    t.person.update()
    .where(t.person.c.key == sql.bindparam("of"))
    .values(samples=sql.bindparam("number"), sole=sql.bindparam("only"), changed=sql.bindparam("revision"))
)


def _pooled(transaction: Transaction, keys: list[int]) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[int, bytes]]:
    """Owner and number of each sample of these people, by owner; pooled templates of those who have several."""
    rows = transaction.connection.execute(samples_of(keys, transaction.fingerprint)).all()
    owners = np.array([row.person for row in rows], np.int64)
    ids = np.array([row.id for row in rows], np.int64)
    people, numbers = np.unique(owners, return_counts=True)
    several = np.isin(owners, people[numbers > 1])
    chosen = [row for row, wanted in zip(rows, several, strict=True) if wanted]
    if not chosen:
        return owners, ids, {}
    vectors = decode([row.data for row in chosen], transaction.storage, transaction.dimension)
    quality = np.array([np.nan if row.quality is None else row.quality for row in chosen])
    people, starts = np.unique(owners[several], return_index=True)
    means = fuse(vectors, quality, starts)
    return owners, ids, dict(zip(people.tolist(), encode(means, transaction.storage), strict=True))


def samples_of(keys: list[int], fingerprint: str) -> sql.Select[Any]:
    """The samples of some people with their templates, by person, then by number."""
    return (
        sql.select(t.sample.c.person, t.sample.c.id, t.sample.c.quality, t.template.c.data)
        .join(t.template, sql.and_(t.template.c.sample == t.sample.c.id, t.template.c.fingerprint == fingerprint))
        .where(t.sample.c.person.in_(keys))
        .order_by(t.sample.c.person, t.sample.c.id)
    )


def fuse(
    vectors: NDArray[np.float32], quality: NDArray[np.floating], starts: NDArray[np.integer]
) -> NDArray[np.float32]:
    """The template of each person: the mean of the samples, weighted by quality, at unit length.

    Where the samples of a person cancel each other out, the first of the best quality stands for all.

    Args:
        vectors: float32 ``(N, D)``, those of a person one after the other.
        quality: ``(N,)``, 0..100 or NaN.
        starts: First row of each person ``(P,)``.

    Returns:
        float32 ``(P, D)``, unit norm.
    """
    weights = quality_weights(quality)
    means = pooled_directions(vectors, weights, starts)
    ends = [*starts[1:], len(vectors)]
    for row in np.flatnonzero(np.isnan(means).any(axis=1)):
        means[row] = vectors[starts[row] + int(np.argmax(weights[starts[row] : ends[row]]))]
    return means
