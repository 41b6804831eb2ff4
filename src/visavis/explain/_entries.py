"""Registry table of explainers."""

ENTRIES = {
    "explainer/evidence": (
        "visavis.explain.evidence:EvidenceExplainer",
        "",
        "the default: maps by occlusion, effects of parts and a sentence",
    ),
    "explainer/occlusion": (
        "visavis.explain.occlusion:OcclusionExplainer",
        "",
        "a square slides over one face, the other or both",
    ),
    "explainer/random-masks": (
        "visavis.explain.random_masks:RandomMaskExplainer",
        "",
        "smooth random masks, as in RISE, for pairs",
    ),
    "explainer/regions": (
        "visavis.explain.regions:RegionExplainer",
        "",
        "eyes, brows, nose, mouth, cheeks, jaw and forehead hidden one at a time",
    ),
    "explainer/gradient": (
        "visavis.explain.gradient:GradientExplainer",
        "torch",
        "gradients times input, one backward pass",
    ),
    "explainer/integrated-gradients": (
        "visavis.explain.integrated_gradients:IntegratedGradientsExplainer",
        "torch",
        "gradients along a path from a blank face: complete, they sum to the similarity",
    ),
    "explainer/pair-cam": (
        "visavis.explain.pair_cam:PairCamExplainer",
        "torch",
        "gradient times activation of a feature map, as in Grad-CAM, for pairs",
    ),
}
