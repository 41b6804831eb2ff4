"""The evidence of verify, and calibrate, on the command line."""

import json

import pytest

from commands import call


@pytest.fixture
def two(astronaut, officer):
    return astronaut, officer


def test_the_answer_comes_with_its_evidence(two, capfd):
    answer = call(capfd, "verify", *two, "--json").json
    low, rate, high = answer["fmr"]["low"], answer["fmr"]["rate"], answer["fmr"]["high"]
    assert low < rate == 1e-3 < high and answer["fmr"]["population"] == answer["population"]
    assert answer["band"][0] < answer["threshold"] < answer["band"][1]
    assert answer["llr"] < 0 and answer["reasons"] == []
    [left] = answer["quality"]["left"]
    assert 0 <= left["quality"] <= 100 and left["measures"]["size"]["unit"] == "pixels"
    assert [group["population"].split(";")[0] for group in answer["groups"]][-1] == "children under 13"
    printed = call(capfd, "verify", *two).out
    assert all(word in printed for word in ("fmr ", "population ", "llr ", "quality", "child under 13", "worst-group"))


def test_the_worst_groups_threshold_is_higher(two, capfd):
    plain, worst = (
        call(capfd, "verify", *two, "--at", at, "--json").json for at in ("fmr=1e-3", "fmr=1e-3,worst-group")
    )
    assert worst["threshold"] > plain["threshold"] and worst["at"] == {"fmr": 1e-3, "worst_group": True}
    assert "UTKFace" in worst["fmr"]["population"] and worst["population"] == plain["population"]


def test_a_child_is_not_matched(astronaut, capfd):
    answer = call(capfd, "verify", astronaut, astronaut, "--children", "yes", "--json").json
    assert answer["answer"] == "inconclusive" and answer["llr"] is None
    assert answer["reasons"][0].startswith("the decision concerns a child under 13")


@pytest.mark.parametrize("name", ["why.html", "why.png", "why.json"])
def test_a_report_is_written_with_the_command_that_repeats_it(two, tmp_path, capfd, name):
    path = tmp_path / name
    ran = call(capfd, "verify", *two, "--report", path, "--children", "no", "--at", "fmr=1e-2")
    assert ran.code == 0 and path.stat().st_size > 1000
    if name.endswith(".json"):
        record = json.loads(path.read_text())
        assert record["reproduce"].endswith("--at fmr=1e-2 --children no --report report.html")


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        (["--report", "why.doc"], 2, ".html"),
        (["--report", "no/such/folder/why.html"], 2, "folder"),
        (["--children", "perhaps"], 2, "unknown, yes or no"),
        (["--calibration", "missing.json"], 2, "cannot read"),
        (["--at", "fmr=1e-5"], 4, "outside"),
        (["--at", "fmr=1e-9,worst-group"], 4, "groups"),
        (["--second", "embedder/nobody"], 4, "nobody"),
    ],
)
def test_what_cannot_be_is_said_before_any_work(two, capfd, options, code, word):
    ran = call(capfd, "verify", *two, *options)
    assert ran.code == code and word in ran.err and ran.out == ""


def test_calibrate_needs_people_enough_and_a_population(tmp_path, two, capfd):
    for path, person in zip(two, ("Eileen", "Grace"), strict=True):
        (tmp_path / "people" / person).mkdir(parents=True)
        (tmp_path / "people" / person / path.name).write_bytes(path.read_bytes())
    out = tmp_path / "c.json"
    ran = call(capfd, "calibrate", tmp_path / "people", "--out", out, "--population", "two women")
    assert ran.code == 2 and "at least 600 impostor pairs; got 1" in ran.err and not out.exists()
    assert call(capfd, "calibrate", tmp_path / "people", "--out", out, "--population", " ").code == 2
    assert call(capfd, "calibrate", tmp_path / "people", "--out", tmp_path / "c.txt", "--population", "x").code == 2
    (tmp_path / "empty").mkdir()
    assert call(capfd, "calibrate", tmp_path / "empty", "--out", out, "--population", "x").code == 3
