"""The keys of released checkpoints, written out by rule from their projects' code and fact sheets, without ours."""

_BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def batch_norm(name):
    return [f"{name}.{part}" for part in _BATCH_NORM]


def iresnet(layers):
    """insightface, ElasticFace, MagFace, UNPG."""
    keys = ["conv1.weight", *batch_norm("bn1"), "prelu.weight"]
    for stage, count in enumerate(layers, start=1):
        for block in range(count):
            here = f"layer{stage}.{block}"
            keys += [*batch_norm(f"{here}.bn1"), f"{here}.conv1.weight", *batch_norm(f"{here}.bn2")]
            keys += [f"{here}.prelu.weight", f"{here}.conv2.weight", *batch_norm(f"{here}.bn3")]
            keys += [f"{here}.downsample.0.weight", *batch_norm(f"{here}.downsample.1")] if block == 0 else []
    return [*keys, *batch_norm("bn2"), "fc.weight", "fc.bias", *batch_norm("features")]


def adaface(layers):
    """AdaFace and CVLface: blocks in one row, layers by number; the first shortcut is a pooling without weights."""
    keys = ["input_layer.0.weight", *batch_norm("input_layer.1"), "input_layer.2.weight"]
    number = 0
    for stage, count in enumerate(layers):
        for block in range(count):
            here = f"body.{number}.res_layer"
            keys += [*batch_norm(f"{here}.0"), f"{here}.1.weight", *batch_norm(f"{here}.2"), f"{here}.3.weight"]
            keys += [f"{here}.4.weight", *batch_norm(f"{here}.5")]
            if block == 0 and stage > 0:
                keys += [f"body.{number}.shortcut_layer.0.weight", *batch_norm(f"body.{number}.shortcut_layer.1")]
            number += 1
    keys += [*batch_norm("output_layer.0"), "output_layer.3.weight", "output_layer.3.bias"]
    return keys + [f"output_layer.4.{part}" for part in ("running_mean", "running_var", "num_batches_tracked")]


def mobilefacenet(depths):
    """insightface; every unit is a list of convolution, BN and, unless it is linear, PReLU."""

    def unit(name, *, linear=False):
        return [
            f"{name}.layers.0.weight",
            *batch_norm(f"{name}.layers.1"),
            *([] if linear else [f"{name}.layers.2.weight"]),
        ]

    def bottleneck(name):
        return [*unit(f"{name}.layers.0"), *unit(f"{name}.layers.1"), *unit(f"{name}.layers.2", linear=True)]

    def row(name, count):
        return [key for number in range(count) for key in bottleneck(f"{name}.layers.{number}")]

    keys = unit("layers.0") + (unit("layers.1") if depths[0] == 1 else row("layers.1", depths[0]))
    for place, depth in zip((2, 4, 6), depths[1:], strict=True):
        keys += bottleneck(f"layers.{place}") + row(f"layers.{place + 1}", depth)
    keys += unit("conv_sep") + unit("features.layers.0", linear=True)
    return [*keys, "features.layers.2.weight", *batch_norm("features.layers.3")]


def light_cnn_9():
    keys = ["features.0.filter.weight", "features.0.filter.bias"]
    for place in (2, 4, 6, 7):
        keys += [f"features.{place}.{part}.filter.{kind}" for part in ("conv_a", "conv") for kind in ("weight", "bias")]
    return [*keys, *(f"{name}.{kind}" for name in ("fc1.filter", "fc2") for kind in ("weight", "bias"))]


def light_cnn_29(*, second):
    names = ["conv1.filter"]
    for stage, count in enumerate((1, 2, 3, 4), start=1):
        names += [f"block{stage}.{block}.conv{part}.filter" for block in range(count) for part in (1, 2)]
        names += [f"group{stage}.conv_a.filter", f"group{stage}.conv.filter"]
    names += ["fc"] if second else ["fc.filter"]
    keys = [f"{name}.{kind}" for name in names for kind in ("weight", "bias")]
    return [*keys, "fc2.weight", *([] if second else ["fc2.bias"])]


