"""visavis assess and visavis evaluate quality, as a user meets them."""

import csv

import numpy as np
import pyarrow.parquet
import pytest
from PIL import Image, ImageFilter

from commands import call
from portraits import save_two_people
from visavis.quality.assessor import SCORERS

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
    assert any("the least that counts" in reason for reason in blurred["unfit"]) and nobody["quality"] is None
    assert ran.json["limits"]["size"] == 18 and ran.json["faces"] == 2


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


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--report", "r.pdf"), ".html, .png, .svg"),
        (("--measure", "beauty"), "no quality measure beauty"),
        (("--at", "fmr=2"), "between 0 and 1"),
    ],
)
def test_wrong_calls_are_refused_before_any_work(capfd, people, words, told):
    assert told in call(capfd, "evaluate", "quality", people / "pairs.csv", "--images", people, *words).refused(2)
