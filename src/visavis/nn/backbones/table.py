"""How large the registered backbones are, as built without options; a test counts them again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """Of one network.

    Attributes:
        parameters: Numbers that are trained, and those held at 1.
        entries: Tensors of its state dict.
        macs: Multiply-accumulate operations of one crop; see `visavis.nn.macs.count_macs`.
    """

    parameters: int
    entries: int
    macs: int


SIZES = {
    "backbone/adaface-ir101": Size(65_150_912, 917, 12_076_761_088),
    "backbone/adaface-ir18": Size(24_020_352, 179, 2_597_109_760),
    "backbone/adaface-ir50": Size(43_585_600, 467, 6_296_485_888),
    "backbone/facenet-nn1": Size(140_025_664, 28, 1_605_944_064),
    "backbone/facenet-nn2": Size(7_456_304, 120, 1_596_530_688),
    "backbone/facenet-nn3": Size(7_456_304, 120, 814_620_672),
    "backbone/facenet-nn4": Size(6_179_472, 92, 270_548_992),
    "backbone/inception-resnet-v1": Size(23_482_624, 714, 1_417_662_304),
    "backbone/iresnet100": Size(65_156_160, 925, 12_089_606_144),
    "backbone/iresnet18": Size(24_025_600, 187, 2_609_954_816),
    "backbone/iresnet200": Size(118_833_920, 1_807, 23_418_945_536),
    "backbone/iresnet34": Size(34_139_328, 331, 4_459_642_880),
    "backbone/iresnet50": Size(43_590_848, 475, 6_309_330_944),
    "backbone/light-cnn-29": Size(12_573_280, 60, 3_619_160_064),
    "backbone/light-cnn-29v2": Size(10_475_872, 60, 3_617_062_912),
    "backbone/light-cnn-4": Size(4_098_048, 10, 1_254_561_792),
    "backbone/light-cnn-9": Size(5_480_864, 20, 976_748_544),
    "backbone/light-cnn-v4": Size(10_345_600, 52, 3_555_196_928),
    "backbone/mobilefacenet": Size(2_059_520, 333, 437_520_896),
    "backbone/mobilefacenet-large": Size(6_314_880, 606, 1_816_482_816),
    "backbone/mobilefacenet-small": Size(515_248, 222, 94_561_920),
    "backbone/mobilefacenet-tiny": Size(58_144, 186, 2_641_728),
    "backbone/mobilenet-slim": Size(2_880_480, 201, 88_858_560),
    "backbone/swin-b": Size(213_666_768, 311, 15_931_852_800),
    "backbone/swin-t": Size(28_501_498, 183, 4_479_943_680),
    "backbone/vit-b": Size(113_833_472, 282, 11_437_170_688),
    "backbone/vit-b8": Size(114_870_272, 282, 13_346_275_328),
    "backbone/vit-l": Size(255_684_352, 282, 25_337_794_560),
    "backbone/vit-mini": Size(2_688_538, 108, 94_597_056),
    "backbone/vit-s": Size(76_023_296, 150, 5_746_548_736),
    "backbone/vit-s8": Size(95_952_896, 150, 9_174_843_392),
    "backbone/vit-t": Size(19_137_792, 150, 1_504_882_688),
}
"""Registry name -> size."""
