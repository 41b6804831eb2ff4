"""Reading pictures from wherever they are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from visavis.errors import UnreadableError, UsageError
from visavis.io.arrays import from_array, from_pil
from visavis.io.decode import decode
from visavis.io.files import read_file
from visavis.io.limits import Limits, default_limits
from visavis.io.sources import Source, member_source
from visavis.types.pictures import Picture, Pictures
from visavis.types.status import Failure

_BYTES = "<bytes>"


def read(source: Any, *, limits: Limits | None = None, min_side: int | None = None) -> Picture:
    """Read one picture.

    Args:
        source: A path, ``archive.tar::member``, a `Source`, encoded bytes, a numpy array as for `from_array`, a
            Pillow image, or a `Picture`, which is returned as it is.
        limits: What the picture may cost; the defaults when omitted.
        min_side: The shorter side needed, in pixels; large JPEGs are then decoded smaller (see `Picture.scale`).

    Returns:
        uint8 RGB pixels after EXIF orientation.

    Raises:
        UnreadableError: The picture cannot be read; ``reason`` says why.
        UsageError: The source is of another type.
    """
    limits = limits or default_limits()
    if isinstance(source, str | Path):
        name = str(source)
        data = member_source(name).read_bytes(limits) if "::" in name and ".tar" in name else read_file(name, limits)
        return decode(data, name=name, limits=limits, min_side=min_side)
    if isinstance(source, Source):
        return decode(source.read_bytes(limits), name=source.name, limits=limits, min_side=min_side)
    if isinstance(source, bytes | bytearray | memoryview):
        return decode(bytes(source), name=_BYTES, limits=limits, min_side=min_side)
    return _in_memory(source, limits)


def read_batch(sources: Iterable[Any], *, limits: Limits | None = None, min_side: int | None = None) -> Pictures:
    """Read many pictures; one that cannot be read is a failed row, not an error.

    Args:
        sources: Each as for `read`.
        limits: What each picture may cost; the defaults when omitted.
        min_side: As for `read`.

    Returns:
        One row a source, in order.

    Raises:
        UsageError: A source is of a type that is never a picture.
    """
    rows: list[Picture | Failure] = []
    names: list[str] = []
    for source in sources:
        names.append(_name(source))
        try:
            rows.append(read(source, limits=limits, min_side=min_side))
        except UnreadableError as error:
            rows.append(Failure.of(error))
    return Pictures.of(rows, sources=names)


def _in_memory(source: Any, limits: Limits) -> Picture:
    if isinstance(source, Picture):
        return source
    if isinstance(source, np.ndarray):
        return from_array(source)
    if isinstance(source, Image.Image):
        return from_pil(source, limits=limits)
    raise UsageError(
        f"a picture is a path, bytes, a numpy array, a PIL image or a Picture; got {type(source).__name__}"
    )


def _name(source: Any) -> str:
    if isinstance(source, str | Path):
        return str(source)
    if isinstance(source, Source):
        return source.name
    if isinstance(source, Picture):
        return source.source
    if isinstance(source, np.ndarray):
        return "<array>"
    return "<PIL image>" if isinstance(source, Image.Image) else _BYTES
