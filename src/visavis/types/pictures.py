"""Pictures: decoded images with where they came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.types._arrays import rows
from visavis.types.status import Failure, Status


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One decoded picture.

    Attributes:
        pixels: uint8 RGB ``(H, W, 3)``, after EXIF orientation.
        source: Path, member name or ``<array>``; for messages and reports only.
        scale: float32 ``(2,)``: x and y factor from these pixels to those of the stored picture after
            EXIF orientation. ``(1, 1)`` unless the picture was decoded smaller than it is stored.
    """

    pixels: NDArray[np.uint8]
    source: str = "<array>"
    scale: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        pixels = self.pixels
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            got = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            raise UsageError(
                f"a picture is a uint8 RGB array (H, W, 3); got {got}. For grey, float or BGR data use "
                "visavis.io.from_array or visavis.io.from_bgr"
            )
        if pixels.shape[0] == 0 or pixels.shape[1] == 0:
            raise UsageError(f"a picture needs at least one pixel; got shape {pixels.shape}")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return int(self.pixels.shape[1]), int(self.pixels.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """A batch of pictures; a row that could not be read holds None and its reason.

    Attributes:
        items: One `Picture` a row, or None in failed rows.
        sources: Path or member name of every row, failed rows too.
        status: Per row, None or the reason it failed.
    """

    items: tuple[Picture | None, ...]
    sources: tuple[str, ...]
    status: Status

    def __post_init__(self) -> None:
        if not len(self.items) == len(self.sources) == len(self.status):
            raise UsageError("Pictures.items, sources and status must have one length")
        for item, failure in zip(self.items, self.status, strict=True):
            if (item is None) == (failure is None):
                raise UsageError("a row of Pictures is either a Picture or a Failure")

    @classmethod
    def concat(cls, parts: Sequence[Pictures]) -> Pictures:
        """The parts one after the other."""
        return cls(
            tuple(item for part in parts for item in part.items),
            tuple(source for part in parts for source in part.sources),
            Status.concat([part.status for part in parts]),
        )

    @classmethod
    def of(cls, items: Sequence[Picture | Failure], *, sources: Sequence[str] | None = None) -> Pictures:
        """Pictures and failures in one list; a failure needs its source in ``sources``."""
        names = tuple(
            item.source if isinstance(item, Picture) else (sources[row] if sources else "")
            for row, item in enumerate(items)
        )
        return cls(
            tuple(item if isinstance(item, Picture) else None for item in items),
            names,
            Status(tuple(item if isinstance(item, Failure) else None for item in items)),
        )

    @property
    def ok(self) -> NDArray[np.bool_]:
        """bool ``(N,)``: True where the picture was read."""
        return self.status.ok

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Picture | None]:
        return iter(self.items)

    def __getitem__(self, index: Any) -> Pictures:
        keep = rows(index, len(self))
        return Pictures(
            tuple(self.items[row] for row in keep), tuple(self.sources[row] for row in keep), self.status[keep]
        )
