"""Landmark geometry against hand-computed numbers, invariances, and mirror images of symmetric faces."""

import numpy as np
import pytest

from visavis.errors import UsageError
from visavis.quality.landmark_geometry import (
    GROUPS,
    Landmarks,
    box_normalised,
    feature_names,
    fit_residual,
    landmark_features,
    normalised,
    pose_proxies,
)
from visavis.quality.landmark_labels import rule_quality, utility_quality
from visavis.quality.landmark_layout import FIVE, LAYOUTS, LandmarkLayout, layout_of
from visavis.quality.simulated_heads import rotations, simulate_heads

FACE = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]], float)
HEAD = np.array([[-0.5, -0.35, 0], [0.5, -0.35, 0], [0, 0.05, 0.6], [-0.38, 0.5, 0.05], [0.38, 0.5, 0.05]])


def moved(points, degrees, factor, shift):
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return factor * points @ turn.T + shift


def of(points, layout=FIVE, **columns):
    return Landmarks(layout, np.asarray(points, float), **columns)


def test_the_sheets_face_has_its_numbers():
    face = of([FACE])
    assert face.spread[0] == pytest.approx(np.sqrt(570), abs=1e-12)
    yaw, pitch, mouth, asymmetry = pose_proxies(normalised(face), FIVE)[0]
    assert (yaw, pitch, mouth, asymmetry) == pytest.approx((0, 1, 0.75, 0), abs=1e-12)
    assert normalised(face)[0] == pytest.approx((FACE - [50, 60]) / np.sqrt(570))


def test_moving_turning_and_enlarging_change_the_size_alone():
    pair = of([FACE, moved(FACE, 30, 3.7, [100, -20])])
    one, other = landmark_features(pair, ("shape", "pose"))
    np.testing.assert_allclose(one, other, atol=1e-6)
    np.testing.assert_allclose(*normalised(pair), atol=1e-12)
    size = landmark_features(pair, ("scale",))
    assert np.diff(size, axis=0)[0] == pytest.approx([1.308333, 1.308333], abs=1e-5)
    assert np.diff(np.log(pair.spread))[0] == pytest.approx(np.log(3.7), abs=1e-12)
    assert landmark_features(pair, ("roll",))[:, 0] == pytest.approx([0, np.pi / 6], abs=1e-6)


def test_the_whole_circle_of_rolls_gives_one_shape():
    some = of([moved(FACE + np.arange(10).reshape(5, 2), degrees, 1, [7, 9]) for degrees in range(0, 360, 15)])
    shapes = landmark_features(some, ("shape", "pose"))
    np.testing.assert_allclose(shapes, np.broadcast_to(shapes[0], shapes.shape), atol=1e-6)


def test_a_mirror_turns_yaw_around_and_leaves_the_rest():
    heads = simulate_heads(HEAD, 200, rng=np.random.default_rng(0))
    faces = of(heads.points, sizes=np.full((200, 2), 500.0), boxes=np.tile([1, 2, 300, 400], (200, 1)))
    twice = faces.mirrored().mirrored()
    np.testing.assert_allclose(twice.points, faces.points)
    np.testing.assert_allclose(twice.boxes, faces.boxes)
    one, other = (pose_proxies(normalised(some), FIVE) for some in (faces, faces.mirrored()))
    np.testing.assert_allclose(other, one * [-1, 1, 1, 1], atol=1e-9)
    np.testing.assert_allclose(
        landmark_features(faces, ("scale", "frame")), landmark_features(faces.mirrored(), ("scale", "frame"))
    )


def test_yaw_and_pitch_proxies_follow_the_head():
    def proxies(yaw, pitch):
        turned = np.einsum("nij,kj->nki", rotations(*(np.array([v]) for v in (yaw, pitch, 0.0))), HEAD)
        return pose_proxies(normalised(of(turned[..., :2] * 100)), FIVE)[0]

    aside = [proxies(angle, 0)[0] for angle in np.radians([-40, -20, 0, 20, 40])]
    assert (np.diff(aside) > 0).all() and aside[2] == pytest.approx(0, abs=1e-12)
    up = [proxies(0, angle)[1] for angle in np.radians([-30, -15, 0, 15, 30])]
    assert (np.diff(up) < 0).all()
    assert proxies(0, np.radians(-50))[1] == 10, "the mouth is above the nose: as far as it goes"


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_a_symmetric_face_of_every_layout_is_its_own_mirror_image(layout):
    rng = np.random.default_rng(layout.count)
    points = rng.normal(size=(1, layout.count, 2)) * 30
    points = (points + layout.mirrored(points)) / 2
    face = of(points, layout)
    np.testing.assert_allclose(face.mirrored().points, points, atol=1e-9)
    assert layout_of(layout.count) is layout
    yaw, _, _, asymmetry = pose_proxies(normalised(of(moved(points[0], 17, 2, [5, 5])[None], layout)), layout)[0]
    assert (abs(yaw), asymmetry) == pytest.approx((0, 0), abs=1e-9)


