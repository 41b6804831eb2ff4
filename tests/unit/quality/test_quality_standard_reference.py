"""Components of ISO/IEC 29794-5 beside the formulas of the reference implementation, on the same region of the face."""

import cv2
import numpy as np
import pytest
from test_quality_standard import POINTS, context

from ofiq_formulas import Landmarks, measured
from visavis.quality.standard.assess import assess_standard
from visavis.quality.standard.face import face_mask
from visavis.quality.standard.geometry import CHIN_BY_EYES, CHIN_BY_MOUTH

HULL = cv2.findContours(face_mask().astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0][0][:, 0].astype(
    float
)
PIXELS = ("illumination_uniformity", "natural_colour", "luminance_mean", "luminance_variance", "dynamic_range",
          "under_exposure", "over_exposure")  # fmt: skip
PLACES = ("inter_eye_distance", "head_size", "margin_left", "margin_right", "margin_above", "margin_below")


def landmarks_in_place():
    """Landmarks that say what our five points and ellipse say."""
    corners = np.array([[-12.0, 0], [12, 0]])
    left, right, nose, *mouth = POINTS.astype(float)
    middle = (left + right) / 2
    away = max(CHIN_BY_EYES * (right - left)[0], CHIN_BY_MOUTH * np.linalg.norm(np.mean(mouth, axis=0) - middle))
    return Landmarks(left + corners, right + corners, nose, np.array(mouth), middle + np.array([0, away]), HULL)


@pytest.mark.parametrize("seed", range(6))
def test_the_same_region_has_the_same_raw_values(seed):
    """Smooth colours between nearly black and burnt out, a darker half, and noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(-60, 320, (5, 5, 3)).astype(np.float32)
    pixels = cv2.resize(coarse, (616, 616), interpolation=cv2.INTER_CUBIC) + rng.normal(0, 6, (616, 616, 1))
    pixels[:, 308:] *= rng.uniform(0.3, 1)
    pixels = np.clip(pixels, 0, 255).astype(np.uint8)
    ours = {one.measure: float(one.raw[0]) for one in assess_standard(context([pixels]))}
    theirs = measured(pixels, landmarks_in_place())
    for name in PIXELS:
        assert ours[name] == pytest.approx(
            theirs[name], abs={"natural_colour": 0.5, "dynamic_range": 0.02}.get(name, 4e-3)
        )
    for name in PLACES[1:]:
        assert ours[name] == pytest.approx(theirs[name], rel=1e-3)
    assert ours["inter_eye_distance"] == pytest.approx(theirs["inter_eye_distance"], rel=0.02)  # ours undoes yaw
