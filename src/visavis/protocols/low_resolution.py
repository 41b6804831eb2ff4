"""Recognition of faces of few pixels: whole pictures reduced, one full picture of each person in the gallery."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from visavis.calibration.table import Calibration, shipped
from visavis.errors import InputError, ModelError
from visavis.io import FolderStore, TarStore
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.evaluate import SHIPPED_AT, source_of
from visavis.protocols.given_points import failed_reasons, recogniser_of, require_one
from visavis.protocols.labelled import Labelled
from visavis.protocols.low_resolution_figures import ShippedThreshold, low_resolution_figures
from visavis.protocols.person_intervals import check_draws
from visavis.protocols.protocol_result import ProtocolResult
from visavis.protocols.role_notes import roles_touched
from visavis.protocols.sized_pictures import FULL, Progress, Sizes, sized_templates
from visavis.types import FMR, Status, Templates, require_comparable
from visavis.types.space import pair_fingerprint


@dataclass(frozen=True, slots=True, eq=False)
class TwoPictures:
    """Two different pictures of each of some people.

    Attributes:
        store: Where they are.
        gallery: Name of the picture that is enrolled, a person.
        probes: Name of the other one.
        people: The persons.
        set_name: The data set by the ledger's name; None when it is not known.
        single: Number of people of whom there is one picture alone, who are left out.
    """

    store: TarStore | FolderStore
    gallery: tuple[str, ...]
    probes: tuple[str, ...]
    people: tuple[str, ...]
    set_name: str | None
    single: int


@dataclass(frozen=True, slots=True, eq=False)
class SizedPeople:
    """The templates of two pictures of each person at all sizes, by one recogniser.

    Attributes:
        gallery: By the name of the size, a row a person.
        probes: The same of the other pictures.
    """

    gallery: Mapping[str, Templates]
    probes: Mapping[str, Templates]


def two_pictures(labelled: Labelled, *, seed: int = 0) -> TwoPictures:
    """Draw two pictures of each person who has them.

    Args:
        labelled: See `visavis.protocols.labelled.read_labelled`.
        seed: Of the draw.

    Raises:
        InputError: Fewer than two people have two pictures.
    """
    mine: dict[str, list[str]] = {}
    for name, person in zip(labelled.names, labelled.people, strict=True):
        mine.setdefault(person, []).append(name)
    rng = np.random.default_rng(seed)
    drawn = {
        person: [names[place] for place in rng.permutation(len(names))[:2]]
        for person, names in sorted(mine.items())
        if len(names) > 1
    }
    if len(drawn) < 2:
        raise InputError(
            f"{len(drawn)} people have two pictures, and two people are the least; give a folder or tar archive with "
            "one folder a person",
            reason="labelled",
        )
    first, second = zip(*drawn.values(), strict=True)
    return TwoPictures(labelled.store, first, second, tuple(drawn), labelled.set_name, single=len(mine) - len(drawn))


def embed_sizes(
    pipelines: Sequence[Pipeline], chosen: TwoPictures, sizes: Sizes, *, progress: Progress | None = None
) -> list[SizedPeople]:
    """Templates of both pictures of each person at all sizes, by each of several recognisers.

    Args:
        pipelines: See `sized_templates`.
        chosen: The pictures.
        sizes: To which sizes they are reduced.
        progress: Called with the number of pictures done and of all.
    """
    sources = [source_of(chosen.store, name) for name in (*chosen.gallery, *chosen.probes)]
    half = len(chosen.people)
    return [
        SizedPeople(
            {name: rows[:half] for name, rows in found.items()}, {name: rows[half:] for name, rows in found.items()}
        )
        for found in sized_templates(pipelines, sources, sizes, progress=progress)
    ]


def evaluate_low_resolution(
    pipeline: Pipeline,
    chosen: TwoPictures,
    *,
    sizes: Sizes | None = None,
    gallery: Pipeline | None = None,
    at: FMR = SHIPPED_AT,
    seed: int = 0,
    resamples: int = 1000,
    progress: Progress | None = None,
) -> ProtocolResult:
    """Rank, true accept rate, and both error rates at the shipped threshold, at each size of the probe's face.

    Args:
        pipeline: Of the probes.
        chosen: Two pictures of each person.
        sizes: To which sizes pictures are reduced; the default ones when None.
        gallery: Of the enrolled pictures, where that is another recogniser; see `TemplateSpace.comparable`.
        at: The operating point of the shipped threshold.
        seed: Seed of resamples.
        resamples: Number of resamples of people; 0 for no intervals.
        progress: Called with the number of pictures done and of all.

    Raises:
        SpaceError: The two recognisers' templates may not be compared.
        InputError: No full picture of the gallery, or no probe at any size, gave a template.
        ModelError: The shipped calibration does not reach that operating point; before any picture is read.
        UsageError: A seed or number of resamples that nothing can be drawn with.
    """
    check_draws(seed, resamples, least=0)
    wanted = sizes or Sizes()
    several = [pipeline] if gallery is None else [pipeline, gallery]
    several[0].space.require_comparable(several[-1].space)
    shipped_for(several[0], several[-1], at=at)
    begin = time.perf_counter()
    made = embed_sizes(several, chosen, wanted, progress=progress)
    seconds = {"templates": time.perf_counter() - begin}
    return low_resolution_result(
        several[0],
        several[-1],
        made[0],
        made[-1],
        chosen,
        sizes=wanted,
        at=at,
        seed=seed,
        resamples=resamples,
        seconds=seconds,
    )


def low_resolution_result(
    pipeline: Pipeline,
    gallery: Pipeline,
    probes: SizedPeople,
    enrolled: SizedPeople,
    chosen: TwoPictures,
    *,
    sizes: Sizes,
    at: FMR = SHIPPED_AT,
    seed: int = 0,
    resamples: int = 1000,
    seconds: Mapping[str, float] | None = None,
) -> ProtocolResult:
    """The result of templates that are made already; see `evaluate_low_resolution`.

    Args:
        pipeline: Of the probes.
        gallery: Of the enrolled pictures; the same one where there is one recogniser.
        probes: By ``pipeline``.
        enrolled: By ``gallery``.
        chosen: The pictures.
        sizes: Their sizes.
        at: The operating point of the shipped threshold.
        seed: Seed of resamples.
        resamples: Number of resamples of people.
        seconds: Seconds by step, so far.
    """
    require_comparable(probes.probes[FULL], enrolled.gallery[FULL])
    require_one(enrolled.gallery[FULL].status)
    require_one(Status.concat([rows.status for rows in probes.probes.values()]))
    begin = time.perf_counter()
    threshold = shipped_for(pipeline, gallery, at=at)
    own = threshold if pipeline is gallery else shipped_for(pipeline, pipeline, at=at)
    found = low_resolution_figures(
        probes, enrolled.gallery[FULL], sizes.names, shipped=threshold, both=own, seed=seed, resamples=resamples
    )
    roles, ledger, notes = roles_touched(chosen.set_name, chosen.people)
    status = Status.concat([probes.probes[name].status for name in sizes.names])
    told = f"{chosen.single} people with one picture alone are left out." if chosen.single else ""
    return ProtocolResult(
        kind="low-resolution",
        data=chosen.set_name or "labelled pictures",
        recogniser=recogniser_of(pipeline, pipeline.space),
        numbers={
            "people": len(chosen.people),
            "probes": len(chosen.probes),
            "failed_entries": int((~enrolled.gallery[FULL].ok).sum()),
        },
        figures=found.figures,
        failed_images=failed_reasons(status),
        images=len(status),
        settings={
            "sizes": list(sizes.names),
            "operator": sizes.operator,
            "gallery_model": gallery.made_by.model,
            "gallery_space": gallery.space.fingerprint,
            "at": str(at),
            "threshold": None if threshold is None else threshold.value,
            "threshold_of": None if threshold is None else threshold.label,
        },
        roles=roles,
        ledger=ledger,
        notes=(*([told] if told else []), *notes),
        seed=seed,
        resamples=resamples,
        seconds={**(seconds or {}), "figures": time.perf_counter() - begin},
        curves={"sizes": list(sizes.names), **found.curves},
    )


def shipped_for(pipeline: Pipeline, gallery: Pipeline, *, at: FMR) -> ShippedThreshold | None:
    """The shipped threshold for templates of one pipeline against those of another, or of the same one.

    Args:
        pipeline: Of one side.
        gallery: Of the other side.
        at: The operating point.

    Returns:
        None where no calibration of these spaces ships.

    Raises:
        ModelError: A calibration ships, and cannot give the threshold: it does not reach that rate, or is of another
            form.
    """
    try:
        if pipeline.space.fingerprint == gallery.space.fingerprint:
            calibration: Calibration = pipeline.calibration()
        else:
            calibration = shipped(pair_fingerprint(pipeline.space, gallery.space))
        return ShippedThreshold(calibration.threshold(at), f"{at}, fitted on: {calibration.population}")
    except ModelError as error:
        if error.reason != "calibration.missing":
            raise
        return None
