"""Frozen settings to plain data and back: what a run writes down, and what YAML holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from visavis._require import require
from visavis.errors import UsageError
from visavis.training.optimisers import Optimiser
from visavis.training.schedules import Schedule

T = TypeVar("T")
UNIONS: tuple[Any, ...] = (Schedule, Optimiser)
"""Places of settings that take one of several classes: their records say which by ``kind``."""


def to_record(settings: Any, *, unions: tuple[Any, ...] = UNIONS) -> Any:
    """What JSON can hold of a frozen dataclass: dictionaries, lists, numbers and strings.

    Args:
        settings: The dataclass.
        unions: Annotations that take one of several classes.
    """
    return json.loads(json.dumps(_converter(unions).unstructure(settings)))


def from_record(record: Any, kind: type[T], *, unions: tuple[Any, ...] = UNIONS) -> T:
    """A frozen dataclass of what `to_record` gave, or what somebody wrote.

    Args:
        record: Dictionaries, lists, numbers and strings.
        kind: The dataclass.
        unions: Annotations that take one of several classes.

    Raises:
        UsageError: Unknown or missing names and values of another type; the message says where each is.
    """
    import cattrs

    try:
        made: T = _converter(unions).structure(record, kind)
        return made
    except UsageError:
        raise
    except Exception as error:
        told = [_plain(problem) for problem in cattrs.transform_error(error, format_exception=_told)]
        raise UsageError(f"{kind.__name__} cannot be read: {'; '.join(told[:5])}") from error


@cache
def _converter(unions: tuple[Any, ...]) -> Any:
    require("cattrs", extra="train", why="training")
    import cattrs
    from cattrs.strategies import configure_tagged_union

    converter = cattrs.Converter(forbid_extra_keys=True)
    for union in unions:
        configure_tagged_union(union, converter, tag_generator=lambda kind: kind.__name__.lower(), tag_name="kind")
    for kind, hook in STRICT.items():
        converter.register_structure_hook(kind, hook)
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


STRICT: dict[type, Callable[[Any, Any], Any]] = {int: _whole, bool: _truth, float: _number}
"""How plain values are read: nothing is rounded or guessed; ValueError for another kind."""


def _told(error: BaseException, kind: type | None) -> str:
    """What one value suffers from: our own words where the value itself refused."""
    from cattrs.v import format_exception

    return error.message if isinstance(error, UsageError) else str(error) or format_exception(error, kind)


def _plain(problem: str) -> str:
    return problem.replace("$.", "").replace(" @ $", "").replace(" @ ", " in ")
