"""What all backbones share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from visavis.cards import InputContract
from visavis.errors import UsageError

EMBEDDING = "embedding"


class Backbone(nn.Module):
    """A network from aligned crops to raw embeddings, with declared taps on the way.

    Attributes:
        contract: How 0..255 pixels become the input: colour, mean, scale, size, template.
        dimension: Length of an embedding.
        taps: Tap name -> shape of that tensor without the batch; ``embedding`` is always one of them.
    """

    contract: InputContract
    dimension: int
    taps: Mapping[str, tuple[int, ...]]

    def forward(self, x: Tensor) -> Tensor:
        """Normalised input ``(B, C, H, W)`` to raw embeddings ``(B, D)``; see `contract`."""
        return self.features(x)[EMBEDDING]

    def features(self, x: Tensor, *, taps: Sequence[str] = ()) -> dict[str, Tensor]:
        """The embedding and what was asked for on the way to it, of one pass.

        Args:
            x: Normalised input ``(B, C, H, W)``.
            taps: Names out of `taps`.

        Returns:
            The taps, each ``(B, *self.taps[name])``, and always ``embedding``; in evaluation mode bitwise the
            same whatever taps are asked for.

        Raises:
            UsageError: An unknown tap, or another input shape.
        """
        raise NotImplementedError

    def blocks(self) -> list[nn.Module]:
        """The repeated blocks in order, for adapters and layer-wise rates."""
        raise NotImplementedError

    def check_taps(self, taps: Sequence[str]) -> None:
        """Refuse taps that are not declared.

        Raises:
            UsageError: The message lists those that are.
        """
        unknown = sorted(set(taps) - set(self.taps))
        if unknown:
            raise UsageError(f"no tap {', '.join(unknown)}; the taps are {', '.join(self.taps)}")
