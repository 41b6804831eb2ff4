"""Registry table of this room."""

ENTRIES: dict[str, tuple[str, str, str]] = {
    "recipe/small": ("visavis.training.recipes.published:SMALL", "train", "A small network on two cores, in minutes"),
    "recipe/visavis-s": (
        "visavis.training.recipes.own:SMALL_MOBILENET",
        "train",
        "Our small recogniser: a MobileFaceNet that learns the default recogniser's embeddings",
    ),
    "recipe/visavis-vit-t": (
        "visavis.training.recipes.own:SMALL_TRANSFORMER",
        "train",
        "Our small vision transformer, taught in the same way",
    ),
    "recipe/visavis-low": (
        "visavis.training.recipes.own:LOW_RESOLUTION",
        "train",
        "The default recogniser's companion for faces of few pixels: visavis-s, taught on small crops",
    ),
    "recipe/arcface-casia": (
        "visavis.training.recipes.published:ARCFACE_CASIA",
        "train",
        "ArcFace with iResNet-50 on CASIA-WebFace, as published",
    ),
    "recipe/arcface-mbf": (
        "visavis.training.recipes.published:MBF_MS1MV3",
        "train",
        "ArcFace with MobileFaceNet on MS1MV3, as in arcface_torch",
    ),
    "recipe/elasticface-arc": (
        "visavis.training.recipes.published:ELASTICFACE_MS1MV2",
        "train",
        "ElasticFace-Arc with iResNet-100 on MS1MV2, as published",
    ),
    "recipe/light-cnn-29": (
        "visavis.training.recipes.published:LIGHT_CNN",
        "train",
        "Light CNN-29 with a rate for each kind of parameter, as in the official code",
    ),
    "recipe/unpg-cosface": (
        "visavis.training.recipes.published:UNPG_MS1MV2",
        "train",
        "CosFace and UNPG with iResNet-100 on MS1MV2, as in the official code",
    ),
}
