"""Arms of a comparison: one network and one head each, all from the same start, on the same batches."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from visavis.losses.elasticface import ElasticLoss
from visavis.losses.head import HeadLoss
from visavis.losses.normface import NormFaceLoss
from visavis.losses.symface import SplitMode, SymmetryLoss, split_faces
from visavis.systems._miniature import Miniature
from visavis.systems._small_net import SmallNet, reproducible
from visavis.systems._small_training import Batch, Step, fit


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Where every arm of one seed begins.

    Attributes:
        seed: The seed.
        weights: Of the network, by name.
        centres: Of the head, ``(classes, D)``.
    """

    seed: int
    weights: dict[str, Tensor]
    centres: Tensor

    @classmethod
    def of(cls, miniature: Miniature, seed: int) -> Start:
        """Drawn by the seed, then trained without a margin for the warm steps of the setting."""
        setting, faces = miniature.setting, miniature.faces
        with reproducible(seed):
            net = SmallNet(setting.size, widths=setting.widths, dimension=setting.dimension)
            head = NormFaceLoss(setting.dimension, faces.classes, scale=setting.scale)
            fit([net, head], plain_step(net, head), faces, setting, steps=setting.warm, seed=(seed, 1))
        return cls(seed, net.state_dict(), head.weight.detach())

    def arm(self, miniature: Miniature, head: HeadLoss) -> SmallNet:
        """The network, and the centres copied into the head."""
        setting = miniature.setting
        net = SmallNet(setting.size, widths=setting.widths, dimension=setting.dimension)
        net.load_state_dict(self.weights)
        with torch.no_grad():
            head.weight.copy_(self.centres)
        return net


def plain_step(net: SmallNet, loss: torch.nn.Module) -> Step:
    """The loss of the embeddings and labels."""

    def step(batch: Batch) -> Tensor:
        value: Tensor = loss(net(batch.pictures), batch.labels)
        return value

    return step


@dataclass(slots=True)
class MarginLog:
    """What a margin head did, a row a step.

    Attributes:
        targets: Cosine of each row with its own class, without margin.
        shifts: Scaled target logit without margin less the one with it.
        margins: What the head says it drew; empty for heads that draw none.
    """

    targets: list[NDArray[np.float64]] = field(default_factory=list)
    shifts: list[NDArray[np.float64]] = field(default_factory=list)
    margins: list[NDArray[np.float64]] = field(default_factory=list)


def watched_step(net: SmallNet, head: HeadLoss, log: MarginLog) -> Step:
    """The loss of a head, as `HeadLoss.compute` takes it from the logits, which are noted."""

    def step(batch: Batch) -> Tensor:
        embeddings = net(batch.pictures)
        logits = head.logits(embeddings, batch.labels)
        with torch.no_grad():
            own = batch.labels[:, None]
            targets = head.cosine(embeddings).gather(1, own)[:, 0]
            realised = logits.gather(1, own)[:, 0]
            log.targets.append(targets.double().numpy())
            log.shifts.append((targets * float(head.scale or 1.0) - realised).double().numpy())
            if isinstance(head, ElasticLoss):
                log.margins.append(head.margins.double().numpy())
        return F.cross_entropy(logits, batch.labels)

    return step


def symmetric_step(
    net: SmallNet, head: HeadLoss, symmetry: SymmetryLoss, frontalities: Tensor, *, mode: SplitMode
) -> Step:
    """The loss of a head on whole faces, and the symmetry loss of their halves, in one forward.

    Args:
        net: The network.
        head: The loss of whole faces.
        symmetry: The loss of halves.
        frontalities: ``(N,)``, of each training picture; those below the threshold are not split.
        mode: How a half becomes a picture.
    """

    def step(batch: Batch) -> Tensor:
        rho = frontalities[batch.rows]
        frontal = rho >= symmetry.threshold
        left, right = split_faces(batch.pictures[frontal], mode=mode)
        count = [len(batch.pictures), len(left), len(right)]
        whole, one, other = net(torch.cat([batch.pictures, left, right])).split(count)
        value: Tensor = head(whole, batch.labels) + symmetry(one, other, rho[frontal])
        return value

    return step
