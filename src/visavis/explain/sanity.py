"""Sanity checks: a map must follow the network, and must not prefer a side."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from visavis._version import __version__
from visavis.errors import UsageError
from visavis.explain.tensors import ROWS, tensor, torch_module
from visavis.types import Crops, Failure, Provenance, Status, Templates, TemplateSpace
from visavis.types.protocols import DifferentiableEmbedder, PairExplainer

if TYPE_CHECKING:
    from torch import nn


class TensorEmbedder:
    """A torch embedder as a plain one, so that explainers without gradients can be given any network.

    Args:
        embedder: In torch.
    """

    def __init__(self, embedder: DifferentiableEmbedder) -> None:
        self.embedder = embedder

    def embed(self, crops: Crops) -> Templates:
        """One template a crop; failed crops give failed templates, and so do embeddings that are not finite."""
        torch = torch_module()
        with torch.no_grad():
            starts = range(0, len(crops), ROWS)
            parts = [self.embedder.embed_tensor(tensor(crops.pixels[at : at + ROWS])).numpy() for at in starts]
        raw = np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)
        norms = np.linalg.norm(raw, axis=1)
        bad = Failure("embedding", "the network gave no finite embedding for this face")
        found = [one or (None if 0 < norm < np.inf else bad) for one, norm in zip(crops.status, norms, strict=True)]
        status = Status(tuple(found))
        vectors = (raw / np.where(status.ok, norms, 1)[:, None]).astype(np.float32)
        name = type(self.embedder).__name__
        return Templates(
            vectors,
            np.where(status.ok, norms, np.nan).astype(np.float32),
            status,
            np.full(len(crops), np.nan, np.float32),
            TemplateSpace(crops.detector, "five-point", crops.template, name, raw.shape[1]),
            Provenance(name, "torch", "fp32", str(torch.__version__), __version__),
        )


def randomised_network(network: nn.Module, *, seed: int) -> nn.Module:
    """A copy of a network whose weights are shuffled, each tensor within itself.

    The values keep their distribution, so activations keep their size; what was learnt is gone. Tensors of one
    dimension (biases, normalisation) stay. Adebayo et al. 2018, section 3, all layers at once.

    Args:
        network: Left as it is.
        seed: Of the shuffle.
    """
    torch = torch_module()
    made = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for values in made.parameters():
            if values.ndim > 1:
                flat = values.reshape(-1)
                values.copy_(flat[torch.randperm(flat.numel(), generator=generator)].reshape(values.shape))
    return made


def randomised_embedder(embedder: DifferentiableEmbedder, *, seed: int) -> DifferentiableEmbedder:
    """A torch embedder with shuffled weights: a copy whose networks are `randomised_network`.

    Raises:
        UsageError: The embedder holds no torch module.
    """
    torch = torch_module()
    held = {name: value for name, value in vars(embedder).items() if isinstance(value, torch.nn.Module)}
    if not held:
        raise UsageError(f"{type(embedder).__name__} holds no torch module whose weights could be shuffled")
    made = copy.copy(embedder)
    for name, network in held.items():
        setattr(made, name, randomised_network(network, seed=seed))
    return made


def swap_error(explainer: PairExplainer, left: Crops, right: Crops) -> float:
    """The largest change of any map when the faces of the pairs change places, over the largest value; 0 is none."""
    here, there = explainer.explain(left, right), explainer.explain(right, left)
    worst = 0.0
    for one, two in zip(here, there, strict=True):
        changes = (np.abs(one.left - two.right).max(), np.abs(one.right - two.left).max())
        size = max(np.abs(one.left).max(), np.abs(one.right).max(), 1e-12)
        worst = max(worst, float(max(changes) / size))
    return worst
