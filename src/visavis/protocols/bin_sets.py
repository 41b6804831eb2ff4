"""The verification files of InsightFace (``lfw.bin``, ``cfp_fp.bin``, ``agedb_30.bin``): ready crops and pairs."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.data.readers.bin_file import BinFile
from visavis.errors import UsageError
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.contiguous_folds import with_folds
from visavis.protocols.evaluate import pipeline_notes, shipped_threshold
from visavis.protocols.given_points import (
    failed_reasons,
    given_space,
    raw_vectors,
    require_one,
    space_calibration,
    stream_templates,
)
from visavis.protocols.insightface_rule import sweep_accuracy
from visavis.protocols.labelled import Progress
from visavis.protocols.ledger import Ledger
from visavis.protocols.pairs import PairList
from visavis.protocols.people import pair_people
from visavis.protocols.person_intervals import check_draws
from visavis.protocols.plain import plain
from visavis.protocols.result import VerificationResult, verification_result
from visavis.protocols.role_notes import NAMELESS
from visavis.types import Templates


@dataclass(frozen=True, slots=True, eq=False)
class BinResult:
    """The figures of one file.

    Attributes:
        name: Of the file, without its ending.
        verification: All figures of a pair list; see `VerificationResult`.
        insightface: What InsightFace's script prints: ``accuracy``, ``accuracy_std`` (and both ``_flip``, with
            flipping) by `sweep_accuracy`, and ``xnorm``, the mean norm of the embeddings.
    """

    name: str
    verification: VerificationResult
    insightface: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON: the record of the verification with ``set`` and ``insightface``."""
        return {
            "set": self.name,
            **self.verification.to_dict(),
            "insightface": plain(dict(self.insightface)),
        }


def read_bin(path: str | Path) -> tuple[BinFile, PairList]:
    """A file and its pairs; crops of the same bytes have one name.

    The pairs lie in ten consecutive folds where each of those holds pairs of both kinds; see `with_folds`.
    The files hold each picture as often as it occurs in a pair, and name no people. Pictures of the same bytes are one
    picture; it is embedded once, and mated pairs link more of them to one person.

    Raises:
        UnreadableError: The file cannot be read.
        InputError: It holds something else.
    """
    file = BinFile(path)
    first: dict[bytes, str] = {}
    same_bytes = {name: first.setdefault(_digest(file, name), name) for name in file.names()}
    listed = file.pairs
    pairs = replace(
        listed,
        image1=tuple(same_bytes[name] for name in listed.image1),
        image2=tuple(same_bytes[name] for name in listed.image2),
    )
    try:
        pair_people(pairs)
    except UsageError:  # mated pairs chain two people together: then each picture stands alone
        pairs = listed
    return file, with_folds(pairs)


def evaluate_bin(
    pipeline: Pipeline,
    path: str | Path,
    *,
    flip: bool = False,
    seed: int = 0,
    resamples: int = 1000,
    progress: Progress | None = None,
) -> BinResult:
    """All verification figures of a recogniser on the ready crops of one file.

    Args:
        pipeline: Its recogniser is used, without flipping, and not its detector.
        path: The ``.bin`` file.
        flip: Add the embedding of the mirrored crop to each, as InsightFace's script does.
        seed: Seed of resamples.
        resamples: Number of resamples of people.
        progress: Called with the number of crops done and of all.

    Raises:
        UnreadableError: The file cannot be read.
        InputError: It holds something else, or no crop could be used.
        UsageError: Fewer than ten pairs, a seed or number of resamples that nothing can be drawn with, or the pipeline
            flips by itself.
    """
    check_draws(seed, resamples)
    if getattr(pipeline.embedder, "flip", False):
        raise UsageError("evaluate_bin flips by itself: give a pipeline with flip=False, and flip=True here")
    file, pairs = read_bin(path)
    if len(pairs) < 10:
        raise UsageError(f"{path} holds {len(pairs)} pairs; ten folds need at least 10")
    names = pairs.images
    sources = [file.get(name) for name in names]
    begin = time.perf_counter()
    sides = [Templates.concat(list(stream_templates(pipeline, sources, progress=progress)))]
    if flip:
        sides.append(Templates.concat(list(stream_templates(pipeline, sources, mirror=True, progress=progress))))
    seconds = time.perf_counter() - begin
    require_one(sides[0].status)
    raw = [raw_vectors(side).astype(np.float64) for side in sides]
    similarities = [_similarities(pairs, vectors) for vectors in (raw[0], np.sum(raw, axis=0))]
    ledger = Ledger.load()
    space = replace(given_space(pipeline), flip=flip)
    calibration = space_calibration(pipeline, space)
    result = verification_result(
        similarities[-1],
        pairs,
        shipped=None if calibration is None else shipped_threshold(calibration),
        images=len(names),
        failed_images=failed_reasons(sides[0].status),
        seconds=seconds,
        roles={},
        ledger_sha256=ledger.hash,
        notes=(*pipeline_notes(pipeline), NAMELESS),
        model=pipeline.made_by.model,
        space=space.fingerprint,
        made_by=pipeline.made_by.to_dict(),
        seed=seed,
        resamples=resamples,
    )
    plain_rule, flip_rule = (sweep_accuracy(scores, pairs.same) for scores in similarities)
    printed = {"accuracy": plain_rule.mean, "accuracy_std": plain_rule.std, "xnorm": _xnorm(raw, names, pairs)}
    if flip:
        printed |= {"accuracy_flip": flip_rule.mean, "accuracy_flip_std": flip_rule.std}
    return BinResult(Path(path).stem, result, printed)


def _digest(file: BinFile, name: str) -> bytes:
    return hashlib.sha256(file.read_bytes(name)).digest()


def _similarities(pairs: PairList, raw: NDArray[np.float64]) -> NDArray[np.float64]:
    unit = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    left, right = pairs.positions()
    found: NDArray[np.float64] = np.einsum("pd,pd->p", unit[left], unit[right])
    return found


def _xnorm(raw: list[NDArray[np.float64]], names: tuple[str, ...], pairs: PairList) -> float:
    """Mean norm over every crop of the file, as often as it occurs; over both orientations with flipping."""
    times = np.bincount(np.concatenate(pairs.positions()), minlength=len(names))
    norms = np.concatenate([np.linalg.norm(vectors, axis=1) for vectors in raw])
    weights = np.tile(times, len(raw)).astype(np.float64)
    good = np.isfinite(norms)
    return float(np.average(norms[good], weights=weights[good]))
