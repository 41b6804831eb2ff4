"""visavis-vit-t adapted to small faces of training people, and what is then recognised of test people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from visavis import registry
from visavis.data.augmentation.augmentation import Augmentation
from visavis.data.degradation.operator import FacePlace
from visavis.data.degradation.operators import OPERATORS
from visavis.data.pack import Pack
from visavis.io import Source
from visavis.metrics.curves import eer
from visavis.metrics.intervals import paired_difference
from visavis.nn.backbones.backbone import Backbone
from visavis.nn.pixels import network_input
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.labelled import read_labelled
from visavis.protocols.ledger import Ledger, RolesTouched, require_disjoint
from visavis.systems._adapter_arms import Arm
from visavis.systems._miniature import CELEBRITY_FILES
from visavis.systems._screened_people import People
from visavis.systems._web_faces import suspects
from visavis.training.optimisers import AdamW
from visavis.training.recipes.adaptation import Adaptation, Method
from visavis.training.recipes.part import Part
from visavis.training.recipes.recipe import RecogniserRecipe
from visavis.training.recipes.run import TRAINED, train_recogniser
from visavis.training.recipes.start import Start
from visavis.training.recipes.start_model import CROPS, begin_model
from visavis.training.recipes.trained import read_run
from visavis.training.schedules import Cosine
from visavis.training.settings import Settings

MODEL, OPERATOR, SIDES = "visavis-vit-t", "down-cubic", (16.0, 12.0)
"""An operator that nothing is fitted with; the training makes crops small by other kernels."""
TEST = "cfp_dev/cfp_dev.tar"
_CHUNK = 64
_Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Budget:
    """Size of the experiment.

    Attributes:
        images: Pictures of each training person.
        steps: Steps of adapting.
        batch: Crops a step.
        rank: Of the adapters.
        rate: Of AdamW, that of PETALface.
    """

    images: int = 8
    steps: int = 80
    batch: int = 32
    rank: int = 8
    rate: float = 5e-4


FULL = Budget()
METHODS: dict[str, Method] = {"full": "full", "lora": "lora", "dual": "dual_lora"}


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """What is adapted on and what is reported on, as crops of 112 pixels.

    Attributes:
        crops: Of the training people, uint8 RGB ``(N, 112, 112, 3)``.
        identities: Person of each.
        landmarks: float32 ``(N, 5, 2)`` in pixels of the crop.
        gallery: The first picture of each test person with a face ``(P, 112, 112, 3)``.
        whole: The second one ``(P, 112, 112, 3)``.
        small: The second one reduced whole and then detected and aligned, for each of `SIDES`.
        found: bool ``(P,)`` by side: whether a face was found in it; the others are failures.
        persons: Names of the test people.
        roles: The people touched, by role.
    """

    crops: _Pixels
    identities: tuple[str, ...]
    landmarks: NDArray[np.float32]
    gallery: _Pixels
    whole: _Pixels
    small: tuple[_Pixels, ...]
    found: tuple[NDArray[np.bool_], ...]
    persons: tuple[str, ...]
    roles: tuple[RolesTouched, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """One way of adapting on test people.

    Attributes:
        arm: The figures.
        hits: bool ``(P, sides)``: whether the nearest gallery face of a small probe is its own.
    """

    arm: Arm
    hits: NDArray[np.bool_]


def read_faces(data: Path, budget: Budget, *, test: str = TEST, role: str = "test") -> Faces:
    """Training people of CelebA, and the frontal pictures of test people.

    Args:
        data: The data folder.
        budget: Size of the experiment.
        test: Archive of those who are reported on.
        role: Their role: ``develop`` where something is chosen.

    Raises:
        UnreadableError: A file cannot be read.
        UsageError: Somebody would be trained on and reported on.
    """
    ledger, pipeline = Ledger.load(), Pipeline()
    archive, table = (data / name for name in CELEBRITY_FILES)
    labelled = read_labelled(archive, role="train", without=suspects(table), ledger=ledger)
    trained = People.of("celeba", labelled, most=budget.images)
    given = suspects(table) if test == CELEBRITY_FILES[0] else ()
    others = read_labelled(data / test, role=role, without=given, ledger=ledger)
    people = People.of("test", others, most=2)
    known = [("celeba_ids", person) for person in trained.persons]
    require_disjoint(known, [(others.set_name, person) for person in people.persons])
    crops, landmarks, found = _aligned(pipeline, trained.sources)
    names = np.array(trained.persons)[trained.people[found]]
    first = people.first
    gallery, _, enrolled = _aligned(pipeline, [one for one, keep in zip(people.sources, first, strict=True) if keep])
    second = [one for one, keep in zip(people.sources, first, strict=True) if not keep]
    whole, _, seen = _aligned(pipeline, second)
    kept = np.flatnonzero(enrolled & seen)
    probes = [second[row] for row in kept]
    small = [_aligned(pipeline, _reduced(pipeline, probes, side)) for side in SIDES]
    return Faces(
        crops[found],
        tuple(names.tolist()),
        landmarks[found],
        gallery[kept],
        whole[kept],
        tuple(part[0] for part in small),
        tuple(part[2] for part in small),
        tuple(people.persons[row] for row in kept),
        (ledger.touched("celeba_ids", trained.persons), ledger.touched(others.set_name, people.persons)),
    )


def four_outcomes(faces: Faces, budget: Budget, seed: int) -> dict[str, Outcome]:
    """The model as it is, trained whole, with one adapter a layer and with two; the same crops and steps."""
    plain = registry.create("backbone/vit-mini")
    begin_model(plain, MODEL, faces.crops[:CROPS])
    found = {"frozen": _outcome(plain.eval(), faces, 0.0)}
    with TemporaryDirectory() as folder:
        pack = Pack.write(Path(folder) / "pack", faces.crops, faces.identities, landmarks=faces.landmarks)
        for name, method in METHODS.items():
            recipe = _recipe(budget, method, seed)
            train_recogniser(recipe, pack, out=Path(folder) / name)
            run = read_run(Path(folder) / name)
            found[name] = _outcome(run.backbone, faces, float(run.record[TRAINED]["share"]))
    return found


def difference(faces: Faces, one: Sequence[Outcome], other: Sequence[Outcome]) -> tuple[float, float]:
    """95 % interval over test people of the rank-1 of small probes, one way less the other."""
    people = np.arange(len(faces.persons))

    def rate(outcomes: Sequence[Outcome], weights: NDArray[np.float64]) -> float:
        hits = np.mean([outcome.hits.mean(axis=1) for outcome in outcomes], axis=0)
        return float((weights * hits).sum() / weights.sum())

    rng = np.random.default_rng(0)
    found = paired_difference(people, people, partial(rate, one), partial(rate, other), resamples=400, rng=rng)
    return found.low, found.high


def _recipe(budget: Budget, method: Method, seed: int) -> RecogniserRecipe:
    settings = Settings(
        steps=budget.steps,
        seed=seed,
        optimisers={"*": AdamW(rate=budget.rate, clip=5.0, schedule=Cosine(warmup=0.1))},
        evaluate_every=None,
        checkpoint_every=budget.steps,
        tensorboard=False,
        threads=1,
    )
    return RecogniserRecipe(
        backbone=Part("backbone/vit-mini"),
        loss=Part("loss/distillation"),
        teacher="embedder/sface.2021dec",
        training=settings,
        batch=budget.batch,
        augmentation=replace(Augmentation.flip_only(), shrink=0.75),
        start=Start(model=MODEL),
        adaptation=Adaptation(method, rank=budget.rank),
    )


def _outcome(network: Backbone, faces: Faces, share: float) -> Outcome:
    gallery = _embed(network, faces.gallery)
    own = np.arange(len(gallery))
    hits = [
        ((_embed(network, crops) @ gallery.T).argmax(axis=1) == own) & found
        for crops, found in zip(faces.small, faces.found, strict=True)
    ]
    cosines = _embed(network, faces.whole) @ gallery.T
    same = np.eye(len(gallery), dtype=bool)
    table = np.stack(hits, axis=1)
    return Outcome(Arm(float(table.mean()), 1.0 - eer(cosines[same], cosines[~same]), share), table)


@torch.no_grad()
def _embed(network: Backbone, pixels: _Pixels) -> NDArray[np.float32]:
    """Unit embeddings of crops."""
    network.eval()
    parts = [
        network(network_input(torch.from_numpy(pixels[start : start + _CHUNK]), network.contract))
        for start in range(0, len(pixels), _CHUNK)
    ]
    return torch.nn.functional.normalize(torch.cat(parts)).numpy()


def _reduced(pipeline: Pipeline, sources: Sequence[Source], side: float) -> list[Any]:
    """The pictures reduced whole, until the face's longer side has so many pixels."""
    operator, rng, made = OPERATORS[OPERATOR], np.random.default_rng(0), []
    for start in range(0, len(sources), _CHUNK):
        pictures, faces = pipeline.detect(sources[start : start + _CHUNK], which="central")
        for row, item in enumerate(pictures.items):
            assert item is not None
            place = FacePlace(faces.boxes[row], faces.points[row])
            made.append(operator.apply(item.pixels, place, side, rng))
    return made


def _aligned(pipeline: Pipeline, sources: Sequence[Any]) -> tuple[_Pixels, NDArray[np.float32], NDArray[np.bool_]]:
    """Crops of the most central large face, its landmarks in the crop, and where there is one."""
    pixels, landmarks, found = [], [], []
    for start in range(0, len(sources), _CHUNK):
        pictures, faces = pipeline.detect(sources[start : start + _CHUNK], which="central")
        crops = pipeline.aligner.align(pictures, faces)
        turned = np.einsum("nij,nkj->nki", crops.matrices[:, :, :2], faces.points) + crops.matrices[:, None, :, 2]
        pixels.append(np.array(crops.pixels))
        landmarks.append(turned.astype(np.float32))
        found.append(crops.ok)
    return np.concatenate(pixels), np.concatenate(landmarks), np.concatenate(found)
