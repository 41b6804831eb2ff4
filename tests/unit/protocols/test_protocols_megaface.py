"""MegaFace-style distractors against all similarities at once."""

import json
from collections import Counter

import numpy as np
import pytest

from patterns import pattern, pattern_pipeline, png, unit, varied
from visavis.errors import InputError, UnreadableError, UsageError
from visavis.metrics import person_bootstrap, tar_at_far_statistic, threshold_at_fmr
from visavis.protocols import distractor_scores
from visavis.protocols.distractor_scores import DistractorScores
from visavis.protocols.ledger import Ledger
from visavis.protocols.megaface import evaluate_megaface
from visavis.protocols.megaface_figures import FARS, Mates, rank_figures, tar_figures
from visavis.protocols.megaface_sets import read_distractors, read_probes
from visavis.protocols.picture_names import read_names


def rows(rng, count):
    found = rng.normal(size=(count, 4)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.mark.parametrize("keep", [1, 7, 200, 10_000])
@pytest.mark.parametrize("block", [1, 13, 90])
def test_streams_give_what_all_similarities_give(monkeypatch, block, keep):
    monkeypatch.setattr(distractor_scores, "_CELLS", 40)
    rng = np.random.default_rng(keep)
    probes, others = rows(rng, 9), rows(rng, 90)
    probes[2], others[[5, 40]] = np.nan, np.nan
    others[50:60] = others[50]  # ties
    sizes = [10, 30, 90]
    subset = np.searchsorted(sizes, rng.permutation(90), side="right")
    found = DistractorScores(probes, sizes=sizes, subset=subset, keep=keep)
    for start in range(0, 90, block):
        found.add(others[start : start + block])
    scores = probes @ others.T
    for level in range(3):
        inside = scores[:, subset <= level]
        best = np.where(np.isnan(inside), -np.inf, inside).max(axis=1)
        assert np.allclose(found.maxima[:, level], best, atol=1e-6)
    flat = np.sort(scores[~np.isnan(scores)])[::-1]
    values, who = found.highest()
    assert np.allclose(values, flat[: len(values)], atol=1e-6) and len(values) == min(keep, len(flat))
    assert all(np.isclose(scores[row], value, atol=1e-6).any() for value, row in zip(values, who, strict=True))
    assert (found.failed, found.taken, found.compared) == (2, 90, 8 * 88)
    for far in (0.0, 1e-3, 0.01):
        count = int(far * 810 + 1e-9)
        if count < keep:
            # matrix products of blocks of other shapes differ in the last bit
            assert found.threshold_at_far(far) == pytest.approx(threshold_at_fmr(scores.ravel(), far), abs=1e-6)
        else:
            with pytest.raises(UsageError, match="were kept"):
                found.threshold_at_far(far)


def test_streams_that_do_not_fit_are_refused():
    rng = np.random.default_rng(0)
    for sizes in ([], [5, 2], [0, 3], [2, 2]):
        with pytest.raises(UsageError):
            DistractorScores(rows(rng, 2), sizes=sizes, subset=np.zeros(3, int), keep=4)
    found = DistractorScores(rows(rng, 2), sizes=[3], subset=np.zeros(3, int), keep=4)
    with pytest.raises(UsageError, match="dimensions"):
        found.add(np.zeros((1, 3), np.float32))
    with pytest.raises(UsageError, match="announced"):
        found.add(rows(rng, 4))


@pytest.fixture
def copy(tmp_path):
    """Six people with three pictures each, 130 distractors in the official layout."""
    rng = np.random.default_rng(0)
    people = {f"Actor_{letter}": [varied(one, rng, spread=60) for _ in range(3)]
              for letter, one in ((letter, pattern(rng)) for letter in "ABCDEF")}  # fmt: skip
    for person, own in people.items():
        (tmp_path / "facescrub_images" / person).mkdir(parents=True)
        for number, cells in enumerate(own):
            (tmp_path / "facescrub_images" / person / f"{person}_{number}.png").write_bytes(png(cells))
    others = []
    for number in range(130):
        folder = tmp_path / "megaface_images" / f"{number % 3}" / f"u{number % 10}"
        folder.mkdir(parents=True, exist_ok=True)
        others.append(varied(pattern(rng), rng))
        (folder / f"{number}.jpg").write_bytes(png(others[-1]))
    return tmp_path, people, np.array([unit(one) for one in others])


def slow_rank(people, others):
    hits = [
        unit(own[probe]) @ unit(own[gallery]) > (others @ unit(own[probe])).max(initial=-2)
        for own in people.values()
        for gallery in range(len(own))
        for probe in range(len(own))
        if probe != gallery
    ]
    return np.mean(hits)


def test_figures_are_those_of_all_comparisons(copy):
    folder, people, others = copy
    probes, distractors = read_probes(folder / "facescrub_images"), read_distractors(folder / "megaface_images")
    result = evaluate_megaface(pattern_pipeline(), probes, distractors, aligned=True, resamples=20)
    assert [figure.name for figure in result.figures[:3]] == ["rank.1.of.10", "rank.1.of.100", "rank.1.of.130"]
    values = [figure.value for figure in result.figures[:3]]
    assert values == sorted(values, reverse=True) and values[2] == pytest.approx(slow_rank(people, others))
    vectors = np.array([unit(one) for own in people.values() for one in own])
    mated = [unit(own[i]) @ unit(own[j]) for own in people.values() for i in range(3) for j in range(i)]
    for name, far in FARS.items():
        threshold = threshold_at_fmr((vectors @ others.T).ravel(), far)
        figure = result.figure(f"tar_at_far.{name}")
        assert figure.value == pytest.approx(np.mean(np.array(mated) >= threshold))
        assert figure.threshold == pytest.approx(threshold, abs=1e-6)
        assert figure.interval.low <= figure.value <= figure.interval.high
    record = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert record["data"] == "facescrub_images+megaface_images" and record["roles"] == {"unlisted": 6}
    assert (record["probes"], record["people"], record["mated"], record["nonmated"]) == (18, 6, 18, 18 * 130)


def test_distractors_from_a_file_give_the_same(copy):
    folder, _, others = copy
    np.save(folder / "d.npy", np.concatenate([others * 7, np.full((1, 16), np.nan)]))
    probes, distractors = read_probes(folder / "facescrub_images"), read_distractors(folder / "d.npy")
    result = evaluate_megaface(pattern_pipeline(), probes, distractors, aligned=True, resamples=5)
    pictures = evaluate_megaface(
        pattern_pipeline(), probes, read_distractors(folder / "megaface_images"), aligned=True, resamples=5
    )
    assert result.figure("rank.1.of.131").value == pictures.figure("rank.1.of.130").value
    assert result.numbers["failed_distractors"] == 1 and result.failed_images == {"embedding": 1}
    np.save(folder / "w.npy", np.ones((3, 5)))
    with pytest.raises(InputError, match="5 dimensions"):
        evaluate_megaface(pattern_pipeline(), probes, read_distractors(folder / "w.npy"), aligned=True)
    with pytest.raises(UsageError, match="no meaning"):
        read_distractors(folder / "d.npy", noises=folder / "d.npy")


def test_published_noises_and_lists(copy):
    folder, people, others = copy
    (folder / "facescrub_noises.txt").write_text("# wrong people\nActor_A_0.png\nActor_B_1.png\n")
    (folder / "megaface_noises.txt").write_text("#\n0/u0/0.jpg\nsomeone\t1/u1/1.jpg\n")
    (folder / "facescrub_lst").write_text(
        "".join(f"facescrub_images/{one}/{one}_{row}.png\n" for one in list(people)[:3] for row in range(3))
    )
    (folder / "megaface_lst").write_text("".join(f"a/megaface_images/{n % 3}/u{n % 10}/{n}.jpg\n" for n in range(50)))
    probes = read_probes(
        folder / "facescrub_images", chosen=folder / "facescrub_lst", noises=folder / "facescrub_noises.txt"
    )
    assert (len(probes.names), probes.removed, set(probes.people), probes.notes) == (
        7, 2, {"Actor_A", "Actor_B", "Actor_C"}, (),
    )  # fmt: skip
    distractors = read_distractors(
        folder / "megaface_images", chosen=folder / "megaface_lst", noises=folder / "megaface_noises.txt"
    )
    assert (distractors.count, distractors.removed) == (48, 2)
    result = evaluate_megaface(pattern_pipeline(), probes, distractors, aligned=True, resamples=5)
    kept = {"Actor_A": people["Actor_A"][1:], "Actor_B": people["Actor_B"][::2], "Actor_C": people["Actor_C"]}
    assert result.figure("rank.1.of.48").value == pytest.approx(slow_rank(kept, others[2:50]))
    (folder / "megaface_lst").write_text("x/y/z.jpg\n")
    with pytest.raises(InputError, match="1 of the 1 pictures"):
        read_distractors(folder / "megaface_images", chosen=folder / "megaface_lst")


def test_a_failed_probe_fails_its_searches(copy):
    folder, people, others = copy
    path = folder / "facescrub_images/Actor_A/Actor_A_0.png"
    path.write_bytes(path.read_bytes()[:50])
    result = evaluate_megaface(
        pattern_pipeline(),
        read_probes(folder / "facescrub_images"),
        read_distractors(folder / "megaface_images"),
        aligned=True,
        resamples=5,
    )
    rest = {**people, "Actor_A": people["Actor_A"][1:]}
    searches = sum(len(own) * (len(own) - 1) for own in rest.values())
    assert result.figure("rank.1.of.130").value == pytest.approx(slow_rank(rest, others) * searches / 36)
    assert result.numbers["failed_probes"] == 1


def test_lists_and_folders_that_do_not_fit(tmp_path):
    (tmp_path / "list").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="UTF-8"):
        read_names(tmp_path / "list", parts=1)
    (tmp_path / "list").write_text("a/b\nc\n")
    with pytest.raises(InputError, match="line 2"):
        read_names(tmp_path / "list", parts=2)
    with pytest.raises(UnreadableError):
        read_names(tmp_path / "none", parts=1)
    for folder in ("one/p", "none"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "one/p/1.png").write_bytes(b"x")
    with pytest.raises(InputError, match="two pictures"):
        read_probes(tmp_path / "one")
    with pytest.raises(InputError, match="no distractor"):
        read_distractors(tmp_path / "none")


