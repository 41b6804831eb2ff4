"""Racial Faces in the Wild: one recogniser, four groups, one threshold.

Wang et al. 2019, "Racial Faces in the Wild: Reducing Racial Bias by Information Maximization Adaptation Network".
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from visavis.errors import InputError, UsageError
from visavis.io import FolderStore, ImageStore
from visavis.io.files import is_file, is_folder
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.bin_sets import read_bin
from visavis.protocols.contiguous_folds import with_folds
from visavis.protocols.evaluate import SHIPPED_AT, shipped_threshold, source_of
from visavis.protocols.folds import ProtocolFolds, protocol_folds
from visavis.protocols.given_points import (
    failed_reasons,
    picture_calibration,
    picture_space,
    picture_templates,
    recogniser_of,
    require_one,
)
from visavis.protocols.labelled import Progress
from visavis.protocols.pairs import PairList, read_pairs
from visavis.protocols.people import pair_people
from visavis.protocols.person_intervals import check_draws
from visavis.protocols.protocol_result import ProtocolResult
from visavis.protocols.rfw_figures import GroupScores, group_figures
from visavis.protocols.role_notes import NAMELESS, roles_touched
from visavis.types import FMR, Templates

GROUPS = ("African", "Asian", "Caucasian", "Indian")


@dataclass(frozen=True, slots=True, eq=False)
class RfwGroup:
    """The pairs of one group and where their pictures are.

    Attributes:
        name: For example ``African``.
        pairs: The pairs, in ten consecutive folds or in none.
        store: The pictures.
        aligned: True where the pictures are aligned crops already.
    """

    name: str
    pairs: PairList
    store: ImageStore
    aligned: bool


def read_rfw(path: str | Path, *, aligned: bool = False) -> list[RfwGroup]:
    """The groups of a folder, in either official form.

    ``txts/<Group>/<Group>_pairs.txt`` in LFW's form with pictures ``data/<Group>/<id>/<id>_000N.jpg``; or one
    verification file a group, ``<Group>_test.bin`` or ``<Group>.bin``. A list without folds gets ten consecutive ones
    where each of them holds pairs of both kinds; see `with_folds`.

    Args:
        path: The folder; of the first form, or one that holds it as ``test``.
        aligned: The pictures below ``data`` are crops by the ArcFace template; ``.bin`` files always hold such.

    Raises:
        UnreadableError: A file cannot be read.
        InputError: Fewer than two groups, or a file that does not fit.
    """
    top = Path(path, "test") if is_folder(Path(path, "test", "txts")) else Path(path)
    groups = []
    for name in GROUPS:
        bins = [file for file in (top / f"{name}_test.bin", top / f"{name}.bin") if is_file(file)]
        listed = top / "txts" / name / f"{name}_pairs.txt"
        if is_file(listed):
            groups.append(
                RfwGroup(name, with_folds(read_pairs(listed)), FolderStore(top / "data" / name), aligned=aligned)
            )
        elif bins:
            file, pairs = read_bin(bins[0])
            groups.append(RfwGroup(name, pairs, file, aligned=True))
    if len(groups) < 2:
        raise InputError(
            f"{path} holds {len(groups)} of the groups {', '.join(GROUPS)}; give the folder that holds txts/ and "
            "data/, or the .bin files <Group>_test.bin of at least two groups",
            reason="protocol",
        )
    return groups


def evaluate_rfw(
    pipeline: Pipeline,
    groups: Sequence[RfwGroup],
    *,
    at: FMR = SHIPPED_AT,
    seed: int = 0,
    resamples: int = 1000,
    progress: Progress | None = None,
) -> ProtocolResult:
    """Accuracy of each group, and the error rates of every group at one threshold for all.

    Args:
        pipeline: From pictures to templates.
        groups: The groups, of one form.
        at: The false match rate over the non-mated pairs of all groups together that fixes the common threshold.
        seed: Seed of resamples.
        resamples: Number of resamples of people.
        progress: Called with the number of pictures of a group done and of all.

    Raises:
        InputError: No picture of a group could be used.
        UsageError: Groups of two forms, pairs that cannot be evaluated, or a seed or number of resamples that nothing
            can be drawn with.
    """
    check_draws(seed, resamples)
    if len({group.aligned for group in groups}) != 1:
        raise UsageError("the groups must be of one form: pictures for all of them, or .bin files for all of them")
    folds = [protocol_folds(group.pairs, seed=seed) for group in groups]
    begin = time.perf_counter()
    scores, failed, images = [], Counter[str](), 0
    for group in groups:
        names = group.pairs.images
        sources = [source_of(group.store, name) for name in names]
        parts = picture_templates(pipeline, sources, aligned=group.aligned, progress=progress)
        templates = Templates.concat(list(parts))
        require_one(templates.status)
        left, right = group.pairs.positions()
        vectors = templates.vectors.astype(np.float64)
        scores.append(GroupScores(group.name, group.pairs, np.einsum("pd,pd->p", vectors[left], vectors[right])))
        failed.update(failed_reasons(templates.status))
        images += len(names)
    seconds = time.perf_counter() - begin
    aligned = groups[0].aligned
    calibration = picture_calibration(pipeline, aligned=aligned)
    people = {person for one in scores for person in _people(one)}
    named = [person for one in scores for person in _people(one) if not pair_people(one.pairs).linked]
    roles, ledger, notes = roles_touched("rfw", named, calibrated=calibration is not None)
    return ProtocolResult(
        kind="rfw",
        data="rfw",
        recogniser=recogniser_of(pipeline, picture_space(pipeline, aligned=aligned)),
        numbers={
            "groups": len(groups),
            "pairs": sum(len(one.pairs) for one in scores),
            "dropped_pairs": sum(one.dropped for one in folds),
            "failed_pairs": sum(int(np.isnan(one.similarities).sum()) for one in scores),
            "people": len(people),
        },
        figures=tuple(
            group_figures(
                scores,
                at=at,
                shipped=None if calibration is None else shipped_threshold(calibration),
                seed=seed,
                resamples=resamples,
            )
        ),
        failed_images=dict(failed),
        images=images,
        settings={"at": str(at), "aligned": aligned},
        roles=roles,
        ledger=ledger,
        notes=(*_fold_notes(groups, folds), *([] if named else [NAMELESS]), *notes),
        seed=seed,
        resamples=resamples,
        seconds={"embedding": seconds},
    )


def _fold_notes(groups: Sequence[RfwGroup], folds: Sequence[ProtocolFolds]) -> list[str]:
    """What to say of groups whose list cannot be cut into ten consecutive folds."""
    return [
        f"{group.name}: ten consecutive folds would not hold pairs of both kinds each; {one.source} were used, which "
        f"drop {one.dropped} of {len(group.pairs)} pairs from the accuracy."
        for group, one in zip(groups, folds, strict=True)
        if group.pairs.fold is None
    ]


def _people(one: GroupScores) -> set[str]:
    people = pair_people(one.pairs)
    prefix = f"{one.name}:" if people.linked else ""
    return {prefix + person for person in (*people.person1, *people.person2)}
