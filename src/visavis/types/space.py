"""TemplateSpace: which templates may be compared with which."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class TemplateSpace:
    """Everything that decides what a template means, apart from the picture.

    Two templates are comparable only when their spaces are equal. Engine and precision are not part of
    the space: they are recorded in `Provenance` and compatible within a stated tolerance.

    Attributes:
        detector: Hash of the detector's weights and of the rule for its working size.
        landmarks: Landmark order, for example ``five-point``.
        crop: Name of the crop template, for example ``arcface-112``.
        recogniser: sha256 of the recogniser's weights as distributed.
        dimension: Length of a template.
        flip: Whether the mirrored crop was averaged in.
        pooling: How several samples become one template; ``none`` for single samples.
    """

    detector: str
    landmarks: str
    crop: str
    recogniser: str
    dimension: int
    flip: bool = False
    pooling: str = "none"

    @property
    def fingerprint(self) -> str:
        """First 16 hexadecimal digits of the sha256 of all fields but ``pooling``.

        Pooling is left out because a pooled template is compared with single ones by design; the
        calibration says for which numbers of samples it holds.
        """
        fields = asdict(self)
        del fields["pooling"]
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def comparable(self, other: TemplateSpace) -> bool:
        """Whether templates of the two spaces may be compared."""
        return self.fingerprint == other.fingerprint
