"""Sharpness in torch, for networks that weigh by it within their own graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from visavis.quality.region import face_rectangle
from visavis.quality.sharpness import FLOOR, WIDTH, SharpnessScorer

if TYPE_CHECKING:
    from torch import Tensor

_LUMA = (0.299, 0.587, 0.114)


def sharpness_score(pictures: Tensor) -> Tensor:
    """The score of the measure ``sharpness`` over 100, of operators that every engine has.

    Args:
        pictures: Float RGB ``(B, 3, H, W)`` in 0..1, aligned crops.

    Returns:
        ``(B,)`` in 0..1.
    """
    scale = SharpnessScorer.scale
    share = (detail_share(pictures) - scale.bad) / (scale.good - scale.bad)
    return share.clamp(0.0, 1.0)


def detail_share(pictures: Tensor) -> Tensor:
    """`visavis.quality.sharpness.detail_share` of float RGB ``(B, 3, H, W)`` in 0..1; ``(B,)``."""
    from torch.nn import functional as F

    luma = (pictures * pictures.new_tensor(_LUMA).reshape(3, 1, 1)).sum(1, keepdim=True) * 255
    edge = WIDTH // 2
    smooth = F.avg_pool2d(F.pad(luma, (edge, edge, edge, edge), mode="reflect"), WIDTH, stride=1)
    before, after = _steps(luma), _steps(smooth)
    return (1 - (after + FLOOR) / (before + FLOOR)).clamp(0.0, 1.0)


def _steps(luma: Tensor) -> Tensor:
    """Mean step between neighbours in the face, ``(B,)``."""
    rows, columns = face_rectangle(luma.shape[2], luma.shape[3])
    face = luma[:, 0, rows, columns]
    down = (face[:, 1:] - face[:, :-1]).abs().mean((1, 2))
    across = (face[:, :, 1:] - face[:, :, :-1]).abs().mean((1, 2))
    return (down + across) / 2
