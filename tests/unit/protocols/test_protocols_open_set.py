"""Open-set protocols: who is enrolled, and figures that a table of all similarities gives."""

from dataclasses import replace

import numpy as np
import pytest

from cases import a_calibration
from galleries import MADE_BY, SPACE
from visavis.calibration.identification_fit import fit_identification
from visavis.errors import InputError, UsageError
from visavis.metrics.identification import cmc, fnir, fpir
from visavis.metrics.intervals import clopper_pearson
from visavis.metrics.searches import search
from visavis.protocols.labelled import Labelled
from visavis.protocols.open_set import _kinds
from visavis.protocols.open_set_figures import open_set_figures, targets
from visavis.protocols.open_set_searches import gallery_searches
from visavis.protocols.open_set_split import split_open_set
from visavis.types import FPIR, Failure, Status, Templates


def collection(counts, kinds=("",)):
    names = [f"set/p{person:02}/{kind}{kind and '/'}{number}.jpg"
             for person, count in enumerate(counts) for kind in kinds for number in range(count)]  # fmt: skip
    return names, [name.split("/")[1] for name in names]


def test_all_but_one_are_enrolled_and_single_people_are_strangers():
    names, people = collection([1, 4, 2, 1])
    split = split_open_set(names, people, seed=3)
    of = np.array(people)
    assert of[split.enrolled].tolist() == ["p01", "p01", "p01", "p02"]
    assert of[split.probes].tolist() == ["p01", "p02"] and of[split.strangers].tolist() == ["p00", "p03"]
    every = np.concatenate([split.enrolled, split.probes, split.strangers])
    assert sorted(every.tolist()) == list(range(len(names)))


def test_half_are_strangers_and_only_a_kind_is_enrolled():
    names, people = collection([3] * 10, kinds=("frontal", "profile"))
    split = split_open_set(names, people, strangers="half", enrol="frontal", seed=0)
    of, kind = np.array(people), np.array([name.split("/")[2] for name in names])
    assert set(kind[split.enrolled]) == {"frontal"} and len(split.enrolled) == 5 * 2
    for rows in (split.probes, split.strangers):
        assert len(rows) == 5 * 4 and (kind[rows] == "frontal").sum() == 5
    assert not set(of[split.enrolled]) & set(of[split.strangers])
    assert set(of[split.enrolled]) == set(of[split.probes])
    other = split_open_set(names, people, strangers="half", enrol="frontal", seed=1)
    assert set(of[other.strangers]) != set(of[split.strangers])


def test_a_collection_without_strangers_says_what_to_do():
    names, people = collection([3, 3])
    with pytest.raises(InputError, match="--strangers half"):
        split_open_set(names, people)
    with pytest.raises(InputError, match="in a folder frontal"):
        split_open_set(names, people, enrol="frontal")
    with pytest.raises(UsageError, match="single or half"):
        split_open_set(names, people, strangers="most")


