from dataclasses import replace

import cv2
import numpy as np
import pytest

from visavis.data.augmentation.augmentation import Augmentation
from visavis.data.augmentation.blur import blur
from visavis.data.augmentation.change_colour import change_colour
from visavis.data.augmentation.compress import compress
from visavis.data.augmentation.flip import flip, flip_points
from visavis.data.augmentation.keep_window import keep_window
from visavis.data.augmentation.lower_resolution import lower_resolution
from visavis.data.augmentation.occlude import occlude
from visavis.data.augmentation.shift import shift
from visavis.data.augmentation.shrink import shrink
from visavis.data.philox import generator
from visavis.errors import UsageError

TRANSFORMS = [keep_window, occlude, change_colour, blur, lower_resolution, compress]


def face(size=40, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    return np.ascontiguousarray(cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 10, 240, cv2.NORM_MINMAX))


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_each_is_a_pure_function_and_leaves_its_input_alone(transform):
    crop, before = face(), face()
    for seed in range(20):
        one, two = (transform(crop, np.random.default_rng(seed)) for _ in range(2))
        assert np.array_equal(one, two) and one.dtype == np.uint8 and one.shape == crop.shape
    assert np.array_equal(crop, before)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_each_takes_the_smallest_and_flat_crops(transform):
    for crop in (np.zeros((1, 1, 3), np.uint8), np.full((2, 3, 3), 255, np.uint8)):
        for seed in range(10):
            assert transform(crop, np.random.default_rng(seed)).shape == crop.shape


def test_flip_is_its_own_inverse_and_moves_points_with_the_pixels():
    crop = np.zeros((9, 12, 3), np.uint8)
    points = np.array([[2, 3], [9, 3], [5, 5], [3, 7], [8, 6]], np.float32)
    for mark, (x, y) in enumerate(points.astype(int), start=1):
        crop[y, x] = mark
    turned, moved = flip(crop), flip_points(points, width=12)
    # What was the left eye is the right one of the mirror image, as seen.
    assert [int(turned[y, x, 0]) for x, y in moved.astype(int)] == [2, 1, 3, 5, 4]
    assert moved[0, 0] < moved[1, 0] and moved[3, 0] < moved[4, 0]
    assert np.array_equal(flip(turned), crop) and np.array_equal(flip_points(moved, width=12), points)


def test_a_kept_window_is_the_picture_inside_and_black_outside():
    crop = np.clip(face(), 1, 255)
    shares = []
    for seed in range(300):
        kept = keep_window(crop, np.random.default_rng(seed))
        inside = kept.any(axis=2)
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        assert inside[box].all() and np.array_equal(kept[box], crop[box]) and not kept[~inside].any()
        shares.append(inside.mean())
        assert 0.7 < len(columns) / len(rows) < 1.43 or shares[-1] == 1
    assert 0.18 < min(shares) < 0.25 and max(shares) > 0.9


def test_an_occlusion_is_one_rectangle_of_one_colour():
    crop, shares = face(), []
    for seed in range(300):
        covered = occlude(crop, np.random.default_rng(seed))
        changed = (covered != crop).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        inside = covered[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].reshape(-1, 3)
        assert (inside == inside[0]).all()
        shares.append(changed.mean())
    assert min(shares) > 0.01 and max(shares) < 0.42


def test_brightness_contrast_and_saturation_do_what_they_say():
    crop, rng = face(), np.random.default_rng(0)
    grey = np.full((20, 20, 3), 100, np.uint8)
    lit = {
        int(change_colour(grey, np.random.default_rng(seed), contrast=0, saturation=0)[0, 0, 0]) for seed in range(200)
    }
    assert min(lit) <= 53 and max(lit) >= 147 and min(lit) >= 50 and max(lit) <= 150
    same = change_colour(grey, rng, brightness=0)
    assert np.abs(same.astype(int) - 100).max() <= 1  # neither contrast nor saturation moves an even grey
    spread, pale = [], []
    for seed in range(100):
        spread.append(change_colour(crop, np.random.default_rng(seed), brightness=0, saturation=0).std())
        turned = change_colour(crop, np.random.default_rng(seed), brightness=0, contrast=0).astype(float)
        pale.append(np.ptp(turned, axis=2).mean() / np.ptp(crop.astype(float), axis=2).mean())
    assert min(spread) < 0.6 * crop.std() and max(spread) > 1.3 * crop.std()
    assert min(pale) < 0.6 and max(pale) > 1.3


