"""Training the small network of the miniatures: the same pictures in the same order for every loss of one seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from visavis.systems._small_faces import SmallFaces

_SHIFT = 2
_BRIGHTNESS = 0.2

Step = Callable[[Tensor, Tensor], Tensor]
"""The loss of one step, from pictures ``(B, 1, H, W)`` and labels ``(B,)``."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and on what batches a miniature trains.

    Attributes:
        steps: Number of steps.
        people: People in a batch.
        pictures: Pictures of each.
        rate: Learning rate of Adam.
    """

    steps: int = 150
    people: int = 10
    pictures: int = 5
    rate: float = 1e-3


def fit(modules: Sequence[nn.Module], step: Step, faces: SmallFaces, schedule: Schedule, *, seed: int) -> None:
    """Train by Adam, in place.

    Args:
        modules: What has parameters to train; put into training mode.
        step: The loss of a batch.
        faces: Whose training pictures are used.
        schedule: How long, on what batches.
        seed: Of the batches and their augmentation.
    """
    for module in modules:
        module.train()
    optimiser = torch.optim.Adam([p for module in modules for p in module.parameters()], lr=schedule.rate)
    for pictures, labels in batches(faces, schedule, seed=seed):
        optimiser.zero_grad(set_to_none=True)
        step(pictures, labels).backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def batches(faces: SmallFaces, schedule: Schedule, *, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of some people with some pictures each, augmented; a pure function of the seed."""
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(faces.labels == person) for person in range(faces.classes)]
    people = min(schedule.people, len(rows))
    for _ in range(schedule.steps):
        chosen = rng.choice(len(rows), people, replace=False)
        picked = [rng.permutation(rows[person])[: schedule.pictures] for person in chosen]
        batch = np.concatenate(picked)
        yield torch.from_numpy(augment(faces.train[batch], rng)), torch.from_numpy(faces.labels[batch])


def augment(pictures: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Mirror half of the pictures, shift each by up to 2 pixels, multiply its brightness by 0.8..1.2.

    Args:
        pictures: float32 ``(B, 1, H, W)`` in 0..1.
        rng: Source of randomness.

    Returns:
        Pictures of the same shape in 0..1; what a shift uncovers repeats the border.
    """
    height, width = pictures.shape[2:]
    padded = np.pad(pictures, ((0, 0), (0, 0), (_SHIFT, _SHIFT), (_SHIFT, _SHIFT)), mode="edge")
    shifts = rng.integers(0, 2 * _SHIFT + 1, size=(len(pictures), 2))
    mirrored = rng.random(len(pictures)) < 0.5
    factors = rng.uniform(1 - _BRIGHTNESS, 1 + _BRIGHTNESS, size=len(pictures)).astype(np.float32)
    out = np.empty_like(pictures)
    for row, (down, right) in enumerate(shifts):
        cut = padded[row, :, down : down + height, right : right + width]
        out[row] = cut[..., ::-1] if mirrored[row] else cut
    return np.asarray(np.clip(out * factors[:, None, None, None], 0.0, 1.0), np.float32)
