"""A part of a recipe: a registry name and the options it is built with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from visavis import registry
from visavis.errors import UsageError


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
        return registry.create(full, **given, **{name: _maker(value, kind) for name, value in self.options.items()})


def _maker(value: Any, kind: str) -> Any:
    if isinstance(value, Mapping) and "name" in value:
        target = registry.load(registry.resolve(str(value["name"]), kind=kind))
        return partial(target, **dict(value.get("options", {})))
    return value
