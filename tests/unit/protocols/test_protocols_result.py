import json
import math
import re
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pytest

from visavis.errors import UsageError
from visavis.protocols.pairs import PairList
from visavis.protocols.report.card import report_html, write_report
from visavis.protocols.result import verification_result

normal = NormalDist()


def simulated(seed=0, people=80, mated=2, nonmated=4, gap=2.0, failed=0.03, folds=5):
    """Pairs of people in folds of their own; mated N(gap, 1), non-mated N(0, 1), some failed."""
    rng = np.random.default_rng(seed)
    block = people // folds
    one, two, fold = [], [], []
    for person in range(people):
        first = person // block * block
        others = [first + (person - first + step) % block for step in range(1, nonmated + 1)]
        for other in [*[person] * mated, *others]:
            one.append(person)
            two.append(other)
            fold.append(person // block + 1)
    one, two = np.array(one), np.array(two)
    same = one == two
    scores = rng.normal(np.where(same, gap, 0.0), 1)
    scores[rng.random(len(scores)) < failed] = np.nan
    names = [tuple(f"p{person}" for person in side) for side in (one, two)]
    images = [
        tuple(f"p{person}/{row}-{side}" for row, person in enumerate(column)) for side, column in enumerate((one, two))
    ]
    return scores, PairList(*images, same, np.array(fold), *names)


def result(scores, pairs, **changes):
    options = dict(
        shipped=(1.5, "fmr=1e-3 on somebody"), images=2 * len(pairs), failed_images={"no-face": 3}, seconds=2.0,
        roles={"test": 80}, ledger_sha256="ab" * 32, notes=("A note of the card.",), model="embedder/x",
        space="0123", made_by={"model": "embedder/x", "engine": "e", "engine_version": "1"}, resamples=60,
    )  # fmt: skip
    return verification_result(scores, pairs, **{**options, **changes})


@pytest.fixture(scope="module")
def case():
    scores, pairs = simulated()
    return scores, pairs, result(scores, pairs)


def accepted(scores, threshold):
    return [score >= threshold for score in scores]


def best_threshold(scores, same):
    """The middle of the best interval between distinct scores; of equal ones the middle one, the lower of two."""
    values = sorted({score for score in scores if not math.isnan(score)}, reverse=True)
    cuts = [math.inf, *[(a + b) / 2 for a, b in pairwise(values)], -math.inf]
    right = [sum(a == b for a, b in zip(accepted(scores, cut), same, strict=True)) for cut in cuts]
    best = [cut for cut, hits in zip(cuts, right, strict=True) if hits == max(right)]
    return best[len(best) // 2]


def test_accuracy_equals_slow_cross_validation(case):
    scores, pairs, found = case
    accuracy, without = [], []
    for fold in range(1, 6):
        inside = pairs.fold == fold
        threshold = best_threshold(scores[~inside].tolist(), pairs.same[~inside].tolist())
        right = (scores[inside] >= threshold) == pairs.same[inside]
        accuracy.append(right.mean())
        without.append(right[~np.isnan(scores[inside])].mean())
        assert found.folds["thresholds"][fold - 1] == pytest.approx(threshold)
    assert found.folds["accuracy"].tolist() == pytest.approx(accuracy)
    assert (found.accuracy, found.accuracy_std) == pytest.approx((np.mean(accuracy), np.std(accuracy, ddof=1)))
    assert (
        found.accuracy_without_failures == pytest.approx(np.mean(without))
        and found.accuracy_without_failures > found.accuracy
    )
    assert found.folds["labels"].tolist() == [1, 2, 3, 4, 5] and found.folds["pairs"].tolist() == [96] * 5


def test_true_accept_rates_equal_slow_ones(case):
    scores, pairs, found = case
    mated, nonmated = scores[pairs.same], scores[~pairs.same]
    for name, far in (("1e-2", 1e-2), ("1e-3", 1e-3)):
        allowed = [t for t in (*nonmated[~np.isnan(nonmated)], math.inf) if np.mean(nonmated > t) <= far]
        below = min(allowed)  # accepting what lies above it meets the target; accepting it too does not
        assert found.tar_at_far[name] == pytest.approx(np.mean(mated > below))
        assert below < found.oracle_thresholds[name] < np.nextafter(below, math.inf) * (1 + 1e-6)
        assert found.counts[f"tar_at_far.{name}"] == {
            "false matches": int((nonmated > below).sum()), "false non-matches": int((~(mated > below)).sum()),
        }  # fmt: skip
    assert found.tar_at_far_label == "oracle threshold"


def test_area_error_rate_and_decidability_equal_slow_ones(case):
    scores, pairs, found = case
    mated, nonmated = scores[pairs.same], scores[~pairs.same]
    low = [np.where(np.isnan(side), -np.inf, side) for side in (mated, nonmated)]
    wins = (low[0][:, None] > low[1]).mean() + (low[0][:, None] == low[1]).mean() / 2
    assert found.auc == pytest.approx(wins)
    steps = np.sort(np.unique(scores[~np.isnan(scores)]))
    fmr = np.array([np.mean(nonmated >= t) for t in steps])
    fnmr = np.array([np.mean(~(mated >= t)) for t in steps])
    crossing = np.flatnonzero(fmr >= fnmr)[-1]
    assert fmr[crossing] >= found.eer >= fmr[crossing + 1] and fnmr[crossing] <= found.eer <= fnmr[crossing + 1]
    left, right = mated[~np.isnan(mated)], nonmated[~np.isnan(nonmated)]
    assert found.dprime == pytest.approx((left.mean() - right.mean()) / math.sqrt((left.var() + right.var()) / 2))


def test_rates_at_the_shipped_threshold_count_failures_as_rejections(case):
    scores, pairs, found = case
    shipped = found.shipped
    false = sum(accepted(scores[~pairs.same], 1.5))
    missed = sum(not one for one in accepted(scores[pairs.same], 1.5))
    assert (shipped["fmr_events"], shipped["fmr_trials"], shipped["fmr"]) == (false, 320, false / 320)
    assert (shipped["fnmr_events"], shipped["fnmr_trials"], shipped["fnmr"]) == (missed, 160, missed / 160)
    assert missed > sum(scores[pairs.same] < 1.5)  # the failed pairs are among them
    assert (shipped["threshold"], shipped["label"]) == (1.5, "fmr=1e-3 on somebody")
    for rate in ("fmr", "fnmr"):
        assert shipped[f"{rate}_interval"][0] < shipped[rate] < shipped[f"{rate}_interval"][1]
        assert shipped[f"{rate}_method"] == "resampled people"


def test_counts_of_the_run(case):
    scores, pairs, found = case
    assert (found.pairs, found.mated, found.nonmated, found.people, found.images) == (480, 160, 320, 80, 960)
    assert found.failed == np.isnan(scores).sum() > 0 and found.images_per_second == 480
    assert (found.fta["rate"], found.fta["events"], found.fta["trials"]) == (3 / 960, 3, 960)
    assert sum(found.counts["accuracy"].values()) == 480
    assert found.counts["accuracy"]["wrong answers"] == 480 - round(found.accuracy * 480)
    assert "fta" in found.ungated and "tar_at_far.1e-3" in found.ungated and "accuracy" not in found.ungated
    assert result(scores, pairs, seconds=None).images_per_second is None


def test_few_events_get_exact_intervals(case):
    scores, pairs, _ = case
    shipped = result(scores, pairs, shipped=(2.9, "strict"), resamples=2).shipped
    assert shipped["fmr_events"] < 10 and shipped["fmr_method"] == "Clopper-Pearson over pairs"
    low, high = shipped["fmr_interval"]
    assert low <= shipped["fmr"] <= high < 0.05


def test_one_seed_one_result(case):
    scores, pairs, found = case
    assert result(scores, pairs).to_dict() == found.to_dict()
    other = result(scores, pairs, seed=1)
    assert other.accuracy == found.accuracy and other.accuracy_interval != found.accuracy_interval


def test_intervals_contain_the_truth_in_a_simulation():
    """True values of normal scores without failures; 95 % intervals of 30 data sets."""
    truth = {
        "auc": normal.cdf(2 / math.sqrt(2)),
        "eer": normal.cdf(-1),
        "fmr": 1 - normal.cdf(1.5),
        "fnmr": normal.cdf(1.5 - 2),
        "1e-2": 1 - normal.cdf(normal.inv_cdf(0.99) - 2),
    }
    held = dict.fromkeys(truth, 0)
    for seed in range(30):
        found = result(*simulated(seed, people=60, mated=4, failed=0), resamples=80, failed_images={})
        intervals = {
            "auc": found.auc_interval, "eer": found.eer_interval, "fmr": found.shipped["fmr_interval"],
            "fnmr": found.shipped["fnmr_interval"], "1e-2": found.tar_at_far_intervals["1e-2"],
        }  # fmt: skip
        for name, (low, high) in intervals.items():
            held[name] += low <= truth[name] <= high
    assert min(held.values()) >= 24, held


def strict(found):
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert json.loads(text) == found.to_dict()
    return json.loads(text)


def test_the_dictionary_is_strict_json(case):
    record = strict(case[2])
    assert record["kind"] == "verification" and record["accuracy"] == case[2].accuracy
    assert set(record["tar_at_far"]) == {"1e-2", "1e-3"}
    assert record["curves"]["roc"]["thresholds"][0] is None  # infinite
    assert len(record["curves"]["roc"]["fmr"]) <= 200
    assert sum(record["curves"]["histogram"]["mated"]) == 160 - np.isnan(case[0][case[1].same]).sum()


def test_undefined_figures_are_null_and_not_numbers(case):
    _, pairs, _ = case
    record = strict(result(np.where(pairs.same, np.nan, 0.0), pairs, resamples=5))
    assert record["dprime"] is None and record["tar_at_far"] == {"1e-2": 0.0, "1e-3": 0.0}
    assert record["accuracy"] == pytest.approx(320 / 480) and record["failed"] == 160


@pytest.mark.parametrize("good", [0, 60])
def test_a_run_with_more_failures_than_answers_is_a_result_too(case, good):
    scores, pairs, _ = case
    record = strict(result(np.where(np.arange(480) < good, scores, np.nan), pairs, resamples=5))
    assert record["eer"] is None and "eer" in record["ungated"]  # failures keep the two rates apart
    assert record["failed"] >= 480 - good and record["shipped"]["fnmr"] > 0.8
    assert good or record["accuracy_without_failures"] is None
    pytest.importorskip("matplotlib")
    page = report_html(record)
    assert page.count("<svg") == 3 and "undefined" in page


def test_what_is_no_json_is_named(case):
    scores, pairs, _ = case
    with pytest.raises(UsageError, match="object"):
        result(scores, pairs, made_by={"engine": object()}, resamples=1).to_dict()


def test_notes_say_what_belongs_beside_the_figures(case):
    scores, pairs, found = case
    assert found.notes == ("A note of the card.",)

    def notes(**changes):
        given = {"notes": (), "resamples": 1, **changes}
        return " ".join(result(given.pop("scores", scores), given.pop("pairs", pairs), **given).notes)

    assert notes() == ""
    assert "12 of the people are not in the ledger" in notes(roles={"test": 68, "unlisted": 12})
    assert "5 of the people are set aside" in notes(roles={"test": 70, "train": 3, "develop": 2})
    assert "7 of the people are set aside" in notes(roles={"calibrate": 7})
    assert notes(roles={"calibrate": 7}, shipped=None) == ""  # no threshold was fitted on them
    mixed = PairList(pairs.image1, pairs.image2, pairs.same, np.arange(len(pairs)) % 4, pairs.person1, pairs.person2)
    assert "80 people are in more than one" in notes(pairs=mixed)
    some = PairList(
        pairs.image1,
        pairs.image2,
        pairs.same,
        np.where(np.arange(480) < 24, -1, pairs.fold),
        pairs.person1,
        pairs.person2,
    )
    words = notes(pairs=some)
    assert "leaves out 24 of 480 pairs" in words and "152 mated and 304 non-mated" in words
    assert "does not name its people" in notes(pairs=PairList(pairs.image1, pairs.image2, pairs.same, pairs.fold))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s[:-1], r"\(480\)"),
        (lambda s: s[:, None], "shape"),
        (lambda s: np.where(s > 3, np.inf, s), "infinite"),
        (lambda s: s.astype(str), "numbers"),
    ],
)
def test_similarities_that_do_not_fit_are_refused(case, change, words):
    with pytest.raises(UsageError, match=words):
        result(change(case[0]), case[1])


