"""Columns of a table of embeddings, whatever format they were read from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.gallery.exchange.embeddings import (
    Embeddings,
    PersonRule,
    checked_embeddings,
    described,
    require_distinct,
    require_short,
    wrong,
)
from visavis.gallery.exchange.person_of import people_of_pictures
from visavis.types import Provenance, TemplateSpace

VECTORS = ("vector", "vectors")
PEOPLE, IDS, PICTURES = ("person", "people"), ("id", "ids"), ("image", "source", "path")
TEXTS = (*PEOPLE, *IDS, *PICTURES, "name", "sha256", "status", "space")
NUMBERS = ("score", "quality", "norm")
BOX = "box"

Columns = Mapping[str, NDArray[Any] | Sequence[str]]
"""Name -> values: arrays of numbers, and texts of `TEXTS`."""


def embeddings_of(
    where: str,
    columns: Columns,
    *,
    about: str | None = None,
    person: PersonRule | None = None,
    several: bool = False,
) -> Embeddings:
    """The embeddings in a table.

    Whom a row is of stands in ``person``, which may repeat; or in ``id``, which may not unless ``several``; or follows
    from the name of its picture. Rows whose ``status`` is not ``ok`` are left out.

    Args:
        where: The file, for messages.
        columns: Those of `VECTORS`, `TEXTS`, `NUMBERS` and `BOX` that the table has; others are not looked at.
        about: What the file says of the origin of its vectors, as `about_text` writes it.
        person: How the name of a picture names a person.
        several: Whether rows of one id are samples of one person.

    Raises:
        InputError: ``exchange.vectors``: a column is missing, or a row cannot be used.
        UsageError: A choice is needed, see `people_of_pictures`; or one that the table has no use for.
    """
    vectors = _one(columns, VECTORS)
    if vectors is None:
        raise wrong(where, f"has no column of vectors; it has {', '.join(sorted(columns)) or 'none'}")
    found = np.asarray(vectors)
    keep, notes = _good_rows(where, columns, len(found))
    texts = {name: _texts(where, name, columns[name], keep) for name in TEXTS if name in columns}
    numbers = {name: _numbers(where, name, columns[name])[keep] for name in (*NUMBERS, BOX) if name in columns}
    pictures = _one(texts, PICTURES)
    people = _people(where, texts, pictures, keep, person=person, several=several)
    space, made_by = _origin(where, about)
    return described(
        where,
        checked_embeddings(
            where,
            people=people,
            vectors=found[keep],
            sources=pictures,
            digests=texts.get("sha256"),
            boxes=numbers.get(BOX),
            scores=numbers.get("score"),
            quality=numbers.get("quality"),
            norms=numbers.get("norm"),
            names=[name or None for name in texts["name"]] if "name" in texts else None,
            numbers=keep,
            notes=notes,
        ),
        fingerprint=_fingerprint(where, texts, about),
        space=space,
        made_by=made_by,
    )


def columns_of(found: Embeddings) -> dict[str, Any]:
    """The table of some faces, as `embeddings_of` takes it; what is unknown is empty or NaN."""
    return {
        "person": list(found.people),
        "name": [name or "" for name in found.names],
        "image": list(found.sources),
        "sha256": list(found.digests),
        BOX: found.boxes,
        "score": found.scores,
        "quality": found.quality,
        "norm": found.norms,
        "space": [found.fingerprint or ""] * len(found),
        "vector": found.vectors,
    }


def about_text(space: TemplateSpace, made_by: Provenance) -> str:
    """What a file of embeddings says of their origin, as JSON."""
    return json.dumps({"space": space.fingerprint, "template_space": asdict(space), "made_by": made_by.to_dict()})


def space_of(record: Any) -> TemplateSpace:
    """A template space of its fields.

    Raises:
        ValueError: Fields that are missing, unknown or of another kind.
    """
    try:
        space = TemplateSpace(**{**record, "compatible": tuple(record.get("compatible", ()))})
    except (TypeError, AttributeError) as error:
        raise ValueError(f"no description of a template space: {error}") from error
    texts = (space.detector, space.landmarks, space.crop, space.recogniser, space.pooling, *space.compatible)
    if not all(isinstance(text, str) for text in texts) or type(space.flip) is not bool:
        raise ValueError("a template space is described in texts, and flip is true or false")
    if type(space.dimension) is not int or space.dimension < 1:
        raise ValueError(f"the dimension of a template space is a whole number; got {space.dimension!r}")
    return space


def provenance_of(record: Any) -> Provenance:
    """What computed templates, of its fields.

    Raises:
        ValueError: Fields that are missing, unknown or no texts.
    """
    try:
        made_by = Provenance(**record)
    except TypeError as error:
        raise ValueError(f"no description of what computed templates: {error}") from error
    if not all(isinstance(text, str) for text in made_by.to_dict().values()):
        raise ValueError("what computed templates is described in texts")
    return made_by


def _one(columns: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((columns[name] for name in names if name in columns), None)


def _texts(where: str, name: str, column: Any, keep: NDArray[np.int64]) -> list[str]:
    """A column as texts; ids may be whole numbers, bytes are UTF-8."""
    if isinstance(column, np.ndarray) and (column.dtype.kind not in "iuUS" or column.ndim != 1):
        raise wrong(
            where,
            f"has the column {name!r} as {column.dtype} {column.shape}; expected are texts, or whole numbers for ids, "
            "one a row",
        )
    values = column.tolist() if isinstance(column, np.ndarray) else list(column)
    texts = [value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
             for value in (values[row] for row in keep)]  # fmt: skip
    require_short(where, name, texts)
    return texts


def _numbers(where: str, name: str, column: Any) -> NDArray[Any]:
    """A column of numbers, one a row, or four of a box."""
    values = np.asarray(column)
    wanted = (len(values), 4) if name == BOX else (len(values),)
    if values.dtype.kind not in "fiu" or values.shape != wanted:
        raise wrong(where, f"has the column {name!r} as {values.dtype} {values.shape}; expected are numbers {wanted}")
    return values


def _good_rows(where: str, columns: Columns, count: int) -> tuple[NDArray[np.int64], list[str]]:
    for name in (*TEXTS, *NUMBERS, BOX):
        if name in columns and len(columns[name]) != count:
            raise wrong(where, f"has {count} vectors and {len(columns[name])} rows of {name!r}")
    if "status" not in columns:
        return np.arange(count), []
    good = np.array([str(value) == "ok" for value in columns["status"]], np.bool_)
    lost = int((~good).sum())
    return np.flatnonzero(good), [f"{lost} failed rows were left out"] if lost else []


def _people(
    where: str,
    texts: Mapping[str, list[str]],
    pictures: list[str] | None,
    numbers: NDArray[np.int64],
    *,
    person: PersonRule | None,
    several: bool,
) -> list[str]:
    people, ids = _one(texts, PEOPLE), _one(texts, IDS)
    if person is not None and (people is not None or ids is not None):
        raise UsageError(f"{where} names its people itself; --person is for files that name pictures alone")
    if several and (people is not None or ids is None):
        raise UsageError(f"{where} has no column id that would need --several; rows of one person may repeat")
    if people is not None:
        return list(people)
    if ids is not None:
        if not several:
            require_distinct(where, ids, numbers)
        return list(ids)
    if pictures is None:
        raise wrong(where, "names no people: it needs a column person, id or image")
    return people_of_pictures(where, pictures, person, numbers)


def _fingerprint(where: str, texts: Mapping[str, list[str]], about: str | None) -> str | None:
    told = _parsed(where, about).get("space") if about else None
    found = (set(texts.get("space", ())) | ({told} if isinstance(told, str) else set())) - {""}  # empty: not known
    if len(found) > 1:
        raise wrong(where, f"holds templates of several spaces: {', '.join(sorted(found)[:3])}; import them apart")
    return found.pop() if found else None


def _origin(where: str, about: str | None) -> tuple[TemplateSpace | None, Provenance | None]:
    record = _parsed(where, about) if about else {}
    try:
        space = space_of(record["template_space"]) if "template_space" in record else None
        return space, provenance_of(record["made_by"]) if "made_by" in record else None
    except ValueError as error:
        raise wrong(where, f"does not say where its templates come from ({error})") from error


def _parsed(where: str, about: str) -> dict[str, Any]:
    try:
        record = json.loads(about)
    except (ValueError, RecursionError) as error:
        raise wrong(where, f"has a description that is no JSON ({error})") from error
    if not isinstance(record, dict):
        raise wrong(where, "has a description that is no JSON object")
    return record
