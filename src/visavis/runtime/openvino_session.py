"""Networks on OpenVINO."""

from __future__ import annotations

import queue
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visavis._require import require
from visavis.errors import ModelError, UsageError
from visavis.runtime.session import EngineOptions, Precision, refused

if TYPE_CHECKING:
    from collections.abc import Iterator


@cache
def _core() -> Any:
    return require("openvino", extra="openvino", why="the OpenVINO engine").Core()


def has_bf16() -> bool:
    """Whether this processor multiplies in bf16 by hardware."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def precisions() -> tuple[Precision, ...]:
    """What OpenVINO can compute in on this processor, the slowest first."""
    return ("fp32", "bf16", "int8") if has_bf16() else ("fp32", "int8")


class OpenVinoSession:
    """Streams side by side, a single-threaded one per worker.

    The runs of a session share its compiled network; each takes a request of its own from a pool.

    Args:
        data: ONNX bytes.
        options: Precision and number of workers.
        name: What to call the network in errors.

    Raises:
        DependencyError: OpenVINO is not installed.
        ModelError: bf16 was asked for and the processor has none, or the network is refused.
    """

    engine = "openvino"

    def __init__(self, data: bytes, options: EngineOptions, *, name: str) -> None:
        openvino = require("openvino", extra="openvino", why="the OpenVINO engine")
        if options.precision == "bf16" and not has_bf16():
            raise ModelError(
                "bf16 was asked for and this processor does not have it; use precision fp32", reason="model.device"
            )
        rest = "bf16" if options.precision != "fp32" and has_bf16() else "fp32"
        # In int8 the layers that stay in floating point run in the widest type that is fast.
        self.precision = "int8" if options.precision == "int8" else rest
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if rest == "bf16" else "f32",
            "NUM_STREAMS": options.workers,
            "INFERENCE_NUM_THREADS": options.workers,
            "ENABLE_CPU_PINNING": False,
        }
        try:
            self._network = _core().compile_model(_core().read_model(data, b""), "CPU", settings)
        except RuntimeError as error:
            raise refused(name, "OpenVINO", error) from error
        self._name = name
        self.version = str(openvino.__version__).split("-")[0]
        self.input_names = tuple(value.get_any_name() for value in self._network.inputs)
        self.output_names = tuple(value.get_any_name() for value in self._network.outputs)
        self._position = {label: row for row, value in enumerate(self._network.outputs) for label in value.get_names()}
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()

    @contextmanager
    def _request(self) -> Iterator[Any]:
        try:
            request = self._idle.get_nowait()
        except queue.Empty:
            request = self._network.create_infer_request()
        yield request
        self._idle.put(request)

    def run(
        self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None
    ) -> list[NDArray[np.float32]]:
        """See `visavis.runtime.session.Session`."""
        names = self.output_names if outputs is None else outputs
        unknown = [name for name in names if name not in self._position]
        if unknown or set(inputs) != set(self.input_names):
            raise UsageError(
                f"{self._name} takes {', '.join(self.input_names)} and gives {', '.join(self.output_names)}; asked for "
                f"{', '.join(names)} of {', '.join(inputs)}"
            )
        with self._request() as request:
            try:
                request.infer(dict(inputs), share_inputs=True)
            except (RuntimeError, TypeError, ValueError) as error:
                raise UsageError(
                    f"{self._name} does not take this input: {str(error).splitlines()[-1][:300]}"
                ) from error
            return [np.array(request.get_output_tensor(self._position[name]).data) for name in names]
