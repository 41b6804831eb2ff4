"""Recipes of the recognisers that this package makes itself."""

from __future__ import annotations

from dataclasses import replace

from visavis.data.augmentation.augmentation import Augmentation
from visavis.training.optimisers import AdamW
from visavis.training.recipes.part import Part
from visavis.training.recipes.recipe import RecogniserRecipe, Term
from visavis.training.recipes.start import Start
from visavis.training.schedules import Cosine
from visavis.training.settings import Settings

_AUGMENTATION = Augmentation(flip=0.5, crop=0.05, occlusion=0.1, colour=0.2, blur=0.1, low_resolution=0.1, jpeg=0.1)
_TEACHER = "embedder/sface.2021dec"
_IDENTITY = {"identity": Term(Part("loss/cosface", {"margin": 0.2, "scale": 32.0}), weight=0.25)}
_SOURCE = (
    "Ours: distillation of the default recogniser on mixed crops of some thousand pictures, and the labels of those "
    "people who have any."
)

SMALL_MOBILENET = RecogniserRecipe(
    backbone=Part("backbone/mobilenet-slim"),
    loss=Part("loss/distillation"),
    training=Settings(
        steps=2500,
        optimisers={"*": AdamW(rate=1.5e-3, clip=5.0, schedule=Cosine(warmup=0.1))},
        precision="bf16",
        evaluate_every=0.5,
        threads=1,
    ),
    batch=64,
    augmentation=_AUGMENTATION,
    terms=_IDENTITY,
    teacher=_TEACHER,
    start=Start(slim=600),
    source=_SOURCE + " It begins as that recogniser, cut to three eighths of its widths.",
)

SMALL_TRANSFORMER = replace(
    SMALL_MOBILENET,
    backbone=Part("backbone/vit-mini"),
    training=replace(
        SMALL_MOBILENET.training,
        steps=12500,
        optimisers={"*": AdamW(rate=1e-3, clip=1.0, schedule=Cosine(warmup=0.2))},
    ),
    start=None,
    source=_SOURCE,
)

LOW_RESOLUTION = replace(
    SMALL_MOBILENET,
    training=replace(
        SMALL_MOBILENET.training,
        steps=1700,
        optimisers={"*": AdamW(rate=1e-3, clip=5.0, schedule=Cosine(warmup=0.05))},
        evaluate_every=0.3,
    ),
    augmentation=Augmentation(
        flip=0.5, crop=0.0, occlusion=0.05, colour=0.2, blur=0.05, low_resolution=0.0, jpeg=0.1, shrink=0.8
    ),
    terms={
        "contrast": Term(Part("loss/distillation", {"match": "contrastive", "scale": 16.0}), weight=0.25),
        "identity": Term(Part("loss/cosface", {"margin": 0.2, "scale": 32.0}), weight=0.1),
    },
    start=Start(run="runs/visavis-s"),
    source="Ours: what the default recogniser says of the clear crop, learnt from a crop of 7 to 48 pixels. It begins "
    "as visavis-s.",
)
