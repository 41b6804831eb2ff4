"""The official files of IJB-B and IJB-C, as InsightFace packs them.

A folder holds ``meta/`` and ``loose_crop/``:

    meta/ijbc_face_tid_mid.txt         image, template and media id, a line an image: "1.jpg 1 69544"
    meta/ijbc_name_5pts_score.txt      image, five points, detection score, in the same order
    meta/ijbc_template_pair_label.txt  two template ids and 1 (mated) or 0, a line a pair
    meta/ijbc_1N_gallery_G1.csv        TEMPLATE_ID,SUBJECT_ID,...: gallery 1 of 1:N; G2 likewise (S1 and S2 in IJB-B)
    meta/ijbc_1N_probe_mixed.csv       the probes of 1:N

Maze et al. 2018, "IARPA Janus Benchmark - C"; Whitelam et al. 2017, "IARPA Janus Benchmark-B".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError
from visavis.io.files import is_file, read_file
from visavis.io.limits import Limits
from visavis.protocols.integer_table import integer_blocks

GALLERIES = {"ijbc": ("G1", "G2"), "ijbb": ("S1", "S2")}
_LIMITS = Limits(max_bytes=1 << 31)
_TABLE = 1 << 26


@dataclass(frozen=True, slots=True, eq=False)
class IjbImages:
    """The images of the set, and the templates they belong to.

    Attributes:
        names: Name of each image below ``loose_crop``.
        row: int32 ``(N,)``: row of the image's template in ``templates``.
        media: int32 ``(N,)``: media id; the frames of one video share it.
        templates: int32 ``(T,)``, ascending: the template ids.
    """

    names: tuple[str, ...]
    row: NDArray[np.int32]
    media: NDArray[np.int32]
    templates: NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class IjbPairs:
    """Pairs of templates, a row each.

    Attributes:
        left: Row of the first template, uint16 or int32 ``(P,)``.
        right: Row of the second.
        same: bool ``(P,)``: True for one person.
    """

    left: NDArray[np.integer]
    right: NDArray[np.integer]
    same: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.same)


@dataclass(frozen=True, slots=True, eq=False)
class IjbSubjects:
    """Templates of a gallery or of the probes.

    Attributes:
        rows: Row of each template, int64 ``(G,)``.
        people: Its subject id, int64 ``(G,)``.
    """

    rows: NDArray[np.int64]
    people: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class IjbFolder:
    """Where the files are; nothing is read yet.

    Attributes:
        path: The folder that holds ``meta`` and ``loose_crop``.
        name: ``ijbc`` or ``ijbb``.
    """

    path: Path
    name: str

    @classmethod
    def find(cls, path: str | Path) -> IjbFolder:
        """The set in a folder.

        Raises:
            InputError: No ``meta/ijbc_face_tid_mid.txt`` nor ``meta/ijbb_face_tid_mid.txt``.
        """
        found = [name for name in GALLERIES if is_file(Path(path, "meta", f"{name}_face_tid_mid.txt"))]
        if len(found) != 1:
            told = "both ijbb and ijbc files" if found else "no meta/ijbc_face_tid_mid.txt and no ijbb one"
            raise InputError(
                f"{path} holds {told}; give the folder that holds meta/ and loose_crop/ of one set, as InsightFace "
                "packs IJB-B and IJB-C",
                reason="protocol",
            )
        return cls(Path(path), found[0])

    def meta(self, rest: str) -> Path:
        """The file ``meta/<name>_<rest>``."""
        return self.path / "meta" / f"{self.name}_{rest}"

    @property
    def galleries(self) -> tuple[str, str]:
        """Names of both galleries of 1:N."""
        return GALLERIES[self.name]

    def images(self) -> IjbImages:
        """Read ``face_tid_mid``.

        Raises:
            UnreadableError: The file cannot be read.
            InputError: A line that does not fit.
        """
        path = self.meta("face_tid_mid.txt")
        names, ids = [], []
        for number, fields in _lines(path):
            if len(fields) != 3 or not (_is_id(fields[1]) and _is_id(fields[2])):
                raise _wrong(path, number, "an image, a template id and a media id", fields)
            names.append(fields[0])
            ids.append((int(fields[1]), int(fields[2])))
        if not names:
            raise InputError(f"{path} names no image; use a whole copy", reason="protocol")
        table = np.array(ids, dtype=np.int32)
        templates, rows = np.unique(table[:, 0], return_inverse=True)
        return IjbImages(tuple(names), rows.astype(np.int32), table[:, 1].copy(), templates)

    def points(self, images: IjbImages) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Read ``name_5pts_score``: the five points ``(N, 5, 2)`` in pixels of the loose crop, and the scores ``(N,)``.

        Raises:
            UnreadableError: The file cannot be read.
            InputError: A line that does not fit, or other images than those of ``face_tid_mid``.
        """
        path = self.meta("name_5pts_score.txt")
        values = np.empty((len(images.names), 11), np.float32)
        count = 0
        for count, (number, fields) in enumerate(_lines(path), start=1):
            if count > len(images.names) or fields[0] != images.names[count - 1]:
                raise InputError(
                    f"{path}, line {number}: {fields[0][:80]!r} is not image {count} of "
                    f"{self.meta('face_tid_mid.txt')}; both files list the same images in one order",
                    reason="protocol",
                )
            try:
                if len(fields) != 12:
                    raise ValueError("a name and eleven numbers are expected")
                values[count - 1] = [float(field) for field in fields[1:]]
            except ValueError as error:
                raise _wrong(path, number, "an image, five points x y and a score", fields) from error
        if count != len(images.names):
            raise InputError(
                f"{path} ends after {count} of {len(images.names)} images; use a whole copy", reason="protocol"
            )
        return values[:, :10].reshape(-1, 5, 2).copy(), values[:, 10].copy()

    def pairs(self, images: IjbImages) -> IjbPairs:
        """Read ``template_pair_label``.

        Raises:
            UnreadableError: The file cannot be read.
            InputError: A line that does not fit, a template without an image, or no pair of a kind.
        """
        path = self.meta("template_pair_label.txt")
        place = _Places(images.templates)
        left: list[NDArray[Any]] = []
        right: list[NDArray[Any]] = []
        same: list[NDArray[Any]] = []
        count = 0
        for block in integer_blocks(path, 3):
            bad = np.flatnonzero((block[:, 2] > 1) | ~place.known(block[:, 0]) | ~place.known(block[:, 1]))
            if bad.size:
                one, two, label = block[bad[0]].tolist()
                raise InputError(
                    f"{path}, pair {count + int(bad[0]) + 1}: '{one} {two} {label}' names a template without an image, "
                    f"or a label other than 0 and 1; it belongs to another {self.meta('face_tid_mid.txt').name}",
                    reason="protocol",
                )
            left.append(place.of(block[:, 0]))
            right.append(place.of(block[:, 1]))
            same.append(block[:, 2] == 1)
            count += len(block)
        nothing = [np.zeros(0, np.bool_)]
        pairs = IjbPairs(*(np.concatenate(parts or nothing) for parts in (left, right, same)))
        if not pairs.same.any() or pairs.same.all():
            raise InputError(f"{path} needs pairs labelled 1 and pairs labelled 0; use a whole copy", reason="protocol")
        return pairs

    def has_subjects(self) -> bool:
        """Whether all files of 1:N are there."""
        return all(is_file(self.meta(rest)) for rest in self._subject_files())

    def subjects(self, images: IjbImages) -> tuple[IjbSubjects, IjbSubjects, IjbSubjects]:
        """Read the files of 1:N: both galleries and the probes.

        Raises:
            UnreadableError: A file cannot be read.
            InputError: A file that does not fit.
        """
        first, second, probes = (self._subjects(rest, images) for rest in self._subject_files())
        return first, second, probes

    def _subject_files(self) -> tuple[str, str, str]:
        one, two = self.galleries
        return f"1N_gallery_{one}.csv", f"1N_gallery_{two}.csv", "1N_probe_mixed.csv"

    def _subjects(self, rest: str, images: IjbImages) -> IjbSubjects:
        path = self.meta(rest)
        found: dict[int, int] = {}
        first, second = 0, 1
        for number, fields in _lines(path, ","):
            if number == 1 and not _is_id(fields[0]):
                names = [field.strip().upper() for field in fields]
                if {"TEMPLATE_ID", "SUBJECT_ID"} <= set(names):
                    first, second = names.index("TEMPLATE_ID"), names.index("SUBJECT_ID")
                continue
            if len(fields) <= max(first, second) or not (_is_id(fields[first]) and _is_id(fields[second])):
                raise _wrong(path, number, "TEMPLATE_ID,SUBJECT_ID,... below a header of these names", fields)
            template, subject = int(fields[first]), int(fields[second])
            if found.setdefault(template, subject) != subject:
                raise InputError(
                    f"{path}, line {number}: template {template} has two subjects; use an intact copy",
                    reason="protocol",
                )
        ids = np.array(sorted(found), dtype=np.int32)
        place = _Places(images.templates)
        missing = ids[~place.known(ids)]
        if missing.size or not ids.size:
            told = f"names template {missing[0]}, which has no image" if missing.size else "names no template"
            raise InputError(
                f"{path} {told}; it belongs to another {self.meta('face_tid_mid.txt').name}", reason="protocol"
            )
        return IjbSubjects(place.of(ids).astype(np.int64), np.array([found[one] for one in ids.tolist()], np.int64))


