"""A two-block vision transformer on 100 small faces: does its attention follow how much of a face is left?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visavis.errors import DependencyError
from visavis.losses.cosface import CosFaceLoss
from visavis.metrics.discard import DiscardCurve, discard_curve
from visavis.metrics.rank_correlation import rank_correlation
from visavis.metrics.verification import threshold_at_fmr
from visavis.nn.backbones.vit import ViTBackbone, ViTShape
from visavis.nn.pixels import network_input
from visavis.protocols.ledger import Ledger, RolesTouched
from visavis.quality.attention_torch import TorchAttention
from visavis.quality.blur_ladder import LEAST_CORRELATION, blur_ladder
from visavis.systems._small_net import reproducible
from visavis.systems._small_training import augment

RESOLUTIONS = (25, 16, 12, 8, 6, 5, 4)
FMR = 0.01
LIMIT = 0.3
_FACES = 100
_DIMENSION = 64


@dataclass(frozen=True, slots=True)
class Toy:
    """Size of the experiment.

    Attributes:
        steps: Steps of training.
        batch: Faces a step.
        views: Fresh views of each face at each resolution.
    """

    steps: int
    batch: int
    views: int


QUICK = Toy(steps=1200, batch=64, views=4)


@dataclass(frozen=True, slots=True)
class Look:
    """What the attention of one network says of the fresh views.

    Attributes:
        correlation: Spearman's correlation of score and resolution.
        ratio: Mean FNMR over discards up to 0.3, over the FNMR with all views; the threshold is fixed.
        negated: The same where the highest scores go first.
        best: FNMR of the tenth of the views with the highest scores, over that of all.
        best_negated: The same of the lowest scores.
        ladder: Spearman's correlation of score and sharpness of the training faces, blurred.
        focus: Spearman's correlation of the negative entropy of the softmax'ed attention and resolution.
        rank1: By resolution, share of the views whose nearest face is their own.
    """

    correlation: float
    ratio: float
    negated: float
    best: float
    best_negated: float
    ladder: float
    focus: float
    rank1: dict[int, float]

    @property
    def accepted(self) -> bool:
        """Whether the blur ladder takes the score for a quality."""
        return abs(self.ladder) >= LEAST_CORRELATION

    def oriented(self) -> Look:
        """The same of the score that points as the blur ladder says: higher is better."""
        if self.ladder >= 0:
            return self
        return replace(
            self,
            correlation=-self.correlation,
            ratio=self.negated,
            negated=self.ratio,
            best=self.best_negated,
            best_negated=self.best,
            ladder=-self.ladder,
        )


def read_faces() -> NDArray[np.uint8]:
    """The 100 faces of ``lfw_subset`` of scikit-image, uint8 RGB ``(100, 25, 25, 3)``.

    Raises:
        DependencyError: scikit-image is not installed.
    """
    spec = find_spec("skimage")
    path = Path(next(iter(spec.submodule_search_locations or ())), "data/lfw_subset.npy") if spec else None
    if path is None or not path.is_file():
        raise DependencyError("the small faces of scikit-image are not installed; run: pip install 'visavis[demo]'")
    grey = np.load(path, allow_pickle=False)[:_FACES].astype(np.float32)
    return _pixels(grey[:, None])


def roles_of(faces: NDArray[np.uint8]) -> RolesTouched:
    """What the people ledger says of those faces, which are people by their rows."""
    return Ledger.load().touched("lfw_subset", [str(row) for row in range(len(faces))])


def before_and_after(faces: NDArray[np.uint8], toy: Toy, seed: int) -> tuple[Look, Look]:
    """What the attention says before and after the network has learnt to tell the faces apart.

    Args:
        faces: uint8 RGB ``(N, 25, 25, 3)``, each a class.
        toy: Size of the experiment.
        seed: Of weights, views and batches.
    """
    with reproducible(seed):
        network = ViTBackbone(
            ViTShape(64, 2, heads=4, patch=5), size=25, dimension=_DIMENSION, drop_path=0.0, masked=0.0
        )
        untrained = _look(network, faces, toy, seed)
        _train(network, faces, toy, seed)
        return untrained, _look(network, faces, toy, seed)


def down_sampled(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Faces at ``side`` pixels, means of areas, and enlarged again, bilinear."""
    whole = pixels.shape[1]
    if side == whole:
        return pixels
    small = [cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA) for one in pixels]
    return np.asarray([cv2.resize(one, (whole, whole), interpolation=cv2.INTER_LINEAR) for one in small], np.uint8)


