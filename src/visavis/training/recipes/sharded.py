"""How the classifier of a recipe is split over processes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from visavis import registry
from visavis.errors import UsageError
from visavis.losses.sharded import ShardedClassifier
from visavis.training.group import Group
from visavis.training.recipes.part import Part


@dataclass(frozen=True, slots=True)
class Sharded:
    """The classes of the main loss are split over the processes of a run; see `visavis.losses.sharded`.

    Attributes:
        sample_rate: Share of the classes that is scored in a step; 1 is the plain loss.
        filter: Cosines with other classes above this become 0, as likely one person under two labels; none when None.
    """

    sample_rate: float = 1.0
    filter: float | None = None

    def __post_init__(self) -> None:
        numbers = not isinstance(self.sample_rate, bool) and not isinstance(self.filter, bool)
        if not numbers or not 0 < self.sample_rate <= 1 or not (self.filter is None or -1 <= self.filter <= 1):
            raise UsageError(f"a sample rate is above 0 and at most 1, a filter a cosine or none; got {self}")


def sharded_loss(
    part: Part, how: Sharded, group: Group, *, dimension: int, classes: int, seed: int
) -> ShardedClassifier:
    """The main loss of a recipe, with the classes of this process.

    Args:
        part: The loss.
        how: See `Sharded`.
        group: The processes.
        dimension: Length of an embedding.
        classes: Number of classes.
        seed: Of the centres.

    Raises:
        UsageError: The loss has no classes, or is no plain classifier; options that do not fit.
    """
    name = registry.resolve(part.name, kind="loss")
    if not getattr(registry.load(name), "has_classes", False):
        raise UsageError(f"{name} has no classes that could be split over processes; leave classifier out")
    return ShardedClassifier(
        partial(part.build, "loss"),
        dimension,
        classes,
        group=group,
        sample_rate=how.sample_rate,
        filter_above=how.filter,
        seed=seed,
    )
