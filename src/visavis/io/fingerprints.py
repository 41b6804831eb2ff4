"""Hashes of what a job is about: texts, and the state of files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from visavis.io.source import Source


def hashed(parts: Iterable[str]) -> str:
    """sha256 of texts in order, hexadecimal."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape")
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def file_state(path: str | Path) -> str:
    """Size and time of a file in one word; ``missing`` where there is none."""
    try:
        state = Path(path).stat()
    except (OSError, ValueError):
        return "missing"
    return f"{state.st_size}:{state.st_mtime_ns}"


def source_states(sources: Iterable[Source]) -> list[str]:
    """Name and state of each picture's file, of its archive for a picture in one: what a job over them depends on."""
    known: dict[str, str] = {}
    found: list[str] = []
    for source in sources:
        state = file_state(source.name)
        if state == "missing" and "::" in source.name:
            archive = source.name.partition("::")[0]
            state = known.setdefault(archive, file_state(archive))
        found += [source.name, state]
    return found
