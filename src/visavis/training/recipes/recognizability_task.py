"""The Task of a recogniser that learns to tell, and to embed, what can be recognised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from visavis.data.batch import Batch
from visavis.data.degradation.unrecognisable import make_unrecognisable
from visavis.errors import UsageError
from visavis.losses.head import HeadLoss
from visavis.losses.index_diversion import index_diversion
from visavis.losses.loss import Loss
from visavis.losses.perceptibility import PerceptibilityLoss
from visavis.losses.recognizability import proximities, recognizability_index
from visavis.losses.rejection import rejection
from visavis.nn.backbones.backbone import EMBEDDING
from visavis.nn.backbones.recognizable import BASE, INDEX, RecognizableBackbone
from visavis.training.recipes.recogniser_task import BACKBONE, HEAD, RecogniserTask
from visavis.training.recipes.recognizability import Recognizability
from visavis.training.task import StepState

NAMES = ("regression", "diversion", "rejection")
GROUP = "recognizability"


class RecognizabilityTask(RecogniserTask):
    """The losses of a recogniser on base and embedding alike, and the three of recognizability.

    Parameter groups: ``backbone``, ``head``, and ``recognizability``: the attention and the regressor. Prototypes are
    the centres of the first loss with a cosine head. A crop without a label has no index to learn, and takes part in
    the others. The rejection's target is the base embedding, which gets no gradient from it.

    Args:
        network: What is trained.
        loss: The main loss.
        how: Weights and options.
        faces: uint8 RGB ``(N, S, S, 3)``, of which the unrecognisable images are made.
        seed: Of these.
        terms: See `RecogniserTask`.
        targets: See there.
        name_of: See there.

    Raises:
        UsageError: No loss with a cosine head, which is where prototypes are.
    """

    def __init__(
        self,
        network: RecognizableBackbone,
        loss: Loss,
        *,
        how: Recognizability,
        faces: NDArray[np.uint8],
        seed: int,
        terms: Mapping[str, tuple[Loss, float]] | None = None,
        targets: NDArray[np.floating] | None = None,
        name_of: Callable[[NDArray[np.int64]], Sequence[str]] | None = None,
    ) -> None:
        taken = sorted(set(terms or {}) & set(NAMES))
        if taken:
            raise UsageError(f"{', '.join(taken)} is a loss of recognizability; give the term another name")
        super().__init__(network, loss, terms=terms, targets=targets, name_of=name_of)
        heads = [part for part in (loss, *(part for part, _ in (terms or {}).values())) if isinstance(part, HeadLoss)]
        if not heads:
            raise UsageError(
                "recognizability needs a prototype for each person: take a loss with a cosine head, such as "
                "loss/arcface, as the main loss or as a term"
            )
        self._heads = (heads[0],)  # in a tuple, as it is among the losses already
        self._how = how
        self._regression = PerceptibilityLoss(beta=how.smooth)
        self._faces, self._unrecognisable = faces, make_unrecognisable(faces, seed=seed)

    @property
    def network(self) -> RecognizableBackbone:
        """What is trained."""
        return cast(RecognizableBackbone, self.backbone)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """See the class."""
        groups = super().parameter_groups()
        own = [*self.network.attn.parameters(), *self.network.regressor.parameters()]
        mine = {id(parameter) for parameter in own}
        rest = [parameter for parameter in groups.get(BACKBONE, ()) if id(parameter) not in mine]
        found = {BACKBONE: rest, GROUP: own, HEAD: groups.get(HEAD, [])}
        return {name: group for name, group in found.items() if group}

    def step(self, batch: Batch, state: StepState) -> dict[str, Tensor]:
        """See the class; the statistics of the unrecognisable are taken again when they are due."""
        if state.micro == 0 and self._is_due(state):
            with state.full_precision():
                self.network.see(*(self.inputs(part, state.device) for part in (self._unrecognisable, self._faces)))
        found = self.network.features(self.inputs(batch.pixels, state.device), taps=(BASE, INDEX))
        labels = torch.from_numpy(batch.labels).to(state.device)
        both = torch.cat([found[EMBEDDING], found[BASE]])
        losses = self._losses(both, labels.repeat(2), replace(batch, rows=np.tile(batch.rows, 2)), state)
        with state.full_precision():
            base, index = found[BASE].float(), found[INDEX].float()
            losses |= self._recognizability(found[EMBEDDING].float(), base, index, labels)
        return losses

    def _recognizability(self, embedding: Tensor, base: Tensor, index: Tensor, labels: Tensor) -> dict[str, Tensor]:
        how, ui = self._how, self.network.ui
        known = labels >= 0
        regression = index.sum() * 0
        if bool(known.any()):
            target = self._index(base[known], labels[known])
            self._seen |= {"index": float(target.median()), "index guessed": float(index[known].detach().median())}
            regression = self._regression(index[known][:, None], target[:, None]) * known.float().mean()
        self._seen["unrecognisable mean"] = float(ui.ri_mean)
        self._seen["unrecognisable deviation"] = float(ui.ri_std)
        return {
            "regression": how.regression * regression,
            "diversion": how.diversion * index_diversion(index, ui.ri_mean, ui.ri_std, tau=how.tau),
            "rejection": how.rejection * rejection(embedding, base, ui.center),
        }

    @torch.no_grad()
    def _index(self, base: Tensor, labels: Tensor) -> Tensor:
        """The true index of each row, without gradient."""
        near = proximities(self._heads[0].cosine(base), labels, F.normalize(base) @ self.network.ui.center)
        how = self._how
        return recognizability_index(near, eps=how.eps, squash=how.squash, limit=how.limit)

    def _is_due(self, state: StepState) -> bool:
        """Whether a multiple of ``refresh`` epochs began with this step; always at the first."""
        if state.step == 0:
            return True
        before = state.epoch * (state.step - 1) / state.step
        return int(state.epoch / self._how.refresh) > int(before / self._how.refresh)
