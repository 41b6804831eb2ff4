"""Each measure against faces whose answer is known: drawn heads, flat and noisy crops, ramps of blur and light."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from visavis.errors import UsageError
from visavis.quality.contrast import ContrastScorer, brightness_range
from visavis.quality.detection_score import DetectionScorer
from visavis.quality.exposure import ExposureScorer, exposed_share
from visavis.quality.norm import NORM_SCALES, NormScorer
from visavis.quality.pose import HEAD, PoseScorer, out_of_plane, pose_angles
from visavis.quality.region import face_region
from visavis.quality.scale import Scale
from visavis.quality.sharpness import SharpnessScorer, detail_share
from visavis.quality.size import SizeScorer
from visavis.types import (
    Crops,
    FaceContext,
    Faces,
    Failure,
    Picture,
    Pictures,
    Provenance,
    Status,
    Templates,
    TemplateSpace,
)

SFACE = next(iter(NORM_SCALES))
SCORERS = [
    SizeScorer(),
    SharpnessScorer(),
    ExposureScorer(),
    ContrastScorer(),
    PoseScorer(),
    DetectionScorer(),
    NormScorer(),
]
NOTHING = Failure("no-face", "no face")


def context(pixels, *, side=100.0, score=0.9, points=None, norms=12.0, failed=(), scale=(1.0, 1.0), recogniser=SFACE):
    """One face a crop, all of one picture."""
    pixels = np.asarray(pixels, np.uint8)
    count = len(pixels)
    status = Status(tuple(NOTHING if row in failed else None for row in range(count)))
    points = np.broadcast_to(HEAD[:, :2] * 40 + 60 if points is None else points, (count, 5, 2)).astype(np.float32)
    boxes = np.broadcast_to(np.array([0, 0, side * 0.8, side]), (count, 4)).astype(np.float32)
    faces = Faces(boxes, np.full(count, score, np.float32), points, np.zeros(count, np.int64), status)
    crops = Crops(pixels, np.zeros((count, 2, 3), np.float32), "arcface-112", status)
    vectors = np.zeros((count, 4), np.float32)
    vectors[:, 0] = 1
    templates = Templates(
        vectors,
        np.full(count, norms, np.float32),
        status,
        np.full(count, np.nan, np.float32),
        TemplateSpace("d", "five-point", "arcface-112", recogniser, 4),
        Provenance("m", "e", "fp32", "1", "1"),
    )
    pictures = Pictures.of([Picture(np.zeros((200, 200, 3), np.uint8), scale=scale)])
    return FaceContext(pictures, faces, crops, templates)


def face(rng=None, *, size=112):
    """A picture with structure at every scale: noise that was smoothed more and less."""
    rng = rng or np.random.default_rng(0)
    layers = [
        cv2.GaussianBlur(rng.normal(size=(size, size)).astype(np.float32), (0, 0), s) * s for s in (0.5, 1, 2, 4, 8)
    ]
    return np.clip(128 + 60 * sum(layers), 0, 255)


def grey(values):
    return np.repeat(np.asarray(values)[..., None], 3, axis=-1).round().astype(np.uint8)


def turned(yaw, pitch, roll):
    """The five points of the generic head after rotations about y, x and the line of sight, seen from afar."""
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    in_plane = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return (HEAD @ (in_plane @ about_y @ about_x).T)[:, :2] * 37.0 + [210.0, 90.0]


@pytest.mark.parametrize("yaw", [-1.2, -0.4, 0.0, 0.7])
@pytest.mark.parametrize("pitch", [-0.5, 0.0, 0.3])
@pytest.mark.parametrize("roll", [-0.8, 0.0, 0.4])
def test_pose_is_read_back_from_a_head_that_was_turned(yaw, pitch, roll):
    points = turned(yaw, pitch, roll)[None]
    np.testing.assert_allclose(pose_angles(points)[0], [yaw, pitch, roll], atol=1e-6)
    looking = np.array([np.sin(yaw), 0, 0]), np.cos(yaw) * np.cos(pitch)
    assert out_of_plane(pose_angles(points))[0] == pytest.approx(np.arccos(looking[1]))


def test_the_nose_says_the_direction():
    right = pose_angles(turned(0.5, 0, 0)[None])[0]
    down = pose_angles(turned(0, 0.5, 0)[None])[0]
    assert right[0] > 0 and turned(0.5, 0, 0)[2, 0] > turned(0, 0, 0)[2, 0]
    assert down[1] > 0 and turned(0, 0.5, 0)[2, 1] > turned(0, 0, 0)[2, 1]


def test_pose_does_not_depend_on_place_size_and_roll():
    points = turned(0.6, 0.2, 0.0)
    others = [points + 50, points * 3, turned(0.6, 0.2, 0.9)]
    for other in others:
        assert out_of_plane(pose_angles(other[None])) == pytest.approx(out_of_plane(pose_angles(points[None])))


def test_points_that_say_nothing_give_no_pose():
    nothing = np.stack([np.full((5, 2), np.nan), np.full((5, 2), 3.0)])
    assert np.isnan(pose_angles(nothing)).all()
    quality = PoseScorer().assess(context([grey(face())], points=nothing[1]))
    assert quality.reasons == ("the five points of the face fall together",) and quality.score[0] == 0


def test_pose_names_the_angles():
    quality = PoseScorer().assess(context([grey(face())] * 2, points=turned(1.3, 0, 0)))
    assert quality.reasons[0] == "the head is turned about 74 degrees to the side" and quality.score[0] < 25
    assert PoseScorer().assess(context([grey(face())])).score[0] == 100


def test_a_scale_is_monotone_bounded_and_keeps_failures():
    rising = Scale(2, 8, "test", logarithmic=True)
    falling = Scale(1.0, 0.0, "test")
    raw = np.linspace(0.1, 12, 200)
    assert (np.diff(rising.score(raw)) >= 0).all() and (np.diff(falling.score(raw)) <= 0).all()
    assert rising.score([0, 2, 4, 8, 99]).tolist() == [0, 0, 50, 100, 100] and np.isnan(rising.score([np.nan])[0])
    assert rising.rising and not falling.rising
    for ends in ((1, 1), (np.nan, 2)):
        with pytest.raises(UsageError):
            Scale(*ends, "test")
    with pytest.raises(UsageError):
        Scale(0, 2, "test", logarithmic=True)


def test_sharpness_falls_with_blur_and_not_with_contrast():
    sharp = face().astype(np.float32)
    blurred = [cv2.GaussianBlur(sharp, (0, 0), sigma) for sigma in (0.7, 1.5, 3, 6)]
    shares = detail_share(np.stack([sharp, *blurred]))
    assert (np.diff(shares) < 0).all()
    assert detail_share((sharp / 2 + 30)[None])[0] == pytest.approx(shares[0], abs=0.005)
    assert detail_share(np.full((1, 112, 112), 90, np.float32))[0] == 0
    assert detail_share(np.random.default_rng(0).normal(128, 30, (1, 112, 112)).astype(np.float32))[0] > 0.85


def test_sharpness_of_a_ramp_is_none():
    """A blur does not change a straight ramp."""
    ramp = np.broadcast_to(np.arange(112, dtype=np.float32), (112, 112))[None]
    assert detail_share(ramp)[0] == pytest.approx(0, abs=1e-4)


def test_an_enlarged_face_is_less_sharp():
    sharp = face().astype(np.float32)
    small = cv2.resize(cv2.resize(sharp, (28, 28), interpolation=cv2.INTER_AREA), (112, 112))
    assert detail_share(small[None])[0] < 0.5 * detail_share(sharp[None])[0]


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize(("level", "words"), [(4, "nearly black"), (255, "burnt out")])
def test_exposure_is_the_share_that_is_neither_black_nor_burnt_out(share, level, words):
    luma = np.full((1, 112, 112), 120, np.float32)
    region = face_region(luma)
    region[:, : round((1 - share) * region.shape[1])] = level
    assert exposed_share(luma)[0] == pytest.approx(share, abs=0.01)
    quality = ExposureScorer().assess(context(grey(luma)))
    assert (words in quality.reasons[0]) == (share < 0.25)


def test_contrast_is_the_range_of_brightness():
    luma = np.random.default_rng(0).uniform(50, 150, (1, 112, 112)).astype(np.float32)
    assert brightness_range(luma)[0] == pytest.approx(90, abs=2)
    assert brightness_range(luma / 2 + 40)[0] == pytest.approx(45, abs=1)
    assert "of 255 levels" in ContrastScorer().assess(context(grey(luma / 20 + 100))).reasons[0]


def test_size_is_counted_in_pixels_of_the_stored_picture():
    assert SizeScorer().assess(context([grey(face())], side=30)).raw[0] == 30
    assert SizeScorer().assess(context([grey(face())], side=30, scale=(2.0, 2.0))).raw[0] == 60
    assert SizeScorer().assess(context([grey(face())], side=14)).reasons == ("the face is 14 pixels high",)


def test_detection_and_norm_are_passed_on():
    some = context([grey(face())], score=0.55, norms=7.0)
    assert DetectionScorer().assess(some).raw[0] == np.float32(0.55) and NormScorer().assess(some).raw[0] == 7
    assert "little to go by" in NormScorer().assess(some).reasons[0]
    assert "not sure" in DetectionScorer().assess(some).reasons[0]


def test_the_norm_of_an_unknown_recogniser_is_refused():
    for other in (context([grey(face())], recogniser="f" * 64), SimpleNamespace(templates=None)):
        with pytest.raises(UsageError, match="leave the measure out"):
            NormScorer().assess(other)


@pytest.mark.parametrize("scorer", SCORERS, ids=lambda scorer: type(scorer).__name__)
def test_failed_faces_stay_failed_rows_and_do_not_touch_the_others(scorer):
    pixels = np.stack([grey(face(np.random.default_rng(seed))) for seed in range(3)])
    alone = scorer.assess(context(pixels))
    mixed = scorer.assess(context(pixels, failed=(1,)))
    assert mixed.status.reasons == ("", "no-face", "") and np.isnan([mixed.raw[1], mixed.score[1]]).all()
    assert mixed.raw[[0, 2]].tolist() == alone.raw[[0, 2]].tolist() and mixed.reasons[1] == ""
    np.testing.assert_array_equal(mixed.score, np.where(mixed.status.ok, scorer.scale.score(mixed.raw), np.nan))
    assert len(scorer.assess(context(pixels[:0]))) == 0
