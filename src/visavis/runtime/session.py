"""Sessions: one protocol over ONNX Runtime, OpenVINO and torch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from visavis.errors import ModelError, UsageError

Engine = Literal["onnxruntime", "openvino"]
Precision = Literal["auto", "fp32", "bf16", "int8"]
Device = Literal["cpu", "cuda"]

ENGINES: tuple[Engine, ...] = ("onnxruntime", "openvino")


@runtime_checkable
class Session(Protocol):
    """A network that is ready to run; immutable and safe to share between threads.

    Attributes:
        engine: ``onnxruntime``, ``openvino`` or ``torch``.
        precision: What it really computes in: ``fp32``, ``bf16``.
        version: Version of the engine's package.
        input_names: Names of the inputs.
        output_names: Names of the outputs.
    """

    engine: str
    precision: str
    version: str
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]

    def run(
        self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None
    ) -> list[NDArray[np.float32]]:
        """Run once on the calling thread.

        Args:
            inputs: An array per input name; the leading axis is the batch.
            outputs: Which outputs, in which order; all when None.
        """
        ...


def cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Which engine runs a network, and how.

    Attributes:
        engine: ``onnxruntime`` (default: everywhere, bitwise the same for any batching) or ``openvino``.
        precision: ``auto`` is fp32 on ONNX Runtime, and on OpenVINO bf16 where the processor has it. ``int8`` is
            for networks whose card offers it, on OpenVINO.
        device: ``cuda`` needs onnxruntime-gpu; there is no silent return to the CPU.
        threads: Threads that work side by side, one network run each. When None one more than there are cores, since
            a thread that waits for the interpreter leaves its core to the next.
    """

    engine: Engine = "onnxruntime"
    precision: Precision = "auto"
    device: Device = "cpu"
    threads: int | None = None

    def __post_init__(self) -> None:
        _one_of("engine", self.engine, ENGINES)
        _one_of("precision", self.precision, ("auto", "fp32", "bf16", "int8"))
        _one_of("device", self.device, ("cpu", "cuda"))
        if self.threads is not None and self.threads < 1:
            raise UsageError(f"threads must be at least 1; got {self.threads}")
        if self.engine == "onnxruntime" and self.precision in ("bf16", "int8"):
            raise UsageError(f"ONNX Runtime computes in fp32 here; {self.precision} needs engine='openvino'")
        if self.engine == "openvino" and self.device == "cuda":
            raise UsageError("OpenVINO runs on the CPU; CUDA needs engine='onnxruntime'")

    @classmethod
    def default(cls) -> EngineOptions:
        """The options of the environment: ``VISAVIS_ENGINE``, ``VISAVIS_PRECISION``, ``VISAVIS_THREADS``.

        Raises:
            UsageError: A variable has a value that is not accepted.
        """
        threads = os.environ.get("VISAVIS_THREADS") or None
        try:
            count = int(threads) if threads else None
        except ValueError:
            raise UsageError(f"VISAVIS_THREADS must be a whole number; got {threads!r}") from None
        engine: Any = os.environ.get("VISAVIS_ENGINE") or "onnxruntime"
        precision: Any = os.environ.get("VISAVIS_PRECISION") or "auto"
        return cls(engine=engine, precision=precision, threads=count)

    @property
    def workers(self) -> int:
        """Threads that work side by side."""
        if self.threads is not None:
            return self.threads
        return cores() + 1 if cores() > 1 else 1


def _one_of(name: str, value: str, accepted: Sequence[str]) -> None:
    if value not in accepted:
        raise UsageError(f"{name} must be {' or '.join(accepted)}; got {value!r}")


def open_session(data: bytes, options: EngineOptions, *, name: str) -> Session:
    """Compile an ONNX network.

    Args:
        data: The network as ONNX bytes.
        options: Engine, precision, device, threads.
        name: What to call the network in errors.

    Raises:
        DependencyError: The engine is not installed.
        ModelError: The engine refuses the network, or the device is not there.
    """
    if options.engine == "openvino":
        from visavis.runtime.openvino_session import OpenVinoSession

        return OpenVinoSession(data, options, name=name)
    from visavis.runtime.onnxruntime_session import OnnxRuntimeSession

    return OnnxRuntimeSession(data, options, name=name)


def refused(name: str, engine: str, error: Exception) -> ModelError:
    """The error for a network that an engine does not accept."""
    line = next((part.strip() for part in str(error).splitlines() if part.strip()), type(error).__name__)
    return ModelError(f"{engine} refuses the network {name}: {line[:300]}", reason="model.refused")
