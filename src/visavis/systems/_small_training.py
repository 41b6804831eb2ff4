"""Training the small network of the miniatures: the same pictures in the same order for every loss of one seed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from visavis.systems._miniature import Setting
from visavis.systems._small_faces import SmallFaces

_SHIFT = 2
_BRIGHTNESS = 0.3


class Batch(NamedTuple):
    """Pictures of one step.

    Attributes:
        pictures: float32 ``(B, 1, H, W)`` in 0..1, augmented.
        labels: int64 ``(B,)``.
        rows: int64 ``(B,)``, their places in the training pictures.
    """

    pictures: Tensor
    labels: Tensor
    rows: Tensor


Seed = int | tuple[int, ...]
Step = Callable[[Batch], Tensor]
"""The loss of one step."""


def fit(
    modules: Sequence[nn.Module], step: Step, faces: SmallFaces, setting: Setting, *, steps: int, seed: Seed
) -> None:
    """Train by Adam, in place.

    Args:
        modules: What has parameters to train; put into training mode.
        step: The loss of a batch.
        faces: Whose training pictures are used.
        setting: On what batches, at what rate.
        steps: Number of steps.
        seed: Of the batches and their augmentation.
    """
    for module in modules:
        module.train()
    optimiser = torch.optim.Adam([p for module in modules for p in module.parameters()], lr=setting.rate)
    for batch in itertools.islice(batches(faces, setting, seed=seed), steps):
        optimiser.zero_grad(set_to_none=True)
        step(batch).backward()
        optimiser.step()


def batches(faces: SmallFaces, setting: Setting, *, seed: Seed) -> Iterator[Batch]:
    """Batches of some people with some pictures each, augmented, without end; a pure function of the seed."""
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(faces.labels == person) for person in range(faces.classes)]
    people = min(setting.people, len(rows))
    while True:
        chosen = rng.choice(len(rows), people, replace=False)
        picked = np.concatenate([rng.permutation(rows[person])[: setting.pictures] for person in chosen])
        pictures = torch.from_numpy(augment(faces.train[picked], rng))
        yield Batch(pictures, torch.from_numpy(faces.labels[picked]), torch.from_numpy(picked))


def augment(pictures: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Mirror half of the pictures, shift each by up to 2 pixels, multiply its brightness by 0.7..1.3.

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
