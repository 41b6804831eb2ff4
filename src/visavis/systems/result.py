"""What an experiment found: its checks, its figures, and what it was found on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from visavis.errors import UsageError
from visavis.protocols.ledger import RolesTouched

Op = Literal[">=", "<=", "=="]


@dataclass(frozen=True, slots=True)
class Check:
    """A figure against its threshold.

    Attributes:
        name: What is checked.
        value: The figure; NaN passes no check.
        op: ``>=``, ``<=`` or ``==``: how the value must stand to the threshold.
        threshold: The threshold.
    """

    name: str
    value: float
    op: Op
    threshold: float

    def __post_init__(self) -> None:
        if self.op not in (">=", "<=", "=="):
            raise UsageError(f"the check {self.name!r} compares with >=, <= or ==; got {self.op!r}")

    @property
    def passed(self) -> bool:
        """Whether the value stands to the threshold as it must."""
        if self.op == ">=":
            return self.value >= self.threshold
        return self.value <= self.threshold if self.op == "<=" else self.value == self.threshold

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "name": self.name,
            "value": _number(self.value),
            "op": self.op,
            "threshold": _number(self.threshold),
            "passed": self.passed,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """What one run of an experiment found.

    Attributes:
        name: Registry name of the system.
        value: The headline figure.
        baseline: The same figure without the method.
        threshold: What the headline figure is compared with.
        seconds: Wall time of the run.
        seeds: The seeds of its repetitions; every figure is a mean over them unless it says otherwise.
        checks: All checks; the run passed when each did.
        budget: ``quick`` or ``full``.
        measures: Further figures.
        intervals: 95 % intervals over people: name -> low and high.
        roles: The people that the run touched, by role in the ledger.
        environment: Versions and machine.
    """

    name: str
    value: float
    baseline: float
    threshold: float
    seconds: float
    seeds: tuple[int, ...]
    checks: tuple[Check, ...]
    budget: str
    measures: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    roles: tuple[RolesTouched, ...] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.checks or not self.seeds:
            raise UsageError(f"a result of {self.name!r} needs checks and seeds; got {self.checks} and {self.seeds}")

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary; what is undefined (NaN) is null."""
        return {
            "name": self.name,
            "value": _number(self.value),
            "baseline": _number(self.baseline),
            "threshold": _number(self.threshold),
            "passed": self.passed,
            "seconds": round(self.seconds, 2),
            "seeds": list(self.seeds),
            "checks": [check.to_dict() for check in self.checks],
            "budget": self.budget,
            "measures": {name: _number(value) for name, value in self.measures.items()},
            "intervals": {name: [_number(end) for end in ends] for name, ends in self.intervals.items()},
            "roles": [touched.to_dict() for touched in self.roles],
            "environment": dict(self.environment),
        }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
