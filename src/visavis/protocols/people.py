"""Who is on the pictures of a pair list."""

from __future__ import annotations

from dataclasses import dataclass

from visavis.errors import UsageError
from visavis.metrics.components import components
from visavis.protocols.pairs import PairList


@dataclass(frozen=True, slots=True)
class PairPeople:
    """Both person columns of a list.

    Attributes:
        person1: Person of the first picture of each pair.
        person2: Person of the second.
        linked: True where the list does not name its people, and pictures count as one person when mated pairs
            link them.
    """

    person1: tuple[str, ...]
    person2: tuple[str, ...]
    linked: bool

    @property
    def number(self) -> int:
        """How many distinct people there are."""
        return len({*self.person1, *self.person2})


def pair_people(pairs: PairList) -> PairPeople:
    """The people of a list: those it names, else those that its mated pairs imply.

    Pictures that mated pairs link, directly or through others, show one person; that person is named after its
    first picture. Two pictures of one person that no mated pair links count as two people, so intervals over
    such people may be too narrow.

    Raises:
        UsageError: A non-mated pair lies within one such person: a wrong label, or a list to name people in.
    """
    if pairs.person1 is not None and pairs.person2 is not None:
        return PairPeople(pairs.person1, pairs.person2, linked=False)
    names = pairs.images
    first, second = pairs.positions()
    roots = components(first[pairs.same], second[pairs.same], len(names))
    person1 = tuple(names[row] for row in roots[first].tolist())
    person2 = tuple(names[row] for row in roots[second].tolist())
    for row, (one, two, same) in enumerate(zip(person1, person2, pairs.same.tolist(), strict=True)):
        if one == two and not same:
            raise UsageError(
                f"pair {row + 1} ({pairs.image1[row]}, {pairs.image2[row]}) is non-mated, but mated pairs link its "
                "pictures to one person; correct the labels, or add the columns person1,person2"
            )
    return PairPeople(person1, person2, linked=True)
