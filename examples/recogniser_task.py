"""A recogniser on drawn faces: a small network, a margin loss, augmentation, as the Task that `visavis train` runs."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch

from visavis.data.augmentation.augmentation import Augmentation
from visavis.data.loader import PackLoader
from visavis.data.pack import Pack
from visavis.training.optimisers import Sgd
from visavis.training.recipes.part import Part
from visavis.training.recipes.recipe import RecogniserRecipe
from visavis.training.recipes.recogniser_task import RecogniserTask
from visavis.training.recipes.run import build
from visavis.training.recipes.validation import PackRows
from visavis.training.schedules import Cosine
from visavis.training.settings import Settings


def patterns(people: int, pictures: int, *, seed: int) -> tuple[np.ndarray, list[str]]:
    """Smooth patterns that stand for crops: uint8 ``(N, 32, 32, 3)``, and whom each shows."""
    rng = np.random.default_rng(seed)
    base = np.repeat(rng.uniform(60, 200, (people, 6, 6, 3)), pictures, axis=0)
    coarse = base + rng.normal(0, 15, base.shape)
    fine = [cv2.resize(one, (32, 32), interpolation=cv2.INTER_CUBIC) for one in coarse]
    names = [f"{seed}-{number:03d}" for number in range(people) for _ in range(pictures)]
    return np.clip(np.stack(fine), 0, 255).astype(np.uint8), names


def problem(steps: int = 60) -> tuple[RecogniserTask, PackLoader, Settings, PackRows]:
    """Task, batches, settings and validation batches."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    trained = Pack.write(folder / "train", *patterns(16, 8, seed=1))
    others = Pack.write(folder / "develop", *patterns(8, 8, seed=2))
    recipe = RecogniserRecipe(
        backbone=Part("backbone/mobilefacenet-tiny", {"size": 32, "dimension": 32}),
        loss=Part("loss/elastic-cos-plus", {"scale": 16.0}),
        training=Settings(
            steps=steps,
            optimisers={"*": Sgd(rate=0.05, schedule=Cosine(warmup=1))},
            checkpoint_every=20,
            tensorboard=False,
        ),
        batch=32,
        augmentation=Augmentation(),
    )
    torch.manual_seed(0)
    task, loader = build(recipe, [trained])
    return task, loader, recipe.training, PackRows(others)
