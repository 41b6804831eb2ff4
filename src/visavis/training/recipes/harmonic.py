"""A new network into the space of an old one, so that stored templates stay in use: the two stages as recipes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from visavis.data.samplers import PeopleByPictures
from visavis.training.recipes.part import Part
from visavis.training.recipes.recipe import RecogniserRecipe
from visavis.training.recipes.start import Start

LOSS = "loss/harmonic-triplet"
_HALF = 0.5


def harmonic_stages(
    recipe: RecogniserRecipe,
    *,
    old: str,
    run: str | Path,
    first: str | Path,
    last: Sequence[str],
    pictures: int = 4,
) -> tuple[RecogniserRecipe, RecogniserRecipe]:
    """The recipes of harmonic training, for `train_recogniser` one after the other.

    Schroff et al. 2015, FaceNet, appendix: the last layer of the trained new network begins anew and learns alone
    against the old network, then the whole network does. That the rates of the second stage are half those of the
    first is ours. An export of the second run names the old recogniser on its card, and its templates may be compared
    with those of the old one.

    Args:
        recipe: Of the new network. Length, rates and augmentation stay; losses and order are replaced,
            and a classifier that is split is left out, as there is none.
        old: The old recogniser, a name or a file; of the same dimension and crops.
        run: Folder of the new network's own run.
        first: Folder in which the first stage is going to be.
        last: Modules of the last layer, ``("fc",)`` or ``("output",)``.
        pictures: Pictures of a person in a batch; `batch` is a multiple of it.

    Returns:
        First and second stage.
    """
    stage = replace(
        recipe,
        loss=Part(LOSS),
        terms={},
        symmetry=None,
        classifier=None,
        teacher=old,
        order=PeopleByPictures(pictures),
        start=Start(str(run), anew=tuple(last), only=tuple(last)),
        source="Schroff et al. 2015, FaceNet, appendix: harmonic embedding.",
    )
    slower = {
        group: replace(optimiser, rate=optimiser.rate * _HALF)
        for group, optimiser in recipe.training.optimisers.items()
    }
    second = replace(stage, start=Start(str(first)), training=replace(recipe.training, optimisers=slower))
    return stage, second
