"""SymFace: the two halves of a frontal face should be one person."""

from __future__ import annotations

from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from visavis.errors import UsageError
from visavis.losses.loss import Loss, check_same_shape

SplitMode = Literal["mirror", "mask", "resize"]
"""How a half becomes a picture; see `split_faces`."""

_NARROWEST = 16


def frontality(landmarks: Tensor, *, level_eyes: bool = False, with_mouth: bool = False) -> Tensor:
    """How frontal a face is: 1 with the nose in the middle of the eyes, 0 with the nose at an eye or beyond.

    ``1 - min(1, |(x_l + x_r) / 2 - x_n| / (|x_r - x_l| / 2))``. The three points are the paper's, the form is a
    reconstruction. It does not change with position, size or reflection.

    Args:
        landmarks: Float ``(B, 5, 2)``: left eye, right eye, nose, left and right mouth corner, pixels.
        level_eyes: Whether to turn the points so that the eyes are level first, for faces that are not aligned.
        with_mouth: Whether the nose is averaged with the middle of the mouth.

    Returns:
        ``(B,)`` in [0, 1]; 0 where the eyes are at one place.

    Raises:
        UsageError: Another shape, or points that are not finite.
    """
    _check_landmarks(landmarks)
    left, right = landmarks[:, 0], landmarks[:, 1]
    axis = landmarks[:, 2]
    if with_mouth:
        axis = (axis + landmarks[:, 3:].mean(1)) / 2
    across = right - left
    if not level_eyes:
        across = across * across.new_tensor([1.0, 0.0])
    width = across.norm(dim=1)
    away = ((axis - (left + right) / 2) * across).sum(1).abs()
    ratio = away / (width.square() / 2).where(width > 0, 1.0)
    rho: Tensor = 1.0 - ratio.clamp_max(1.0)
    return rho.where(width > 0, 0.0)


def split_faces(
    images: Tensor, *, landmarks: Tensor | None = None, mode: SplitMode = "mirror"
) -> tuple[Tensor, Tensor]:
    """Cut pictures between two columns and make a picture of each half.

    Aligned crops are cut in the middle. With landmarks the cut is the edge of columns nearest to the nose, and
    the halves are moved so that it lies in the middle; where they end early, their outermost column is
    repeated (``mask``: 0). With an odd width the middle is a column, which belongs to both halves.

    Args:
        images: ``(B, C, H, W)``, W >= 16.
        landmarks: Float ``(B, 5, 2)``, pixels from the centre of the top left one; None for aligned crops.
        mode: ``mirror``: a half and its reflection. ``mask``: a half, and 0 beside it. ``resize``: a half
            stretched to W, bilinear. In the last two the right half is reflected, so that both show the face
            on the same side.

    Returns:
        Left and right, each ``(B, C, H, W)`` of the dtype of the images.

    Raises:
        UsageError: Shapes that do not fit, pictures too narrow, a nose outside, or another mode.
    """
    if images.ndim != 4 or images.shape[3] < _NARROWEST:
        raise UsageError(f"pictures to split are (B, C, H, W) of width {_NARROWEST} or more; got {tuple(images.shape)}")
    if mode not in get_args(SplitMode):
        raise UsageError(f"a split mode is one of {', '.join(get_args(SplitMode))}; got {mode!r}")
    axis = _axes(images, landmarks)
    if mode == "resize":
        return _stretched(images, axis), _stretched(images.flip(3), images.shape[3] - 1 - axis)
    away = torch.arange(images.shape[3], device=images.device) - (images.shape[3] - 1) / 2
    if mode == "mirror":
        return _columns(images, axis[:, None] - away.abs()), _columns(images, axis[:, None] + away.abs())
    sides = axis[:, None] + away, axis[:, None] - away
    left, right = ((side >= 0) & (side <= images.shape[3] - 1) & (away <= 0) for side in sides)
    return _columns(images, sides[0]) * left[:, None, None], _columns(images, sides[1]) * right[:, None, None]


def symmetry_loss(
    left: Tensor, right: Tensor, frontalities: Tensor, *, threshold: float = 0.8, weighted: bool = True
) -> Tensor:
    """Mean over the frontal faces of the squared distance of unit embeddings of their halves.

    Args:
        left: Float ``(B, D)``, of any norm.
        right: Float ``(B, D)``.
        frontalities: ``(B,)``, see `frontality`.
        threshold: Faces below it contribute nothing.
        weighted: Whether each distance is multiplied by the frontality.

    Returns:
        A scalar in [0, 4]; 0 without frontal faces.
    """
    frontal = frontalities >= threshold
    distances = (F.normalize(left) - F.normalize(right)).square().sum(1)
    weights = frontalities if weighted else torch.ones_like(frontalities)
    return (distances * weights.where(frontal, 0.0)).sum() / frontal.sum().clamp_min(1)


