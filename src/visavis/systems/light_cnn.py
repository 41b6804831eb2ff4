"""Light CNN: max-feature-map networks, and labels that a trained network corrects before the next training."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from visavis.cards import SystemCard
from visavis.data.folds import spread_folds
from visavis.metrics.intervals import Statistic, paired_difference
from visavis.systems._miniature import ARCHIVE, CELEBRITY_FILES
from visavis.systems._noisy_labels import NoisyFaces, Part, prepare
from visavis.systems.experiment import Experiment, Progress, Verdict
from visavis.systems.result import Check, Result

if TYPE_CHECKING:
    from torch import Tensor

    from visavis.systems._max_feature_net import SmallClassifier

CARD = SystemCard(
    name="system/light-cnn",
    title="A Light CNN for Deep Face Representation with Noisy Labels",
    paper="Wu et al., IEEE TIFS 2018, https://arxiv.org/abs/1511.02683",
    implemented=(
        "backbone/light-cnn-4",
        "backbone/light-cnn-9",
        "backbone/light-cnn-29",
        "backbone/light-cnn-29v2",
        "backbone/light-cnn-v4",
        "visavis.nn.layers.max_feature_map:max_feature_map",
        "visavis.nn.layers.max_feature_map:max_and_median_map",
        "visavis.losses.relabel:relabel",
        "visavis.training.recipes.relabelling:clean_labels",
        "loss/bootstrap",
        "aligner/eye-mouth",
        "recipe/light-cnn-29",
    ),
    paper_numbers={
        "LFW 100 % - EER, Light CNN-9": 98.70,
        "LFW 100 % - EER, Light CNN-29": 99.40,
        "LFW 100 % - EER, Light CNN-29v2": 99.43,
        "LFW 100 % - EER, Light CNN-v4": 99.67,
        "LFW TPR % at FAR 0.1 %, Light CNN-9": 95.13,
        "LFW TPR % at FAR 0.1 %, Light CNN-29": 98.67,
        "LFW TPR % at FAR 0.1 %, Light CNN-29v2": 99.30,
        "LFW TPR % at FAR 0.1 %, Light CNN-v4": 99.57,
        "MegaFace rank-1 %, Light CNN-29": 72.70,
        "MegaFace rank-1 %, Light CNN-29v2": 76.02,
    },
    licence="MIT, torch code and weights; the Caffe models for non-commercial use",
    code="https://github.com/AlfredXiangWu/LightCNN, MIT",
    deviations=(
        "Where two feature maps are equal, torch halves the gradient between them; the paper gives it to the first.",
        "The paper trains on a clean set first and fine-tunes on the noisy one. Here there is no clean set: the first "
        "network is trained on the noisy labels, for so few steps that it has not learnt them by heart.",
        "The threshold 0.7 that the relabelling takes by default is a recollection. In the miniature it is 0.3, for 40 "
        "people and a short training, and 0.5 beside it.",
        "The miniature makes one round; `visavis relabel` makes the paper's two, and lets no network judge the crops "
        "that it was trained on.",
    ),
    corrections=(
        "The released alignment scales by the height of the mouth below the eyes after the eyes were levelled, not by "
        "the distance of the two middles: for a face that is turned aside these differ.",
        "The residual blocks of the first public file build their second convolution for the input channels, which "
        "works because input and output have as many.",
        "The released files end in .pth.tar and are no archives.",
    ),
    loaders=("visavis.nn.checkpoints.load:load_released",),
    expects="Relabelling: of the labels that are left after a network has judged them, more are right than before, "
    "most pictures stay, and a network trained on them is no worse. A higher threshold leaves fewer and better labels. "
    "Targets between label and belief (`loss/bootstrap`), networks that judge only pictures they were not trained on, "
    "and ReLU in place of max-feature-map are measured and not checked; halves of eight pictures a person are too few "
    "to judge the other half by. The thresholds are those of the quick budget. With the full one, 130 people with some "
    "sixteen pictures each, taken anywhere, the network does not know people well before it learns wrong labels by "
    "heart: on the pilot seed 100 fewer pictures stayed and labels gained less. Either tests on other pictures of the "
    "people that it trained on, which is no figure of recognition.",
    experiment="visavis.systems.light_cnn:reproduce",
    files=(("quick", (ARCHIVE,)), ("full", CELEBRITY_FILES)),
)

_TRUST = {"hard": 0.8, "soft": 0.95}
_OTHERS = {"hard": "hard targets", "soft": "soft targets", "relu": "ReLU"}
"""Networks trained otherwise on the noisy labels, and what they are called in results."""
_DIFFERENCES = {
    "hard": "test_acc_noisy hard targets - plain",
    "soft": "test_acc_noisy soft targets - plain",
    "relu": "test_acc_noisy max-feature-map - ReLU",
}
_Counts = Mapping[str, NDArray[np.float64]]
"""Number of pictures of each person, float64 ``(C,)``, by what is counted."""


def reproduce(data: Path, *, seed: int = 0, budget: str = "quick", progress: Progress | None = None) -> Result:
    """Networks trained on noisy labels, on the labels they corrected, and on targets in between; several seeds.

    Args:
        data: The data folder.
        seed: First seed.
        budget: ``quick``: ORL. ``full``: CelebA, people of role ``train``.
        progress: Called with the number of repetitions done and of all.
    """
    return EXPERIMENT.run(data, seed=seed, budget=budget, progress=progress)


def _repeat(faces: NoisyFaces, seed: int) -> _Counts:
    from visavis.losses.bootstrap import bootstrap_loss
    from visavis.systems._max_feature_net import believed, train_classifier
    from visavis.systems._small_net import reproducible

    setting, (train, test) = faces.setting, faces.parts(seed)
    fit = partial(train_classifier, setting, train, classes=faces.classes)
    begin, again = (seed, 1), (seed, 2)

    def right(net: SmallClassifier) -> NDArray[np.float64]:
        return _count(faces, test, believed(net, test.pixels).argmax(1).numpy() == test.people)

    counts = {
        "trained": _count(faces, train, np.ones(len(train.people), bool)),
        "tested": _count(faces, test, np.ones(len(test.people), bool)),
        "given right": _count(faces, train, train.labels == train.people),
    }
    with reproducible(seed):
        noisy = fit(train.labels, seed=begin)
        beliefs = believed(noisy, train.pixels)
        for name, threshold in (("low", setting.threshold), ("high", setting.higher)):
            labels = _corrected(beliefs, train, threshold)
            counts |= _judged(faces, train, labels, name)
        boot = fit(_corrected(beliefs, train, setting.threshold), seed=again)
        counts |= _judged(faces, train, _corrected(_crossed(faces, train, seed), train, setting.threshold), "crossed")
        counts |= {"noisy": right(noisy), "boot": right(boot)}
        if setting.others:
            counts["relu"] = right(fit(train.labels, seed=begin, max_feature=False))
            for mode, trust in _TRUST.items():
                loss = partial(bootstrap_loss, trust=trust, mode=mode)  # type: ignore[arg-type]
                counts[mode] = right(fit(train.labels, seed=begin, loss=loss))
    return counts


def _crossed(faces: NoisyFaces, train: Part, seed: int) -> Tensor:
    """What two networks believe, each of the half of the pictures that the other one was trained on."""
    import torch

    from visavis.systems._max_feature_net import believed, train_classifier

    side = spread_folds(train.labels, folds=2, seed=seed)
    found = torch.empty(len(train.labels), faces.classes)
    for number in range(2):
        labels = np.where(side == number, -1, train.labels)
        net = train_classifier(faces.setting, train, labels, classes=faces.classes, seed=(seed, 4 + number))
        found[torch.from_numpy(side == number)] = believed(net, train.pixels[side == number])
    return found


def _corrected(beliefs: Tensor, train: Part, threshold: float) -> NDArray[np.int64]:
    """The labels after relabelling, -1 for those dropped."""
    import torch

    from visavis.losses.relabel import relabel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # how many are left is a figure of the experiment
        labels: NDArray[np.int64] = relabel(beliefs, torch.from_numpy(train.labels), threshold=threshold).labels.numpy()
    return labels


def _judged(faces: NoisyFaces, train: Part, labels: NDArray[np.int64], name: str) -> _Counts:
    return {
        f"{name} left": _count(faces, train, labels >= 0),
        f"{name} right": _count(faces, train, labels == train.people),
        f"{name} given right": _count(faces, train, (labels == train.people) & (train.labels == train.people)),
    }


def _count(faces: NoisyFaces, part: Part, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Number of chosen pictures of each person."""
    return np.bincount(part.people[chosen], minlength=faces.classes).astype(np.float64)


