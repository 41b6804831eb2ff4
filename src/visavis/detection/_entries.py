"""Registry table of detectors."""

ENTRIES = {
    "detector/yunet.2023mar": (
        "visavis.detection.default_card:YUNET",
        "",
        "YuNet with five points, the default: tiny, any picture size, MIT",
    ),
}
