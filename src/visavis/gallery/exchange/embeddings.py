"""Embeddings with the people they are of, as they come out of a file of any format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError, SpaceError, UsageError
from visavis.io._unreadable import printable
from visavis.types import Provenance, TemplateSpace

PersonRule = Literal["folder", "file"]
PERSON_RULES: tuple[PersonRule, ...] = ("folder", "file")
LONGEST = 1 << 16
"""Values of a vector at most."""

LONGEST_TEXT = 1 << 15
"""Characters of an id, a name or the path of a picture at most; a file may repeat one a million times."""

UNIT = 1e-3
"""How far the length of a unit vector may be from 1."""
_SHOWN = 5
_COLUMNS = ("people", "vectors", "norms", "sources", "digests", "boxes", "scores", "quality", "names", "numbers")


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """Faces of people, a row each; none failed.

    Attributes:
        people: Whom each row is of.
        vectors: float32 ``(N, D)``, unit norm.
        norms: float32 ``(N,)``: lengths before they were made unit vectors, as far as known.
        sources: Name of each row's picture; empty where unknown.
        digests: sha256 of each row's picture; empty where unknown.
        boxes: float32 ``(N, 4)`` xyxy pixels; NaN where unknown.
        scores: float32 ``(N,)`` of the detector; NaN where unknown.
        quality: float32 ``(N,)`` in 0..100; NaN where unknown.
        names: What each row's person is called; None where unknown.
        numbers: int64 ``(N,)``: which row of the file each is, counted from 0; some of the file are left out.
        fingerprint: Of the template space, where the file says it.
        space: The template space, where the file says it in full.
        made_by: What computed the vectors, where the file says it.
        notes: What a reader should know: rows left out, vectors that were divided by their length.
    """

    people: tuple[str, ...]
    vectors: NDArray[np.float32]
    norms: NDArray[np.float32]
    sources: tuple[str, ...]
    digests: tuple[str, ...]
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    quality: NDArray[np.float32]
    names: tuple[str | None, ...]
    numbers: NDArray[np.int64]
    fingerprint: str | None = None
    space: TemplateSpace | None = None
    made_by: Provenance | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.people)

    @property
    def dimension(self) -> int:
        """D."""
        return int(self.vectors.shape[1])

    def rows(self, keep: Sequence[int]) -> Embeddings:
        """Some of the rows."""
        chosen = np.asarray(keep, np.int64)
        fields: dict[str, Any] = {name: getattr(self, name) for name in _COLUMNS}
        kept: dict[str, Any] = {
            name: value[chosen] if isinstance(value, np.ndarray) else tuple(value[row] for row in chosen)
            for name, value in fields.items()
        }
        return replace(self, **kept)

    def require_space(self, space: TemplateSpace) -> None:
        """Refuse a space that these embeddings cannot be of.

        Raises:
            SpaceError: Another fingerprint than the file says, or another dimension.
        """
        if self.fingerprint is not None and self.fingerprint != space.fingerprint:
            raise SpaceError(
                f"the file says its templates are of space {self.fingerprint}; the gallery, or the model that was "
                f"named, is of space {space.fingerprint}: name the model, detector and flip rule that made the file"
            )
        if self.dimension != space.dimension:
            raise SpaceError(
                f"the file holds vectors of {self.dimension} values, the gallery or model that was named has "
                f"{space.dimension}; name the model that made the file"
            )


def checked_embeddings(
    where: str,
    *,
    people: Sequence[str],
    vectors: NDArray[Any],
    sources: Sequence[str] | None = None,
    digests: Sequence[str] | None = None,
    boxes: NDArray[Any] | None = None,
    scores: NDArray[Any] | None = None,
    quality: NDArray[Any] | None = None,
    norms: NDArray[Any] | None = None,
    names: Sequence[str | None] | None = None,
    numbers: NDArray[np.int64] | None = None,
    notes: Sequence[str] = (),
) -> Embeddings:
    """Embeddings whose rows have been looked at; vectors are divided by their length.

    Args:
        where: The file, for messages.
        people: Whom each row is of.
        vectors: Floats ``(N, D)``.
        sources: Name of each row's picture.
        digests: sha256 of each row's picture.
        boxes: ``(N, 4)``.
        scores: ``(N,)``.
        quality: ``(N,)``.
        norms: ``(N,)``: lengths before, where the file knows them; else those of the vectors.
        names: What the people are called.
        numbers: Which row of the file each is; all of them in order when None.
        notes: What else a reader should know.

    Raises:
        InputError: ``exchange.vectors``: no rows, no vectors, NaN or zero rows, named by number.
        UsageError: Columns of another length.
    """
    count = len(people)
    if not count:
        raise wrong(where, "holds no faces")
    found = np.asarray(vectors)
    if found.dtype.kind not in "fiu" or found.ndim != 2 or not 1 <= found.shape[1] <= LONGEST:
        raise wrong(where, f"holds vectors as {found.dtype} {found.shape}; expected are floats (N, D)")
    if len(found) != count:
        raise wrong(where, f"holds {len(found)} vectors and {count} ids; each row needs both")
    numbers = np.arange(count) if numbers is None else numbers
    with np.errstate(over="ignore"):  # too large becomes infinite, and is refused below
        found = found.astype(np.float32)
    lengths = np.sqrt(np.einsum("nd,nd->n", found, found, dtype=np.float64))
    bad = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if bad.size:
        raise wrong(
            where, f"holds vectors that are zero or not finite, in {rows_named(numbers[bad])}; leave those rows out"
        )
    unlike = int((np.abs(lengths - 1) > UNIT).sum())
    told = [*notes]
    if unlike:
        told.append(f"{unlike} of {count} vectors were not of unit length; they were divided by it, and it was kept")
    unknown = np.full(count, np.nan, np.float32)
    made = Embeddings(
        people=tuple(people),
        vectors=(found / lengths[:, None]).astype(np.float32),
        norms=_norms(lengths, norms),
        sources=tuple(sources) if sources is not None else ("",) * count,
        digests=tuple(digests) if digests is not None else ("",) * count,
        boxes=np.full((count, 4), np.nan, np.float32) if boxes is None else np.asarray(boxes, np.float32),
        scores=unknown if scores is None else np.asarray(scores, np.float32),
        quality=unknown if quality is None else np.asarray(quality, np.float32),
        names=tuple(names) if names is not None else (None,) * count,
        numbers=numbers,
        notes=tuple(told),
    )
    for name in _COLUMNS[2:]:
        if len(getattr(made, name)) != count:
            raise UsageError(f"{where}: {name} has {len(getattr(made, name))} rows; the people {count}")
    return made


def described(
    where: str,
    found: Embeddings,
    *,
    fingerprint: str | None,
    space: TemplateSpace | None,
    made_by: Provenance | None,
) -> Embeddings:
    """Embeddings with what their file says of their origin.

    Raises:
        InputError: ``exchange.vectors``: a space of another fingerprint or dimension than the file's.
    """
    if space is not None and (fingerprint or space.fingerprint) != space.fingerprint:
        raise wrong(where, f"says space {fingerprint} and describes {space.fingerprint}; use an intact copy")
    if space is not None and space.dimension != found.dimension:
        raise wrong(where, f"describes vectors of {space.dimension} values and holds {found.dimension}")
    return replace(found, fingerprint=fingerprint if space is None else space.fingerprint, space=space, made_by=made_by)


def _norms(lengths: NDArray[np.float64], told: NDArray[Any] | None) -> NDArray[np.float32]:
    """The lengths before: those the file tells, where its vectors were unit vectors already."""
    if told is None or len(told) != len(lengths):
        return lengths.astype(np.float32) if told is None else np.asarray(told, np.float32)
    return np.where(np.abs(lengths - 1) > UNIT, lengths, np.asarray(told, np.float64)).astype(np.float32)


def require_short(where: str, name: str, texts: Iterable[str]) -> None:
    """Refuse texts that are longer than any id, name or path.

    Raises:
        InputError: ``exchange.vectors``.
    """
    longest = max(map(len, texts), default=0)
    if longest > LONGEST_TEXT:
        raise wrong(where, f"has {longest} characters in one {name}; at most {LONGEST_TEXT} are read")


def require_distinct(where: str, ids: Sequence[str], numbers: NDArray[np.int64] | None = None) -> None:
    """Refuse ids that stand twice.

    Args:
        where: The file, for messages.
        ids: An id a row.
        numbers: Which row of the file each is; all of them in order when None.

    Raises:
        InputError: ``exchange.vectors``; names the first of them with its rows.
    """
    first: dict[str, int] = {}
    for row, one in zip(range(len(ids)) if numbers is None else numbers.tolist(), ids, strict=True):
        if one in first:
            raise wrong(
                where,
                f"holds the id {one!r} in rows {first[one]} and {row}; ask for several rows an id if they are samples "
                "of one person (--several)",
            )
        first[one] = row


def wrong(where: str, text: str) -> InputError:
    """The error for a file of embeddings that cannot be used."""
    return InputError(f"{printable(where)} {printable(text)}", reason="exchange.vectors")


def rows_named(rows: NDArray[np.integer]) -> str:
    """Numbers of rows for people, counted from 0: ``rows 3, 17 and 5 more``."""
    shown = ", ".join(str(row) for row in rows[:_SHOWN])
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return f"{'row' if len(rows) == 1 else 'rows'} {shown}{more} (counted from 0)"
