"""The iResNet of AdaFace and CVLface: the same blocks, but for two details, in keys of its own."""

from __future__ import annotations

from functools import partial

from torch import nn

from visavis.nn.backbones.contracts import adaface_contract
from visavis.nn.backbones.iresnet import IResNetBackbone


class AdaFaceIResNetBackbone(IResNetBackbone):
    """`IResNetBackbone` as released with AdaFace (Kim et al. 2022) and in CVLface: ``ir_18`` to ``ir_101``.

    Where the first stage halves the picture and keeps its width, the shortcut takes every second pixel instead of
    a convolution, and the last BN has neither weight nor bias. Channels are blue, green, red. Kaiming-normal start
    (fan out), dropout 0.4, as there.

    Args:
        layers: Blocks of each stage.
        size: Side of the input, a multiple of 16.
        dimension: Length of an embedding.
        dropout: Before the linear layer.

    Raises:
        UsageError: An option out of range.
    """

    def __init__(
        self, layers: tuple[int, int, int, int], /, *, size: int = 112, dimension: int = 512, dropout: float = 0.4
    ) -> None:
        super().__init__(layers, size=size, dimension=dimension, dropout=dropout)
        self.contract = adaface_contract(size)
        self.layer1.get_submodule("0").downsample = nn.MaxPool2d(1, 2)
        self.neck = nn.BatchNorm1d(dimension, affine=False)
        self.released = _released(layers)
        for part in self.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.fc.bias)


_UNIT = {"bn1": 0, "conv1": 1, "bn2": 2, "prelu": 3, "conv2": 4, "bn3": 5}


def _released(layers: tuple[int, ...]) -> dict[str, str]:
    """The blocks stand in one row, and every layer has a number in place of a name."""
    ends = {"conv1.": "input_layer.0.", "bn1.": "input_layer.1.", "prelu.": "input_layer.2."}
    ends |= {"bn2.": "output_layer.0.", "fc.": "output_layer.3.", "neck.": "output_layer.4."}
    places = [(stage, block) for stage, count in enumerate(layers, start=1) for block in range(count)]
    for number, (stage, block) in enumerate(places):
        here, there = f"layer{stage}.{block}", f"body.{number}"
        ends |= {f"{here}.{name}.": f"{there}.res_layer.{index}." for name, index in _UNIT.items()}
        ends[f"{here}.downsample."] = f"{there}.shortcut_layer."
    return ends


adaface_ir18 = partial(AdaFaceIResNetBackbone, (2, 2, 2, 2))
adaface_ir50 = partial(AdaFaceIResNetBackbone, (3, 4, 14, 3))
adaface_ir101 = partial(AdaFaceIResNetBackbone, (3, 13, 30, 3))
