"""What a trained recogniser takes crops for: the class that its last layer finds most probable."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from visavis.data.pack import Pack
from visavis.errors import ModelError, NonFiniteError, UsageError, VisavisError
from visavis.io.atomic import write_output
from visavis.io.files import read_file
from visavis.losses.classifier import ClassifierLoss
from visavis.losses.loss import UNLABELLED
from visavis.nn.backbones.backbone import Backbone
from visavis.nn.pixels import network_input
from visavis.training.checkpoints import newest_checkpoint
from visavis.training.engine import CHECKPOINTS
from visavis.training.recipes.part import Part
from visavis.training.recipes.run import CLASSES
from visavis.training.recipes.stored_file import read_stored
from visavis.training.recipes.trained import read_run

_BATCH = 128
_PREFIX = "loss."


class Predictions(NamedTuple):
    """Of some crops, in order.

    Attributes:
        best: int64 ``(N,)``, the most probable class.
        confidences: float32 ``(N,)``, its probability.
        own: float32 ``(N,)``, the probability of the class that was asked about; 0 where there was none.
    """

    best: NDArray[np.int64]
    confidences: NDArray[np.float32]
    own: NDArray[np.float32]


def check_classifier(part: Part) -> None:
    """Refuse a loss that gives no class a probability.

    Raises:
        UsageError: The message says which do.
    """
    from visavis import registry

    name = registry.resolve(part.name, kind="loss")
    kind = registry.load(name)
    if not (isinstance(kind, type) and issubclass(kind, ClassifierLoss)):
        raise UsageError(
            f"{name} gives no class a probability; classes are predicted by recipes whose loss is a classifier, such "
            "as loss/softmax, loss/cosface or loss/arcface"
        )


def read_classifier(run: str | Path) -> tuple[Backbone, ClassifierLoss]:
    """The last backbone of a run and its classifier, in evaluation mode; averaged where the run has an average.

    Raises:
        ModelError: No run of a recogniser, no checkpoint that can be read, a loss that is no classifier, or one whose
            classes are split over processes.
    """
    trained = read_run(run, which="last")
    folder = Path(run)
    if trained.record["recipe"].get("classifier") is not None:
        raise ModelError(
            f"the run in {folder} has a classifier that is split over processes, which predicts no classes; "
            "take a run whose recipe has no classifier part",
            reason="model.refused",
        )
    state = newest_checkpoint(folder / CHECKPOINTS)
    assert state is not None  # read_run found one
    try:
        classes = json.loads(read_file(folder / CLASSES))
        part = trained.record["recipe"]["loss"]
        loss = Part(part["name"], part["options"]).build(
            "loss", dimension=trained.backbone.dimension, classes=len(classes)
        )
        weights = {**state["task"], **(state["average"]["values"] if trained.averaged else {})}
        loss.load_state_dict(
            {name.removeprefix(_PREFIX): value for name, value in weights.items() if name.startswith(_PREFIX)}
        )
    except (VisavisError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ModelError(
            f"{folder} holds no classifier that can be read: {str(error).splitlines()[0][:200]}", reason="model.damaged"
        ) from error
    if not isinstance(loss, ClassifierLoss):
        raise ModelError(f"the loss of {folder}, {part['name']}, is no classifier", reason="model.refused")
    return trained.backbone, loss.eval()


@torch.no_grad()
def predict_classes(
    backbone: Backbone,
    loss: ClassifierLoss,
    pack: Pack,
    rows: NDArray[np.int64],
    asked: NDArray[np.int64],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Predictions:
    """Classes of crops as they are, without a margin, one crop each and no mirrored one.

    Args:
        backbone: In evaluation mode.
        loss: Its classifier, in evaluation mode; the softmax is taken of its scores.
        pack: The crops.
        rows: int64 ``(N,)``, which of them.
        asked: int64 ``(N,)``, a class of each to ask about; -1 for none.
        progress: Called with the number of crops done and of all.

    Raises:
        NonFiniteError: An embedding or a probability is NaN or infinite: the training diverged.
    """
    device = loss.weight.device
    parts = [Predictions(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.float32))]
    for start in range(0, len(rows), _BATCH):
        pixels = torch.from_numpy(np.array(pack.pixels[rows[start : start + _BATCH]])).to(device)
        embeddings = backbone(network_input(pixels, backbone.contract))
        nothing = torch.full((len(pixels),), UNLABELLED, dtype=torch.int64, device=device)
        probabilities = loss.logits(embeddings, nothing).softmax(1)
        broken = ~(embeddings.isfinite().all(1) & probabilities.isfinite().all(1))
        if broken.any():
            raise NonFiniteError(
                f"the embeddings or probabilities of {int(broken.sum())} of {len(pixels)} crops are not finite; train "
                "again with a lower rate"
            )
        confidences, best = probabilities.max(1)
        own = torch.from_numpy(asked[start : start + _BATCH]).to(device)
        likely = probabilities.gather(1, own.clamp_min(0)[:, None])[:, 0].where(own >= 0, 0.0)
        parts.append(Predictions(best.cpu().numpy(), confidences.float().cpu().numpy(), likely.float().cpu().numpy()))
        if progress is not None:
            progress(min(start + _BATCH, len(rows)), len(rows))
    return Predictions(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def save_predictions(path: Path, found: Predictions) -> None:
    """Write predictions as ``.npz``.

    Raises:
        UsageError: The path cannot be written.
    """
    stream = io.BytesIO()
    np.savez(stream, **found._asdict())
    write_output(path, stream.getvalue())


def read_predictions(path: Path, *, rows: int, classes: int) -> Predictions:
    """What `save_predictions` wrote.

    Args:
        path: The file.
        rows: How many crops were asked about.
        classes: How many there are to predict.

    Raises:
        InputError: The file is damaged, or of other crops.
    """

    def read(path: Path) -> Predictions:
        with np.load(io.BytesIO(read_file(path)), allow_pickle=False) as file:
            found = Predictions(*(file[name] for name in Predictions._fields))
        kinds = [(column.dtype.kind, column.shape) for column in found]
        if kinds != [(kind, (rows,)) for kind in "iff"]:
            raise ValueError(f"expected columns of {rows} rows")
        if not ((found.best >= 0) & (found.best < classes)).all():
            raise ValueError(f"classes are 0..{classes - 1}")
        if not all(((column >= 0) & (column <= 1.001)).all() for column in (found.confidences, found.own)):
            raise ValueError("probabilities are 0..1")
        return found

    return read_stored(path, read)
