"""A small network on 100 small faces: does recognizability follow how much of a face is left, and help?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from visavis.cards import InputContract
from visavis.losses.cosface import CosFaceLoss
from visavis.metrics.rank_correlation import rank_correlation
from visavis.metrics.verification import threshold_at_fmr
from visavis.nn.backbones.backbone import EMBEDDING, Backbone, Keep
from visavis.nn.backbones.recognizable import BASE, INDEX, RecognizableBackbone
from visavis.nn.evaluation import in_evaluation
from visavis.nn.pixels import network_input
from visavis.systems._attention_toy import (
    FMR,
    LIMIT,
    RESOLUTIONS,
    down_sampled,
    error_curve,
    fresh_views,
    over_all,
    unit,
)
from visavis.systems._small_net import SmallNet, reproducible
from visavis.training.recipes.recognizability import TAPS, Recognizability

_SIDE, _DIMENSION, _NOTHING = 25, 64, 3
_TRAINED = (25, 16, 12, 8)
CONTRACT = InputContract("grey", mean=127.5, scale=1 / 127.5, size=(_SIDE, _SIDE))
HOW = Recognizability(limit=10.0, dropout=0.0)


@dataclass(frozen=True, slots=True)
class Toy:
    """Size of the experiment.

    Attributes:
        steps: Steps of training before.
        more: Steps with recognizability, or as many without.
        batch: Views a step.
        views: Fresh views of each face at each resolution.
        known: Faces whose views teach recognizability; the others do not.
    """

    steps: int
    more: int
    batch: int
    views: int
    known: int


QUICK = Toy(steps=900, more=600, batch=64, views=5, known=80)


@dataclass(frozen=True, slots=True)
class Look:
    """What one network, with recognizability, says of the fresh views; and the same network trained without.

    Attributes:
        correlation: Spearman's correlation of the true index and resolution.
        guessed: The same of the guessed index, of faces that did not teach it.
        ratios: By measure, mean FNMR over discards up to 0.3, over the FNMR with all views; the threshold is fixed.
        medians: By resolution, the median of the true index.
        rank1: By resolution, share of the views whose nearest face is their own.
        plain: The same of the network trained without.
    """

    correlation: float
    guessed: float
    ratios: dict[str, float]
    medians: dict[int, float]
    rank1: dict[int, float]
    plain: dict[int, float]

    def gain(self, sides: tuple[int, ...]) -> float:
        """Mean rank-1 with recognizability less that without, at some resolutions."""
        return float(np.mean([self.rank1[side] - self.plain[side] for side in sides]))


class SmallBackbone(Backbone):
    """`SmallNet` as a backbone of the package: two convolutions and one linear layer, with the last map as a tap."""

    def __init__(self) -> None:
        super().__init__()
        self.contract = CONTRACT
        self.dimension = _DIMENSION
        self.taps = {"map": (32, 7, 7), EMBEDDING: (_DIMENSION,)}
        self.net = SmallNet((_SIDE, _SIDE), widths=(16, 32), dimension=_DIMENSION)

    def embed(self, x: Tensor, keep: Keep) -> Tensor:
        """See `Backbone.embed`."""
        features = self.net.features(x)
        keep("map", features)
        result: Tensor = self.net.output(features.flatten(1))
        return result

    def blocks(self) -> list[nn.Module]:
        """Every convolution with what follows it."""
        layers = list(self.net.features)
        return [nn.Sequential(*layers[start : start + 3]) for start in range(0, len(layers), 3)]


def with_and_without(faces: NDArray[np.uint8], toy: Toy, seed: int) -> Look:
    """Train a network, go on with recognizability and without, on the same views, and look at both.

    Args:
        faces: uint8 RGB ``(N, 25, 25, 3)``, each a class.
        toy: Size of the experiment.
        seed: Of weights, views and batches.
    """
    with reproducible(seed):
        base, head = SmallBackbone(), CosFaceLoss(_DIMENSION, len(faces), margin=0.1, scale=16.0)

        def plain(pixels: Tensor, labels: Tensor, _: int) -> Tensor:
            loss: Tensor = head(base(pixels), labels)
            return loss

        _train([base, head], plain, faces, toy.steps, toy.batch, seed=(seed, 1))
        before = {name: value.clone() for name, value in (*base.state_dict().items(), *_named(head))}
        _train([base, head], plain, faces, toy.more, toy.batch, seed=(seed, 2))
        without = _rank1(base, faces, toy, seed)
        base.load_state_dict({name: value for name, value in before.items() if not name.startswith("head.")})
        head.load_state_dict({name.removeprefix("head."): before[name] for name, _ in _named(head)})
        network = _enhanced(base, head, faces, toy, seed)
        return _look(network, head, faces, toy, seed, without)


def _named(head: nn.Module) -> list[tuple[str, Tensor]]:
    return [(f"head.{name}", value) for name, value in head.state_dict().items()]


def _enhanced(
    base: SmallBackbone, head: CosFaceLoss, faces: NDArray[np.uint8], toy: Toy, seed: int
) -> RecognizableBackbone:
    network = HOW.network(base)
    clean, nothing = _input(faces), _input(down_sampled(faces, _NOTHING))
    network.begin_at_base(clean[:8])

    def step(pixels: Tensor, labels: Tensor, number: int) -> Tensor:
        if number % 100 == 0:
            network.see(nothing, clean)
        found = network.features(pixels, taps=TAPS)
        loss: Tensor = head(torch.cat([found[EMBEDDING], found[BASE]]), labels.repeat(2))
        taught = labels < toy.known
        some = network.index_alone(nothing[torch.randint(toy.known, (toy.batch // 8,))])
        rows = {name: value[taught] for name, value in found.items()}
        terms = HOW.losses(rows, labels[taught], nothing=some, head=head, ui=network.ui)
        return loss + sum(terms.values(), loss.new_zeros(()))

    _train([network, head], step, faces, toy.more, toy.batch, seed=(seed, 2))
    network.see(nothing, clean)
    return network


def _train(
    modules: list[nn.Module],
    step: Callable[[Tensor, Tensor, int], Tensor],
    faces: NDArray[np.uint8],
    steps: int,
    batch: int,
    *,
    seed: tuple[int, ...],
) -> None:
    optimiser = torch.optim.Adam([p for module in modules for p in module.parameters()], lr=2e-3)
    rng = np.random.default_rng(seed)
    for module in modules:
        module.train()
    for number in range(steps):
        rows = rng.integers(0, len(faces), batch)
        views = fresh_views(faces[rows], rng)
        parts = np.array_split(np.arange(batch), len(_TRAINED))
        pixels = np.concatenate([down_sampled(views[part], side) for part, side in zip(parts, _TRAINED, strict=True)])
        optimiser.zero_grad(set_to_none=True)
        step(_input(pixels), torch.from_numpy(rows), number).backward()
        optimiser.step()


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Fresh views of all faces at all resolutions, through one network."""

    base: NDArray[np.float32]
    raw: NDArray[np.float32]
    index: NDArray[np.float32]
    cosines: NDArray[np.float64]
    person: NDArray[np.int64]
    side: NDArray[np.int64]

    def rank1(self) -> dict[int, float]:
        right = self.cosines.argmax(axis=1) == self.person
        return {side: float(right[self.side == side].mean()) for side in RESOLUTIONS}