def test_more_failures_than_pictures_are_refused(case):
    with pytest.raises(UsageError, match="events"):
        result(case[0], case[1], images=2)


# the report


@pytest.fixture(scope="module")
def page(case):
    pytest.importorskip("matplotlib")
    return report_html(json.loads(json.dumps(case[2].to_dict())))


def test_the_page_fetches_nothing_and_runs_nothing(page):
    assert page.startswith("<!DOCTYPE html>") and page.rstrip().endswith("</html>")
    assert not re.search(
        r"https?:|//|<script|<link|<iframe|<img|@import|url\(|\bon\w+=", page.replace("url(#", ""), re.I
    )
    assert set(re.findall(r'(?:href|src)="([^"]*)"', page)) <= set(re.findall(r'href="(#[^"]+)"', page))


def test_it_holds_three_inline_plots_with_names_of_their_own(page):
    assert len(re.findall(r"<svg\b", page)) == page.count("</svg>") == 3
    assert len(re.findall(r'<svg role="img" aria-label="[^"]+"', page)) == 3
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', page)) <= {(i, "") for i in ids} | {("", i) for i in ids}


def test_it_shows_the_figures_with_counts_and_intervals(case, page):
    found = case[2]
    for rate in (found.accuracy, found.eer, found.shipped["fmr"], found.shipped["fnmr"], found.tar_at_far["1e-2"]):
        assert f"{100 * rate:.2f} %" in page
    for words in (
        "oracle threshold",
        "fmr=1e-3 on somebody",
        "A note of the card.",
        "no-face",
        "ab" * 32,
        "embedder/x",
    ):
        assert words.lower() in page.lower(), words
    assert "few events" in page and "480 pairs" in page and f"{found.failed} pairs" in page


