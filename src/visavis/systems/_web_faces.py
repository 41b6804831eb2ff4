"""The larger miniature that several systems share: celebrities to train on, pairs of other people to test on.

Faces are found and aligned by the default pipeline, then made grey and small. To train on: the CelebA identities of
role ``train`` without their suspect pictures. To test on: the CFP frontal-frontal pairs, people of role ``test``.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.io import Source, open_store
from visavis.io.files import read_file
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.evaluate import source_of
from visavis.protocols.labelled import read_labelled
from visavis.protocols.ledger import Ledger, require_disjoint
from visavis.protocols.pairs import PairList, read_pairs
from visavis.systems._small_faces import SmallFaces, grey

_CHUNK = 256


def read_web_faces(archive: Path, labels: Path, images: Path, listed: Path, *, size: tuple[int, int]) -> SmallFaces:
    """The miniature, from its files.

    A training picture without a face is left out; a test picture without one fails, and its pairs are rejections.

    Args:
        archive: The CelebA identities.
        labels: Their table, with the column ``suspect``.
        images: The CFP pictures.
        listed: Their pairs.
        size: Height and width to make of the crops.

    Raises:
        UnreadableError: A file cannot be read.
        UsageError: Somebody would be trained on and tested on.
    """
    ledger = Ledger.load()
    labelled = read_labelled(archive, role="train", without=_suspects(labels), ledger=ledger)
    pairs = read_pairs(listed)
    person_of = _people(pairs)
    require_disjoint(
        [("celeba_ids", person) for person in labelled.people], [("cfp_dev", person) for person in person_of.values()]
    )
    pipeline, store = Pipeline(), open_store(images)
    train, landmarks, found = _aligned(pipeline, [labelled.store.get(name) for name in labelled.names], size)
    test, _, tested = _aligned(pipeline, [source_of(store, name) for name in pairs.images], size)
    fitted = np.array(labelled.people)[found]
    left, right = pairs.positions()
    return SmallFaces(
        train=train[found],
        labels=_numbers(fitted.tolist()),
        test=test,
        people=_numbers([person_of[name] for name in pairs.images]),
        left=left.astype(np.int64),
        right=right.astype(np.int64),
        roles=(
            ledger.touched("celeba_ids", fitted.tolist()),
            ledger.touched("cfp_dev", person_of.values()),
        ),
        landmarks=landmarks[found],
        failed=~tested,
    )


def _suspects(labels: Path) -> list[str]:
    """The pictures that are probably of somebody else."""
    rows = csv.DictReader(read_file(labels).decode("utf-8").splitlines())
    return [row["file"] for row in rows if row["suspect"] == "1"]


def _people(pairs: PairList) -> dict[str, str]:
    """The person of each picture."""
    if pairs.person1 is None or pairs.person2 is None:
        raise UsageError("the pair list names no people; give one with the columns person1 and person2")
    return dict(zip(pairs.image1, pairs.person1, strict=True)) | dict(zip(pairs.image2, pairs.person2, strict=True))


def _numbers(people: Sequence[str]) -> NDArray[np.int64]:
    return np.unique(np.array(people), return_inverse=True)[1].astype(np.int64)


def _aligned(
    pipeline: Pipeline, sources: Sequence[Source], size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Small grey crops ``(N, 1, H, W)``, landmarks in crop pixels ``(N, 5, 2)``, and which pictures have a face."""
    pixels, landmarks, found = [], [], []
    for start in range(0, len(sources), _CHUNK):
        pictures, faces = pipeline.detect(sources[start : start + _CHUNK], which="central")
        crops = pipeline.aligner.align(pictures, faces)
        pixels += [grey(crop, *size) for crop in crops.pixels]
        turned = np.einsum("nij,nkj->nki", crops.matrices[:, :, :2], faces.points) + crops.matrices[:, None, :, 2]
        landmarks.append(turned.astype(np.float32))
        found.append(crops.ok)
    return np.stack(pixels), np.concatenate(landmarks), np.concatenate(found)
