"""The projects whose checkpoints can be read."""

from __future__ import annotations

from visavis.nn.backbones.contracts import (
    adaface_contract,
    arcface_contract,
    facenet_contract,
    imagenet_contract,
    light_cnn_colour_contract,
    light_cnn_contract,
    magface_contract,
)
from visavis.nn.checkpoints.layout import Layout

_IRESNETS = ("backbone/iresnet18", "backbone/iresnet34", "backbone/iresnet50", "backbone/iresnet100")
_ADAFACE = ("backbone/adaface-ir18", "backbone/adaface-ir50", "backbone/adaface-ir101")
_LAST = ("features.weight", "features.layers.3.weight", "feature.3.weight", "output_layer.4.running_mean")
_LAYERS = (
    "activation.PReLU", "batchnorm.BatchNorm1d", "batchnorm.BatchNorm2d", "container.Sequential", "conv.Conv2d",
    "dropout.Dropout", "linear.Linear", "pooling.AdaptiveAvgPool2d", "loss.CrossEntropyLoss",
)  # fmt: skip
_UNPG = (
    "models.iresnet.IResNet", "models.iresnet.IBasicBlock", "models.build.HeadAndLoss", "models.head.ArcFace",
    "models.head.CosFace", "models.head.UNPG", "models.magface.MagFace", "models.magface.MagLinear",
    "models.magface.MagLoss", "torch.nn.parallel.data_parallel.DataParallel",
)  # fmt: skip
_LIGHTNING = (
    "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
    "pytorch_lightning.callbacks.lr_monitor.LearningRateMonitor",
    "pytorch_lightning.utilities.parsing.AttributeDict",
    "argparse.Namespace",
    "pathlib.PosixPath",
)

_ALL = (
    Layout(
        name="insightface",
        backbones=(
            *_IRESNETS,
            "backbone/iresnet200",
            "backbone/mobilefacenet",
            "backbone/mobilefacenet-large",
            "backbone/vit-t",
            "backbone/vit-s",
            "backbone/vit-b",
            "backbone/vit-l",
        ),
        contract=arcface_contract,
        licence="code MIT; weights for non-commercial research",
        paper="Deng et al., ArcFace, 2019; An et al., Killing Two Birds with One Stone, 2022",
        trained_on="MS1MV2, MS1MV3, Glint360K or WebFace, by file",
        inside=("state_dict_backbone",),
        size_of=_LAST,
    ),
    Layout(
        name="elasticface",
        backbones=_IRESNETS,
        contract=arcface_contract,
        licence="CC-BY-NC-SA-4.0",
        paper="Boutros et al., ElasticFace, 2022",
        trained_on="MS1MV2",
        size_of=_LAST,
    ),
    Layout(
        name="magface",
        backbones=_IRESNETS,
        contract=magface_contract,
        licence="Apache-2.0",
        paper="Meng et al., MagFace, 2021",
        trained_on="MS1MV2",
        prefixes=("features.module.", "module.features."),
        size_of=_LAST,
        head_turned=("fc.weight", "parallel_fc.weight", "module.fc.weight"),
        head_beside=True,
        epsilon=2e-5,
    ),
    Layout(
        name="unpg",
        backbones=_IRESNETS,
        contract=imagenet_contract,
        licence="Apache-2.0",
        paper="Jung et al., Unified Negative Pair Generation, 2022",
        trained_on="MS1MV2 or K-FACE, by file",
        inside=("backbone",),
        size_of=_LAST,
        head=("head.weight", "head.module.weight"),
        head_turned=("head.fc.weight", "head.module.fc.weight"),
        head_inside="headandloss",
        names=(*_UNPG, *(f"torch.nn.modules.{layer}" for layer in _LAYERS)),
    ),
    Layout(
        name="adaface",
        backbones=_ADAFACE,
        contract=adaface_contract,
        licence="MIT",
        paper="Kim et al., AdaFace, 2022",
        trained_on="CASIA-WebFace, VGGFace2, MS1MV2, MS1MV3, WebFace4M or WebFace12M, by file",
        prefixes=("model.",),
        size_of=_LAST,
        head_turned=("head.kernel",),
        head_beside=True,
        names=_LIGHTNING,
    ),
    Layout(
        name="cvlface",
        backbones=(*_ADAFACE, "backbone/vit-s8", "backbone/vit-b8"),
        contract=arcface_contract,
        licence="MIT",
        paper="Kim et al., AdaFace, 2022, as in mk-minchul/CVLface",
        trained_on="CASIA-WebFace, MS1MV2, MS1MV3, WebFace4M or WebFace12M, by file",
        inside=("state_dict", "model"),
        prefixes=("module.", "model.", "net."),
        size_of=_LAST,
        optional=("num_batches_tracked", "mask_token"),
    ),
    Layout(
        name="facenet-pytorch",
        backbones=("backbone/inception-resnet-v1",),
        contract=facenet_contract,
        licence="MIT",
        paper="Schroff et al., FaceNet, 2015, as in davidsandberg/facenet and timesler/facenet-pytorch",
        trained_on="VGGFace2 or CASIA-WebFace, by file",
        size_of=("last_bn.weight",),
        head=("logits.weight",),
    ),
    Layout(
        name="light-cnn",
        backbones=("backbone/light-cnn-9", "backbone/light-cnn-29", "backbone/light-cnn-29v2"),
        contract=light_cnn_contract,
        licence="MIT",
        paper="Wu et al., A Light CNN for Deep Face Representation with Noisy Labels, 2018",
        trained_on="CASIA-WebFace and MS-Celeb-1M",
        head=("fc2.weight",),
    ),
    Layout(
        name="light-cnn-v4",
        backbones=("backbone/light-cnn-v4",),
        contract=light_cnn_colour_contract,
        licence="MIT",
        paper="Wu et al., A Light CNN for Deep Face Representation with Noisy Labels, 2018; network of 2022",
        trained_on="MS-Celeb-1M",
        size_of=("fc.weight",),
    ),
    Layout(
        name="swinface",
        backbones=("backbone/swin-t",),
        contract=arcface_contract,
        licence="MIT",
        paper="Qin et al., SwinFace, 2023",
        trained_on="MS-Celeb-1M and attribute sets",
        inside=("state_dict_backbone",),
        size_of=("feature.3.weight",),
        ignored=("head.*", "*.attn_mask", "*.relative_position_index"),
    ),
    Layout(
        name="petalface",
        backbones=("backbone/swin-b", "backbone/vit-b"),
        contract=arcface_contract,
        licence="MIT",
        paper="Narayan et al., PETALface, 2025",
        trained_on="WebFace4M or WebFace12M, by file",
        inside=("state_dict_backbone",),
        size_of=("feature_layer.3.weight", "feature.3.weight"),
        ignored=("*.attn_mask", "*.relative_position_index"),
    ),
)

LAYOUTS = {layout.name: layout for layout in _ALL}
"""Name of a project -> how it stores its networks."""
