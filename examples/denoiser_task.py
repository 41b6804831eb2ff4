"""A denoising diffusion model with a moving average of its weights, as one Task.

Blobs on 8 x 8 pixels stand for pictures; the network predicts the noise that was added (Ho et al. 2020).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visavis.training.batches import DrawnBatches
from visavis.training.optimisers import AdamW
from visavis.training.schedules import Cosine
from visavis.training.settings import MovingAverage, Settings
from visavis.training.task import StepState, Task

LEVELS = 50


def blobs(rng: np.random.Generator, count: int = 64) -> Tensor:
    """Pictures of one bright blob each, float32 ``(count, 1, 8, 8)`` in [-1, 1]."""
    row, column = np.mgrid[:8, :8]
    centre = rng.uniform(2, 5, (count, 2, 1, 1))
    distance = (row - centre[:, 0]) ** 2 + (column - centre[:, 1]) ** 2
    return torch.tensor(2 * np.exp(-distance / 4) - 1, dtype=torch.float32)[:, None]


class DenoiserTask(Task):
    """Predicts the noise at a random level of a linear schedule of 50 levels."""

    kept: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kept", torch.cumprod(1 - torch.linspace(1e-3, 0.2, LEVELS), 0))
        self.level = nn.Embedding(LEVELS, 16)
        self.first = nn.Conv2d(1, 16, 3, padding=1)
        self.rest = nn.Sequential(nn.SiLU(), nn.Conv2d(16, 16, 3, padding=1), nn.SiLU(), nn.Conv2d(16, 1, 3, padding=1))

    def noise_in(self, noisy: Tensor, level: Tensor) -> Tensor:
        return self.rest(self.first(noisy) + self.level(level)[:, :, None, None])

    def loss(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        level = torch.randint(LEVELS, (len(clean),), generator=generator, device=clean.device)
        noise = torch.randn(clean.shape, generator=generator, device=clean.device)
        kept = self.kept[level][:, None, None, None]
        return F.mse_loss(self.noise_in(kept.sqrt() * clean + (1 - kept).sqrt() * noise, level), noise)

    def step(self, batch: Tensor, state: StepState) -> dict[str, Tensor]:
        return {"noise": self.loss(batch.to(state.device), state.generator)}

    def validate(self, batch: Tensor) -> dict[str, float]:
        device = self.kept.device
        return {"noise": float(self.loss(batch.to(device), torch.Generator(device).manual_seed(0)))}


def problem(steps: int = 200) -> tuple[DenoiserTask, DrawnBatches, Settings, list[Tensor]]:
    """Task, batches, settings and validation batches."""
    torch.manual_seed(0)
    settings = Settings(
        steps=steps,
        optimisers={"*": AdamW(rate=2e-3, weight_decay=0.01, clip=1.0, schedule=Cosine(warmup=0.1))},
        average=MovingAverage(decay=0.99),
        checkpoint_every=25,
        tensorboard=False,
    )
    return DenoiserTask(), DrawnBatches(blobs, 100), settings, [blobs(np.random.default_rng(1))]
