"""How recognizability is learnt in a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from visavis.errors import UsageError
from visavis.losses.head import HeadLoss
from visavis.losses.index_diversion import index_diversion
from visavis.losses.perceptibility import PerceptibilityLoss
from visavis.losses.recognizability import Squash, proximities, recognizability_index
from visavis.losses.rejection import rejection
from visavis.nn.backbones.backbone import EMBEDDING, Backbone
from visavis.nn.backbones.recognizable import BASE, INDEX, Reach, RecognizableBackbone, Unrecognisable

TAPS = (BASE, INDEX)
REGRESSION, DIVERSION, REJECTION = "regression", "diversion", "rejection"


@dataclass(frozen=True, slots=True)
class Recognizability:
    """Recognizability embedding enhancement (Chai et al. 2023) on top of the losses of a recipe.

    The weights of the three terms, tau and the dropout are unverified in the paper.

    Attributes:
        tap: Tap of the backbone that is the map; its last one when empty.
        reduction: Of the attention.
        dropout: Of the regressor.
        fusion: Embed as base and attended embedding together; see `RecognizableBackbone`.
        reach: What learns from the guessed index: the ``regressor``, which is safe, or the whole ``network``, as the
            paper has it; the diversion's gradient is the larger the more alike unrecognisable images are guessed, and
            can undo a small network.
        regression: alpha, weight of the regression of the index.
        diversion: beta, weight of the index diversion.
        rejection: gamma, weight of the attended embedding's distance to the base one without the unrecognisable.
        smooth: Where the regression becomes linear.
        tau: Deviations above the unrecognisable that the diversion asks for.
        eps: Of the index.
        squash: ``none`` or ``tanh``; what bounds the index.
        limit: Indexes above become this one; none when None. Crops that are learnt by heart have one of up to 2000.
        images: Crops that are made unrecognisable, and as many that stay as they are, for centre and statistics.
        refresh: Epochs after which centre and statistics are taken again.
    """

    tap: str = ""
    reduction: int = 16
    dropout: float = 0.4
    fusion: bool = False
    reach: Reach = "regressor"
    regression: float = 1.0
    diversion: float = 1.0
    rejection: float = 1.0
    smooth: float = 0.75
    tau: float = 3.0
    eps: float = 1e-3
    squash: Squash = "none"
    limit: float | None = None
    images: int = 256
    refresh: float = 1.0

    def __post_init__(self) -> None:
        if min(self.regression, self.diversion, self.rejection) < 0:
            raise UsageError(f"weights of terms are 0 or more; got {self}")
        above = {name: getattr(self, name) for name in ("smooth", "tau", "eps", "refresh")}
        if min(above.values()) <= 0 or (self.limit is not None and self.limit <= 0):
            raise UsageError(f"{', '.join(above)} and limit are above 0; got {self}")
        if self.squash not in get_args(Squash):
            raise UsageError(f"the index is squashed by one of {', '.join(get_args(Squash))}; got {self.squash!r}")
        if self.images < 2:
            raise UsageError(f"statistics are taken of two images at least; got {self.images}")

    def network(self, backbone: Backbone) -> RecognizableBackbone:
        """The backbone with what is learnt beside it."""
        return RecognizableBackbone(
            backbone,
            tap=self.tap,
            reduction=self.reduction,
            dropout=self.dropout,
            fusion=self.fusion,
            reach=self.reach,
        )

    @torch.no_grad()
    def index(self, base: Tensor, labels: Tensor, *, head: HeadLoss, ui: Unrecognisable) -> Tensor:
        """The true recognizability index of base embeddings ``(B, D)`` with a class, ``(B,)``, without gradient."""
        near = proximities(head.cosine(base), labels, F.normalize(base) @ ui.center)
        return recognizability_index(near, eps=self.eps, squash=self.squash, limit=self.limit)

    def losses(
        self, found: Mapping[str, Tensor], labels: Tensor, *, nothing: Tensor, head: HeadLoss, ui: Unrecognisable
    ) -> dict[str, Tensor]:
        """The three terms, weighted.

        Args:
            found: What a `RecognizableBackbone` gives: the embedding and `TAPS`, float32.
            labels: int64 ``(B,)``; a row of -1 has no index to learn and takes part in the other two.
            nothing: Guessed indexes of unrecognisable images ``(N,)``, which should be 0, as d_UI is there, and lie
                below those of faces.
            head: Whose centres are the prototypes.
            ui: What is known of unrecognisable images.
        """
        index, known = found[INDEX], labels >= 0
        smooth = PerceptibilityLoss(beta=self.smooth)
        regression = smooth(nothing[:, None], torch.zeros_like(nothing)[:, None])
        if bool(known.any()):
            target = self.index(found[BASE][known], labels[known], head=head, ui=ui)
            regression = regression + smooth(index[known][:, None], target[:, None]) * known.float().mean()
        return {
            REGRESSION: self.regression * regression,
            DIVERSION: self.diversion * index_diversion(index, nothing.mean(), ui.ri_std, tau=self.tau),
            REJECTION: self.rejection * rejection(found[EMBEDDING], found[BASE], ui.center),
        }
