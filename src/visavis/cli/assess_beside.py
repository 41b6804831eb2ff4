"""What visavis assess makes beside the measures: components of the standard, and maps of quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visavis.cli.output import console, shown

if TYPE_CHECKING:
    from visavis.quality.spatial import SpatialQuality
    from visavis.types import FaceContext, Quality

_MOST = 64
_LETTERS = 24


@dataclass(frozen=True, slots=True)
class Beside:
    """What was made of the faces of one portion.

    Attributes:
        standard: A column a component; empty when it was not asked for.
        crops: uint8 ``(N, H, W, 3)``; None when no map was asked for.
        maps: Of these crops.
    """

    standard: tuple[Quality, ...] = ()
    crops: NDArray[np.uint8] | None = None
    maps: SpatialQuality | None = None


def beside(context: FaceContext, *, standard: bool, maps: bool) -> Beside:
    """The components and maps of the faces of a portion, where asked for."""
    from visavis.quality.spatial import spatial_quality
    from visavis.quality.standard.assess import assess_standard

    return Beside(
        assess_standard(context) if standard else (),
        context.crops.pixels if maps else None,
        spatial_quality(context.luma) if maps else None,
    )


def standard_rows(parts: Sequence[Beside]) -> list[dict[str, Any]]:
    """Per face, the components of the standard as JSON has them."""
    from visavis.quality.standard.assess import standard_dict

    return [standard_dict(part.standard, row) for part in parts for row in range(len(part.standard[0]))]


def standard_note() -> dict[str, Any]:
    """The components, where they deviate from the reference implementation, and those that are missing."""
    from visavis.quality.standard.components import COMPONENTS, MISSING

    return {
        "document": "ISO/IEC 29794-5:2025",
        "deviations": {name: one.deviation for name, one in COMPONENTS.items()},
        "missing": {name: {"clause": clause, "needs": needs} for name, (clause, needs) in MISSING.items()},
    }


def print_standard(rows: Sequence[dict[str, Any]]) -> None:
    """A table of components a face, and what is missing."""
    from rich.table import Table

    out = console()
    for row in rows:
        if row["failure"] is not None:
            continue
        table = Table(box=None, pad_edge=False, title=f"ISO/IEC 29794-5  {shown(row['image'])}", title_justify="left")
        for name in ("component", "clause", "raw", "unit", "score", "what is wrong"):
            table.add_column(name, justify="right" if name in ("raw", "score") else "left")
        for name, one in row["standard"].items():
            raw = "" if one["raw"] is None else f"{one['raw']:.3f}"
            table.add_row(name, one["clause"], raw, one["unit"], f"{one['score']:.0f}", one["reason"] or "")
        out.print(table)
    missing = [f"{name} ({one['clause']})" for name, one in standard_note()["missing"].items()]
    out.print(f"not measured  {', '.join(missing)}")


def write_maps(path: Path, names: Sequence[str], parts: Sequence[Beside]) -> int:
    """One picture with a row a face: the crop, and in red where sharpness, exposure and the lower of both are poor.

    Args:
        path: Where to.
        names: One a face.
        parts: The faces.

    Returns:
        How many faces are not on it, because it shows 64 at most.
    """
    from visavis.drawing import draw_rows
    from visavis.io import write
    from visavis.quality.spatial import draw_quality

    rows: list[tuple[str, list[NDArray[np.uint8]]]] = []
    numbers = iter(names)
    for part in parts:
        assert part.crops is not None and part.maps is not None
        for crop, *cells in zip(part.crops, part.maps.sharpness, part.maps.exposure, part.maps.worst, strict=True):
            label = next(numbers)[-_LETTERS:].encode("ascii", "replace").decode()
            if len(rows) < _MOST:
                rows.append((label, [crop, *(draw_quality(crop, one) for one in cells)]))
    write(path, draw_rows(rows, side=112))
    return len(names) - len(rows)
