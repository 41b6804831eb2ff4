"""Training checkpoints of arcface_torch, one file a worker."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from visavis.errors import ModelError
from visavis.nn.backbones.backbone import Backbone
from visavis.nn.checkpoints.load import Released, load_released
from visavis.nn.checkpoints.read import read_checkpoint

_NAME = re.compile(r"checkpoint_gpu_(\d+)\.pt")
_HEAD = "state_dict_softmax_fc"


def load_partial_fc(
    folder: str | Path, *, backbone: str | Backbone | None = None, policy: str | None = None
) -> Released:
    """The backbone and all class centres of a training of arcface_torch with Partial FC.

    Its workers wrote ``checkpoint_gpu_0.pt``, ``checkpoint_gpu_1.pt`` ...: each the whole backbone
    (``state_dict_backbone``) and the centres of its classes (``state_dict_softmax_fc``). The centres are joined in the
    order of workers. ``model.pt`` of the same training is a backbone alone, which `load_released` reads.

    Args:
        folder: Of the files.
        backbone: See `load_released`.
        policy: See `load_released`.

    Raises:
        ModelError: A file is missing, damaged, or of another training.
    """
    found = {int(match[1]): path for path in Path(folder).glob("*.pt") if (match := _NAME.fullmatch(path.name))}
    if not found or sorted(found) != list(range(len(found))):
        told = ", ".join(found[number].name for number in sorted(found)) or "none"
        raise ModelError(
            f"{folder} should hold checkpoint_gpu_0.pt and the files of all other workers; it holds {told}",
            reason="model.missing",
        )
    parts = [_centres(found[number]) for number in sorted(found)]
    sizes = [tuple(part.shape) for part in parts]
    counts, widths = [size[0] for size in sizes], {size[1] for size in sizes}
    if len(widths) > 1 or counts != sorted(counts, reverse=True) or counts[0] - counts[-1] > 1:
        raise ModelError(
            f"the centres in {folder} are {sizes}, classes by dimension; the parts of one training have one dimension "
            "and near-equal numbers, the larger first",
            reason="model.refused",
        )
    released = load_released(found[0], "insightface", backbone=backbone, policy=policy)
    return replace(released, head=torch.cat(parts))


def _centres(path: Path) -> Tensor:
    """The centres of one worker, ``(classes, dimension)``."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}", reason="model.missing") from error
    found = read_checkpoint(data, name=str(path))
    state = found.get(_HEAD) if isinstance(found, Mapping) else None
    plain = {str(key).removeprefix("module."): value for key, value in state.items()} if state else {}
    centres = plain.get("weight")
    if not isinstance(centres, Tensor) or centres.ndim != 2 or centres.layout != torch.strided:
        raise ModelError(
            f"{path} holds no class centres: expected a matrix named weight in {_HEAD}", reason="model.refused"
        )
    return centres