def test_68_points_of_drawn_faces_agree_with_the_mirror_table(drawn):
    """Points put where iBUG has them, left and right by hand: what the table calls a pair lies across the nose."""
    layout = LAYOUTS[68]
    level = normalised(of(drawn, layout))
    apart = np.linalg.norm(level - layout.mirrored(level), axis=2).mean(axis=1)
    wrong = LandmarkLayout("wrong", tuple(range(68)), (36,), (36,), 30, 48, 48)
    assert np.median(apart) < 0.5 * np.median(np.linalg.norm(level - wrong.mirrored(level), axis=2).mean(axis=1))
    left, right = layout.anchors(level)[:, 0], layout.anchors(level)[:, 1]
    assert (left[:, 0] < right[:, 0]).all()


@pytest.fixture
def drawn():
    """Dense landmarks of drawn frontal faces: an outline, brows, a nose, eyes and a mouth where iBUG puts them."""
    rng = np.random.default_rng(3)
    around = np.linspace(np.pi, 0, 17)
    jaw = np.column_stack([np.cos(around), np.sin(around)])
    brow = np.column_stack([np.linspace(-0.8, -0.2, 5), [-0.4, -0.5, -0.5, -0.5, -0.45]])
    nose = np.array(
        [[0, -0.3], [0, -0.15], [0, 0], [0, 0.15], [-0.2, 0.25], [-0.1, 0.3], [0, 0.3], [0.1, 0.3], [0.2, 0.25]]
    )
    eye = np.array([[-0.6, -0.25], [-0.5, -0.32], [-0.35, -0.32], [-0.25, -0.25], [-0.35, -0.2], [-0.5, -0.2]])
    other_eye = (eye * [-1, 1])[[3, 2, 1, 0, 5, 4]]
    ring = np.linspace(np.pi, -np.pi, 13)[:-1]
    mouth = np.column_stack([0.35 * np.cos(ring), 0.6 - 0.12 * np.sin(ring)])
    ring = np.linspace(np.pi, -np.pi, 9)[:-1]
    inner = np.column_stack([0.25 * np.cos(ring), 0.6 - 0.05 * np.sin(ring)])
    face = np.concatenate([jaw, brow, (brow * [-1, 1])[::-1], nose, eye, other_eye, mouth, inner])
    return 100 * (face + rng.normal(0, 0.01, (20, 68, 2)))


def test_a_layout_refuses_a_table_that_is_no_mirror():
    for mirror, words in (((1, 2, 0, 4, 3), "and back"), ((0, 1, 2, 4, 3), "left eye"), ((1, 0, 2, 3, 4), "left eye")):
        with pytest.raises(UsageError, match=words):
            LandmarkLayout("bad", mirror, (0,), (1,), 2, 3, 4)
    with pytest.raises(UsageError, match=r"has landmarks 0\.\.4"):
        LandmarkLayout("bad", (1, 0, 2, 4, 3), (0,), (1,), 2, 3, 9)
    with pytest.raises(UsageError, match="no layout of 29"):
        layout_of(29)


def test_box_coordinates_are_shares_of_the_box():
    face = of([FACE], boxes=np.array([[20.0, 30, 80, 90]]))
    assert box_normalised(face)[0, 0] == pytest.approx([1 / 6, 1 / 6])
    assert box_normalised(of([FACE]))[0].min(axis=0) == pytest.approx([0, 0])
    assert landmark_features(face, ("box",))[0, 0] == pytest.approx(np.log(60))