HOSTILE = "<script>alert(1)</script>\"'&<b>"


def test_hostile_names_are_escaped_wherever_they_stand(case):
    pytest.importorskip("matplotlib")
    record = result(
        *case[:2], model=HOSTILE, space=HOSTILE, made_by={HOSTILE: HOSTILE}, notes=(HOSTILE,), ledger_sha256=HOSTILE,
        shipped=(1.5, HOSTILE), failed_images={HOSTILE: 1}, roles={HOSTILE: 3}, resamples=2,
    ).to_dict()  # fmt: skip
    record["folds"]["source"] = record["tar_at_far_label"] = HOSTILE
    page = report_html(record)
    assert "<script" not in page.lower() and "<b>&lt;" not in page and "&lt;script&gt;" in page
    assert page.lower().count("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;&lt;b&gt;") >= 9


@pytest.mark.parametrize("change", [{"shipped": None}, {"seconds": None}, {"failed_images": {}}, {"notes": ()}])
def test_what_is_missing_leaves_a_page_that_says_so(case, change):
    pytest.importorskip("matplotlib")
    page = report_html(result(*case[:2], resamples=2, **change).to_dict())
    assert page.count("<svg") == 3 and "None" not in page and "nan" not in page.lower().replace("nanum", "")


def test_writing_makes_one_file_whole_or_none(case, page, tmp_path):
    path = tmp_path / "card.html"
    assert write_report(path, case[2].to_dict()) == path
    assert path.read_text(encoding="utf-8") == page and list(tmp_path.iterdir()) == [path]
    with pytest.raises(UsageError, match="cannot be written"):
        write_report(tmp_path / "missing" / "card.html", case[2].to_dict())
    with pytest.raises(UsageError, match="kind 'other'"):
        write_report(path, {"kind": "other"})
    assert path.read_text(encoding="utf-8") == page and list(tmp_path.iterdir()) == [path]
