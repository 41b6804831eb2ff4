"""Samples: added in one piece, looked up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sql
from numpy.typing import NDArray

from visavis.errors import InputError, UsageError
from visavis.gallery.accepted import check_id, check_sha256, check_text, storable_source
from visavis.gallery.person import require_usable
from visavis.gallery.records import tables as t
from visavis.gallery.records.people import add_people, by_ids, find, values_of
from visavis.gallery.records.rows import portions, refresh
from visavis.gallery.records.store import Transaction
from visavis.gallery.records.templates import check_vectors, decode, encode
from visavis.gallery.sample import Box, NewSample, Sample

_COMPRESSION = 1
"""Of crops: pictures are enrolled a fifth faster for 7 % more bytes."""
_LEAST_SIDE, _LARGEST_SIDE = 1, 4096
_LONGEST_NAME = 200


def place(box: Box) -> str:
    """A box rounded to whole pixels, as text."""
    return ",".join(str(round(float(side))) for side in box)


def check_samples(samples: Sequence[NewSample], dimension: int) -> NDArray[np.float32]:
    """Refuse samples that cannot be kept, before anything is written.

    Returns:
        The vectors, float32 ``(N, D)``.

    Raises:
        InputError: An id or metadata that is not accepted.
        UsageError: Numbers, vectors or crops that are none.
    """
    for row, sample in enumerate(samples):
        check_id(sample.person)
        check_sha256(sample.sha256)
        if not isinstance(sample.source, str):
            raise UsageError(f"sample {row}: the source is text; got {type(sample.source).__name__}")
        numbers = np.array([*sample.box, sample.score, sample.norm], np.float64)
        if len(sample.box) != 4 or not np.isfinite(numbers).all() or np.abs(numbers).max() > 1e9:
            raise UsageError(f"sample {row}: four sides of the box, score and norm are finite numbers; got {numbers}")
        if not np.isnan(sample.quality) and not 0 <= sample.quality <= 100:
            raise UsageError(f"sample {row}: quality is 0..100, or NaN; got {sample.quality}")
        _check_crop(row, sample)
    return check_vectors([sample.vector for sample in samples], dimension)


def png_of(sample: NewSample) -> bytes | None:
    """The crop as PNG; None where there is none."""
    from visavis.io import to_bytes

    return None if sample.crop is None else to_bytes(sample.crop, compression=_COMPRESSION)


def add(
    transaction: Transaction, samples: Sequence[NewSample], vectors: NDArray[np.float32], crops: Sequence[bytes | None]
) -> list[int | None]:
    """Add those samples that are not there, with their people.

    Args:
        transaction: A write.
        samples: Checked by `check_samples`.
        vectors: Of the samples ``(N, D)``.
        crops: PNG of each, or None.

    Returns:
        The number of each sample; None where it was there already, or twice among these.

    Raises:
        InputError: ``gallery.consent``: somebody of them expired or withdrew consent.
    """
    known = by_ids(transaction, {sample.person for sample in samples})
    for person in known.values():
        require_usable(person, transaction.now)
    made = {
        sample.person: values_of(name=sample.name, metadata=sample.metadata)
        for sample in reversed(samples)
        if sample.person not in known
    }
    add_people(transaction, {sample.person: made[sample.person] for sample in samples if sample.person in made})
    people = known | by_ids(transaction, made)
    keys = {person: found.key for person, found in people.items()}
    fresh = _fresh(transaction, samples, keys)
    numbers = transaction.take(t.gallery.c.next_sample, len(fresh)) if fresh else range(0)
    result: list[int | None] = [None] * len(samples)
    for row, number in zip(fresh, numbers, strict=True):
        result[row] = number
    if fresh:
        _insert(transaction, samples, vectors, crops, keys, dict(zip(fresh, numbers, strict=True)))
        refresh(transaction, {keys[samples[row].person] for row in fresh})
    if fresh or made:
        transaction.log("added", samples=len(fresh), known=len(samples) - len(fresh), people=len(made))
    return result


def of_person(transaction: Transaction, person: str) -> list[Sample]:
    """The samples of a person, in the order in which they were added."""
    found = find(transaction, person)
    query = samples_query().where(t.sample.c.person == found.key).order_by(t.sample.c.id)
    return [sample_of(row) for row in transaction.connection.execute(query)]


def one(transaction: Transaction, number: int) -> Sample:
    """The sample of a number.

    Raises:
        InputError: ``gallery.sample``: there is none.
    """
    row = transaction.connection.execute(samples_query().where(t.sample.c.id == t.number(number))).first()
    if row is None:
        raise InputError(
            f"there is no sample {number} in this gallery; visavis gallery show FILE PERSON lists those of a person",
            reason="gallery.sample",
        )
    return sample_of(row)


def known(transaction: Transaction, pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of the pairs of a person's id and the sha256 of a picture of which a sample is there."""
    wanted = set(pairs)
    found: set[tuple[str, str]] = set()
    for portion in portions({sha256 for _, sha256 in wanted}):
        query = (
            sql.select(t.person.c.person, t.sample.c.sha256)
            .join(t.person, t.person.c.key == t.sample.c.person)
            .where(t.sample.c.sha256.in_(portion))
        )
        found |= {(row.person, row.sha256) for row in transaction.connection.execute(query)}
    return found & wanted


