"""SymFace: the two halves of a frontal face should be one person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from visavis import registry
from visavis.cards import SystemCard
from visavis.systems._miniature import FILES, Miniature, prepare
from visavis.systems.experiment import Experiment, Progress, Verdict
from visavis.systems.result import Check, Result

if TYPE_CHECKING:
    from visavis.losses.symface import SplitMode
    from visavis.systems._arms import Start
    from visavis.systems._small_faces import SmallFaces
    from visavis.systems._small_net import SmallNet

CARD = SystemCard(
    name="system/symface",
    title="SymFace: Additional Facial Symmetry Loss for Deep Face Recognition",
    paper="Prakash et al., 2024, https://arxiv.org/abs/2409.11816",
    implemented=(
        "loss/symface",
        "visavis.losses.symface:frontality",
        "visavis.losses.symface:split_faces",
    ),
    paper_numbers={"comparisons won by ArcFace + SymFace with 128-d networks, %": 66.0},
    licence="no weights and no code were released",
    code="none",
    deviations=(
        "A reconstruction: the paper confirms the three points, the split, the groups and the sum of two losses. The "
        "form of the frontality, its threshold 0.8, the weight 1, the distance and how a half becomes a picture are "
        "guesses, each an option of `loss/symface` or of `split_faces`.",
        "Whole faces and halves go through the network in one forward, so that they share the statistics of batch "
        "normalisation. On ORL every face counts as frontal; with landmarks those below the threshold do not.",
        "The checks are on halves made whole by reflection, the default of `split_faces`. Halves stretched to the "
        "whole width come closer too, but on the pilot seeds 100 to 104 they told people apart no better, so they are "
        "measured and not checked.",
        "Scale 16 in the miniature, for a few dozen people.",
    ),
    corrections=("Single accuracies of the paper could not be checked against its text, so none is quoted.",),
    expects="The mechanism: the two halves of a face come closer without the embedding collapsing. On ORL a gain in "
    "accuracy is smaller than the spread between seeds, and is not claimed. With the full budget the halves are nearer "
    "to begin with and come closer by less than the threshold of the quick budget. There whole faces of other people "
    "are told apart better with reflected halves, and not with stretched ones: one network, three seeds, no more.",
    experiment="visavis.systems.symface:reproduce",
    files=FILES,
)

_MODES: tuple[SplitMode, ...] = ("mirror", "resize")
_CHECKED: SplitMode = "mirror"


@dataclass(frozen=True, slots=True, eq=False)
class _Halves:
    """What the halves of the test pictures gave, split in one mode.

    Attributes:
        similarities: Of the left half of the first picture of each pair and the right half of the second.
        cosine: Mean cosine of the two halves of one picture.
    """

    similarities: NDArray[np.float64]
    cosine: float


@dataclass(frozen=True, slots=True, eq=False)
class _Arm:
    """What one arm of one repetition gave.

    Attributes:
        similarities: Of the test pairs, whole faces.
        halves: By mode.
        frontal: Share of the training pictures that count as frontal.
    """

    similarities: NDArray[np.float64]
    halves: Mapping[SplitMode, _Halves]
    frontal: float


def reproduce(data: Path, *, seed: int = 0, budget: str = "quick", progress: Progress | None = None) -> Result:
    """CosFace with the symmetry loss and without: same start, same batches, mean of twenty seeds.

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
    return {"plain": _train(miniature, start, None)} | {mode: _train(miniature, start, mode) for mode in _MODES}


def _train(miniature: Miniature, start: Start, mode: SplitMode | None) -> _Arm:
    import torch

    from visavis.losses.symface import frontality
    from visavis.systems._arms import plain_step, symmetric_step
    from visavis.systems._small_net import reproducible, unit_embeddings
    from visavis.systems._small_training import fit

    setting, faces = miniature.setting, miniature.faces
    head = registry.load("loss/cosface")(setting.dimension, faces.classes, scale=setting.scale)
    symmetry = registry.create("loss/symface")
    rho = torch.ones(len(faces.train)) if faces.landmarks is None else frontality(torch.from_numpy(faces.landmarks))
    with reproducible(start.seed):
        net = start.arm(miniature, head)
        step = plain_step(net, head) if mode is None else symmetric_step(net, head, symmetry, rho, mode=mode)
        fit([net, head], step, faces, setting, steps=setting.steps, seed=(start.seed, 2))
        whole = faces.similarities(unit_embeddings(net, faces.test))
        halves = {split: _halves(net, faces, split) for split in _MODES}
    return _Arm(whole, halves, float((rho >= symmetry.threshold).double().mean()))


def _halves(net: SmallNet, faces: SmallFaces, mode: SplitMode) -> _Halves:
    import torch

    from visavis.losses.symface import split_faces
    from visavis.systems._small_net import unit_embeddings

    pictures = split_faces(torch.from_numpy(faces.test), mode=mode)
    left, right = (unit_embeddings(net, half.numpy()) for half in pictures)
    cosine = np.einsum("md,md->m", left, right)
    return _Halves(
        faces.similarities(left, right), float(np.mean(cosine if faces.failed is None else cosine[~faces.failed]))
    )


def _judge(miniature: Miniature, repetitions: Sequence[Mapping[str, _Arm]]) -> Verdict:
    faces = miniature.faces
    whole = {arm: [repetition[arm].similarities for repetition in repetitions] for arm in ("plain", *_MODES)}
    full_auc = {arm: mean(faces.auc(run) for run in runs) for arm, runs in whole.items()}
    measures = {f"full_auc {arm}": value for arm, value in full_auc.items()}
    measures["share_of_frontal_faces"] = mean(repetition["plain"].frontal for repetition in repetitions)
    intervals = {f"full_auc {mode} - plain": faces.auc_difference(whole[mode], whole["plain"]) for mode in _MODES}
    changes = {}
    for mode in _MODES:
        arms = {arm: [repetition[arm].halves[mode] for repetition in repetitions] for arm in ("plain", mode)}
        cosine = {arm: mean(half.cosine for half in arms[arm]) for arm in arms}
        runs = {arm: [half.similarities for half in arms[arm]] for arm in arms}
        auc = {arm: mean(faces.auc(run) for run in runs[arm]) for arm in arms}
        changes[mode] = (cosine[mode], cosine["plain"], auc[mode] - auc["plain"])
        for word, arm in (("without", "plain"), ("with", mode)):
            measures |= {f"half_cos {mode} {word}": cosine[arm], f"half_auc {mode} {word}": auc[arm]}
        intervals[f"half_auc {mode} with - without"] = faces.auc_difference(runs[mode], runs["plain"])
    value, baseline, change = changes[_CHECKED]
    rises = [r[_CHECKED].halves[_CHECKED].cosine - r["plain"].halves[_CHECKED].cosine for r in repetitions]
    measures["half_cos rise, deviation over seeds"] = stdev(rises)
    return Verdict(
        value=value,
        baseline=baseline,
        threshold=baseline + 0.10,
        checks=(
            Check("half_cos rises", value - baseline, ">=", 0.10),
            Check("half_auc change", change, ">=", -0.02),
            Check("full_auc away", abs(full_auc[_CHECKED] - full_auc["plain"]), "<=", 0.04),
        ),
        measures=measures,
        intervals=intervals,
    )


EXPERIMENT = Experiment(CARD.name, {"quick": 20, "full": 3}, prepare, _repeat, _judge)
