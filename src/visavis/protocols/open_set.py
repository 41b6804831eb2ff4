"""Open-set identification: people who are enrolled search, and strangers do.

All but one picture of each person are enrolled in a gallery, pooled to one template; the picture that was left out
searches it. Strangers search the same gallery. The thresholds are those that users get: of the calibration for a
gallery of this size, fitted on other people; how often a stranger is taken for somebody (FPIR) stands beside the rate
that was asked for.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from visavis.calibration.table import Calibration
from visavis.errors import InputError
from visavis.pipeline.assess import assess_stream
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.given_points import failed_reasons, recogniser_of, require_one
from visavis.protocols.labelled import Labelled, Progress
from visavis.protocols.open_set_figures import RATES, open_set_figures, targets
from visavis.protocols.open_set_searches import gallery_searches
from visavis.protocols.open_set_split import Strangers, split_open_set
from visavis.protocols.person_intervals import check_draws
from visavis.protocols.protocol_result import ProtocolResult
from visavis.protocols.role_notes import roles_touched
from visavis.types import FPIR, Templates

POOL = "templates of a person are pooled by quality; thresholds are those for as many samples as the person has"


def evaluate_open_set(
    pipeline: Pipeline,
    labelled: Labelled,
    *,
    strangers: Strangers = "single",
    enrol: str | None = None,
    calibration: Calibration | None = None,
    seed: int = 0,
    resamples: int = 1000,
    progress: Progress | None = None,
) -> ProtocolResult:
    """Rank, FNIR and realised FPIR at thresholds fitted on other people, and DIR at oracle thresholds.

    Args:
        pipeline: From pictures to templates; the most central large face of each counts.
        labelled: The pictures.
        strangers: As for `split_open_set`.
        enrol: As for `split_open_set`; then the figures are given for each kind of picture too, by the name of its
            folder.
        calibration: Of the pipeline's space; the pipeline's when None.
        seed: Of the split and of resamples.
        resamples: Number of resamples of people; the gallery is kept.
        progress: Called with the number of pictures done and of all.

    Raises:
        InputError: Nobody to enrol or no stranger, or no picture of a part gave a template.
        ModelError: No thresholds of searches for this pipeline.
        UsageError: A seed or number of resamples that nothing can be drawn with.
    """
    check_draws(seed, resamples)
    table = calibration or pipeline.calibration()
    table.searches()
    split = split_open_set(labelled.names, labelled.people, strangers=strangers, enrol=enrol, seed=seed)
    people = np.asarray(labelled.people)
    rows = np.concatenate([split.enrolled, split.probes, split.strangers])
    roles, ledger, notes = roles_touched(labelled.set_name, people[rows].tolist())
    if set(roles) & {"calibrate"}:
        raise InputError(
            "people of role calibrate are among those that figures are read off; the thresholds may be fitted on them",
            reason="protocol",
        )
    begin = time.perf_counter()
    templates = _embedded(pipeline, labelled, rows, progress)
    embedded = time.perf_counter()
    enrolled, probes = templates[: len(split.enrolled)], templates[len(split.enrolled) :]
    for part in (enrolled, probes):
        require_one(part.status)
    searching = rows[len(split.enrolled) :]
    found = gallery_searches(
        enrolled,
        people[split.enrolled].tolist(),
        probes,
        people[searching].tolist(),
        calibration=table,
        at=FPIR(max(RATES.values())),
    )
    kinds = None if enrol is None else _kinds(labelled, searching)
    stranger_people = len(set(people[split.strangers].tolist()))
    return ProtocolResult(
        kind="open-set",
        data=labelled.set_name or "labelled pictures",
        recogniser=recogniser_of(pipeline, pipeline.space),
        numbers={
            "gallery": found.size,
            "enrolled_pictures": len(split.enrolled),
            "failed_entries": found.by_similarity.failed_entries,
            "mated_probes": len(split.probes),
            "stranger_probes": len(split.strangers),
            "strangers": stranger_people,
            "failed_probes": int(found.by_similarity.failed.sum()),
            "people": len(set(people[rows].tolist())),
        },
        figures=tuple(
            open_set_figures(found, people[searching], kinds, calibration=table, seed=seed, resamples=resamples)
        ),
        failed_images=dict(Counter(failed_reasons(templates.status))),
        images=len(rows),
        settings={
            "strangers": strangers,
            "enrol": enrol,
            "left_out": labelled.left_out,
            "calibration": table.name,
            "population": table.population,
            "targets": targets(table, size=found.size, strangers=stranger_people),
        },
        roles=roles,
        ledger=ledger,
        notes=(POOL, *dict.fromkeys([*_beyond(table, found.size), *found.warnings, *notes])),
        seed=seed,
        resamples=resamples,
        seconds={"embedding": embedded - begin, **found.seconds},
    )


def _beyond(table: Calibration, size: int) -> list[str]:
    """For each rate whose threshold is carried on."""
    told = [table.beyond(FPIR(rate), size=size) for rate in RATES.values()]
    return [text for text in told if text]


def _embedded(pipeline: Pipeline, labelled: Labelled, rows: NDArray[np.intp], progress: Progress | None) -> Templates:
    """Templates with their quality, a row a picture, failed ones among them."""
    sources = [labelled.store.get(labelled.names[row]) for row in rows.tolist()]
    parts: list[Templates] = []
    done = 0
    for assessed in assess_stream(pipeline, sources):
        parts.append(replace(assessed.analysis.templates, quality=assessed.assessment.fused.score))
        done += len(parts[-1])
        if progress is not None:
            progress(done, len(rows))
    return Templates.concat(parts)


def _kinds(labelled: Labelled, rows: NDArray[np.intp]) -> NDArray[np.str_]:
    """The innermost folder of each picture; ``other`` for one that lies in its person's folder itself."""
    folders = [(labelled.names[row].split("/")[-2], labelled.people[row]) for row in rows.tolist()]
    return np.array(["other" if folder == person else folder for folder, person in folders])
