"""TemplateSpace: which templates may be compared with which."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from visavis.errors import SpaceError

_FIELDS = ("detector", "landmarks", "crop", "recogniser", "dimension", "flip")


@dataclass(frozen=True, slots=True)
class TemplateSpace:
    """Everything that decides what a template means, apart from the picture.

    Two templates are comparable only when their spaces are equal, or when the recogniser of one was trained to be
    compatible with that of the other and says so. Engine and precision are not part of the space: they are recorded
    in `Provenance` and compatible within a stated tolerance.

    Attributes:
        detector: Hash of the detector's weights and of the rule for its working size.
        landmarks: Landmark order, for example ``five-point``.
        crop: Name of the crop template, for example ``arcface-112``.
        recogniser: sha256 of the recogniser's weights as distributed.
        dimension: Length of a template.
        flip: Whether the mirrored crop was averaged in.
        pooling: How several samples become one template; ``none`` for single samples.
        compatible: Fingerprints of older spaces that this one's recogniser was trained to be compared with; see
            ``compatible_with`` of `visavis.cards.WeightCard`.
    """

    detector: str
    landmarks: str
    crop: str
    recogniser: str
    dimension: int
    flip: bool = False
    pooling: str = "none"
    compatible: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """First 16 hexadecimal digits of the sha256 of all fields but ``pooling`` and ``compatible``.

        Pooling is left out because a pooled template is compared with single ones by design; the
        calibration says for which numbers of samples it holds.
        """
        fields = asdict(self)
        del fields["pooling"], fields["compatible"]
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def comparable(self, other: TemplateSpace) -> bool:
        """Whether templates of the two spaces may be compared: it is one space, or one is compatible with the other.

        A network that fits an older one replaces the recogniser alone: all other fields must be the same.
        """
        mine, theirs = self.fingerprint, other.fingerprint
        if mine == theirs:
            return True
        told = theirs in self.compatible or mine in other.compatible
        return told and all(getattr(self, name) == getattr(other, name) for name in _FIELDS if name != "recogniser")

    def require_comparable(self, other: TemplateSpace) -> None:
        """Refuse to compare templates of two spaces.

        Raises:
            SpaceError: Names the fields in which the spaces differ.
        """
        if not self.comparable(other):
            raise self._differs(other, "compared", "embed both sides with the same pipeline")

    def require_same(self, other: TemplateSpace) -> None:
        """Refuse to put templates of two spaces into one set, also where they may be compared.

        Raises:
            SpaceError: Names the fields in which the spaces differ.
        """
        if self.fingerprint != other.fingerprint:
            raise self._differs(other, "joined", "keep them apart, or embed all with the same pipeline")

    def _differs(self, other: TemplateSpace, verb: str, remedy: str) -> SpaceError:
        differing = [name for name in _FIELDS if getattr(self, name) != getattr(other, name)]
        return SpaceError(
            f"these templates cannot be {verb}: spaces {self.fingerprint} and {other.fingerprint} differ in "
            f"{', '.join(differing)}; {remedy}"
        )


def pair_fingerprint(one: TemplateSpace, other: TemplateSpace) -> str:
    """What a calibration for comparing templates of two compatible spaces is filed under; the order does not matter.

    Of one space it is the fingerprint.
    """
    return "+".join(sorted({one.fingerprint, other.fingerprint}))
