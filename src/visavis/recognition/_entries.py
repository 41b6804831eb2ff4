"""Registry table of recognisers and pipelines."""

ENTRIES = {
    "embedder/sface.2021dec": (
        "visavis.recognition.default_card:SFACE",
        "",
        "SFace, 128-D, the default: 0.57 GMAC, Apache-2.0",
    ),
    "pipeline/default": (
        "visavis.recognition.pipeline:Pipeline",
        "",
        "YuNet at the written working size, five-point alignment, SFace",
    ),
}
