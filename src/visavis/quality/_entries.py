"""Registry table of quality scorers."""

ENTRIES = {
    "quality/size": ("visavis.quality.size:SizeScorer", "", "pixels of the stored picture that show the face"),
    "quality/sharpness": (
        "visavis.quality.sharpness:SharpnessScorer",
        "",
        "share of the fine steps of brightness that another blur takes away",
    ),
    "quality/exposure": (
        "visavis.quality.exposure:ExposureScorer",
        "",
        "share of the face that is neither black nor burnt out",
    ),
    "quality/contrast": ("visavis.quality.contrast:ContrastScorer", "", "range of brightness within the face"),
    "quality/pose": ("visavis.quality.pose:PoseScorer", "", "angle between face and camera, from the five points"),
    "quality/detection": ("visavis.quality.detection_score:DetectionScorer", "", "the detector's score"),
    "quality/norm": ("visavis.quality.norm:NormScorer", "", "length of the raw embedding; SFace only"),
    "quality/attention": (
        "visavis.quality.attention:AttentionScorer",
        "",
        "mean attention logit in the last block of a vision transformer that was calibrated",
    ),
    "quality/recognizability": (
        "visavis.quality.recognizability:RecognizabilityScorer",
        "",
        "guessed recognizability of a recogniser that was trained to tell it",
    ),
    "quality/distance": (
        "visavis.quality.distance:DistanceScorer",
        "",
        "distance from what a recogniser makes of unrecognisable images",
    ),
    "quality/landmark": (
        "visavis.quality.landmark:LandmarkScorer",
        "",
        "size and pose in one, from the landmarks alone, by a random forest",
    ),
}
