"""The alignment of Light CNN: two anchors, whatever the picture was turned and scaled by."""

import numpy as np
import pytest

from visavis import registry
from visavis.alignment.eye_mouth import eye_mouth_transform
from visavis.errors import UsageError
from visavis.geometry import ARCFACE_112, LIGHT_CNN_128, similarity_transform, transform_points
from visavis.types import Faces, Picture, Pictures, Status

FACE = np.array([(40.0, 60.0), (88.0, 60.0), (64.0, 80.0), (48.0, 108.0), (80.0, 108.0)])


def turned(points, angle, scale, shift):
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    return points @ np.array([[cosine, -sine], [sine, cosine]]).T + shift


def test_a_face_that_has_the_distance_is_only_shifted():
    matrix = eye_mouth_transform(FACE)
    assert np.allclose(matrix, [[1, 0, 0], [0, 1, -20]])
    there = transform_points(matrix, FACE)
    assert np.allclose(there[:2].mean(0), (64, 40)) and np.allclose(there[3:].mean(0), (64, 88))


@pytest.mark.parametrize(("angle", "scale"), [(0.4, 0.5), (-1.2, 3.0), (3.0, 1.0)])
def test_a_turned_and_scaled_copy_gives_the_same_points(angle, scale):
    other = turned(FACE, angle, scale, (300.0, -50.0))
    assert np.allclose(transform_points(eye_mouth_transform(other), other), FACE - (0, 20), atol=1e-9)


def test_the_eyes_are_level_and_the_mouth_has_its_height_for_any_face():
    rng = np.random.default_rng(0)
    faces = turned(FACE, 0.3, 1.7, (20.0, 10.0)) + rng.normal(0, 6, (50, 5, 2))
    there = transform_points(eye_mouth_transform(faces), faces)
    assert np.allclose(there[:, 0, 1], there[:, 1, 1]) and np.allclose(there[:, :2].mean(1), (64, 40))
    assert np.allclose(there[:, 3:, 1].mean(1), 88)
    assert np.abs(there[:, 3:, 0].mean(1) - 64).max() > 1  # the mouth may lie aside
    large = transform_points(eye_mouth_transform(faces, eyes=(72, 48)), faces)
    assert np.allclose(large, there + 8)  # crops of 144 pixels have a border of 8 more


def test_an_average_face_is_placed_as_five_points_place_it():
    both = [eye_mouth_transform(ARCFACE_112.array()), similarity_transform(ARCFACE_112.array(), LIGHT_CNN_128.array())]
    assert np.allclose(both[0], both[1], atol=2e-2)


def test_what_is_no_face_has_no_transform():
    upside = FACE.copy()
    upside[3:, 1] = 20
    same = np.tile(FACE[:1], (5, 1))
    assert np.isnan(eye_mouth_transform(np.stack([upside, same]))).any(axis=(1, 2)).all()
    with pytest.raises(UsageError, match=r"\(\.\.\., 5, 2\)"):
        eye_mouth_transform(FACE[:4])


def test_the_aligner_cuts_crops_and_fails_rows_it_cannot_place():
    picture = np.zeros((160, 160, 3), np.uint8)
    picture[58:63, 38:43] = 255  # the left eye
    other = FACE.copy()
    other[3:, 1] = 20
    points = np.stack([FACE, other]).astype(np.float32)
    faces = Faces(np.tile([[0, 0, 128, 128]], (2, 1)).astype(np.float32), np.ones(2, np.float32), points,
                  np.zeros(2, np.int64), Status((None, None)))  # fmt: skip
    crops = registry.create("aligner/eye-mouth").align(Pictures.of([Picture(picture)]), faces)
    assert crops.pixels.shape == (2, 128, 128, 3) and crops.template == "light-cnn-128"
    assert crops.pixels[0, 40, 40].min() == 255 and crops.pixels[0, 40, 88].max() == 0
    assert crops.status.ok.tolist() == [True, False] and crops.status.failures[1].reason == "landmarks"
