"""Low-resolution figures on templates whose answer is known, and the pictures that are reduced."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from portraits import save_people
from visavis.errors import InputError, ModelError, SpaceError, UsageError
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.labelled import read_labelled
from visavis.protocols.low_resolution import SizedPeople, evaluate_low_resolution, low_resolution_result, two_pictures
from visavis.protocols.low_resolution_figures import ShippedThreshold, low_resolution_figures
from visavis.protocols.report.low_resolution_plot import _points
from visavis.protocols.sized_pictures import FULL, Sizes, sized_templates
from visavis.types import FMR, Failure, Provenance, Status, Templates, TemplateSpace

SPACE = TemplateSpace("detector", "five-point", "arcface-112", "0" * 64, 32)
MADE = Provenance("model", "onnxruntime", "fp32", "1", "1")


def templates(vectors, *, failed=(), space=SPACE):
    rows = np.asarray(vectors, np.float32)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    status = Status(tuple(Failure("no-face", "none") if row in failed else None for row in range(len(rows))))
    rows[list(failed)] = np.nan
    some = np.where(status.ok, 1, np.nan).astype(np.float32)
    return Templates(rows, some, status, some, space, MADE)


def mixed(people, share):
    """Each person's direction, and a share of a direction that all have: two people then have a cosine of share."""
    own, common = np.eye(people, 32), np.eye(1, 32, 31)
    assert people < 32
    return own * math.sqrt(1 - share) + common * math.sqrt(share)


@pytest.fixture(scope="module")
def people(tmp_path_factory, astronaut, officer):
    return save_people(tmp_path_factory.mktemp("people"), [astronaut, officer], people=4, each=3)


def test_a_common_direction_raises_the_false_matches_of_its_size_and_no_other():
    """With a share s common to all, impostors have the cosine s when both are small and sqrt(s s') across sizes."""
    count = 20
    full, small = templates(mixed(count, 0.04)), templates(mixed(count, 0.64))
    who = SizedPeople({"8": small, FULL: full}, {"8": small, FULL: full})
    at = ShippedThreshold(0.5, "told")
    found = low_resolution_figures(who, full, ("8", FULL), shipped=at, both=at, seed=0, resamples=20)
    value = {figure.name: figure.value for figure in found.figures}
    assert (value["fmr@8"], value["fmr_both@8"], value["fmr@full"]) == (0, 1, 0)
    assert (value["fnmr@8"], value["fnmr_both@8"]) == (0, 0)
    assert value["rank.1@8"] == value["tar_at_far.1e-2@8"] == 1 and value["failed@8"] == 0
    np.testing.assert_allclose(found.curves["nonmated"], [0.16, 0.04], atol=1e-6)
    np.testing.assert_allclose(found.curves["nonmated_both"], [0.64, 0.04], atol=1e-6)
    mate = math.sqrt(0.36 * 0.96) + 0.16
    np.testing.assert_allclose(found.curves["mated"], [mate, 1], atol=1e-6)
    assert "fmr_both@full" not in value and "tar_at_far_both.1e-2@full" not in value
    (both,) = (figure for figure in found.figures if figure.name == "tar_at_far_both.1e-2@8")
    (against,) = (figure for figure in found.figures if figure.name == "tar_at_far.1e-2@8")
    assert both.value == 1 and both.threshold == pytest.approx(0.64, abs=1e-5)
    assert against.threshold == pytest.approx(0.16, abs=1e-5)


def test_figures_are_those_of_a_slow_count_with_failures():
    rng = np.random.default_rng(1)
    count = 25
    centres = rng.normal(size=(count, 32))
    full = templates(centres + 0.5 * rng.normal(size=centres.shape), failed=(3,))
    small = templates(centres + 1.2 * rng.normal(size=centres.shape), failed=(0, 7))
    who = SizedPeople({"12": full}, {"12": small})
    found = low_resolution_figures(
        who, full, ("12",), shipped=ShippedThreshold(0.2, "told"), both=None, seed=0, resamples=0
    )
    value = {figure.name: figure.value for figure in found.figures}
    hits = misses = matched = 0
    impostors = []
    for row in range(count):
        scores = [-1.0 if math.isnan(one) else one for one in (full.vectors @ small.vectors[row]).tolist()]
        hits += scores[row] > max(scores[:row] + scores[row + 1 :]) and scores[row] > -1
        misses += scores[row] < 0.2
        others = scores[:row] + scores[row + 1 :]
        matched += sum(score >= 0.2 for score in others)
        impostors += others
    assert value["rank.1@12"] == pytest.approx(hits / count)
    assert value["fnmr@12"] == pytest.approx(misses / count)
    assert value["fmr@12"] == pytest.approx(matched / len(impostors))
    assert value["failed@12"] == 2 / count
    threshold = sorted(impostors)[-1 - int(0.01 * len(impostors))]
    mates = [float(full.vectors[row] @ small.vectors[row]) for row in range(count)]
    assert value["tar_at_far.1e-2@12"] == pytest.approx(sum(one > threshold for one in mates) / count)


