"""The day and the code that a record was made with."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]


def stamp() -> dict[str, str]:
    """``date`` (UTC) and ``commit``; the latter ends in ``-dirty`` when the package differs from that commit."""
    return {"date": datetime.now(UTC).date().isoformat(), "commit": _git("rev-parse", "--short=12", "HEAD") + _dirty()}


def _dirty() -> str:
    return "-dirty" if _git("status", "--porcelain", "--", "src") else ""


def _git(*words: str) -> str:
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True).stdout.strip()
