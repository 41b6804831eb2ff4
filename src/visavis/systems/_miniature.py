"""What the miniatures have in common: the faces of a budget, and how long which network is trained on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from visavis._require import require
from visavis.protocols.ledger import RolesTouched

if TYPE_CHECKING:
    from visavis.systems._small_faces import SmallFaces

ARCHIVE = "orl/orl.tar"
CELEBRITY_FILES = ("celeba_ids/celeba_ids.tar", "celeba_ids/labels.csv")
WEB_FILES = (*CELEBRITY_FILES, "cfp_dev/cfp_dev.tar", "cfp_dev/pairs_FF.csv")
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
        floor: AUC of the test pairs that a trained arm reaches at least: for ORL that of the fact sheets, for the web
            faces set on development people.
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
    floor: float
    warm: int = 0
    dimension: int = 64
    scale: float = 16.0
    rate: float = 1e-3


ORL = Setting((24, 20), (8, 16, 32), steps=150, people=10, pictures=5, floor=0.88)
WEB = Setting((48, 48), (16, 32, 64, 64), steps=400, people=20, pictures=4, floor=0.75, warm=200)


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

    Raises:
        DependencyError: torch is not installed.
        UnreadableError: A file cannot be read.
    """
    require("torch", extra="torch", why="training a miniature")
    from visavis.systems._orl import read_orl
    from visavis.systems._web_faces import read_web_faces

    if budget == "full":
        return Miniature(read_web_faces(*(data / name for name in WEB_FILES), size=WEB.size), WEB)
    return Miniature(read_orl(data / ARCHIVE, size=ORL.size), ORL)