def test_templates_of_two_spaces_need_a_registered_compatibility(people):
    pipeline = Pipeline()
    chosen = two_pictures(read_labelled(people, role="test"))
    own = templates(mixed(4, 0.1))
    other = templates(mixed(4, 0.1), space=replace(SPACE, recogniser="1" * 64))
    one, two = SizedPeople({FULL: own}, {FULL: own}), SizedPeople({FULL: other}, {FULL: other})
    with pytest.raises(SpaceError, match="recogniser"):
        low_resolution_result(pipeline, pipeline, one, two, chosen, sizes=Sizes((8,)))


def test_a_rate_that_the_calibration_does_not_reach_is_told_before_any_picture(people):
    chosen = two_pictures(read_labelled(people, role="test"))
    read = []
    with pytest.raises(ModelError, match="1e-12"):
        evaluate_low_resolution(Pipeline(), chosen, at=FMR(1e-12), progress=lambda *told: read.append(told))
    assert not read


def test_two_different_pictures_of_each_person_are_drawn(people):
    labelled = read_labelled(people, role="test")
    draws = [two_pictures(labelled, seed=seed) for seed in range(8)]
    for chosen in draws:
        assert chosen.people == ("p00", "p01", "p02", "p03")
        for person, first, second in zip(chosen.people, chosen.gallery, chosen.probes, strict=True):
            assert first != second and first.split("/")[-2] == second.split("/")[-2] == person
    assert len({(chosen.gallery, chosen.probes) for chosen in draws}) > 3
    with pytest.raises(InputError, match="two people are the least"):
        two_pictures(replace(labelled, names=labelled.names[:3], people=labelled.people[:3]))


def test_whole_pictures_are_reduced_and_the_full_size_is_what_the_pipeline_gives(people):
    pipeline = Pipeline()
    files = sorted(str(path) for path in people.rglob("*.jpg"))[:3]
    blank = np.full((80, 60, 3), 120, np.uint8)
    (found,) = sized_templates([pipeline], [*files, blank], Sizes((16, 32)))
    assert list(found) == ["16", "32", FULL]
    plain = pipeline.embed([*files, blank]).templates
    np.testing.assert_array_equal(found[FULL].vectors, plain.vectors)
    alike = [float(np.einsum("nd,nd->n", found[name].vectors[:3], plain.vectors[:3]).min()) for name in ("16", "32")]
    assert alike[0] < alike[1] < 1
    assert [found[name].status.failures[3].reason for name in found] == ["no-face"] * 3


def test_a_run_on_pictures_is_whole_and_ready_for_json(people):
    chosen = two_pictures(read_labelled(people, role="test"))
    record = evaluate_low_resolution(Pipeline(), chosen, sizes=Sizes((12,), "down-area"), resamples=10).to_dict()
    json.dumps(record, allow_nan=False)
    assert (record["kind"], record["people"], record["probes"]) == ("low-resolution", 4, 4)
    assert {name.split("@")[1] for name in record["figures"]} == {"12", FULL}
    assert record["settings"]["threshold"] > 0 and record["curves"]["sizes"] == ["12", FULL]
    assert record["settings"]["operator"] == "down-area"


@pytest.mark.parametrize("pixels", [(), (2, 8), (16, 8), (8, 8), (8, 120)])
def test_sizes_out_of_range_are_refused(pixels):
    with pytest.raises(UsageError, match="rising numbers"):
        Sizes(pixels)
    with pytest.raises(UsageError, match="down-area"):
        Sizes((8,), "jpeg")


def test_a_zero_is_drawn_but_on_a_logarithmic_axis_where_the_line_breaks():
    values = {"fmr_both@8": 0.1, "fmr_both@12": 0.0, "fmr_both@full": 0.02, "fmr@full": 0.5}
    result = {"figures": {name: {"value": value} for name, value in values.items()}}
    sizes = ["8", "12", "16", FULL]
    np.testing.assert_array_equal(_points(result, "fmr_both", sizes, logarithmic=True), [0.1, math.nan, math.nan, 0.02])
    np.testing.assert_array_equal(_points(result, "fmr_both", sizes, logarithmic=False), [0.1, 0, math.nan, 0.02])
    del result["figures"]["fmr_both@full"]
    assert _points(result, "fmr_both", sizes, logarithmic=True)[-1] == 0.5