@pytest.fixture(scope="module")
def calibration():
    rows = np.random.default_rng(1).normal(size=(600, 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return replace(a_calibration(), identification=fit_identification(rows, range(600), rng=np.random.default_rng(0)))


def faces(centres, noise, rng):
    rows = centres + noise * rng.normal(size=centres.shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def templates(rows, failed=()):
    status = Status(tuple(Failure("no-face", "-") if row in failed else None for row in range(len(rows))))
    return Templates(rows, np.ones(len(rows)), status, np.full(len(rows), 50.0), SPACE, MADE_BY)


def test_searches_of_a_gallery_file_are_those_of_a_table_of_all_similarities(calibration):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(140, 16))
    enrolled = templates(faces(centres[:80], 0.4, rng), failed=(5,))
    probes = templates(faces(centres, 0.4, rng), failed=(7, 100))
    ids = [f"p{number:03}" for number in range(140)]
    found = gallery_searches(enrolled, ids[:80], probes, ids, calibration=calibration, at=FPIR(0.1))
    slow = search(probes.vectors, enrolled.vectors, ids, ids[:80])
    for one in (found.by_similarity, found.by_evidence):  # one sample a person: both orders are the same
        np.testing.assert_array_equal(one.mated, slow.mated)
        np.testing.assert_array_equal(one.failed, slow.failed)
        near = slow.rank <= 20
        np.testing.assert_array_equal(one.rank[near], slow.rank[near])
        assert (one.rank[~near] == 0).all()
        np.testing.assert_allclose(one.top, slow.top, atol=1e-5)
        assert one.failed_entries == slow.failed_entries == 1
    assert found.size == 79
    figures = {
        one.name: one
        for one in open_set_figures(found, np.array(ids), None, calibration=calibration, seed=0, resamples=50)
    }
    threshold = calibration.search_threshold(FPIR(0.1), size=79)
    assert figures["rank.1"].value == pytest.approx(cmc(slow, [1])[0])
    assert figures["fpir.1e-1"].value == pytest.approx(fpir(slow, threshold))
    assert figures["fnir.1e-1"].value == pytest.approx(fnir(slow, threshold))
    assert figures["fpir.1e-1"].threshold == threshold
    assert sum(figures["fpir.1e-1"].counts.values()) == 60 and sum(figures["fnir.1e-1"].counts.values()) == 80
    assert figures["dir_oracle.1e-1"].label == "oracle threshold"
    wide = targets(calibration, size=79, strangers=60)["1e-1"]
    assert wide["low"] < 0.1 < wide["high"] and wide["people"] == 60


@pytest.mark.parametrize("times", [1, 5])
def test_few_events_are_counted_over_people_however_often_each_searches(calibration, times):
    rng = np.random.default_rng(2)
    centres = rng.normal(size=(140, 16))
    enrolled, one = templates(faces(centres[:80], 0.2, rng)), faces(centres, 0.2, rng)
    ids = [f"p{number:03}" for number in range(140)]
    probes = templates(np.tile(one, (times, 1)))
    found = gallery_searches(enrolled, ids[:80], probes, ids * times, calibration=calibration, at=FPIR(0.1))
    people = np.array(ids * times)
    for figure in open_set_figures(found, people, None, calibration=calibration, seed=0, resamples=20):
        some = min(figure.counts.values())
        if not figure.name.startswith("fpir") or some >= 10:
            continue
        exact = clopper_pearson(some // times, 60)
        low, high = exact.low / times, exact.high
        if figure.value > 0.5:
            low, high = 1 - high, 1 - low
        assert (figure.interval.low, figure.interval.high) == pytest.approx((low, high))
        assert figure.interval.low <= figure.value <= figure.interval.high
        assert figure.to_dict()["method"] == "Clopper-Pearson over people"
        break
    else:
        pytest.fail("no figure has few events")


def test_pictures_outside_the_folders_of_kinds_are_one_kind():
    names = ("set/ann/1.jpg", "set/ann/profile/2.jpg", "set/bob/1.jpg")
    labelled = Labelled(None, names, ("ann", "ann", "bob"), None, {})
    assert _kinds(labelled, np.arange(3)).tolist() == ["other", "profile", "other"]


def test_kinds_of_pictures_have_figures_of_their_own(calibration):
    rng = np.random.default_rng(4)
    centres = rng.normal(size=(60, 16))
    enrolled = templates(faces(centres[:30], 0.2, rng))
    ids = [f"p{number:03}" for number in range(60)]
    rows = np.concatenate([faces(centres, 0.2, rng), faces(centres, 2.0, rng)])
    found = gallery_searches(enrolled, ids[:30], templates(rows), ids * 2, calibration=calibration, at=FPIR(0.1))
    kinds = np.repeat(["sharp", "vague"], 60)
    figures = {
        one.name: one
        for one in open_set_figures(found, np.array(ids * 2), kinds, calibration=calibration, seed=0, resamples=20)
    }
    assert figures["rank.1.sharp"].value > 0.9 > 0.6 > figures["rank.1.vague"].value
    for name in ("rank.1", "fnir.1e-1", "fpir.1e-1"):
        parts = [figures[f"{name}.{kind}"] for kind in ("sharp", "vague")]
        for word, count in figures[name].counts.items():
            assert count == sum(part.counts[word] for part in parts)
