"""What a figure was measured on."""

from __future__ import annotations

import platform
from pathlib import Path

from visavis.runtime.session import cores


def machine() -> dict[str, str | int]:
    """The processor, its cores that this process may use, and the system."""
    return {"processor": _processor(), "cores": cores(), "system": platform.platform()}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
