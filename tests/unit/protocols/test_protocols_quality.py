"""The error-versus-discard protocol on qualities whose worth is known, and its plot, page and command."""

import json

import numpy as np
import pytest

from visavis.data.degradation.degrade import Degrading
from visavis.errors import InputError, UsageError
from visavis.io import FolderStore, read, write
from visavis.metrics import Discarding, discard_curve, edc_recomputed, pair_quality, person_bootstrap
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.pairs import PairList
from visavis.protocols.people import pair_people
from visavis.protocols.quality import assess_pairs, evaluate_quality, joined
from visavis.protocols.quality_file import read_qualities
from visavis.protocols.quality_result import SHARES, quality_result
from visavis.protocols.report.discard_page import discard_html, discard_png, discard_svg, write_discard
from visavis.types import FMR


def pairs_of(people=60, pictures=4, seed=0):
    """All mated pairs of each person, and as many non-mated ones, with a usefulness of each picture."""
    rng = np.random.default_rng(seed)
    rows = [(f"{p}/{i}.jpg", f"{p}/{j}.jpg", 1) for p in range(people) for i in range(pictures) for j in range(i)]
    for _ in range(len(rows)):
        one, two = rng.choice(people, 2, replace=False)
        rows.append((f"{one}/{rng.integers(pictures)}.jpg", f"{two}/{rng.integers(pictures)}.jpg", 0))
    left, right, same = zip(*rows, strict=True)
    listed = PairList(
        left, right, np.array(same), None, *(tuple(n.split("/")[0] for n in side) for side in (left, right))
    )
    useful = rng.uniform(size=len(listed.images))
    useful[:2] = np.nan
    first, second = listed.positions()
    worth = np.minimum(useful[first], useful[second])
    similarities = np.where(listed.same, np.where(worth < 0.15, 0.1, 0.8), rng.uniform(0, 0.3, len(listed)))
    return listed, useful, np.where(np.isnan(worth), np.nan, similarities)


def result_of(listed, similarities, qualities, *, resamples=60, **changed):
    fixed = dict(
        people=pair_people(listed), at=FMR(1e-2), images=len(listed.images), failed_images={"no-face": 2},
        lists=[len(listed)], roles={"test": 60}, ledger_sha256="0" * 64, notes=["said beside"], model="toy", space="s",
        made_by={"engine": "none", "precision": "fp32"}, resamples=resamples,
    )  # fmt: skip
    return quality_result(similarities, listed, qualities, **{**fixed, **changed})


@pytest.fixture(scope="module")
def toy():
    listed, useful, similarities = pairs_of()
    noise = np.random.default_rng(5).uniform(size=len(useful))
    noise[np.isnan(useful)] = np.nan
    return listed, useful, similarities, noise


@pytest.fixture(scope="module")
def record(toy):
    listed, useful, similarities, noise = toy
    return result_of(listed, similarities, {"quality": useful, "noise": noise}).to_dict()


def test_the_figures_are_those_of_the_curve(toy, record):
    listed, useful, similarities, _ = toy
    first, second = listed.positions()
    curve = discard_curve(
        similarities, listed.same, pair_quality(useful[first], useful[second]), threshold=record["threshold"]
    )
    row = record["measures"]["quality"]
    assert row["fnmr"] == {f"{share:g}": curve.at(share) for share in SHARES}
    assert row["pauc"] == curve.area(0.2) and row["difference"] == pytest.approx(curve.area(0.2) - curve.at(0))
    mated = similarities[listed.same]
    assert row["errors"]["0"] == int((~(mated >= record["threshold"])).sum()) > 10
    assert row["ratio_at_20"] == pytest.approx(curve.at(0.2) / curve.at(0))


def test_a_quality_that_knows_is_clear_of_random_and_noise_is_not(record):
    knows, noise = record["measures"]["quality"], record["measures"]["noise"]
    assert knows["difference_interval"][1] < 0 and knows["ratio_at_20"] < 0.7
    assert (
        noise["behind_fused"] == pytest.approx(noise["pauc"] - knows["pauc"]) and noise["behind_fused_interval"][0] > 0
    )
    assert knows["behind_fused"] == 0
    alone = record["acquisition"]
    assert alone["difference"] < 0, "failed faces go first, whatever the measure"
    assert abs(noise["difference"] - alone["difference"]) < abs(knows["difference"]) / 4
    low, high = record["random"]["difference_interval"]
    assert low < 0 < high and abs(record["random"]["difference"]) < 0.01


def test_the_threshold_is_fixed_on_all_nonmated_pairs(toy, record):
    listed, _, similarities, _ = toy
    nonmated = similarities[~listed.same]
    assert (nonmated >= record["threshold"]).sum() == int(0.01 * len(nonmated))
    assert record["failed"] == int(np.isnan(similarities).sum()) and record["mated"] == int(listed.same.sum())


def test_the_result_is_strict_json_and_says_who(record):
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["kind"] == "quality-discard" and record["roles"] == {"test": 60} and not record["ungated"]
    assert "said beside" in record["notes"] and any("read off these very pairs" in note for note in record["notes"])


