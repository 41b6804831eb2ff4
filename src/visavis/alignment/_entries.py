"""Registry table of aligners."""

ENTRIES = {
    "aligner/five-point": (
        "visavis.alignment.five_point:FivePointAligner",
        "",
        "similarity transform of the five points onto a crop template",
    ),
}
