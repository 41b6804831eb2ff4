"""visavis-vit-t goes on with recognizability, is exported, and assesses degraded pictures of test people."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from visavis.data.augmentation.augmentation import Augmentation
from visavis.data.crop_makers import DetectingMaker
from visavis.data.pack import Pack
from visavis.data.packing import pack_collection
from visavis.data.readers.open_collection import open_collection
from visavis.data.selection import select
from visavis.jobs.threads import ThreadEngine
from visavis.pipeline.models import create_embedder
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.ledger import Ledger, RolesTouched, require_disjoint
from visavis.runtime.session import EngineOptions
from visavis.systems._attention_faces import MODEL, Part, Pictures, degraded_pairs, part_of, read_pictures
from visavis.systems._web_faces import suspects
from visavis.training.optimisers import AdamW
from visavis.training.recipes.export import export_run
from visavis.training.recipes.part import Part as Named
from visavis.training.recipes.recipe import RecogniserRecipe, Term
from visavis.training.recipes.recognizability import Recognizability
from visavis.training.recipes.run import train_recogniser
from visavis.training.recipes.start import Start
from visavis.training.recipes.trained import read_run
from visavis.training.schedules import Cosine
from visavis.training.settings import Settings
from visavis.types import FaceContext, Templates

_adamw = partial(AdamW, clip=1.0, schedule=Cosine(warmup=0.2))
RECIPE = RecogniserRecipe(
    backbone=Named("backbone/vit-mini"),
    loss=Named("loss/distillation"),
    training=Settings(
        steps=300,
        optimisers={"backbone": _adamw(rate=3e-4), "recognizability": _adamw(rate=1e-3), "head": _adamw(rate=3e-3)},
        precision="bf16",
        tensorboard=False,
        threads=1,
    ),
    batch=64,
    augmentation=Augmentation(0.5, crop=0.05, occlusion=0.0, colour=0.2, blur=0.1, low_resolution=0.7, jpeg=0.1),
    terms={"identity": Term(Named("loss/arcface", {"margin": 0.2, "scale": 32.0}), weight=0.25)},
    teacher="embedder/sface.2021dec",
    start=Start(model="visavis-vit-t"),
    recognizability=Recognizability(limit=10.0, refresh=0.5),
    source="The full budget of system/recognizability.",
)


@dataclass(frozen=True, slots=True)
class Faces:
    """People to train on, and others to test on.

    Attributes:
        pack: Crops of the celebrities of role ``train``.
        pictures: The mated pairs of the test people.
        roles: The people touched, by role.
        room: The folder that the pack lies in; removed with this.
    """

    pack: Pack
    pictures: Pictures
    roles: tuple[RolesTouched, ...]
    room: TemporaryDirectory[str]


@dataclass(frozen=True, slots=True)
class Found:
    """One set.

    Attributes:
        part: The pairs as the network with recognizability sees them.
        before: FNMR of the network that it began with, on the same pictures.
    """

    part: Part
    before: float


def read_faces(data: Path) -> Faces:
    """Pack the celebrities, and list the pairs.

    Raises:
        UnreadableError: A file cannot be read.
        UsageError: Somebody would be trained on and tested on.
    """
    pictures = read_pictures(data)
    collection = open_collection(data / "celeba_ids/celeba_ids.tar")
    selected = select(collection, role="train", without=suspects(data / "celeba_ids/labels.csv"))
    room = TemporaryDirectory(prefix="visavis-recognizability-")
    maker = DetectingMaker(Pipeline().detector, size=112)
    pack = pack_collection(collection, selected, Path(room.name) / "train", maker, engine=ThreadEngine(workers=2))
    for name, pairs in pictures.lists.items():
        require_disjoint([("celeba_ids", one) for one in pack.identities], [(name, one) for one in pairs.people])
    fitted = Ledger.load().touched("celeba_ids", pack.identities)
    return Faces(pack, pictures, (fitted, *pictures.roles), room)


def go_on(faces: Faces, seed: int) -> dict[str, Found]:
    """Train, export and assess.

    Args:
        faces: Of both kinds.
        seed: Of the training, the pairs and the degradations.
    """
    recipe = replace(RECIPE, training=replace(RECIPE.training, seed=seed))
    with TemporaryDirectory(prefix="visavis-recognizability-") as room:
        train_recogniser(recipe, faces.pack, out=Path(room) / "run")
        path = Path(room) / "recognizable.onnx"
        export_run(read_run(Path(room) / "run"), path, licence="for this experiment alone")
        pipeline = Pipeline(model=str(path), engine=EngineOptions(threads=2))
        return {name: _assessed(faces.pictures, name, seed, pipeline) for name in faces.pictures.lists}


def _assessed(pictures: Pictures, name: str, seed: int, pipeline: Pipeline) -> Found:
    earlier = create_embedder(MODEL, engine=EngineOptions(threads=2))

    def embed_before(context: FaceContext) -> Templates:
        found: Templates = earlier.embed(context.crops)
        return found

    pairs, parts = degraded_pairs(pictures, name, seed, pipeline, also=embed_before)
    norms = np.concatenate([part.analysis.templates.norms for part in parts])
    chance = np.random.default_rng((seed, 1)).random(len(norms)).astype(np.float32)
    values = {
        "recognizability": np.concatenate([part.assessment.measure("recognizability").raw for part in parts]),
        "sharpness": np.concatenate([part.assessment.measure("sharpness").score for part in parts]),
        "norm": norms,
        "random": np.where(np.isnan(norms), np.nan, chance),
    }
    part = part_of(
        pairs, np.concatenate([one.analysis.templates.vectors for one in parts]), values, mine="recognizability"
    )
    before = part_of(pairs, np.concatenate([one.also.vectors for one in parts]), values, mine="recognizability")
    return Found(part, before.fnmr())
