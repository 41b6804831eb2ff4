"""What all backbones share."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn

from visavis.cards import InputContract
from visavis.errors import UsageError
from visavis.nn.layers.recording import recording

EMBEDDING = "embedding"

_FROM_END = re.compile(r"^blocks\.-(\d+)(?=\.|$)")

Keep = Callable[[str, Tensor], None]
"""What a backbone tells of each declared tap as it goes: name and tensor."""


class Backbone(nn.Module):
    """A network from aligned crops to raw embeddings, with declared taps on the way.

    A family implements `embed` and `blocks`, and sets the attributes below.

    Attributes:
        contract: How 0..255 pixels become the input: colour, mean, scale, size, template.
        dimension: Length of an embedding.
        taps: Tap name -> shape of that tensor without the batch; ``embedding`` is always one of them.
        released: Prefix of our keys -> prefix of the same keys in released checkpoints, where they differ; the
            longest prefix counts.
        told: Taps that an export gives as outputs beside the embedding.
    """

    contract: InputContract
    dimension: int
    taps: Mapping[str, tuple[int, ...]]
    released: Mapping[str, str] = {}
    told: tuple[str, ...] = ()

    def forward(self, x: Tensor) -> Tensor:
        """Normalised input ``(B, C, H, W)`` to raw embeddings ``(B, D)``; see `contract`."""
        return self.features(x)[EMBEDDING]

    def features(self, x: Tensor, *, taps: Sequence[str] = ()) -> dict[str, Tensor]:
        """The embedding and what was asked for on the way to it, of one pass.

        Args:
            x: Normalised input ``(B, C, H, W)``.
            taps: Names out of `taps`; ``blocks.-1`` is the last block.

        Returns:
            The taps under the names asked for, each ``(B, *self.taps[name])``, and always ``embedding``; in
            evaluation mode bitwise the same whatever taps are asked for.

        Raises:
            UsageError: An unknown tap, or another input shape.
        """
        self.check_taps(taps)
        self.check_input(x)
        wanted = {name: self.tap(name) for name in taps}
        found: dict[str, Tensor] = {}

        def keep(name: str, value: Tensor) -> None:
            if name in wanted.values():
                found[name] = value

        found[EMBEDDING] = self.embed(x, keep)
        return {name: found[full] for name, full in wanted.items()} | {EMBEDDING: found[EMBEDDING]}

    def embed(self, x: Tensor, keep: Keep) -> Tensor:
        """Normalised input to raw embeddings ``(B, D)``; hands every tap but ``embedding`` to ``keep``."""
        raise NotImplementedError

    def blocks(self) -> list[nn.Module]:
        """The repeated blocks in order, for adapters and layer-wise rates."""
        raise NotImplementedError

    def tap(self, name: str) -> str:
        """The declared name of a tap whose block may be counted from the end: ``blocks.-1`` is the last one."""
        return _FROM_END.sub(lambda found: f"blocks.{len(self.blocks()) - int(found[1])}", name)

    def check_taps(self, taps: Sequence[str]) -> None:
        """Refuse taps that are not declared.

        Raises:
            UsageError: The message lists those that are.
        """
        unknown = sorted({name for name in taps if self.tap(name) not in self.taps})
        if unknown:
            raise UsageError(f"no tap {', '.join(unknown)}; the taps are {', '.join(self.taps)}")

    def check_input(self, x: Tensor) -> None:
        """Refuse an input of another shape than the contract says.

        Raises:
            UsageError: The message names both shapes.
        """
        if recording():
            return
        wanted = (self.contract.channels, *(self.contract.size or x.shape[2:]))
        if x.ndim != 4 or tuple(x.shape[1:]) != wanted:
            raise UsageError(
                f"{type(self).__name__} takes {self.contract.colour} crops (B, {', '.join(map(str, wanted))}); got "
                f"{tuple(x.shape)}"
            )


def check_options(
    *, size: int, multiple: int, dimension: int, dropout: float = 0.0, smallest: int | None = None
) -> None:
    """Refuse options that no network can be built with.

    Args:
        size: Side of the square input.
        multiple: What the side must be a multiple of.
        dimension: Length of an embedding.
        dropout: Share of values dropped in training.
        smallest: The smallest side; ``multiple`` when omitted.

    Raises:
        UsageError: The message names the option and its range.
    """
    least = multiple if smallest is None else smallest
    if size < least or size % multiple:
        raise UsageError(f"size is a multiple of {multiple}, at least {least}; got {size}")
    if dimension < 1:
        raise UsageError(f"dimension is at least 1; got {dimension}")
    if not 0.0 <= dropout < 1.0:
        raise UsageError(f"dropout is in [0, 1); got {dropout}")