@pytest.fixture(scope="module")
def lookalikes():
    """Ten people with four pictures, and 2,000 distractors of whom 60 look like the first person."""
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((10, 32))
    probes = np.repeat(directions, 4, axis=0) + 0.9 * rng.standard_normal((40, 32))
    others = rng.standard_normal((2000, 32))
    others[:60] = directions[0] + 0.8 * rng.standard_normal((60, 32))
    probes[3] = np.nan
    unit_ = [(side / np.linalg.norm(side, axis=1, keepdims=True)).astype(np.float32) for side in (probes, others)]
    return *unit_, [f"p{row // 4}" for row in range(40)]


def scored(probes, others, people, keep):
    found = DistractorScores(probes, sizes=[len(others)], subset=np.zeros(len(others), int), keep=keep)
    found.add(others)
    return found, Mates.of(probes, people)


def test_mates_are_all_pairs_within_people():
    rng = np.random.default_rng(0)
    people = [str(one) for one in rng.permutation(np.repeat(np.arange(40), rng.integers(2, 6, 40)))]
    vectors = rows(rng, len(people))
    mates = Mates.of(vectors, people)
    expected = {(i, j) for j in range(len(people)) for i in range(j) if people[i] == people[j]}
    assert set(zip(mates.one.tolist(), mates.two.tolist(), strict=True)) == expected and len(mates.one) == len(expected)
    assert np.allclose(mates.similarity, np.einsum("pd,pd->p", vectors[mates.one], vectors[mates.two]), atol=1e-6)
    assert all(people[row] == people[mates.two[place]] for place, row in enumerate(mates.one))


