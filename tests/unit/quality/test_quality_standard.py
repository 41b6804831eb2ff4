"""Components of ISO/IEC 29794-5 on faces that were drawn in place, against closed forms and other libraries."""

import numpy as np
import pytest
from PIL import Image, ImageCms
from test_quality_measures import NOTHING, turned

from visavis.geometry import ARCFACE_112
from visavis.quality.standard.assess import assess_standard, standard_dict
from visavis.quality.standard.colour import a_and_b
from visavis.quality.standard.components import COMPONENTS, MISSING
from visavis.quality.standard.face import TEMPLATE, StandardFace, face_mask
from visavis.types import Crops, FaceContext, Faces, Picture, Pictures, Status

SIDE = TEMPLATE.width
POINTS = TEMPLATE.array()


def context(pixels, *, points=POINTS, scale=(1.0, 1.0), failed=()):
    """One face a picture, its five points where the aligned face has them."""
    pictures = Pictures.of([Picture(np.ascontiguousarray(one), scale=scale) for one in pixels])
    count = len(pictures)
    status = Status(tuple(NOTHING if row in failed else None for row in range(count)))
    placed = np.broadcast_to(points, (count, 5, 2)).astype(np.float32)
    boxes = np.tile(np.float32([150, 150, 460, 500]), (count, 1))
    faces = Faces(boxes, np.full(count, 0.9, np.float32), placed, np.arange(count), status)
    crops = Crops(
        np.zeros((count, 112, 112, 3), np.uint8), np.zeros((count, 2, 3), np.float32), ARCFACE_112.name, status
    )
    return FaceContext(pictures, faces, crops)


def flat(*colour):
    return np.full((SIDE, SIDE, 3), colour if len(colour) == 3 else colour * 3, np.uint8)


def measured(name, *pixels, **options):
    columns = {one.measure: one for one in assess_standard(context(pixels, **options))}
    return columns[name].raw.tolist()


def test_a_face_that_lies_in_place_is_cut_as_it_is():
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    face = StandardFace.of(context([pixels]), 0)
    assert np.abs(face.pixels[2:-2, 2:-2].astype(int) - pixels[2:-2, 2:-2]).max() <= 1


@pytest.mark.parametrize("level", [0, 10, 90, 128, 255])
def test_a_flat_face_has_its_linear_light_no_variance_and_no_bits(level):
    share = level / 255
    linear = ((share + 0.055) / 1.055) ** 2.4 if share > 0.04045 else share / 12.92
    found = {one.measure: float(one.raw[0]) for one in assess_standard(context([flat(level)]))}
    assert found["luminance_mean"] == pytest.approx(linear, abs=0.5 / 255 + 1e-6)
    assert found["luminance_variance"] == pytest.approx(0, abs=1e-9) and found["dynamic_range"] == 0
    assert found["under_exposure"] == (level < 90) and found["over_exposure"] == (level == 255)
    assert found["illumination_uniformity"] == 1 and found["natural_colour"] == 0


def test_half_a_face_of_each_level():
    pixels = flat(0)
    pixels[:, 309:] = 255
    share = face_mask()[:, 309:].sum() / face_mask().sum()
    found = {one.measure: float(one.raw[0]) for one in assess_standard(context([pixels]))}
    assert found["luminance_mean"] == pytest.approx(share, abs=0.01)
    assert found["luminance_variance"] == pytest.approx(share * (1 - share), abs=0.01)
    assert found["dynamic_range"] == pytest.approx(1, abs=0.1)
    assert found["under_exposure"] == pytest.approx(1 - share, abs=0.01) and found["illumination_uniformity"] == 0


def test_levels_spread_evenly_have_all_bits():
    levels = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE)).astype(np.uint8)
    pixels = np.repeat(levels[..., None], 3, axis=2)
    face = StandardFace(pixels)
    linear = face.luminance[face_mask()]
    counts = np.array([np.count_nonzero(linear == level) for level in range(256)])
    shares = counts[counts > 0] / counts.sum()
    assert COMPONENTS["dynamic_range"].pixels(face) == pytest.approx(-(shares * np.log2(shares)).sum())
    assert COMPONENTS["luminance_mean"].pixels(face) == pytest.approx(linear.mean() / 255, abs=1e-6)
    assert COMPONENTS["luminance_variance"].pixels(face) == pytest.approx((linear / 255).var(), abs=1e-6)


