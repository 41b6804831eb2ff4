"""Quality policies: which faces they refuse, in which words, and where they come from."""

import json
import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_quality_measures import context, face, grey, turned

from visavis.errors import UsageError
from visavis.io import read
from visavis.pipeline.fitness import fitness_of, let_pass, policy_of
from visavis.pipeline.pipeline import Pipeline
from visavis.quality.assessor import SCORERS, Assessor
from visavis.quality.policies import NAMES, STRICT_SCORE, quality_policy
from visavis.quality.policy import QualityPolicy
from visavis.quality.refusals import check_policy, refusals
from visavis.quality.requirement import Requirement
from visavis.quality.standard.components import COMPONENTS
from visavis.recognition.default_card import SFACE
from visavis.types import FMR

CROPS = np.stack([grey(face(np.random.default_rng(seed))) for seed in range(4)])
LIMITS = dict(SFACE.quality_limits)


def refused(policy, faces, assessor=None):
    assessor = assessor or Assessor()
    return refusals(policy, assessor, faces, assessor.assess(faces))


@pytest.mark.parametrize(
    ("limits", "options", "words"),
    [
        ({"size": 18}, {"side": 17.0}, ("17 pixels high", "size 17 pixels, at least 18 is needed", "come closer")),
        ({"norm": 8.5}, {"norms": 8.4}, ("little to go by: norm 8.4, at least 8.5 is needed", "sharp and in even")),
        ({"pose": 1.0}, {"points": turned(1.4, 0, 0)}, ("to the side: pose", "at most 1 is needed", "look into")),
        ({"detection": 0.95}, {"score": 0.9}, ("hardly found: detection 0.9, at least 0.95 is needed", "uncovered")),
    ],
)
def test_a_refused_face_is_told_the_value_the_limit_and_what_to_do(limits, options, words):
    policy = QualityPolicy("test", tuple(limits.items()))
    bad = refused(policy, context(CROPS[:2], failed=(1,), **options))
    assert len(bad[0]) == 1 and all(word in bad[0][0] for word in words)
    assert bad[1] == (), "a failed face has its failure already"
    assert refused(policy, context(CROPS, score=0.97)) == ((),) * 4


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 30, width=32), min_size=1, max_size=4),
    st.floats(1, 29, width=32),
    st.sampled_from(["norm", "pose"]),
)
def test_a_limit_is_kept_at_its_value_and_failed_beyond_it(values, limit, measure):
    requirement = Requirement(measure, limit, measure != "pose", "")
    for value in values:
        worse = value < limit if measure == "norm" else value > limit
        assert requirement.fails(value) == worse
        if worse:  # the printed value fails the limit too, however near it is
            told = float(requirement.why(value).split(f"{measure} ")[1].split(",")[0])
            assert (told < limit) if measure == "norm" else (told > limit)
    assert requirement.fails(math.nan) and "was not measured" in requirement.why(math.nan)


def test_scores_are_least_scores_of_measures_components_and_the_fused_score():
    faces = context(CROPS, norms=[7.0, 9.0, 10.0, 12.0])
    fused, size = (Assessor().assess(faces).measure(name).score for name in ("quality", "size"))
    middle = float(np.sort(fused)[1:3].mean())
    found = refused(QualityPolicy("test", (), (("quality", middle), ("size", 99.0))), faces)
    for row in range(4):
        assert len(found[row]) == int(fused[row] < middle) + int(size[row] < 99)
    poor = next(reason for reason in found[int(fused.argmin())] if "quality scores" in reason)
    assert f"of 100, at least {middle:g} is needed" in poor and poor.startswith(
        "the recogniser finds little to go by: quality scores"
    )


def test_the_components_of_the_standard_can_be_asked_for(astronaut):
    pipeline, pixels = Pipeline(), read(astronaut).pixels
    eyes = pipeline.detect([pixels], which="central")[1].points[0, :2]
    apart = float(np.linalg.norm(eyes[1] - eyes[0]))
    small = cv2.resize(pixels, None, fx=34 / apart, fy=34 / apart, interpolation=cv2.INTER_AREA)
    asking = pipeline.under(quality_policy=QualityPolicy("eyes", (("inter_eye_distance", 60.0),)))
    assert asking.side([pixels]).unfit == ((),) if apart >= 60 else asking.side([pixels]).unfit != ((),)
    side = asking.side([small])
    ((reason,),) = side.unfit
    told = float(reason.split("inter_eye_distance ")[1].split(" pixels")[0])
    assert abs(told - 34) < 3 and "at least 60 is needed; come closer" in reason
    assert side.reasons == [f"ask for a better picture than <array>, because {reason}"]
    assert pipeline.side([small]).unfit == ((),), "the pipeline that it was made of keeps its own policy"


