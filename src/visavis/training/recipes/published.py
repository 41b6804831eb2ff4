"""Recipes of papers, at the size of the papers, and one for two cores."""

from __future__ import annotations

from dataclasses import replace

from visavis.data.augmentation.augmentation import Augmentation
from visavis.training.optimisers import Sgd
from visavis.training.recipes.part import Part
from visavis.training.recipes.recipe import RecogniserRecipe
from visavis.training.schedules import Cosine, Polynomial, Steps
from visavis.training.settings import Settings, Watch

_BEST = Watch("fnmr_at_fmr_0.01", highest=False)

SMALL = RecogniserRecipe(
    backbone=Part("backbone/mobilefacenet-tiny"),
    loss=Part("loss/cosface", {"margin": 0.35, "scale": 32.0}),
    training=Settings(
        epochs=40,
        optimisers={"*": Sgd(rate=0.1, schedule=Cosine(warmup=1.0), clip=5.0)},
        evaluate_every=5.0,
        watch=_BEST,
    ),
    batch=128,
    augmentation=Augmentation(),
    source="Ours, for two cores and some thousand pictures: minutes.",
)

ARCFACE_CASIA = RecogniserRecipe(
    backbone=Part("backbone/iresnet50", {"dropout": 0.4}),
    loss=Part("loss/arcface"),
    training=Settings(
        epochs=34,
        optimisers={"*": Sgd(rate=0.1, schedule=Steps((20, 28)))},
        precision="fp16",
        watch=_BEST,
        device="cuda",
    ),
    batch=512,
    source="Deng et al. 2019, ArcFace, section 3.1: CASIA-WebFace, batch 512, rate 0.1, steps at 20, 28 of 34 epochs.",
)

ELASTICFACE_MS1MV2 = RecogniserRecipe(
    backbone=Part("backbone/iresnet100"),
    loss=Part("loss/elastic-arc"),
    training=Settings(
        epochs=26,
        optimisers={
            "backbone": Sgd(rate=0.1, clip=5.0, schedule=Steps((7, 13, 19, 24))),
            "head": Sgd(rate=0.1, schedule=Steps((7, 13, 19, 24))),
        },
        watch=_BEST,
        device="cuda",
    ),
    batch=512,
    source="Official configuration of ElasticFace: MS1MV2, rate 0.1 for 512, lowered when epoch + 1 is 8, 14, 20, 25.",
)

UNPG_MS1MV2 = RecogniserRecipe(
    backbone=Part("backbone/iresnet100", {"dropout": 0.4}),
    loss=Part("loss/unpg", {"head": {"name": "loss/cosface", "options": {"margin": 0.5}}}),
    training=Settings(
        epochs=20,
        optimisers={"*": Sgd(rate=0.1, schedule=Cosine(warmup=3.0))},
        precision="fp16",
        watch=_BEST,
        device="cuda",
    ),
    batch=512,
    source="Official code of UNPG: MS1MV2, CosFace with margin 0.5 as in its head file, whisker 1.5.",
)

MBF_MS1MV3 = RecogniserRecipe(
    backbone=Part("backbone/mobilefacenet"),
    loss=Part("loss/arcface"),
    training=Settings(
        epochs=40,
        optimisers={"*": Sgd(rate=0.1, weight_decay=1e-4, clip=5.0, schedule=Polynomial())},
        precision="fp16",
        watch=_BEST,
        device="cuda",
    ),
    batch=128,
    source="arcface_torch, configs/ms1mv3_mbf: rate 0.1, weight decay 1e-4, 40 epochs, polynomial of power 2.",
)

_LIGHT_CNN = Sgd(
    rate=0.01,
    weight_decay=1e-4,
    decay_vectors=False,
    vector_rate=2.0,
    schedule=Steps(tuple(range(10, 80, 10)), gamma=0.457305051927326),
)

LIGHT_CNN = RecogniserRecipe(
    backbone=Part("backbone/light-cnn-29"),
    loss=Part("loss/softmax"),
    training=Settings(
        epochs=80,
        optimisers={"backbone": _LIGHT_CNN, "head": replace(_LIGHT_CNN, rate=0.1)},
        watch=_BEST,
        device="cuda",
    ),
    batch=128,
    augmentation=replace(Augmentation.flip_only(), shift=1.0),
    source="Official torch code of Light CNN: MS-Celeb-1M, rate 0.01, twice on biases, ten times on the classifier.",
)
