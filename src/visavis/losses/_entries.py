"""Registry table of this room."""

ENTRIES: dict[str, tuple[str, str, str]] = {}
