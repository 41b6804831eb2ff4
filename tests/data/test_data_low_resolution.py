"""On test people: small strangers look alike; what the companion learnt, beside the network it began as."""

from dataclasses import replace

import pytest

from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.labelled import read_labelled
from visavis.protocols.low_resolution import embed_sizes, low_resolution_result, two_pictures
from visavis.protocols.sized_pictures import Sizes

pytestmark = pytest.mark.data
PEOPLE, SIZES = 150, Sizes((12, 16))


def test_false_matches_rise_as_faces_get_smaller_and_the_companion_beats_what_it_began_as(shared_data):
    labelled = read_labelled(shared_data / "lfw" / "lfw.tar", role="test")
    chosen = two_pictures(labelled)
    some = slice(0, PEOPLE)
    chosen = replace(chosen, gallery=chosen.gallery[some], probes=chosen.probes[some], people=chosen.people[some])
    pipelines = [Pipeline(), Pipeline(model="visavis-low"), Pipeline(model="visavis-s")]
    plain, low, before = pipelines
    own, companion, sibling = embed_sizes(pipelines, chosen, SIZES)

    def result(probe, gallery, probes, enrolled):
        return low_resolution_result(probe, gallery, probes, enrolled, chosen, sizes=SIZES, resamples=200)

    default, across = result(plain, plain, own, own), result(low, plain, companion, own)
    start = result(before, before, sibling, sibling)
    assert set(default.roles) == {"test"}
    assert default.figure("fmr_both@12").interval.low > 3e-3
    assert default.figure("fmr_both@12").value > default.figure("fmr_both@16").value > default.figure("fmr@16").value
    for name in ("rank.1@12", "rank.1@16", "tar_at_far.1e-2@12"):
        assert across.figure(name).value > start.figure(name).value
    assert across.figure("fmr_both@12").value < start.figure("fmr_both@12").value / 3
    for size in ("12", "16", "full"):
        assert 3e-4 < across.figure(f"fmr@{size}").value < 3e-3
