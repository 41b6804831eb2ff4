"""The ORL miniature that several systems share.

24 x 20 grey pictures in 0..1; the first three quarters of the people by name (30 of 40) to train on, the others to
test on, with all pairs of their pictures (450 of one person, 4,500 of two).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from visavis.errors import InputError
from visavis.io import read
from visavis.protocols.labelled import read_labelled
from visavis.protocols.ledger import Ledger, require_disjoint
from visavis.systems._small_faces import SmallFaces, grey


def read_orl(archive: Path, *, size: tuple[int, int] = (24, 20)) -> SmallFaces:
    """The miniature, from an archive or folder with one folder a person.

    People whom the ledger knows with another role than quick are left out.

    Args:
        archive: Where the pictures are.
        size: Height and width to make of them.

    Raises:
        UnreadableError: The archive, or a picture in it, cannot be read.
        InputError: Fewer than four people, or a person with a single picture.
    """
    ledger = Ledger.load()
    labelled = read_labelled(archive, role="quick", ledger=ledger)
    names, people = np.unique(labelled.people, return_inverse=True)
    fewest = int(np.bincount(people).min())
    if len(names) < 4 or fewest < 2:
        raise InputError(
            f"the miniature needs 4 people with 2 pictures each at least; {archive} has {len(names)} people and as few "
            f"as {fewest} pictures of one",
            reason="labelled",
        )
    pixels = np.stack([grey(read(labelled.store.get(name)).pixels, *size) for name in labelled.names])
    border = len(names) * 3 // 4
    require_disjoint(names[:border].tolist(), names[border:].tolist())
    fitted = people < border
    left, right = np.triu_indices(int((~fitted).sum()), 1)
    return SmallFaces(
        train=pixels[fitted],
        labels=people[fitted].astype(np.int64),
        test=pixels[~fitted],
        people=people[~fitted].astype(np.int64),
        left=left.astype(np.int64),
        right=right.astype(np.int64),
        roles=(ledger.touched(labelled.set_name, names.tolist()),),
    )
