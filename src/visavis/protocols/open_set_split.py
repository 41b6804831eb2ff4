"""Who is enrolled, who searches, and who is a stranger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError, UsageError

Strangers = Literal["single", "half"]


@dataclass(frozen=True, slots=True, eq=False)
class OpenSetSplit:
    """Rows of a labelled collection by their part in an open-set search.

    Attributes:
        enrolled: intp ``(E,)``: pictures that the gallery is made of.
        probes: intp ``(P,)``: other pictures of the same people; mated searches.
        strangers: intp ``(S,)``: pictures of people who are not enrolled; non-mated searches.
    """

    enrolled: NDArray[np.intp]
    probes: NDArray[np.intp]
    strangers: NDArray[np.intp]


def split_open_set(
    names: Sequence[str],
    people: Sequence[str],
    *,
    strangers: Strangers = "single",
    enrol: str | None = None,
    seed: int = 0,
) -> OpenSetSplit:
    """All but one picture of a person are enrolled, and the one that is left out searches.

    Args:
        names: Path of each picture.
        people: Its person.
        strangers: ``single``: the people with one picture; ``half``: besides those, a drawn half of the others.
        enrol: Only pictures in a folder of this name are enrolled or left out; the other pictures of a person search as
            well. All pictures when None.
        seed: Draws the picture that is left out, and the half.

    Returns:
        Rows, ascending. A stranger searches with pictures chosen as those of the people who are enrolled: of several
        that could be enrolled, one that is drawn.

    Raises:
        UsageError: An unknown choice of strangers.
        InputError: Nobody could be enrolled, or nobody is left to be a stranger.
    """
    if strangers not in ("single", "half"):
        raise UsageError(f"strangers are single or half; got {strangers!r}")
    rng = np.random.default_rng(seed)
    fit = np.array([enrol is None or enrol in name.split("/")[:-1] for name in names], np.bool_)
    _, owner = np.unique(np.asarray(people, dtype=str), return_inverse=True)
    rows = [np.flatnonzero(owner == person) for person in range(int(owner.max(initial=-1)) + 1)]
    rich = [person for person, own in enumerate(rows) if fit[own].sum() >= 2]
    outside = set(range(len(rows))) - set(rich)
    if strangers == "half":
        outside |= set(rng.permutation(rich)[: len(rich) // 2].tolist())
    parts: dict[str, list[int]] = {"enrolled": [], "probes": [], "strangers": []}
    for person, own in enumerate(rows):
        able = own[fit[own]]
        left = rng.choice(able, 1) if len(able) else able
        searching = np.concatenate([left, own[~fit[own]]]).tolist()
        if person in outside:
            parts["strangers"] += searching
        else:
            parts["enrolled"] += np.setdiff1d(able, left).tolist()
            parts["probes"] += searching
    if not parts["enrolled"] or not parts["strangers"]:
        raise InputError(
            f"an open set needs people of two pictures or more to enrol, and strangers; of {len(rows)} people "
            f"{len(rich)} have two pictures{f' in a folder {enrol}' if enrol else ''} and {len(outside)} would be "
            "strangers. Where everybody has several pictures, --strangers half takes half of the people for strangers",
            reason="protocol",
        )
    return OpenSetSplit(*(np.array(sorted(parts[part]), np.intp) for part in ("enrolled", "probes", "strangers")))
