"""Networks on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as state

from visavis.errors import ModelError, UsageError
from visavis.runtime.session import EngineOptions, refused

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_ERRORS_ONLY = 3
_REFUSALS = (
    state.Fail,
    state.InvalidArgument,
    state.InvalidGraph,
    state.InvalidProtobuf,
    state.NotImplemented,
    state.RuntimeException,
)


class OnnxRuntimeSession:
    """One thread per run and runs side by side, so a result never depends on how work was grouped.

    Args:
        data: ONNX bytes.
        options: Device; precision is fp32.
        name: What to call the network in errors.

    Raises:
        ModelError: CUDA was asked for and is not there, or the network is refused.
    """

    engine = "onnxruntime"
    precision = "fp32"

    def __init__(self, data: bytes, options: EngineOptions, *, name: str) -> None:
        provider = _PROVIDERS[options.device]
        available = onnxruntime.get_available_providers()
        if provider not in available:
            raise ModelError(
                f"CUDA was asked for, but this ONNX Runtime offers {', '.join(available)}; run: pip install "
                "onnxruntime-gpu, or ask for the cpu",
                reason="model.device",
            )
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = 1
        settings.inter_op_num_threads = 1
        settings.log_severity_level = _ERRORS_ONLY
        try:
            self._session = onnxruntime.InferenceSession(data, settings, providers=[provider])
        except _REFUSALS as error:
            raise refused(name, "ONNX Runtime", error) from error
        if options.device == "cuda" and provider not in self._session.get_providers():
            raise ModelError(
                "CUDA was asked for and ONNX Runtime fell back to the CPU; check the CUDA and cuDNN libraries, or ask "
                "for the cpu",
                reason="model.device",
            )
        self._name = name
        self.version = str(onnxruntime.__version__)
        self.input_names = tuple(value.name for value in self._session.get_inputs())
        self.output_names = tuple(value.name for value in self._session.get_outputs())

    def run(
        self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None
    ) -> list[NDArray[np.float32]]:
        """See `visavis.runtime.session.Session`."""
        try:
            results: list[NDArray[np.float32]] = self._session.run(
                list(outputs) if outputs is not None else None, dict(inputs)
            )
        except (*_REFUSALS, ValueError) as error:
            raise UsageError(f"{self._name} does not take this input: {str(error).splitlines()[0][:300]}") from error
        return results
