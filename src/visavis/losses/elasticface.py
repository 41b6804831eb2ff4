"""ElasticFace: a margin that is drawn anew for every row of every step."""

from __future__ import annotations

from types import MappingProxyType
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor

from visavis.errors import UsageError
from visavis.losses.arcface import arcface_logits
from visavis.losses.cosface import cosface_logits
from visavis.losses.head import HeadLoss, Rows
from visavis.losses.targets import PastPi

PlusIndexing = Literal["paper", "official"]
"""How the "+" variants hand out their draws; see `assign_margins`."""


def draw_margins(
    cosines: Tensor,
    *,
    mean: float,
    deviation: float,
    clamp: bool = False,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Margins out of Normal(mean, deviation), one a row. Negative ones are legal.

    Args:
        cosines: ``(B,)``; only the number, dtype and device are used.
        mean: The paper's m.
        deviation: The paper's sigma; 0 gives ``mean`` exactly.
        clamp: Whether draws are held in [mean - deviation, mean + deviation].
        generator: Of the same device; the global one of the device when omitted.

    Returns:
        ``(B,)``.
    """
    noise = torch.randn(len(cosines), dtype=cosines.dtype, device=cosines.device, generator=generator)
    return mean + deviation * (noise.clamp(-1.0, 1.0) if clamp else noise)


def _check_indexing(indexing: str) -> None:
    if indexing not in get_args(PlusIndexing):
        raise UsageError(f"plus_indexing is one of {', '.join(get_args(PlusIndexing))}; got {indexing!r}")


def assign_margins(cosines: Tensor, margins: Tensor, *, indexing: PlusIndexing = "paper") -> Tensor:
    """Hand out margins by difficulty, without gradient; the margins stay the same as a set.

    Args:
        cosines: ``(B,)``, cosine of each row with its own class.
        margins: ``(B,)``, in any order.
        indexing: ``paper``: the row with the smallest cosine gets the largest margin, and so on, so that their
            rank correlation is -1. ``official``: the ascending margins indexed with the order of the
            descending cosines, as the authors' code does and their released "+" models were trained; it is the
            same only where that order is its own inverse.

    Returns:
        ``(B,)``.

    Raises:
        UsageError: Another word for ``indexing``.
    """
    _check_indexing(indexing)
    order = cosines.detach().argsort(descending=True, stable=True)
    ascending = margins.sort().values
    if indexing == "official":
        return ascending[order]
    return torch.empty_like(margins).scatter_(0, order, ascending)


class ElasticLoss(HeadLoss):
    """What the four variants share: draws, and how they are handed out.

    Args:
        dimension: Length of an embedding.
        classes: Number of classes.
        margin: Mean of the draws; the variant's value of the paper when omitted.
        deviation: Standard deviation of the draws, 0 for a fixed margin; the variant's when omitted.
        scale: Factor of the cosines.
        plus_indexing: How draws are handed out by difficulty, see `assign_margins`; when omitted ``paper`` in a
            "+" variant, and by chance in the others.
        clamp: Whether draws are held within one deviation of the mean.
        generator: Where draws come from, on the device of the embeddings. The caller saves its state; without
            it draws come from the global generator, which the training engine seeds in each step.

    Attributes:
        margins: Of the last training call, ``(B,)``, 0 at rows without a label; empty before.
    """

    no_margin = MappingProxyType({"margin": 0.0, "deviation": 0.0})
    paper_margin: ClassVar[float]
    paper_deviation: ClassVar[float]
    paper_indexing: ClassVar[PlusIndexing | None] = None

    def __init__(
        self,
        dimension: int,
        classes: int,
        *,
        margin: float | None = None,
        deviation: float | None = None,
        scale: float = 64.0,
        plus_indexing: PlusIndexing | None = None,
        clamp: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(dimension, classes, scale=scale)
        self.margin = self.paper_margin if margin is None else margin
        self.deviation = self.paper_deviation if deviation is None else deviation
        self.plus_indexing = self.paper_indexing if plus_indexing is None else plus_indexing
        if self.deviation < 0:
            raise UsageError(f"the standard deviation of margins is 0 or more; got {deviation}")
        if self.plus_indexing is not None:
            _check_indexing(self.plus_indexing)
        self.clamp = clamp
        self.generator = generator
        self.margins = torch.empty(0)

    def draw(self, rows: Rows) -> Tensor:
        """Margins of a batch, ``(B,)``: drawn for the rows with a label, 0 at the others."""
        targets = rows.targets[rows.labelled]
        drawn = draw_margins(
            targets, mean=self.margin, deviation=self.deviation, clamp=self.clamp, generator=self.generator
        )
        if self.plus_indexing is not None:
            drawn = assign_margins(targets, drawn, indexing=self.plus_indexing)
        self.margins = torch.zeros_like(rows.targets).masked_scatter_(rows.labelled, drawn)
        return self.margins


class ElasticArcLoss(ElasticLoss):
    """ArcFace whose margin is drawn for every row of every step.

    Equation:
        ``L = -log(exp(s cos(t_y + E)) / (exp(s cos(t_y + E)) + sum_{j != y} exp(s cos t_j)))``,
        ``E ~ Normal(m, sigma)``

    Paper:
        Boutros et al. 2022, ElasticFace, section 3.2; arXiv 2109.09416.

    Paper values:
        margin 0.5, deviation 0.05, scale 64.

    Args:
        dimension: Length of an embedding.
        classes: Number of classes.
        margin: Mean of the draws, radians; the paper's when omitted.
        deviation: Standard deviation of the draws; 0 gives ArcFace; the paper's when omitted.
        scale: Factor of the cosines.
        plus_indexing: See `ElasticLoss`.
        clamp: Whether draws are held within one deviation of the mean.
        generator: See `ElasticLoss`.
        past_pi: What happens where ``t_y + E`` is above pi; see `visavis.losses.targets.add_angle`.
    """

    paper_margin = 0.5
    paper_deviation = 0.05

    def __init__(
        self,
        dimension: int,
        classes: int,
        *,
        margin: float | None = None,
        deviation: float | None = None,
        scale: float = 64.0,
        plus_indexing: PlusIndexing | None = None,
        clamp: bool = False,
        generator: torch.Generator | None = None,
        past_pi: PastPi = "rise",
    ) -> None:
        super().__init__(
            dimension,
            classes,
            margin=margin,
            deviation=deviation,
            scale=scale,
            plus_indexing=plus_indexing,
            clamp=clamp,
            generator=generator,
        )
        self.past_pi = past_pi

    def apply_margin(self, cosine: Tensor, rows: Rows) -> Tensor:
        """See `visavis.losses.arcface.arcface_logits`, with the margins of `draw`."""
        return arcface_logits(cosine, rows.columns, margin=self.draw(rows), scale=1.0, past_pi=self.past_pi)


class ElasticArcPlusLoss(ElasticArcLoss):
    """`ElasticArcLoss` that hands the large draws to the hard rows.

    Equation:
        As Elastic-Arc, with ``E`` sorted so that the smallest ``cos t_y`` of the batch has the largest ``E``

    Paper:
        Boutros et al. 2022, ElasticFace, section 3.3, "ElasticFace+"; arXiv 2109.09416.

    Paper values:
        margin 0.5, deviation 0.0175, scale 64.
    """

    paper_deviation = 0.0175
    paper_indexing = "paper"


class ElasticCosLoss(ElasticLoss):
    """CosFace whose margin is drawn for every row of every step.

    Equation:
        ``L = -log(exp(s (cos t_y - E)) / (exp(s (cos t_y - E)) + sum_{j != y} exp(s cos t_j)))``,
        ``E ~ Normal(m, sigma)``

    Paper:
        Boutros et al. 2022, ElasticFace, section 3.2; arXiv 2109.09416.

    Paper values:
        margin 0.35, deviation 0.05, scale 64.
    """

    paper_margin = 0.35
    paper_deviation = 0.05

    def apply_margin(self, cosine: Tensor, rows: Rows) -> Tensor:
        """See `visavis.losses.cosface.cosface_logits`, with the margins of `draw`."""
        return cosface_logits(cosine, rows.columns, margin=self.draw(rows), scale=1.0)


class ElasticCosPlusLoss(ElasticCosLoss):
    """`ElasticCosLoss` that hands the large draws to the hard rows.

    Equation:
        As Elastic-Cos, with ``E`` sorted so that the smallest ``cos t_y`` of the batch has the largest ``E``

    Paper:
        Boutros et al. 2022, ElasticFace, section 3.3, "ElasticFace+"; arXiv 2109.09416.

    Paper values:
        margin 0.35, deviation 0.025, scale 64; the authors' code has deviation 0.02.
    """

    paper_deviation = 0.025
    paper_indexing = "paper"
