import math

import numpy as np
import pytest

from visavis.errors import UsageError
from visavis.metrics import person_bootstrap
from visavis.metrics import searches as module
from visavis.metrics.identification import (
    average_precision,
    cmc,
    cmc_statistic,
    dir_at_fpir,
    dir_at_fpir_statistic,
    fnir,
    fpir,
    map_statistic,
    mean_average_precision,
    threshold_at_fpir,
)
from visavis.metrics.searches import search

NAN = float("nan")


def planted(similarities, probe_people, gallery_people, **options):
    """Searches whose similarities are those given: probes are the rows, the gallery the unit vectors."""
    scores = np.asarray(similarities, np.float32)
    gallery = np.eye(scores.shape[1], dtype=np.float32)
    return search(scores, gallery, probe_people, gallery_people, **options)


def slow_candidates(line, people, wanted):
    """The candidate list of one probe by the words of the definition: others before mates of equal similarity."""
    rows = [(float(-score), person == wanted, person) for score, person in zip(line, people, strict=True)
            if not math.isnan(score)]  # fmt: skip
    return [(person, -negated) for negated, _, person in sorted(rows)]


def slow_precision(candidates, wanted, mates):
    """The loop of the TinyFace evaluation, over a candidate list."""
    recall, precision, total, found = 0.0, 1.0, 0.0, 0
    for place, (person, _) in enumerate(candidates, start=1):
        found += person == wanted
        new_recall, new_precision = found / mates, found / place
        total += (new_recall - recall) * (precision + new_precision) / 2
        recall, precision = new_recall, new_precision
    return total


@pytest.fixture(params=range(12))
def drawn(request, monkeypatch):
    """Random vectors with ties (few distinct values), failures on both sides, people without mates."""
    rng = np.random.default_rng(request.param)
    monkeypatch.setattr(module, "_CELLS", 40)
    probes = rng.integers(-2, 3, (15, 2)).astype(np.float32)
    gallery = rng.integers(-2, 3, (14, 2)).astype(np.float32)
    probes[rng.random(15) < 0.15] = np.nan
    gallery[rng.random(14) < 0.15] = np.nan
    return probes, gallery, rng.integers(0, 8, 15), rng.integers(2, 9, 14)


def test_everything_agrees_with_sorted_candidate_lists(drawn):
    probes, gallery, wanted, enrolled = drawn
    found = search(probes, gallery, wanted, enrolled)
    precision = average_precision(found)
    for row, person in enumerate(wanted):
        candidates = slow_candidates(probes[row] @ gallery.T, enrolled, person)
        ranks = [place for place, (one, _) in enumerate(candidates, start=1) if one == person]
        assert found.mated[row] == (person in enrolled) and found.failed[row] == np.isnan(probes[row]).any()
        assert found.mate_rank[found.mate_probe == row].tolist() == ranks
        assert found.rank[row] == (ranks[0] if ranks else 0)
        top = max((score for _, score in candidates), default=NAN)
        assert np.array_equal(found.top[row], np.float32(top), equal_nan=True)
        if ranks:
            assert found.mate[row] == candidates[ranks[0] - 1][1]
            assert precision[row] == pytest.approx(slow_precision(candidates, person, len(ranks)))
        else:
            assert math.isnan(found.mate[row])
            assert np.array_equal(precision[row], 0.0 if found.mated[row] else NAN, equal_nan=True)
    assert found.entries == len(gallery) and found.failed_entries == np.isnan(gallery).any(axis=1).sum()


def test_rates_agree_with_counting_lists(drawn):
    probes, gallery, wanted, enrolled = drawn
    found = search(probes, gallery, wanted, enrolled)
    lists = [slow_candidates(line @ gallery.T, enrolled, who) for line, who in zip(probes, wanted, strict=True)]
    mated = [row for row, who in enumerate(wanted) if who in enrolled]
    other = [row for row in range(len(wanted)) if row not in mated]
    for threshold in (-math.inf, -1.0, 0.0, 0.5, 3.0, 100.0):
        if other:
            slow = np.mean([any(score >= threshold for _, score in lists[row]) for row in other])
            assert fpir(found, threshold) == slow
        for rank in (1, 2, 5):
            hit = [any(who == wanted[row] and s >= threshold for who, s in lists[row][:rank]) for row in mated]
            assert fnir(found, threshold, rank=rank) == pytest.approx(1 - np.mean(hit))
    first = [[who for who, _ in lists[row][:3]] for row in mated]
    assert cmc(found, [3])[0] == pytest.approx(
        np.mean([wanted[row] in some for row, some in zip(mated, first, strict=True)])
    )


def test_a_person_counts_by_the_best_entry(drawn):
    probes, gallery, wanted, enrolled = drawn
    found = search(probes, gallery, wanted, enrolled, unit="person")
    people = np.unique(enrolled)
    for row, who in enumerate(wanted):
        scores = probes[row] @ gallery.T
        best = {one: np.fmax.reduce(scores[enrolled == one]) for one in people}
        candidates = slow_candidates(list(best.values()), list(best), who)
        ranks = [place for place, (one, _) in enumerate(candidates, start=1) if one == who]
        assert found.rank[row] == (ranks[0] if ranks else 0)
    assert found.entries == len(people)