class SymmetryLoss(Loss):
    """The distance of the embeddings of the two halves of a face, to be added to any loss of whole faces.

    Call it with left and right embeddings, and as the third argument the frontality ``(B,)`` of each face;
    without it every face counts as frontal. A constant embedding has loss 0: it is no loss on its own. Both
    halves get a gradient.

    Equation:
        ``L = w / n sum_{rho_i >= threshold} rho_i |e_left / |e_left| - e_right / |e_right||^2``, ``n`` the number of
        those faces

    Paper:
        SymFace: additional facial symmetry loss, 2024, arXiv 2409.11816. That it is a distance of the embeddings
        of halves of frontal faces is the paper's; its exact form, the threshold and the weight are a reconstruction.

    Paper values:
        None published; threshold 0.8 and weight 1 are guesses.

    Args:
        weight: Factor of the loss.
        threshold: The frontality from which a face counts.
        weighted: Whether each distance is multiplied by the frontality.
    """

    target: ClassVar[Literal["label", "embedding", "both"]] = "embedding"

    def __init__(self, *, weight: float = 1.0, threshold: float = 0.8, weighted: bool = True) -> None:
        super().__init__()
        if not weight >= 0 or not 0 <= threshold <= 1:
            raise UsageError(f"weight is 0 or more and threshold in [0, 1]; got {weight} and {threshold}")
        self.weight, self.threshold, self.weighted = weight, threshold, weighted

    def compute(self, embeddings: Tensor, target: Tensor, other: Tensor | None = None) -> Tensor:
        """See `symmetry_loss`."""
        check_same_shape(embeddings, target)
        rho = embeddings.new_ones(len(embeddings)) if other is None else other.to(embeddings.dtype)
        if rho.ndim != 1:
            raise UsageError(f"frontality is one number a face, (B,); got {tuple(rho.shape)}")
        frontal = rho >= self.threshold
        self.seen = {"symmetric": frontal.sum()}
        if bool(frontal.any()):
            self.seen["half_cosine"] = F.cosine_similarity(embeddings[frontal], target[frontal]).detach().mean()
        return self.weight * symmetry_loss(embeddings, target, rho, threshold=self.threshold, weighted=self.weighted)


def _check_landmarks(landmarks: Tensor) -> None:
    if landmarks.ndim != 3 or landmarks.shape[1:] != (5, 2) or not landmarks.is_floating_point():
        raise UsageError(f"landmarks are float (B, 5, 2); got {landmarks.dtype} {tuple(landmarks.shape)}")
    if not bool(landmarks.isfinite().all()):
        raise UsageError("landmarks hold numbers that are not finite; leave those faces out")


def _axes(images: Tensor, landmarks: Tensor | None) -> Tensor:
    """The mirror axis of each picture in pixel centres: a half for even widths, whole for odd ones."""
    width = images.shape[3]
    if landmarks is None:
        return torch.full((len(images),), (width - 1) / 2, device=images.device)
    _check_landmarks(landmarks)
    nose = landmarks[:, 2, 0].to(images.device)
    if len(nose) != len(images) or bool(((nose < 0) | (nose > width - 1)).any()):
        raise UsageError(f"one face a picture, its nose within 0..{width - 1}; got {nose.tolist()}")
    shift = 0.0 if width % 2 else 0.5
    return ((nose + shift).round() - shift).clamp(shift, width - 1 - shift)


def _columns(images: Tensor, places: Tensor) -> Tensor:
    """Columns of each picture by place ``(B, W)``, the outermost one beyond the edge."""
    index = places.round().long().clamp(0, images.shape[3] - 1)
    return images.gather(3, index[:, None, None].expand(-1, *images.shape[1:3], -1))


def _stretched(images: Tensor, axis: Tensor) -> Tensor:
    """What lies left of the axis of each picture, stretched to the whole width."""
    if not images.is_floating_point():
        raise UsageError(f"pictures to resize are float; got {images.dtype}")
    width = images.shape[3]
    kept = axis.floor() + 1
    places = (torch.arange(width, device=images.device) + 0.5) * kept[:, None] / width - 0.5
    places = places.clamp_min(0.0).minimum(kept[:, None] - 1)
    part = (places - places.floor()).to(images.dtype)[:, None, None]
    return _columns(images, places.floor()).lerp(_columns(images, places.floor() + 1), part)
