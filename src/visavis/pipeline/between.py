"""The calibration for templates of one space, or of two that may be compared."""

from __future__ import annotations

from visavis.calibration.table import Calibration, shipped
from visavis.errors import ModelError
from visavis.types import TemplateSpace
from visavis.types.space import pair_fingerprint

_TWO_SPACES = "the templates are of two spaces, one made to fit the other; the threshold was measured in one space"


def calibration_between(own: Calibration, left: TemplateSpace, right: TemplateSpace) -> tuple[Calibration, str]:
    """The calibration for comparing templates of these spaces, and what the reader must know of it.

    Args:
        own: The calibration of the pipeline that compares.
        left: Space of one side, comparable with the other.
        right: Space of the other side.

    Returns:
        The one that was fitted on pairs of just these spaces, where it ships, and no words; else ``own``, with a
        warning where the spaces differ.
    """
    between = pair_fingerprint(left, right)
    if between == own.space:
        return own, ""
    try:
        return shipped(between), ""
    except ModelError:
        return own, "" if left.fingerprint == right.fingerprint else _TWO_SPACES
