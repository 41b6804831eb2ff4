"""MobileFaceNet: inverted bottlenecks and a global depthwise convolution, for phones and small experiments."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Literal, get_args

from torch import Tensor, nn

from visavis.errors import UsageError
from visavis.nn.backbones.backbone import EMBEDDING, Backbone, Keep, check_options
from visavis.nn.backbones.contracts import arcface_contract
from visavis.nn.layers.prelu import PReLU

Activation = Literal["prelu", "relu", "none"]


class Unit(nn.Module):
    """A convolution without bias, BN, and an activation.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        side: Of the kernel.
        stride: Of the convolution.
        padding: Half the kernel when omitted.
        groups: Groups of the convolution.
        activation: A PReLU for each channel, a ReLU, or none.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        side: int = 1,
        stride: int = 1,
        padding: int | None = None,
        groups: int = 1,
        activation: Activation = "prelu",
    ) -> None:
        super().__init__()
        border = side // 2 if padding is None else padding
        parts: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, side, stride, border, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        if activation != "none":
            parts.append(PReLU(outputs) if activation == "prelu" else nn.ReLU(inplace=True))
        self.layers = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, H', W')``."""
        result: Tensor = self.layers(x)
        return result


class Bottleneck(nn.Module):
    """1 x 1 to ``hidden`` channels, 3 x 3 depthwise, 1 x 1 back without activation.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        hidden: Channels between.
        stride: Of the depthwise convolution; with 1 the input is added to the output.
        activation: Of the two first convolutions.
    """

    def __init__(self, inputs: int, outputs: int, hidden: int, *, stride: int, activation: Activation) -> None:
        super().__init__()
        self.residual = stride == 1
        self.layers = nn.Sequential(
            Unit(inputs, hidden, activation=activation),
            Unit(hidden, hidden, side=3, stride=stride, groups=hidden, activation=activation),
            Unit(hidden, outputs, activation="none"),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, H / stride, W / stride)``."""
        value: Tensor = self.layers(x)
        return x + value if self.residual else value


class Bottlenecks(nn.Module):
    """Bottlenecks of one width with their inputs added, one after the other."""

    def __init__(self, channels: int, hidden: int, *, count: int, activation: Activation) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(Bottleneck(channels, channels, hidden, stride=1, activation=activation) for _ in range(count))
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, channels, H, W)`` to the same shape."""
        result: Tensor = self.layers(x)
        return result


class MobileFaceNetBackbone(Backbone):
    """Chen et al., MobileFaceNets, 2018, table 1, with the depths, widths and keys of insightface.

    Widths in the paper are 64 and 128, hidden widths 128, 256 and 512, and one 7 x 7 depthwise convolution over
    the whole last map stands for the pooling. ``width`` multiplies 64 and 128; below 1 it multiplies the hidden
    widths and the 512 channels before the embedding too. insightface ``mbf`` is width 2 with 512 values, depths
    (1, 4, 6, 2); ``mbf_large`` width 4, depths (2, 8, 12, 4). Kaiming-normal start (fan out), as there.

    Args:
        depths: Blocks at 1/2, 1/4, 1/8 and 1/16 of the size. A first depth of 1 is a 3 x 3 convolution in
            groups, more are bottlenecks, 0 leaves the stage empty.
        width: See above.
        size: Side of the input, a multiple of 8, at least 16.
        dimension: Length of an embedding.
        activation: ``prelu`` as in the paper, or ``relu``, which runtimes compute within the convolution before it.

    Attributes:
        head: The global depthwise convolution and the embedding; ``features`` in released checkpoints.

    Raises:
        UsageError: An option out of range.
    """

    released: Mapping[str, str] = {"head.": "features."}

    def __init__(
        self,
        depths: tuple[int, int, int, int],
        /,
        *,
        width: float = 2.0,
        size: int = 112,
        dimension: int = 512,
        activation: Activation = "prelu",
    ) -> None:
        check_options(size=size, multiple=8, smallest=16, dimension=dimension)
        if not 0.125 <= width <= 8 or width * 64 % 8:
            raise UsageError(f"width is a multiple of 1/8 from 1/8 to 8; got {width}")
        if activation not in get_args(Activation)[:2]:
            raise UsageError(f"an activation is prelu or relu; got {activation!r}")
        super().__init__()
        self.contract = arcface_contract(size)
        self.dimension = dimension
        narrow, wide = int(64 * width), int(128 * width)
        hidden = [int(value * min(width, 1.0)) for value in (128, 256, 512)]
        last, side = hidden[2], -(-size // 16)
        sides = (size // 2, size // 4, size // 8, side)
        self.taps = {
            **{
                f"stage{n}": (c, s, s) for n, c, s in zip(range(1, 5), (narrow, narrow, wide, wide), sides, strict=True)
            },
            EMBEDDING: (dimension,),
        }
        unit = partial(Unit, activation=activation)
        bottleneck = partial(Bottleneck, activation=activation)
        bottlenecks = partial(Bottlenecks, activation=activation)
        first: nn.Module = bottlenecks(narrow, hidden[0], count=depths[0])
        if depths[0] == 1:  # the released networks keep the paper's convolution in this case
            first = unit(narrow, narrow, side=3, groups=int(64 * min(width, 1.0)))
        self.layers = nn.ModuleList(
            [
                unit(3, narrow, side=3, stride=2),
                first,
                bottleneck(narrow, narrow, hidden[0], stride=2),
                bottlenecks(narrow, hidden[0], count=depths[1]),
                bottleneck(narrow, wide, hidden[1], stride=2),
                bottlenecks(wide, hidden[1], count=depths[2]),
                bottleneck(wide, wide, hidden[2], stride=2),
                bottlenecks(wide, hidden[1], count=depths[3]),
            ]
        )
        self.conv_sep = unit(wide, last)
        self.head = nn.Module()
        self.head.layers = nn.Sequential(
            Unit(last, last, side=side, padding=0, groups=last, activation="none"),
            nn.Flatten(),
            nn.Linear(last, dimension, bias=False),
            nn.BatchNorm1d(dimension),
        )
        for part in self.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")

    def embed(self, x: Tensor, keep: Keep) -> Tensor:
        """See `Backbone.embed`."""
        value = x
        for number, layer in enumerate(self.layers):
            value = layer(value)
            if number % 2:
                keep(f"stage{number // 2 + 1}", value)
        result: Tensor = self.head.get_submodule("layers")(self.conv_sep(value))
        return result

    def blocks(self) -> list[nn.Module]:
        """The first layers and every bottleneck, in order."""
        found: list[nn.Module] = []
        for layer in self.layers[1:]:
            found += [*layer.layers] if isinstance(layer, Bottlenecks) else [layer]
        return found


mobilefacenet = partial(MobileFaceNetBackbone, (1, 4, 6, 2))
mobilefacenet_large = partial(MobileFaceNetBackbone, (2, 8, 12, 4), width=4.0)
mobilefacenet_small = partial(MobileFaceNetBackbone, (0, 1, 5, 2), width=0.75, dimension=128, activation="relu")
mobilefacenet_tiny = partial(MobileFaceNetBackbone, (0, 2, 2, 1), width=0.25, size=56, dimension=128)
