"""From the name of a picture to the person it shows."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.gallery.exchange.embeddings import PERSON_RULES, PersonRule, require_short, wrong

_PARTS = re.compile(r"::|[/\\]")


def people_of_pictures(
    where: str, pictures: Sequence[str], rule: PersonRule | None, numbers: NDArray[np.int64] | None = None
) -> list[str]:
    """The person of each picture, by its name.

    Args:
        where: The file that names the pictures, for messages.
        pictures: Paths, with either slash, or ``archive.tar::member``.
        rule: ``folder``: the folder that the picture lies in; ``file``: the name of the picture without its ending.
            None is ``folder``, refused where all pictures lie in one folder: they may show one person or as many as
            there are.
        numbers: Which row of the file each is, for messages; all of them in order when None.

    Raises:
        UsageError: No such rule; or a choice is needed.
        InputError: ``exchange.vectors``: a picture without a folder, or a name longer than any path.
    """
    if rule is not None and rule not in PERSON_RULES:
        raise UsageError(f"the person of a picture is its {' or its '.join(PERSON_RULES)}; got {rule!r}")
    require_short(where, "name of a picture", pictures)
    split = {
        picture: [part for part in _PARTS.split(picture) if part not in ("", ".")][-2:] for picture in set(pictures)
    }
    parts = [split[picture] for picture in pictures]
    if rule == "file":
        return [_stem(one[-1]) if one else "" for one in parts]
    bare = [row for row, one in enumerate(parts) if len(one) < 2]
    if bare:
        row = bare[0] if numbers is None else int(numbers[bare[0]])
        raise wrong(
            where,
            f"names the picture {pictures[bare[0]]!r} in row {row}, which lies in no folder that would name its "
            "person; make each picture a person of its own (--person file)",
        )
    folders = [one[-2] for one in parts]
    if rule is None and len(set(folders)) == 1 and len(set(pictures)) > 1:
        raise UsageError(
            f"all {len(set(pictures))} pictures of {where} lie in one folder, {folders[0]!r}; say whether they show "
            "one person (--person folder) or one each (--person file)"
        )
    return folders


def _stem(name: str) -> str:
    dot = name.rfind(".")
    return name[:dot] if dot > 0 else name
