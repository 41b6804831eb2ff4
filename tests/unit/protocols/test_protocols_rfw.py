"""RFW on generated copies of both official forms."""

import json
import pickle

import numpy as np
import pytest

from patterns import pattern, pattern_pipeline, png, unit, varied
from visavis.errors import InputError, UsageError
from visavis.metrics import clopper_pearson, fmr, fnmr, fold_accuracy, threshold_at_fmr
from visavis.protocols.pairs import PairList
from visavis.protocols.rfw import GROUPS, evaluate_rfw, read_rfw
from visavis.protocols.rfw_figures import GroupScores, group_figures
from visavis.types import FMR

SPREAD = {"African": 70, "Asian": 62, "Caucasian": 45, "Indian": 55}


def people_of(group, seed=0):
    """Ten people with three pictures each; the harder groups vary more."""
    rng = np.random.default_rng(seed + GROUPS.index(group))
    return [[varied(one, rng, spread=SPREAD[group]) for _ in range(3)] for one in (pattern(rng) for _ in range(10))]


def pairs_of(people):
    """(person, picture, person, picture): two mated pairs, two others, for each person in turn."""
    found = []
    for one in range(len(people)):
        other = (one + 1) % len(people)
        found += [(one, 0, one, 1), (one, 1, one, 2), (one, 0, other, 1), (one, 2, other, 0)]
    return found


@pytest.fixture(params=["pictures", "test", "bin"])
def copy(request, tmp_path):
    for group in GROUPS:
        people = people_of(group)
        names = [f"m.{group[:2].lower()}{number:03}" for number in range(10)]
        pairs = pairs_of(people)
        if request.param == "bin":
            encoded = [png(people[person][row]) for a, i, b, j in pairs for person, row in ((a, i), (b, j))]
            (tmp_path / f"{group}_test.bin").write_bytes(pickle.dumps((encoded, [a == b for a, _, b, _ in pairs]), 2))
            continue
        top = tmp_path / "test" if request.param == "test" else tmp_path
        lines = [f"{names[a]}\t{i + 1}\t{j + 1}" if a == b else f"{names[a]}\t{i + 1}\t{names[b]}\t{j + 1}"
                 for a, i, b, j in pairs]  # fmt: skip
        (top / "txts" / group).mkdir(parents=True)
        (top / "txts" / group / f"{group}_pairs.txt").write_text("\n".join(lines) + "\n")
        for name, own in zip(names, people, strict=True):
            (top / "data" / group / name).mkdir(parents=True)
            for number, cells in enumerate(own, start=1):
                (top / "data" / group / name / f"{name}_{number:04}.jpg").write_bytes(png(cells))
    return tmp_path


def slow(group):
    people = people_of(group)
    pairs = pairs_of(people)
    scores = np.array([unit(people[a][i]) @ unit(people[b][j]) for a, i, b, j in pairs])
    return scores, np.array([a == b for a, _, b, _ in pairs])


def _ends(interval):
    return [interval.low, interval.high]


def test_figures_are_those_of_the_similarities(copy):
    at = FMR(0.05)
    result = evaluate_rfw(pattern_pipeline(), read_rfw(copy, aligned=True), at=at, resamples=20)
    scores = {group: slow(group) for group in GROUPS}
    threshold = threshold_at_fmr(np.concatenate([one[~same] for one, same in scores.values()]), 0.05)
    accuracies, misses, matches = [], [], []
    for group, (one, same) in scores.items():
        folds = np.repeat(np.arange(10), 4)
        accuracies.append(fold_accuracy(one, same, folds).mean)
        matches.append(fmr(one[~same], threshold))
        misses.append(fnmr(one[same], threshold))
        assert result.figure(f"{group}.accuracy").value == pytest.approx(accuracies[-1])
        assert result.figure(f"{group}.fmr.common").value == pytest.approx(matches[-1])
        assert result.figure(f"{group}.fnmr.common").value == pytest.approx(misses[-1])
        assert result.figure(f"{group}.fmr.common").threshold == pytest.approx(threshold, abs=1e-6)
    assert result.figure("spread.accuracy.mean").value == pytest.approx(np.mean(accuracies))
    assert result.figure("spread.accuracy.std").value == pytest.approx(np.std(accuracies, ddof=1))
    errors = [1 - one for one in accuracies]
    ratio = max(errors) / min(errors) if min(errors) else np.nan
    assert result.figure("spread.accuracy.skewed_error_ratio").value == pytest.approx(ratio, nan_ok=True)
    ratio = max(misses) / min(misses) if min(misses) else np.nan
    assert result.figure("spread.fnmr.ratio").value == pytest.approx(ratio, nan_ok=True)
    assert sum(round(20 * rate) for rate in matches) == 4  # 5 % of 80
    record = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert (record["groups"], record["pairs"], record["people"], record["images"]) == (4, 160, 40, 120)
    nameless = any("name no people" in note for note in record["notes"])
    assert record["roles"] == ({} if nameless else {"unlisted": 40})
    assert nameless == bool(list(copy.rglob("*.bin")))
    few = record["figures"]["African.fmr.common"]
    assert "African.fmr.common" in record["ungated"] and few["method"] == "Clopper-Pearson over pairs"
    assert few["interval"] == pytest.approx(_ends(clopper_pearson(few["counts"]["false matches"], 20)))
    assert all(figure["interval"] is not None for name, figure in record["figures"].items() if "accuracy.m" in name)


