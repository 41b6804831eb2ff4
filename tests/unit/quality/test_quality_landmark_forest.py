"""Landmark forests: fitted on simulated heads, saved, loaded, judged; thresholds, screening, the shipped one."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from test_quality_measures import context, face, grey

from visavis import registry
from visavis.detection.default_card import YUNET
from visavis.detection.zoo_card import YUNET_FP32
from visavis.errors import InputError, UsageError
from visavis.io import read
from visavis.pipeline.assess import assess_stream
from visavis.pipeline.pipeline import Pipeline
from visavis.quality.landmark import LandmarkScorer, shipped_forest
from visavis.quality.landmark_fit import fit_landmark_forest
from visavis.quality.landmark_forest import REASONS, LandmarkForest
from visavis.quality.landmark_geometry import Landmarks
from visavis.quality.landmark_labels import rule_quality
from visavis.quality.landmark_layout import FIVE, IBUG_68, LAYOUTS
from visavis.quality.landmark_threshold import threshold_for_discard, threshold_for_frr
from visavis.quality.pose import HEAD
from visavis.quality.screening import FrameScreen
from visavis.quality.simulated_heads import rotations, simulate_heads

SHIPPED = {"eye_distance": (3.0, 120.0)}, {"sizes": (4.0, 24.0)}
"""How the heads were drawn and the rule was set on which the shipped forest was fitted."""


def heads(count, seed, drawn=None, rule=None):
    found = simulate_heads(HEAD, count, rng=np.random.default_rng(seed), **drawn or {})
    return found, rule_quality(found.yaw, found.pitch, found.eye_distance, **rule or {})


@pytest.fixture(scope="module")
def forest():
    found, quality = heads(600, 0)
    return fit_landmark_forest(found.points, quality, trees=20, detectors=(YUNET.sha256,), label="rule", source="test")


def posed(yaw=0.0, pitch=0.0, roll=0.0, *, eyes=60.0, at=(150.0, 150.0)):
    """Landmarks ``(1, 5, 2)`` of the generic head, angles in degrees, ``eyes`` pixels between the eyes."""
    angles = [np.array([np.radians(value)]) for value in (yaw, pitch, roll)]
    return np.einsum("nij,kj->nki", rotations(*angles), HEAD)[..., :2] * eyes + np.array(at)


def test_it_learns_the_quality_of_other_heads(forest):
    found, quality = heads(1000, 1)
    judged = forest.judge(Landmarks(FIVE, found.points))
    error = judged.quality - quality
    assert 1 - error.var() / quality.var() > 0.75 and judged.quality.min() >= 0 and judged.quality.max() <= 1
    assert np.array_equal(judged.accept, judged.quality >= 0.5) and judged.status.ok.all()


def test_the_shipped_forest_agrees_with_the_rule_and_hardly_changes_in_a_mirror():
    found, quality = heads(2000, 7, *SHIPPED)
    faces = Landmarks(FIVE, found.points)
    judged, other = shipped_forest().judge(faces), shipped_forest().judge(faces.mirrored())
    error = judged.quality - quality
    assert 1 - error.var() / quality.var() > 0.84
    apart = np.abs(judged.quality - other.quality)
    assert apart.mean() <= 0.01 and apart.max() <= 0.10
    assert shipped_forest().label == "rule" and "no people" in shipped_forest().source
    assert set(shipped_forest().detectors) == {YUNET.sha256[:16], YUNET_FP32.sha256[:16]}


def test_reasons_name_the_factor_that_is_bad():
    shipped = shipped_forest()

    def reasons(points, forest=shipped, **columns):
        judged = forest.judge(Landmarks(FIVE, points, **columns))
        assert judged.accept[0] == (not judged.reasons[0]) and set(judged.reasons[0]) <= set(REASONS)
        return judged.reasons[0]

    assert reasons(posed()) == () and reasons(posed(roll=25)) == ()
    assert reasons(posed(eyes=5)) == ("resolution",) and reasons(posed(eyes=2)) == ("resolution",)
    assert reasons(posed(yaw=60)) == ("pose",) and reasons(posed(yaw=-60)) == ("pose",)
    assert set(reasons(posed(yaw=45, eyes=16), shipped.at(0.5))) == {"resolution", "pose"}
    size = np.array([[300.0, 300.0]])
    assert reasons(posed(at=(10.0, 150.0)), sizes=size) == ("out_of_frame",)
    assert reasons(posed(), confidence=np.array([0.3])) == ("low_confidence",)


def test_trees_do_not_answer_beyond_what_they_were_fitted_on(forest):
    sizes = forest.judge(Landmarks(FIVE, np.concatenate([posed(eyes=eyes) for eyes in (3, 4, 100, 400, 4000)])))
    assert sizes.quality[:2].tolist() == [0, 0]
    np.testing.assert_allclose(sizes.quality[3:], sizes.quality[2], atol=0.1)
    assert sizes.quality[3] == sizes.quality[4] > 0.6
    beyond = posed()
    beyond[0, 2] = beyond[0, 1]
    judged = forest.judge(Landmarks(FIVE, beyond))
    assert judged.quality[0] == 0 and "pose" in judged.reasons[0]


def test_faces_partly_outside_lose_their_share():
    half = np.concatenate([posed(), posed(at=(0.0, 150.0))])
    judged = shipped_forest().judge(Landmarks(FIVE, half, sizes=np.full((2, 2), 300.0)))
    inside = (half[1] >= 0).all(axis=1).mean()
    assert 0 < inside < 1 and judged.quality[1] == pytest.approx(judged.quality[0] * inside, abs=1e-6)


def test_failed_rows_stay_rows(forest):
    points = np.concatenate([posed(), posed() * np.nan, posed() * 0])
    judged = forest.judge(Landmarks(FIVE, points))
    assert judged.status.reasons == ("", "landmarks", "landmarks")
    assert np.isnan(judged.quality).tolist() == [False, True, True] and judged.accept.tolist() == [True, False, False]
    assert judged.reasons[1:] == ((), ()) and len(forest.judge(Landmarks(FIVE, points[:0])).quality) == 0


def test_files_come_back_as_they_were(forest, tmp_path):
    for name, one in (("a", forest), ("b", forest)):
        one.save(tmp_path / f"{name}.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    back = LandmarkForest.load(tmp_path / "a.npz")
    assert back.hash == forest.hash and back.layout == forest.layout
    for name in ("groups", "detectors", "label", "source", "threshold", "confidence"):
        assert getattr(back, name) == getattr(forest, name)
    found, _ = heads(100, 3)
    one, other = (some.judge(Landmarks(FIVE, found.points)) for some in (forest, back))
    assert np.array_equal(one.quality, other.quality) and one.reasons == other.reasons


def test_the_seed_decides_the_trees():
    found, quality = heads(150, 0)
    made = [fit_landmark_forest(found.points, quality, trees=3, seed=seed).hash for seed in (4, 4, 5)]
    assert made[0] == made[1] != made[2]


def test_damaged_files_are_refused(forest, tmp_path):
    arrays = forest.to_arrays()
    value = arrays["value"].copy()
    value[-1] += 0.25
    for spoilt in (
        {**arrays, "value": value},
        {**arrays, "best": arrays["best"][:-1]},
        {**arrays, "meta": np.frombuffer(b"{}", np.uint8)},
        {name: array for name, array in arrays.items() if name != "roots"},
    ):
        np.savez(tmp_path / "x.npz", **spoilt)
        with pytest.raises(InputError, match=r"x\.npz is no visavis\.landmark-forest 1 file"):
            LandmarkForest.load(tmp_path / "x.npz")
    with pytest.raises(InputError):
        LandmarkForest.load(tmp_path / "none.npz")
    with pytest.raises(InputError, match="ranges"):
        replace(forest, ranges=np.zeros((2, 2)))


def test_another_layout_or_detector_is_refused(forest):
    with pytest.raises(UsageError, match="layout five-point; got ibug-68"):
        forest.judge(Landmarks(IBUG_68, np.random.default_rng(0).normal(size=(1, 68, 2))))
    assert forest.judge(Landmarks(FIVE, posed()), detector=f"{YUNET.sha256[:16]}/192-640").accept[0]
    with pytest.raises(UsageError, match="got 0123456789abcdef"):
        forest.judge(Landmarks(FIVE, posed()), detector="0123456789abcdef/192")
    assert fit_landmark_forest(*_some(), trees=1).fits("anything")


def _some():
    found, quality = heads(50, 0)
    return found.points, quality


@pytest.mark.parametrize("count", sorted(LAYOUTS))
def test_any_known_number_of_landmarks_can_be_fitted(count, tmp_path):
    layout = LAYOUTS[count]
    rng = np.random.default_rng(count)
    head = rng.normal(size=(count, 3))
    mirrored = head[list(layout.mirror)] * [-1, 1, 1]
    found = simulate_heads((head + mirrored) / 2, 60, rng=rng)
    quality = rule_quality(found.yaw, found.pitch, found.eye_distance)
    made = fit_landmark_forest(found.points, quality, groups=("shape", "scale", "pose", "residual"), head=head, trees=3)
    made.save(tmp_path / "k.npz")
    back = LandmarkForest.load(tmp_path / "k.npz")
    judged = back.judge(Landmarks(layout, found.points))
    assert judged.status.ok.all() and np.corrcoef(judged.quality, quality)[0, 1] > 0.5


def test_fitting_refuses_what_cannot_be_learnt():
    points, quality = _some()
    with pytest.raises(UsageError, match="one quality for each"):
        fit_landmark_forest(points, quality[1:])
    with pytest.raises(UsageError, match=r"lies in 0\.\.1"):
        fit_landmark_forest(points, quality + 2)
    with pytest.raises(UsageError, match=r"\(B, K, 2\)"):
        fit_landmark_forest(points[0], quality)
    points[3] = np.nan
    with pytest.raises(InputError, match="face 3 cannot be fitted on"):
        fit_landmark_forest(points, quality)


def test_the_threshold_that_discards_three_of_ten():
    quality = np.arange(1, 11) / 10
    threshold = threshold_for_discard(quality, share=0.3)
    assert 0.3 < threshold <= 0.4 and (quality < threshold).sum() == 3
    tied = [0.1, 0.2, 0.2, 0.2, 0.9]
    assert (np.array(tied) < threshold_for_discard(tied, share=0.5)).sum() == 1
    assert threshold_for_discard(quality, share=0.0) == 0.1
    rng = np.random.default_rng(0)
    for share in (0.1, 0.33, 0.9):
        values = rng.integers(0, 20, 57) / 20
        best = max(t for t in np.unique(values) if (values < t).mean() <= share)
        assert threshold_for_discard(values, share=share) == best
    assert threshold_for_discard([np.nan, 0.5, 0.6, 0.7], share=0.25) == 0.5
    for wrong, words in (([[np.nan, 0.5], 0.1], "show no face"), ([[], 0.1], "some frames"), ([[0.5], 1.0], "below 1")):
        with pytest.raises(UsageError, match=words):
            threshold_for_discard(wrong[0], share=wrong[1])


def test_the_threshold_for_a_false_rejection_rate_is_the_lowest_that_reaches_it():
    rng = np.random.default_rng(0)
    quality = rng.integers(0, 30, 400) / 30
    similarities = np.where(rng.random(400) < quality, 0.9, 0.1)
    quality[:7] = np.nan
    similarities[10:14] = np.nan
    found = threshold_for_frr(quality, similarities, verifier=0.5, target=0.2)
    rates = {t: (~(similarities[quality >= t] >= 0.5)).mean() for t in np.unique(quality[~np.isnan(quality)])}
    assert found == min(t for t, rate in rates.items() if rate <= 0.2)
    with pytest.raises(UsageError, match="no quality threshold"):
        threshold_for_frr(quality, similarities * 0, verifier=0.5, target=0.2)
    with pytest.raises(UsageError, match="one similarity a frame"):
        threshold_for_frr(quality, similarities[1:], verifier=0.5, target=0.2)


def test_a_track_sends_its_best_frame_and_again_only_a_clearly_better_one():
    screen = FrameScreen(window=15)
    quality = [0.2, 0.6, 0.9, *[0.7] * 12, 0.95, 0.99, 1.0, 1.0]
    sent = [screen.push("t", frame, value) for frame, value in enumerate(quality)]
    assert [(frame, one) for frame, one in enumerate(sent) if one is not None] == [(14, 2), (17, 17)]
    assert screen.close("t") is None and screen.close("t") is None
    short = FrameScreen(window=15)
    assert [short.push(1, frame, value) for frame, value in enumerate([0.6, float("nan"), 0.8])] == [None] * 3
    assert short.close(1) == 2
    bad = FrameScreen(window=2)
    assert [bad.push(1, frame, value) for frame, value in enumerate([0.1, 0.2, 0.49, 0.7])] == [None, None, None, 3]


def test_the_best_of_a_window_that_has_passed_is_forgotten():
    screen = FrameScreen(threshold=0.5, window=3)
    assert [screen.push("a", frame, 0.1) for frame in range(3)] == [None] * 3
    assert [screen.push("a", 3 + frame, q) for frame, q in enumerate([0.6, 0.55])] == [3, None]
    for wrong in ({"window": 0}, {"gain": 0.0}):
        with pytest.raises(UsageError, match="a window has"):
            FrameScreen(**wrong)


def test_many_tracks_in_many_threads_send_what_one_would():
    rng = np.random.default_rng(0)
    tracks = {name: rng.random(60).tolist() for name in range(8)}

    def run(screen, name):
        return [screen.push(name, frame, value) for frame, value in enumerate(tracks[name])]

    shared = FrameScreen()
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda name: run(shared, name), tracks))
    assert together == [run(FrameScreen(), name) for name in tracks]


def with_detector(some, tag):
    return replace(some, crops=replace(some.crops, detector=tag))


def test_the_scorer_is_of_the_detectors_that_its_forest_is_for():
    crops = np.stack([grey(face())] * 2)
    some = context(crops, failed=(1,), points=HEAD[:, :2] * 60 + 100)
    scorer = registry.create("quality/landmark")
    ours = with_detector(some, f"{YUNET.sha256[:16]}/anything")
    assert scorer.applies(ours) and not scorer.applies(some) and not scorer.applies(with_detector(some, "f" * 16))
    quality = scorer.assess(ours)
    assert quality.raw[0] > 0.6 and np.isnan(quality.raw[1]) and quality.score[0] == pytest.approx(100 * quality.raw[0])
    assert quality.reasons == ("", "")
    small = scorer.assess(with_detector(context(crops, points=HEAD[:, :2] * 5 + 100), f"{YUNET.sha256[:16]}/x"))
    assert small.reasons[0] == "by its landmarks the face is too small"
    enlarged = context(crops, points=HEAD[:, :2] * 5 + 100, scale=(8.0, 8.0))
    assert scorer.assess(with_detector(enlarged, f"{YUNET.sha256[:16]}/x")).raw[0] > 0.6
    with pytest.raises(UsageError, match="Fit one"):
        scorer.assess(some)


def test_a_forest_of_more_landmarks_is_no_scorer():
    rng = np.random.default_rng(0)
    found = simulate_heads(rng.normal(size=(68, 3)), 40, rng=rng)
    made = fit_landmark_forest(found.points, rng.random(40), trees=1)
    with pytest.raises(UsageError, match="faces carry five landmarks"):
        LandmarkScorer(made)


def test_portraits_are_accepted_and_small_ones_are_not(astronaut, officer):
    import cv2

    portraits = [read(path).pixels for path in (astronaut, officer)]
    pipeline = Pipeline()
    sides = pipeline.detect(portraits, which="central")[1].size
    tiny = [
        cv2.resize(p, None, fx=16 / s, fy=16 / s, interpolation=cv2.INTER_AREA)
        for p, s in zip(portraits, sides, strict=True)
    ]
    parts = list(assess_stream(pipeline, [*portraits, *tiny]))
    quality = np.concatenate([part.assessment.measure("landmark").raw for part in parts])
    assert (quality[:2] > 0.3).all() and not (quality[2:] > 0.2).any()


def test_two_thousand_faces_a_second():
    """Processor time, so that other work on the machine does not count; a quarter of the claim, for slow machines."""
    found, _ = heads(2000, 0)
    faces = Landmarks(FIVE, found.points)
    shipped_forest().judge(faces[:10])
    begin = time.thread_time()
    shipped_forest().judge(faces)
    assert 2000 / (time.thread_time() - begin) > 500
