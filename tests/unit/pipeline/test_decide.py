"""Answers by a calibration whose numbers are known."""

import dataclasses
import math

import pytest

from visavis.calibration.groups import Group, GroupTable
from visavis.calibration.points import Point, WorstPoint
from visavis.calibration.pooled import Pooled
from visavis.calibration.table import Calibration, Realised
from visavis.errors import ModelError, UsageError
from visavis.pipeline.decide import decide
from visavis.types import FMR, Provenance, SecondOpinion

MADE_BY = Provenance("embedder/x", "onnxruntime", "1.0", "fp32", "0.1")
POINTS = tuple(Point(10.0**-row, 0.1 * row + 0.1, 1000, 0.01, 0.1, 100) for row in range(1, 5))
TABLE = GroupTable(
    "web photos",
    (1e-2, 1e-3),
    (0.3, 0.4),
    (Group("women, 20-29", 200, 19900, (800, 300), (0.1, 0.1)), Group("men, 20-29", 200, 19900, (300, 20), (0.1, 0.1))),
    Group("children under 13", 100, 4950, (2000, 1000), (0.05, 0.05)),
    3,
    "rule",
)
WORST = (
    WorstPoint(1e-2, 0.45, 199, "women, 20-29", 200, 19900, 0.1),
    WorstPoint(1e-3, 0.55, 20, "women, 20-29", 200, 19900, 0.3),
)
CALIBRATION = Calibration(
    "c", "verification", "s", "random impostors", POINTS, "caution!", {"nonmated_pairs": 10}, people=500,
    llr=((0.0, -3.0), (0.5, 4.0)), groups=TABLE, worst=WORST, pooled=(Pooled(1, 2, 1.1, 0.05, 60, 1770),),
    realised=(Realised("d", "test", 1e-3, 1000, 50, 1, 1e-4, 1e-2, 10, 1),),
)  # fmt: skip
AT = FMR(1e-3)


def _decide(similarity, **changes):
    given = {"at": AT, "made_by": MADE_BY, **changes}
    calibration = given.pop("calibration", CALIBRATION)
    return decide(calibration, similarity, **given)


def test_the_threshold_interval_and_likelihood_ratio_are_those_of_the_calibration():
    decision = _decide(0.6)
    assert (decision.answer, decision.threshold, decision.reasons) == ("same", pytest.approx(0.4), ())
    # both samples vary: the relative error 0.1 becomes 0.1 * sqrt(2)
    factor = math.exp(1.959964 * 0.1 * math.sqrt(2))
    assert decision.fmr.low == pytest.approx(1e-3 / factor, rel=1e-5)
    assert decision.fmr.high == pytest.approx(1e-3 * factor, rel=1e-5)
    assert decision.fmr.people == 500 and decision.fmr.population == "random impostors"
    # a tenth of similarity is a decade
    half = 0.1 * math.log10(factor)
    assert decision.band == (pytest.approx(0.4 - half), pytest.approx(0.4 + half))
    assert decision.llr == 4.0 and _decide(0.25).llr == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("similarity", "answer"), [(0.41, "inconclusive"), (0.39, "inconclusive"), (0.43, "same"), (0.37, "different")]
)
def test_between_the_ends_of_the_interval_nothing_is_concluded(similarity, answer):
    decision = _decide(similarity)
    assert decision.answer == answer
    assert (answer == "inconclusive") == any("between" in reason for reason in decision.reasons)


def test_an_unfit_face_concludes_nothing_however_similar():
    decision = _decide(0.9, unfit=["a.jpg: the face is 9 pixels wide"])
    assert (decision.answer, decision.reasons) == ("inconclusive", ("a.jpg: the face is 9 pixels wide",))


