"""From raw embeddings to templates: unit length, and a reason where there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from visavis.cards import WeightCard
from visavis.errors import UsageError
from visavis.types import Crops, Failure, Provenance, Status, Templates, TemplateSpace

_BAD_EMBEDDING = Failure("embedding", "the network gave no finite embedding for this face")


def template_rows(raw: NDArray[np.float32], status: Status, space: TemplateSpace, made_by: Provenance) -> Templates:
    """Templates of raw embeddings; rows that are not finite or all zero fail.

    Args:
        raw: float32 ``(N, D)``.
        status: Of the crops; failed rows stay failed.
        space: The space of the templates.
        made_by: What computed the embeddings.
    """
    norms = np.sqrt((raw.astype(np.float64) ** 2).sum(axis=1))
    failures = [
        failure or (None if np.isfinite(norm) and norm > 0 else _BAD_EMBEDDING)
        for failure, norm in zip(status, norms, strict=True)
    ]
    final = Status(tuple(failures))
    norms[~final.ok] = np.nan
    vectors = (raw / norms[:, None]).astype(np.float32)
    return Templates(vectors, norms.astype(np.float32), final, np.full(len(raw), np.nan, np.float32), space, made_by)


def template_space(card: WeightCard, *, detector: str, flip: bool) -> TemplateSpace:
    """The space of a recogniser's templates, of crops that a detector placed."""
    space = TemplateSpace(
        detector=detector,
        landmarks="five-point",
        crop=card.contract.template,
        recogniser=card.sha256,
        dimension=card.dimension,
        flip=flip,
    )
    older = tuple(replace(space, recogniser=sha256).fingerprint for sha256 in card.compatible_with)
    return replace(space, compatible=older)


def embed_rows(
    crops: Crops,
    card: WeightCard,
    run: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    *,
    flip: bool,
    made_by: Provenance,
) -> Templates:
    """One template a crop, in order; failed crops give failed templates.

    Args:
        crops: The crops.
        card: Of the recogniser.
        run: From uint8 RGB crops ``(N, H, W, 3)`` to raw embeddings ``(N, D)``.
        flip: Whether ``run`` averages in the mirrored crop.
        made_by: What computes the embeddings.

    Raises:
        UsageError: The crops follow another template than the network expects.
    """
    check_crops(crops, card)
    good = np.flatnonzero(crops.ok)
    raw = np.full((len(crops), card.dimension), np.nan, np.float32)
    if good.size:
        raw[good] = run(crops.pixels[good])
    return template_rows(raw, crops.status, template_space(card, detector=crops.detector, flip=flip), made_by)


def check_crops(crops: Crops, card: WeightCard) -> None:
    """Refuse crops that follow another template than the network expects.

    Raises:
        UsageError: Another template or size.
    """
    contract = card.contract
    if crops.template != contract.template or (len(crops) and crops.pixels.shape[1:3] != contract.size):
        raise UsageError(
            f"{card.name} takes {contract.template} crops of {contract.size}; got {crops.template} of "
            f"{crops.pixels.shape[1:3]}"
        )
