"""What is compared of a network that was adapted to small faces."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of adapting, or none.

    Attributes:
        low: Rank-1 of probes of few pixels against whole pictures.
        clean: Accuracy on whole pictures at equal error rates, 1 less the EER.
        share: Trained weights over those of the network.
    """

    low: float
    clean: float
    share: float
