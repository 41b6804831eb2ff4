"""Which calibration a comparison of templates of two spaces gets."""

from dataclasses import replace

import pytest

from visavis.calibration.table import shipped
from visavis.pipeline.between import calibration_between
from visavis.pipeline.pipeline import Pipeline
from visavis.types.space import pair_fingerprint


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline()


def test_the_order_of_two_spaces_does_not_matter_and_one_is_itself(pipeline):
    one, other = pipeline.space, replace(pipeline.space, recogniser="1" * 64)
    assert pair_fingerprint(one, other) == pair_fingerprint(other, one) != one.fingerprint
    assert pair_fingerprint(one, replace(one, pooling="mean-3")) == one.fingerprint


def test_of_one_space_it_is_the_pipelines_own(pipeline):
    own = replace(pipeline.calibration(), name="mine")
    assert calibration_between(own, pipeline.space, pipeline.space) == (own, "")


def test_without_a_fit_on_both_spaces_the_reader_is_warned(pipeline):
    newer = replace(pipeline.space, recogniser="1" * 64, compatible=(pipeline.space.fingerprint,))
    own = pipeline.calibration()
    assert calibration_between(own, newer, pipeline.space)[0] is own
    assert "two spaces" in calibration_between(own, newer, pipeline.space)[1]


def test_two_templates_of_an_older_space_are_judged_at_its_own_threshold(pipeline):
    """A pipeline whose recogniser fits an older one may be given two templates of the older one."""
    mine = replace(pipeline.calibration(), space="0" * 16)
    assert calibration_between(mine, pipeline.space, pipeline.space) == (shipped(pipeline.space.fingerprint), "")
