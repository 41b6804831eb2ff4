"""Writing packs: pixels as they come, the rest at the end, the folder whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.data.pack import (
    BOXES,
    FAILURES,
    IDENTITIES,
    LABELS,
    LANDMARKS,
    META,
    NAMES,
    PIXELS,
    SCORES,
    PackFailure,
    check_new,
)
from visavis.data.pack_meta import Landmarks, PackMeta
from visavis.data.text_column import TextColumn
from visavis.errors import UsageError
from visavis.geometry import ARCFACE_112, CropTemplate

_HEADER = 128


class PixelFile:
    """``pixels.npy`` while it grows: crops go to their rows, the header is written last.

    Args:
        folder: Where the file is made, or found again.
        size: Side of a crop in pixels.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self._row = size * size * 3
        self._size = size
        self._file = os.fdopen(os.open(folder / PIXELS, os.O_RDWR | os.O_CREAT, 0o644), "r+b")

    def rows(self) -> int:
        """The number of whole rows in the file."""
        return max(0, self._file.seek(0, os.SEEK_END) - _HEADER) // self._row

    def put(self, row: int, pixels: NDArray[np.uint8]) -> None:
        """Write uint8 crops ``(n, S, S, 3)`` from a row on."""
        self._file.seek(_HEADER + row * self._row)
        self._file.write(np.ascontiguousarray(pixels).data)

    def sync(self) -> None:
        """Wait until what was put is on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def finish(self, count: int) -> None:
        """Write the header for so many rows, cut what follows them, and close."""
        words = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {(count, self._size, self._size, 3)}, }}".encode()
        self._file.truncate(_HEADER + count * self._row)
        self._file.seek(0)
        self._file.write(
            b"\x93NUMPY\x01\x00" + (_HEADER - 10).to_bytes(2, "little") + words.ljust(_HEADER - 11) + b"\n"
        )
        self.sync()
        self.close()

    def close(self) -> None:
        """Close the file as it is."""
        self._file.close()


@dataclass(slots=True)
class PackRows:
    """The columns of some rows of a pack, in order; pixels lie elsewhere.

    Attributes:
        identities: Whom each row shows.
        names: Name of each row's picture.
        boxes: float32 ``(n, 4)`` parts.
        landmarks: float32 ``(n, 5, 2)`` parts.
        scores: float32 ``(n,)`` parts.
        digests: sha256 of each crop's bytes, one after the other.
        failures: Pictures that gave no row.
    """

    identities: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    boxes: list[NDArray[np.float32]] = field(default_factory=list)
    landmarks: list[NDArray[np.float32]] = field(default_factory=list)
    scores: list[NDArray[np.float32]] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    failures: list[PackFailure] = field(default_factory=list)

    def save(self, folder: Path, *, size: int, template: str, detector: str, landmarks: Landmarks, **more: Any) -> None:
        """Write all files of the pack but its pixels.

        Args:
            folder: Where they go.
            size: See `PackMeta`, as all that follows.
            template: As above.
            detector: As above.
            landmarks: As above.
            more: Further fields of `PackMeta`.

        Raises:
            OSError: A file cannot be written.
        """
        people = sorted(set(self.identities))
        place = {person: label for label, person in enumerate(people)}
        labels = np.array([place[person] for person in self.identities], np.int64)
        np.save(folder / LABELS, labels)
        np.save(folder / BOXES, np.concatenate(self.boxes).astype(np.float32))
        np.save(folder / LANDMARKS, np.concatenate(self.landmarks).astype(np.float32))
        np.save(folder / SCORES, np.concatenate(self.scores).astype(np.float32))
        TextColumn.write(folder, NAMES, self.names)
        told = json.dumps([people, self.names]).encode()
        fingerprint = hashlib.sha256(b"".join([*self.digests, labels.tobytes(), told])).hexdigest()
        _save_json(folder / IDENTITIES, people)
        _save_json(
            folder / FAILURES,
            [
                {
                    "name": one.name,
                    "identity": one.identity,
                    "reason": one.failure.reason,
                    "message": one.failure.message,
                }
                for one in self.failures
            ],
        )
        meta = PackMeta(
            count=len(labels),
            size=size,
            template=template,
            detector=detector,
            landmarks=landmarks,
            fingerprint=fingerprint,
            identities=len(people),
            failed=len(self.failures),
            **more,
        )
        (folder / META).write_bytes(meta.to_json())


class PackWriter:
    """Writes a pack of crops that come ready, part by part; the folder appears when the ``with`` block ends well.

    Args:
        path: The folder to make.
        size: Side of the crops in pixels.
        template: Name of the landmark template that the crops follow; of the ArcFace template at this size when None.
        detector: Tag of what placed the landmarks.
        source: Where the pictures came from.

    Raises:
        UsageError: The folder exists, or the size is not in 1..4096.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        size: int = 112,
        template: str | None = None,
        detector: str = "given",
        source: str = "",
    ) -> None:
        self.path = Path(path)
        check_new(self.path)
        self._points = arcface_at(size).array().astype(np.float32)
        self._about = {"size": size, "template": template or arcface_at(size).name, "detector": detector}
        self._source = source
        self._detected: bool | None = None
        self._rows = PackRows()
        self._draft = self.path.with_name(f".{self.path.name}.{secrets.token_hex(6)}.part")
        with disk_errors(self.path):
            self._draft.mkdir()
            self._pixels = PixelFile(self._draft, size)

    def add(
        self,
        pixels: NDArray[np.uint8],
        identities: Sequence[str],
        names: Sequence[str],
        *,
        landmarks: NDArray[np.floating] | None = None,
        boxes: NDArray[np.floating] | None = None,
        scores: NDArray[np.floating] | None = None,
    ) -> None:
        """Append rows.

        Args:
            pixels: uint8 RGB ``(n, S, S, 3)``.
            identities: Whom each row shows.
            names: Name of each row's picture.
            landmarks: float ``(n, 5, 2)`` in pixels of the crop; the template's points when None.
            boxes: float ``(n, 4)`` xyxy in pixels of the picture; unknown when None.
            scores: float ``(n,)`` detection score in 0..1; unknown when None.

        Raises:
            UsageError: Shapes do not fit, or landmarks are given for some rows only.
        """
        count, size = len(identities), self._about["size"]
        if pixels.dtype != np.uint8 or pixels.shape != (count, size, size, 3) or len(names) != count:
            raise UsageError(
                f"crops are uint8 ({count}, {size}, {size}, 3) for {count} identities; got {pixels.dtype} "
                f"{pixels.shape} and {len(names)} names"
            )
        if self._detected not in (None, landmarks is not None):
            raise UsageError("landmarks are given for all rows of a pack or for none")
        points = np.broadcast_to(self._points, (count, 5, 2)) if landmarks is None else landmarks
        parts = (
            (self._rows.landmarks, points, (count, 5, 2)),
            (self._rows.boxes, np.full((count, 4), np.nan) if boxes is None else boxes, (count, 4)),
            (self._rows.scores, np.full(count, np.nan) if scores is None else scores, (count,)),
        )
        for _, values, shape in parts:
            if np.shape(values) != shape:
                raise UsageError(f"a column of {np.shape(values)} does not fit {count} crops; expected {shape}")
        if not np.isfinite(points).all():
            raise UsageError("landmarks must be finite")
        self._detected = landmarks is not None
        with disk_errors(self.path):
            self._pixels.put(len(self._rows.names), pixels)
        for column, values, _ in parts:
            column.append(np.array(values, np.float32))
        self._rows.identities += list(identities)
        self._rows.names += list(names)
        self._rows.digests += digests(pixels)

    def fail(self, failure: PackFailure) -> None:
        """Note a picture that gave no crop."""
        self._rows.failures.append(failure)

    def __enter__(self) -> PackWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            with suppress(OSError):  # a full disk was told of before
                self._pixels.close()
            shutil.rmtree(self._draft, ignore_errors=True)

    def _finish(self) -> None:
        if not self._rows.names:
            raise UsageError("a pack has at least one crop; none was added")
        with disk_errors(self.path):
            self._pixels.finish(len(self._rows.names))
            self._rows.save(
                self._draft,
                landmarks="detected" if self._detected else "template",
                source=self._source,
                **self._about,  # type: ignore[arg-type]
            )
            self._draft.rename(self.path)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Errors of the disk as one that says what to do.

    Raises:
        UsageError: The disk is full, or the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({error.strerror or error}); check that the disk has room and who may write "
            "there, then run it again"
        ) from error


def arcface_at(size: int) -> CropTemplate:
    """The ArcFace template for crops of another side: pixel centres keep their place in the picture.

    Raises:
        UsageError: A side outside 1..4096.
    """
    if not 1 <= size <= 4096:
        raise UsageError(f"the side of a crop is 1 to 4096 pixels; got {size}")
    if size == ARCFACE_112.width:
        return ARCFACE_112
    points = (ARCFACE_112.array() + 0.5) * (size / ARCFACE_112.width) - 0.5
    return CropTemplate(f"arcface-{size}", size, size, tuple((float(x), float(y)) for x, y in points))


def digests(pixels: NDArray[np.uint8]) -> list[bytes]:
    """sha256 of the bytes of each crop."""
    return [hashlib.sha256(np.ascontiguousarray(crop).data).digest() for crop in pixels]


def _save_json(path: Path, value: Iterable[Any]) -> None:
    path.write_text(json.dumps(value, indent=0) + "\n", encoding="utf-8")
