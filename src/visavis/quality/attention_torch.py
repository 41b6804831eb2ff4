"""The attention of vision transformers in torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visavis._require import require
from visavis.errors import ModelError, UsageError
from visavis.quality.attention_score import Projection, attention_map_of_tokens

if TYPE_CHECKING:
    from torch import Tensor

    from visavis.nn.backbones.backbone import Backbone

_TAP = "blocks.-1.attn.tokens"
_BATCH = 32


class TorchAttention:
    """A backbone of which the attention is wanted, for `visavis.quality.attention.AttentionScorer`.

    Any backbone whose blocks attend over all patches: ``backbone/vit-*``, filled by
    `visavis.nn.checkpoints.load.load_released` from checkpoints of insightface, CVLface and AdaFace. Weights are read
    anew at every call; no matrix of all pairs of patches is read.

    Args:
        backbone: Put into evaluation mode.

    Raises:
        DependencyError: torch is not installed.
        ModelError: It is no vision transformer, or one with windows.
    """

    def __init__(self, backbone: Backbone) -> None:
        require("torch", extra="torch", why="the attention of a network in torch")
        if backbone.tap(_TAP) not in backbone.taps:
            raise ModelError(
                f"{type(backbone).__name__} has no block that attends over all patches; ATTN-FIQA needs a vision "
                "transformer without windows, such as backbone/vit-s8",
                reason="model.attention",
            )
        if any("trainable_lora" in name for name, _ in backbone.blocks()[-1].named_parameters()):
            raise ModelError(
                "the last block has adapters, and what it attends to is read from plain layers; give merged(alpha)",
                reason="model.attention",
            )
        self._backbone = backbone.eval()

    def attention(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the last block attends to: float32 ``(N, patches)``, see `visavis.quality.attention_score`.

        Args:
            pixels: uint8 RGB crops ``(N, H, W, 3)``; of another side than the contract's they are resized.
        """
        return self.embed(pixels)[1]

    def embed(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Raw embeddings ``(N, D)``, bitwise those of the backbone alone, and `attention`, of one run.

        Raises:
            UsageError: Other pixels, or none.
        """
        import torch

        from visavis.nn.pixels import network_input

        if pixels.dtype != np.uint8 or pixels.ndim != 4 or not len(pixels):
            raise UsageError(f"crops are uint8 RGB (N, H, W, 3), one or more; got {pixels.dtype} {pixels.shape}")
        parts = [pixels[start : start + _BATCH] for start in range(0, len(pixels), _BATCH)]
        with torch.inference_mode():
            found = [self.look(network_input(torch.tensor(part), self._backbone.contract)) for part in parts]
        embeddings, attention = (np.concatenate(column) for column in zip(*found, strict=True))
        return embeddings, attention

    def look(self, x: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """As `embed`, of the normalised input of the network ``(B, C, H, W)``."""
        import torch

        with torch.inference_mode():
            found = self._backbone.features(x, taps=(_TAP,))
        tokens = found[_TAP].float().numpy()
        return found["embedding"].float().numpy(), attention_map_of_tokens(tokens, last_projection(self._backbone))


def last_projection(backbone: Backbone) -> Projection:
    """The layers that make queries and keys in the last block of a vision transformer.

    Args:
        backbone: One that `TorchAttention` takes.
    """
    attention: Any = backbone.blocks()[-1].attn
    query, key, _ = attention.qkv.weight.detach().float().numpy().reshape(3, -1, attention.qkv.in_features)
    bias = attention.qkv.bias
    biases = (None, None) if bias is None else tuple(bias.detach().float().numpy().reshape(3, -1)[:2])
    return Projection(query, key, attention.heads, *biases)
