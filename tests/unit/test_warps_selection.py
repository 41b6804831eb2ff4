"""Warps against areas averaged by hand; selections against their definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.errors import UsageError
from visavis.geometry import ARCFACE_112
from visavis.selection import SELECTIONS, chosen
from visavis.warps import crop, resize, warp

NOISE = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
IDENTITY = np.eye(2, 3)


def _shrink(factor):
    """The matrix that maps the centres of ``factor`` x ``factor`` blocks onto whole pixels, never less shrunk."""
    scale = (1 - 1e-9) / factor
    return np.array([[scale, 0, 0.5 * scale - 0.5], [0, scale, 0.5 * scale - 0.5]])


def _block_means(pixels, factor):
    rows, columns = pixels.shape[0] // factor, pixels.shape[1] // factor
    means = np.empty((rows, columns, 3))
    for row in range(rows):
        for column in range(columns):
            block = pixels[row * factor : (row + 1) * factor, column * factor : (column + 1) * factor]
            means[row, column] = block.reshape(-1, 3).mean(axis=0)
    return means


def test_the_identity_changes_nothing():
    assert np.array_equal(warp(NOISE, IDENTITY, 120, 90), NOISE)
    assert resize(NOISE, 120, 90) is NOISE


def test_a_shift_by_whole_pixels_moves_the_picture_and_brings_black():
    moved = warp(NOISE, np.array([[1, 0, 7], [0, 1, -5]]), 120, 90)
    assert np.array_equal(moved[:85, 7:], NOISE[5:, :113])
    assert not moved[85:].any() and not moved[:, :7].any()


@pytest.mark.parametrize("factor", [3, 5, 6, 10])
def test_a_shrinking_warp_averages_every_pixel(factor):
    expected = _block_means(NOISE, factor)
    height, width = expected.shape[:2]
    assert np.abs(warp(NOISE, _shrink(factor), width, height) - expected).max() <= 0.51
    assert np.abs(resize(NOISE, width, height) - expected).max() <= 0.51


@pytest.mark.parametrize("factor", [3, 6, 10])
def test_a_shrunk_part_lies_where_its_pixels_were(factor):
    rows, columns = np.mgrid[:90, :120]
    ramp = np.stack([2 * columns, 2 * rows, 255 - columns - rows], axis=-1).astype(np.uint8)
    matrix = _shrink(factor)
    matrix[:, 2] -= matrix[:, :2] @ (24, 18)
    expected = _block_means(ramp[18:78, 24:114], factor)
    assert np.abs(warp(ramp, matrix, expected.shape[1], expected.shape[0]) - expected).max() <= 1


@pytest.mark.parametrize("scale", [0.09, 0.21, 0.34, 0.49])
def test_a_turned_shrinking_warp_leaves_little_grain(scale):
    angle = 0.4
    rotation = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    large = np.random.default_rng(1).integers(0, 256, (900, 900, 3), dtype=np.uint8)
    matrix = np.column_stack([rotation, np.array([20, 20]) - rotation @ (450, 450)])
    grain = warp(large, matrix, 40, 40).std()
    assert grain < 1.6 * large.std() * scale + 1
    assert warp(large, matrix, 40, 40).mean() == pytest.approx(large.mean(), abs=4)


def _inside(matrix, width, height, shape):
    """Which pixels of the result are made of picture pixels only: their footprint lies inside the picture."""
    back = np.linalg.inv(matrix[:, :2])
    reach = 0.5 * np.abs(back).sum(axis=1) + 1e-6
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    places = (np.stack([columns, rows], axis=-1) - matrix[:, 2]) @ back.T
    low, high = -0.5 + reach, np.array([shape[1], shape[0]]) - 0.5 - reach
    return ((places >= low) & (places <= high)).all(axis=-1)


def _constant(scale, angle, width, height, *, place=0.5):
    """The greatest difference to a constant picture, warped, where the warp reads the picture only."""
    picture = np.full((height, width, 3), 137, np.uint8)
    rotation = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([rotation, np.array([16, 12]) - rotation @ (width * place, height * place)])
    inside = _inside(matrix, 32, 24, picture.shape)
    return np.abs(warp(picture, matrix, 32, 24)[inside].astype(int) - 137).max(initial=0)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.05, 3), st.floats(-3.1, 3.1), st.floats(0.3, 0.7), st.integers(150, 200), st.integers(150, 200))
def test_a_constant_picture_stays_constant_inside(scale, angle, place, width, height):
    assert _constant(scale, angle, width * 20, height * 20, place=place) <= 1


@pytest.mark.parametrize(("scale", "side"), [(0.25, 70), (0.3, 64), (0.14, 83), (0.45, 41)])
@pytest.mark.parametrize("angle", [0.0, np.pi / 2, 0.3])
def test_a_constant_picture_stays_constant_up_to_its_edges(scale, side, angle):
    assert _constant(scale, angle, side, side - 3) <= 1


@pytest.mark.parametrize(("width", "height"), [(60, 45), (7, 3), (240, 180), (300, 20), (1, 1)])
def test_resizing_keeps_a_constant_picture_and_gives_the_size(width, height):
    resized = resize(np.full((90, 120, 3), 55, np.uint8), width, height)
    assert resized.shape == (height, width, 3) and (resized == 55).all()


def test_what_lies_outside_the_picture_is_black():
    assert not warp(NOISE, np.array([[0.1, 0, 500], [0, 0.1, 500]]), 30, 30).any()
    assert not warp(NOISE, np.array([[1.0, 0, 500], [0, 1, 500]]), 30, 30).any()


def test_a_crop_has_the_size_of_its_template():
    assert np.array_equal(crop(NOISE, IDENTITY, ARCFACE_112)[:90], NOISE[:, :112])
    assert crop(NOISE, IDENTITY, ARCFACE_112).shape == (112, 112, 3)


BOXES = st.lists(
    st.builds(
        lambda x, y, w, h: (x, y, x + w, y + h), st.integers(-20, 90), st.integers(-20, 90), st.integers(1, 60),
        st.integers(1, 60),
    ),
    min_size=1, max_size=7,
)  # fmt: skip


@settings(deadline=None)
@given(BOXES)
def test_the_chosen_face_maximises_the_written_rule(boxes):
    array = np.array(boxes, np.float32)

    def side(box):
        return ((box[2] - box[0]) * (box[3] - box[1])) ** 0.5

    def central(box):
        return side(box) - (((box[0] + box[2]) / 2 - 50) ** 2 + ((box[1] + box[3]) / 2 - 40) ** 2) ** 0.5

    (largest,) = chosen(array, "largest", width=100, height=80)
    (middle,) = chosen(array, "central", width=100, height=80)
    assert side(boxes[largest]) == pytest.approx(max(map(side, boxes)), abs=1e-4)
    assert central(boxes[middle]) == pytest.approx(max(map(central, boxes)), abs=1e-4)
    assert chosen(array, "all", width=100, height=80).tolist() == list(range(len(boxes)))


def test_a_large_face_at_the_edge_loses_to_a_central_one():
    boxes = np.array([[0, 0, 40, 40], [40, 30, 60, 50]], np.float32)
    assert chosen(boxes, "largest", width=100, height=80).tolist() == [0]
    assert chosen(boxes, "central", width=100, height=80).tolist() == [1]


@pytest.mark.parametrize("which", SELECTIONS)
def test_nothing_is_chosen_of_nothing(which):
    assert chosen(np.empty((0, 4)), which, width=9, height=9).size == 0


@pytest.mark.parametrize("count", [0, 1, 2])
def test_an_unknown_selection_is_refused_whatever_there_is_to_choose(count):
    with pytest.raises(UsageError, match="central, largest, all"):
        chosen(np.ones((count, 4)), "biggest", width=9, height=9)