def test_people_that_quality_was_fitted_on_are_told(toy):
    listed, useful, similarities, _ = toy
    found = result_of(listed, similarities, {"quality": useful}, roles={"train": 60}, resamples=5)
    assert any("not a held-out result" in note for note in found.notes)


def test_few_errors_carry_no_claim(toy):
    listed, useful, _, _ = toy
    fine = np.where(listed.same, 0.9, 0.1)
    found = result_of(listed, fine, {"quality": useful}, resamples=5)
    assert found.ungated and found.to_dict()["measures"]["quality"]["ratio_at_20"] is None


def test_lists_are_joined_with_their_people():
    one, _, _ = pairs_of(people=3)
    other, _, _ = pairs_of(people=4, seed=1)
    both = joined([one, other])
    assert len(both) == len(one) + len(other) and both.person1 == one.person1 + other.person1 and both.fold is None
    unnamed = PairList(one.image1, one.image2, one.same)
    assert joined([one, unnamed]).person1 is None
    with pytest.raises(UsageError, match="at least one"):
        joined([])


def test_plot_and_page_show_every_measure_and_fetch_nothing(record, tmp_path):
    svg, page = discard_svg(record), discard_html(record)
    assert svg.startswith("<svg") and page.count("<svg") == 1 and "http" not in page.replace("http://www.w3.org", "")
    for words in ("fused", "noise", "failed faces alone", "random", "said beside"):
        assert words in page
    assert discard_png(record).startswith(b"\x89PNG")
    for name in ("a.svg", "a.html", "a.png"):
        assert write_discard(tmp_path / name, record).stat().st_size > 1000
    with pytest.raises(UsageError, match=r"\.html, \.png, \.svg"):
        write_discard(tmp_path / "a.pdf", record)
    with pytest.raises(UsageError, match="quality-discard"):
        discard_svg({"kind": "verification"})


@pytest.fixture
def folder(tmp_path, astronaut, officer):
    """Two people, three pictures each; of one person's, one shows a wall."""
    for name, path in (("a", astronaut), ("b", officer)):
        (tmp_path / name).mkdir()
        pixels = read(path).pixels
        for number, made in enumerate((pixels, pixels[::2, ::2], pixels[:, ::-1])):
            write(tmp_path / name / f"{number}.png", np.ascontiguousarray(made))
    write(tmp_path / "b/2.png", np.full((80, 80, 3), 90, np.uint8))
    return tmp_path


def listed_in(folder):
    left = ("a/0.png", "a/0.png", "b/0.png", "b/1.png", "a/0.png", "a/1.png")
    right = ("a/1.png", "a/2.png", "b/1.png", "b/2.png", "b/0.png", "b/1.png")
    return PairList(left, right, np.array([1, 1, 1, 1, 0, 0])), FolderStore(folder)


def test_pictures_are_assessed_once_and_failures_are_nan(folder):
    listed, store = listed_in(folder)
    found = assess_pairs(Pipeline(), listed, store)
    assert len(found.failures) == len(listed.images) == 6
    wall = listed.images.index("b/2.png")
    for values in found.qualities.values():
        assert np.isnan(values).tolist() == [row == wall for row in range(6)]
    assert np.isnan(found.similarities).tolist() == [False, False, False, True, False, False]


def test_the_whole_protocol_runs_and_refuses_what_it_cannot_do(folder):
    listed, store = listed_in(folder)
    pipeline = Pipeline()
    done = []
    found = evaluate_quality(
        pipeline, [listed], store, set_name=None, at=FMR(0.5), measures=["norm"], resamples=5,
        progress=lambda *now: done.append(now),
    )  # fmt: skip
    assert list(found.measures) == ["quality", "norm"] and found.roles == {"unlisted": 2} and done[-1] == (6, 6)
    for options, words in (
        ({"measures": ["beauty"]}, "no quality measure beauty"),
        ({"at": FMR(1e-2, worst_group=True)}, "no groups"),
    ):
        with pytest.raises(UsageError, match=words):
            evaluate_quality(pipeline, [listed], store, set_name=None, **options)
    only = PairList(listed.image1[:4], listed.image2[:4], listed.same[:4])
    with pytest.raises(UsageError, match="one kind only"):
        evaluate_quality(pipeline, [only], store, set_name=None)


def test_both_conventions_oracle_and_every_difference_stand_beside_one_another(toy, record):
    listed, useful, similarities, noise = toy
    first, second = listed.positions()
    for name, values in (("quality", useful), ("noise", noise)):
        anew = edc_recomputed(similarities, listed.same, pair_quality(values[first], values[second]), fmr=1e-2)
        row = record["measures"][name]
        assert row["recomputed_pauc"] == pytest.approx(anew.area(0.2))
        low, high = row["recomputed_pauc_interval"]
        assert low <= row["recomputed_pauc"] <= high
    oracle = record["oracle"]
    before = record["measures"]["quality"]["fnmr"]["0"]
    for share in SHARES:
        assert oracle["fnmr"][f"{share:g}"] == pytest.approx(max(0, before - share) / (1 - share), abs=0.01)
    assert oracle["pauc"] <= min(row["pauc"] for row in record["measures"].values())
    (pair,) = record["differences"]
    assert (pair["first"], pair["second"]) == ("quality", "noise")
    assert pair["difference"] == -record["measures"]["noise"]["behind_fused"]
    low, high = record["measures"]["noise"]["behind_fused_interval"]
    assert pair["interval"] == pytest.approx([-high, -low])


