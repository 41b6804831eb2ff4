"""What the miniatures have in common: the faces of a budget, and how long which network is trained on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from visavis.protocols.ledger import RolesTouched
from visavis.systems._orl import ARCHIVE, HEIGHT, WIDTH, read_orl
from visavis.systems._small_faces import SmallFaces
from visavis.systems._web_faces import FILES as WEB_FILES
from visavis.systems._web_faces import SIDE, read_web_faces

FILES = (("quick", (ARCHIVE,)), ("full", WEB_FILES))
"""By budget, the files below the data folder; for the cards."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A small network and its training.

    Attributes:
        size: Height and width of the pictures.
        widths: Channels after each convolution.
        steps: Steps of training.
        people: People in a batch.
        pictures: Pictures of each.
        warm: Steps without a margin before, where margins do not learn from the start.
        dimension: Length of an embedding.
        scale: Factor of the cosines.
        rate: Learning rate of Adam.
    """

    size: tuple[int, int]
    widths: tuple[int, ...]
    steps: int
    people: int
    pictures: int
    warm: int = 0
    dimension: int = 64
    scale: float = 16.0
    rate: float = 1e-3


ORL = Setting((HEIGHT, WIDTH), (8, 16, 32), steps=150, people=10, pictures=5)
WEB = Setting((SIDE, SIDE), (16, 32, 64, 64), steps=600, people=20, pictures=4, warm=300)


@dataclass(frozen=True, slots=True)
class Miniature:
    """What all repetitions of an experiment share."""

    faces: SmallFaces
    setting: Setting

    @property
    def roles(self) -> tuple[RolesTouched, ...]:
        """The people touched, by role."""
        return self.faces.roles


def prepare(data: Path, budget: str) -> Miniature:
    """The miniature of a budget.

    Args:
        data: The data folder.
        budget: ``quick``: ORL. ``full``: CelebA and CFP.
    """
    if budget == "full":
        return Miniature(read_web_faces(data), WEB)
    return Miniature(read_orl(data / ARCHIVE), ORL)
