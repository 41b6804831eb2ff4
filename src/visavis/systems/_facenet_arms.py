"""What one seed of the FaceNet miniature trains: an old network, a new one, and the new one in the old one's space."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from visavis.losses.harmonic_triplet import HarmonicTripletLoss
from visavis.losses.triplet import TripletLoss
from visavis.systems._arms import plain_step
from visavis.systems._miniature import Miniature, Setting
from visavis.systems._small_net import SmallNet
from visavis.systems._small_training import Batch, Step, fit

_HALF = 0.5
"""Learning rate of the whole network in the second stage, over that of the first."""


def stages(setting: Setting) -> int:
    """Steps of each of the two stages of harmonic training: 60 where triplets train for 100."""
    return max(1, setting.steps * 3 // 5)


def network(setting: Setting, *, wider: int = 1) -> SmallNet:
    """The network of a setting with random weights; ``wider`` times its channels."""
    widths = tuple(channels * wider for channels in setting.widths)
    return SmallNet(setting.size, widths=widths, dimension=setting.dimension)


def train_triplets(net: SmallNet, miniature: Miniature, *, seed: tuple[int, ...]) -> None:
    """Train by triplets with semi-hard negatives, in place."""
    setting = miniature.setting
    fit([net], plain_step(net, TripletLoss()), miniature.faces, setting, steps=setting.steps, seed=seed)


def train_harmonic(net: SmallNet, old: SmallNet, miniature: Miniature, *, seed: tuple[int, ...]) -> None:
    """Bring a trained network into the space of an old one, in place: its last layer anew and alone, then all of it.

    Args:
        net: The new network.
        old: The old one; it is not changed.
        miniature: Faces and setting.
        seed: Of the batches.
    """
    setting, faces, steps = miniature.setting, miniature.faces, stages(miniature.setting)
    step = harmonic_step(net, old)
    net.output.reset_parameters()
    net.features.requires_grad_(False).eval()
    fit([net.output], step, faces, setting, steps=steps, seed=(*seed, 0))
    net.features.requires_grad_(True)
    fit([net], step, faces, replace(setting, rate=setting.rate * _HALF), steps=steps, seed=(*seed, 1))


def harmonic_step(net: nn.Module, old: nn.Module) -> Step:
    """The harmonic triplet loss of a batch, the old embeddings in evaluation mode and without gradient."""
    loss = HarmonicTripletLoss()
    old.eval()

    def step(batch: Batch) -> Tensor:
        with torch.no_grad():
            before = old(batch.pictures)
        value: Tensor = loss(net(batch.pictures), batch.labels, before)
        return value

    return step
