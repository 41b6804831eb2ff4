"""Registry table of losses."""

ENTRIES: dict[str, tuple[str, str, str]] = {
    "loss/softmax": ("visavis.losses.softmax:SoftmaxLoss", "torch", "a plain linear classifier"),
    "loss/normface": ("visavis.losses.normface:NormFaceLoss", "torch", "scaled cosines, no margin"),
    "loss/cosface": ("visavis.losses.cosface:CosFaceLoss", "torch", "a margin on the cosine"),
    "loss/arcface": ("visavis.losses.arcface:ArcFaceLoss", "torch", "a margin on the angle"),
    "loss/elastic-arc": (
        "visavis.losses.elasticface:ElasticArcLoss",
        "torch",
        "ElasticFace: a margin on the angle, drawn anew for each row",
    ),
    "loss/elastic-arc-plus": (
        "visavis.losses.elasticface:ElasticArcPlusLoss",
        "torch",
        "ElasticFace+: as elastic-arc, the large draws for the hard rows",
    ),
    "loss/elastic-cos": (
        "visavis.losses.elasticface:ElasticCosLoss",
        "torch",
        "ElasticFace: a margin on the cosine, drawn anew for each row",
    ),
    "loss/elastic-cos-plus": (
        "visavis.losses.elasticface:ElasticCosPlusLoss",
        "torch",
        "ElasticFace+: as elastic-cos, the large draws for the hard rows",
    ),
    "loss/unpg": ("visavis.losses.unpg:UNPGLoss", "torch", "a margin head that also sees the batch's negative pairs"),
    "loss/symface": ("visavis.losses.symface:SymmetryLoss", "torch", "the halves of a frontal face should agree"),
}
