"""A small transformer that knows 60 faces, taught 40 others of few pixels: all of it, or adapters beside it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visavis.losses.cosface import CosFaceLoss
from visavis.metrics.curves import eer
from visavis.nn.adapters.adapted import AdaptedBackbone, adapt
from visavis.nn.adapters.quality_weight import QualityWeight
from visavis.nn.backbones.backbone import Backbone
from visavis.nn.backbones.vit import ViTBackbone, ViTShape
from visavis.nn.pixels import network_input
from visavis.quality.sharpness_torch import detail_share
from visavis.systems._adapter_arms import Arm
from visavis.systems._attention_toy import down_sampled, fresh_views, unit
from visavis.systems._small_net import reproducible

KNOWN = 60
"""Faces that the network learns first; the others are new."""
RESOLUTIONS = (5, 6, 8)
_DIMENSION = 64
_DULL, _SHARP = 0.30, 0.65
"""Detail of views of 8 pixels, and of whole ones of 25, of the known faces."""


@dataclass(frozen=True, slots=True)
class Toy:
    """Size of the experiment.

    Attributes:
        steps: Steps on whole views of the known faces.
        more: Steps of adapting.
        batch: Views a step.
        images: Images of each new face that are adapted on; the first is whole, the others are of few pixels.
        views: Fresh views of each face that are reported on, at each resolution.
        rank: Of the adapters.
        rate: Of Adam, for all weights and for adapters.
    """

    steps: int
    more: int
    batch: int
    images: int
    views: int
    rank: int
    rate: tuple[float, float]


QUICK = Toy(steps=350, more=80, batch=32, images=4, views=5, rank=4, rate=(1e-3, 3e-3))


def four_arms(faces: NDArray[np.uint8], toy: Toy, seed: int) -> dict[str, Arm]:
    """One network as it is, trained whole, with one adapter a layer and with two; the same images and steps.

    Args:
        faces: uint8 RGB ``(100, 25, 25, 3)``, each a person.
        toy: Size of the experiment.
        seed: Of weights, views and batches.

    Returns:
        ``frozen``, ``full``, ``lora``, ``dual``.
    """
    with reproducible(seed):
        shape = ViTShape(64, 5, heads=4, patch=5)
        network = ViTBackbone(shape, size=25, dimension=_DIMENSION, drop_path=0.0, masked=0.0)
        rng = np.random.default_rng((seed, 1))
        _train(network, lambda rows: fresh_views(faces[rows], rng), KNOWN, toy, steps=toy.steps, rate=1e-3, seed=seed)
        images, people = _images(faces[KNOWN:], toy, seed)
        found = {"frozen": _look(network.eval(), faces, toy, seed)}
        for name in ("full", "lora", "dual"):
            arm = _arm(name, copy.deepcopy(network), toy)
            rate = toy.rate[isinstance(arm, AdaptedBackbone)]
            _train(arm, images.__getitem__, len(images), toy, steps=toy.more, rate=rate, seed=seed, people=people)
            found[name] = _look(arm.eval(), faces, toy, seed)
    return found


def resolution_score(pictures: Tensor) -> Tensor:
    """How much detail a face of 25 pixels has, ``(B,)``: about 0 at 8 pixels and below, 1 where it is whole."""
    return ((detail_share(pictures) - _DULL) / (_SHARP - _DULL)).clamp(0.0, 1.0)


def _arm(name: str, network: Backbone, toy: Toy) -> Backbone:
    if name == "full":
        return network
    weight = QualityWeight(resolution_score, network.contract)
    return adapt(network, dual=name == "dual", rank=toy.rank, weight=weight)


def _images(faces: NDArray[np.uint8], toy: Toy, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The images that are adapted on, and their people."""
    rng = np.random.default_rng((seed, 2))
    people = np.repeat(np.arange(len(faces)), toy.images)
    views = fresh_views(faces[people], rng)
    for row in range(len(views)):
        if row % toy.images:
            views[row] = down_sampled(views[row : row + 1], int(rng.choice(RESOLUTIONS)))[0]
    return views, people


def _train(
    network: Backbone,
    views: Callable[[NDArray[np.int64]], NDArray[np.uint8]],
    count: int,
    toy: Toy,
    *,
    steps: int,
    rate: float,
    seed: int,
    people: NDArray[np.int64] | None = None,
) -> None:
    """CosFace on a new head, in place."""
    labels = np.arange(count) if people is None else people
    head = CosFaceLoss(_DIMENSION, int(labels.max()) + 1, margin=0.1, scale=16.0)
    trained = [one for one in network.parameters() if one.requires_grad]
    optimiser = torch.optim.Adam([{"params": trained, "lr": rate}, {"params": head.parameters(), "lr": 5e-3}])
    rng = np.random.default_rng((seed, 3, steps))
    network.train()
    for _ in range(steps):
        rows = rng.integers(0, count, toy.batch)
        optimiser.zero_grad(set_to_none=True)
        loss: Tensor = head(network(_input(network, views(rows))), torch.from_numpy(labels[rows]))
        loss.backward()
        optimiser.step()


def _look(network: Backbone, faces: NDArray[np.uint8], toy: Toy, seed: int) -> Arm:
    """Fresh views of few pixels of the new faces against the new faces; whole ones of the known against the known."""
    rng = np.random.default_rng((seed, 4))
    new, known = np.arange(KNOWN, len(faces)), np.arange(KNOWN)
    gallery = unit(_embed(network, faces))
    hits = []
    for side in RESOLUTIONS:
        who = np.repeat(new, toy.views)
        probes = unit(_embed(network, down_sampled(fresh_views(faces[who], rng), side)))
        hits.append(new[(probes @ gallery[new].T).argmax(axis=1)] == who)
    who = np.repeat(known, toy.views)
    cosines = unit(_embed(network, fresh_views(faces[who], rng))) @ gallery[known].T
    own = known == who[:, None]
    trained = sum(one.numel() for one in network.parameters() if one.requires_grad)
    rests = sum(one.numel() for one in network.parameters()) - trained
    return Arm(
        low=float(np.mean(hits)),
        clean=1.0 - eer(cosines[own], cosines[~own]),
        share=trained / rests if isinstance(network, AdaptedBackbone) else 1.0,
    )


@torch.no_grad()
def _embed(network: Backbone, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    parts = [network(_input(network, pixels[start : start + 256])) for start in range(0, len(pixels), 256)]
    return torch.cat(parts).numpy()


def _input(network: Backbone, pixels: NDArray[np.uint8]) -> Tensor:
    return network_input(torch.from_numpy(pixels), network.contract)
