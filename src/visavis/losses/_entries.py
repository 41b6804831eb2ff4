"""Registry table of losses."""

ENTRIES: dict[str, tuple[str, str, str]] = {
    # classifiers
    "loss/softmax": ("visavis.losses.softmax:SoftmaxLoss", "torch", "a plain linear classifier"),
    "loss/bootstrap": ("visavis.losses.bootstrap:BootstrapLoss", "torch", "a softmax that corrects its labels"),
    "loss/centre": ("visavis.losses.centre:CentreLoss", "torch", "softmax, and a centre that each class gathers at"),
    # classifiers on the sphere, with margins
    "loss/normface": ("visavis.losses.normface:NormFaceLoss", "torch", "scaled cosines, no margin"),
    "loss/sphereface": ("visavis.losses.sphereface:SphereFaceLoss", "torch", "a margin that multiplies the angle"),
    "loss/cosface": ("visavis.losses.cosface:CosFaceLoss", "torch", "a margin on the cosine"),
    "loss/arcface": ("visavis.losses.arcface:ArcFaceLoss", "torch", "a margin on the angle"),
    "loss/combined": ("visavis.losses.combined:CombinedMarginLoss", "torch", "the three margins together"),
    "loss/subcentre": ("visavis.losses.subcentre:SubcentreLoss", "torch", "ArcFace with several centres a class"),
    "loss/adaface": ("visavis.losses.adaface:AdaFaceLoss", "torch", "a margin that follows the quality of the face"),
    "loss/magface": ("visavis.losses.magface:MagFaceLoss", "torch", "a margin and a reward that follow the norm"),
    "loss/curricularface": (
        "visavis.losses.curricularface:CurricularFaceLoss",
        "torch",
        "hard negatives weigh more as training goes on",
    ),
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
    # pairs and triplets of the batch
    "loss/contrastive": ("visavis.losses.contrastive:ContrastiveLoss", "torch", "pairs, a distance apart"),
    "loss/triplet": ("visavis.losses.triplet:TripletLoss", "torch", "triplets, mined in the batch"),
    "loss/supervised-contrastive": (
        "visavis.losses.supervised_contrastive:SupervisedContrastiveLoss",
        "torch",
        "a softmax over the pictures of the batch",
    ),
    # towards other embeddings
    "loss/harmonic-triplet": (
        "visavis.losses.harmonic_triplet:HarmonicTripletLoss",
        "torch",
        "triplets over a new and an old network",
    ),
    "loss/distillation": ("visavis.losses.distillation:DistillationLoss", "torch", "a student follows a teacher"),
    "loss/perceptibility": (
        "visavis.losses.perceptibility:PerceptibilityLoss",
        "torch",
        "smooth L1: values become those of a target",
    ),
    "loss/rejection": (
        "visavis.losses.rejection:RejectionLoss",
        "torch",
        "embeddings follow others without one direction, that of the unrecognisable",
    ),
    "loss/symface": ("visavis.losses.symface:SymmetryLoss", "torch", "the halves of a frontal face should agree"),
}
