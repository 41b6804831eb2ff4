"""Norm: how strongly the recogniser responds to the face."""

from __future__ import annotations

from types import MappingProxyType

from visavis.errors import UsageError
from visavis.quality.column import quality_column
from visavis.quality.scale import Scale
from visavis.types import FaceContext, Quality, Templates

SFACE_NORM = Scale(
    6.0,
    14.0,
    "CelebA people of role train: the least norm of 2,578 pictures is 6.6, their 95th percentile 14.0",
)
NORM_SCALES = MappingProxyType(
    {
        "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee": SFACE_NORM,
        "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79": SFACE_NORM,
    }
)
"""By sha256 of the recogniser's weights, the scale of its norms: SFace, in both distributions. Averaging in the
mirrored crop shortens the embedding by a few per cent only; the scale is the same."""

_POOR = 35.0
"""Told below a norm of 8.8, so that a face that fails the limit on SFace's card, 8.5, is told in words."""


def has_norm_scale(templates: Templates | None) -> bool:
    """Whether the norms of these templates are understood: of a recogniser in `NORM_SCALES`."""
    return templates is not None and templates.space.recogniser in NORM_SCALES


class NormScorer:
    """Measure ``norm``: the length of the raw embedding, which training ties to how recognisable a face is.

    The use of the norm as quality is that of Meng et al. 2021, MagFace; SFace was not trained for it, so that the
    measure is judged by its error-versus-discard curve. A norm means something within one recogniser only.
    """

    scale = SFACE_NORM

    def applies(self, context: FaceContext) -> bool:
        """Whether the norms of these templates have a scale."""
        return has_norm_scale(context.templates)

    def assess(self, context: FaceContext) -> Quality:
        """One norm a face.

        Raises:
            UsageError: Nothing was embedded, or by a recogniser whose norms have no scale.
        """
        templates = context.templates
        if templates is None or not has_norm_scale(templates):
            what = "nothing was embedded" if templates is None else f"{templates.made_by.model} has no scale of norms"
            raise UsageError(f"the quality measure norm needs templates of SFace; {what}; leave the measure out")
        return quality_column(
            "norm",
            templates.norms,
            NORM_SCALES[templates.space.recogniser],
            context.status,
            unit="",
            poor=_POOR,
            reason=lambda *_: "the recogniser finds little to go by",
        )
