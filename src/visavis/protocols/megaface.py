"""Distractors by the million: rank-1 identification and TAR at very low FAR, as MegaFace measures them.

Kemelmacher-Shlizerman et al. 2016, "The MegaFace Benchmark: 1 Million Faces for Recognition at Scale". The official
folder holds ``facescrub_images/<person>/<picture>`` (probes) and ``megaface_images/<a>/<b>/<picture>`` (distractors);
any folder with one folder a person, and any other pictures, will do.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError, UsageError
from visavis.io import FolderStore, TarStore, open_store
from visavis.io.files import is_file
from visavis.metrics.intervals import Statistic, person_bootstrap
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.distractor_scores import DistractorScores
from visavis.protocols.embedding_file import EmbeddingFile
from visavis.protocols.given_points import (
    failed_reasons,
    picture_space,
    picture_templates,
    recogniser_of,
    require_one,
)
from visavis.protocols.labelled import Progress
from visavis.protocols.picture_names import last_parts, read_names
from visavis.protocols.plain import ends
from visavis.protocols.protocol_result import LEVEL, ORACLE, Figure, ProtocolResult
from visavis.protocols.role_notes import roles_touched
from visavis.types import Templates

FARS = {"1e-6": 1e-6, "1e-5": 1e-5, "1e-4": 1e-4}
_BLOCK = 4096
_SLACK = 2
"""Similarities that are kept, in multiples of what the largest FAR needs: resamples of people need more."""


@dataclass(frozen=True, slots=True, eq=False)
class ProbeSet:
    """Labelled pictures of people who have at least two.

    Attributes:
        store: Where they are.
        names: Name of each picture.
        people: Person of each.
        removed: Pictures that a list of noise took out.
    """

    store: FolderStore | TarStore
    names: tuple[str, ...]
    people: tuple[str, ...]
    removed: int


@dataclass(frozen=True, slots=True, eq=False)
class DistractorSet:
    """Pictures of other people, or their embeddings.

    Attributes:
        store: Where the pictures are; None for embeddings.
        names: Name of each picture, in order; empty for embeddings.
        embeddings: ``.npy`` file ``(N, D)``; None for pictures.
        count: N.
        removed: Pictures that a list of noise took out.
    """

    store: FolderStore | TarStore | None
    names: tuple[str, ...]
    embeddings: Path | None
    count: int
    removed: int


def read_probes(path: str | Path, *, chosen: str | Path | None = None, noises: str | Path | None = None) -> ProbeSet:
    """The probes of a folder or archive with one folder a person.

    Args:
        path: The folder or archive.
        chosen: A list of the pictures to take (``facescrub_lst``); all when None.
        noises: A list of wrong pictures to leave out by file name (``facescrub_noises.txt``).

    Raises:
        UnreadableError: A file cannot be read.
        InputError: A list that does not fit, or nobody with two pictures.
    """
    store = open_store(path)
    names = _chosen(store.names(), chosen, 2, path)
    wrong = set() if noises is None else set(read_names(noises, parts=1))
    kept = [name for name in names if "/" in name and name.split("/")[-1] not in wrong]
    counts = Counter(name.split("/")[-2] for name in kept)
    taken = [name for name in kept if counts[name.split("/")[-2]] > 1]
    if not taken:
        raise InputError(f"{path} holds nobody with two pictures; probes lie in one folder a person", reason="protocol")
    removed = sum(name.split("/")[-1] in wrong for name in names)
    return ProbeSet(store, tuple(taken), tuple(name.split("/")[-2] for name in taken), removed)


def read_distractors(
    path: str | Path, *, chosen: str | Path | None = None, noises: str | Path | None = None
) -> DistractorSet:
    """The distractors of a folder or archive, or of an ``.npy`` file of embeddings.

    Args:
        path: The folder, archive or file; embeddings must be of the recogniser that embeds the probes.
        chosen: A list of the pictures to take (``megaface_lst``); all when None.
        noises: A list of pictures of the probes' people to leave out, by the last three parts of their path
            (``megaface_noises.txt``).

    Raises:
        UnreadableError: A file cannot be read.
        UsageError: A list together with embeddings.
        InputError: A list that does not fit, or no distractor.
    """
    if is_file(path) and str(path).lower().endswith(".npy"):
        if chosen is not None or noises is not None:
            raise UsageError("lists of names have no meaning for distractors from an .npy file; leave them out of it")
        with EmbeddingFile(path) as file:
            return DistractorSet(None, (), Path(path), len(file), 0)
    store = open_store(path)
    names = _chosen(store.names(), chosen, 3, path)
    wrong = set() if noises is None else set(read_names(noises, parts=3))
    kept = tuple(name for name in names if "/".join(name.split("/")[-3:]) not in wrong)
    if not kept:
        raise InputError(f"{path} holds no distractor", reason="protocol")
    return DistractorSet(store, kept, None, len(kept), len(names) - len(kept))


def evaluate_megaface(
    pipeline: Pipeline,
    probes: ProbeSet,
    distractors: DistractorSet,
    *,
    aligned: bool = False,
    seed: int = 0,
    resamples: int = 1000,
    progress: Progress | None = None,
) -> ProtocolResult:
    """Rank-1 against the number of distractors, and TAR at FAR over all pairs of probes and distractors.

    Identification: each picture of a person is the gallery once, and each other picture of the person the probe; the
    search is right when the mate is more similar to the probe than every distractor (a tie is a miss). Subsets of 10,
    100, ... distractors are nested and drawn with the seed. Verification: the mated pairs are those of two pictures of
    one person, the non-mated ones those of a probe and a distractor. Distractors are streamed. A failed picture fails
    its pairs; a failed distractor is a rejection.

    Args:
        pipeline: From pictures to templates.
        probes: The probes.
        distractors: The distractors.
        aligned: The pictures are square crops by the ArcFace template; else the faces are detected.
        seed: Seed of subsets and resamples.
        resamples: Number of resamples of the probes' people; the distractors are kept.
        progress: Called with the number of pictures done and of all.

    Raises:
        InputError: No probe gave a template, or embeddings of another dimension.
    """
    begin = time.perf_counter()
    sources = [probes.store.get(name) for name in probes.names]
    templates = Templates.concat(list(picture_templates(pipeline, sources, aligned=aligned, progress=progress)))
    require_one(templates.status)
    sizes = _sizes(distractors.count)
    order = np.random.default_rng(seed).permutation(distractors.count)
    subset = np.searchsorted(sizes, order, side="right")
    keep = _SLACK * (int(max(FARS.values()) * len(templates) * distractors.count) + 1) + 1
    found = DistractorScores(templates.vectors, sizes=sizes, subset=subset, keep=keep)
    failed = Counter(failed_reasons(templates.status))
    embedded = time.perf_counter()
    for vectors, reasons in _stream(pipeline, distractors, aligned=aligned, progress=progress):
        found.add(vectors)
        failed.update(reasons)
    streamed = time.perf_counter()
    mates = _Mates.of(templates.vectors, probes.people)
    figures = [
        *_rank_figures(found, mates, sizes, seed=seed, resamples=resamples),
        *_tar_figures(found, mates, seed=seed, resamples=resamples),
    ]
    roles, ledger, notes = roles_touched("facescrub", set(probes.people))
    return ProtocolResult(
        kind="megaface",
        data="megaface",
        recogniser=recogniser_of(pipeline, picture_space(pipeline, aligned=aligned)),
        numbers={
            "probes": len(templates),
            "failed_probes": int((~templates.ok).sum()),
            "removed_probes": probes.removed,
            "distractors": distractors.count,
            "failed_distractors": found.failed,
            "removed_distractors": distractors.removed,
            "people": len(set(probes.people)),
            "mated": len(mates.one),
            "nonmated": len(templates) * distractors.count,
        },
        figures=tuple(figures),
        failed_images=dict(failed),
        images=len(templates) + distractors.count,
        settings={"aligned": aligned, "distractors": "pictures" if distractors.embeddings is None else "embeddings"},
        roles=roles,
        ledger=ledger,
        notes=notes,
        seed=seed,
        resamples=resamples,
        seconds={"probes": embedded - begin, "distractors": streamed - embedded},
        curves={"distractors": sizes, "rank.1": [figure.value for figure in figures[: len(sizes)]]},
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Mates:
    """All unordered pairs of two pictures of one person: rows ``one < two``, similarity, code of the person."""

    one: NDArray[np.intp]
    two: NDArray[np.intp]
    similarity: NDArray[np.float32]
    people: NDArray[np.intp]
    probe_people: NDArray[np.intp]

    @classmethod
    def of(cls, vectors: NDArray[np.float32], people: Sequence[str]) -> _Mates:
        _, codes = np.unique(np.array(people), return_inverse=True)
        ones, twos = [], []
        for code in range(int(codes.max()) + 1):
            rows = np.flatnonzero(codes == code)
            one, two = np.triu_indices(len(rows), 1)
            ones.append(rows[one])
            twos.append(rows[two])
        one, two = np.concatenate(ones), np.concatenate(twos)
        return cls(one, two, np.einsum("pd,pd->p", vectors[one], vectors[two]), codes[one], codes)


def _rank_figures(
    found: DistractorScores, mates: _Mates, sizes: Sequence[int], *, seed: int, resamples: int
) -> list[Figure]:
    people = np.concatenate([mates.people, mates.people])
    figures = []
    for level, size in enumerate(sizes):
        best = found.maxima[:, level]
        hit = np.concatenate([mates.similarity > best[mates.one], mates.similarity > best[mates.two]])
        hits = int(hit.sum())
        figures.append(
            Figure(
                name=f"rank.1.of.{size}",
                value=hits / len(hit),
                interval=_interval(people, _share(hit), seed=seed, resamples=resamples),
                counts={"misses": len(hit) - hits, "hits": hits},
            )
        )
    return figures


def _tar_figures(found: DistractorScores, mates: _Mates, *, seed: int, resamples: int) -> list[Figure]:
    scores, rows = found.highest()
    figures = []
    for name, far in FARS.items():
        threshold = found.threshold_at_far(far)
        hits = int((mates.similarity >= threshold).sum())
        statistic = _tar(mates, scores, mates.probe_people[rows], far, found.taken)
        figures.append(
            Figure(
                name=f"tar_at_far.{name}",
                value=hits / len(mates.one),
                interval=_interval(mates.people, statistic, seed=seed, resamples=resamples),
                counts={
                    "false matches": int((scores >= threshold).sum()) if math.isfinite(threshold) else found.compared,
                    "false non-matches": len(mates.one) - hits,
                },
                threshold=threshold,
                label=ORACLE,
            )
        )
    return figures


def _tar(mates: _Mates, scores: NDArray[np.float32], who: NDArray[np.intp], far: float, distractors: int) -> Statistic:
    """TAR at FAR of weighted mated pairs, whose weight is that of their person, and so for the probes' other pairs."""
    first = np.unique(mates.people, return_index=True)[1]
    probes = np.bincount(mates.probe_people)

    def tar(weights: NDArray[np.float64]) -> float:
        times = weights[first]
        mass = np.cumsum(times[who])
        place = int(np.searchsorted(mass, far * float(times @ probes) * distractors * (1 + 1e-12), side="right"))
        total = weights.sum()
        if place >= len(mass) or total == 0:
            return math.nan
        return float(weights[mates.similarity > scores[place]].sum() / total)

    return tar


