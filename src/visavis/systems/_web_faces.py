"""The larger miniature that several systems share: celebrities to train on, pairs of other people to test on.

Faces are found and aligned by the default pipeline, then made grey and small. To train on: the CelebA identities of
role ``train`` without their suspect pictures. To test on: the CFP frontal-frontal pairs, people of role ``test``.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.io import Source, open_store
from visavis.io.files import read_file
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.evaluate import source_of
from visavis.protocols.labelled import read_labelled
from visavis.protocols.ledger import Ledger, RolesTouched, require_disjoint
from visavis.protocols.pairs import PairList, read_pairs
from visavis.systems._small_faces import SmallFaces, grey

_CHUNK = 256


class Celebrities(NamedTuple):
    """People to train on.

    Attributes:
        pixels: float32 ``(N, 1, H, W)``, grey in 0..1.
        labels: int64 ``(N,)``, the people from 0.
        landmarks: float32 ``(N, 5, 2)`` in pixels of the crop.
        names: Name of each person.
        roles: The people, by role in the ledger.
    """

    pixels: NDArray[np.float32]
    labels: NDArray[np.int64]
    landmarks: NDArray[np.float32]
    names: tuple[str, ...]
    roles: RolesTouched


def read_celebrities(archive: Path, labels: Path, *, size: tuple[int, int]) -> Celebrities:
    """The CelebA identities of role ``train``, without their suspect pictures and those without a face.

    Args:
        archive: The CelebA identities.
        labels: Their table, with the column ``suspect``.
        size: Height and width to make of the crops.

    Raises:
        UnreadableError: A file cannot be read.
    """
    ledger = Ledger.load()
    labelled = read_labelled(archive, role="train", without=suspects(labels), ledger=ledger)
    pixels, landmarks, found = _aligned(Pipeline(), [labelled.store.get(name) for name in labelled.names], size)
    people = np.array(labelled.people)[found].tolist()
    return Celebrities(
        pixels[found],
        _numbers(people),
        landmarks[found],
        tuple(sorted(set(people))),
        ledger.touched("celeba_ids", people),
    )


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
    pairs = read_pairs(listed)
    person_of = _people(pairs)
    fitted = read_celebrities(archive, labels, size=size)
    require_disjoint(
        [("celeba_ids", person) for person in fitted.names], [("cfp_dev", person) for person in person_of.values()]
    )
    store = open_store(images)
    test, _, tested = _aligned(Pipeline(), [source_of(store, name) for name in pairs.images], size)
    left, right = pairs.positions()
    return SmallFaces(
        train=fitted.pixels,
        labels=fitted.labels,
        test=test,
        people=_numbers([person_of[name] for name in pairs.images]),
        left=left.astype(np.int64),
        right=right.astype(np.int64),
        roles=(fitted.roles, Ledger.load().touched("cfp_dev", person_of.values())),
        landmarks=fitted.landmarks,
        failed=~tested,
    )


def suspects(labels: Path) -> list[str]:
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
