"""From what a user types to a list of pictures."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from visavis.errors import UnreadableError
from visavis.io._unreadable import unreadable
from visavis.io.source import Source
from visavis.io.stores import cached_tar, image_files

__all__ = ["Source", "expand", "member_source"]

_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")


def expand(inputs: str | Path | Iterable[str | Path], *, recursive: bool = True) -> list[Source]:
    """List the pictures that the inputs stand for; none is opened.

    An input is a file, a folder (its pictures, sorted), a glob pattern (each match is an input), a tar archive (its
    members with the suffix of a picture, in order) or ``archive.tar::member``. An input that leads nowhere becomes one
    source that fails when it is read, so that a batch keeps going.

    Args:
        inputs: One input or many.
        recursive: Enter the folders inside folders.

    Returns:
        The sources, in the order of the inputs.
    """
    several = [inputs] if isinstance(inputs, str | Path) else inputs
    return [source for one in several for source in _expanded(str(one), recursive)]


def member_source(text: str) -> Source:
    """The picture that ``archive.tar::member`` stands for.

    Raises:
        UnreadableError: No such archive, or no such member.
    """
    archive, _, member = text.partition("::")
    return cached_tar(archive).get(member)


def _expanded(text: str, recursive: bool) -> list[Source]:
    try:
        return _found(text, recursive)
    except UnreadableError as error:
        return [Source.refused(text, error)]


def _found(text: str, recursive: bool) -> list[Source]:
    if os.path.isdir(text):  # noqa: PTH112 - Path() would drop a trailing slash and fail on NUL
        return _listed(text, [Source.of_file(path) for path in image_files(Path(text), recursive=recursive)])
    if not os.path.lexists(text):
        if "::" in text:
            return [member_source(text)]
        if glob.has_magic(text):
            matches = sorted(glob.glob(text, recursive=recursive))  # noqa: PTH207 - patterns may be absolute
            return _listed(text, [source for match in matches for source in _expanded(match, recursive)])
    elif text.lower().endswith(_ARCHIVES):
        return _listed(text, cached_tar(text).sources())
    return [Source.of_file(text)]


def _listed(text: str, sources: list[Source]) -> list[Source]:
    if not sources:
        raise unreadable(text, "missing", "no picture in it; check the path and the suffixes of the files")
    return sources
