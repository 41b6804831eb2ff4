"""The context that scorers share: it fits together, its columns are right, and they are made once."""

import numpy as np
import pytest

from visavis.errors import UsageError
from visavis.types import Crops, FaceContext, Faces, Failure, Picture, Pictures, Status

LOST = Failure("no-face", "no face")
NO_CROP = Failure("crop", "outside")


def faces(status, picture):
    count = len(picture)
    boxes = np.tile(np.array([0, 0, 8, 10], np.float32), (count, 1))
    points = np.zeros((count, 5, 2), np.float32)
    return Faces(boxes, np.full(count, 0.9), points, np.array(picture, np.int64), status)


def crops(status, pixels=None):
    count = len(status)
    pixels = np.zeros((count, 4, 6, 3), np.uint8) if pixels is None else pixels
    return Crops(pixels, np.zeros((count, 2, 3), np.float32), "arcface-112", status)


def pictures(*scales):
    return Pictures.of([Picture(np.zeros((9, 9, 3), np.uint8), scale=scale) for scale in scales])


def test_the_first_failure_of_a_row_counts():
    context = FaceContext(
        pictures((1.0, 1.0)), faces(Status((None, LOST, None)), [0, 0, 0]), crops(Status((None, NO_CROP, NO_CROP)))
    )
    assert context.status.failures == (None, LOST, NO_CROP) and len(context) == 3


def test_the_scale_is_that_of_each_faces_picture():
    context = FaceContext(pictures((1.0, 1.0), (2.0, 3.0)), faces(Status.good(3), [1, 0, 1]), crops(Status.good(3)))
    assert context.scale.tolist() == [[2, 3], [1, 1], [2, 3]]


def test_brightness_is_that_of_the_standard_and_made_once():
    pixels = np.random.default_rng(0).integers(256, size=(2, 4, 6, 3), dtype=np.uint8)
    context = FaceContext(pictures((1.0, 1.0)), faces(Status.good(2), [0, 0]), crops(Status.good(2), pixels))
    red, green, blue = np.moveaxis(pixels.astype(float), -1, 0)
    np.testing.assert_allclose(context.luma, 0.299 * red + 0.587 * green + 0.114 * blue, rtol=1e-5)
    assert context.luma is context.luma and context.luma.dtype == np.float32


def test_no_face_at_all_is_a_context():
    context = FaceContext(pictures(), faces(Status.good(0), []), crops(Status.good(0)))
    assert len(context) == 0 and context.scale.shape == (0, 2) and context.luma.shape == (0, 4, 6)


def test_columns_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="2 faces, 1 crops"):
        FaceContext(pictures((1.0, 1.0)), faces(Status.good(2), [0, 0]), crops(Status.good(1)))
    with pytest.raises(UsageError, match=r"got 0\.\.3"):
        FaceContext(pictures((1.0, 1.0)), faces(Status.good(2), [0, 3]), crops(Status.good(2)))
