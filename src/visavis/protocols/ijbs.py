"""IJB-S-type identification: templates of surveillance frames against galleries of stills, closed and open set.

Kalka et al. 2018, "IJB-S: IARPA Janus Surveillance Video Benchmark". The official files are not public, so the lists
are read in a plain form that they can be brought into:

    gallery_1.csv, gallery_2.csv   template,subject,medium,file: stills of the subjects of each gallery
    probes.csv                     the same of the probes: frames of surveillance clips

A row is a picture; the file is relative to the folder. A medium is a clip or a still, a number within its template. The
subjects of the second gallery are not in the first, so that each probe is mated in one and a stranger to the other.
"""

from __future__ import annotations

import csv
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError, UnreadableError, UsageError
from visavis.io import FolderStore
from visavis.io.files import read_file
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.embedding_file import EmbeddingFile, EmbeddingWriter
from visavis.protocols.evaluate import source_of
from visavis.protocols.given_points import (
    failed_reasons,
    picture_space,
    picture_templates,
    raw_vectors,
    recogniser_of,
    require_one,
)
from visavis.protocols.ijb_identification import identification_figures
from visavis.protocols.ijb_layout import IjbSubjects
from visavis.protocols.labelled import Progress
from visavis.protocols.person_intervals import check_draws
from visavis.protocols.protocol_result import ProtocolResult
from visavis.protocols.role_notes import roles_touched
from visavis.protocols.template_pooling import pool_by_media
from visavis.types import Status

GALLERIES = ("gallery_1", "gallery_2")
PROBES = "probes"
Weighting = Literal["none", "norm", "norm2"]
"""What an image weighs in its template: 1, the norm of its embedding, or the square of that norm."""
_COLUMNS = ("template", "subject", "medium", "file")
_ACCEPTED = f"accepted is UTF-8 CSV with the header {','.join(_COLUMNS)}"


@dataclass(frozen=True, slots=True, eq=False)
class IjbsSet:
    """The pictures of a set, all sides one after the other.

    Attributes:
        path: The folder.
        files: Name of each picture, relative to it.
        template: int64 ``(N,)``: number of the template of each, 0..T-1.
        media: int64 ``(N,)``: number of its medium.
        subjects: Of each template, ``(T,)``.
        sides: Templates of ``gallery_1``, ``gallery_2`` and ``probes``.
    """

    path: Path
    files: tuple[str, ...]
    template: NDArray[np.int64]
    media: NDArray[np.int64]
    subjects: tuple[str, ...]
    sides: dict[str, NDArray[np.int64]]


def read_ijbs(path: str | Path) -> IjbsSet:
    """Read the three lists of a folder.

    Raises:
        UnreadableError: A list is missing or cannot be read.
        InputError: Another form, a template of two subjects, or a subject in both galleries.
    """
    folder = Path(path)
    files: list[str] = []
    media: list[str] = []
    templates: list[int] = []
    subjects: list[str] = []
    sides: dict[str, NDArray[np.int64]] = {}
    for side in (*GALLERIES, PROBES):
        numbers: dict[str, int] = {}
        for line, (template, subject, medium, file) in _rows(folder / f"{side}.csv"):
            if template not in numbers:
                numbers[template] = len(subjects)
                subjects.append(subject)
            elif subjects[numbers[template]] != subject:
                raise InputError(
                    f"{folder / side}.csv, line {line}: template {template} shows {subject} and "
                    f"{subjects[numbers[template]]}; a template is of one subject",
                    reason="protocol",
                )
            files.append(file)
            media.append(f"{numbers[template]}/{medium}")
            templates.append(numbers[template])
        sides[side] = np.array(list(numbers.values()), np.int64)
    first, second = ({subjects[row] for row in sides[side].tolist()} for side in GALLERIES)
    if first & second:
        raise InputError(
            f"{folder}: {len(first & second)} subjects are in both galleries, {min(first & second)} among them; each "
            "is in one of them",
            reason="protocol",
        )
    numbers_of_media = np.unique(np.array(media), return_inverse=True)[1].astype(np.int64)
    return IjbsSet(folder, tuple(files), np.array(templates, np.int64), numbers_of_media, tuple(subjects), sides)


def checked_weighting(weighting: str) -> Weighting:
    """The weighting of that name.

    Raises:
        UsageError: There is none.
    """
    for known in get_args(Weighting):
        if weighting == known:
            return cast(Weighting, known)
    raise UsageError(f"pictures are weighed by {', '.join(get_args(Weighting))}; got {weighting!r}")


