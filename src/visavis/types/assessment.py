"""Assessment: all quality measures of each face, and one fused score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from visavis.errors import UsageError
from visavis.types._arrays import rows
from visavis.types.quality import Quality


@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """What `assess` says of each face: one column a measure, and the fused score.

    Attributes:
        measures: One `Quality` a measure, all of the same length, names distinct.
        fused: The one score by which pictures are ranked and pooled.
    """

    measures: tuple[Quality, ...]
    fused: Quality

    def __post_init__(self) -> None:
        lengths = {len(quality) for quality in (*self.measures, self.fused)}
        if len(lengths) != 1:
            raise UsageError(f"the columns of an Assessment must have one length; got {sorted(lengths)}")
        if len(set(self.names)) != len(self.measures):
            raise UsageError(f"the measures of an Assessment must have distinct names; got {', '.join(self.names)}")

    @classmethod
    def concat(cls, parts: Sequence[Assessment]) -> Assessment:
        """The parts one after the other; all of the same measures.

        Raises:
            UsageError: No parts, or other measures.
        """
        if not parts or any(part.names != parts[0].names for part in parts):
            raise UsageError("assessments of the same measures can be joined")
        columns = zip(*(part.measures for part in parts), strict=True)
        fused = Quality.concat([part.fused for part in parts])
        return cls(tuple(Quality.concat(column) for column in columns), fused)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the measures, in order."""
        return tuple(quality.measure for quality in self.measures)

    def measure(self, name: str) -> Quality:
        """The column of one measure, or the fused one by its name.

        Raises:
            UsageError: No such measure.
        """
        for quality in (*self.measures, self.fused):
            if quality.measure == name:
                return quality
        raise UsageError(f"no quality measure {name!r}; known: {', '.join((*self.names, self.fused.measure))}")

    def __len__(self) -> int:
        return len(self.fused)

    def __getitem__(self, index: Any) -> Assessment:
        keep = rows(index, len(self))
        return Assessment(tuple(quality[keep] for quality in self.measures), self.fused[keep])

    def to_dicts(self) -> list[dict[str, Any]]:
        """One JSON-ready dictionary a face: the fused score, and raw value, score and reason of each measure."""
        return [
            {
                "quality": _number(self.fused.score[row]),
                "measures": {
                    quality.measure: {
                        "raw": _number(quality.raw[row]),
                        "unit": quality.unit,
                        "score": _number(quality.score[row]),
                        "reason": quality.reasons[row] or None,
                        "failure": _message(quality, row),
                    }
                    for quality in self.measures
                },
            }
            for row in range(len(self))
        ]


def _number(value: Any) -> float | None:
    number = float(value)
    return None if number != number else number


def _message(quality: Quality, row: int) -> str | None:
    failure = quality.status.failures[row]
    return None if failure is None else failure.message