@pytest.mark.parametrize("colour", [(200, 150, 120), (90, 60, 50), (30, 160, 80), (240, 210, 190), (60, 80, 200)])
def test_colours_are_those_of_a_colour_management_system(colour):
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    lab = ImageCms.profileToProfile(Image.new("RGB", (1, 1), colour), *profiles, outputMode="LAB")
    expected = [value - 128 for value in lab.getpixel((0, 0))[1:]]
    np.testing.assert_allclose(a_and_b(np.array(colour, float)), expected, atol=1.2)


def test_skin_is_natural_and_a_cast_is_not():
    skin, brown, red, blue = measured(
        "natural_colour", flat(200, 150, 120), flat(110, 75, 60), flat(255, 40, 40), flat(60, 80, 200)
    )
    assert skin == brown == 0 and red > 30 and blue == 100
    a, b = a_and_b(np.array([255.0, 40, 40]))
    assert red == pytest.approx(np.hypot(a - 25, b - 35), abs=0.1)


def test_places_and_sizes_are_those_of_the_points():
    found = {one.measure: float(one.raw[0]) for one in assess_standard(context([flat(90)]))}
    chin = max(1.87 * 113, 1.62 * np.linalg.norm(POINTS[3:].mean(axis=0) - POINTS[:2].mean(axis=0)))
    assert found["margin_left"] == pytest.approx(251 / 113) and found["margin_right"] == pytest.approx(
        (616 - 364) / 113
    )
    assert found["margin_above"] == pytest.approx(272 / chin) and found["head_size"] == pytest.approx(chin / 616)
    assert found["margin_above"] + found["margin_below"] == pytest.approx(616 / chin)
    assert found["inter_eye_distance"] == pytest.approx(113, rel=0.02)


def test_pixels_are_those_of_the_stored_picture():
    plain = {one.measure: float(one.raw[0]) for one in assess_standard(context([flat(90)]))}
    half = {one.measure: float(one.raw[0]) for one in assess_standard(context([flat(90)], scale=(2.0, 2.0)))}
    assert half["inter_eye_distance"] == pytest.approx(2 * plain["inter_eye_distance"])
    for name in set(plain) - {"inter_eye_distance"}:
        assert half[name] == pytest.approx(plain[name], rel=1e-5), name


@pytest.mark.parametrize("yaw", [0.0, 0.5, -0.9])
def test_the_distance_of_the_eyes_is_corrected_for_yaw_and_angles_are_in_degrees(yaw):
    points = turned(yaw, 0.2, -0.3) * 1.0
    found = {one.measure: one for one in assess_standard(context([flat(90)], points=points))}
    assert found["inter_eye_distance"].raw[0] == pytest.approx(37.0, rel=0.08)
    angles = [found[f"head_pose_{axis}"].raw[0] for axis in ("yaw", "pitch", "roll")]
    np.testing.assert_allclose(np.radians(angles), [yaw, 0.2, -0.3], atol=1e-4)
    assert found["head_pose_yaw"].score[0] == pytest.approx(100 * np.cos(yaw) ** 2, abs=0.51)


def test_points_that_fall_together_score_nothing_and_failed_rows_stay_failed():
    together = {one.measure: one for one in assess_standard(context([flat(90)], points=POINTS * 0 + 300))}
    assert together["head_pose_yaw"].score[0] == 0 and np.isnan(together["head_pose_yaw"].raw[0])
    mixed = assess_standard(context([flat(90), flat(120)], failed=(0,)))
    alone = assess_standard(context([flat(120)]))
    for one, other in zip(mixed, alone, strict=True):
        assert np.isnan([one.raw[0], one.score[0]]).all() and one.reasons[0] == ""
        np.testing.assert_array_equal(one.raw[1], other.raw[0])
    assert standard_dict(mixed, 0)["sharpness"] == {
        "clause": "7.3.8", "raw": None, "unit": "share", "score": None, "reason": None,
    }  # fmt: skip


def test_what_is_wrong_is_told_in_words():
    dark = {one.measure: one for one in assess_standard(context([flat(3)]))}
    assert dark["under_exposure"].reasons[0] == "the face is nearly black" and dark["under_exposure"].score[0] == 0


def test_what_is_missing_is_listed_and_not_measured():
    assert not set(MISSING) & set(COMPONENTS) and all(clause and needs for clause, needs in MISSING.values())
    assert tuple(one.measure for one in assess_standard(context([flat(90)]))) == tuple(COMPONENTS)
