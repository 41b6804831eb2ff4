"""Transforms against least squares by a general solver, boxes against pixels counted one by one."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import least_squares

from visavis.errors import UsageError
from visavis.geometry import (
    ARCFACE_112,
    LIGHT_CNN_128,
    TEMPLATES,
    invert,
    iou,
    non_maximum_suppression,
    overlaps,
    similarity_transform,
    transform_points,
)

QUICK = settings(max_examples=60, deadline=None)


def _similarity(scale, angle, x, y):
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cosine, -sine, x], [sine, cosine, y]])


def _clouds(count=None):
    shape = (5, 2) if count is None else (count, 5, 2)
    return hnp.arrays(np.float64, shape, elements=st.floats(-200, 200, width=32))


SIMILARITIES = st.builds(
    _similarity, st.floats(0.01, 50), st.floats(-np.pi, np.pi), st.floats(-500, 500), st.floats(-500, 500)
)


@QUICK
@given(_clouds(), SIMILARITIES)
def test_a_similarity_is_recovered_exactly(points, matrix):
    assume(np.ptp(points, axis=0).max() > 1)
    found = similarity_transform(points, transform_points(matrix, points))
    assert np.allclose(found, matrix, rtol=1e-7, atol=1e-6 * (1 + np.abs(matrix).max()))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_other_similarity_comes_closer(seed):
    rng = np.random.default_rng(seed)
    source, target = rng.normal(size=(2, 5, 2)) * 30 + 50

    def residuals(p):
        return (source @ np.array([[p[0], p[1]], [-p[1], p[0]]]) + p[2:] - target).ravel()

    best = least_squares(residuals, np.zeros(4), x_scale=[1, 1, 50, 50], xtol=1e-14, ftol=1e-14, gtol=1e-14).x
    expected = [[best[0], -best[1], best[2]], [best[1], best[0], best[3]]]
    assert np.allclose(similarity_transform(source, target), expected, atol=1e-4)


def test_agrees_with_scikit_image_where_no_reflection_is_closer():
    transform = pytest.importorskip("skimage.transform")
    rng = np.random.default_rng(0)
    target = ARCFACE_112.array()
    for _ in range(20):
        source = transform_points(_similarity(*rng.uniform((0.5, -3, 0, 0), (3, 3, 99, 99))), target)
        source += rng.normal(size=source.shape) * 4
        reference = transform.SimilarityTransform.from_estimate(source, target).params[:2]
        assert np.allclose(similarity_transform(source, target), reference, atol=1e-9)


def test_a_mirrored_face_is_not_mirrored_back():
    found = similarity_transform(ARCFACE_112.array() * (-1, 1), ARCFACE_112.array())
    assert np.linalg.det(found[:, :2]) >= 0


@QUICK
@given(_clouds(4), _clouds())
def test_a_batch_equals_one_at_a_time(points, target):
    assume((np.ptp(points, axis=1).max(axis=1) > 1).all())
    together = similarity_transform(points, target)
    assert together.shape == (4, 2, 3)
    for row in range(4):
        assert np.allclose(together[row], similarity_transform(points[row], target), rtol=1e-9, atol=1e-9)


def test_points_that_coincide_have_no_finite_transform_and_spoil_no_neighbour():
    good = ARCFACE_112.array()
    found = similarity_transform(np.stack([np.full((5, 2), 7.0), good, np.full((5, 2), np.nan)]), good)
    assert not np.isfinite(found[0]).all() and not np.isfinite(found[2]).any()
    assert np.allclose(found[1], np.eye(2, 3), atol=1e-12)


@pytest.mark.parametrize(
    ("source", "target"),
    [((5, 3), (5, 3)), ((5, 2), (4, 2)), ((1, 2), (1, 2)), ((2,), (2,)), ((0, 2), (0, 2))],
)
def test_points_of_other_shapes_are_refused(source, target):
    with pytest.raises(UsageError, match="points"):
        similarity_transform(np.ones(source), np.ones(target))


@QUICK
@given(_clouds(3), st.lists(SIMILARITIES, min_size=3, max_size=3))
def test_the_inverse_takes_points_back(points, matrices):
    matrix = np.stack(matrices)
    there = transform_points(matrix, points)
    assert np.allclose(transform_points(invert(matrix), there), points, atol=1e-5)
    for row in range(3):
        by_hand = [(matrix[row, :, :2] @ point + matrix[row, :, 2]) for point in points[row]]
        assert np.allclose(there[row], by_hand)
        assert np.allclose(np.vstack([matrix[row], [0, 0, 1]]) @ np.vstack([invert(matrix[row]), [0, 0, 1]]), np.eye(3))


def test_a_singular_matrix_has_no_inverse():
    with pytest.raises(UsageError, match="inverse"):
        invert(np.zeros((2, 3)))


def test_the_template_of_light_cnn_has_48_pixels_from_eyes_to_mouth_and_the_shape_of_arcface():
    points = LIGHT_CNN_128.array()
    assert np.allclose(points[:2].mean(axis=0), (64, 40), atol=1e-3)
    assert np.allclose(points[3:].mean(axis=0), (64, 88), atol=1e-3)
    moved = transform_points(similarity_transform(ARCFACE_112.array(), points), ARCFACE_112.array())
    assert np.allclose(moved, points, atol=1e-3)


def test_the_templates_are_five_points_inside_their_crops():
    for name, template in TEMPLATES.items():
        points = template.array()
        assert template.name == name and points.shape == (5, 2)
        assert (points > 0).all() and (points < (template.width, template.height)).all()
        assert points[0, 0] < points[1, 0] and points[3, 0] < points[4, 0]
        assert points[:2, 1].max() < points[2, 1] < points[3:, 1].min()


WHOLE = st.builds(
    lambda x, y, w, h: (x, y, x + w, y + h),
    st.integers(0, 12),
    st.integers(0, 12),
    st.integers(0, 9),
    st.integers(0, 9),
)
BOXES = st.lists(WHOLE, min_size=1, max_size=8)


def _painted(box):
    canvas = np.zeros((24, 24), bool)
    canvas[box[1] : box[3], box[0] : box[2]] = True
    return canvas


@QUICK
@given(BOXES, BOXES)
def test_iou_is_a_ratio_of_counted_pixels(left, right):
    found = iou(np.array(left), np.array(right))
    for row, one in enumerate(left):
        for column, other in enumerate(right):
            either = (_painted(one) | _painted(other)).sum()
            both = (_painted(one) & _painted(other)).sum()
            assert found[row, column] == pytest.approx(both / either if either else 0, abs=1e-12)
    assert np.allclose(iou(np.array(right), np.array(left)), found.T)


@QUICK
@given(st.lists(st.tuples(*[st.floats(-50, 50, width=32)] * 4), min_size=1, max_size=8))
def test_overlaps_is_a_row_of_iou_also_for_boxes_turned_inside_out(boxes):
    array = np.array(boxes, np.float32)
    assert np.allclose(overlaps(array[0], array), iou(array[:1], array)[0], atol=1e-12)


def test_no_boxes_have_no_overlap():
    assert iou(np.empty((0, 4)), np.ones((3, 4))).shape == (0, 3)
    assert overlaps(np.ones(4), np.empty((0, 4))).shape == (0,)
    assert len(non_maximum_suppression(np.empty((0, 4)), np.empty(0), overlap=0.3)) == 0


def _slow_suppression(boxes, score, overlap):
    remaining = sorted(range(len(boxes)), key=lambda row: (-score[row], row))
    kept = []
    for row in remaining:
        if all(iou(boxes[row], boxes[other])[0, 0] <= overlap for other in kept):
            kept.append(row)
    return kept


@QUICK
@given(BOXES, st.data(), st.sampled_from([0.0, 0.25, 0.3, 0.5, 1.0]))
def test_suppression_equals_a_loop_and_a_second_one_changes_nothing(boxes, data, overlap):
    array = np.array(boxes, np.float32)
    score = np.array(data.draw(st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=len(boxes), max_size=len(boxes))))
    kept = non_maximum_suppression(array, score, overlap=overlap)
    assert kept.tolist() == _slow_suppression(array, score, overlap)
    again = non_maximum_suppression(array[kept], score[kept], overlap=overlap)
    assert again.tolist() == list(range(len(kept)))
