"""A recogniser on a network of one's own, whose classes may be split over processes.

In one process, or in several that share each batch:

    python examples/split_recogniser.py RUN
    torchrun --standalone --nproc-per-node 2 examples/split_recogniser.py RUN
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from recogniser_task import patterns
from torch import Tensor, nn

from visavis import registry
from visavis.data.augmentation.augmentation import Augmentation
from visavis.data.loader import PackLoader
from visavis.data.pack import Pack
from visavis.data.samplers import PeopleByPictures
from visavis.losses.loss import Loss
from visavis.losses.sharded import ShardedClassifier
from visavis.nn.backbones.backbone import EMBEDDING, Backbone, Keep
from visavis.nn.backbones.contracts import arcface_contract
from visavis.training.engine import StepReport, train
from visavis.training.group import Group, joined
from visavis.training.optimisers import Sgd
from visavis.training.recipes.recogniser_task import RecogniserTask
from visavis.training.recipes.sharded import Sharded
from visavis.training.recipes.symmetry import Symmetry
from visavis.training.schedules import Constant
from visavis.training.settings import Settings

SETTINGS = Settings(
    steps=50,
    optimisers={"*": Sgd(rate=0.01, clip=1.0, schedule=Constant())},
    evaluate_every=None,
    tensorboard=False,
    threads=1,
)


class SmoothBackbone(Backbone):
    """A convolution, a linear layer, two batch normalisations; no kinks, so that the rounding of a sum stays small."""

    def __init__(self) -> None:
        super().__init__()
        self.contract, self.dimension, self.taps = arcface_contract(32), 8, {EMBEDDING: (8,)}
        self.first, self.norm = nn.Conv2d(3, 6, 8, 8), nn.BatchNorm2d(6)
        self.last = nn.Sequential(nn.Flatten(), nn.Linear(96, 8), nn.BatchNorm1d(8))

    def embed(self, x: Tensor, keep: Keep) -> Tensor:
        return self.last(self.norm(self.first(x)).tanh())

    def blocks(self) -> list[nn.Module]:
        return [self.first]


def made_loss(name: str, classes: int, group: Group, *, options: Mapping[str, Any], how: Sharded | None) -> Loss:
    """A loss of the registry, with its classes split where ``how`` is given."""
    kind = registry.load(name)
    size = {"dimension": 8, "classes": classes} if kind.has_classes else {}
    if how is None:
        return kind(**size, **options)
    return ShardedClassifier(
        kind, **size, group=group, sample_rate=how.sample_rate, filter_above=how.filter, options=dict(options)
    )


def train_split(
    pack: Path,
    out: Path,
    *,
    loss: str = "loss/cosface",
    options: Mapping[str, Any] | None = None,
    how: Sharded | None = None,
    symmetry: Symmetry | None = None,
    settings: Settings = SETTINGS,
    resume: bool = False,
    observe: Callable[[StepReport], None] | None = None,
) -> Loss:
    """Train, in as many processes as there are; the loss with its weights of this process."""
    with joined() as group:
        loader = PackLoader(Pack.open(pack), batch=12, seed=3, sampler=PeopleByPictures(3), augmentation=Augmentation())
        torch.manual_seed(1)
        backbone = SmoothBackbone()
        made = made_loss(loss, loader.classes, group, options=options or {}, how=how)
        task = RecogniserTask(backbone, made, symmetry=symmetry)
        train(task, loader, settings, out=out, resume=resume, observe=observe)
    return made


def main(out: Path) -> None:
    """Draw crops and train on them."""
    with joined() as group:
        if group.is_first and not (out / "pack").exists():
            Pack.write(out / "pack", *patterns(9, 6, seed=1))
        group.objects(None)  # the others wait
        loss = train_split(out / "pack", out / "run", options={"scale": 8.0}, how=Sharded())
        print(f"process {group.rank}: classes {loss.shard.start} to {loss.shard.stop - 1}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
