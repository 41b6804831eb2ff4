"""A part of a recipe: a registry name and the options it is built with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import NoneType
from typing import Any, get_args, get_type_hints

from visavis import registry
from visavis.errors import UsageError
from visavis.training.records import STRICT

_WORDS = {float: "number", int: "whole number", bool: "truth value"}


@dataclass(frozen=True, slots=True)
class Part:
    """What to build, by its registry name.

    Attributes:
        name: Full or short registry name, ``loss/arcface``.
        options: Keyword arguments. One that is a mapping with ``name`` (and ``options``) stands for a maker: the thing
            of that name with those options, to be called with the rest; the head of UNPG is given so.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def build(self, kind: str, **given: Any) -> Any:
        """Build it.

        Args:
            kind: ``backbone`` or ``loss``: what the name must be of, and is looked up in when it is short.
            given: Further keyword arguments.

        Raises:
            ModelError: The name is unknown or ambiguous.
            UsageError: It is of another kind, or does not take an option.
        """
        full = registry.resolve(self.name, kind=kind)
        if registry.describe(full).kind != kind:
            raise UsageError(f"here goes a {kind}, and {full} is none; see registry.names('{kind}/*')")
        twice = sorted(set(given) & set(self.options))
        if twice:
            raise UsageError(f"{full}: {', '.join(twice)} is filled in and may not be among the options")
        plain = fitting(registry.load(full), self.options, name=full)
        options = {name: _maker(value, kind) for name, value in plain.items()}
        try:
            return registry.create(full, **given, **options)
        except (TypeError, ValueError, RuntimeError) as error:
            if isinstance(error, UsageError):
                raise
            raise UsageError(f"{full} cannot be built with {dict(self.options)}: {error}") from error


def fitting(target: Any, options: Mapping[str, Any], *, name: str) -> dict[str, Any]:
    """Options whose numbers are numbers, by the annotations of what takes them; YAML reads 1e-3 as text.

    Args:
        target: A class, or a partial of one.
        options: Keyword arguments for it.
        name: What to call it in errors.

    Raises:
        UsageError: Text, or another thing, where a number or a truth value is taken.
    """
    made = target.func if isinstance(target, partial) else target
    hints = get_type_hints(vars(made).get("__init__", made) if isinstance(made, type) else made)
    return {option: _fit(value, hints.get(option), f"{option} of {name}") for option, value in options.items()}


def _fit(value: Any, hint: Any, where: str) -> Any:
    several = [one for one in get_args(hint) if one is not NoneType]
    if value is not None and len(several) == 1 and len(get_args(hint)) == 2:  # a number or None
        hint = several[0]
    if hint not in STRICT:
        return value
    try:
        return STRICT[hint](value, hint)
    except ValueError as error:
        raise UsageError(f"{where} is a {_WORDS[hint]}; got {value!r}") from error


def _maker(value: Any, kind: str) -> Any:
    if isinstance(value, Mapping) and "name" in value:
        target = registry.load(registry.resolve(str(value["name"]), kind=kind))
        return partial(target, **dict(value.get("options", {})))
    return value
