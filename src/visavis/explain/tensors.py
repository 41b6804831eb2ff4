"""Gradients of the similarity of pairs, in torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis._require import require
from visavis.errors import ModelError
from visavis.explain.fills import Filler
from visavis.types import Crops, Explanation
from visavis.types.protocols import DifferentiableEmbedder

if TYPE_CHECKING:
    from torch import Tensor

ROWS = 16
"""Crops of one backward pass: their activations fit into memory."""


@dataclass(frozen=True, slots=True, eq=False)
class PathSums:
    """Attributions of both crops of N pairs.

    Attributes:
        maps: float64 ``(N, 2, H, W)``: gradient times distance from the baseline, summed over colours and path.
        similarities: float64 ``(N,)``.
        blank: float64 ``(N, 2)``: similarity when the first, and when the second crop is its baseline.
        passes: Crops of one pair that went through the network forwards.
    """

    maps: NDArray[np.float64]
    similarities: NDArray[np.float64]
    blank: NDArray[np.float64]
    passes: int


def torch_module() -> Any:
    """The package torch.

    Raises:
        DependencyError: It is not installed.
    """
    return require("torch", extra="torch", why="an explainer with gradients")


def tensor(pixels: NDArray[Any]) -> Tensor:
    """``(N, H, W, 3)`` in 0..255 as a float32 tensor ``(N, 3, H, W)``."""
    made: Tensor = torch_module().from_numpy(np.ascontiguousarray(np.moveaxis(pixels, 3, 1), dtype=np.float32))
    return made


def raw_embeddings(embedder: DifferentiableEmbedder, pixels: NDArray[Any]) -> Tensor:
    """Raw embeddings ``(N, D)`` of crops ``(N, H, W, 3)`` in 0..255, without gradients.

    Raises:
        ModelError: An embedding that is zero or not finite.
    """
    torch = torch_module()
    with torch.no_grad():
        parts = [embedder.embed_tensor(tensor(pixels[at : at + ROWS])) for at in range(0, len(pixels), ROWS)]
    found: Tensor = torch.cat(parts)
    norms = found.norm(dim=1)
    if not bool((torch.isfinite(norms) & (norms > 0)).all()):
        raise ModelError("the network gives no finite embedding for a crop that is to be explained", reason="embedding")
    return found


def path_sums(
    embedder: DifferentiableEmbedder,
    left: Crops,
    right: Crops,
    *,
    baseline: Filler,
    points: Sequence[float],
    weights: Sequence[float],
) -> PathSums:
    """Gradients times distance from a baseline, on points of the straight path from it to each crop.

    The crop moves along its path while the other crop of the pair stays whole: the sum over points t of
    ``weight * (x - b) * d cos(f(b + t (x - b)), f(other)) / dx``, summed over the colours.

    Args:
        embedder: In torch.
        left: The first crop of each pair.
        right: The second.
        baseline: Makes the start of the path of a crop.
        points: Where on the path gradients are taken, each in 0..1.
        weights: One a point.
    """
    torch = torch_module()
    number = len(left)
    crops = np.stack([left.pixels, right.pixels], axis=1).astype(np.float32)
    bases = np.array([[baseline(crop) for crop in pair] for pair in (*zip(left.pixels, right.pixels, strict=True),)])
    flat, flat_bases = crops.reshape(-1, *crops.shape[2:]), bases.reshape(-1, *crops.shape[2:])
    whole = raw_embeddings(embedder, flat)
    others = whole.reshape(number, 2, -1).flip(1).reshape(2 * number, -1)
    cosine = torch.nn.functional.cosine_similarity
    similarities = cosine(whole[0::2].double(), whole[1::2].double())
    with torch.no_grad():
        starts = torch.cat([embedder.embed_tensor(tensor(flat_bases[at : at + ROWS])) for at in _starts(flat)])
        blank = cosine(starts.double(), others.double(), eps=1e-12)
    maps = np.zeros((2 * number, *crops.shape[2:4]))
    jobs = [(row, point, weight) for row in range(2 * number) for point, weight in zip(points, weights, strict=True)]
    for at in range(0, len(jobs), ROWS):
        some = jobs[at : at + ROWS]
        rows = [row for row, _, _ in some]
        away = flat[rows] - flat_bases[rows]
        steps = np.array([point for _, point, _ in some], np.float32)[:, None, None, None]
        pixels = tensor(flat_bases[rows] + steps * away).requires_grad_(True)
        total = cosine(embedder.embed_tensor(pixels), others[rows]).sum()
        (gradient,) = torch.autograd.grad(total, pixels)
        parts = (np.moveaxis(gradient.numpy(), 1, 3).astype(np.float64) * away).sum(axis=3)
        for (row, _, weight), part in zip(some, parts, strict=True):
            maps[row] += weight * part
    return PathSums(
        maps.reshape(number, 2, *maps.shape[1:]),
        similarities.numpy(),
        blank.reshape(number, 2).numpy(),
        2 + 2 + 2 * len(points),
    )


def explained(
    name: str, found: PathSums, *, smooth: float, complete: Sequence[bool] | None = None
) -> list[Explanation]:
    """The attributions as one smoothed explanation a pair.

    Args:
        name: Of the explainer.
        found: What `path_sums` gave.
        smooth: Standard deviation of the Gaussian over the maps in pixels.
        complete: Per pair, whether its maps sum to what they must; none does when None.
    """
    whole = [False] * len(found.maps) if complete is None else complete
    return [
        Explanation(
            name,
            smoothed(maps[0], smooth),
            smoothed(maps[1], smooth),
            float(similarity),
            complete=sums,
            passes=found.passes,
        )
        for maps, similarity, sums in zip(found.maps, found.similarities, whole, strict=True)
    ]


def smoothed(values: NDArray[np.float64], sigma: float) -> NDArray[np.float32]:
    """A map ``(H, W)`` after a Gaussian of ``sigma`` pixels, reflected at the edges so that its sum stays."""
    if sigma <= 0:
        return values.astype(np.float32)
    side = 2 * round(4 * sigma) + 1
    made = cv2.GaussianBlur(values, (side, side), sigma, borderType=cv2.BORDER_REFLECT)
    return np.asarray(made, np.float32)


def _starts(rows: NDArray[Any]) -> range:
    return range(0, len(rows), ROWS)