def _judge(faces: NoisyFaces, repetitions: Sequence[_Counts]) -> Verdict:
    total = {name: np.sum([repetition[name] for repetition in repetitions], axis=0) for name in repetitions[0]}

    def share(name: str, of: str) -> Statistic:
        """Of all repetitions together, weighted by person."""

        def ratio(weights: NDArray[np.float64]) -> float:
            whole = float(weights @ total[of])
            return float(weights @ total[name]) / whole if whole else float("nan")

        return ratio

    def difference(one: Statistic, other: Statistic) -> tuple[float, float]:
        people = np.arange(faces.classes)
        found = paired_difference(people, people, one, other, resamples=400, rng=np.random.default_rng(0))
        return found.low, found.high

    before, after = share("given right", "trained"), share("low right", "low left")
    higher = share("high right", "high left")
    noisy, boot = share("noisy", "tested"), share("boot", "tested")
    others = {name: share(name, "tested") for name in _OTHERS if name in total}
    everybody = np.ones(faces.classes)
    low, high = f"tau {faces.setting.threshold:g}", f"tau {faces.setting.higher:g}"
    figures = {
        "label_acc_before": before,
        f"label_acc_after {low}": after,
        f"label_acc_after {high}": higher,
        f"label_acc_after crossed, {low}": share("crossed right", "crossed left"),
        f"kept {low}": share("low left", "trained"),
        f"kept {high}": share("high left", "trained"),
        f"kept crossed, {low}": share("crossed left", "trained"),
        f"right labels that stay {low}": share("low given right", "given right"),
        "test_acc_noisy": noisy,
        "test_acc_boot": boot,
        **{f"test_acc_noisy {_OTHERS[name]}": statistic for name, statistic in others.items()},
    }
    measures = {name: statistic(everybody) for name, statistic in figures.items()}
    gain = measures["test_acc_boot"] - measures["test_acc_noisy"]
    rise = measures[f"label_acc_after {high}"] - measures[f"label_acc_after {low}"]
    value, baseline = measures[f"label_acc_after {low}"], measures["label_acc_before"]
    return Verdict(
        value=value,
        baseline=baseline,
        threshold=baseline + 0.12,
        checks=(
            Check("label_acc_after - label_acc_before", value - baseline, ">=", 0.12),
            Check("kept", measures[f"kept {low}"], ">=", 0.85),
            Check("test_acc_boot - test_acc_noisy", gain, ">=", -0.02),
            Check("label_acc_after rises with tau", rise, ">=", 0.0),
        ),
        measures=measures,
        intervals={
            "label_acc_after - label_acc_before": difference(after, before),
            f"label_acc_after {high} - {low}": difference(higher, after),
            "test_acc_boot - test_acc_noisy": difference(boot, noisy),
            **{_DIFFERENCES[name]: difference(*_ordered(name, statistic, noisy)) for name, statistic in others.items()},
        },
    )


def _ordered(name: str, other: Statistic, plain: Statistic) -> tuple[Statistic, Statistic]:
    """The two sides of a difference of `_DIFFERENCES`."""
    return (plain, other) if name == "relu" else (other, plain)


EXPERIMENT = Experiment(CARD.name, {"quick": 3, "full": 2}, prepare, _repeat, _judge)