def test_intervals_are_the_bootstrap_of_all_pairs(lookalikes):
    """Every pair weighed in every resample: the distractors are people who are drawn once each."""
    probes, others, people = lookalikes
    found, mates = scored(*lookalikes, keep=10**6)
    figures, notes = tar_figures(found, mates, seed=0, resamples=60)
    nonmated = probes @ others.T
    scores = np.concatenate([mates.similarity, nonmated.ravel()])
    same = np.arange(len(scores)) < len(mates.similarity)
    codes = np.array([int(one[1:]) for one in people])
    who = np.concatenate([codes[mates.one], np.repeat(codes, len(others))])
    for figure, far in zip(figures, FARS.values(), strict=True):
        slow = person_bootstrap(
            who, who, tar_at_far_statistic(scores, same, far), resamples=60, rng=np.random.default_rng(0)
        )
        assert (figure.interval.low, figure.interval.high) == pytest.approx((slow.low, slow.high), abs=1e-12)
        assert figure.interval.skipped == 0
    assert notes == ()
    best = found.maxima[:, 0]
    hit = np.concatenate([mates.similarity > best[mates.one], mates.similarity > best[mates.two]])
    both = np.concatenate([codes[mates.one]] * 2)
    slow = person_bootstrap(
        both, both, lambda weights: weights[hit].sum() / weights.sum(), resamples=60, rng=np.random.default_rng(0)
    )
    [rank] = rank_figures(found, mates, [len(others)], seed=0, resamples=60)
    assert (rank.interval.low, rank.interval.high) == pytest.approx((slow.low, slow.high))