def test_blur_is_a_gaussian_of_that_width():
    point = np.zeros((41, 41, 3), np.uint8)
    point[20, 20] = 255
    row = np.arange(41) - 20
    for sigma in (0.8, 1.1):
        got = blur(point, np.random.default_rng(0), sigma=(sigma, sigma))[:, :, 0].astype(float)
        bell = np.exp(-(row**2) / (2 * sigma**2))
        bell /= bell.sum()
        assert np.abs(got - 255 * np.outer(bell, bell)).max() <= 1.0


def test_low_resolution_and_jpeg_lose_detail_but_not_the_picture():
    crop = face(112)
    noisy = np.random.default_rng(3).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    for transform in (lower_resolution, compress):
        errors = [np.abs(transform(crop, np.random.default_rng(s)).astype(float) - crop).mean() for s in range(40)]
        assert 0 < np.mean(errors) < 8
    rough = [lower_resolution(noisy, np.random.default_rng(s), share=(0.2, 0.2)).astype(float) for s in range(40)]
    assert (
        np.median([np.abs(np.diff(one, axis=0)).mean() for one in rough])
        < 0.7 * np.abs(np.diff(noisy.astype(float), axis=0)).mean()
    )
    grey = np.repeat(noisy[..., :1], 3, axis=2)  # colour is halved at any quality
    low, high = (
        np.abs(compress(grey, np.random.default_rng(0), quality=(q, q)).astype(float) - grey).mean() for q in (30, 95)
    )
    assert low > 2 * high


def test_jpeg_keeps_red_red():
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    assert np.abs(compress(red, np.random.default_rng(0)).astype(int) - red).max() < 12


def test_rows_of_a_batch_do_not_depend_on_each_other():
    crops = np.stack([face(seed=row) for row in range(6)])
    points = np.random.default_rng(0).uniform(0, 40, (6, 5, 2)).astype(np.float32)
    wild = Augmentation(*[0.6] * 7)
    pixels, moved = wild.apply(crops.copy(), points.copy(), seed=9, step=4)
    few, few_moved = wild.apply(crops[:2].copy(), points[:2].copy(), seed=9, step=4)
    assert np.array_equal(few, pixels[:2]) and np.array_equal(few_moved, moved[:2])
    assert not np.array_equal(wild.apply(crops.copy(), points.copy(), seed=9, step=5)[0], pixels)
    assert not np.array_equal(wild.apply(crops.copy(), points.copy(), seed=8, step=4)[0], pixels)


def test_a_shift_moves_points_with_the_pixels_by_a_sixteenth_at_most():
    crop = np.zeros((32, 48, 3), np.uint8)
    crop[:, 0] = crop[0] = 7  # the border that is repeated
    crop[16, 24] = 255
    seen = set()
    for seed in range(400):
        moved, points = shift(crop, np.array([[24, 16], [0, 0]], np.float32), np.random.default_rng(seed))
        x, y = points[0].astype(int)
        assert moved[y, x].tolist() == [255] * 3 and np.array_equal(points[1], points[0] - (24, 16))
        assert (moved[: max(0, y - 15)] == 7).all() and (moved[:, : max(0, x - 23)] == 7).all()
        seen.add((x - 24, y - 16))
    assert {x for x, _ in seen} == set(range(-3, 4)) and {y for _, y in seen} == set(range(-2, 3))
    assert shift(np.zeros((1, 1, 3), np.uint8), np.zeros((5, 2), np.float32), np.random.default_rng(0))[0].shape == (
        1,
        1,
        3,
    )


