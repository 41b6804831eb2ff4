"""The mirror table of 68 landmarks on faces that were labelled by hand."""

import csv

import numpy as np
import pytest

from visavis.quality.landmark_geometry import Landmarks, normalised, pose_proxies
from visavis.quality.landmark_layout import IBUG_68

pytestmark = pytest.mark.data


def test_on_frontal_faces_a_landmark_lies_where_the_mirror_shows_its_counterpart(shared_data):
    rows = list(csv.DictReader((shared_data / "dlib_faces/labels.csv").open()))
    points = np.array([[[float(row[f"{axis}{number}"]) for axis in "xy"] for number in range(68)] for row in rows])
    level = normalised(Landmarks(IBUG_68, points))
    frontal = np.abs(pose_proxies(level, IBUG_68)[:, 0]) < 0.1
    assert frontal.sum() >= 5
    apart = np.linalg.norm(level - IBUG_68.mirrored(level), axis=2)[frontal]
    assert np.median(apart, axis=0).max() < 0.3, "in units of the spread of the face"
    left, right, nose = np.swapaxes(IBUG_68.anchors(level)[frontal], 0, 1)[:3]
    assert (left[:, 0] < nose[:, 0]).all() and (nose[:, 0] < right[:, 0]).all()
