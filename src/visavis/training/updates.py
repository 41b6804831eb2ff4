"""One update of some parameter groups: forward, backward, clip, step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from visavis.errors import UsageError
from visavis.training.active_rows import active_rows
from visavis.training.gradients import average_gradients, spread_infinity, total_norm
from visavis.training.group import ALONE, Group, own_device
from visavis.training.non_finite import require_finite_gradient, require_finite_losses, stop
from visavis.training.optimisers import check_groups, optimiser_of, set_rate
from visavis.training.schedules import rate_factor
from visavis.training.seeds import mixed_seed, seed_everything
from visavis.training.settings import Settings
from visavis.training.shards import Places
from visavis.training.task import Phase, StepState, Task

LEAST_SCALE = 1e-3
"""A loss scale of fp16 below which gradients are not finite for another reason; it begins at 65,536 and halves."""
_HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


def check_device(settings: Settings, group: Group = ALONE) -> torch.device:
    """The device of this process of a run.

    Raises:
        UsageError: It is not there, or does not have the precision.
    """
    kind, _, number = settings.device.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdigit()):
        raise UsageError(f"a run is trained on cpu, cuda or cuda:N; got {settings.device!r}")
    device = torch.device(own_device(settings.device, group))
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            "the device cuda was asked for and torch finds none here; use cpu or install a build with CUDA"
        )
    if device.type == "cuda" and settings.precision == "bf16" and not torch.cuda.is_bf16_supported():
        raise UsageError("this GPU has no bf16; use fp16 or fp32")
    return device


class Updates:
    """The optimisers of a task, and how a phase uses them.

    Args:
        task: On its device.
        settings: Of the run.
        steps: Optimiser steps of the run.
        steps_per_epoch: Optimiser steps of an epoch.
        folder: Where a broken batch is reported.
        group: The processes of the run.

    Raises:
        UsageError: Groups that are empty, shared, without an optimiser, or a phase that names an unknown one.
    """

    def __init__(
        self,
        task: Task,
        settings: Settings,
        *,
        steps: int,
        steps_per_epoch: float,
        folder: Path,
        group: Group = ALONE,
    ) -> None:
        self._task, self._settings, self._folder, self._group = task, settings, folder, group
        self._steps, self._steps_per_epoch = steps, steps_per_epoch
        self.device = check_device(settings, group)
        self.order = task.order()
        self._groups = {name: list(parameters) for name, parameters in task.parameter_groups().items()}
        check_groups(self._groups)
        unknown = {group for phase in self.order for group in phase.groups} - set(self._groups)
        if unknown:
            raise UsageError(f"a phase updates {', '.join(sorted(unknown))}; the groups are {', '.join(self._groups)}")
        self._chosen = {name: optimiser_of(name, settings.optimisers) for name in self._groups}
        self._optimisers = {name: self._chosen[name].build(group) for name, group in self._groups.items()}
        self.rates(0)  # a schedule that does not fit is refused before anything is written
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=settings.precision == "fp16")
        keys = task.shards()
        self._keys = {parameter: key for key, parameter in task.named_parameters() if key in keys}

    def rates(self, step: int) -> dict[str, float]:
        """The learning rate of each group in a step."""
        return {
            name: chosen.rate
            * rate_factor(chosen.schedule, step=step, steps=self._steps, steps_per_epoch=self._steps_per_epoch)
            for name, chosen in self._chosen.items()
        }

    def run(self, step: int, batches: Sequence[Any]) -> dict[str, float]:
        """All updates of a step.

        Args:
            step: Optimiser steps done.
            batches: As many as are accumulated.

        Returns:
            Losses, and ``gradient/GROUP``, the norm before clipping, by name.

        Raises:
            NonFiniteError: A loss or a gradient is not finite.
        """
        for name, rate in self.rates(step).items():
            set_rate(self._optimisers[name], rate)
        seen: dict[str, float] = {}
        for number, phase in enumerate(self.order):
            if phase.runs_at(step):
                seen |= self._update(step, number, phase, batches)
        return seen

    def state_dict(self) -> dict[str, Any]:
        """Moments of the optimisers and the loss scale; dictionaries of its own, tensors as they are."""
        optimisers = {}
        for name, optimiser in self._optimisers.items():
            state = optimiser.state_dict()
            moments = {number: dict(value) for number, value in state["state"].items()}
            optimisers[name] = {**state, "state": moments}
        return {"optimisers": optimisers, "scaler": self._scaler.state_dict()}

    def places(self) -> Places:
        """Where the moments of the tensors lie of which this process holds some rows."""
        found: dict[tuple[str, int], str] = {}
        for name, optimiser in self._optimisers.items():
            parameters = [one for part in optimiser.param_groups for one in part["params"]]
            found |= {(name, n): self._keys[one] for n, one in enumerate(parameters) if one in self._keys}
        return found

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        for name, optimiser in self._optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self._scaler.load_state_dict(state["scaler"])

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """The precision of the networks."""
        half = _HALF.get(self._settings.precision)
        with torch.autocast(self.device.type, dtype=half, enabled=half is not None):
            yield

    def _update(self, step: int, number: int, phase: Phase, batches: Sequence[Any]) -> dict[str, float]:
        optimisers = [self._optimisers[name] for name in phase.groups]
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        sums: dict[str, float] = {}
        with self._only(phase):
            for micro, batch in enumerate(batches):
                losses = self._losses(step, number, phase, micro, batch)
                values = self._means(losses)
                require_finite_losses(values, batches=[batch], step=step, **self._about)
                for name, value in values.items():
                    sums[name] = sums.get(name, 0.0) + value / len(batches)
                self._scaler.scale(_total(losses) / len(batches)).backward()
        average_gradients(
            [one for name in phase.groups for one in self._groups[name] if one not in self._keys], self._group
        )
        with ExitStack() as stack:
            swapped: dict[nn.Parameter, nn.Parameter] = {}
            for optimiser in optimisers:
                swapped |= stack.enter_context(active_rows(optimiser))
            norms = self._clip(phase, sums, batches, step, swapped)
            moved = [optimiser for optimiser in optimisers if _has_gradient(optimiser)]
            for optimiser in moved:
                self._scaler.step(optimiser)
        if moved:
            self._scaler.update()
            self._check_scale(sums, batches, step)
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        return sums | norms

    @property
    def _about(self) -> dict[str, Any]:
        """What a report on a broken batch needs."""
        return {"task": self._task, "folder": self._folder, "group": self._group}

    def _means(self, losses: Mapping[str, Tensor]) -> dict[str, float]:
        """Losses by name, their mean over the processes."""
        if self._group.size == 1:
            return {name: float(loss.detach()) for name, loss in losses.items()}
        values = torch.stack([losses[name].detach().double().reshape(()) for name in sorted(losses)])
        values = self._group.total(values) / self._group.size
        return dict(zip(sorted(losses), values.tolist(), strict=True))

    def _losses(self, step: int, number: int, phase: Phase, micro: int, batch: Any) -> Mapping[str, Tensor]:
        common = mixed_seed(self._settings.seed, step, number, micro)
        own = () if self._group.size == 1 else (self._group.rank,)
        seed = mixed_seed(self._settings.seed, step, number, micro, *own)
        seed_everything(seed)
        state = StepState(
            step=step,
            steps=self._steps,
            epoch=step / self._steps_per_epoch,
            micro=micro,
            phase=phase.name,
            device=self.device,
            generator=torch.Generator(self.device).manual_seed(seed),
            group=self._group,
            common_seed=common,
        )
        with self.autocast():
            losses = self._task.step(batch, state)
        if not losses:
            raise UsageError(f"the task gave no loss in the phase {phase.name!r} of step {step}; it needs one at least")
        return losses

    def _clip(
        self,
        phase: Phase,
        losses: Mapping[str, float],
        batches: Sequence[Any],
        step: int,
        swapped: Mapping[nn.Parameter, nn.Parameter],
    ) -> dict[str, float]:
        """Gradient norms before clipping; gradients are unscaled and clipped on the way.

        Args:
            phase: Whose groups.
            losses: For a report.
            batches: For a report.
            step: For a report.
            swapped: Parameters for which their rows stand in.
        """
        norms: dict[str, float] = {}
        for name in phase.groups:
            moving = [swapped.get(parameter, parameter) for parameter in self._groups[name]]
            held = [one.grad for key, one in zip(self._groups[name], moving, strict=True) if key in self._keys]
            parts = [gradient for gradient in held if gradient is not None]
            gradients = [
                one.grad
                for key, one in zip(self._groups[name], moving, strict=True)
                if key not in self._keys and one.grad is not None
            ]
            if gradients or parts:
                if self._scaler.is_enabled():
                    spread_infinity(parts, self._group)
                self._scaler.unscale_(self._optimisers[name])
            norm = total_norm(gradients, parts, self._group)
            norms[f"gradient/{name}"] = float(norm)
            if not self._scaler.is_enabled():  # a loss scale that overflows is lowered, and its step left out
                require_finite_gradient(float(norm), losses=losses, batches=batches, step=step, **self._about)
            limit = self._chosen[name].clip
            if limit is not None and (gradients or parts):
                torch.nn.utils.clip_grads_with_norm_(moving, limit, norm)
        return norms

    def _check_scale(self, losses: Mapping[str, float], batches: Sequence[Any], step: int) -> None:
        """Stop where the loss scale has been lowered so often that it cannot be the scale."""
        if self._scaler.is_enabled() and self._scaler.get_scale() < LEAST_SCALE:
            what = "the losses are finite, their gradient has not been for many steps, whatever the loss scale"
            stop(what, losses, batches=batches, step=step, **self._about)

    @contextmanager
    def _only(self, phase: Phase) -> Iterator[None]:
        """No gradient reaches the parameters of other groups."""
        others = [p for name, group in self._groups.items() if name not in phase.groups for p in group]
        learning = [parameter for parameter in others if parameter.requires_grad]
        for parameter in learning:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in learning:
                parameter.requires_grad_(True)


def _has_gradient(optimiser: torch.optim.Optimizer) -> bool:
    return any(parameter.grad is not None for group in optimiser.param_groups for parameter in group["params"])


def _total(losses: Mapping[str, Tensor]) -> Tensor:
    return torch.stack([loss.float() for loss in losses.values()]).sum()