def test_the_residual_is_nothing_for_the_head_itself_however_it_is_seen():
    head = np.random.default_rng(2).normal(size=(68, 3))
    heads = simulate_heads(head, 20, rng=np.random.default_rng(1), shape_noise=0, point_noise=0)
    faces = of(heads.points, LAYOUTS[68])
    assert fit_residual(faces, head).max() < 1e-9
    spoilt = heads.points + np.random.default_rng(0).normal(0, 3, heads.points.shape)
    assert landmark_features(of(spoilt, LAYOUTS[68]), ("residual",), head=head).min() > 1e-3
    with pytest.raises(UsageError, match="head of a layout of 68"):
        fit_residual(faces, HEAD)


def test_columns_have_names_in_a_fixed_order():
    sizes = np.array([[100.0, 100]])
    face = of([FACE], boxes=np.array([[20.0, 30, 80, 90]]), sizes=sizes, confidence=np.array([0.5]))
    names = feature_names(FIVE, GROUPS)
    table = landmark_features(face, GROUPS[::-1], head=HEAD)
    assert table.shape == (1, len(names)) and table.dtype == np.float32 and len(set(names)) == len(names)
    assert table[0, names.index("confidence")] == 0.5 and table[0, names.index("inside")] == 1


@pytest.mark.parametrize(
    ("points", "columns", "words"),
    [
        (FACE * np.nan, {}, "not finite"),
        (FACE * 0 + 7, {}, "fall together"),
        (FACE * 0.01, {}, "fall together"),
        (FACE - 1000, {"sizes": [[200, 200]]}, "outside"),
        (FACE, {"boxes": [[80, 30, 20, 90]]}, "negative size"),
        (FACE, {}, ""),
    ],
)
def test_landmarks_that_cannot_be_judged_say_why(points, columns, words):
    failure = of([points], **{name: np.array(value, float) for name, value in columns.items()}).status.failures[0]
    assert (failure is None) if not words else (words in failure.message and failure.reason == "landmarks")


def test_wrong_columns_are_refused():
    with pytest.raises(UsageError, match=r"five-point are \(B, 5, 2\).*fit one"):
        of(np.zeros((2, 68, 2)))
    with pytest.raises(UsageError, match="boxes must have the shape"):
        of([FACE], boxes=np.zeros((2, 4)))
    with pytest.raises(UsageError, match="the features box, frame, confidence, residual need"):
        landmark_features(of([FACE]), ("box", "frame", "confidence", "residual"))
    for groups in (("beauty",), (), ("scale", "scale")):
        with pytest.raises(UsageError, match="one or several of the groups shape"):
            feature_names(FIVE, groups)


def test_the_rule_falls_with_each_factor_and_stays_in_range():
    rng = np.random.default_rng(0)
    yaw, pitch, size = rng.uniform(-2, 2, 500), rng.uniform(-1, 1, 500), rng.uniform(0, 100, 500)
    quality = rule_quality(yaw, pitch, size)
    assert quality.min() == 0 and quality.max() <= 1 and rule_quality([0], [0], [200])[0] == 1
    slow = [
        min(max(1 - abs(np.degrees(a)) / 60, 0), 1)
        * min(max(1 - abs(np.degrees(b)) / 40, 0), 1)
        * min(max((c - 10) / 40, 0), 1)
        for a, b, c in zip(yaw, pitch, size, strict=True)
    ]
    np.testing.assert_allclose(quality, slow, atol=1e-12)


def test_utility_is_the_cosine_with_the_mean_of_the_others_stretched():
    rng = np.random.default_rng(0)
    people = np.repeat(["a", "b", "c"], 4).tolist()
    vectors = rng.normal(size=(12, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    references = np.arange(12) % 2 == 0
    slow = []
    for row in range(12):
        others = [k for k in range(12) if people[k] == people[row] and references[k] and k != row]
        centre = vectors[others].mean(axis=0)
        slow.append(vectors[row] @ centre / np.linalg.norm(centre))
    slow = np.array(slow)
    expected = (slow - slow.min()) / (slow.max() - slow.min())
    np.testing.assert_allclose(utility_quality(vectors, people, references=references), expected, atol=1e-12)
    assert utility_quality(vectors, people).min() == 0
    with pytest.raises(UsageError, match="z has a picture without another"):
        utility_quality(vectors, [*people[:-1], "z"])
    with pytest.raises(UsageError, match="equally like"):
        utility_quality(np.tile(vectors[:1], (4, 1)), ["a"] * 4)
    with pytest.raises(UsageError, match="one person and one flag"):
        utility_quality(vectors, people[:-1])
