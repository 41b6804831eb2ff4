"""A word before networks learn people from too few pictures to judge labels."""

from __future__ import annotations

import math
import warnings

from visavis.data.pack import Pack

FEW = 10
"""Pictures of a person, below which a network judged labels worse than they were: four of eight on ORL did."""
_MOST_FOLDS = 10


class FewPicturesWarning(UserWarning):
    """Networks learn a person from few pictures."""


def pictures_learnt(pictures: float, folds: int) -> float:
    """Pictures of a person that each network of a round is trained on.

    Args:
        pictures: How many there are of a person.
        folds: Networks, each trained on what the others are asked about; one is trained on everything.
    """
    return pictures * (1 - 1 / folds) if folds > 1 else pictures


def warn_of_few_pictures(pack: Pack, folds: int) -> None:
    """Say so where folds leave fewer than `FEW` pictures a person, on average.

    Warns:
        FewPicturesWarning: With the numbers and what to do.
    """
    pictures = len(pack) / len(pack.identities)
    learnt = pictures_learnt(pictures, folds)
    if folds == 1 or learnt >= FEW:
        return
    enough = math.ceil(pictures / (pictures - FEW)) if pictures > FEW else math.inf
    more = f"take more folds (--folds {enough}), or " if enough <= _MOST_FOLDS else "try "
    warnings.warn(
        f"each network learns a person from {learnt:.1f} pictures on average ({len(pack)} crops of "
        f"{len(pack.identities)} identities, {folds} folds); with fewer than {FEW} the labels can become worse: {more}"
        "one network that judges all, after a short training (--folds 1)",
        FewPicturesWarning,
        stacklevel=3,
    )
