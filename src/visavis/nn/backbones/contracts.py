"""How released face networks want their pixels."""

from __future__ import annotations

from visavis.cards import InputContract


def arcface_contract(size: int = 112) -> InputContract:
    """RGB in [-1, 1], ``(value - 127.5) / 127.5``, the five-point template of ArcFace at ``size`` pixels.

    Of arcface_torch, ElasticFace, CurricularFace and their kin.
    """
    return InputContract(colour="rgb", mean=127.5, scale=1 / 127.5, size=(size, size), template="arcface-112")
