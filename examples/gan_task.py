"""A generator against a critic: two optimisers that take turns, as one Task.

Points on a ring stand for pictures. The critic learns in every step, the generator in every second.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visavis.training.batches import DrawnBatches
from visavis.training.optimisers import AdamW
from visavis.training.schedules import Constant
from visavis.training.settings import Settings
from visavis.training.task import Phase, StepState, Task


def ring(rng: np.random.Generator, count: int = 128) -> Tensor:
    """Points near a circle of radius 2, float32 ``(count, 2)``."""
    angle = rng.uniform(0, 2 * np.pi, count)
    points = 2 * np.stack([np.cos(angle), np.sin(angle)], 1) + rng.normal(0, 0.05, (count, 2))
    return torch.tensor(points, dtype=torch.float32)


def layers(*widths: int) -> nn.Sequential:
    """Linear layers with leaky ReLU between them."""
    parts: list[nn.Module] = []
    for left, right in pairwise(widths):
        parts += [nn.Linear(left, right), nn.LeakyReLU(0.2)]
    return nn.Sequential(*parts[:-1])


class GanTask(Task):
    """The non-saturating loss of Goodfellow et al. 2014."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = layers(8, 64, 64, 2)
        self.critic = layers(2, 64, 64, 1)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"generator": list(self.generator.parameters()), "critic": list(self.critic.parameters())}

    def order(self) -> tuple[Phase, ...]:
        return (Phase("critic", ("critic",)), Phase("generator", ("generator",), every=2))

    def step(self, batch: Tensor, state: StepState) -> dict[str, Tensor]:
        real = batch.to(state.device)
        noise = torch.randn(len(real), 8, generator=state.generator, device=state.device)
        if state.phase == "critic":
            with torch.no_grad():
                made = self.generator(noise)
            return {"real": F.softplus(-self.critic(real)).mean(), "made": F.softplus(self.critic(made)).mean()}
        return {"fooled": F.softplus(-self.critic(self.generator(noise))).mean()}

    def validate(self, batch: Tensor) -> dict[str, float]:
        """How far the made points lie from the ring."""
        device = self.critic[0].weight.device
        noise = torch.randn(512, 8, generator=torch.Generator(device).manual_seed(0), device=device)
        return {"off_ring": float((self.generator(noise).norm(dim=1) - 2).abs().mean())}


def problem(steps: int = 400) -> tuple[GanTask, DrawnBatches, Settings, list[Tensor]]:
    """Task, batches, settings and validation batches."""
    torch.manual_seed(0)
    adam = AdamW(rate=2e-3, betas=(0.5, 0.99), weight_decay=0.0, schedule=Constant())
    settings = Settings(steps=steps, optimisers={"*": adam}, checkpoint_every=25, tensorboard=False)
    return GanTask(), DrawnBatches(ring, 100), settings, [torch.empty(0)]
