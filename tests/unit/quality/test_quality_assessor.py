"""The assessor: which measures, how they are fused, which limits fail, on toy faces and on the shipped card."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from test_quality_measures import context, face, grey, turned

import visavis
from visavis import registry
from visavis.cards import WeightCard
from visavis.errors import UsageError
from visavis.io import read
from visavis.pipeline.assess import assess_stream
from visavis.pipeline.pipeline import Pipeline
from visavis.quality.assessor import SCORERS, Assessor
from visavis.quality.column import quality_column
from visavis.quality.extra import EXTRA, extra_scorers
from visavis.quality.fused_weights import WITH_NORM, WITHOUT_NORM
from visavis.quality.fusion import FUSED, Fusion
from visavis.quality.scale import Scale
from visavis.recognition.default_card import SFACE
from visavis.types import Assessment, FaceContext

CROPS = np.stack([grey(face(np.random.default_rng(seed))) for seed in range(4)])


def test_the_built_in_measures_are_registered_and_assessed():
    assessment = Assessor().assess(context(CROPS))
    assert {f"quality/{name}" for name in (*SCORERS, *EXTRA)} <= set(registry.names("quality/*"))
    assert assessment.names == tuple(SCORERS) and assessment.fused.measure == FUSED


class _Darkness:
    """An extra scorer that fits pictures of two faces and more."""

    scale = Scale(255, 0, "test")

    def applies(self, context):
        return len(context) > 1

    def assess(self, context):
        return quality_column(
            "darkness", context.luma.mean((1, 2)), self.scale, context.status, unit="", reason=lambda *_: "bright"
        )


def test_extra_scorers_come_last_and_only_where_they_fit():
    plain = Assessor(limits={"size": 18})
    more = plain.adding({"darkness": _Darkness()})
    found = more.assess(context(CROPS))
    assert found.names == (*SCORERS, "darkness") and more.assess(context(CROPS[:1])).names == tuple(SCORERS)
    np.testing.assert_array_equal(found.fused.raw, plain.assess(context(CROPS)).fused.raw)
    assert more.limits == plain.limits and tuple(plain.scorers) == tuple(SCORERS)
    assert Assessor(limits={"darkness": 10}, extra={"darkness": _Darkness()}).limits == {"darkness": 10}
    with pytest.raises(UsageError, match="size is built in"):
        plain.adding({"size": _Darkness()})


def test_every_extra_scorer_is_made_for_any_embedder_or_for_none():
    for name, scorer in extra_scorers(None).items():
        assert name in EXTRA and callable(scorer.assess)


def test_the_fused_score_is_the_weighted_mean_of_the_scores():
    assessment = Assessor().assess(context(CROPS, norms=10.0))
    mean = sum(weight * assessment.measure(name).score for name, weight in WITH_NORM.weights)
    np.testing.assert_allclose(assessment.fused.score, mean, rtol=1e-5)


def test_without_a_scale_of_norms_the_norm_is_left_out():
    for some in (context(CROPS, recogniser="f" * 64), _unembedded()):
        assessment = Assessor().assess(some)
        assert "norm" not in assessment.names
        mean = sum(weight * assessment.measure(name).score for name, weight in WITHOUT_NORM.weights)
        np.testing.assert_allclose(assessment.fused.score, mean, rtol=1e-5)


def _unembedded():
    some = context(CROPS)
    return FaceContext(some.pictures, some.faces, some.crops)


@pytest.mark.parametrize("fusion", [WITH_NORM, WITHOUT_NORM])
def test_better_by_one_measure_and_worse_by_none_is_not_worse(fusion):
    assert all(weight >= 0 for _, weight in fusion.weights) and {n for n, _ in fusion.weights} <= set(SCORERS)
    assert sum(weight for _, weight in fusion.weights) == pytest.approx(1)


def test_a_fusion_refuses_what_it_cannot_weigh():
    scale = Scale(0, 100, "test")
    for weights in ((), (("size", 0.5),), (("size", 1.5), ("pose", -0.5))):
        with pytest.raises(UsageError):
            Fusion(weights, scale, "test")
    with pytest.raises(UsageError, match="needs the measures nothing"):
        Fusion((("nothing", 1.0),), scale, "test").fuse(Assessor().assess(context(CROPS)).measures)


def test_reasons_are_gathered():
    blurred = np.stack([grey(cv2.GaussianBlur(face().astype(np.float32), (0, 0), 8))])
    reasons = Assessor().assess(context(blurred, side=15, points=turned(1.4, 0, 0))).fused.reasons[0]
    for words in ("15 pixels high", "blurred or enlarged", "degrees to the side"):
        assert words in reasons


def test_limits_are_of_known_measures():
    with pytest.raises(UsageError, match="no quality measure beauty; known: size"):
        Assessor(limits={"beauty": 1})


def test_limits_travel_with_the_card():
    back = WeightCard.from_dict(SFACE.to_dict())
    assert back == SFACE and dict(back.quality_limits) == dict(SFACE.quality_limits) != {}
    assert hash(back) == hash(SFACE)
    assert SFACE.with_file("other.onnx").quality_limits == ()
    with pytest.raises(UsageError, match="not a weight card"):
        WeightCard.from_dict({**SFACE.to_dict(), "quality_limits": {"size": "large"}})
    assert Assessor(limits=SFACE.quality_limits).limits == dict(SFACE.quality_limits)


def test_threads_get_what_one_would():
    assessor = Assessor(limits=SFACE.quality_limits)
    parts = [CROPS[row : row + 1] for row in range(4)] * 4

    def one(pixels):
        return assessor.assess(context(pixels)).to_dicts()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, parts)) == list(map(one, parts))


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline()


def assessed(pipeline, *pixels):
    parts = list(assess_stream(pipeline, pixels))
    return Assessment.concat([part.assessment for part in parts]), [row for part in parts for row in part.unfit]


def test_portraits_keep_the_limits_of_the_default_model_and_spoilt_ones_do_not(pipeline, astronaut, officer):
    portraits = [read(astronaut).pixels, read(officer).pixels]
    faces = pipeline.detect(portraits, which="central")[1]
    blurred = [cv2.GaussianBlur(p, (0, 0), float(side) / 18) for p, side in zip(portraits, faces.size, strict=True)]
    tiny = [
        cv2.resize(p, None, fx=13 / s, fy=13 / s, interpolation=cv2.INTER_AREA)
        for p, s in zip(portraits, faces.size, strict=True)
    ]
    dark = [(p * 0.03).astype(np.uint8) for p in portraits]
    _, fine = assessed(pipeline, *portraits)
    assert fine == [(), ()]
    for spoilt in (blurred, tiny, dark):
        assessment, unfit = assessed(pipeline, *spoilt)
        for row, failure in enumerate(assessment.fused.status):
            assert failure is not None or unfit[row], "a spoilt face is lost to the detector, or fails a limit"


def test_quality_falls_as_a_portrait_is_spoilt(pipeline, astronaut):
    pixels = read(astronaut).pixels
    side = float(pipeline.detect([pixels], which="central")[1].size[0])
    ladder = [pixels, *(cv2.GaussianBlur(pixels, (0, 0), sigma * side / 112) for sigma in (1, 2, 3))]
    assessment, _ = assessed(pipeline, *ladder)
    assert (np.diff(assessment.fused.score) < 0).all() and (np.diff(assessment.measure("norm").raw) < 0).all()


def test_rows_stay_in_order_and_failures_stay_rows(pipeline, astronaut):
    pixels = read(astronaut).pixels
    wall = np.full((60, 60, 3), 90, np.uint8)
    parts = list(assess_stream(pipeline, [pixels, wall] * 6))
    status = [reason for part in parts for reason in part.assessment.fused.status.reasons]
    pictures = np.concatenate([part.analysis.faces.picture for part in parts])
    assert [bool(reason) for reason in status] == [False, True] * 6 and pictures.tolist() == list(range(12))


def test_the_verb_takes_one_picture_or_many(astronaut, officer):
    one, many = visavis.assess(astronaut), visavis.assess([astronaut, officer])
    assert (len(one), len(many)) == (1, 2) and many[0].to_dicts() == one.to_dicts()
    with pytest.raises(UsageError, match="no picture"):
        visavis.assess([])