def test_no_interval_is_given_where_resamples_need_more_than_was_kept(lookalikes):
    found, mates = scored(*lookalikes, keep=20)
    figures, notes = tar_figures(found, mates, seed=0, resamples=200)
    assert figures[-1].interval is None and any("tar_at_far.1e-4 has no interval" in note for note in notes)
    whole, _ = tar_figures(scored(*lookalikes, keep=10**6)[0], mates, seed=0, resamples=200)
    assert figures[-1].value == whole[-1].value and whole[-1].interval is not None


def test_a_picture_that_a_list_names_again_is_no_mate_of_itself(copy):
    folder, people, _ = copy
    (folder / "facescrub_lst").write_text("".join(f"{one}/{one}_{row}.png\n" for one in people for row in (0, 1, 0, 0)))
    (folder / "megaface_lst").write_text("0/u0/0.jpg\n1/u1/1.jpg\n0/u0/0.jpg\n")
    probes = read_probes(folder / "facescrub_images", chosen=folder / "facescrub_lst")
    assert (len(probes.names), probes.repeated) == (12, 12) and "12 lines" in probes.notes[0]
    distractors = read_distractors(folder / "megaface_images", chosen=folder / "megaface_lst")
    assert (distractors.count, distractors.repeated) == (2, 1) and "1 lines" in distractors.notes[0]
    (folder / "facescrub_lst").write_text("".join(f"{one}/{one}_0.png\n" * 3 for one in people))
    with pytest.raises(InputError, match="nobody with two pictures"):
        read_probes(folder / "facescrub_images", chosen=folder / "facescrub_lst")


def test_a_list_that_may_mean_two_pictures_is_refused(copy):
    folder, _, _ = copy
    second = folder / "facescrub_images/more/Actor_A"
    second.mkdir(parents=True)
    (second / "Actor_A_0.png").write_bytes(b"")
    (folder / "facescrub_lst").write_text("Actor_A/Actor_A_0.png\nActor_A/Actor_A_1.png\n")
    with pytest.raises(InputError, match="does not say which"):
        read_probes(folder / "facescrub_images", chosen=folder / "facescrub_lst")


def test_noises_that_take_out_nothing_are_told(copy):
    folder, _, _ = copy
    (folder / "n").write_text("0/u0/0.jpg\n")
    found = read_distractors(folder / "megaface_images/0", noises=folder / "n")  # one folder too deep
    assert found.removed == 0 and "None of the 1 pictures" in found.notes[0]
    probes = read_probes(folder / "facescrub_images", noises=folder / "n")
    result = evaluate_megaface(pattern_pipeline(), probes, found, aligned=True, resamples=2)
    assert sum("nothing was removed" in note for note in result.notes) == 2


def test_a_picture_is_not_a_probe_and_a_distractor(copy):
    folder, _, _ = copy
    probes = read_probes(folder / "facescrub_images")
    for other in ("facescrub_images", ".", "facescrub_images/Actor_A"):
        with pytest.raises(UsageError, match="are probes and distractors"):
            evaluate_megaface(None, probes, read_distractors(folder / other))
    (folder / "list").write_text("Actor_A/Actor_A_0.png\nActor_A/Actor_A_1.png\n")
    (folder / "rest").write_text("facescrub_images/Actor_B/Actor_B_0.png\n")
    probes = read_probes(folder / "facescrub_images", chosen=folder / "list")
    distractors = read_distractors(folder, chosen=folder / "rest")
    assert evaluate_megaface(pattern_pipeline(), probes, distractors, aligned=True, resamples=2).numbers["people"] == 1


def test_the_roles_are_those_of_the_set_that_the_people_are_of(copy, tmp_path):
    folder, people, _ = copy
    names = [person for name, person in Ledger.load().entries if name == "lfw"][:6]
    for old, new in zip(people, names, strict=True):
        (folder / "facescrub_images" / old).rename(folder / "facescrub_images" / new)
    (folder / "facescrub_images").rename(folder / "mine")
    (folder / "megaface_images").rename(folder / "orl")
    given = (pattern_pipeline(), read_probes(folder / "mine"), read_distractors(folder / "orl"))
    found = evaluate_megaface(*given, aligned=True, resamples=2)
    expected = Counter(Ledger.load().roles("lfw", names))
    expected.update(Ledger.load().roles("orl", {f"u{number}" for number in range(10)}))
    assert found.data == "lfw+orl" and found.roles == expected
    none = evaluate_megaface(*given, aligned=True, resamples=2, set_name="none")
    assert none.roles["unlisted"] == 16 and none.data == "mine+orl"
    with pytest.raises(UsageError, match="set celeba_ids of the ledger knows 0"):
        evaluate_megaface(*given, aligned=True, set_name="celeba_ids")