def _rank1(network: SmallBackbone, faces: NDArray[np.uint8], toy: Toy, seed: int) -> dict[int, float]:
    return _seen(network, faces, toy, seed).rank1()


@torch.no_grad()
def _seen(network: Backbone, faces: NDArray[np.uint8], toy: Toy, seed: int) -> _Seen:
    rng = np.random.default_rng((seed, 3))
    who = np.repeat(np.arange(len(faces)), toy.views)
    views = np.concatenate([down_sampled(fresh_views(faces[who], rng), side) for side in RESOLUTIONS])
    taps = TAPS if isinstance(network, RecognizableBackbone) else ()
    with in_evaluation(network):
        known = network(_input(faces)).numpy()
        found = {name: value.numpy() for name, value in network.features(_input(views), taps=taps).items()}
    raw = found[EMBEDDING]
    return _Seen(
        base=found.get(BASE, raw),
        raw=raw,
        index=found.get(INDEX, raw[:, 0]),
        cosines=unit(raw).astype(np.float64) @ unit(known).T.astype(np.float64),
        person=np.tile(who, len(RESOLUTIONS)),
        side=np.repeat(RESOLUTIONS, len(who)),
    )


def _look(
    network: RecognizableBackbone,
    head: CosFaceLoss,
    faces: NDArray[np.uint8],
    toy: Toy,
    seed: int,
    plain: dict[int, float],
) -> Look:
    seen = _seen(network, faces, toy, seed)
    base = torch.from_numpy(seen.base)
    index = HOW.index(base, torch.from_numpy(seen.person), head=head, ui=network.ui).numpy()
    away = 1 - unit(seen.base) @ network.ui.center.numpy()
    own = np.arange(len(faces)) == seen.person[:, None]
    threshold = threshold_at_fmr(seen.cosines[~own], FMR)
    rng = np.random.default_rng((seed, 4))
    measures = {
        "index": index,
        "guessed": seen.index,
        "distance": away,
        "norm": np.linalg.norm(seen.base, axis=1),
        "random": rng.random(len(index)).astype(np.float32),
    }
    curves = {name: error_curve(seen.cosines[own], value, threshold) for name, value in measures.items()}
    strangers = seen.person >= toy.known
    return Look(
        correlation=rank_correlation(index, seen.side),
        guessed=rank_correlation(seen.index[strangers], seen.side[strangers]),
        ratios={name: over_all(curve.area(LIMIT), curve) for name, curve in curves.items()},
        medians={side: float(np.median(index[seen.side == side])) for side in RESOLUTIONS},
        rank1=seen.rank1(),
        plain=plain,
    )


def _input(pixels: NDArray[np.uint8]) -> Tensor:
    return network_input(torch.from_numpy(pixels), CONTRACT)
