"""Which bytes a comparison was made of."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from visavis.errors import UnreadableError
from visavis.io import Source, read
from visavis.io.files import read_file
from visavis.io.limits import default_limits
from visavis.io.sources import member_source
from visavis.types import Failure, Picture


@dataclass(frozen=True, slots=True)
class InputRecord:
    """One picture as it was given.

    Attributes:
        name: Path, member name or ``<array>``.
        sha256: Of the encoded file, or of the uint8 RGB pixels for a picture that was given as pixels.
        size: Number of bytes that were hashed.
        kind: ``file`` or ``pixels``.
    """

    name: str
    sha256: str
    size: int
    kind: str

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {"name": self.name, "sha256": self.sha256, "size": self.size, "kind": self.kind}


def opened(source: Any, *, min_side: int) -> tuple[Picture | Failure, InputRecord]:
    """The picture and the record of the very bytes that it was decoded from.

    Args:
        source: As for `visavis.io.read`.
        min_side: As for `visavis.io.read`.

    Raises:
        UsageError: A source that is never a picture.
    """
    name, data = str(source) if isinstance(source, str | Path) else "", b""
    try:
        if isinstance(source, str | Path):
            inside = "::" in name and ".tar" in name
            data = member_source(name).read_bytes(default_limits()) if inside else read_file(name, default_limits())
        elif isinstance(source, Source):
            name, data = source.name, source.read_bytes(default_limits())
        elif isinstance(source, bytes | bytearray | memoryview):
            name, data = "<bytes>", bytes(source)
        else:
            picture = read(source, min_side=min_side)
            pixels = np.ascontiguousarray(picture.pixels)
            digest = hashlib.sha256(pixels.data).hexdigest()
            return picture, InputRecord(picture.source, digest, pixels.nbytes, "pixels")
        record = InputRecord(name, hashlib.sha256(data).hexdigest(), len(data), "file")
        return read(Source(name, lambda limits: data), min_side=min_side), record
    except UnreadableError as error:
        return Failure.of(error), InputRecord(name, hashlib.sha256(data).hexdigest(), len(data), "file")


def digest_of(source: Source) -> str | None:
    """sha256 of a picture's bytes as `opened` records it; None where they cannot be read."""
    try:
        return hashlib.sha256(source.read_bytes(default_limits())).hexdigest()
    except UnreadableError:
        return None
