"""Degradations of pictures whose answer is known: sizes, moments of noise, covered area, length of a streak."""

import numpy as np
import pytest

from visavis.data.degradation.degrade import Degrading
from visavis.data.degradation.operator import FacePlace
from visavis.data.degradation.operators import FIT, OPERATORS, SETS, TEST_ONLY, operators_of
from visavis.errors import UsageError
from visavis.geometry import ARCFACE_112

FACE = FacePlace(np.array([20.0, 10, 110, 122]), ARCFACE_112.array() + 10)
RNG = np.random.default_rng


def picture(value=None, *, size=140):
    if value is not None:
        return np.full((size, size, 3), value, np.uint8)
    return RNG(0).integers(30, 220, (size, size, 3), dtype=np.uint8)


def applied(name, pixels, level, seed=0, face=FACE):
    operator = OPERATORS[name]
    return operator.apply(pixels, face, operator.strength(level), RNG(seed))


@pytest.mark.parametrize("name", OPERATORS)
def test_every_level_changes_a_picture_more_and_leaves_the_original_alone(name):
    before = picture()
    kept = before.copy()
    told = []
    for level in range(1, len(OPERATORS[name].levels) + 1):
        made = applied(name, before, level)
        assert made.dtype == np.uint8 and made.ndim == 3 and made.shape[2] == 3
        np.testing.assert_array_equal(made, applied(name, before, level))
        told.append(made.size if name.startswith("down") else -np.abs(made - before.astype(float)).mean())
    assert (np.diff(told) < 0).all(), "each level is worse than the one before"
    np.testing.assert_array_equal(before, kept)


@pytest.mark.parametrize("name", ["down-area", "down-linear", "down-cubic"])
def test_a_face_gets_the_pixels_of_the_level_and_is_never_enlarged(name):
    for level, side in enumerate(OPERATORS[name].levels, 1):
        assert abs(applied(name, picture(), level).shape[0] - 140 * side / FACE.side) <= 0.5
    small = FacePlace(FACE.box / 16, FACE.points / 16)
    assert applied(name, picture(), 5, face=small).shape == (140, 140, 3)


def test_kernels_differ_where_a_picture_has_detail_and_agree_where_it_has_none():
    kernels = ("down-area", "down-linear", "down-cubic")
    flat = [applied(name, picture(77), 3) for name in kernels]
    fine = [applied(name, picture(), 3).astype(int) for name in kernels]
    assert all((one == 77).all() for one in flat)
    spread = [one.std() for one in fine]
    assert spread[0] < 0.5 * spread[1] and (fine[1] != fine[2]).any(), "only the area kernel averages all pixels"


def test_motion_smears_a_dot_to_a_line_of_that_length_and_keeps_its_light():
    dot = picture(0)
    dot[70, 70] = 255
    for level, length in enumerate(OPERATORS["motion-blur"].levels[:3], 1):
        made = applied("motion-blur", dot, level)[..., 0].astype(float)
        rows, columns = np.nonzero(made)
        extent = np.hypot(np.ptp(rows), np.ptp(columns))
        assert abs(extent - length) <= 2.5 and made.sum() == pytest.approx(255, rel=0.35)
    flat = applied("motion-blur", picture(93), 5)
    assert np.abs(flat.astype(int) - 93).max() <= 1


def test_low_light_has_the_mean_and_the_noise_of_its_electrons():
    for level, share in enumerate(OPERATORS["low-light"].levels[:3], 1):
        made = applied("low-light", picture(200, size=300), level).astype(float)
        electrons = 200 * share * 1000 / 255
        assert made.mean() == pytest.approx(200 * share, rel=0.01)
        assert made.std() == pytest.approx(np.hypot(np.sqrt(electrons + 36) * 255 / 1000, np.sqrt(1 / 12)), rel=0.02)


def test_over_exposure_burns_out_what_exceeds_the_range():
    made = applied("over-exposure", picture(100), 2), applied("over-exposure", picture(100), 3)
    assert (made[0] == 200).all() and (made[1] == 255).all()


@pytest.mark.parametrize("level", [1, 3, 5])
def test_a_block_covers_its_share_of_the_box_and_nothing_else(level):
    before = picture()
    shares = []
    for seed in range(20):
        changed = (applied("block", before, level, seed) != before).any(axis=2)
        rows, columns = np.nonzero(changed)
        assert rows.min() >= 10 and rows.max() <= 122 and columns.min() >= 20 and columns.max() <= 110
        shares.append(changed.sum() / (90 * 112))
    assert np.mean(shares) == pytest.approx(OPERATORS["block"].levels[level - 1], abs=0.02)


def test_a_mask_covers_the_mouth_and_never_the_eyes_whatever_the_roll():
    before = picture(90)
    for angle in (0.0, 0.7, -1.2):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        points = (FACE.points - 70) @ turn.T + 70
        for level in (2, 5):
            made = applied("mask", before, level, face=FacePlace(FACE.box, points))
            hit = [(made[tuple(np.rint(p[::-1]).astype(int))] != 90).any() for p in points]
            assert hit == [False, False, level == 5, True, True]


def test_what_a_picture_gets_depends_on_its_name_and_the_seed_alone():
    how = Degrading("test", share=0.5, seed=3)
    names = [f"person/{number}.jpg" for number in range(3000)]
    found = [how.drawn(name) for name in names]
    assert found == [how.drawn(name) for name in names] != [Degrading("test", seed=4).drawn(name) for name in names]
    some = [one for one in found if one is not None]
    assert len(some) / len(names) == pytest.approx(0.5, abs=0.04)
    for operator in SETS["test"]:
        assert sum(one.name == operator for one, _ in some) == pytest.approx(len(some) / 10, rel=0.35)
    name = next(name for name, one in zip(names, found, strict=True) if one and one[0].name == "over-exposure")
    np.testing.assert_array_equal(how.apply(picture(), name, FACE), how.apply(picture(), name, FACE))
    unchanged = next(name for name, one in zip(names, found, strict=True) if one is None)
    np.testing.assert_array_equal(how.apply(picture(), unchanged, FACE), picture())


def test_what_is_reported_on_was_not_fitted_with():
    assert not set(FIT) & set(TEST_ONLY) and {"motion-blur", "mask"} <= set(TEST_ONLY)
    assert {*FIT, *TEST_ONLY} == set(OPERATORS) == {one.name for one in operators_of("test")}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: operators_of("fog"), "sets: fit, test, test-only; operators: down-area"),
        (lambda: Degrading("fit", share=0), "above 0"),
        (lambda: Degrading("rain"), "no degradation 'rain'"),
        (lambda: OPERATORS["mask"].strength(6), "levels 1..5; got 6"),
    ],
)
def test_wrong_names_and_numbers_are_refused(make, words):
    with pytest.raises(UsageError, match=words):
        make()
