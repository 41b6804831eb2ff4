"""Who is on a picture, by the folder it lies in."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath


def people_of_paths(paths: Iterable[str]) -> dict[str, str] | None:
    """The person of each path: its first component that is not the same in all paths.

    ``001/frontal/05.jpg`` and ``002/profile/01.jpg`` give ``001`` and ``002``.

    Args:
        paths: Names of pictures, with ``/`` or Windows separators.

    Returns:
        Person by path; None where the first difference is a file name.
    """
    parts = {path: PurePosixPath(path.replace("\\", "/")).parts for path in paths}
    folders = [names[:-1] for names in parts.values()]
    shared = min(map(len, folders), default=0)
    for depth in range(shared):
        if len({names[depth] for names in folders}) > 1:
            return {path: names[depth] for path, names in parts.items()}
    return None
