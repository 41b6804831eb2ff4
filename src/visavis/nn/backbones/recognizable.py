"""A backbone that also tells how recognisable a face is, and looks at what of it can be made out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visavis.errors import UsageError
from visavis.losses.recognizability import unrecognisable_centre
from visavis.nn.backbones.backbone import EMBEDDING, Backbone, Keep
from visavis.nn.evaluation import in_evaluation
from visavis.nn.layers.perceptibility import AttendedEmbedding, PerceptibilityRegressor
from visavis.runtime.told import RECOGNIZABILITY

BASE, PLACES, INDEX = "base", "places", "index"
Reach = Literal["regressor", "network"]
"""What learns from the guessed index; see `RecognizableBackbone`."""


class Unrecognisable(nn.Module):
    """What unrecognisable images look like to a network.

    Args:
        dimension: Length of an embedding.

    Attributes:
        center: Their direction ``(D,)``, of unit norm; zeros until they were seen.
        ri_mean: Mean of their guessed indexes.
        ri_std: Standard deviation of these.
        ri_best: The guessed index that 95 % of undegraded faces stay below.
    """

    center: Tensor
    ri_mean: Tensor
    ri_std: Tensor
    ri_best: Tensor

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(dimension))
        for name, value in (("ri_mean", 0.0), ("ri_std", 1.0), ("ri_best", 1.0)):
            self.register_buffer(name, torch.tensor(value))


class RecognizableBackbone(Backbone):
    """Recognizability embedding enhancement over any backbone with a spatial map.

    Chai et al. 2023 (CVPR, arXiv 2304.10066): a regressor guesses the recognizability index from the map, and the
    embedding is made of the map after perceptibility attention. Keys of the state: ``backbone.*``, ``attn.*``,
    ``regressor.*`` and ``ui.*``.

    Args:
        backbone: The network; changed in place by training.
        tap: Its tap that is the map: ``(C, h, w)``, or tokens ``(h * h, C)``; the last one when empty.
        reduction: Of the attention; see `PerceptibilityAttention`.
        dropout: Of the regressor.
        fusion: Embed as the sum of base and attended unit vectors instead of the attended one.
        reach: How far gradients of the guessed index go: to the ``regressor`` alone, or to the whole ``network``.

    Attributes:
        taps: Those of the backbone, and ``base``, its embedding; ``places``, the attention; ``index``, the guessed
            index; ``recognizability``, the index on a scale where 0 is the mean of unrecognisable images and 1 the
            95th percentile of undegraded training faces.
        told: ``recognizability``.

    Raises:
        UsageError: No such tap, one that is no map, or an option out of range.
    """

    told = (RECOGNIZABILITY,)

    def __init__(
        self,
        backbone: Backbone,
        *,
        tap: str = "",
        reduction: int = 16,
        dropout: float = 0.4,
        fusion: bool = False,
        reach: Reach = "regressor",
    ) -> None:
        super().__init__()
        if reach not in get_args(Reach):
            raise UsageError(f"gradients of the index reach one of {', '.join(get_args(Reach))}; got {reach!r}")
        self.contract, self.dimension = backbone.contract, backbone.dimension
        renamed = backbone.released.items()
        self.released: Mapping[str, str] = {f"backbone.{ours}": f"backbone.{theirs}" for ours, theirs in renamed}
        self.map_tap, shape = map_of(backbone, tap)
        self._shape, self.fusion, self.reach = shape, fusion, reach
        self.taps = {
            **backbone.taps,
            BASE: (self.dimension,),
            PLACES: (1, *shape[1:]),
            INDEX: (),
            RECOGNIZABILITY: (),
            EMBEDDING: (self.dimension,),
        }
        self.backbone = backbone
        self.attn = AttendedEmbedding(shape, self.dimension, reduction=reduction)
        self.regressor = PerceptibilityRegressor(shape[0], dropout=dropout)
        self.ui = Unrecognisable(self.dimension)

    def embed(self, x: Tensor, keep: Keep) -> Tensor:
        """See `Backbone.embed`."""
        found: dict[str, Tensor] = {}

        def pass_on(name: str, value: Tensor) -> None:
            if name == self.map_tap:
                found[name] = value
            keep(name, value)

        base = self.backbone.embed(x, pass_on)
        keep(BASE, base)
        features = self.as_map(found[self.map_tap])
        attended, places = self.attn(features)
        keep(PLACES, places)
        index = self.regressor(features.detach() if self.reach == "regressor" else features)
        keep(INDEX, index)
        keep(RECOGNIZABILITY, self.scaled(index))
        result: Tensor = F.normalize(base) + F.normalize(attended) if self.fusion else attended
        return result

    def as_map(self, value: Tensor) -> Tensor:
        """The tap as ``(B, C, h, w)``."""
        if value.ndim == 4:
            return value
        found: Tensor = value.transpose(1, 2).unflatten(2, self._shape[1:])
        return found

    def scaled(self, index: Tensor) -> Tensor:
        """Guessed indexes on the scale of ``recognizability``; see the class."""
        span = (self.ui.ri_best - self.ui.ri_mean).clamp_min(1e-6)
        value: Tensor = (index - self.ui.ri_mean) / span
        return value

    def ri(self, x: Tensor) -> Tensor:
        """Guessed recognizability index of normalised input ``(B, C, H, W)``: ``(B,)``, higher is better."""
        return self.features(x, taps=(INDEX,))[INDEX]

    def index_alone(self, x: Tensor) -> Tensor:
        """As `ri`, with a gradient to the regressor alone, and the network in evaluation mode."""
        with in_evaluation(self.backbone), torch.no_grad():
            features = self.as_map(self.backbone.features(x, taps=(self.map_tap,))[self.map_tap])
        found: Tensor = self.regressor(features)
        return found

    def attention(self, x: Tensor) -> Tensor:
        """Weights of the places of the map, ``(B, 1, h, w)`` in 0..1."""
        return self.features(x, taps=(PLACES,))[PLACES]

    def blocks(self) -> list[nn.Module]:
        """Those of the backbone."""
        return self.backbone.blocks()

    @torch.no_grad()
    def see(self, unrecognisable: Tensor, faces: Tensor) -> None:
        """Take centre and statistics of unrecognisable images, in evaluation mode whatever the mode is.

        Args:
            unrecognisable: Normalised input of images that nobody can recognise, ``(N, C, H, W)``.
            faces: The same of faces as they are, ``(M, C, H, W)``.

        Raises:
            UsageError: None of them, or embeddings without a centre.
        """
        if not len(unrecognisable) or not len(faces):
            raise UsageError("the statistics need unrecognisable images and faces, one of each at least")
        with in_evaluation(self):
            bad = [self.features(part, taps=(BASE, INDEX)) for part in unrecognisable.split(_BATCH)]
            good = torch.cat([self.ri(part) for part in faces.split(_BATCH)]).float()
        index = torch.cat([part[INDEX] for part in bad]).float()
        self.ui.center.copy_(unrecognisable_centre(torch.cat([part[BASE] for part in bad])))
        self.ui.ri_mean.copy_(index.mean())
        self.ui.ri_std.copy_(index.std(correction=0))
        self.ui.ri_best.copy_(good.quantile(0.95))

    @torch.no_grad()
    def begin_at_base(self, x: Tensor) -> bool:
        """Let the attended embedding begin as the base one, where the base is an affine function of the map.

        It is where linear layers and batch normalisation in evaluation mode follow the map, as in iResNet and vision
        transformers: its matrix is read off by differentiation, and becomes the linear layer behind the attention.

        Args:
            x: Normalised input ``(B, C, H, W)``, two rows or more: to differentiate at, and to check with.

        Returns:
            Whether it does; where not, the layer is left as it was.
        """
        before = {name: value.clone() for name, value in self.attn.fc.state_dict().items()}
        with in_evaluation(self.backbone):
            matrix, offset = self._tail(x[:1])
            self.attn.fc.weight.copy_(4 * matrix)  # both weights of the attention begin at 1/2
            self.attn.fc.bias.copy_(offset)
            found = self.backbone.features(x, taps=(self.map_tap,))
            attended, _ = self.attn(self.as_map(found[self.map_tap]))
            base = found[EMBEDDING]
            close = bool((attended - base).norm() <= _APART * (base - base.mean(0)).norm())
        if not close:
            self.attn.fc.load_state_dict(before)
        return close

    def _tail(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Matrix ``(D, C h w)`` and offset ``(D,)`` of the affine function from map to base embedding at one crop."""
        with torch.enable_grad():
            inside = self.backbone.features(x, taps=(self.map_tap,))
            features, base = inside[self.map_tap], inside[EMBEDDING][0]
            rows = [torch.autograd.grad(value, features, retain_graph=True)[0] for value in base]
        matrix = torch.stack([self.as_map(row).flatten() for row in rows])
        return matrix, base.detach() - matrix @ self.as_map(features.detach()).flatten()


