"""A backbone as an ONNX file."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import torch
from torch import Tensor, nn

from visavis._require import require
from visavis.errors import ModelError
from visavis.nn.backbones.backbone import EMBEDDING, Backbone
from visavis.nn.pixels import resized

INPUT, OUTPUT = "input", "embedding"


class Resizing(nn.Module):
    """A backbone that takes crops of another side than it was built for, with what it tells beside the embedding.

    Args:
        backbone: The network.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Normalised crops ``(B, C, S, S)`` to raw embeddings ``(B, D)``, and the backbone's ``told`` after them."""
        size = self.backbone.contract.size
        found = self.backbone.features(x if size is None else resized(x, size), taps=self.backbone.told)
        return (found[EMBEDDING], *(found[name] for name in self.backbone.told))


def export_onnx(backbone: Backbone, *, size: int) -> bytes:
    """The network in ONNX with a free batch axis; input ``(B, C, S, S)`` normalised by its contract.

    Args:
        backbone: In evaluation mode. Its ``told`` become outputs behind ``embedding``.
        size: Side S of the crops; the network resizes them where it takes others.

    Returns:
        The file.

    Raises:
        DependencyError: onnxscript is not installed.
        ModelError: torch cannot express the network in ONNX.
    """
    require("onnxscript", extra="export", why="export to ONNX")
    example = torch.zeros(2, backbone.contract.channels, size, size)
    with _quiet():
        try:
            program = torch.onnx.export(
                Resizing(backbone).eval(),
                (example,),
                input_names=[INPUT],
                output_names=[OUTPUT, *backbone.told],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                dynamo=True,
                verbose=False,
            )
        except Exception as error:
            raise ModelError(f"{type(backbone).__name__} cannot be exported: {error}", reason="model.export") from error
    assert program is not None
    model = program.model_proto
    _without_traces(model)
    data: bytes = model.SerializeToString()
    return data


def _without_traces(model: Any) -> None:
    """Remove what the exporter notes of each operator: lines of source code with paths of this machine, and modules."""
    for part in (model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for weights in model.graph.initializer:
        weights.ClearField("metadata_props")
    model.ClearField("metadata_props")


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter tells its steps on stdout, and warns of packages that nobody needs."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logger.setLevel(level)
