"""Registry table of this room."""

ENTRIES: dict[str, tuple[str, str, str]] = {
    "system/elasticface": (
        "visavis.systems.elasticface:CARD",
        "torch",
        "margins drawn anew for every row of every step, in four variants",
    ),
}
