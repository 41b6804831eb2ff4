"""Table of detector families: which outputs to ask for, and how to read them."""

from __future__ import annotations

from collections.abc import Callable

from visavis.detection.candidates import Candidates
from visavis.detection.retinaface import decode_retinaface, retinaface_outputs
from visavis.detection.scrfd import decode_scrfd, scrfd_outputs
from visavis.detection.yunet import OUTPUTS, decode_yunet
from visavis.errors import ModelError

Outputs = Callable[[tuple[str, ...]], tuple[str, ...]]
Decode = Callable[..., list[Candidates]]


def _yunet_outputs(names: tuple[str, ...]) -> tuple[str, ...]:
    missing = sorted(set(OUTPUTS) - set(names))
    if missing:
        raise ModelError(f"not a YuNet: it has no output {', '.join(missing)}", reason="model.refused")
    return OUTPUTS


DECODERS: dict[str, tuple[Outputs, Decode]] = {
    "yunet": (_yunet_outputs, decode_yunet),
    "scrfd": (scrfd_outputs, decode_scrfd),
    "retinaface": (retinaface_outputs, decode_retinaface),
}
