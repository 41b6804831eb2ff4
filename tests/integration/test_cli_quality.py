"""visavis assess and visavis evaluate quality, as a user meets them."""

import csv

import numpy as np
import pyarrow.parquet
import pytest
from PIL import Image, ImageFilter

from commands import call
from portraits import save_two_people
from visavis.quality.assessor import SCORERS
from visavis.quality.standard.components import COMPONENTS

pytestmark = pytest.mark.usefixtures("one_pipeline")


@pytest.fixture(scope="module")
def people(tmp_path_factory, astronaut, officer):
    """Two people with three pictures each, one much blurred and one of nobody, and a list of pairs."""
    folder = tmp_path_factory.mktemp("people")
    for place, picture in save_two_people(folder, astronaut, officer):
        picture.filter(ImageFilter.GaussianBlur(6)).save(place / "2.png")
    Image.new("RGB", (300, 200), (90, 120, 150)).save(folder / "b/3.png")
    rows = ["image1,image2,same"]
    rows += [f"{p}/{i}.png,{p}/{j}.png,1" for p, n in (("a", 3), ("b", 4)) for i in range(n) for j in range(i)]
    rows += [f"a/{i}.png,b/{i}.png,0" for i in range(3)]
    (folder / "pairs.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_every_face_has_its_scores_and_reasons(capfd, people):
    ran = call(capfd, "assess", people / "a/0.png", people / "a/2.png", people / "b/3.png", "--json")
    assert (ran.code, ran.err) == (0, "")
    sharp, blurred, nobody = ran.json["rows"]
    assert list(sharp["measures"])[: len(SCORERS)] == list(SCORERS) and (sharp["status"], sharp["unfit"]) == ("ok", [])
    assert blurred["quality"] < sharp["quality"] and "the face is blurred or enlarged" in blurred["reasons"]
    assert (blurred["status"], nobody["status"], nobody["failure"]) == ("unfit", "failed", "no-face")
    assert any("is needed" in reason for reason in blurred["unfit"]) and nobody["quality"] is None
    assert ran.json["quality_policy"]["limits"]["size"] == 18 and ran.json["faces"] == 2


def test_tables_have_a_row_a_face(capfd, people, tmp_path):
    for name in ("q.csv", "q.parquet"):
        ran = call(capfd, "assess", people / "a", people / "b/3.png", "--out", tmp_path / name)
        assert (ran.code, ran.out) == (0, "")
    rows = list(csv.DictReader((tmp_path / "q.csv").open()))
    table = pyarrow.parquet.read_table(tmp_path / "q.parquet").to_pydict()
    assert [row["status"] for row in rows] == table["status"] == ["ok", "ok", "unfit", "failed"]
    assert {f"{name}_{part}" for name in SCORERS for part in ("raw", "score")} < set(table)
    np.testing.assert_allclose([float(row["quality"] or "nan") for row in rows[:3]], table["quality"][:3], rtol=1e-5)
    assert rows[3]["quality"] == "" and table["quality"][3] is None


def test_people_read_scores_and_what_is_wrong(capfd, people):
    ran = call(capfd, "assess", people / "a/2.png", people / "b/3.png")
    assert ran.code == 0 and "blurred or enlarged" in ran.out and "no-face" in ran.out
    assert [line for line in ran.out.splitlines() if line.startswith("unfit")]


def test_the_components_of_the_standard_are_listed_with_their_clauses(capfd, people, tmp_path):
    ran = call(capfd, "assess", people / "a/0.png", people / "a/2.png", people / "b/3.png", "--standard", "--json")
    assert (ran.code, ran.err) == (0, "")
    sharp, blurred, nobody = (row["standard"] for row in ran.json["rows"])
    assert list(sharp) == list(COMPONENTS) and sharp["dynamic_range"]["clause"] == "7.3.7"
    assert blurred["sharpness"]["score"] < sharp["sharpness"]["score"] and nobody["sharpness"]["raw"] is None
    assert all(0 <= one["score"] <= 100 for one in sharp.values())
    assert ran.json["standard"]["missing"]["expression_neutrality"]["clause"] == "7.4.12"
    assert "ellipse" in ran.json["standard"]["deviations"]["luminance_mean"]
    ran = call(capfd, "assess", people / "a/0.png", people / "b/3.png", "--standard")
    assert "7.4.8" in ran.out and "not measured  background_uniformity (7.3.2)" in ran.out.replace("\n", " ")
    ran = call(capfd, "assess", people / "a/0.png", people / "b/3.png", "--standard", "--out", tmp_path / "q.csv")
    good, bad = csv.DictReader((tmp_path / "q.csv").open())
    assert float(good["iso_head_size_raw"]) > 0 and bad["iso_head_size_raw"] == ""


def test_discarding_below_a_score_has_a_stated_effect(capfd, people, tmp_path):
    pictures = (people / "a/0.png", people / "a/2.png", people / "b/3.png")
    ran = call(capfd, "assess", *pictures, "--discard-below", "63", "--json")
    assert [row["discard"] for row in ran.json["rows"]] == [False, True, True], "a failed face is discarded too"
    told = ran.json["discard"]
    assert told["below"] == 63 and told["stored"]["below"] == told["mixed"]["below"] == 60 and told["at"] == 1e-3
    assert told["mixed"]["pairs"] > told["stored"]["pairs"] and "role calibrate" in told["population"]
    ran = call(capfd, "assess", *pictures, "--discard-below", "63")
    assert "discard  " in ran.out and "64 people of role calibrate" in ran.out and "of 1,000 mated pairs" in ran.out
    ran = call(capfd, "assess", *pictures, "--discard-below", "63", "--flip")
    assert "no effect was measured" in ran.out
    call(capfd, "assess", *pictures, "--discard-below", "63", "--out", tmp_path / "d.csv")
    assert [row["discard"] for row in csv.DictReader((tmp_path / "d.csv").open())] == ["False", "True", "True"]
    assert "0..100" in call(capfd, "assess", *pictures, "--discard-below", "120").refused(2)


def test_a_map_shows_every_face_in_a_row(capfd, people, tmp_path):
    ran = call(capfd, "assess", people / "a/0.png", people / "a/2.png", "--map", tmp_path / "m.png", "--json")
    assert ran.code == 0 and len(ran.json["rows"]) == 2
    sheet = np.asarray(Image.open(tmp_path / "m.png")).astype(int)
    redness = (sheet[..., 0] - sheet[..., 1]).clip(0)
    half = len(sheet) // 2
    assert redness[half:, 400:].mean() > 1.5 * redness[:half, 400:].mean(), "the blurred face is redder"
    assert "m.txt" in call(capfd, "assess", people / "a/0.png", "--map", tmp_path / "m.txt").refused(2)


def test_pictures_of_which_none_can_be_read_are_refused(capfd, people):
    assert "pairs.csv" in call(capfd, "assess", people / "pairs.csv").refused(3)


def test_the_curves_are_measured_and_written(capfd, people, tmp_path):
    words = ("evaluate", "quality", people / "pairs.csv", people / "pairs.csv", "--images", people, "--resamples", "20")
    ran = call(capfd, *words, "--measure", "norm", "--measure", "pose", "--report", tmp_path / "r.html", "--json")
    assert ran.code == 0 and list(ran.json["measures"]) == ["quality", "pose", "norm"]
    assert ran.json["lists"] == [12, 12] and ran.json["images"] == 7 and ran.json["failed"] == 6
    assert "<svg" in (tmp_path / "r.html").read_text()
    ran = call(capfd, *words, "--at", "fmr=0.3")
    assert ran.code == 0 and "against random" in ran.out and "fixed at fmr=0.3" in ran.out
    for name in SCORERS:
        assert name in ran.out


def test_qualities_of_ones_own_and_degraded_pictures(capfd, people, tmp_path):
    (tmp_path / "mine.csv").write_text("image,mine\n" + "".join(f"a/{n}.png,{n}\n" for n in range(3)))
    words = ("evaluate", "quality", people / "pairs.csv", "--images", people, "--resamples", "5", "--measure", "norm")
    own = ("--quality", tmp_path / "mine.csv", "--degrade", "jpeg", "--degrade-share", "1", "--limit", "0.4")
    ran = call(capfd, *words, *own, "--report", tmp_path / "r.svg", "--json")
    assert ran.code == 0 and list(ran.json["measures"]) == ["quality", "norm", "mine"] and ran.json["limit"] == 0.4
    assert ran.json["degraded"] == {"operators": "jpeg", "share": 1.0, "seed": 0}
    assert {(one["first"], one["second"]) for one in ran.json["differences"]} == {
        ("quality", "norm"), ("quality", "mine"), ("norm", "mine"),
    }  # fmt: skip
    assert "oracle" in (tmp_path / "r.svg").read_text()
    ran = call(capfd, *words, *own)
    assert "oracle" in ran.out and "mean to 40 %" in ran.out and "degraded whole" in ran.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--degrade", "rain"), "no degradation 'rain'"),
        (("--degrade", "jpeg", "--degrade-share", "2"), "at most at 1"),
        (("--limit", "0"), "above 0 and at most at 0.95"),
        (("--report", "r.pdf"), ".html, .png, .svg"),
        (("--measure", "beauty"), "no quality measure beauty"),
        (("--at", "fmr=2"), "between 0 and 1"),
    ],
)
def test_wrong_calls_are_refused_before_any_work(capfd, people, words, told):
    assert told in call(capfd, "evaluate", "quality", people / "pairs.csv", "--images", people, *words).refused(2)
