"""Registry table of pipelines."""

ENTRIES = {
    "pipeline/default": (
        "visavis.pipeline.pipeline:Pipeline",
        "",
        "YuNet at the written working size, five-point alignment, SFace",
    ),
}
