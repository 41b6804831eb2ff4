"""Where a run begins: with an earlier one, with a model of this package, or with a larger network cut to size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from visavis.data.pack import Pack
from visavis.errors import UsageError
from visavis.nn.backbones.backbone import Backbone
from visavis.nn.backbones.mobilenet import MobileNetBackbone
from visavis.training.recipes.drawn_crops import drawn_crops
from visavis.training.recipes.slimming import Slimmed, slim
from visavis.training.recipes.trained import Trained, read_run


@dataclass(frozen=True, slots=True)
class Start:
    """The weights of an earlier run, or of a model of this package, of the same backbone; or the default one's, cut.

    Attributes:
        run: Folder of that run; its best weights are taken.
        model: A vision transformer that comes with this package, ``visavis-vit-t``, in place of a run; see
            `visavis.training.recipes.start_model.begin_model`.
        slim: Number of crops by which SFace is cut to the widths of a ``backbone/mobilenet-slim`` in place of a run;
            see `visavis.training.recipes.slimming.slim`. 0 for none.
        anew: Parts of the backbone that begin with random weights all the same, by the names of its modules: ``fc``.
        only: Parts that are trained; the others rest, their batch statistics included. All when empty.
    """

    run: str = ""
    anew: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    slim: int = 0
    model: str = ""

    def __post_init__(self) -> None:
        if sum(map(bool, (self.run, self.slim, self.model))) != 1 or self.slim < 0:
            raise UsageError(
                f"a start takes the weights of a run or of a model, or slims by some crops, one of them; got {self}"
            )
        if not self.run and (self.anew or self.only):
            raise UsageError("anew and only go with a run")


def begin_slim(
    backbone: Backbone, packs: Sequence[Pack], *, count: int, seed: int, rows: NDArray[np.int64] | None = None
) -> Slimmed:
    """Give a new backbone the weights of SFace cut to its widths, in place.

    Args:
        backbone: A `MobileNetBackbone`, in training mode.
        packs: Where the crops come from.
        count: Number of crops at most.
        seed: Of the run.
        rows: The rows to draw from, over all packs one after the other; all when None.

    Raises:
        UsageError: Another backbone or crops of another size.
        ModelError: SFace is missing.
    """
    from visavis.recognition.sface_torch import TorchSFaceEmbedder

    if not isinstance(backbone, MobileNetBackbone):
        raise UsageError(f"SFace is cut to the widths of a MobileNetBackbone; got a {type(backbone).__name__}")
    pixels = drawn_crops(packs, count=count, seed=seed, rows=rows)
    slimmed = slim(backbone, TorchSFaceEmbedder().network, pixels, seed=seed)
    backbone.train()
    return slimmed


def begin(backbone: Backbone, start: Start) -> Trained:
    """Give a new backbone the weights of a run, in place; see `rest` for what is trained.

    Args:
        backbone: With random weights, in training mode.
        start: What to take.

    Returns:
        The earlier run.

    Raises:
        ModelError: There is no run that can be read.
        UsageError: It is of another backbone, or a part has no such name.
    """
    earlier = read_run(start.run)
    learnt = [part for part in ("adaptation", "recognizability") if earlier.record["recipe"].get(part) is not None]
    if learnt:
        raise UsageError(
            f"the run {start.run} was trained with {learnt[0]}, so its network has parts that a plain backbone lacks; "
            "begin with the run or model that it began with"
        )
    own = backbone.state_dict()
    theirs = earlier.backbone.state_dict()
    differing = [name for name in own if name not in theirs or own[name].shape != theirs[name].shape]
    if differing or len(own) != len(theirs):
        raise UsageError(
            f"the run {start.run} holds another backbone ({differing[0] if differing else 'more weights'} differs); "
            "begin with a run of the same backbone and options"
        )
    kept = {name: value for name, value in theirs.items() if not _within(name, start.anew)}
    _require_parts(backbone, start.anew)
    backbone.load_state_dict({**own, **kept})
    return earlier


def rest(backbone: Backbone, start: Start) -> None:
    """Let the parts rest that a start does not train, in place.

    Raises:
        UsageError: A part has no such name.
    """
    _require_parts(backbone, start.only)
    if start.only:
        for name, parameter in backbone.named_parameters():
            parameter.requires_grad_(_within(name, start.only))
        _rest(backbone)


def _require_parts(backbone: Backbone, parts: Sequence[str]) -> None:
    for part in parts:
        if not any(_within(name, (part,)) for name in backbone.state_dict()):
            known = ", ".join(name for name, _ in backbone.named_children())
            raise UsageError(f"the backbone has no part {part!r} with weights; it has {known}, and parts of them")


def _within(name: str, parts: Sequence[str]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def _rest(module: nn.Module) -> None:
    """Evaluation mode for everything whose weights all rest."""
    parameters = list(module.parameters())
    if parameters and not any(parameter.requires_grad for parameter in parameters):
        module.eval()
        return
    for child in module.children():
        _rest(child)
