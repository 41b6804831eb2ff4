"""Frozen settings to plain data and back: what a run writes down, and what YAML holds."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from visavis._require import require
from visavis.errors import UsageError
from visavis.training.optimisers import Optimiser
from visavis.training.schedules import Schedule

T = TypeVar("T")
UNIONS: tuple[Any, ...] = (Schedule, Optimiser)
"""Places that take one of several classes: their records say which by ``kind``."""


def to_record(settings: Any) -> Any:
    """Plain dictionaries, lists, numbers and strings of a frozen dataclass."""
    return _converter().unstructure(settings)


def from_record(record: Any, kind: type[T]) -> T:
    """A frozen dataclass of what `to_record` gave, or what somebody wrote.

    Raises:
        UsageError: Unknown or missing names and values of another type; the message says where each is.
    """
    import cattrs

    try:
        made: T = _converter().structure(record, kind)
        return made
    except UsageError:
        raise
    except Exception as error:
        told = [_plain(problem) for problem in cattrs.transform_error(error)]
        raise UsageError(f"{kind.__name__} cannot be read: {'; '.join(told[:5])}") from error


@cache
def _converter() -> Any:
    require("cattrs", extra="train", why="training")
    import cattrs
    from cattrs.strategies import configure_tagged_union

    converter = cattrs.Converter(forbid_extra_keys=True)
    for union in UNIONS:
        configure_tagged_union(union, converter, tag_generator=lambda kind: kind.__name__.lower(), tag_name="kind")
    converter.register_structure_hook(int, _whole)
    converter.register_structure_hook(bool, _truth)
    converter.register_structure_hook(float, _number)
    return converter


def _whole(value: Any, _: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"a whole number is needed, got {value!r}")
    return value


def _truth(value: Any, _: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"true or false is needed, got {value!r}")
    return value


def _number(value: Any, _: Any) -> float:
    """A number; YAML reads 1e-3 as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"a number is needed, got {value!r}")
    return float(value)


def _plain(problem: str) -> str:
    return problem.replace("$.", "").replace(" @ $", "").replace(" @ ", " in ")
