"""visavis verify with a stored template on one side: the reference that was kept, and no picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from visavis.cli import options
from visavis.errors import UsageError

if TYPE_CHECKING:
    from visavis.pipeline.decide import Children
    from visavis.pipeline.pipeline import Pipeline
    from visavis.pipeline.side import Side
    from visavis.types import FMR, Decision

_NOTE = "the reference is a stored template: its picture was not looked at, and its quality is not known"


def wants_stored(left: list[str], right: list[str], *, needs_pictures: dict[str, Any]) -> bool:
    """Whether the right side is a stored template.

    Args:
        left: Words of one side.
        right: Words of the other.
        needs_pictures: Options that need the pictures of both sides, with their values.

    Raises:
        UsageError: A stored template on the left or beside others, or with an option that needs pictures.
    """
    from visavis.recognition.stored import is_stored

    if not any(is_stored(word) for word in (*left, *right)):
        return False
    if len(right) != 1 or not is_stored(right[0]) or any(is_stored(word) for word in left):
        raise UsageError("a stored template, NAME.vvt::PICTURE, is the whole right side; pictures stand on the left")
    given = [name for name, value in needs_pictures.items() if value is not None]
    if given:
        raise UsageError(f"{', '.join(given)} needs the pictures of both sides; a stored template has none")
    return True


def compare_stored(
    pipeline: Pipeline, left: list[str], stored: str, *, at: FMR, children: Children
) -> tuple[Decision, Side, dict[str, Any]]:
    """Pictures against a stored template of this pipeline's space, or of one that it is compatible with.

    Returns:
        The decision, the side of the pictures, and what is known of the stored template.
    """
    from visavis.recognition.pooling import pooled_count
    from visavis.recognition.stored import stored_template

    pipeline.calibration().threshold(at)  # refused before any picture is read
    template = stored_template(stored)
    pipeline.space.require_comparable(template.space)
    side = pipeline.side(options.sources(left))
    decision = pipeline.compare(
        side.template,
        template,
        at=at,
        warnings=(*side.warnings, _NOTE),
        children=children,
        unfit=side.reasons,
        short=side.low,
    )
    described = {
        "template": stored,
        "pictures": pooled_count(template.space),
        "space": template.space.fingerprint,
        "made_by": template.made_by.to_dict(),
    }
    return decision, side, described
