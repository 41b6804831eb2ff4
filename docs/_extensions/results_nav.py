"""Hook of this site: the pages that scripts write to ``docs/results`` are listed as they are found."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Called before each build."""
    folder = Path(config.docs_dir) / "results"
    for section in config.nav:
        if "Results" in section:
            systems = _pages(folder / "systems", "results/systems")
            section["Results"] = _pages(folder, "results") + ([{"Published systems": systems}] if systems else [])
    return config


def _pages(folder: Path, address: str) -> list[Any]:
    return [f"{address}/{page.name}" for page in sorted(folder.glob("*.md"))]
