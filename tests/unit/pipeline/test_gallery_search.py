"""Searches of a gallery: candidates against brute force, thresholds that keep to their rate, people to be left out."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from cases import a_calibration
from galleries import MADE_BY, SPACE, gallery, sample, unit
from visavis.calibration.identification_fit import fit_identification
from visavis.calibration.pooled import Pooled
from visavis.errors import InputError
from visavis.gallery.consent import Consent
from visavis.gallery.index.live_index import LiveIndex
from visavis.pipeline.gallery_search import GallerySearch
from visavis.types import FPIR, Failure, PersonCandidate, Status, Templates


def crowd(count, seed=0):
    rows = np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def calibration():
    """Thresholds for people who are drawn at random on the sphere; those of several pictures lie higher."""
    table = fit_identification(crowd(600, 1), range(600), rng=np.random.default_rng(0))
    lines = tuple(Pooled(1, level, 1.1, 0.05, 100, 1000) for level in (2, 3, 5, 8))
    return replace(a_calibration(), identification=table, pooled=lines)


@pytest.fixture
def opened(tmp_path, calibration):
    """A gallery with a search over it."""
    made = gallery(tmp_path)
    with LiveIndex(made) as index:
        yield made, GallerySearch(made, index, calibration=calibration, at=FPIR(0.05))
    made.close()


def templates(rows, failed=()):
    count = len(rows)
    status = Status(tuple(Failure("no-face", "no face") if row in failed else None for row in range(count)))
    return Templates(rows, np.ones(count, np.float32), status, np.full(count, np.nan), SPACE, MADE_BY)


def enrol(made, rows):
    made.add_samples([sample(f"p{row:03}", row, vector=vector) for row, vector in enumerate(rows)])


def test_candidates_are_the_closest_people_with_their_thresholds(opened, calibration):
    made, search = opened
    rows = crowd(60)
    enrol(made, rows)
    made.add_samples([sample("p000", 100, vector=rows[1]), sample("p000", 101, vector=rows[2])])
    mean = rows[:3].mean(axis=0)
    pooled = np.concatenate([[mean / np.linalg.norm(mean)], rows[1:]])
    scope = search.scope()
    assert scope.terms.people == 60 and scope.terms.fpir.rate == 0.05
    probes = crowd(7, 5)
    found = search.candidates(templates(probes, failed=(3,)), depth=4, scope=scope)
    for row, candidates in enumerate(found):
        if row == 3:
            assert candidates == []
            continue
        scores = pooled @ probes[row]
        order = np.argsort(-scores)[:4]
        assert [one.person for one in candidates] == [f"p{number:03}" for number in order]
        np.testing.assert_allclose([one.similarity for one in candidates], scores[order], atol=1e-5)
        for one in candidates:
            samples = 3 if one.person == "p000" else 1
            assert one.samples == samples
            assert one.threshold == calibration.search_threshold(FPIR(0.05), size=60, samples=samples)
            assert one.llr == calibration.log10_lr(one.similarity, left=1, right=samples)
            evidence = search.evidence(one, scope)
            assert (evidence >= 0) == (one.similarity >= one.threshold) or abs(evidence) < 1e-6


def test_strangers_are_taken_for_somebody_as_often_as_was_asked(opened):
    made, search = opened
    enrol(made, crowd(200, 2))
    scope = search.scope()
    strangers = templates(crowd(3000, 3))
    found = search.candidates(strangers, depth=1, scope=scope)
    rate = np.mean([search.evidence(row[0], scope) >= 0 for row in found])
    assert scope.terms.fpir.low < rate < scope.terms.fpir.high
    assert rate == pytest.approx(0.05, rel=0.3)


def test_people_whose_time_or_consent_has_ended_are_never_returned(opened):
    made, search = opened
    rows = crowd(40)
    probe = rows[0]
    near = [unit(np.random.default_rng(seed)) * 0.05 + probe for seed in range(30)]
    enrol(made, rows)
    past = datetime.now(UTC) - timedelta(days=1)
    for number, vector in enumerate(near):
        made.add_samples([sample(f"gone{number}", 500 + number, vector=vector / np.linalg.norm(vector))])
        made.update_person(f"gone{number}", expires=past)
    made.update_person("p000", consent=Consent("form", past - timedelta(days=1), withdrawn=past))
    found = search.candidates(templates(probe[None]), depth=5, scope=search.scope())[0]
    scores = rows @ probe
    scores[0] = -1
    assert [one.person for one in found] == [f"p{number:03}" for number in np.argsort(-scores)[:5]]


def test_only_people_with_these_metadata_are_searched_at_the_threshold_of_so_many(opened, calibration):
    made, search = opened
    rows = crowd(30)
    for number, vector in enumerate(rows):
        made.add_samples([sample(f"p{number:03}", number, vector=vector, metadata={"team": "ab"[number % 2]})])
    scope = search.scope({"team": "b"})
    assert scope.terms.people == 15
    assert scope.terms.threshold == calibration.search_threshold(FPIR(0.05), size=15) < search.scope().terms.threshold
    found = search.candidates(templates(rows[:1]), depth=30, scope=scope)[0]
    assert len(found) == 15 and all(int(one.person[1:]) % 2 for one in found)
    nobody = search.scope({"team": "c"})
    assert nobody.terms.threshold is None and nobody.terms.warnings == (
        "nobody in the gallery has these metadata: every face is nobody",
    )
    assert search.candidates(templates(rows[:2]), depth=3, scope=nobody) == [[], []]


def test_people_without_a_sample_are_not_found_and_do_no_harm(opened):
    made, search = opened
    enrol(made, crowd(3))
    for number in range(40):
        made.add_person(f"new{number}", metadata={"team": "b"})
    made.add_samples([sample("new0", 900)])
    assert search.scope({"team": "b"}).terms.people == 1  # the threshold is that of those who can be found
    found = search.candidates(templates(crowd(2)), depth=10, scope=search.scope({"team": "b"}))
    assert [[one.person for one in row] for row in found] == [["new0"], ["new0"]]


def test_without_lines_for_several_samples_a_warning_says_so(tmp_path, calibration):
    made = gallery(tmp_path)
    enrol(made, crowd(3))
    with LiveIndex(made) as index:
        bare = GallerySearch(made, index, calibration=replace(calibration, pooled=()), at=FPIR(0.05))
        assert "no thresholds for people of more than 1 sample:" in bare.scope().terms.warnings[0]
        short = GallerySearch(
            made, index, calibration=replace(calibration, pooled=calibration.pooled[:2]), at=FPIR(0.05)
        )
        scope = short.scope()
        assert "no thresholds for people of more than 3 samples:" in scope.terms.warnings[0]
        assert scope.thresholds[8] == scope.thresholds[3] > scope.thresholds[1]
        steep = replace(calibration, pooled=(Pooled(1, 2, 3.0, 0.5, 100, 1000), *calibration.pooled[1:]))
        assert any(
            "samples is" in text and "nobody of them" in text
            for text in GallerySearch(made, index, calibration=steep, at=FPIR(0.05)).scope().terms.warnings
        )


def test_an_empty_gallery_has_nobody(opened):
    _, search = opened
    scope = search.scope()
    assert scope.terms.people == 0 and "the gallery is empty" in scope.terms.warnings[0]
    assert search.named(search.candidates(templates(crowd(2)), depth=3, scope=scope), scope) == [None, None]


def test_a_gallery_beyond_what_was_measured_is_told(opened):
    made, search = opened
    enrol(made, crowd(650))
    warning = search.scope().terms.warnings[0]
    assert warning.startswith(
        "650 people are searched; at fpir=0.05 the threshold was measured in galleries of 1 to 599"
    )


def test_no_person_is_two_faces_and_the_number_of_samples_counts(opened):
    made, search = opened
    enrol(made, crowd(20))
    scope = search.scope()
    base = scope.terms.threshold
    several = scope.thresholds[8]

    def one(person, similarity, samples=1):
        return PersonCandidate(person, None, similarity, 0.0, None, samples)

    ann, bob = one("ann", base + 0.2), one("bob", base + 0.01)
    weaker = one("ann", base + 0.1)
    assert search.named([[ann, bob], [weaker]], scope) == [ann, None]
    assert search.named([[ann, one("bob", base + 0.15)], [weaker]], scope)[1] == weaker
    assert search.named([[one("eve", several - 0.001, 8)]], scope) == [None]
    # A person of many pictures is similar to everybody: of two above their thresholds the one further above is named.
    many = one("eve", several + 0.02, 8)
    assert search.named([[many, one("bob", several + 0.01)]], scope)[0].person == "bob"


def test_beyond_those_who_are_told_only_those_who_pass_are_made(opened):
    made, search = opened
    rows = crowd(300, 4)
    probe = rows[0] + 0
    close = probe + 0.5 * rows[:9]  # nine people who are like the probe
    rows[:9] = close / np.linalg.norm(close, axis=1, keepdims=True)
    enrol(made, rows)
    made.add_samples([sample("p007", 900, vector=rows[8])])  # several samples: another threshold
    probes = templates(np.stack([probe / np.linalg.norm(probe), *crowd(5, 9)]), failed=(2,))
    scope = search.scope()
    every = search.candidates(probes, depth=200, scope=scope)
    assert any(one.similarity >= one.threshold for row in every for one in row[3:])
    for row, some in zip(every, search.candidates(probes, depth=200, scope=scope, told=3), strict=True):
        assert some == [one for number, one in enumerate(row) if number < 3 or one.similarity >= one.threshold]


def test_somebody_who_may_not_be_found_is_refused(opened):
    made, search = opened
    enrol(made, crowd(3))
    made.update_person("p001", metadata={"team": "b"})
    search.require("p001")
    search.require("p001", {"team": "b"})
    with pytest.raises(InputError, match="their metadata lack"):
        search.require("p002", {"team": "b"})
    made.update_person("p001", expires=datetime.now(UTC) - timedelta(days=1))
    with pytest.raises(InputError, match="the time has ended"):
        search.require("p001")


def test_eight_threads_find_what_one_finds(opened):
    made, search = opened
    enrol(made, crowd(100))
    scope = search.scope()
    probes = [templates(crowd(20, seed)) for seed in range(16)]
    serial = [search.candidates(one, depth=5, scope=scope) for one in probes]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda one: search.candidates(one, depth=5, scope=scope), probes)) == serial
