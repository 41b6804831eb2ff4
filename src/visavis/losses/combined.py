"""Combined margins: one that multiplies the angle, one added to it, one subtracted from the cosine."""

from __future__ import annotations

from types import MappingProxyType

from torch import Tensor

from visavis.errors import UsageError
from visavis.losses.head import HeadLoss, Rows
from visavis.losses.targets import add_angle, change_targets, multiply_angle_by, others_above


def combined_logits(
    cosine: Tensor,
    labels: Tensor,
    *,
    margins: tuple[float, float, float] = (1.0, 0.3, 0.2),
    scale: float = 64.0,
    filter_above: float | None = None,
) -> Tensor:
    """``s (cos(m1 theta_y + m2) - m3)`` at each row's own class, ``s cos(theta_j)`` elsewhere.

    Args:
        cosine: ``(B, C)``, in [-1, 1].
        labels: int64 ``(B,)``; -1 for no margin on that row.
        margins: m1, m2 in radians, m3 in cosine.
        scale: Factor of the result.
        filter_above: Cosines with other classes above this become 0, as likely one person under two labels.
    """
    times, angle, less = margins

    def change(target: Tensor) -> Tensor:
        return add_angle(multiply_angle_by(target, times), angle) - less

    if filter_above is not None:
        cosine = cosine.masked_fill(others_above(cosine, labels, filter_above), 0.0)
    return change_targets(cosine, labels, change) * scale


class CombinedMarginLoss(HeadLoss):
    """Cross-entropy of scaled cosines, with the margins of SphereFace, ArcFace and CosFace together.

    Equation:
        ``L = -log(exp(s (cos(m1 t_y + m2) - m3)) / (exp(s (cos(m1 t_y + m2) - m3)) + sum_{j != y} exp(s cos t_j)))``

    Paper:
        Deng et al. 2019, ArcFace, eq. 4; arXiv 1801.07698. The filter is that of the authors' code, see WebFace260M.

    Paper values:
        margins (1, 0.3, 0.2) or (0.9, 0.4, 0.15), scale 64; (1, 0, 0.4) with filter 0.4 on WebFace42M.

    Args:
        dimension: Length of an embedding.
        classes: Number of classes.
        margins: m1, m2 in radians, m3 in cosine.
        scale: Factor of the cosines.
        filter_above: See `combined_logits`; none when omitted.
    """

    no_margin = MappingProxyType({"margins": (1.0, 0.0, 0.0)})

    def __init__(
        self,
        dimension: int,
        classes: int,
        *,
        margins: tuple[float, float, float] = (1.0, 0.3, 0.2),
        scale: float = 64.0,
        filter_above: float | None = None,
    ) -> None:
        super().__init__(dimension, classes, scale=scale)
        if len(margins) != 3 or not margins[0] > 0:
            raise UsageError(f"combined margins are three, (m1, m2, m3), with m1 above 0; got {margins}")
        self.margins = (float(margins[0]), float(margins[1]), float(margins[2]))
        self.filter_above = filter_above

    def apply_margin(self, cosine: Tensor, rows: Rows) -> Tensor:
        """See `combined_logits`."""
        return combined_logits(cosine, rows.columns, margins=self.margins, scale=1.0, filter_above=self.filter_above)
