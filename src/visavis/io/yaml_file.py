"""A mapping out of a YAML or JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from visavis._require import require
from visavis.errors import UsageError
from visavis.io.files import read_file


def read_mapping(path: str | Path, *, what: str, holds: str) -> dict[str, Any]:
    """The mapping at the top of a file; one that ends in ``.json`` needs no further package.

    Args:
        path: The file.
        what: What it is to hold, for messages: ``recipe``.
        holds: What stands in it, for messages: ``backbone, loss and training``.

    Raises:
        UsageError: No YAML or JSON, or something else than a mapping.
        UnreadableError: The file cannot be read.
        DependencyError: YAML without its package.
    """
    text, kind = str(path), "JSON" if str(path).lower().endswith(".json") else "YAML"
    failures: tuple[type[Exception], ...] = (ValueError, RecursionError)
    parse: Any = json.loads
    if kind == "YAML":
        yaml = require("yaml", extra="train", why=f"a {what} in YAML")
        parse, failures = yaml.safe_load, (yaml.YAMLError, *failures)
    try:
        record = parse(read_file(Path(text)))
    except failures as error:
        raise UsageError(f"{text} is not {kind}: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(record, dict):
        raise UsageError(f"{text} holds no {what}: it must be a mapping with {holds}")
    return record