def light_cnn_v4():
    names = ["conv1.filter"]
    for stage, count in enumerate((1, 2, 3, 4), start=1):
        names += [f"block{stage}.{block}.conv{part}.filter" for block in range(count) for part in (1, 2)]
        names += [f"conv{stage + 1}.filter"]
    return [f"{name}.{kind}" for name in (*names, "fc") for kind in ("weight", "bias")]


def inception_resnet():
    """facenet-pytorch, with its classifier."""

    def unit(name):
        return [f"{name}.conv.weight", *batch_norm(f"{name}.bn")]

    def branches(name, counts):
        return [
            key
            for branch, count in enumerate(counts)
            for place in ([""] if count == 1 else [f".{number}" for number in range(count)])
            for key in unit(f"{name}.branch{branch}{place}")
        ]

    def residual(name, counts):
        return [*branches(name, counts), f"{name}.conv2d.weight", f"{name}.conv2d.bias"]

    keys = [key for name in ("1a", "2a", "2b", "3b", "4a", "4b") for key in unit(f"conv2d_{name}")]
    keys += [key for number in range(5) for key in residual(f"repeat_1.{number}", (1, 2, 3))]
    keys += branches("mixed_6a", (1, 3))
    keys += [key for number in range(10) for key in residual(f"repeat_2.{number}", (1, 3))]
    keys += branches("mixed_7a", (2, 2, 3))
    keys += [key for number in range(5) for key in residual(f"repeat_3.{number}", (1, 3))]
    keys += residual("block8", (1, 3))
    return [*keys, "last_linear.weight", *batch_norm("last_bn"), "logits.weight", "logits.bias"]


def _block(name, *, bias):
    pairs = ["norm1", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2"]
    keys = [f"{name}.{part}.{kind}" for part in pairs for kind in ("weight", "bias")]
    return [*keys, f"{name}.attn.qkv.weight", *([f"{name}.attn.qkv.bias"] if bias else [])]


def _feature(name):
    return [f"{name}.0.weight", *batch_norm(f"{name}.1"), f"{name}.2.weight", *batch_norm(f"{name}.3")]


def vit(depth):
    """insightface; CVLface without the mask token where nothing was masked."""
    keys = ["pos_embed", "mask_token", "patch_embed.proj.weight", "patch_embed.proj.bias"]
    keys += [key for number in range(depth) for key in _block(f"blocks.{number}", bias=False)]
    return [*keys, "norm.weight", "norm.bias", *_feature("feature")]


def swin(depths, *, swinface, shifted):
    """SwinFace, or PETALface without adapters, with what both store but that follows from sizes.

    Args:
        depths: Blocks of each stage.
        swinface: SwinFace's head and its idle classifier, else PETALface's.
        shifted: Stages whose windows shift, which is where a mask is stored.
    """
    keys = [f"patch_embed.{part}.{kind}" for part in ("proj", "norm") for kind in ("weight", "bias")]
    for stage, depth in enumerate(depths):
        for block in range(depth):
            here = f"layers.{stage}.blocks.{block}"
            keys += [*_block(here, bias=True), f"{here}.attn.relative_position_bias_table"]
            keys += [f"{here}.attn.relative_position_index"]
            keys += [f"{here}.attn_mask"] if stage in shifted and block % 2 else []
        if stage < len(depths) - 1:
            here = f"layers.{stage}.downsample"
            keys += [f"{here}.reduction.weight", f"{here}.norm.weight", f"{here}.norm.bias"]
    keys += ["norm.weight", "norm.bias"]
    if swinface:
        return [*keys, "head.weight", "head.bias", *_feature("feature")]
    keys += ["absolute_pos_embed", "feature_layer.2.weight", "feature_layer.2.bias"]
    return [*keys, *batch_norm("feature_layer.0"), *batch_norm("feature_layer.3")]
