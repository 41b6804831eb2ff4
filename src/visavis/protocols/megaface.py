"""Distractors by the million: rank-1 identification and TAR at very low FAR, as MegaFace measures them.

Kemelmacher-Shlizerman et al. 2016, "The MegaFace Benchmark: 1 Million Faces for Recognition at Scale". The official
folder holds ``facescrub_images/<person>/<picture>`` (probes) and ``megaface_images/<a>/<b>/<picture>`` (distractors);
any folder with one folder a person, and any other pictures, will do.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from visavis.data.data_set import data_set_of
from visavis.errors import InputError
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
from visavis.protocols.ledger import Ledger
from visavis.protocols.megaface_figures import FARS, Mates, rank_figures, tar_figures
from visavis.protocols.megaface_sets import DistractorSet, ProbeSet, require_apart
from visavis.protocols.person_intervals import check_draws
from visavis.protocols.protocol_result import ProtocolResult
from visavis.protocols.role_notes import role_notes
from visavis.types import Templates

_BLOCK = 4096
_SLACK = 8
"""Similarities that are kept, in multiples of what the largest FAR needs: resamples of people need more."""
_LEAST = 1 << 20
"""The fewest that are kept: 8 MiB."""


def evaluate_megaface(
    pipeline: Pipeline,
    probes: ProbeSet,
    distractors: DistractorSet,
    *,
    aligned: bool = False,
    set_name: str | None = None,
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
        set_name: The data set of the probes in the people ledger, or ``none``; found by `data_set_of` when None.
        seed: Seed of subsets and resamples.
        resamples: Number of resamples of the probes' people; the distractors are kept.
        progress: Called with the number of pictures done and of all.

    Raises:
        InputError: No probe gave a template, or embeddings of another dimension.
        UsageError: A picture that is a probe and a distractor, no such data set, or a seed or number of resamples that
            nothing can be drawn with.
    """
    check_draws(seed, resamples)
    require_apart(probes, distractors)
    ledger = Ledger.load()
    known = data_set_of(
        set(probes.people), path=str(probes.path), inside=probes.names[0], given=set_name, ledger=ledger
    ).name
    others = ledger.guess_set(distractors.path) or ledger.guess_set(distractors.names[:1])
    begin = time.perf_counter()
    sources = [probes.store.get(name) for name in probes.names]
    templates = Templates.concat(list(picture_templates(pipeline, sources, aligned=aligned, progress=progress)))
    require_one(templates.status)
    sizes = _sizes(distractors.count)
    order = np.random.default_rng(seed).permutation(distractors.count)
    subset = np.searchsorted(sizes, order, side="right")
    keep = max(_LEAST, _SLACK * int(max(FARS.values()) * len(templates) * distractors.count))
    found = DistractorScores(templates.vectors, sizes=sizes, subset=subset, keep=keep)
    failed = Counter(failed_reasons(templates.status))
    embedded = time.perf_counter()
    for vectors, reasons in _stream(pipeline, distractors, aligned=aligned, progress=progress):
        found.add(vectors)
        failed.update(reasons)
    streamed = time.perf_counter()
    mates = Mates.of(templates.vectors, probes.people)
    ranks = rank_figures(found, mates, sizes, seed=seed, resamples=resamples)
    tars, short = tar_figures(found, mates, seed=seed, resamples=resamples)
    roles = Counter(ledger.roles(known, set(probes.people)))
    if others is not None:
        roles.update(ledger.roles(others, {name.split("/")[-2] for name in distractors.names if "/" in name}))
    return ProtocolResult(
        kind="megaface",
        data=f"{known or probes.path.name}+{others or distractors.path.name}",
        recogniser=recogniser_of(pipeline, picture_space(pipeline, aligned=aligned)),
        numbers={
            "probes": len(templates),
            "failed_probes": int((~templates.ok).sum()),
            "removed_probes": probes.removed,
            "repeated_probes": probes.repeated,
            "distractors": distractors.count,
            "failed_distractors": found.failed,
            "removed_distractors": distractors.removed,
            "repeated_distractors": distractors.repeated,
            "people": len(set(probes.people)),
            "mated": len(mates.one),
            "nonmated": len(templates) * distractors.count,
        },
        figures=(*ranks, *tars),
        failed_images=dict(failed),
        images=len(templates) + distractors.count,
        settings={"aligned": aligned, "distractors": "pictures" if distractors.embeddings is None else "embeddings"},
        roles=dict(roles),
        ledger=ledger.hash,
        notes=(*probes.notes, *distractors.notes, *short, *role_notes(roles, calibrated=False)),
        seed=seed,
        resamples=resamples,
        seconds={"probes": embedded - begin, "distractors": streamed - embedded},
        curves={"distractors": sizes, "rank.1": [figure.value for figure in ranks]},
    )


def _sizes(count: int) -> list[int]:
    """10, 100, ... below the number of distractors, and that number."""
    powers = [10**power for power in range(1, 7) if 10**power < count]
    return [*powers, count]


def _stream(
    pipeline: Pipeline, distractors: DistractorSet, *, aligned: bool, progress: Progress | None
) -> Iterator[tuple[NDArray[np.float32], dict[str, int]]]:
    """Unit vectors of the distractors some at a time, NaN for failed ones, with the reasons of failures."""
    if distractors.store is not None:
        done = 0
        for start in range(0, len(distractors.names), _BLOCK):
            sources = [distractors.store.get(name) for name in distractors.names[start : start + _BLOCK]]
            for part in picture_templates(pipeline, sources, aligned=aligned):
                yield part.vectors, failed_reasons(part.status)
                done += len(part)
                if progress is not None:
                    progress(done, len(distractors.names))
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