def test_every_component_has_one_direction_or_none():
    """Along raw values that get better by the declared direction, the published score never falls."""
    rng = np.random.default_rng(0)
    for name, one in COMPONENTS.items():
        raw = np.sort(rng.uniform(0, 100 if one.unit in ("pixels", "CIELAB distance") else 8, 50))
        steps = np.diff(np.asarray(one.score(raw), float))
        if one.rising is not None:
            assert (steps >= 0).all() if one.rising else (steps <= 0).all(), name
    for name in ("head_size", "luminance_mean"):
        assert (np.diff(np.asarray(COMPONENTS[name].score(np.linspace(0, 1, 50)), float)) > 0).any()
        assert (np.diff(np.asarray(COMPONENTS[name].score(np.linspace(0, 1, 50)), float)) < 0).any()


@pytest.mark.parametrize(
    ("policy", "word"),
    [
        (QualityPolicy("test", (("beauty", 1.0),)), "beauty, which is no measure"),
        (QualityPolicy("test", (), (("beauty", 1.0),)), "beauty, which is no measure"),
        (QualityPolicy("test", (("head_size", 0.3),)), "head_size is worse on both sides"),
    ],
)
def test_a_policy_that_does_not_fit_the_model_is_refused_at_once(policy, word):
    with pytest.raises(UsageError, match=word):
        check_policy(policy, Assessor())
    with pytest.raises(UsageError, match=word):
        Pipeline(quality_policy=policy)
    check_policy(QualityPolicy("test", (("size", 1.0),), (("head_size", 10.0), ("quality", 1.0))), Assessor())


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: QualityPolicy(""), "name of one line"),
        (lambda: QualityPolicy("a\nb"), "name of one line"),
        (lambda: QualityPolicy("t", (("size", math.inf),)), "is a number"),
        (lambda: QualityPolicy("t", (), (("size", 101.0),)), "lies in 0..100"),
        (lambda: QualityPolicy("t", (), (("size", math.nan),)), "lies in 0..100"),
        (lambda: QualityPolicy("t", enrol="maybe"), "refuse or warn"),
        (lambda: QualityPolicy.of({"limit": {}}, name="t"), "keys name, limits, scores, enrol; got limit"),
        (lambda: QualityPolicy.of({"limits": [1]}, name="t"), "a mapping from measure to number"),
        (lambda: QualityPolicy.of({"limits": {"size": "18"}}, name="t"), "numbers; got '18' for size"),
        (lambda: QualityPolicy.of({"limits": {"size": 10**400}}, name="t"), "for size is too large"),
        (lambda: QualityPolicy.of({"name": None}, name="t"), "name of one line"),
        (lambda: QualityPolicy("t", (("size", "18"),)), "numbers; got '18' for size"),
        (lambda: QualityPolicy("t", ("size",)), "pairs of measure and number"),
        (lambda: Pipeline().under(quality_policy=""), "none, default, strict, or a file"),
        (lambda: Pipeline().under(pooling=""), "mean, norm, quality, best"),
        (lambda: QualityPolicy.of({"scores": {"size": True}}, name="t"), "numbers; got True for size"),
    ],
)
def test_policies_that_are_none_are_refused(make, word):
    with pytest.raises(UsageError, match=word):
        make()


def test_named_policies():
    found = {name: quality_policy(name, limits=LIMITS) for name in NAMES}
    assert found["none"] == QualityPolicy("none") and dict(found["default"].limits) == LIMITS
    assert found["strict"].limits == found["default"].limits
    assert dict(found["strict"].scores) == {"quality": STRICT_SCORE}
    with pytest.raises(UsageError, match="none, default, strict, or a file"):
        quality_policy("lenient", limits=LIMITS)
    with pytest.raises(UsageError, match="chosen for the default recogniser"):
        quality_policy("strict", limits={}, strict=False)
    assert quality_policy("default", limits={}, strict=False) == QualityPolicy("default")


def test_files_hold_what_a_policy_says(tmp_path):
    policy = QualityPolicy("door", (("size", 40.0),), (("quality", 30.0),), "warn")
    (tmp_path / "door.json").write_text(json.dumps(policy.to_dict()))
    assert quality_policy(tmp_path / "door.json", limits=LIMITS) == policy
    (tmp_path / "gate.yaml").write_text("limits:\n  size: 40\nscores: {quality: 30}\n")
    assert quality_policy(str(tmp_path / "gate.yaml"), limits=LIMITS) == replace(policy, name="gate", enrol="refuse")
    for text, word in (("[1]", "holds no quality policy"), ("{", "is not JSON"), ('{"limits": 3}', "a mapping")):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(UsageError, match=word):
            quality_policy(tmp_path / "bad.json", limits=LIMITS)