def natural_keys(transaction: Transaction, digests: Iterable[str]) -> set[tuple[int, str, str]]:
    """Key of the person, sha256 and place of every sample of these pictures."""
    found: set[tuple[int, str, str]] = set()
    for portion in portions(digests):
        query = sql.select(t.sample.c.person, t.sample.c.sha256, t.sample.c.place)
        rows = transaction.connection.execute(query.where(t.sample.c.sha256.in_(portion)))
        found |= {(row.person, row.sha256, row.place) for row in rows}
    return found


def crop_png(transaction: Transaction, number: int) -> bytes | None:
    """The crop of a sample as PNG; None where none is kept."""
    one(transaction, number)
    found = transaction.connection.execute(sql.select(t.crop.c.png).where(t.crop.c.sample == t.number(number))).scalar()
    return None if found is None else bytes(found)


def vectors(transaction: Transaction, numbers: Sequence[int]) -> NDArray[np.float32]:
    """Templates of samples, float32 ``(N, D)``, unit norm.

    Raises:
        InputError: ``gallery.sample``: one is not there.
    """
    data: dict[int, bytes] = {}
    for portion in portions({t.number(number) for number in numbers}):
        query = sql.select(t.template.c.sample, t.template.c.data).where(
            t.template.c.sample.in_(portion), t.template.c.fingerprint == transaction.fingerprint
        )
        data |= {row.sample: row.data for row in transaction.connection.execute(query)}
    for number in numbers:
        if number not in data:
            one(transaction, number)
    return decode([data[number] for number in numbers], transaction.storage, transaction.dimension)


def _fresh(transaction: Transaction, samples: Sequence[NewSample], keys: Mapping[str, int]) -> list[int]:
    """Rows of the samples that are not there, the first of those that are equal."""
    taken = natural_keys(transaction, {sample.sha256 for sample in samples})
    fresh = []
    for row, sample in enumerate(samples):
        natural = (keys[sample.person], sample.sha256, place(sample.box))
        if natural not in taken:
            taken.add(natural)
            fresh.append(row)
    return fresh


def _insert(
    transaction: Transaction,
    samples: Sequence[NewSample],
    vectors: NDArray[np.float32],
    crops: Sequence[bytes | None],
    keys: Mapping[str, int],
    numbers: Mapping[int, int],
) -> None:
    connection = transaction.connection
    rows = [_columns(samples[row], keys, number, transaction) for row, number in numbers.items()]
    connection.execute(t.sample.insert(), rows)
    data = encode(vectors[list(numbers)], transaction.storage)
    templates = [
        {"sample": number, "fingerprint": transaction.fingerprint, "norm": float(samples[row].norm), "data": piece}
        for (row, number), piece in zip(numbers.items(), data, strict=True)
    ]
    connection.execute(t.template.insert(), templates)
    pictures = [
        {"sample": number, "template": samples[row].crop_template, "png": crops[row]}
        for row, number in numbers.items()
        if crops[row] is not None
    ]
    if pictures and transaction.keep_crops:
        connection.execute(t.crop.insert(), pictures)


def _columns(sample: NewSample, keys: Mapping[str, int], number: int, transaction: Transaction) -> dict[str, Any]:
    left, top, right, bottom = (float(side) for side in sample.box)
    return {
        "id": number,
        "person": keys[sample.person],
        "sha256": sample.sha256,
        "place": place(sample.box),
        "source": storable_source(sample.source),
        "left": left,
        "top": top,
        "right": right,
        "bottom": bottom,
        "score": float(sample.score),
        "quality": None if np.isnan(sample.quality) else float(sample.quality),
        "created": transaction.now,
    }


def _check_crop(row: int, sample: NewSample) -> None:
    if sample.crop is None:
        return
    shape, kind = np.shape(sample.crop), np.asarray(sample.crop).dtype
    fits = len(shape) == 3 and shape[2] == 3 and all(_LEAST_SIDE <= side <= _LARGEST_SIDE for side in shape[:2])
    if kind != np.uint8 or not fits:
        raise UsageError(f"sample {row}: a crop is uint8 RGB (H, W, 3); got {kind} {shape}")
    if not check_text(sample.crop_template, "name of a crop's template") or len(sample.crop_template) > _LONGEST_NAME:
        raise UsageError(f"sample {row}: a crop needs the name of its template, for example arcface-112")


def samples_query() -> sql.Select[Any]:
    """All samples with person, norm and crop template, for `sample_of`; in the space of the gallery."""
    return (
        sql.select(
            t.sample, t.person.c.person.label("owner"), t.template.c.norm, t.crop.c.template.label("crop_template")
        )
        .join(t.person, t.person.c.key == t.sample.c.person)
        .join(t.gallery, t.gallery.c.id == 1)
        .join(
            t.template,
            sql.and_(t.template.c.sample == t.sample.c.id, t.template.c.fingerprint == t.gallery.c.fingerprint),
        )
        .outerjoin(t.crop, t.crop.c.sample == t.sample.c.id)
    )


def sample_of(row: Any) -> Sample:
    """The sample of a row of `samples_query`."""
    return Sample(
        row.id,
        row.owner,
        row.source,
        row.sha256,
        (row.left, row.top, row.right, row.bottom),
        row.score,
        float("nan") if row.quality is None else row.quality,
        row.norm,
        row.crop_template,
        row.created,
    )
