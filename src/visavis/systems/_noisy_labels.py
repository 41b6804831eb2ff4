"""The miniature of training on noisy labels: pictures of some people, a part of the labels exchanged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visavis._require import require
from visavis.protocols.ledger import RolesTouched
from visavis.systems._miniature import ARCHIVE, CELEBRITY_FILES


@dataclass(frozen=True, slots=True)
class NoisySetting:
    """A small network, its training, and the noise.

    Attributes:
        size: Height and width of the pictures.
        widths: Channels after each convolution.
        dimension: Length of an embedding.
        steps: Steps of each training.
        held: Pictures of each person to test on.
        batch: Pictures of a batch.
        rate: Learning rate of Adam.
        noise: Chance of a training picture to get the label of another person.
        threshold: tau, by which labels are corrected before the second training.
        higher: A higher tau, at which the corrected labels should be better.
        others: Whether ReLU and targets between label and belief are measured besides.
    """

    size: tuple[int, int]
    widths: tuple[int, ...]
    dimension: int
    steps: int
    held: int = 2
    batch: int = 64
    rate: float = 2e-3
    noise: float = 0.3
    threshold: float = 0.3
    higher: float = 0.5
    others: bool = True


QUICK = NoisySetting((24, 20), (12, 24, 32), 64, steps=500)
FULL = NoisySetting((32, 32), (16, 32, 64), 128, steps=1100, held=4, others=False)


class Part(NamedTuple):
    """Pictures with labels.

    Attributes:
        pixels: float32 ``(N, 1, H, W)`` in 0..1.
        people: int64 ``(N,)``, whom each shows.
        labels: int64 ``(N,)``, what is said of it.
    """

    pixels: NDArray[np.float32]
    people: NDArray[np.int64]
    labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class NoisyFaces:
    """What the repetitions share.

    Attributes:
        pixels: float32 ``(N, 1, H, W)`` in 0..1.
        people: int64 ``(N,)``, from 0.
        roles: The people, by role in the ledger.
        setting: Of the budget.
    """

    pixels: NDArray[np.float32]
    people: NDArray[np.int64]
    roles: tuple[RolesTouched, ...]
    setting: NoisySetting

    @property
    def classes(self) -> int:
        """Number of people."""
        return int(self.people.max()) + 1

    def parts(self, seed: int) -> tuple[Part, Part]:
        """The pictures to train on, with noisy labels, and those held out, of the same people, with true ones."""
        rng = np.random.default_rng((seed, 0))
        held = np.zeros(len(self.people), bool)
        for person in range(self.classes):
            mine = rng.permutation(np.flatnonzero(self.people == person))
            held[mine[: min(self.setting.held, len(mine) - 1)]] = True
        people = self.people[~held]
        wrong = rng.random(len(people)) < self.setting.noise
        labels = np.where(wrong, (people + rng.integers(1, self.classes, len(people))) % self.classes, people)
        return Part(self.pixels[~held], people, labels), Part(self.pixels[held], self.people[held], self.people[held])


def prepare(data: Path, budget: str) -> NoisyFaces:
    """The faces of a budget.

    Args:
        data: The data folder.
        budget: ``quick``: ORL, all 40 people. ``full``: the CelebA identities of role ``train``.

    Raises:
        DependencyError: torch is not installed.
        UnreadableError: A file cannot be read.
        InputError: Too few people or pictures.
    """
    require("torch", extra="torch", why="training a miniature")
    if budget == "full":
        from visavis.systems._web_faces import read_celebrities

        found = read_celebrities(*(data / name for name in CELEBRITY_FILES), size=FULL.size)
        enough = np.bincount(found.labels)[found.labels] > FULL.held
        people = np.unique(found.labels[enough], return_inverse=True)[1].astype(np.int64)
        return NoisyFaces(found.pixels[enough], people, (found.roles,), FULL)
    from visavis.systems._orl import read_orl

    faces = read_orl(data / ARCHIVE, size=QUICK.size)
    return NoisyFaces(
        np.concatenate([faces.train, faces.test]), np.concatenate([faces.labels, faces.people]), faces.roles, QUICK
    )
