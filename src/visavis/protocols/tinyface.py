"""TinyFace: identification of native low-resolution faces among distractors.

Cheng, Zhu, Gong 2018, "Low-Resolution Face Recognition". The official folder:

    Testing_Set/Gallery_Match/       4,443 pictures of 2,569 people
    Testing_Set/Gallery_Distractor/  153,428 pictures of others
    Testing_Set/Probe/               3,728 pictures
    Testing_Set/gallery_match_img_ID_pairs.mat   gallery_set (names) and gallery_ids
    Testing_Set/probe_img_ID_pairs.mat           probe_set and probe_ids
"""

from __future__ import annotations

import struct
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from visavis._require import require
from visavis.errors import InputError
from visavis.io import FolderStore
from visavis.io.files import is_folder, read_file
from visavis.metrics.identification import cmc, cmc_statistic, map_statistic, mean_average_precision
from visavis.metrics.searches import Searches, search
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.evaluate import source_of
from visavis.protocols.given_points import (
    failed_reasons,
    picture_space,
    picture_templates,
    recogniser_of,
    require_one,
)
from visavis.protocols.labelled import Progress
from visavis.protocols.person_intervals import PersonIntervals, check_draws
from visavis.protocols.protocol_result import Figure, ProtocolResult
from visavis.protocols.role_notes import roles_touched
from visavis.types import Status, Templates

RANKS = (1, 5, 10, 20, 50)
DISTRACTOR = -100
"""The identity that stands for all distractors, as in the official evaluation."""
PUBLISHED = {"Gallery_Match": 4_443, "Probe": 3_728, "Gallery_Distractor": 153_428}
"""How many pictures the published protocol has."""
_DAMAGED = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    NotImplementedError,
    EOFError,
    OSError,
    zlib.error,
    struct.error,
)


@dataclass(frozen=True, slots=True, eq=False)
class TinyFace:
    """The pictures of the protocol.

    Attributes:
        gallery: Names of the mated gallery below ``Gallery_Match``.
        gallery_people: int64 ``(G,)``.
        distractors: Names below ``Gallery_Distractor``.
        probes: Names below ``Probe``.
        probe_people: int64 ``(P,)``.
        pictures: The folder that holds those three folders.
    """

    gallery: tuple[str, ...]
    gallery_people: NDArray[np.int64]
    distractors: tuple[str, ...]
    probes: tuple[str, ...]
    probe_people: NDArray[np.int64]
    pictures: Path


def read_tinyface(path: str | Path, *, crops: str | Path | None = None) -> TinyFace:
    """Read the lists of the official folder.

    Args:
        path: The folder that holds ``Testing_Set``, or ``Testing_Set`` itself.
        crops: Another folder with ``Gallery_Match``, ``Gallery_Distractor`` and ``Probe``, of aligned crops of the same
            names; their endings may differ (``.png`` for ``.jpg``).

    Raises:
        UnreadableError: A file cannot be read.
        InputError: The layout is another, or a list that does not fit.
        DependencyError: The package that reads ``.mat`` files is not installed.
    """
    top = Path(path, "Testing_Set") if is_folder(Path(path, "Testing_Set")) else Path(path)
    pictures = top if crops is None else Path(crops)
    for folder in ("Gallery_Match", "Gallery_Distractor", "Probe"):
        if not is_folder(pictures / folder):
            raise InputError(
                f"{pictures} has no folder {folder}; give the folder that holds Testing_Set/ of TinyFace, and with "
                "--crops one that holds Gallery_Match, Gallery_Distractor and Probe",
                reason="protocol",
            )
    gallery, gallery_people = _read_ids(top / "gallery_match_img_ID_pairs.mat", "gallery")
    probes, probe_people = _read_ids(top / "probe_img_ID_pairs.mat", "probe")
    return TinyFace(
        _there(gallery, pictures / "Gallery_Match"),
        gallery_people,
        tuple(FolderStore(pictures / "Gallery_Distractor").names()),
        _there(probes, pictures / "Probe"),
        probe_people,
        pictures,
    )