@pytest.mark.parametrize("copy", ["pictures"], indirect=True)
def test_a_picture_that_is_missing_fails_its_pairs(copy):
    min(copy.rglob("*_0001.jpg")).unlink()
    result = evaluate_rfw(pattern_pipeline(), read_rfw(copy, aligned=True), at=FMR(0.05), resamples=5)
    assert result.failed_images == {"unreadable.missing": 1} and result.numbers["failed_pairs"] == 3


@pytest.mark.parametrize("copy", ["bin"], indirect=True)
def test_groups_of_two_forms_are_refused(copy):
    (copy / "txts/Asian").mkdir(parents=True)
    (copy / "txts/Asian/Asian_pairs.txt").write_text("a\t1\t2\nb\t1\tc\t1\n")
    (copy / "data/Asian").mkdir(parents=True)
    with pytest.raises(UsageError, match="of one form"):
        evaluate_rfw(pattern_pipeline(), read_rfw(copy))


def test_fewer_than_two_groups_are_refused(tmp_path):
    with pytest.raises(InputError, match="0 of the groups"):
        read_rfw(tmp_path)


def scored(name, *, wrong):
    """Forty people with a mated and a non-mated pair each, of which some are on the wrong side of 0.5."""
    rows = np.arange(80)
    same = rows % 2 == 0
    people = rows // 2
    scores = np.where(same, 0.8, 0.2) + rows / 1e4
    scores[: 2 * wrong] = 1 - scores[: 2 * wrong]
    persons = tuple(f"{name}{one}" for one in people)
    others = tuple(f"{name}{one if mate else (one + 1) % 40}" for one, mate in zip(people, same, strict=True))
    pairs = PairList(
        tuple(f"{one}/a{row}" for row, one in enumerate(persons)),
        tuple(f"{one}/b{row}" for row, one in enumerate(others)), same, rows // 8, persons, others,
    )  # fmt: skip
    return GroupScores(name, pairs, scores)


def test_spread_rests_on_the_group_that_counted_least():
    figures = group_figures(
        [scored("Asian", wrong=1), scored("Indian", wrong=12)], at=FMR(0.2), shipped=None, resamples=200
    )
    named = {figure.name: figure for figure in figures}
    ratio = named["spread.accuracy.skewed_error_ratio"]
    assert ratio.counts == named["Asian.accuracy"].counts and not ratio.enough
    assert min(named["Indian.accuracy"].counts.values()) >= 10
    # the only person of the group with an error is not drawn in (1 - 1/80)^80, 37 %, of the resamples
    assert 0.2 < ratio.interval.skipped / 200 < 0.5
    assert not ratio.enough and ratio.to_dict()["undefined_resamples"] == ratio.interval.skipped


@pytest.mark.parametrize("copy", ["pictures"], indirect=True)
def test_a_sorted_list_says_how_its_folds_came_about(copy):
    path = copy / "txts/Asian/Asian_pairs.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(sorted(lines, key=lambda line: line.count("\t"))) + "\n")
    result = evaluate_rfw(pattern_pipeline(), read_rfw(copy, aligned=True), at=FMR(0.05), resamples=5)
    told = [note for note in result.notes if note.startswith("Asian: ten consecutive folds would not")]
    dropped = result.numbers["dropped_pairs"]
    assert len(told) == 1 and f"drop {dropped} of 40 pairs" in told[0] and "identity-disjoint" in told[0]
    answers = sum(result.figure("Asian.accuracy").counts.values())
    assert 0 < dropped == 40 - answers


@pytest.mark.parametrize("copy", ["bin"], indirect=True)
def test_seeds_and_resamples_are_checked_before_a_picture_is_read(copy):
    for wrong in ({"seed": -1}, {"resamples": 0}, {"seed": 1.5}):
        with pytest.raises(UsageError, match="is a whole number from"):
            evaluate_rfw(None, read_rfw(copy, aligned=True), **wrong)
