"""The most memory that a process has held."""

from __future__ import annotations

import platform
import resource
from pathlib import Path


def peak_bytes() -> int:
    """Bytes of this process at its largest, so far; ru_maxrss would count the process it was forked from too."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024