def test_blocks_do_not_matter(drawn, monkeypatch):
    small = search(*drawn)
    monkeypatch.setattr(module, "_CELLS", 1 << 24)
    large = search(*drawn)
    for name in ("rank", "mate", "top", "mate_probe", "mate_rank"):
        assert np.array_equal(getattr(small, name), getattr(large, name), equal_nan=True)


def test_a_tie_with_another_person_counts_against_the_system():
    found = planted([[0.5, 0.5, 0.2]], ["ann"], ["ann", "bob", "ann"])
    assert found.mate_rank.tolist() == [2, 3] and cmc(found, [1, 2]).tolist() == [0.0, 1.0]


def test_failures_are_errors_of_mated_and_right_answers_of_other_searches():
    found = planted([[0.9, 0.1], [NAN, NAN], [NAN, NAN], [0.8, 0.3]], ["a", "a", "z", "z"], ["a", "b"])
    assert fnir(found, 0.5) == 0.5 and fpir(found, 0.5) == 0.5 and cmc(found, [2]).tolist() == [0.5]
    scores = np.eye(2, dtype=np.float32)
    gone = search(scores, np.array([[NAN, NAN], [0, 1]], np.float32), ["a", "b"], ["a", "b"])
    assert gone.mated.all() and gone.rank.tolist() == [0, 1] and fnir(gone, -math.inf, rank=2) == 0.5


def test_the_oracle_threshold_keeps_its_rate():
    rng = np.random.default_rng(0)
    scores = rng.random((200, 3)).astype(np.float32)
    found = planted(scores, ["a"] * 50 + ["z"] * 150, ["a", "b", "c"])
    for rate in (0.0, 0.01, 0.1, 0.5):
        threshold = threshold_at_fpir(found, rate)
        assert fpir(found, threshold) <= rate
        assert dir_at_fpir(found, fpir=rate) == 1 - fnir(found, threshold)
        assert fpir(found, np.nextafter(np.float32(threshold), np.float32(-1)) - 1e-7) > rate
    assert threshold_at_fpir(found, 1.0) == -math.inf and dir_at_fpir(found, fpir=1.0) == cmc(found, [1])[0]


def test_weights_are_copies():
    rng = np.random.default_rng(3)
    scores, who = rng.random((30, 4)).astype(np.float32), rng.choice(["a", "b", "z"], 30)
    copies = rng.integers(0, 4, 30)
    once = planted(scores, who, ["a", "b", "c", "d"])
    many = planted(np.repeat(scores, copies, axis=0), np.repeat(who, copies), ["a", "b", "c", "d"])
    assert cmc_statistic(once, 2)(copies) == pytest.approx(cmc(many, [2])[0])
    assert dir_at_fpir_statistic(once, 0.2)(copies) == pytest.approx(dir_at_fpir(many, fpir=0.2))
    assert map_statistic(once)(copies) == pytest.approx(mean_average_precision(many))
    assert mean_average_precision(once, weights=copies) == pytest.approx(mean_average_precision(many))
    assert fnir(once, 0.4, weights=copies) == pytest.approx(fnir(many, 0.4))
    assert fpir(once, 0.9, weights=copies) == pytest.approx(fpir(many, 0.9))
    interval = person_bootstrap(who, who, cmc_statistic(once, 1), resamples=50, rng=np.random.default_rng(0))
    assert interval.low <= cmc(once, [1])[0] <= interval.high


def test_undefined_rates_are_not_numbers():
    none = planted([[0.5]], ["z"], ["a"])
    assert math.isnan(fnir(none, 0.0)) and math.isnan(cmc(none, [1])[0]) and fpir(none, 0.5) == 1.0
    all_ = planted([[0.5]], ["a"], ["a"])
    assert math.isnan(fpir(all_, 0.0)) and math.isnan(dir_at_fpir(all_, fpir=0.1))


@pytest.mark.parametrize(
    "call",
    [
        lambda: search(np.eye(2), np.eye(2, dtype=np.float32), [0, 1], [0, 1]),
        lambda: search(np.eye(2, dtype=np.float32), np.eye(3, dtype=np.float32), [0, 1], [0, 1, 2]),
        lambda: planted([[1.0]], ["a"], [1]),
        lambda: planted([[1.0]], ["a", "b"], ["a"]),
        lambda: planted([[1.0]], ["a"], ["a"], unit="face"),
        lambda: cmc(planted([[1.0]], ["a"], ["a"]), [0]),
        lambda: fnir(planted([[1.0]], ["a"], ["a"]), 0.5, rank=0),
        lambda: dir_at_fpir(planted([[1.0]], ["a"], ["b"]), fpir=2.0),
    ],
)
def test_wrong_calls_are_refused(call):
    with pytest.raises(UsageError):
        call()
