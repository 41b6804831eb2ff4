"""Recognizability embedding enhancement: a network that tells what can be recognised, and embeds that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from visavis._require import require
from visavis.cards import SystemCard
from visavis.protocols.ledger import RolesTouched
from visavis.systems.experiment import Experiment, Progress, Verdict
from visavis.systems.result import Check, Result

if TYPE_CHECKING:
    from visavis.systems._recognizability_faces import Faces, Found
    from visavis.systems._recognizability_toy import Look

FULL_FILES = (
    "celeba_ids/celeba_ids.tar",
    "celeba_ids/labels.csv",
    "lfw/lfw.tar",
    "lfw/pairs.txt",
    "cfp_dev/cfp_dev.tar",
    "cfp_dev/pairs_FF.csv",
)
_LOW = (8, 6, 5, 4)

CARD = SystemCard(
    name="system/recognizability",
    title="Recognizability Embedding Enhancement for Very Low-Resolution Face Recognition and Quality Estimation",
    paper="CVPR 2023, https://arxiv.org/abs/2304.10066",
    implemented=(
        "visavis.losses.recognizability:recognizability_index",
        "visavis.losses.recognizability:unrecognisable_centre",
        "loss/perceptibility",
        "loss/rejection",
        "visavis.losses.index_diversion:index_diversion",
        "visavis.nn.layers.perceptibility:PerceptibilityAttention",
        "visavis.nn.backbones.recognizable:RecognizableBackbone",
        "visavis.data.degradation.unrecognisable:make_unrecognisable",
        "visavis.training.recipes.recognizability:Recognizability",
        "visavis.training.recipes.recognizability_task:RecognizabilityTask",
        "quality/recognizability",
    ),
    paper_numbers={"rank-1 on TinyFace, %": 73.06},
    licence="no code and no weights were released",
    code="none",
    deviations=(
        "The weights of the terms, tau and the dropout are not known from the paper; by default 1, 1, 1, 3 and 0.4. "
        "The number for TinyFace is from a second source.",
        "The index diversion divides by the deviation of the unrecognisable, floored at 1e-3; the paper's form is not "
        "known.",
        "The recogniser's losses are means over the base and the attended embedding: the base keeps the prototypes "
        "true, the attended one is what is compared.",
        "The regression and the diversion teach the regressor alone by default (reach), and the regressor also learns "
        "that unrecognisable images have an index of 0, which is what the formula gives at the centre. The mean that "
        "the diversion compares with is that of the guesses of the step, with its gradient. With a constant mean, or "
        "with gradients that reach the network, the diversion raised the guesses of faces and of unrecognisable images "
        "alike, without end, and undid the embedding of visavis-vit-t in tens of steps.",
        "The linear layer behind the attention begins as the affine map from feature map to base embedding, which is "
        "read off by differentiation: training begins at the recogniser it starts from.",
        "Indexes are clipped at 10 in the experiments: a crop that is learnt by heart has one of up to 2000.",
        "Unrecognisable images are degraded faces, not clutter: 3 pixels across in the miniature, 3 to 6 in the other.",
        "The miniature is a network of two convolutions (16 and 32 channels) with its regressor without dropout, not "
        "the perceptron of the fact sheet. Its true index is of labelled views, as in the fact sheet; the guessed one "
        "is judged on faces that did not teach it.",
    ),
    corrections=(),
    loaders=("visavis.nn.checkpoints.recognizable:load_recognizable",),
    expects="That the true index follows how much of a face is left; that discards by it lower the errors far more "
    "than random ones, and by the distance to the unrecognisable, which needs no label, somewhat; and that the guess "
    "of the regressor, which needs no label either, follows the resolution of faces that did not teach it. That "
    "identification of very small faces gets better is not seen at this size: the difference in rank-1 to the same "
    "network, trained for as many steps without recognizability, is reported and not checked. With the full budget "
    "visavis-vit-t goes on with recognizability on celebrities, is exported, and its guess is checked as a quality "
    "measure on degraded pictures of test people: it does as well as sharpness and the norm there, not better, and the "
    "error rate of the network itself is not lowered.",
    experiment="visavis.systems.recognizability:reproduce",
    files=(("quick", ()), ("full", FULL_FILES)),
)


@dataclass(frozen=True, slots=True)
class _Material:
    """The small faces of the quick budget, or the pictures of the full one."""

    roles: tuple[RolesTouched, ...]
    small: Any = None
    faces: Faces | None = None


def reproduce(data: Path, *, seed: int = 0, budget: str = "quick", progress: Progress | None = None) -> Result:
    """Three networks trained anew (quick), or one that goes on and is exported (full).

    Args:
        data: The data folder; the quick budget needs none.
        seed: First seed.
        budget: ``quick``: a small network on 100 small faces. ``full``: visavis-vit-t on CelebA, then LFW and CFP.
        progress: Called with the number of repetitions done and of all.
    """
    return EXPERIMENT.run(data, seed=seed, budget=budget, progress=progress)


def _prepare(data: Path, budget: str) -> _Material:
    require("torch", extra="torch", why="training a miniature")
    if budget == "full":
        from visavis.systems._recognizability_faces import read_faces

        faces = read_faces(data)
        return _Material(faces.roles, faces=faces)
    from visavis.systems import _attention_toy

    small = _attention_toy.read_faces()
    return _Material((_attention_toy.roles_of(small),), small=small)


def _repeat(material: _Material, seed: int) -> Look | dict[str, Found]:
    if material.faces is not None:
        from visavis.systems._recognizability_faces import go_on

        return go_on(material.faces, seed)
    from visavis.systems import _recognizability_toy

    return _recognizability_toy.with_and_without(material.small, _recognizability_toy.QUICK, seed)


def _judge(material: _Material, repetitions: Sequence[Any]) -> Verdict:
    return _judge_faces(repetitions) if material.faces is not None else _judge_toy(repetitions)


def _judge_toy(looks: Sequence[Look]) -> Verdict:
    ratios = {name: mean(look.ratios[name] for look in looks) for name in looks[0].ratios}
    correlation = mean(look.correlation for look in looks)
    sides = sorted(looks[0].rank1, reverse=True)
    return Verdict(
        value=ratios["index"],
        baseline=ratios["random"],
        threshold=0.7,
        checks=(
            Check("rank_correlation index resolution", correlation, ">=", 0.7),
            Check("edc_ratio index", ratios["index"], "<=", 0.7),
            Check("edc_ratio distance", ratios["distance"], "<=", 0.93),
            Check("edc_ratio random", ratios["random"], ">=", 0.95),
            Check("edc_ratio of random, not above", ratios["random"], "<=", 1.05),
            Check("rank_correlation guessed resolution", mean(look.guessed for look in looks), ">=", 0.5),
        ),
        measures={
            "edc_ratio guessed": ratios["guessed"],
            "edc_ratio norm": ratios["norm"],
            "rank-1 with - without, 8 pixels and fewer": mean(look.gain(_LOW) for look in looks),
            **{f"index at {side} pixels": mean(look.medians[side] for look in looks) for side in sides},
            **{f"rank-1 at {side} pixels": mean(look.rank1[side] for look in looks) for side in sides},
            **{f"rank-1 without at {side} pixels": mean(look.plain[side] for look in looks) for side in sides},
        },
    )


def _judge_faces(repetitions: Sequence[dict[str, Found]]) -> Verdict:
    names = list(repetitions[0])

    def ratio(name: str, measure: str) -> float:
        return mean(found[name].part.ratio(measure) for found in repetitions)

    checks: list[Check] = []
    measures: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    for name in names:
        first = repetitions[0][name].part
        checks += [
            Check(f"edc_ratio recognizability {name}", ratio(name, "recognizability"), "<=", 0.93),
            Check(
                f"edc_ratio random - recognizability {name}",
                ratio(name, "random") - ratio(name, "recognizability"),
                ">=",
                0.05,
            ),
        ]
        measures |= {f"edc_ratio {measure} {name}": ratio(name, measure) for measure in first.qualities}
        measures[f"fnmr {name}"] = mean(found[name].part.fnmr() for found in repetitions)
        measures[f"fnmr of the network before {name}"] = mean(found[name].before for found in repetitions)
        others = [measure for measure in first.qualities if measure != "recognizability"]
        intervals |= {f"edc area recognizability - {other} {name}": first.against(other) for other in others}
    return Verdict(
        value=mean(ratio(name, "recognizability") for name in names),
        baseline=mean(ratio(name, "random") for name in names),
        threshold=0.93,
        checks=tuple(checks),
        measures=measures,
        intervals=intervals,
    )


EXPERIMENT = Experiment(CARD.name, {"quick": 3, "full": 1}, _prepare, _repeat, _judge)
