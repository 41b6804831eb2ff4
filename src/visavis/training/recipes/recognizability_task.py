"""The Task of a recogniser that learns to tell, and to embed, what can be recognised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from visavis.data.batch import Batch
from visavis.data.degradation.unrecognisable import make_unrecognisable
from visavis.errors import UsageError
from visavis.losses.head import HeadLoss
from visavis.losses.loss import Loss
from visavis.nn.backbones.backbone import EMBEDDING
from visavis.nn.backbones.recognizable import BASE, INDEX, RecognizableBackbone
from visavis.training.recipes.recogniser_task import BACKBONE, HEAD, RecogniserTask
from visavis.training.recipes.recognizability import DIVERSION, REGRESSION, REJECTION, TAPS, Recognizability
from visavis.training.task import StepState

GROUP = "recognizability"


class RecognizabilityTask(RecogniserTask):
    """The losses of a recogniser on base and embedding alike, and the three of recognizability.

    Parameter groups: ``backbone``, ``head``, and ``recognizability``: the attention and the regressor. Prototypes are
    the centres of the first loss with a cosine head. A crop without a label has no index to learn, and takes part in
    the others. The regressor, and it alone, also learns that unrecognisable images have an index of 0. The rejection's
    target is the base embedding, which gets no gradient from it.

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
        taken = sorted(set(terms or {}) & {REGRESSION, DIVERSION, REJECTION})
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
                self._see(state.device)
        found = self.network.features(self.inputs(batch.pixels, state.device), taps=TAPS)
        labels = torch.from_numpy(batch.labels).to(state.device)
        both = torch.cat([found[EMBEDDING], found[BASE]])
        losses = self._losses(both, labels.repeat(2), replace(batch, rows=np.tile(batch.rows, 2)), state)
        ui, nothing = (
            self.network.ui,
            self.network.index_alone(self.inputs(self._some(len(batch), state), state.device)),
        )
        with state.full_precision():
            exact = {name: value.float() for name, value in found.items()}
            losses |= self._how.losses(exact, labels, nothing=nothing.float(), head=self._heads[0], ui=ui)
        self._seen |= {"index": float(exact[INDEX].detach().median()), "unrecognisable index": float(ui.ri_mean)}
        return losses

    def settled(self) -> dict[str, Tensor]:
        """Centre and statistics of the weights as they are; those that training goes on with stay."""
        ui = self.network.ui
        before = {name: value.clone() for name, value in ui.state_dict().items()}
        self._see(ui.center.device)
        found = {f"backbone.ui.{name}": value.clone() for name, value in ui.state_dict().items()}
        ui.load_state_dict(before)
        return found

    def _see(self, device: torch.device) -> None:
        self.network.see(*(self.inputs(part, device) for part in (self._unrecognisable, self._faces)))

    def _some(self, batch: int, state: StepState) -> NDArray[np.uint8]:
        """Some unrecognisable images, an eighth of the batch."""
        count, device = max(2, batch // 8), state.device
        rows = torch.randint(len(self._unrecognisable), (count,), generator=state.generator, device=device)
        some: NDArray[np.uint8] = self._unrecognisable[rows.cpu().numpy()]
        return some

    def _is_due(self, state: StepState) -> bool:
        """Whether a multiple of ``refresh`` epochs began with this step; always at the first."""
        if state.step == 0:
            return True
        before = state.epoch * (state.step - 1) / state.step
        return int(state.epoch / self._how.refresh) > int(before / self._how.refresh)