def test_the_worst_group_and_children_are_told_with_their_counts():
    decision = _decide(0.6)
    worst, children = decision.groups
    assert worst.rate == pytest.approx(300 / 19900) and "women, 20-29" in worst.population
    assert children.rate == pytest.approx(1000 / 4950)
    assert "if a child under 13 is concerned" in decision.warnings[0] and "1000 of 4950" in decision.warnings[0]
    assert any("women, 20-29" in warning for warning in decision.warnings)
    assert decision.warnings[-1] == "caution!"


def test_a_decision_that_concerns_a_child_says_so():
    decision = _decide(0.6, children="yes")
    assert decision.warnings[0].startswith("the decision concerns a child under 13")
    assert decision.answer == "inconclusive" and "1000 of 4950" in decision.reasons[0] and decision.llr is None
    assert _decide(0.2, children="yes").answer == "different"
    assert not any("child" in warning for warning in _decide(0.6, children="no").warnings)
    bare = dataclasses.replace(CALIBRATION, groups=None, worst=())
    assert "concerns a child" in _decide(0.6, children="yes", calibration=bare).warnings[0]


def test_the_worst_groups_threshold_is_asked_for_by_name():
    at = FMR.parse("fmr=1e-3, worst-group")
    decision = _decide(0.6, at=at)
    assert (decision.threshold, str(decision.at)) == (pytest.approx(0.55), "fmr=0.001,worst-group")
    assert "women, 20-29" in decision.fmr.population and "20 false matches of 19900" in " ".join(decision.warnings)
    with pytest.raises(ModelError, match="outside"):
        _decide(0.6, at=FMR(1e-4, worst_group=True))
    with pytest.raises(ModelError, match="no table of groups"):
        _decide(0.6, at=at, calibration=dataclasses.replace(CALIBRATION, groups=None, worst=()))


def test_several_pictures_move_threshold_band_and_ratio():
    single, pooled = _decide(0.6), _decide(0.6, counts=(2, 1))
    assert pooled.threshold == pytest.approx(1.1 * single.threshold + 0.05)
    assert pooled.band == tuple(pytest.approx(1.1 * end + 0.05) for end in single.band)
    assert pooled.llr == pytest.approx(_decide((0.6 - 0.05) / 1.1).llr)
    unknown = _decide(0.6, counts=(3, 3))  # the highest line below stands in
    assert unknown.threshold == pooled.threshold and unknown.band == pooled.band and unknown.llr is None
    assert any("fitted for 1 and 2 pictures a side; for 3 and 3" in warning for warning in unknown.warnings)
    bare = _decide(0.6, counts=(3, 3), calibration=dataclasses.replace(CALIBRATION, pooled=()))
    assert bare.threshold == single.threshold and any("fitted on single pictures" in one for one in bare.warnings)


def test_a_second_opinion_that_differs_comes_first():
    other = SecondOpinion("embedder/y", "different", 0.1, 0.5, "y", "others", -1.0, agrees=False)
    assert _decide(0.6, second=other).warnings[0] == "the second opinion (embedder/y) is different"
    assert _decide(0.6, second=other).to_dict()["second"]["answer"] == "different"


def test_a_calibration_survives_json_and_a_bad_file_is_refused(tmp_path):
    import json

    path = tmp_path / "c.json"
    path.write_text(json.dumps(CALIBRATION.to_dict()))
    assert Calibration.load(path) == CALIBRATION
    for text in ("[]", "{", '{"name": 3}', json.dumps({**CALIBRATION.to_dict(), "extra": 1})):
        path.write_text(text)
        with pytest.raises(UsageError, match="calibration"):
            Calibration.load(path)
    with pytest.raises(UsageError, match="cannot read"):
        Calibration.load(tmp_path / "missing.json")


@pytest.mark.parametrize("text", ["fmr=1e-3,best-group", "fmr", "worst-group", "fmr=2", "fmr=1e-3,"])
def test_other_operating_points_are_refused(text):
    with pytest.raises(UsageError, match=r"operating point|false match rate"):
        FMR.parse(text)
