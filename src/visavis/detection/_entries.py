"""Registry table of detectors."""

ENTRIES = {
    "detector/yunet.2023mar": (
        "visavis.detection.default_card:YUNET",
        "",
        "YuNet with five points, the default: tiny, any picture size, MIT",
    ),
    "detector/yunet-fp32.2023mar": (
        "visavis.detection.zoo_card:YUNET_FP32",
        "",
        "the same before int8 storage, 0.2 MB from OpenCV Zoo or VISAVIS_MODELS, MIT",
    ),
}
