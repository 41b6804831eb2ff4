"""A pack: aligned crops of one collection in one memory-mapped array, with labels and where each came from."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.data.mapped_array import map_array
from visavis.data.pack_meta import PackMeta, pack_error
from visavis.data.text_column import TextColumn
from visavis.errors import UnreadableError, UsageError
from visavis.io.files import is_folder, read_file
from visavis.types.status import Failure

PIXELS, LABELS, BOXES, LANDMARKS, SCORES = "pixels.npy", "labels.npy", "boxes.npy", "landmarks.npy", "scores.npy"
DIGESTS = "digests.npy"
META, IDENTITIES, FAILURES, NAMES = "meta.json", "identities.json", "failures.json", "names"


@dataclass(frozen=True, slots=True)
class PackFailure:
    """A picture of the source that gave no crop.

    Attributes:
        name: The picture.
        identity: Whom it shows.
        failure: Why.
    """

    name: str
    identity: str
    failure: Failure


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """Aligned crops with labels, read from the disk as they are used; safe to share between threads and processes.

    Rows are in the order of the source. Made by `open`, or of arrays by `write`.

    Attributes:
        path: The folder.
        meta: What the pack says of itself.
        pixels: uint8 RGB ``(N, S, S, 3)``, mapped, read-only.
        labels: int64 ``(N,)``: place of each row's identity in `identities`.
        boxes: float32 ``(N, 4)``, xyxy in pixels of the source picture; NaN where the crops came ready.
        landmarks: float32 ``(N, 5, 2)`` in pixels of the crop; see `PackMeta.landmarks`.
        scores: float32 ``(N,)``, detection score in 0..1; NaN where the crops came ready.
        digests: uint64 ``(N,)``: the first 8 bytes of the sha256 of each crop's bytes, read as a little-endian number;
            equal crops have equal ones. They are not compared with the pixels when a pack is opened.
        identities: Name of each identity, sorted.
        names: Name of each row's picture in the source.
    """

    path: Path
    meta: PackMeta
    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    boxes: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    scores: NDArray[np.float32]
    digests: NDArray[np.uint64]
    identities: tuple[str, ...]
    names: TextColumn

    @classmethod
    def open(cls, path: str | Path) -> Pack:
        """Map a pack and check that its files fit together.

        Raises:
            InputError: Reason ``pack``: no pack, another version, a file is missing, cut or of another shape.
        """
        folder, name = Path(path), str(path)
        try:
            meta = PackMeta.from_json(read_file(folder / META), name=name)
            identities = tuple(json.loads(read_file(folder / IDENTITIES)))
            names = TextColumn.open(folder, NAMES)
        except (UnreadableError, OSError, ValueError, TypeError, RecursionError) as error:
            raise pack_error(name, str(error)) from error
        count, size = meta.count, meta.size
        pack = cls(
            folder,
            meta,
            _mapped(folder, PIXELS, np.uint8, (count, size, size, 3)),
            np.array(_mapped(folder, LABELS, np.int64, (count,))),
            _mapped(folder, BOXES, np.float32, (count, 4)),
            _mapped(folder, LANDMARKS, np.float32, (count, 5, 2)),
            _mapped(folder, SCORES, np.float32, (count,)),
            _mapped(folder, DIGESTS, np.uint64, (count,)),
            identities,
            names,
        )
        pack._check(name)
        pack.labels.setflags(write=False)
        return pack

    @classmethod
    def write(
        cls,
        path: str | Path,
        pixels: NDArray[np.uint8],
        identities: Sequence[str],
        *,
        names: Sequence[str] | None = None,
        landmarks: NDArray[np.floating] | None = None,
    ) -> Pack:
        """A pack of crops that lie in memory.

        Args:
            path: The folder to make.
            pixels: uint8 RGB ``(N, S, S, 3)``.
            identities: Whom each row shows.
            names: Name of each row; its number when None.
            landmarks: float ``(N, 5, 2)`` in pixels of the crop; the points of the template when None.

        Raises:
            UsageError: Shapes do not fit, there is no row, or the folder exists.
        """
        from visavis.data.pack_writer import PackWriter

        with PackWriter(path, size=pixels.shape[1] if pixels.ndim == 4 else 0) as writer:
            writer.add(
                pixels,
                identities,
                [str(row) for row in range(len(pixels))] if names is None else names,
                landmarks=landmarks,
            )
        return cls.open(path)

    @property
    def failures(self) -> tuple[PackFailure, ...]:
        """The pictures of the source that gave no crop, in its order.

        Raises:
            InputError: The list cannot be read.
        """
        try:
            rows = json.loads(read_file(self.path / FAILURES))
            return tuple(
                PackFailure(row["name"], row["identity"], Failure(row["reason"], row["message"])) for row in rows
            )
        except (UnreadableError, ValueError, TypeError, KeyError) as error:
            raise pack_error(str(self.path), f"{FAILURES}: {error}") from error

    def prefetch(self, start: int, stop: int) -> None:
        """Ask the system to read these rows from the disk ahead of their use; does nothing where it cannot."""
        if not hasattr(os, "posix_fadvise"):
            return
        row = self.meta.size * self.meta.size * 3
        descriptor = os.open(self.path / PIXELS, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, start * row, (stop - start) * row, os.POSIX_FADV_WILLNEED)
        finally:
            os.close(descriptor)

    def __len__(self) -> int:
        return self.meta.count

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Pack.open, (self.path,)

    def _check(self, name: str) -> None:
        if len(self.names) != len(self):
            raise pack_error(name, f"it has {len(self)} rows and {len(self.names)} names")
        count = len(self.identities)
        texts = all(isinstance(identity, str) for identity in self.identities)
        if not texts or count != self.meta.identities or len(set(self.identities)) != count:
            raise pack_error(name, f"{IDENTITIES} names {count} identities; meta.json says {self.meta.identities}")
        if self.labels.min() < 0 or self.labels.max() >= count:
            raise pack_error(name, f"labels reach from {self.labels.min()} to {self.labels.max()} of {count}")
        if not np.isfinite(self.landmarks).all():
            raise pack_error(name, f"{LANDMARKS} holds values that are not finite")


def check_new(path: Path) -> None:
    """Refuse a folder for a pack that has no name of its own, is there already, or whose parent is not.

    Raises:
        UsageError: One of these.
    """
    if not path.name or path.name == ".." or "\0" in str(path):
        raise UsageError(f"{str(path)!r} does not name a folder to make; give NAME or FOLDER/NAME")
    if os.path.lexists(path):
        raise UsageError(f"{path} exists; a pack is never written over: remove it or name another folder")
    if not is_folder(path.parent):
        raise UsageError(f"there is no folder {path.parent} for {path.name}; make it first")


def _mapped(folder: Path, file: str, kind: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        return map_array(folder / file, kind, shape)
    except (OSError, ValueError) as error:
        raise pack_error(str(folder), str(error)) from error
