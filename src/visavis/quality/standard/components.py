"""The components of ISO/IEC 29794-5:2025: those that are measured, and those for which a model is missing."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.quality.pose import angles_of
from visavis.quality.sharpness import SharpnessScorer
from visavis.quality.standard import geometry
from visavis.quality.standard.colour import natural_colour
from visavis.quality.standard.component import Component, Raw
from visavis.quality.standard.face import (
    dynamic_range,
    illumination_uniformity,
    luminance_mean,
    luminance_variance,
    over_exposure,
    under_exposure,
)
from visavis.quality.standard.mapping import (
    Sigmoid,
    angle_score,
    dynamic_range_score,
    head_size_score,
    illumination_score,
    luminance_mean_score,
    luminance_variance_score,
    over_exposure_score,
    rounded,
)
from visavis.types import FaceContext

_ELLIPSE = "an ellipse from brows to chin in place of the hull of 98 landmarks; five points align the face"
_NO_OCCLUSION = f"{_ELLIPSE}; what covers the face is not cut out"
_EYES = "the detector's eye points in place of the middles of the eye corners"
_CHIN = f"{_EYES}; the chin is inferred from the eyes and the mouth"
_POSE = "from five points and a generic head in place of 3DDFA-V2; falls short near the profile"


def _sharpness(context: FaceContext) -> NDArray[np.float64]:
    return SharpnessScorer().assess(context).raw.astype(np.float64)


def _sharpness_score(raw: ArrayLike) -> NDArray[np.float64]:
    return rounded(SharpnessScorer.scale.score(raw))


def _angle(axis: int) -> Raw:
    return lambda context: np.degrees(angles_of(context)[:, axis])


_SIDE_MARGIN = Sigmoid(0.9, 0.1)
_ALL = (
    Component(
        "illumination_uniformity", "7.3.3", "share", illumination_score, "one cheek is lit, the other is not",
        "five points align the face", pixels=illumination_uniformity,
    ),
    Component(
        "luminance_mean", "7.3.4.2", "share of white", luminance_mean_score, "the face is too dark or too bright",
        _ELLIPSE, pixels=luminance_mean, rising=None,
    ),
    Component(
        "luminance_variance", "7.3.4.3", "share of white, squared", luminance_variance_score,
        "the face is flat, or half in the light and half in the dark", _ELLIPSE, pixels=luminance_variance, rising=None,
    ),
    Component(
        "under_exposure", "7.3.5", "share", Sigmoid(0.92, 0.05, height=120, offset=0.832, sign=-1),
        "the face is nearly black", _NO_OCCLUSION, pixels=under_exposure, rising=False,
    ),
    Component(
        "over_exposure", "7.3.6", "share", over_exposure_score, "parts of the face are burnt out", _NO_OCCLUSION,
        pixels=over_exposure, rising=False,
    ),
    Component(
        "dynamic_range", "7.3.7", "bits", dynamic_range_score, "the face has few levels of brightness", _ELLIPSE,
        pixels=dynamic_range,
    ),
    Component(
        "sharpness", "7.3.8", "share", _sharpness_score, "the face is blurred or enlarged",
        "the measure sharpness of this library and its mapping, in place of a random forest over filter responses",
        raw=_sharpness,
    ),
    Component(
        "natural_colour", "7.3.10", "CIELAB distance", Sigmoid(0, 10, height=200, offset=1, sign=-1),
        "the colour of the face is none of skin", "five points align the face", pixels=natural_colour, rising=False,
    ),
    Component(
        "inter_eye_distance", "7.4.8", "pixels", Sigmoid(70, 20), "the eyes are few pixels apart", _EYES,
        raw=geometry.inter_eye_distance,
    ),
    Component(
        "head_size", "7.4.9", "share of the height", head_size_score, "the head is small or large in the picture",
        _CHIN, raw=geometry.head_size, rising=None,
    ),
    Component(
        "margin_left", "7.4.10", "eye distances", _SIDE_MARGIN, "the face is cut off, or nearly, at the left", _EYES,
        raw=geometry.margin_left,
    ),
    Component(
        "margin_right", "7.4.10", "eye distances", _SIDE_MARGIN, "the face is cut off, or nearly, at the right", _EYES,
        raw=geometry.margin_right,
    ),
    Component(
        "margin_above", "7.4.10", "eye-chin distances", Sigmoid(1.4, 0.1), "there is little room above the face", _CHIN,
        raw=geometry.margin_above,
    ),
    Component(
        "margin_below", "7.4.10", "eye-chin distances", Sigmoid(1.8, 0.1), "there is little room below the face", _CHIN,
        raw=geometry.margin_below,
    ),
    Component(
        "head_pose_yaw", "7.4.11.2", "degrees", angle_score, "the head is turned to the side", _POSE,
        raw=_angle(0), rising=None,
    ),
    Component(
        "head_pose_pitch", "7.4.11.3", "degrees", angle_score, "the head is tilted up or down", _POSE,
        raw=_angle(1), rising=None,
    ),
    Component(
        "head_pose_roll", "7.4.11.4", "degrees", angle_score, "the head leans to a shoulder", _POSE,
        raw=_angle(2), rising=None,
    ),
)  # fmt: skip
COMPONENTS = MappingProxyType({component.name: component for component in _ALL})
"""Every component that is measured, by name, in the order of the clauses. Raw values of left and right are as seen."""
MISSING = MappingProxyType(
    {
        "background_uniformity": ("7.3.2", "a face parser"),
        "no_compression_artefacts": ("7.3.9", "a network that sees the traces of compression"),
        "single_face_present": ("7.4.2", "nothing but all faces of the picture: visavis detect lists them"),
        "eyes_open": ("7.4.3", "landmarks of the eyelids"),
        "mouth_closed": ("7.4.4", "landmarks of the lips"),
        "eyes_visible": ("7.4.5", "a segmentation of what covers the face"),
        "mouth_occlusion_prevention": ("7.4.6", "a segmentation of what covers the face"),
        "face_occlusion_prevention": ("7.4.7", "a segmentation of what covers the face"),
        "expression_neutrality": ("7.4.12", "a classifier of expressions"),
        "no_head_coverings": ("7.4.13", "a face parser"),
    }
)
"""By component that is not measured, its clause and what it would need."""
