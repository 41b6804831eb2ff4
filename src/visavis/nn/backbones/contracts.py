"""How released face networks want their pixels."""

from __future__ import annotations

from visavis.cards import InputContract


def arcface_contract(size: int = 112) -> InputContract:
    """RGB in [-1, 1], ``(value - 127.5) / 127.5``, the five-point template of ArcFace at ``size`` pixels.

    Of arcface_torch, ElasticFace, CurricularFace and their kin.
    """
    return InputContract(colour="rgb", mean=127.5, scale=1 / 127.5, size=(size, size), template="arcface-112")


def adaface_contract(size: int = 112) -> InputContract:
    """`arcface_contract` with the channels in the order blue, green, red. Of AdaFace."""
    return InputContract(colour="bgr", mean=127.5, scale=1 / 127.5, size=(size, size), template="arcface-112")


def light_cnn_contract(size: int = 128) -> InputContract:
    """Grey in [0, 1], the template with 48 pixels between eyes and mouth. Wu et al. 2018, released code."""
    return InputContract(colour="grey", scale=1 / 255, size=(size, size), template="light-cnn-128")


def light_cnn_colour_contract(size: int = 128) -> InputContract:
    """Blue, green, red in [0, 1], crops as `light_cnn_contract`. Of Light CNN-v4."""
    return InputContract(colour="bgr", scale=1 / 255, size=(size, size), template="light-cnn-128")


def facenet_contract(size: int = 160) -> InputContract:
    """RGB, ``(value - 127.5) / 128``, a loose crop. Of facenet-pytorch."""
    return InputContract(colour="rgb", mean=127.5, scale=1 / 128, size=(size, size), template="facenet-160")


def sface_contract(size: int = 112) -> InputContract:
    """RGB, ``(value - 127.5) / 128``, the template of ArcFace. OpenCV's SFace does so inside the network."""
    return InputContract(colour="rgb", mean=127.5, scale=1 / 128, size=(size, size), template="arcface-112")


def magface_contract(size: int = 112) -> InputContract:
    """Blue, green, red in [0, 1]. Of MagFace."""
    return InputContract(colour="bgr", scale=1 / 255, size=(size, size), template="arcface-112")


def imagenet_contract(size: int = 112) -> InputContract:
    """RGB with the mean and deviation of ImageNet. Of UNPG."""
    mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    return InputContract(
        colour="rgb",
        mean=(255 * mean[0], 255 * mean[1], 255 * mean[2]),
        scale=(1 / (255 * deviation[0]), 1 / (255 * deviation[1]), 1 / (255 * deviation[2])),
        size=(size, size),
        template="arcface-112",
    )