def test_what_a_lenient_policy_lets_pass_is_noted(astronaut):
    pipeline, pixels = Pipeline(), read(astronaut).pixels
    side = float(pipeline.detect([pixels], which="central")[1].size[0])
    blurred = cv2.GaussianBlur(pixels, (0, 0), 5 * side / 112)
    usual, lenient = pipeline.side([blurred]), pipeline.under(quality_policy="none").side([blurred])
    assert usual.unfit == usual.short != ((),) and usual.reasons and not usual.warnings
    assert lenient.unfit == ((),) and lenient.short == usual.short and not lenient.reasons
    assert len(lenient.warnings) == 1 and "none lets <array> pass, although the face is blurred" in lenient.warnings[0]
    assert let_pass(("a", "b"), (("refused",), ()), (("low",), ()), "p") == []


def test_a_stricter_policy_never_refuses_less():
    pipeline = Pipeline()
    faces = context(CROPS, norms=9.5)
    assert set(SCORERS) <= set(pipeline.assessor.assess(faces).names)
    found = {name: fitness_of(pipeline.under(quality_policy=name), faces).unfit for name in NAMES}
    for none, default, strict in zip(found["none"], found["default"], found["strict"], strict=True):
        assert not none and set(default) <= set(strict)
    assert any(map(len, found["strict"])) and not any(map(len, found["default"]))


def test_the_best_picture_is_sought_among_those_that_the_policy_passes(astronaut):
    small = read(astronaut).pixels
    large = cv2.GaussianBlur(cv2.resize(small, None, fx=2, fy=2), (0, 0), 4)
    pipeline = Pipeline(pooling="best")
    both = pipeline.side([small, large])
    size = both.assessment.measure("size").raw
    assert both.chosen == 0, "without the policy the small sharp one is the better"
    asking = pipeline.under(quality_policy=QualityPolicy("large", (("size", float(size.mean())),)))
    side, alone = asking.side([small, large]), asking.side([large])
    np.testing.assert_allclose(side.template.vectors, alone.template.vectors, atol=1e-5)
    assert (side.chosen, side.reasons, side.low) == (1, [], alone.low) and side.unfit[0] != ()
    assert any("not used: <array> (refused)" in note for note in side.warnings)
    none = asking.side([small, small])
    assert none.chosen == 0 and len(none.reasons) == 1, "where none passes the best one is told"


def test_a_second_opinion_on_the_best_picture_has_the_threshold_of_one(astronaut):
    pixels, at = read(astronaut).pixels, FMR(1e-3)
    pipeline = Pipeline(pooling="best")
    seen = pipeline.examine([pixels, pixels], [pixels], at=at, second=pipeline).decision
    assert seen.second.threshold == seen.threshold == pipeline.calibration().threshold(at)
    assert seen.second.llr == seen.llr is not None


def test_no_likelihood_ratio_of_a_face_below_the_limits(astronaut):
    pixels, at = read(astronaut).pixels, FMR(1e-3)
    side = float(Pipeline().detect([pixels], which="central")[1].size[0])
    blurred = cv2.GaussianBlur(pixels, (0, 0), 5 * side / 112)
    lenient = Pipeline(quality_policy="none")
    seen = lenient.examine([pixels], [blurred], at=at, second=lenient).decision
    assert seen.llr is None and seen.second.llr is None and seen.answer != "inconclusive"


def test_a_mapping_of_limits_is_taken_as_pairs():
    policy = QualityPolicy("t", {"size": 60}, {"quality": 30})
    assert policy == QualityPolicy("t", (("size", 60.0),), (("quality", 30.0),)) and len({policy}) == 1


@pytest.mark.parametrize("policy", [QualityPolicy("n", (("norm", 8.0),)), QualityPolicy("n", (), (("norm", 8.0),))])
def test_a_limit_on_the_norm_needs_a_recogniser_whose_norms_have_a_scale(policy):
    assert policy_of(policy, Assessor(), recogniser=SFACE.sha256) == policy
    with pytest.raises(UsageError, match="quality policy n asks for norm"):
        policy_of(policy, Assessor(), recogniser="0" * 64)


def test_a_file_has_not_the_name_of_a_built_in_policy(tmp_path):
    for place, text in (("strict.json", "{}"), ("mine.json", '{"name": "none"}')):
        (tmp_path / place).write_text(text)
        with pytest.raises(UsageError, match="give it another name"):
            quality_policy(tmp_path / place, limits=LIMITS)