def evaluate_ijbs(
    pipeline: Pipeline,
    data: IjbsSet,
    *,
    weighting: Weighting = "none",
    aligned: bool = False,
    seed: int = 0,
    resamples: int = 1000,
    progress: Progress | None = None,
) -> ProtocolResult:
    """Rank, and TPIR at FPIR, in both galleries and their mean.

    A template is the mean of each medium, summed over its media, at unit norm; a picture without a face is left out of
    it, and a template without any picture left is a failure: a probe misses, an entry is never returned.

    Args:
        pipeline: From pictures to templates.
        data: The set.
        weighting: What a picture weighs.
        aligned: The pictures are square crops by the ArcFace template; else the faces are detected.
        seed: Seed of resamples.
        resamples: Number of resamples of the probes' subjects; 0 for no intervals. The galleries are kept.
        progress: Called with the number of pictures done and of all.

    Raises:
        InputError: No picture gave an embedding.
        UsageError: Another weighting, or a seed or number of resamples that nothing can be drawn with.
    """
    checked_weighting(weighting)
    check_draws(seed, resamples, least=0)
    begin = time.perf_counter()
    vectors, status = _templates(pipeline, data, weighting=weighting, aligned=aligned, progress=progress)
    embedded = time.perf_counter()
    people = np.unique(np.array(data.subjects), return_inverse=True)[1].astype(np.int64)
    galleries = {side: IjbSubjects(data.sides[side], people[data.sides[side]]) for side in GALLERIES}
    probes = IjbSubjects(data.sides[PROBES], people[data.sides[PROBES]])
    found = identification_figures(vectors, galleries, probes, seed=seed, resamples=resamples)
    roles, ledger, notes = roles_touched("ijbs", set(data.subjects))
    return ProtocolResult(
        kind="ijbs",
        data="ijbs",
        recogniser=recogniser_of(pipeline, picture_space(pipeline, aligned=aligned)),
        numbers={
            "templates": len(vectors),
            "failed_templates": int(np.isnan(vectors[:, 0]).sum()),
            "people": len(set(data.subjects)),
            **found.numbers,
        },
        figures=found.figures,
        failed_images=failed_reasons(status),
        images=len(status),
        settings={"aligned": aligned, "weighting": weighting, "pooling": "mean of each medium, sum over media"},
        roles=roles,
        ledger=ledger,
        notes=(*found.notes, *notes),
        seed=seed,
        resamples=resamples,
        seconds={"embedding": embedded - begin, "searches": time.perf_counter() - embedded},
        curves={"cmc": found.cmc},
    )


def _templates(
    pipeline: Pipeline, data: IjbsSet, *, weighting: Weighting, aligned: bool, progress: Progress | None
) -> tuple[NDArray[np.float32], Status]:
    """The template of each set of pictures, and which pictures failed."""
    store = FolderStore(data.path)
    sources = [source_of(store, name) for name in data.files]
    parts: list[Status] = []
    norms: list[NDArray[np.float32]] = []
    with TemporaryDirectory(prefix="visavis-ijbs-") as scratch:
        path = Path(scratch, "embeddings.npy")
        with EmbeddingWriter(path, rows=len(sources), dimension=pipeline.space.dimension) as writer:
            for made in picture_templates(pipeline, sources, aligned=aligned, progress=progress):
                writer.write(raw_vectors(made))
                parts.append(made.status)
                norms.append(made.norms)
            status = Status.concat(parts)
            require_one(status)
        weights = np.concatenate(norms) if weighting == "norm2" else None
        with EmbeddingFile(path) as file:
            pooled = pool_by_media(file, data.template, data.media, keep_norm=weighting != "none", weights=weights)
    return pooled.vectors, status


def _rows(path: Path) -> list[tuple[int, tuple[str, str, str, str]]]:
    """The rows of a list with their line numbers."""
    try:
        lines = read_file(path).decode("utf-8-sig").splitlines(keepends=True)
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{path} is not UTF-8 text (byte {error.start}); {_ACCEPTED}") from error
    try:
        header, *read = list(csv.reader(lines)) or [[]]
    except csv.Error as error:
        raise InputError(f"{path} is not valid CSV ({error}); {_ACCEPTED}", reason="protocol") from error
    if tuple(header) != _COLUMNS:
        raise InputError(f"{path} has the header {','.join(header)[:80]!r}; {_ACCEPTED}", reason="protocol")
    found = []
    for line, row in enumerate(read, start=2):
        if len(row) != len(_COLUMNS) or not all(row):
            raise InputError(f"{path}, line {line}: {len(row)} fields, or an empty one; {_ACCEPTED}", reason="protocol")
        found.append((line, (row[0], row[1], row[2], row[3])))
    if not found:
        raise InputError(f"{path} names no picture; {_ACCEPTED}", reason="protocol")
    return found
