"""How a run changes the network it begins with: all of it, or small adapters beside frozen layers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from torch import nn

from visavis.errors import UsageError
from visavis.nn.adapters.adapted import AdaptedBackbone, adapt
from visavis.nn.adapters.quality_weight import FixedWeight, QualityWeight
from visavis.nn.adapters.wrap_linear import TARGETS, Beginning
from visavis.nn.backbones.backbone import Backbone
from visavis.quality.sharpness_torch import sharpness_score
from visavis.training.recipes.crop_score import crop_score

Method = Literal["full", "lora", "dual_lora"]
SHARPNESS = "sharpness"


@dataclass(frozen=True, slots=True)
class Weighing:
    """How the two adapters of a layer are mixed: ``alpha = 0.5 + (score - threshold) / 100``.

    Attributes:
        measure: A measure of ``visavis assess`` that an aligned crop has by itself. ``sharpness`` is the estimate of
            resolution: of crops that were 8, 32 and 112 pixels wide it is about 2, 35 and 100; it goes into the
            exported graph. It is made for networks of 112 pixels or so: at 32 everything is sharp.
        threshold: The score, 0..100, at which both adapters have half. At 50 alpha is the score over 100.
        clamp: Keep alpha in 0..1. PETALface does not.
        fixed: One alpha for all pictures in place of a measure.
        normalised: Measure the input of the network in place of the picture, as PETALface's code does.
    """

    measure: str = SHARPNESS
    threshold: float = 50.0
    clamp: bool = True
    fixed: float | None = None
    normalised: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 100:
            raise UsageError(f"the threshold of a quality is a score of 0..100; got {self.threshold}")
        if self.fixed is not None and not math.isfinite(self.fixed):
            raise UsageError(f"a fixed alpha is finite; got {self.fixed}")
        if self.fixed is not None and self.clamp and not 0 <= self.fixed <= 1:
            raise UsageError(f"a fixed alpha lies in 0..1 unless clamp is false; got {self.fixed}")
        if self.normalised and self.measure != SHARPNESS:
            raise UsageError(f"normalised goes with the measure {SHARPNESS}; the others look at pictures")

    def build(self, backbone: Backbone) -> nn.Module:
        """From the input of a backbone to alpha."""
        if self.fixed is not None:
            return FixedWeight(self.fixed)
        inside = self.measure in (SHARPNESS, f"quality/{SHARPNESS}")
        return QualityWeight(
            sharpness_score if inside else crop_score(self.measure),
            backbone.contract,
            threshold=self.threshold / 100,
            clamp=self.clamp,
            normalised=self.normalised,
            exportable=inside,
        )


@dataclass(frozen=True, slots=True)
class Adaptation:
    """What of the network is trained.

    Attributes:
        method: ``full``: all of it, as without this section. ``lora``: one adapter a layer. ``dual_lora``: two adapters
            in the layers of the blocks, mixed by the quality of each picture (PETALface).
        rank: Of each adapter; PETALface 8 and 32.
        scale: Factor of what adapters add.
        dropout: Of what adapters add, in training.
        targets: Last names of linear layers within the blocks, and ``features``: those behind the last block.
        quality: How two adapters are mixed.
        frozen: ``rests``: frozen layers are in evaluation mode. ``official``: their batch statistics, dropout, drop
            path and masked tokens run on, as in PETALface's code.
        begin: ``same``: the network begins as it was. ``official``: see `visavis.nn.adapters.wrap_linear.Beginning`.
    """

    method: Method = "dual_lora"
    rank: int = 8
    scale: float = 1.0
    dropout: float = 0.1
    targets: tuple[str, ...] = TARGETS
    quality: Weighing = field(default_factory=Weighing)
    frozen: Literal["rests", "official"] = "rests"
    begin: Beginning = "same"

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise UsageError(f"a network is adapted by {', '.join(get_args(Method))}; got {self.method!r}")
        if self.frozen not in ("rests", "official"):
            raise UsageError(f"frozen layers rest or run as official; got {self.frozen!r}")
        if self.begin not in get_args(Beginning):
            raise UsageError(f"adapters begin as one of {', '.join(get_args(Beginning))}; got {self.begin!r}")
        if self.rank < 1 or not 0 <= self.dropout < 1 or not math.isfinite(self.scale):
            raise UsageError(
                f"rank is 1 or more, dropout in [0, 1) and scale finite; got {self.rank}, {self.dropout}, {self.scale}"
            )
        if not self.targets:
            raise UsageError("targets names one layer at least, such as qkv; leave it out for the default ones")
        if self.method != "dual_lora" and self.quality != Weighing():
            raise UsageError(f"quality mixes two adapters, with method dual_lora; leave it out with {self.method}")

    def apply(self, backbone: Backbone) -> Backbone:
        """The backbone as it is trained, changed in place.

        Raises:
            UsageError: The backbone has no such layers, or the rank is out of range.
        """
        if self.method == "full":
            return backbone
        return adapt(
            backbone,
            dual=self.method == "dual_lora",
            rank=self.rank,
            scale=self.scale,
            dropout=self.dropout,
            targets=self.targets,
            weight=self.quality.build(backbone),
            rests=self.frozen == "rests",
            begin=self.begin,
        )


def trained_weights(backbone: Backbone) -> dict[str, Any]:
    """How many weights of a network are trained, for the record of a run.

    Returns:
        ``trained``; ``frozen``, those that rest; ``share``, the trained ones over all of the network before adapters.
    """
    trained = sum(weight.numel() for weight in backbone.parameters() if weight.requires_grad)
    frozen = sum(weight.numel() for weight in backbone.parameters()) - trained
    whole = frozen if isinstance(backbone, AdaptedBackbone) else trained + frozen
    return {"trained": trained, "frozen": frozen, "share": trained / whole}
