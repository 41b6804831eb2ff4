"""Words for a likelihood ratio."""

from __future__ import annotations

import math

SOURCE = (
    "ENFSI Guideline for Evaluative Reporting in Forensic Science, European Network of Forensic Science Institutes, "
    "2015: verbal equivalents of likelihood ratios"
)
_LEAST = math.log10(2)
"""Below it the scale names no support."""
_BANDS = (
    (6.0, "extremely strong"),
    (4.0, "very strong"),
    (3.0, "strong"),
    (2.0, "moderately strong"),
    (1.0, "moderate"),
    (_LEAST, "weak"),
)


def verbal(llr: float) -> str:
    """The words of the ENFSI scale of 2015 for a log10 likelihood ratio.

    A ratio of 2 to 10 is weak support, to 100 moderate, to 1,000 moderately strong, to 10,000 strong, to 1,000,000
    very strong, above that extremely strong; the reciprocal supports the other proposition as much.

    Args:
        llr: log10 of the likelihood ratio; positive for one person.
    """
    size = abs(llr)
    word = next((word for least, word in _BANDS if size >= least), None)
    if word is None:
        return "no support for one proposition over the other"
    return f"{word} support for {'one person' if llr > 0 else 'two different people'}"


def times(llr: float) -> str:
    """A likelihood ratio as a multiple, to two figures: ``about 1,600 times as likely if ... as if ...``."""
    rounded = float(f"{10 ** min(abs(llr), 12.0):.2g}")
    amount = f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:.1f}"
    one, other = "the two sides show one person", "they show two different people"
    if llr < 0:
        one, other = "the two sides show two different people", "they show one person"
    return f"about {amount} times as likely if {one} as if {other}"
