"""QualityPolicy: which faces are good enough for an answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from visavis.errors import UsageError

EnrolRule = Literal["refuse", "warn"]
"""What enrolment does with a face that the policy refuses: leave it out, or take it and say so."""
_KEYS = ("name", "limits", "scores", "enrol")


@dataclass(frozen=True, slots=True)
class QualityPolicy:
    """The worst face whose comparisons are answered.

    A face that fails makes `verify` and `identify` answer *inconclusive*, and enrolment refuse the picture.

    Attributes:
        name: For example ``default``.
        limits: By measure, the worst raw value that passes; of a measure whose lower values are better, such as
            ``pose``, the highest. Measures are those of `visavis.quality.assessor.Assessor`, ``quality`` for the fused
            score, and the components of ISO/IEC 29794-5 that are better in one direction.
        scores: By measure or component, the least score of 0..100 that passes.
        enrol: What enrolment does with a face that fails.

    Raises:
        UsageError: No name, a limit that is no number, a score outside 0..100, or another rule of enrolment.
    """

    name: str
    limits: tuple[tuple[str, float], ...] = ()
    scores: tuple[tuple[str, float], ...] = ()
    enrol: EnrolRule = "refuse"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name or not self.name.isprintable():
            raise UsageError(f"a quality policy has a name of one line; got {self.name!r}")
        object.__setattr__(self, "limits", _numbers(self.limits, "limits"))
        object.__setattr__(self, "scores", _numbers(self.scores, "scores"))
        for measure, limit in self.limits:
            if not math.isfinite(limit):
                raise UsageError(f"the limit of {measure} in the quality policy {self.name} is a number; got {limit}")
        for measure, score in self.scores:
            if not 0 <= score <= 100:
                raise UsageError(
                    f"the score of {measure} in the quality policy {self.name} lies in 0..100; got {score}"
                )
        if self.enrol not in ("refuse", "warn"):
            raise UsageError(f"enrol in the quality policy {self.name} is refuse or warn; got {self.enrol!r}")

    @classmethod
    def of(cls, fields: Mapping[str, Any], *, name: str) -> QualityPolicy:
        """A policy from the mapping of a file.

        Args:
            fields: ``limits`` and ``scores`` by measure, ``enrol``, ``name``; all may be left out.
            name: Where the mapping has none.

        Raises:
            UsageError: Another key, or a value that does not fit.
        """
        other = [str(key) for key in fields if key not in _KEYS]
        if other:
            raise UsageError(f"a quality policy has the keys {', '.join(_KEYS)}; got {', '.join(other)}")
        return cls(
            fields.get("name", name),
            _pairs(fields.get("limits"), "limits"),
            _pairs(fields.get("scores"), "scores"),
            fields.get("enrol", "refuse"),
        )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary; `of` takes it."""
        return {"name": self.name, "limits": dict(self.limits), "scores": dict(self.scores), "enrol": self.enrol}


def _pairs(given: Any, key: str) -> tuple[tuple[Any, Any], ...]:
    if given is None:
        return ()
    if not isinstance(given, Mapping):
        raise UsageError(f"{key} of a quality policy is a mapping from measure to number; got {given!r}")
    return tuple(given.items())


def _numbers(given: Any, key: str) -> tuple[tuple[str, float], ...]:
    """Pairs of measure and number, whether they came as pairs or as a mapping."""
    try:
        pairs = [(measure, value) for measure, value in (given.items() if isinstance(given, Mapping) else given)]
    except (TypeError, ValueError) as error:
        raise UsageError(f"{key} of a quality policy are pairs of measure and number; got {given!r}") from error
    return tuple((str(measure), _number(value, f"{key} of a quality policy", measure)) for measure, value in pairs)


def _number(value: Any, what: str, measure: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{what} are numbers; got {value!r} for {measure}")
    try:
        return float(value)
    except OverflowError as error:
        raise UsageError(f"{what} are numbers; that for {measure} is too large") from error
