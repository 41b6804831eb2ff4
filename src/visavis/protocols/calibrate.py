"""Fit a calibration on labelled pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.calibration.fit import fit_verification
from visavis.calibration.identification import IdentificationTable
from visavis.calibration.identification_fit import LEAST_PEOPLE, fit_identification
from visavis.calibration.impostors import Impostors
from visavis.calibration.pooled import fit_pooled
from visavis.calibration.table import Calibration
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.labelled import Labelled, LabelledTemplates, Progress, embed_labelled
from visavis.protocols.ledger import Ledger

PER_PERSON = 5
"""Pictures of a person that the impostor side takes: a person of hundreds would speak for all."""

CAUTION = (
    "the false match rate holds for random impostors of this population; for relatives, children and people of one "
    "group it is higher"
)


def calibrate(
    pipeline: Pipeline,
    nonmated: Labelled,
    mated: Labelled | None = None,
    *,
    name: str,
    population: str,
    caution: str = "",
    per_person: int = PER_PERSON,
    seed: int = 0,
    progress: Progress | None = None,
) -> Calibration:
    """Thresholds of pairs and of searches, intervals over people, likelihood ratios, lines for several pictures a side.

    Args:
        pipeline: Its detector, rule and recogniser are what the calibration is for.
        nonmated: Labelled pictures for the pairs of two persons.
        mated: Labelled pictures for the pairs of one person; the same ones when None.
        name: Name of the calibration.
        population: Whom the impostors are; printed with every rate.
        caution: What a reader must know.
        per_person: Pictures of a person that the impostor side takes at most.
        seed: Of what is drawn.
        progress: Called with the number of pictures done and of all, for one side after the other.

    Raises:
        UsageError: Too few people for two operating points.
    """
    impostors = embed_labelled(pipeline, nonmated, per_person=per_person, seed=seed, progress=progress)
    genuine = embed_labelled(pipeline, mated or nonmated, assess=True, progress=progress)
    ledger = Ledger.load()
    provenance: dict[str, Any] = {
        "nonmated": described(nonmated, impostors),
        "mated": described(mated or nonmated, genuine),
        "ledger": ledger.hash,
        "per_person": per_person,
        "seed": seed,
        "made_by": pipeline.made_by.to_dict(),
        "detector": pipeline.space.detector,
    }
    calibration = fit_verification(
        Impostors.of_templates(impostors.vectors, impostors.people),
        mated_similarities(genuine),
        name=name,
        space=pipeline.space.fingerprint,
        population=population,
        caution=caution or CAUTION,
        provenance=provenance,
    )
    rng = np.random.default_rng(seed)
    lines = fit_pooled(genuine.vectors, genuine.people, np.nan_to_num(genuine.quality, nan=1.0), rng=rng)
    return replace(calibration, pooled=lines, identification=search_thresholds(impostors, seed=seed))


def search_thresholds(templates: LabelledTemplates, *, seed: int) -> IdentificationTable | None:
    """Thresholds of searches by leaving one person out; None for people too few to measure any."""
    if len(set(templates.people)) < LEAST_PEOPLE:
        return None
    return fit_identification(templates.vectors, templates.people, rng=np.random.default_rng(seed))


def mated_similarities(templates: LabelledTemplates) -> NDArray[np.float64]:
    """Similarities of all pairs of pictures of one person, float64 ``(N,)``."""
    owner = np.unique(np.asarray(templates.people, dtype=str), return_inverse=True)[1]
    parts = [np.empty(0)]
    for person in range(owner.max(initial=-1) + 1):
        rows = templates.vectors[owner == person].astype(np.float64)
        parts.append((rows @ rows.T)[np.triu_indices(len(rows), 1)])
    return np.concatenate(parts)


def described(labelled: Labelled, templates: LabelledTemplates) -> dict[str, Any]:
    """What the provenance of a calibration says of one side."""
    ledger = Ledger.load()
    return {
        "set": labelled.set_name,
        "people": len(set(templates.people)),
        "pictures": len(templates.people),
        "failed": templates.failed,
        "roles": ledger.roles(labelled.set_name, labelled.people),
        "left_out": labelled.left_out,
    }
