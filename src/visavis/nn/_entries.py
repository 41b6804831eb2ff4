"""Registry table of this room."""

ENTRIES: dict[str, tuple[str, str, str]] = {
    "backbone/iresnet18": ("visavis.nn.backbones.iresnet:iresnet18", "torch", "iResNet-18, 512 values, 112 pixels"),
    "backbone/iresnet34": ("visavis.nn.backbones.iresnet:iresnet34", "torch", "iResNet-34, 512 values, 112 pixels"),
    "backbone/iresnet50": ("visavis.nn.backbones.iresnet:iresnet50", "torch", "iResNet-50, 512 values, 112 pixels"),
    "backbone/iresnet100": ("visavis.nn.backbones.iresnet:iresnet100", "torch", "iResNet-100, 512 values, 112 pixels"),
    "backbone/iresnet200": ("visavis.nn.backbones.iresnet:iresnet200", "torch", "iResNet-200, 512 values, 112 pixels"),
    "backbone/mobilefacenet": (
        "visavis.nn.backbones.mobilefacenet:mobilefacenet",
        "torch",
        "MobileFaceNet of insightface (mbf), width 2, 512 values, 112 pixels",
    ),
    "backbone/mobilefacenet-large": (
        "visavis.nn.backbones.mobilefacenet:mobilefacenet_large",
        "torch",
        "MobileFaceNet of insightface (mbf_large), width 4, 512 values, 112 pixels",
    ),
    "backbone/mobilefacenet-tiny": (
        "visavis.nn.backbones.mobilefacenet:mobilefacenet_tiny",
        "torch",
        "MobileFaceNet of a quarter width for experiments on a CPU, 128 values, 56 pixels",
    ),
}
