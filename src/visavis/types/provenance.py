"""Provenance: which software computed a result."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Provenance:
    """The engine behind a result.

    Attributes:
        model: Registry name or path of the model.
        engine: ``onnxruntime``, ``openvino`` or ``torch``.
        precision: ``fp32``, ``bf16`` ...
        engine_version: Version of the engine's package.
        visavis_version: Version of this package.
    """

    model: str
    engine: str
    precision: str
    engine_version: str
    visavis_version: str

    def to_dict(self) -> dict[str, str]:
        """The fields as a JSON-ready dictionary."""
        return asdict(self)
