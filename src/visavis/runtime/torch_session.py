"""Networks in torch, behind the protocol of every other engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visavis._require import require
from visavis.errors import UsageError
from visavis.runtime.pixels import INPUT

if TYPE_CHECKING:
    from torch import nn


class TorchSession:
    """Runs a module on pixels, without gradients; see `visavis.runtime.session.Session`.

    Args:
        module: Takes RGB float ``(N, 3, H, W)`` in 0..255, returns a tensor or a tuple of tensors. It is put
            into evaluation mode.
        name: What to call the network in errors.
        outputs: Names of what the module returns.

    Raises:
        DependencyError: torch is not installed.
    """

    engine = "torch"
    precision = "fp32"

    def __init__(self, module: nn.Module, *, name: str, outputs: Sequence[str] = ("output",)) -> None:
        self._torch = require("torch", extra="torch", why="the torch engine")
        self._module = module.eval()
        self._name = name
        self.version = str(self._torch.__version__)
        self.input_names = (INPUT,)
        self.output_names = tuple(outputs)

    def run(
        self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None
    ) -> list[NDArray[np.float32]]:
        """Run once on the calling thread.

        Args:
            inputs: ``pixels``: uint8 RGB ``(N, H, W, 3)``.
            outputs: Which outputs, in which order; all when None.

        Returns:
            float32 arrays.

        Raises:
            UsageError: Other inputs or outputs, or pixels that the module does not take.
        """
        wanted = self.output_names if outputs is None else tuple(outputs)
        unknown = [name for name in wanted if name not in self.output_names]
        if unknown or set(inputs) != {INPUT}:
            raise UsageError(
                f"{self._name} takes {INPUT} and gives {', '.join(self.output_names)}; asked for "
                f"{', '.join(wanted)} of {', '.join(inputs)}"
            )
        pixels = inputs[INPUT]
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3:
            raise UsageError(f"{self._name} takes uint8 RGB (N, H, W, 3); got {pixels.dtype} {pixels.shape}")
        planes = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        try:
            with self._torch.inference_mode():
                found = self._module(self._torch.tensor(planes, dtype=self._torch.float32))
        except RuntimeError as error:
            raise UsageError(f"{self._name} does not take this input: {str(error).splitlines()[0][:300]}") from error
        values = found if isinstance(found, tuple | list) else (found,)
        named = dict(zip(self.output_names, values, strict=True))
        return [named[name].to(self._torch.float32).numpy() for name in wanted]
