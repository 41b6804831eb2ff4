"""UNPG: the negative pairs of the batch join the softmax of a margin head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from visavis import registry
from visavis.cards import SystemCard
from visavis.systems._miniature import FILES, Miniature, prepare
from visavis.systems.experiment import Experiment, Progress, Verdict
from visavis.systems.result import Check, Result

if TYPE_CHECKING:
    from visavis.systems._arms import Start

CARD = SystemCard(
    name="system/unpg",
    title="Unified Negative Pair Generation toward Well-discriminative Feature Space for Face Recognition",
    paper="Jung et al., BMVC 2022, https://arxiv.org/abs/2203.11593",
    implemented=("loss/unpg", "visavis.losses.unpg:whisker_filter", "backbone/iresnet34", "backbone/iresnet100"),
    paper_numbers={
        "IJB-B TAR % at FAR 1e-4, CosFace + UNPG": 94.99,
        "IJB-C TAR % at FAR 1e-4, CosFace + UNPG": 96.39,
        "IJB-B TAR % at FAR 1e-4, ArcFace + UNPG": 95.04,
        "IJB-C TAR % at FAR 1e-4, ArcFace + UNPG": 96.33,
        "IJB-B TAR % at FAR 1e-4, MagFace + UNPG": 95.21,
        "IJB-C TAR % at FAR 1e-4, MagFace + UNPG": 96.38,
        "MegaFace rank-1 %, CosFace + UNPG": 99.27,
        "LFW accuracy %, CosFace + UNPG": 99.81,
    },
    licence="Apache-2.0, code and weights",
    code="https://github.com/Jung-Jun-Uk/UNPG, Apache-2.0",
    deviations=(
        "The pairs are joined by logaddexp, not by a longer matrix of logits: the same value and gradient in less "
        "memory.",
        "A batch without a negative pair gives the loss of the plain head; the public code fails there.",
        "Pairs are those of one process. The public code runs in a single process too.",
        "Scale 16 in the miniature, for a few dozen people; the paper's 64 is the default of the loss.",
    ),
    corrections=(
        "The public training script unpacks two values from a loss that returns one, so it stops at the first step.",
        "The margin of CosFace in the public code is 0.5; the usual one, and that of our experiment, is 0.35.",
    ),
    loaders=("visavis.nn.checkpoints.load:load_released",),
    expects="The mechanism: the upper tail of the cosines of different people falls. With CosFace it does so however "
    "training starts. With ArcFace it does so from a random start, where ArcFace alone stays near collapse for some "
    "seeds; after some steps without a margin, as in the full budget and on the pilot seeds 100 to 104, it does not. "
    "Recognition of other people does not improve reliably with few people to train on, and no gain is claimed. The "
    "thresholds are those of the quick budget; the full one is reported against them.",
    experiment="visavis.systems.unpg:reproduce",
    files=FILES,
)

_HEADS = ("cosface", "arcface")
_ARMS = (*_HEADS, *(f"{head}+unpg" for head in _HEADS))


@dataclass(frozen=True, slots=True, eq=False)
class _Arm:
    """What one arm of one repetition gave.

    Attributes:
        similarities: Of the test pairs.
        neg_max_train: The largest cosine of two training pictures of different people.
        neg_q99_test: The 99 % quantile of the cosines of test pairs of different people.
    """

    similarities: NDArray[np.float64]
    neg_max_train: float
    neg_q99_test: float


def reproduce(data: Path, *, seed: int = 0, budget: str = "quick", progress: Progress | None = None) -> Result:
    """CosFace and ArcFace with UNPG and without: same start, same batches, mean of five seeds.

    Args:
        data: The data folder.
        seed: First seed.
        budget: ``quick``: ORL. ``full``: CelebA and CFP.
        progress: Called with the number of repetitions done and of all.
    """
    return EXPERIMENT.run(data, seed=seed, budget=budget, progress=progress)


def _repeat(miniature: Miniature, seed: int) -> Mapping[str, _Arm]:
    from visavis.systems._arms import Start

    start = Start.of(miniature, seed)
    return {name: _train(miniature, start, name) for name in _ARMS}


def _train(miniature: Miniature, start: Start, name: str) -> _Arm:
    from visavis.systems._arms import plain_step
    from visavis.systems._small_net import reproducible, unit_embeddings
    from visavis.systems._small_training import fit

    setting, faces = miniature.setting, miniature.faces
    base, _, extra = name.partition("+")
    head = registry.load(f"loss/{base}")(setting.dimension, faces.classes, scale=setting.scale)
    loss = head
    if extra:
        loss = registry.create("loss/unpg", dimension=setting.dimension, classes=faces.classes, head=lambda *_: head)
    with reproducible(start.seed):
        net = start.arm(miniature, head)
        fit([net, loss], plain_step(net, loss), faces, setting, steps=setting.steps, seed=(start.seed, 2))
        trained = unit_embeddings(net, faces.train)
        similarities = faces.similarities(unit_embeddings(net, faces.test))
    different = faces.labels[:, None] != faces.labels
    return _Arm(
        similarities,
        float((trained @ trained.T)[different].max()),
        float(np.nanquantile(similarities[~faces.same], 0.99)),
    )


def _judge(miniature: Miniature, repetitions: Sequence[Mapping[str, _Arm]]) -> Verdict:
    faces = miniature.faces
    runs = {name: [repetition[name].similarities for repetition in repetitions] for name in _ARMS}
    auc = {name: mean(faces.auc(run) for run in runs[name]) for name in _ARMS}
    tail = {name: mean(repetition[name].neg_max_train for repetition in repetitions) for name in _ARMS}
    high = {name: mean(repetition[name].neg_q99_test for repetition in repetitions) for name in _ARMS}
    checks = [Check(f"neg_max_train falls {head}", tail[head] - tail[f"{head}+unpg"], ">=", 0.05) for head in _HEADS]
    checks += [Check(f"neg_q99_test falls {head}", high[head] - high[f"{head}+unpg"], ">=", 0.03) for head in _HEADS]
    checks += [Check(f"auc change {head}", auc[f"{head}+unpg"] - auc[head], ">=", -0.05) for head in _HEADS]
    measures = {f"neg_max_train {name}": value for name, value in tail.items()}
    measures |= {f"neg_q99_test {name}": value for name, value in high.items()}
    measures |= {f"auc {name}": value for name, value in auc.items()}
    measures |= {f"tar_at_far_1e-2 {name}": mean(faces.tar(run, 0.01) for run in runs[name]) for name in _ARMS}
    least = min(_HEADS, key=lambda head: tail[head] - tail[f"{head}+unpg"])
    return Verdict(
        value=tail[f"{least}+unpg"],
        baseline=tail[least],
        threshold=tail[least] - 0.05,
        checks=tuple(checks),
        measures=measures,
        intervals={
            f"auc {head}+unpg - {head}": faces.auc_difference(runs[f"{head}+unpg"], runs[head]) for head in _HEADS
        },
    )


EXPERIMENT = Experiment(CARD.name, {"quick": 5, "full": 3}, prepare, _repeat, _judge)
