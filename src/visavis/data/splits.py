"""Splits of a pack by identity."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from visavis.data.pack import Pack
from visavis.errors import UsageError

_UNIT = float(1 << 64)
_TOLERANCE = 1e-9


def place_of(identity: str, *, seed: int) -> float:
    """The place of an identity in 0..1, which the seed and its name alone decide; evenly spread over names."""
    digest = hashlib.sha256(f"{seed}\n{identity}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") / _UNIT


def by_identity(pack: Pack, fractions: Mapping[str, float], *, seed: int) -> dict[str, NDArray[np.int64]]:
    """Parts of a pack that share no person.

    An identity goes where its hashed name falls; so fractions are met on average, not to the row, and adding people
    moves nobody.

    Args:
        pack: The crops.
        fractions: Name of each part -> its share of the identities, above 0; the shares add up to at most 1, and who
            falls beyond them is in no part.
        seed: Another seed gives another split.

    Returns:
        Rows of each part, int64, rising; a part may be empty.

    Raises:
        UsageError: Shares that do not fit.
    """
    shares = np.array(list(fractions.values()), np.float64)
    if not len(shares) or not (shares > 0).all() or shares.sum() > 1 + _TOLERANCE:
        raise UsageError(f"shares are above 0 and add up to at most 1; got {dict(fractions)}")
    ends = np.cumsum(shares)
    if ends[-1] > 1 - _TOLERANCE:
        ends[-1] = 1.0
    places = np.array([place_of(identity, seed=seed) for identity in pack.identities])
    part = np.searchsorted(ends, places, "right")[pack.labels]
    return {name: np.flatnonzero(part == number).astype(np.int64) for number, name in enumerate(fractions)}
