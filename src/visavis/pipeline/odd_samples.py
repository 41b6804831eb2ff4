"""Samples that resemble the others of their person too little: perhaps they show somebody else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from visavis.calibration.table import Calibration
from visavis.errors import InputError
from visavis.types import FMR
from visavis.types.pooled import CANCELLED, quality_weights

if TYPE_CHECKING:
    from visavis.gallery.gallery import Gallery

AT = FMR(1e-3)
"""Two people resemble each other this much once in a thousand."""
_GONE = ("gallery.person", "gallery.sample")


def odd_samples(gallery: Gallery, people: Iterable[str], calibration: Calibration) -> list[str]:
    """Which samples would not be taken for their person by the person's other samples, in plain words.

    Each sample is compared with the other ones of its person, pooled by quality, at the threshold of `AT` for one
    picture against so many.

    Args:
        gallery: Where they are.
        people: Ids; those who are gone are left out.
        calibration: Of the gallery's space.
    """
    notes: list[str] = []
    for person in people:
        try:
            samples = gallery.samples(person)
            vectors = gallery.vectors([one.sample for one in samples])
        except InputError as error:
            if error.reason not in _GONE:
                raise
            continue  # somebody else erased, merged or moved it meanwhile
        if len(samples) < 2:
            continue
        likeness = to_the_others(vectors, np.array([one.quality for one in samples]))
        threshold = calibration.threshold(AT, left=1, right=len(samples) - 1)
        low = np.flatnonzero(~(likeness >= threshold))
        if len(samples) == 2 and len(low):
            notes.append(
                f"{samples[0].source} and {samples[1].source} of {person!r} may show two people: similarity "
                f"{likeness[0]:.3f}, threshold {threshold:.3f} at {AT}"
            )
            continue
        notes += [
            f"{samples[row].source} of {person!r} may show somebody else: similarity {likeness[row]:.3f} to the "
            f"{len(samples) - 1} others, threshold {threshold:.3f} at {AT}"
            for row in low
        ]
    return notes


def to_the_others(vectors: NDArray[np.float32], quality: NDArray[np.floating]) -> NDArray[np.float64]:
    """Cosine of each vector with the quality-weighted mean of the others.

    Args:
        vectors: Unit vectors of one person ``(N, D)``, N at least 2.
        quality: ``(N,)`` in 0..100; NaN where it is not known.

    Returns:
        float64 ``(N,)``; NaN where the others cancel each other out.
    """
    weighted = vectors.astype(np.float64) * quality_weights(quality)[:, None]
    others = weighted.sum(axis=0) - weighted
    lengths = np.linalg.norm(others, axis=1)
    lengths[lengths < CANCELLED] = np.nan
    return np.asarray(np.einsum("nd,nd->n", vectors, others) / lengths)