class _Places:
    """From ids to rows, by a table of all ids."""

    def __init__(self, ids: NDArray[np.int32]) -> None:
        if ids[-1] >= _TABLE:
            raise InputError(f"template ids go up to {ids[-1]}; below {_TABLE} is expected", reason="protocol")
        self._rows: NDArray[Any] = np.zeros(int(ids[-1]) + 1, np.uint16 if len(ids) < 1 << 16 else np.int32)
        self._known = np.zeros(len(self._rows), np.bool_)
        self._rows[ids] = np.arange(len(ids))
        self._known[ids] = True

    def known(self, ids: NDArray[np.int32]) -> NDArray[np.bool_]:
        inside = ids < len(self._rows)
        known: NDArray[np.bool_] = self._known[np.where(inside, ids, 0)] & inside
        return known

    def of(self, ids: NDArray[np.int32]) -> NDArray[np.integer]:
        rows: NDArray[np.integer] = self._rows[ids]
        return rows


def _lines(path: Path, separator: str | None = None) -> Iterator[tuple[int, list[str]]]:
    """The lines that hold something, by their numbers from 1, as fields."""
    try:
        text = read_file(path, _LIMITS).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 text (byte {error.start}); use an intact copy", reason="protocol"
        ) from error
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split(separator)
        if fields and fields != [""]:
            yield number, fields


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 9


def _wrong(path: Path, number: int, expected: str, fields: list[str]) -> InputError:
    return InputError(
        f"{path}, line {number}: expected {expected}; got {' '.join(fields)[:80]!r}; is the file cut or another one?",
        reason="protocol",
    )
