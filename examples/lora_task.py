"""Low-rank adapters (Hu et al. 2022, by the package peft) on a frozen network, as one Task.

The checkpoint holds the adapters and the head, not the frozen network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn
from torch.nn import functional as F

from visavis.training.batches import DrawnBatches
from visavis.training.optimisers import AdamW
from visavis.training.settings import Settings
from visavis.training.task import StepState, Task

CLASSES, WIDTH = 8, 32
CENTRES = np.random.default_rng(0).normal(0, 1, (CLASSES, WIDTH))


def clusters(rng: np.random.Generator, count: int = 64) -> tuple[Tensor, Tensor]:
    """Points around eight centres: float32 ``(count, 32)`` and their int64 ``(count,)`` numbers."""
    labels = rng.integers(0, CLASSES, count)
    points = CENTRES[labels] + rng.normal(0, 1.0, (count, WIDTH))
    return torch.tensor(points, dtype=torch.float32), torch.tensor(labels)


class LoraTask(Task):
    """A frozen network of three layers; its linear layers get adapters of rank 4."""

    def __init__(self, frozen: nn.Module) -> None:
        super().__init__()
        config = LoraConfig(r=4, lora_alpha=8, target_modules=r".*\.?[024]", init_lora_weights=True)
        frozen.requires_grad_(False)
        self.network = inject_adapter_in_model(config, frozen)
        self.head = nn.Linear(16, CLASSES)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        frozen = {name for name, parameter in self.named_parameters() if not parameter.requires_grad}
        return {name: value for name, value in super().state_dict(*args, **kwargs).items() if name not in frozen}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        if set(state) != set(self.state_dict()):
            raise ValueError(f"adapters do not fit: {sorted(set(state) ^ set(self.state_dict()))[:5]}")
        return super().load_state_dict(state, strict=False, assign=assign)

    def step(self, batch: tuple[Tensor, Tensor], state: StepState) -> dict[str, Tensor]:
        points, labels = (part.to(state.device) for part in batch)
        return {"softmax": F.cross_entropy(self.head(self.network(points)), labels)}

    def validate(self, batch: tuple[Tensor, Tensor]) -> dict[str, float]:
        points, labels = (part.to(self.head.weight.device) for part in batch)
        return {"accuracy": float((self.head(self.network(points)).argmax(1) == labels).float().mean())}


def problem(steps: int = 200) -> tuple[LoraTask, DrawnBatches, Settings, list[tuple[Tensor, Tensor]]]:
    """Task, batches, settings and validation batches."""
    torch.manual_seed(0)
    frozen = nn.Sequential(nn.Linear(WIDTH, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
    settings = Settings(steps=steps, optimisers={"*": AdamW(rate=5e-3)}, checkpoint_every=25, tensorboard=False)
    return LoraTask(frozen), DrawnBatches(clusters, 100), settings, [clusters(np.random.default_rng(1), 512)]