def test_a_shrunk_crop_is_the_picture_again_where_its_points_say_and_has_no_finer_detail_than_its_side():
    size, dot = 112, np.array([[60.0, 50.0]], np.float32)
    crop = np.zeros((size, size, 3), np.uint8)
    crop = np.asarray(cv2.circle(crop, (60, 50), 9, (255, 255, 255), thickness=cv2.FILLED))
    rows, columns = np.mgrid[:size, :size]
    for seed in range(40):
        made, points = shrink(crop, dot, np.random.default_rng(seed), side=(24, 24))
        mass = made[..., 0].astype(float)
        centre = np.array([(columns * mass).sum(), (rows * mass).sum()]) / mass.sum()
        assert np.abs(centre - points[0]).max() < 1.0  # a quarter of a pixel of the small picture
    stripes = np.repeat(np.tile(np.array([0, 255], np.uint8), size // 2)[None, :, None], size, axis=0)
    stripes = np.ascontiguousarray(np.repeat(stripes, 3, axis=2))
    for seed in range(20):
        assert shrink(stripes, dot, np.random.default_rng(seed), side=(14, 14))[0].std() < 40


def test_a_shrink_moves_smaller_faces_further():
    crop, middle = face(112), np.array([[55.5, 55.5]], np.float32)
    moves = {
        side: np.std(
            [shrink(crop, middle, np.random.default_rng(s), side=(side, side))[1] - middle for s in range(300)]
        )
        for side in (8, 12, 16, 24, 32)
    }
    # What was measured on whole pictures; see the docstring.
    for side, measured in zip((8, 12, 16, 24, 32), (11.5, 6.0, 3.3, 1.6, 1.2), strict=True):
        assert abs(moves[side] / measured - 1) < 0.25


@pytest.mark.parametrize("later", ["shift", "shrink"])
def test_shift_and_shrink_leave_the_draws_of_the_others_as_they_are(later):
    crops, points = np.full((40, 32, 32, 3), 90, np.uint8), np.zeros((40, 5, 2), np.float32)
    wild = Augmentation(0.0, 0.0, 0.0, 0.9, 0.0, 0.0, 0.0)
    both = replace(wild, **{later: 0.5})
    one, _ = wild.apply(crops.copy(), points.copy(), seed=3, step=1)
    other, moved = both.apply(crops.copy(), points.copy(), seed=3, step=1)
    assert np.array_equal(one, other)  # even crops show neither
    assert 8 < (moved[:, 0] != 0).any(axis=1).sum() < 32


@pytest.mark.parametrize("name", ["flip", "crop", "occlusion", "colour", "blur", "low_resolution", "jpeg", "shrink"])
def test_each_probability_is_that_of_its_transform(name):
    crops = np.stack([face(seed=1)] * 400)
    points = np.zeros((400, 5, 2), np.float32)
    never = dict.fromkeys(Augmentation.__slots__, 0.0)
    pixels, _ = Augmentation(**{**never, name: 0.3}).apply(crops.copy(), points, seed=0, step=0)
    share = (pixels != crops).any(axis=(1, 2, 3)).mean()
    assert abs(share - 0.3) < 4 * np.sqrt(0.21 / 400)
    assert np.array_equal(Augmentation.none().apply(crops.copy(), points, seed=0, step=0)[0], crops)


def test_probabilities_out_of_range_are_refused():
    for value in (-0.1, 1.1, float("nan")):
        with pytest.raises(UsageError, match="0 to 1"):
            Augmentation(blur=value)


def test_streams_of_two_places_do_not_meet():
    places = [(1, 0), (1, 1), (2, 0), (1, 0, 0, 1), (1, 0, 1)]
    draws = [generator(7, *place).random(1000) for place in places]
    for one in range(len(places)):
        for two in range(one):
            assert not np.intersect1d(draws[one], draws[two]).size
    assert np.array_equal(generator(7, 1, 2).random(5), generator(7, 1, 2).random(5))