def _share(hit: NDArray[np.bool_]) -> Statistic:
    return lambda weights: float(weights[hit].sum() / weights.sum()) if weights.any() else math.nan


def _interval(
    people: NDArray[np.intp], statistic: Statistic, *, seed: int, resamples: int
) -> tuple[float, float] | None:
    rng = np.random.default_rng(seed)
    return ends(person_bootstrap(people, people, statistic, resamples=resamples, rng=rng, level=LEVEL))


def _sizes(count: int) -> list[int]:
    """10, 100, ... below the number of distractors, and that number."""
    powers = [10**power for power in range(1, 7) if 10**power < count]
    return [*powers, count]


def _stream(
    pipeline: Pipeline, distractors: DistractorSet, *, aligned: bool, progress: Progress | None
) -> Iterator[tuple[NDArray[np.float32], dict[str, int]]]:
    """Unit vectors of the distractors some at a time, NaN for failed ones, with the reasons of failures."""
    if distractors.store is not None:
        sources = [distractors.store.get(name) for name in distractors.names]
        for part in picture_templates(pipeline, sources, aligned=aligned, progress=progress):
            yield part.vectors, failed_reasons(part.status)
    if distractors.embeddings is None:
        return
    with EmbeddingFile(distractors.embeddings) as file:
        if file.dimension != pipeline.space.dimension:
            raise InputError(
                f"{file.path} holds embeddings of {file.dimension} dimensions, {pipeline.made_by.model} gives "
                f"{pipeline.space.dimension}; they must be of one model",
                reason="protocol",
            )
        for start in range(0, len(file), _BLOCK):
            block = file.read(np.arange(start, min(start + _BLOCK, len(file))))
            lengths = np.linalg.norm(block, axis=1)
            lengths[~(np.isfinite(lengths) & (lengths > 0))] = np.nan
            failed = int(np.isnan(lengths).sum())
            yield block / lengths[:, None], {"embedding": failed} if failed else {}
            if progress is not None:
                progress(start + len(block), len(file))


def _chosen(names: Sequence[str], chosen: str | Path | None, parts: int, path: str | Path) -> list[str]:
    """The names of a list as the store has them, or all of them."""
    if chosen is None:
        return list(names)
    known = last_parts(names, parts)
    wanted = read_names(chosen, parts=parts)
    missing = [name for name in wanted if name not in known]
    if missing:
        raise InputError(
            f"{len(missing)} of the {len(wanted)} pictures of {chosen} are not in {path}, for example {missing[0]}",
            reason="protocol",
        )
    return [known[name] for name in wanted]