def _train(network: ViTBackbone, faces: NDArray[np.uint8], toy: Toy, seed: int) -> None:
    head = CosFaceLoss(_DIMENSION, len(faces), margin=0.1, scale=16.0)
    optimiser = torch.optim.Adam([*network.parameters(), *head.parameters()], lr=1e-3)
    rng = np.random.default_rng((seed, 1))
    network.train()
    for _ in range(toy.steps):
        rows = rng.integers(0, len(faces), toy.batch)
        optimiser.zero_grad(set_to_none=True)
        loss: Tensor = head(network(_input(network, fresh_views(faces[rows], rng))), torch.from_numpy(rows))
        loss.backward()
        optimiser.step()


def _look(network: ViTBackbone, faces: NDArray[np.uint8], toy: Toy, seed: int) -> Look:
    attending = TorchAttention(network)
    rng = np.random.default_rng((seed, 2))
    known = unit(attending.embed(faces)[0])
    who = np.repeat(np.arange(len(faces)), toy.views)
    vectors, scores, focus = [], [], []
    for side in RESOLUTIONS:
        views = down_sampled(fresh_views(faces[who], rng), side)
        embeddings, attention = attending.embed(views)
        vectors.append(unit(embeddings))
        scores.append(attention.mean(axis=1))
        focus.append(_focus(network, views))
    cosines = np.concatenate(vectors).astype(np.float64) @ known.T.astype(np.float64)
    score, person = np.concatenate(scores), np.tile(who, len(RESOLUTIONS))
    side_of = np.repeat(RESOLUTIONS, len(who))
    right = cosines.argmax(axis=1) == person
    own = np.arange(len(faces)) == person[:, None]
    threshold = threshold_at_fmr(cosines[~own], FMR)
    curve, other = (error_curve(cosines[own], sign * score, threshold) for sign in (1, -1))
    return Look(
        correlation=rank_correlation(score, side_of),
        ratio=over_all(curve.area(LIMIT), curve),
        negated=over_all(other.area(LIMIT), other),
        best=over_all(curve.at(0.9), curve),
        best_negated=over_all(other.at(0.9), other),
        ladder=blur_ladder(lambda pixels: attending.attention(pixels).mean(axis=1), faces).correlation,
        focus=rank_correlation(np.concatenate(focus), side_of),
        rank1={side: float(right[side_of == side].mean()) for side in RESOLUTIONS},
    )


def error_curve(mated: NDArray[np.float64], quality: NDArray[np.float32], threshold: float) -> DiscardCurve:
    """FNMR against the share of discarded views, of a fixed threshold."""
    return discard_curve(mated, np.ones(len(mated), bool), quality, threshold=threshold)


def over_all(error: float, curve: DiscardCurve) -> float:
    """An error rate over that of all views."""
    return error / curve.at(0.0) if curve.at(0.0) > 0 else float("nan")


@torch.no_grad()
def _focus(network: ViTBackbone, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The negative entropy of the attention of a query in the last block, mean over heads and queries."""
    tap = "blocks.-1.attn.weights"
    weights = network.features(_input(network, pixels), taps=(tap,))[tap]
    values: NDArray[np.float32] = (weights * weights.clamp_min(1e-12).log()).sum(-1).mean((1, 2)).numpy()
    return values


def fresh_views(faces: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Faces mirrored, shifted and of another brightness, uint8 RGB as they came."""
    return _pixels(augment(np.divide(faces[:, None, ..., 0], 255, dtype=np.float32), rng))


def _pixels(grey: NDArray[np.float32]) -> NDArray[np.uint8]:
    """uint8 RGB ``(N, H, W, 3)`` of grey ``(N, 1, H, W)`` in 0..1."""
    return np.repeat(np.rint(grey * 255).astype(np.uint8).transpose(0, 2, 3, 1), 3, axis=3)


def _input(network: ViTBackbone, pixels: NDArray[np.uint8]) -> Tensor:
    return network_input(torch.from_numpy(pixels), network.contract)


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
