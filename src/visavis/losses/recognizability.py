"""The recognizability index: how far an embedding is from the unrecognisable, and how near to its own class."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from visavis.errors import UsageError
from visavis.losses.loss import check_labels, full_precision

Squash = Literal["none", "tanh"]
"""What bounds the index: nothing, or the hyperbolic tangent."""


class Proximities(NamedTuple):
    """Distances, 1 - cosine, in 0..2, without gradient.

    Attributes:
        own: d_P ``(B,)``: to the prototype of the own class; lower is better.
        others: d_N ``(B,)``: to the nearest prototype of another class.
        unrecognisable: d_UI ``(B,)``: to the centre of unrecognisable images.
    """

    own: Tensor
    others: Tensor
    unrecognisable: Tensor


def proximities(cosine: Tensor, labels: Tensor, to_centre: Tensor) -> Proximities:
    """Distances of a batch from its cosines.

    Args:
        cosine: ``(B, C)``, with the prototype of each class.
        labels: int64 ``(B,)`` in 0..C - 1.
        to_centre: ``(B,)``, the cosine with the centre of unrecognisable images.

    Raises:
        UsageError: Fewer than two classes, so that there is no other one, or labels out of range.
    """
    rows, classes = cosine.shape
    if classes < 2:
        raise UsageError(f"the recognizability index needs another class, two classes at least; got {classes}")
    check_labels(labels, rows=rows, classes=classes)
    if bool((labels < 0).any()):
        raise UsageError("the recognizability index is of rows with a class; leave out those of label -1")
    values = full_precision(cosine.detach())
    own = values.gather(1, labels[:, None])[:, 0]
    others = values.scatter(1, labels[:, None], -torch.inf).amax(1)
    return Proximities(1 - own, 1 - others, 1 - full_precision(to_centre.detach()))


def recognizability_index(
    near: Proximities, *, eps: float = 1e-3, squash: Squash = "none", limit: float | None = None
) -> Tensor:
    """``xi = max(0, d_UI d_N / (d_P + eps))``, higher is more recognisable.

    Chai et al. 2023, Recognizability Embedding Enhancement (CVPR, arXiv 2304.10066). The product with eps 1e-3 is that
    of a public derivative; the monotony in the three distances is the paper's.

    Args:
        near: Distances.
        eps: Keeps the index finite at the prototype; a row that is learnt by heart has an index of up to 2 / eps.
        squash: ``tanh`` bounds the index by 1.
        limit: Larger values become this one, before the squash; none when None.

    Returns:
        ``(B,)``, without gradient: through it a network would only be pulled to the prototypes.

    Raises:
        UsageError: An option out of range.
    """
    if squash not in get_args(Squash):
        raise UsageError(f"the index is squashed by one of {', '.join(get_args(Squash))}; got {squash!r}")
    if not eps > 0 or not (limit is None or limit > 0):
        raise UsageError(f"eps and the limit of an index are above 0; got {eps} and {limit}")
    index = (near.unrecognisable * near.others / (near.own + eps)).clamp(min=0, max=limit)
    return index.tanh() if squash == "tanh" else index


def unrecognisable_centre(embeddings: Tensor) -> Tensor:
    """The direction of unrecognisable images: the mean of their unit embeddings, of unit norm.

    Deng et al. 2021, Harnessing unrecognizable faces (arXiv 2106.04112), saw that they gather in one place.

    Args:
        embeddings: Float ``(N, D)``, of any norm.

    Returns:
        ``(D,)``, without gradient.

    Raises:
        UsageError: No embeddings, some that are not finite, or a mean without direction.
    """
    if embeddings.ndim != 2 or not len(embeddings):
        raise UsageError(
            f"the centre is of embeddings of unrecognisable images (N, D), one at least; got {tuple(embeddings.shape)}"
        )
    values = full_precision(embeddings.detach())
    if not bool(values.isfinite().all()):
        raise UsageError("the embeddings of unrecognisable images are not all finite; check the network")
    mean = F.normalize(values).mean(0)
    norm = torch.linalg.vector_norm(mean)
    if not float(norm) > 1e-6:
        raise UsageError("the embeddings of unrecognisable images cancel out, so that they have no centre; give others")
    centre: Tensor = mean / norm
    return centre
