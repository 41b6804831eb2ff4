"""Registry table of this room."""

ENTRIES: dict[str, tuple[str, str, str]] = {
    "system/facenet": (
        "visavis.systems.facenet:CARD",
        "torch",
        "triplets, one byte a value, groups of faces, a new network in the space of an old one",
    ),
    "system/elasticface": (
        "visavis.systems.elasticface:CARD",
        "torch",
        "margins drawn anew for every row of every step, in four variants",
    ),
    "system/unpg": (
        "visavis.systems.unpg:CARD",
        "torch",
        "a margin head that also sees the negative pairs of the batch",
    ),
    "system/symface": (
        "visavis.systems.symface:CARD",
        "torch",
        "the two halves of a frontal face should be one person",
    ),
    "system/light-cnn": (
        "visavis.systems.light_cnn:CARD",
        "torch",
        "networks whose activation is the larger of two channels, and labels that a network corrects",
    ),
    "system/landmark-fiqa": (
        "visavis.systems.landmark_fiqa:CARD",
        "cluster",
        "quality of a face from its landmarks alone, a gate before the verifier",
    ),
    "system/petalface": (
        "visavis.systems.petalface:CARD",
        "torch",
        "adapters beside a frozen network, mixed by the quality of each picture, for very small faces",
    ),
    "system/recognizability": (
        "visavis.systems.recognizability:CARD",
        "torch",
        "a network that tells how recognisable a face is, and embeds what can be made out",
    ),
    "system/attn-fiqa": (
        "visavis.systems.attn_fiqa:CARD",
        "torch",
        "quality of a face from the attention of a transformer that recognises faces",
    ),
}
