"""On test people: small strangers look alike, and the companion finds more small faces than the default does."""

from dataclasses import replace

import pytest

from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.labelled import read_labelled
from visavis.protocols.low_resolution import embed_sizes, low_resolution_result, two_pictures
from visavis.protocols.sized_pictures import Sizes

pytestmark = pytest.mark.data
PEOPLE, SIZES = 150, Sizes((12, 16))


def test_false_matches_rise_as_faces_get_smaller_and_the_companion_finds_more(shared_data):
    labelled = read_labelled(shared_data / "lfw" / "lfw.tar", role="test")
    chosen = two_pictures(labelled)
    some = slice(0, PEOPLE)
    chosen = replace(chosen, gallery=chosen.gallery[some], probes=chosen.probes[some], people=chosen.people[some])
    plain, low = Pipeline(), Pipeline(model="visavis-low")
    own, companion = embed_sizes([plain, low], chosen, SIZES)
    default = low_resolution_result(plain, plain, own, own, chosen, sizes=SIZES, resamples=200)
    across = low_resolution_result(low, plain, companion, own, chosen, sizes=SIZES, resamples=200)
    assert set(default.roles) == {"test"}
    low_end = default.figure("fmr_both@12").interval.low
    assert low_end > 3e-3 and default.figure("fmr_both@12").value > default.figure("fmr_both@16").value
    assert default.figure("fmr@12").value < default.figure("fmr_both@12").value / 3
    for name in ("rank.1@12", "tar_at_far.1e-2@12"):
        assert across.figure(name).value > default.figure(name).value