def test_the_intervals_are_those_of_one_bootstrap_a_figure(toy, record):
    listed, useful, similarities, _ = toy
    first, second = listed.positions()
    people = pair_people(listed)
    sorted_once = Discarding.of(
        similarities, listed.same, pair_quality(useful[first], useful[second]), threshold=record["threshold"]
    )
    for statistic, told in (
        (sorted_once.at_statistic(0.1), record["measures"]["quality"]["fnmr_interval"]["0.1"]),
        (sorted_once.area_statistic(0.2), record["measures"]["quality"]["pauc_interval"]),
    ):
        rng = np.random.default_rng(0)
        interval = person_bootstrap(people.person1, people.person2, statistic, resamples=60, rng=rng)
        assert told == pytest.approx([interval.low, interval.high])


def test_a_limit_names_the_area(toy):
    listed, useful, similarities, _ = toy
    found = result_of(listed, similarities, {"quality": useful}, resamples=5, limit=0.4)
    curve = found.curves["quality"]
    assert found.limit == 0.4 and len(curve["fnmr"]) > 10
    assert found.measures["quality"]["pauc"] < record_pauc(toy, 0.1)


def record_pauc(toy, limit):
    listed, useful, similarities, _ = toy
    return result_of(listed, similarities, {"quality": useful}, resamples=5, limit=limit).measures["quality"]["pauc"]


def test_qualities_from_a_file_and_degraded_pictures_join_the_run(folder):
    listed, store = listed_in(folder)
    (folder / "mine.csv").write_text("image,mine,half\na/0.png,3,1\nb/1.png,-2.5,\nelsewhere.png,x,y\n")
    given = read_qualities(folder / "mine.csv", listed.images)
    assert given == {"mine": {"a/0.png": 3.0, "b/1.png": -2.5}, "half": {"a/0.png": 1.0}}
    options = dict(set_name=None, at=FMR(0.5), measures=["norm"], resamples=3)
    found = evaluate_quality(Pipeline(), [listed], store, given=given, **options)
    assert list(found.measures) == ["quality", "norm", "mine", "half"] and found.degraded is None
    how = Degrading("gaussian-blur", share=1.0)
    worse = evaluate_quality(Pipeline(), [listed], store, degrade=how, **options)
    assert worse.degraded == {"operators": "gaussian-blur", "share": 1.0, "seed": 0}
    assert any("degraded whole" in note for note in worse.notes)
    plain, blurred = assess_pairs(Pipeline(), listed, store), assess_pairs(Pipeline(), listed, store, degrade=how)
    ok = plain.failures.ok & blurred.failures.ok
    assert (blurred.qualities["sharpness"][ok] < plain.qualities["sharpness"][ok]).all() and ok.sum() >= 4
    for wrong, words in (({"norm": {}}, "name of a measure"), ({"quality": {}}, "name of a measure")):
        with pytest.raises(UsageError, match=words):
            evaluate_quality(Pipeline(), [listed], store, given=wrong, **options)
    with pytest.raises(UsageError, match=r"above 0 and at most at 0\.95"):
        evaluate_quality(Pipeline(), [listed], store, limit=0, **options)


def test_a_picture_without_a_value_has_the_lowest_quality(folder):
    listed, store = listed_in(folder)
    found = evaluate_quality(
        Pipeline(), [listed], store, set_name=None, at=FMR(0.5), measures=["norm"], resamples=3,
        given={"mine": {"a/0.png": 1.0, "a/1.png": 1.0}},
    )  # fmt: skip
    assert found.curves["mine"]["discarded"] == [0, 0.25], "a failed pair, then both without a value"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("picture,mine\na.png,1\n", "line 1"),
        ("image\na.png\n", "line 1"),
        ("image,mine,mine\na.png,1,2\n", "line 1"),
        ("image,mine\na.png,many\n", "line 2: 'many' is not a number"),
        ("image,mine\na.png,nan\n", "not a number"),
        ("image,mine\na.png,1,2\n", "3 fields for 2 columns"),
        ("image,mine\nb.png,1\n", "none of the 1 pictures"),
        ("\n", "line 1"),
        (f"image,mine\n{'a' * 200_000},1\n", "q.csv is not valid CSV"),
    ],
)
def test_files_that_are_no_qualities_are_refused(tmp_path, text, words):
    (tmp_path / "q.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        read_qualities(tmp_path / "q.csv", ["a.png"])
