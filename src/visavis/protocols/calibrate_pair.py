"""Fit a calibration for templates of one recogniser against those of another that may be compared with them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visavis.calibration.fit import fit_verification
from visavis.calibration.impostors import Impostors
from visavis.calibration.table import Calibration
from visavis.errors import UsageError
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.calibrate import CAUTION, PER_PERSON, described
from visavis.protocols.labelled import Labelled, LabelledTemplates, Progress, embed_labelled
from visavis.protocols.ledger import Ledger
from visavis.types.space import pair_fingerprint


def calibrate_pair(
    one: Pipeline,
    other: Pipeline,
    nonmated: Labelled,
    mated: Labelled | None = None,
    *,
    name: str,
    population: str,
    per_person: int = PER_PERSON,
    seed: int = 0,
    progress: Progress | None = None,
) -> Calibration:
    """Thresholds of pairs of which each recogniser made one side, and likelihood ratios.

    Every picture of a person is taken on both sides, so that each pair of people is compared both ways; of one person
    a picture is not compared with itself.

    Args:
        one: Of one side.
        other: Of the other side.
        nonmated: Labelled pictures for the pairs of two persons.
        mated: Labelled pictures for the pairs of one person; the same ones when None.
        name: Name of the calibration.
        population: Whom the impostors are.
        per_person: Pictures of a person that the impostor side takes at most.
        seed: Of what is drawn.
        progress: Called with the number of pictures done and of all, for one side and recogniser after the other.

    Raises:
        SpaceError: The templates may not be compared.
        UsageError: Too few people for two operating points, or a picture of which only one side gave a template.
    """
    one.space.require_comparable(other.space)
    sides = [
        [embed_labelled(made, pictures, per_person=most, seed=seed, progress=progress) for made in (one, other)]
        for pictures, most in ((nonmated, per_person), (mated or nonmated, None))
    ]
    (left, right), (probes, gallery) = sides
    impostors, (genuine, _) = _cells(left, right, same=False), _cells(probes, gallery, same=True)
    scores, (first, second) = impostors
    return fit_verification(
        Impostors.of_pairs(scores, first, second),
        genuine,
        name=name,
        space=pair_fingerprint(one.space, other.space),
        population=population,
        caution=CAUTION,
        provenance={
            "nonmated": described(nonmated, left),
            "mated": described(mated or nonmated, probes),
            "ledger": Ledger.load().hash,
            "per_person": per_person,
            "seed": seed,
            "made_by": [made.made_by.to_dict() for made in (one, other)],
            "detector": one.space.detector,
        },
    )


def _cells(
    left: LabelledTemplates, right: LabelledTemplates, *, same: bool
) -> tuple[NDArray[np.float32], tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Similarities of all pairs of two people, or of two pictures of one person, and the person of each side."""
    if left.people != right.people:
        raise UsageError("some pictures gave a template on one side only; leave them out of both")
    owner = np.unique(np.asarray(left.people, dtype=str), return_inverse=True)[1]
    wanted = (owner[:, None] == owner[None]) == same
    np.fill_diagonal(wanted, False)
    rows, columns = np.nonzero(wanted)
    return (left.vectors @ right.vectors.T)[rows, columns], (owner[rows], owner[columns])
