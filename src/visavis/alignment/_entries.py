"""Registry table of aligners."""

ENTRIES = {
    "aligner/five-point": (
        "visavis.alignment.five_point:FivePointAligner",
        "",
        "similarity transform of the five points onto a crop template",
    ),
    "aligner/eye-mouth": (
        "visavis.alignment.eye_mouth:EyeMouthAligner",
        "",
        "eyes level, mouth at a distance below them, as Light CNN's crops are made",
    ),
}
