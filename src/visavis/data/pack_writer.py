"""Writing packs: pixels as they come, the rest at the end, the folder whole or not at all."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from visavis.data.arcface_template import arcface_at
from visavis.data.pack import PackFailure, check_new
from visavis.data.pack_columns import PackColumns
from visavis.data.pack_meta import Landmarks, PackMeta
from visavis.data.pixel_file import PixelFile, digests
from visavis.errors import UsageError
from visavis.io.atomic import disk_errors


class PackWriter:
    """Writes a pack of crops that come ready, part by part; the folder appears when the ``with`` block ends well.

    Args:
        path: The folder to make.
        size: Side of the crops in pixels.
        template: Name of the landmark template that the crops follow; of the ArcFace template at this size when None.
        detector: Tag of what placed the landmarks.
        source: Where the pictures came from.
        about: What else the pack says of itself, such as set and roles; what the other arguments say comes first.
        others: Identities that the pack names besides those of its rows.

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
        about: PackMeta | None = None,
        others: Sequence[str] = (),
    ) -> None:
        self.path = Path(path)
        check_new(self.path)
        self._points = arcface_at(size).array().astype(np.float32)
        self._size, self._detector, self._template = size, detector, template or arcface_at(size).name
        self._source = source
        self._about = about
        self._detected: bool | None = None
        self._rows = PackColumns(others=tuple(others))
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
        count, size = len(identities), self._size
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
            landmarks: Landmarks = "detected" if self._detected else "template"
            about = PackMeta(self._size, self._template, self._detector, landmarks, source=self._source)
            if self._about is not None:
                said = ("size", "template", "detector", "landmarks", "source")
                about = replace(self._about, **{name: getattr(about, name) for name in said})
            self._rows.save(self._draft, about)
            self._draft.rename(self.path)
