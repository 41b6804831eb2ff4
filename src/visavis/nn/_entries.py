"""Registry table of this room."""

ENTRIES: dict[str, tuple[str, str, str]] = {
    "backbone/iresnet18": ("visavis.nn.backbones.iresnet:iresnet18", "torch", "iResNet-18, 512 values, 112 pixels"),
    "backbone/iresnet34": ("visavis.nn.backbones.iresnet:iresnet34", "torch", "iResNet-34, 512 values, 112 pixels"),
    "backbone/iresnet50": ("visavis.nn.backbones.iresnet:iresnet50", "torch", "iResNet-50, 512 values, 112 pixels"),
    "backbone/iresnet100": ("visavis.nn.backbones.iresnet:iresnet100", "torch", "iResNet-100, 512 values, 112 pixels"),
    "backbone/iresnet200": ("visavis.nn.backbones.iresnet:iresnet200", "torch", "iResNet-200, 512 values, 112 pixels"),
    "backbone/adaface-ir18": (
        "visavis.nn.backbones.adaface_iresnet:adaface_ir18",
        "torch",
        "iResNet-18 as AdaFace and CVLface release it, 512 values, 112 pixels",
    ),
    "backbone/adaface-ir50": (
        "visavis.nn.backbones.adaface_iresnet:adaface_ir50",
        "torch",
        "iResNet-50 as AdaFace and CVLface release it, 512 values, 112 pixels",
    ),
    "backbone/adaface-ir101": (
        "visavis.nn.backbones.adaface_iresnet:adaface_ir101",
        "torch",
        "iResNet-100 as AdaFace and CVLface release it, 512 values, 112 pixels",
    ),
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
    "backbone/mobilefacenet-small": (
        "visavis.nn.backbones.mobilefacenet:mobilefacenet_small",
        "torch",
        "MobileFaceNet of three quarter width with ReLU for a CPU, 128 values, 112 pixels",
    ),
    "backbone/mobilefacenet-tiny": (
        "visavis.nn.backbones.mobilefacenet:mobilefacenet_tiny",
        "torch",
        "MobileFaceNet of a quarter width for experiments on a CPU, 128 values, 56 pixels",
    ),
    "backbone/mobilenet-slim": (
        "visavis.nn.backbones.mobilenet:mobilenet_slim",
        "torch",
        "MobileNet of SFace at three eighths of its widths, 128 values, 112 pixels",
    ),
    "backbone/light-cnn-4": (
        "visavis.nn.backbones.light_cnn:LightCNN4Backbone",
        "torch",
        "Light CNN-4, 256 values, grey, 128 pixels",
    ),
    "backbone/light-cnn-9": (
        "visavis.nn.backbones.light_cnn:LightCNN9Backbone",
        "torch",
        "Light CNN-9, 256 values, grey, 128 pixels",
    ),
    "backbone/light-cnn-29": (
        "visavis.nn.backbones.light_cnn:light_cnn_29",
        "torch",
        "Light CNN-29, 256 values, grey, 128 pixels",
    ),
    "backbone/light-cnn-29v2": (
        "visavis.nn.backbones.light_cnn:light_cnn_29v2",
        "torch",
        "Light CNN-29 of 2018, summed poolings, 256 values, grey, 128 pixels",
    ),
    "backbone/light-cnn-v4": (
        "visavis.nn.backbones.light_cnn_v4:LightCNNV4Backbone",
        "torch",
        "Light CNN-v4 of 2022, colour, 256 values, 128 pixels",
    ),
    "backbone/inception-resnet-v1": (
        "visavis.nn.backbones.inception_resnet:InceptionResNetBackbone",
        "torch",
        "Inception-ResNet-v1 of facenet-pytorch, 512 values, 160 pixels",
    ),
    "backbone/facenet-nn1": (
        "visavis.nn.backbones.facenet_nn1:FaceNetNN1Backbone",
        "torch",
        "Zeiler and Fergus network NN1 of FaceNet, 128 values, 220 pixels",
    ),
    "backbone/facenet-nn2": (
        "visavis.nn.backbones.facenet:facenet_nn2",
        "torch",
        "Inception network NN2 of FaceNet, 128 values, 224 pixels",
    ),
    "backbone/facenet-nn3": (
        "visavis.nn.backbones.facenet:facenet_nn3",
        "torch",
        "Inception network NN3 of FaceNet, 128 values, 160 pixels",
    ),
    "backbone/facenet-nn4": (
        "visavis.nn.backbones.facenet:facenet_nn4",
        "torch",
        "Inception network NN4 of FaceNet, 128 values, 96 pixels",
    ),
    "backbone/vit-mini": (
        "visavis.nn.backbones.vit:vit_mini",
        "torch",
        "Vision transformer behind four convolutions, width 144, 6 blocks, 128 values, 112 pixels",
    ),
    "backbone/vit-t": (
        "visavis.nn.backbones.vit:vit_t",
        "torch",
        "Vision transformer of insightface, width 256, 12 blocks, 512 values, 112 pixels",
    ),
    "backbone/vit-s": (
        "visavis.nn.backbones.vit:vit_s",
        "torch",
        "Vision transformer of insightface, width 512, 12 blocks, 512 values, 112 pixels",
    ),
    "backbone/vit-b": (
        "visavis.nn.backbones.vit:vit_b",
        "torch",
        "Vision transformer of insightface, width 512, 24 blocks, 512 values, 112 pixels",
    ),
    "backbone/vit-l": (
        "visavis.nn.backbones.vit:vit_l",
        "torch",
        "Vision transformer of insightface, width 768, 24 blocks, 512 values, 112 pixels",
    ),
    "backbone/vit-s8": (
        "visavis.nn.backbones.vit:vit_s8",
        "torch",
        "Vision transformer of CVLface, patches of 8, 12 blocks, 512 values, 112 pixels",
    ),
    "backbone/vit-b8": (
        "visavis.nn.backbones.vit:vit_b8",
        "torch",
        "Vision transformer of CVLface, patches of 8, 24 blocks, 512 values, 112 pixels",
    ),
    "backbone/swin-t": (
        "visavis.nn.backbones.swin:swin_t",
        "torch",
        "Swin transformer of SwinFace, width 96, 12 blocks, 512 values, 112 pixels",
    ),
    "backbone/swin-b": (
        "visavis.nn.backbones.swin:swin_b",
        "torch",
        "Swin transformer of PETALface, width 384, 22 blocks, 512 values, 120 pixels",
    ),
}