def evaluate_tinyface(
    pipeline: Pipeline,
    data: TinyFace,
    *,
    aligned: bool,
    seed: int = 0,
    resamples: int = 1000,
    progress: Progress | None = None,
) -> ProtocolResult:
    """Rank, cumulative match characteristic and mean average precision among all distractors.

    Every picture of the gallery is an entry of its own, and a probe is right at rank r when one of its mates is among
    the r most similar entries. The official evaluation sorts Euclidean distances of unit vectors, which is the same
    order. A failed probe is a miss at every rank; a failed entry is never returned.

    Args:
        pipeline: From pictures to templates.
        data: The pictures.
        aligned: The pictures are square crops by the ArcFace template; else the faces are detected.
        seed: Seed of resamples.
        resamples: Number of resamples of the probes' people; the gallery is kept.
        progress: Called with the number of pictures of a folder done and of all.

    Raises:
        InputError: No probe or no picture of the mated gallery gave a template.
        UsageError: A seed or number of resamples that nothing can be drawn with.
    """
    check_draws(seed, resamples)
    begin = time.perf_counter()
    sides = [
        _embed(pipeline, data.pictures / folder, names, aligned=aligned, progress=progress)
        for folder, names in (
            ("Probe", data.probes),
            ("Gallery_Match", data.gallery),
            ("Gallery_Distractor", data.distractors),
        )
    ]
    (probes, probe_status), (gallery, gallery_status), (others, other_status) = sides
    require_one(probe_status)
    require_one(gallery_status)
    embedded = time.perf_counter()
    people = np.concatenate([data.gallery_people, np.full(len(others), DISTRACTOR)])
    searches = search(probes, np.concatenate([gallery, others]), data.probe_people, people)
    status = Status.concat([probe_status, gallery_status, other_status])
    roles, ledger, notes = roles_touched("tinyface", {str(one) for one in data.probe_people.tolist()})
    return ProtocolResult(
        kind="tinyface",
        data="tinyface",
        recogniser=recogniser_of(pipeline, picture_space(pipeline, aligned=aligned)),
        numbers={
            "probes": len(probes),
            "failed_probes": int(searches.failed.sum()),
            "mated_probes": int(searches.mated.sum()),
            "gallery": len(gallery),
            "distractors": len(others),
            "failed_entries": searches.failed_entries,
            "people": len(np.unique(data.probe_people)),
        },
        figures=tuple(_figures(searches, data.probe_people, seed=seed, resamples=resamples)),
        failed_images=dict(Counter(failed_reasons(status))),
        images=len(status),
        settings={"aligned": aligned, "entry": "picture"},
        roles=roles,
        ledger=ledger,
        notes=(*_other_sizes(data), *notes),
        seed=seed,
        resamples=resamples,
        seconds={"embedding": embedded - begin, "searches": time.perf_counter() - embedded},
        curves={"ranks": list(RANKS), "cmc": cmc(searches, RANKS).tolist()},
    )


def _other_sizes(data: TinyFace) -> list[str]:
    """What to say where the pictures are not those of the published protocol."""
    have = {"Gallery_Match": data.gallery, "Probe": data.probes, "Gallery_Distractor": data.distractors}
    other = [
        f"{folder} {len(names):,} of {PUBLISHED[folder]:,}"
        for folder, names in have.items()
        if len(names) != PUBLISHED[folder]
    ]
    told = f"This is not the published protocol ({', '.join(other)} pictures): figures cannot be compared with others."
    return [told] if other else []


def _figures(searches: Searches, people: NDArray[np.int64], *, seed: int, resamples: int) -> list[Figure]:
    intervals = PersonIntervals(people, people, seed, resamples)
    mated = int(searches.mated.sum())
    figures = []
    for rank, value in zip(RANKS, cmc(searches, RANKS).tolist(), strict=True):
        hits = round(value * mated) if mated else 0
        figures.append(
            Figure(
                name=f"rank.{rank}",
                value=value,
                interval=intervals.of(cmc_statistic(searches, rank)),
                counts={"misses": mated - hits, "hits": hits},
            )
        )
    average = mean_average_precision(searches)
    return [*figures, Figure(name="map", value=average, interval=intervals.of(map_statistic(searches)))]


def _embed(
    pipeline: Pipeline, folder: Path, names: Sequence[str], *, aligned: bool, progress: Progress | None
) -> tuple[NDArray[np.float32], Status]:
    """Vectors and status of the pictures of a folder; no rows where there are none."""
    if not names:
        return np.empty((0, pipeline.space.dimension), np.float32), Status(())
    store = FolderStore(folder)
    sources = [source_of(store, name) for name in names]
    templates = Templates.concat(list(picture_templates(pipeline, sources, aligned=aligned, progress=progress)))
    return templates.vectors, templates.status


def _read_ids(path: Path, kind: str) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The names and people of ``<kind>_set`` and ``<kind>_ids``."""
    scipy_io = require("scipy.io", extra="tinyface", why="reading the .mat lists of TinyFace")
    damaged = (*_DAMAGED, scipy_io.matlab.MatReadError)
    data = read_file(path)
    try:
        found = scipy_io.loadmat(BytesIO(data), variable_names=[f"{kind}_set", f"{kind}_ids"])
        names = tuple(str(np.asarray(cell).ravel()[0]) for cell in found[f"{kind}_set"].ravel())
        people = np.asarray(found[f"{kind}_ids"]).ravel()
        if people.dtype.kind not in "iuf" or len(names) != len(people) or not names:
            raise ValueError(f"{len(names)} names and {len(people)} identities")
        if not (np.abs(people) < 1 << 53).all() or (people != np.round(people)).any() or (people == DISTRACTOR).any():
            raise ValueError(f"identities are whole numbers, and {DISTRACTOR} stands for the distractors")
    except damaged as error:
        raise InputError(
            f"{path} is not a list of TinyFace ({error}); expected are the arrays {kind}_set and {kind}_ids of equal "
            "length in MATLAB's version 5",
            reason="protocol",
        ) from error
    return names, people.astype(np.int64)


def _there(names: Sequence[str], folder: Path) -> tuple[str, ...]:
    """The names as the folder has them: the same, or with another ending; others are left as they are, and fail."""
    have = FolderStore(folder).names()
    known = set(have)
    stems = {PurePosixPath(name).stem: name for name in have}
    return tuple(name if name in known else stems.get(PurePosixPath(name).stem, name) for name in names)
