"""Hook of this site: the pages that scripts write to ``docs/results`` are listed as they are found."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Called before each build."""
    folder = Path(config.docs_dir) / "results"
    for section in config.nav:
        if "Results" in section:
            section["Results"] = [f"results/{page.name}" for page in sorted(folder.glob("*.md"))]
    return config
