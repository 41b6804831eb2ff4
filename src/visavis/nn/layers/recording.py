"""Whether torch is recording a graph."""

from __future__ import annotations

import torch


def recording() -> bool:
    """True inside a trace, a compilation or an export: checks and fast roads in Python step aside."""
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]
    return tracing or torch.compiler.is_compiling()
