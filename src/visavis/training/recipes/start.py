"""Where a run begins: with the weights of an earlier one, some parts anew, some parts resting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from visavis.errors import UsageError
from visavis.nn.backbones.backbone import Backbone
from visavis.training.recipes.trained import Trained, read_run


@dataclass(frozen=True, slots=True)
class Start:
    """The weights of an earlier run of the same backbone.

    Attributes:
        run: Folder of that run; its best weights are taken.
        anew: Parts of the backbone that begin with random weights all the same, by the names of its modules: ``fc``.
        only: Parts that are trained; the others rest, their batch statistics included. All when empty.
    """

    run: str
    anew: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


def begin(backbone: Backbone, start: Start) -> Trained:
    """Give a new backbone the weights of a run, in place.

    Args:
        backbone: With random weights, in training mode.
        start: What to take, and what to train.

    Returns:
        The earlier run.

    Raises:
        ModelError: There is no run that can be read.
        UsageError: It is of another backbone, or a part has no such name.
    """
    earlier = read_run(start.run)
    own = backbone.state_dict()
    theirs = earlier.backbone.state_dict()
    differing = [name for name in own if name not in theirs or own[name].shape != theirs[name].shape]
    if differing or len(own) != len(theirs):
        raise UsageError(
            f"the run {start.run} holds another backbone ({differing[0] if differing else 'more weights'} differs); "
            "begin with a run of the same backbone and options"
        )
    kept = {name: value for name, value in theirs.items() if not _within(name, start.anew)}
    backbone.load_state_dict({**own, **kept})
    for part in (*start.anew, *start.only):
        if not any(_within(name, (part,)) for name in own):
            known = ", ".join(name for name, _ in backbone.named_children())
            raise UsageError(f"the backbone has no part {part!r} with weights; it has {known}, and parts of them")
    if start.only:
        for name, parameter in backbone.named_parameters():
            parameter.requires_grad_(_within(name, start.only))
        _rest(backbone)
    return earlier


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
