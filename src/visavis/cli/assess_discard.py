"""What visavis assess says of discarding faces below a fused score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from visavis.cli.output import console, shown


def check_discarding(below: float | None) -> None:
    """Refuse a score that no face can have, before any work is done.

    Raises:
        UsageError: Outside 0..100.
    """
    if below is not None:
        from visavis.quality.discard_effect import shipped_effect

        shipped_effect().below(below)


def discard_rows(rows: Sequence[dict[str, Any]], below: float, space: str) -> dict[str, Any]:
    """Mark each row that goes, a failed one too; returns the measured effect, empty of figures where there is none.

    Args:
        rows: Rows of assess; each gets the key ``discard``.
        below: The fused score below which faces go.
        space: Fingerprint of the template space.
    """
    from visavis.quality.discard_effect import effect_of

    for row in rows:
        row["discard"] = row["quality"] is None or row["quality"] < below
    table = effect_of(space)
    if table is None:
        return {"below": below, "at": None, "population": None, "share": None, "stored": None, "mixed": None}
    stored, mixed = table.below(below)
    return {
        "below": below, "at": table.at, "population": table.population, "share": table.share,
        "stored": asdict(stored), "mixed": asdict(mixed),
    }  # fmt: skip


def print_discarding(rows: Sequence[dict[str, Any]], effect: dict[str, Any]) -> None:
    """The faces that go, and the measured effect."""
    out = console()
    for row in rows:
        if row["discard"] and row["failure"] is None:
            out.print(f"discard  {shown(row['image'])}  quality {row['quality']:.0f} is below {effect['below']:g}")
    if effect["population"] is None:
        out.print("note  no effect was measured for this combination of detector, rule and model")
        return
    for name, said in (("stored", "as stored"), ("mixed", f"{100 * effect['share']:.0f} % degraded")):
        one = effect[name]
        low, high = one["fnmr_interval"]
        claim = "" if one["gated"] else f", {one['errors']} of {one['left']}: no claim"
        out.print(
            f"note  below {one['below']} go {1000 * one['faces']:.0f} of 1,000 faces and {1000 * one['pairs']:.0f} of "
            f"1,000 mated pairs; fnmr of the others {one['fnmr']:.4f} ({low:.4f} .. {high:.4f}{claim}); {said}"
        )
    out.print(f"note  at the shipped threshold for fmr={effect['at']:g}; {effect['population']}")
