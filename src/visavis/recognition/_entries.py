"""Registry table of recognisers."""

ENTRIES = {
    "embedder/sface.2021dec": (
        "visavis.recognition.default_card:SFACE",
        "",
        "SFace, 128-D, the default: 0.57 GMAC, Apache-2.0",
    ),
    "embedder/sface-fp32.2021dec": (
        "visavis.recognition.zoo_card:SFACE_FP32",
        "",
        "the same before int8 storage, 39 MB from OpenCV Zoo or VISAVIS_MODELS, Apache-2.0",
    ),
    "embedder/dlib.resnet-v1": (
        "visavis.recognition.dlib_card:DLIB",
        "dlib",
        "dlib's ResNet, 128-D, as in face_recognition: a second opinion, CC0",
    ),
    "embedder/visavis-s": (
        "visavis.recognition.own_cards:SMALL_MOBILENET",
        "",
        "our small MobileNet taught by SFace, 128-D, 0.09 GMAC: research only",
    ),
    "embedder/visavis-vit-t": (
        "visavis.recognition.own_cards:SMALL_TRANSFORMER",
        "",
        "our small vision transformer taught by SFace, 128-D, 0.09 GMAC: research only",
    ),
    "embedder/visavis-low": (
        "visavis.recognition.own_cards:LOW_RESOLUTION",
        "",
        "visavis-s taught faces of few pixels, compared with SFace's templates, 128-D: research only",
    ),
}
