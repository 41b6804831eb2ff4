"""The sentence: which parts carried the similarity, and which spoke against it."""

from __future__ import annotations

from collections.abc import Sequence

from visavis.types import RegionEffect

SMALLEST = 0.02
"""Effects below this are not named, whatever their spread."""
_MOST = 3


def named(effect: RegionEffect) -> int:
    """1 where a part spoke clearly for a match, -1 where it spoke clearly against, 0 where it is not clear.

    Clear means: hiding it in the first face alone and in the second alone changes the similarity to the same side,
    on average by at least `SMALLEST` and by at least twice the spread over the ways of hiding.

    Hiding a part in both at once does not count: it gives both faces the same absence, which makes any two faces
    more alike. Measured on development people (docs/results/explainers.md): a nose hidden in both raises the
    similarity of strangers by 0.10 and leaves that of one person as it was; hidden in one face it raises that of
    strangers by 0.02 and lowers that of one person by 0.07.
    """
    if abs(effect.alone) < max(SMALLEST, 2 * effect.spread) or effect.left * effect.right <= 0:
        return 0
    return 1 if effect.alone > 0 else -1


def sentence(similarity: float, effects: Sequence[RegionEffect], *, threshold: float | None = None) -> str:
    """What the measured effects say, and no more.

    Args:
        similarity: Cosine of the pair.
        effects: Of the parts.
        threshold: Similarities at or above it are a match; None where it is not known.
    """
    ordered = sorted(effects, key=lambda effect: -abs(effect.alone))
    carried = [effect for effect in ordered if named(effect) > 0]
    against = [effect for effect in ordered if named(effect) < 0]
    parts = [_opening(similarity, threshold), _carried(carried), _against(against)]
    turning = "" if threshold is None else _turning(similarity, [*carried, *against], threshold)
    return " ".join(part for part in (*parts, turning) if part)


def _opening(similarity: float, threshold: float | None) -> str:
    if threshold is None:
        return f"The similarity is {similarity:.3f}."
    side = "at or above" if similarity >= threshold else "below"
    return f"The similarity of {similarity:.3f} is {side} the threshold of {threshold:.3f}."


def _carried(effects: Sequence[RegionEffect]) -> str:
    if not effects:
        return "No single part clearly spoke for a match."
    first, *others = effects[:_MOST]
    text = f"What spoke for a match: hiding the {first.name} in one face takes on average {first.alone:.2f} off"
    return f"{text}{''.join(f', the {other.name} {other.alone:.2f}' for other in others)}."


def _against(effects: Sequence[RegionEffect]) -> str:
    if not effects:
        return "No single part clearly spoke against it."
    first, *others = effects[:_MOST]
    text = f"What spoke against it: hiding the {first.name} in one face adds on average {-first.alone:.2f}"
    return f"{text}{''.join(f', the {other.name} {-other.alone:.2f}' for other in others)}."


def _turning(similarity: float, effects: Sequence[RegionEffect], threshold: float) -> str:
    """Clear parts without which the similarity is on the other side of the threshold."""
    above = similarity >= threshold
    names = [f"the {effect.name}" for effect in effects if (similarity - effect.alone >= threshold) != above]
    if not names:
        return "Hiding no single one of them changes the side." if effects else ""
    return f"With {' or '.join(names)} hidden it is {'below' if above else 'at or above'} the threshold."
