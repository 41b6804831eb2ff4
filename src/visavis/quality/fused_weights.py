"""The weights of the fused score.

Fitted by `benchmarks/choose_quality_fusion.py`: not negative, to the mean similarity of a picture with the other
pictures of its person, over CelebA people of role ``train`` without ``suspect`` pictures. The variants were chosen on
people of role ``develop``, among others that know no people; see docs/results/quality-fusion.md.
"""

from visavis.quality.fusion import Fusion
from visavis.quality.scale import Scale

_SCALE = Scale(0.0, 100.0, "no people: the weighted mean itself")
_SOURCE = "CelebA people of role train, as stored and degraded; the variant chosen on role develop"
_SOURCE_BARE = "CelebA people of role train, as stored; the variant chosen on role develop"
WITH_NORM = Fusion((("norm", 0.81), ("sharpness", 0.16), ("pose", 0.02), ("detection", 0.01)), _SCALE, _SOURCE)
"""For recognisers whose norms have a scale."""
WITHOUT_NORM = Fusion(
    (("detection", 0.63), ("size", 0.19), ("exposure", 0.11), ("sharpness", 0.06), ("pose", 0.01)),
    _SCALE,
    _SOURCE_BARE,
)
"""For all others."""