_BATCH = 64
_APART = 0.01
"""Most that attended embeddings differ from the base ones, over how much these differ among themselves."""


def map_of(backbone: Backbone, tap: str = "") -> tuple[str, tuple[int, int, int]]:
    """The full name of a tap that is a map, and its channels, height and width.

    Args:
        backbone: The network.
        tap: Which; the last one that is a map when empty.

    Raises:
        UsageError: There is none, or that one is none.
    """
    if tap:
        backbone.check_taps([tap])
    for name in (backbone.tap(tap),) if tap else reversed(list(backbone.taps)):
        shape = map_shape(name, backbone.taps[name])
        if shape is not None:
            return name, shape
    asked = f"the tap {tap} is none" if tap else "no tap is one"
    raise UsageError(
        f"recognizability needs a map (C, h, w), or the tokens of a square one; of {type(backbone).__name__} {asked}; "
        f"its taps are {', '.join(backbone.taps)}"
    )


def map_shape(name: str, shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Channels, height and width of a tap that is a map, or tokens of a square one; else None."""
    if name.endswith((".logits", ".weights")):
        return None
    if len(shape) == 3:
        return shape[0], shape[1], shape[2]
    if len(shape) == 2 and math.isqrt(shape[0]) ** 2 == shape[0]:
        return shape[1], math.isqrt(shape[0]), math.isqrt(shape[0])
    return None
