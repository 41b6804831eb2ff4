"""The gate's figures against counting, and people moved away from the camera."""

from types import SimpleNamespace

import numpy as np
import pytest

from visavis.io import read
from visavis.metrics.screening import screened
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.labelled import Labelled
from visavis.systems._gate_rates import difference, gate_rates
from visavis.systems._screened_people import SIDES, People, Probes, frames_of, seen_from_afar, watch
from visavis.systems._simulated_quality import ARMS, Heads, simulate


def probes(seed=0, count=300):
    rng = np.random.default_rng(seed)
    quality = rng.random(count)
    similarities = np.where(rng.random(count) < quality + 0.2, 0.8, 0.1)
    quality[:20] = similarities[:20] = np.nan
    noise = rng.random(count)
    noise[:20] = np.nan
    return Probes(similarities, np.arange(count) % 30, 0.5, {"landmark": quality, "noise": noise}, quality > 0.5, 0)


def test_rates_are_those_of_sorting_and_counting():
    some = probes()
    found = gate_rates(some, share=0.3, others=("noise", "absent"), permutations=50)
    wrong = ~(some.similarities >= 0.5)

    def after(quality):
        kept = np.argsort(np.where(np.isnan(quality), -1, quality), kind="stable")[90:]
        return wrong[kept].mean()

    assert found["frr before"] == pytest.approx(wrong.mean())
    assert found["frr after"] == pytest.approx(after(some.measures["landmark"]))
    assert found["frr by noise"] == pytest.approx(after(some.measures["noise"])) and "frr by absent" not in found
    assert found["frr failed alone"] == pytest.approx(wrong[20:].mean()), "those with a face are all alike"
    assert found["frr random / before"] == pytest.approx(1, abs=0.05)
    gate = screened(some.similarities, some.people, some.accept, threshold=0.5)
    assert found["shipped threshold, discarded"] == gate.discarded and found["shipped threshold, frr"] == gate.after
    low, high = difference([some, probes(1)], "landmark", None, share=0.3, resamples=100)
    assert low < high < 0
    assert difference([some], "noise", "noise", share=0.3, resamples=20) == (0, 0)


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline()


@pytest.fixture(scope="module")
def portraits(astronaut, officer):
    """Two people with three pictures each; the first picture is the reference."""
    files = {
        f"{person}/{number}.png": path for person, path in (("a", astronaut), ("b", officer)) for number in range(3)
    }
    store = SimpleNamespace(get=lambda name: read(files[name]))
    names = tuple(sorted(files, reverse=True))
    return Labelled(store, names, tuple(name[0] for name in names), "set", {})


def test_the_first_picture_of_a_person_is_the_reference(portraits):
    people = People.of("x", portraits)
    assert people.persons == ("a", "b") and people.people.tolist() == [0, 0, 0, 1, 1, 1]
    assert people.first.tolist() == [True, False, False] * 2
    assert len(People.of("x", portraits, most=2).sources) == 4


def test_moved_people_are_small_and_the_others_are_as_they_were(pipeline, portraits):
    people = People.of("x", portraits)
    moved = np.array([False, True, True] * 2)
    pictures = list(seen_from_afar(pipeline, people.sources, moved, np.random.default_rng(0)))
    before = pipeline.detect(people.sources, which="central")[1].size
    for row, (picture, source) in enumerate(zip(pictures, people.sources, strict=True)):
        side = before[row] * picture.size[0] / source.size[0]
        assert (SIDES[0] * 0.9 <= side <= SIDES[1] * 1.1) if moved[row] else picture is source


def test_probes_are_compared_with_their_own_reference(pipeline, portraits):
    people = People.of("x", portraits)
    found = watch(pipeline, people, fmr=0.01, rng=np.random.default_rng(5), forests={})
    assert found.people.tolist() == [0, 0, 1, 1] and found.not_enrolled == 0
    same = frames_of(pipeline, iter(people.sources), {})
    moved = found.measures["eye distance"] < 0.9 * same.measures["eye distance"][[1, 2, 4, 5]]
    assert found.similarities[~moved] == pytest.approx(1, abs=1e-4), "the very picture of the reference"
    assert (found.similarities[moved] < 0.9999).all() or not moved.any()
    assert (found.measures["landmark"][~moved] > 0.3).all()


def test_size_is_what_the_simulated_task_needs():
    found = simulate(Heads(train=300, test=400, trees=4), 100)
    assert set(found.accuracy) == set(found.determined) == set(ARMS)
    assert found.determined["default"] > found.determined["without scale"] + 0.2
    assert found.accuracy["default"] > found.majority and found.mirrored[0] < found.mirrored[1] < 0.3
