"""The figures of IJB 1:1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.metrics.components import components
from visavis.metrics.intervals import Interval
from visavis.metrics.sorted_scores import SortedScores
from visavis.metrics.tail_bootstrap import tar_at_far_intervals
from visavis.protocols.ijb_layout import IjbFolder, IjbImages, IjbPairs
from visavis.protocols.protocol_result import LEVEL, ORACLE, Figure

FARS = {"1e-6": 1e-6, "1e-5": 1e-5, "1e-4": 1e-4, "1e-3": 1e-3, "1e-2": 1e-2, "1e-1": 1e-1}
"""The false accept rates of the tables in the literature."""


@dataclass(frozen=True, slots=True, eq=False)
class TemplatePeople:
    """Who each template shows.

    Attributes:
        codes: int32 ``(T,)``: the person of each template, 0..P-1 over the templates of the pairs; -1 for others.
        names: Their names.
        notes: Sentences that belong next to the figures.
    """

    codes: NDArray[np.int32]
    names: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class VerificationFigures:
    """What `verification_figures` found.

    Attributes:
        figures: TAR by FAR, then the area that failed pairs take.
        roc: Points of the curve.
    """

    figures: tuple[Figure, ...]
    roc: dict[str, Any]


def template_people(folder: IjbFolder, images: IjbImages, pairs: IjbPairs) -> TemplatePeople:
    """The subjects of the 1:N files where they name all templates of the pairs, else what the mated pairs imply.

    Raises:
        UnreadableError: A file of 1:N is there and cannot be read.
        InputError: A file of 1:N that does not fit.
    """
    used = np.zeros(len(images.templates), np.bool_)
    used[pairs.left] = True
    used[pairs.right] = True
    people = np.full(len(used), -1, np.int64)
    if folder.has_subjects():
        for part in folder.subjects(images):
            people[part.rows] = part.people
    notes: tuple[str, ...] = ()
    linked = bool((people[used] < 0).any())
    if linked:
        left, right = (side[pairs.same].astype(np.intp) for side in (pairs.left, pairs.right))
        people = components(left, right, len(used))
        notes = (
            "The files of 1:N do not name all subjects: templates that mated pairs link count as one person. Where one "
            "person goes by two, intervals are too narrow.",
        )
    else:
        wrong = int(((people[pairs.left] == people[pairs.right]) != pairs.same).sum())
        if wrong:
            notes = (f"{wrong} pairs are labelled against the subjects of the files of 1:N; the labels were used.",)
    names, codes = np.unique(people[used], return_inverse=True)
    found = np.full(len(used), -1, np.int32)
    found[used] = codes
    prefix = "linked:" if linked else ""
    return TemplatePeople(found, tuple(f"{prefix}{name}" for name in names.tolist()), notes)


def verification_figures(
    similarities: NDArray[np.float32],
    pairs: IjbPairs,
    people: NDArray[np.int32],
    *,
    seed: int,
    resamples: int,
    lap: Callable[[str], None] = lambda name: None,
) -> VerificationFigures:
    """TAR at every FAR of `FARS`, at thresholds read off these pairs; a failed pair is a rejection.

    The largest TAR among the thresholds whose FAR does not exceed the target is taken. InsightFace's scripts take the
    operating point whose FAR lies nearest, which may exceed it.

    Args:
        similarities: float32 ``(P,)``; NaN for failed pairs.
        pairs: The pairs.
        people: Person of each template.
        seed: Seed of resamples.
        resamples: Number of resamples of people; 0 for no intervals.
        lap: Called with the name of each step that is done.
    """
    mated, nonmated = similarities[pairs.same], similarities[~pairs.same]
    scores = SortedScores.of(mated, nonmated)
    lap("curve")
    intervals: list[Interval] | None = None
    if resamples:
        who = people.astype(np.uint16) if people.max() < 1 << 16 else people
        intervals = tar_at_far_intervals(
            mated,
            nonmated,
            who[pairs.left[pairs.same]],
            who[pairs.left[~pairs.same]],
            who[pairs.right[~pairs.same]],
            list(FARS.values()),
            resamples=resamples,
            rng=np.random.default_rng(seed),
            level=LEVEL,
        )
        lap("intervals")
    figures = []
    for place, (name, far) in enumerate(FARS.items()):
        threshold = scores.threshold_at_fmr(far)
        missed, false = scores.false_nonmatches(threshold), scores.false_matches(threshold)
        figures.append(
            Figure(
                name=f"tar_at_far.{name}",
                value=1 - missed / scores.mated_total,
                interval=None if intervals is None else intervals[place],
                counts={"false matches": false, "false non-matches": missed},
                threshold=threshold,
                label=ORACLE,
            )
        )
    return VerificationFigures(tuple(figures), scores.roc())
