"""What the commands make of pictures that are not good enough, under each policy."""

import json
from contextlib import closing

import pytest
from PIL import Image, ImageFilter

from commands import call
from portraits import save_two_people
from visavis.gallery.gallery import Gallery


@pytest.fixture(scope="module")
def people(tmp_path_factory, astronaut, officer):
    """Two people with two sharp pictures each, and one of them much blurred; a policy that asks for large faces."""
    folder = tmp_path_factory.mktemp("policy")
    (folder / "people").mkdir()
    for place, picture in save_two_people(folder / "people", astronaut, officer):
        if place.name == "a":
            picture.filter(ImageFilter.GaussianBlur(8)).save(folder / "blurred.png")
    (folder / "large.json").write_text(json.dumps({"limits": {"size": 5000}, "enrol": "warn"}))
    return folder


def test_verify_asks_for_a_better_picture_instead_of_a_wrong_answer(capfd, people):
    sharp, blurred = people / "people/a/0.png", people / "blurred.png"
    asked = call(capfd, "verify", sharp, blurred, "--json").json
    assert asked["answer"] == "inconclusive" and asked["similarity"] < asked["threshold"]
    assert all(reason.startswith(f"ask for a better picture than {blurred}, because") for reason in asked["reasons"])
    assert "the face is blurred or enlarged" in asked["reasons"][0] and "is needed" in asked["reasons"][0]
    assert (asked["quality_policy"]["name"], asked["pooling"]) == ("default", "quality")
    wrong = call(capfd, "verify", sharp, blurred, "--quality-policy", "none", "--json").json
    assert wrong["answer"] == "different" and wrong["similarity"] == asked["similarity"]
    assert any(f"none lets {blurred} pass" in note for note in wrong["warnings"])
    printed = call(capfd, "verify", sharp, blurred, "--quality-policy", "none").out
    assert "llr         none: it was fitted on faces that keep the quality limits" in printed


def test_a_policy_of_a_file_is_kept_and_written_down(capfd, people, tmp_path):
    pair = [people / "people/a/0.png", people / "people/a/1.png"]
    assert call(capfd, "verify", *pair, "--json").json["answer"] == "same"
    report = tmp_path / "why.json"
    ran = call(capfd, "verify", *pair, "--quality-policy", people / "large.json", "--report", report, "--json").json
    assert ran["answer"] == "inconclusive" and len(ran["reasons"]) == 2
    expected = {"name": "large", "limits": {"size": 5000.0}, "scores": {}, "enrol": "warn"}
    record = json.loads(report.read_text())
    assert ran["quality_policy"] == record["quality_policy"] == expected
    assert f"--quality-policy {people / 'large.json'}" in record["reproduce"] and "--policy" not in record["reproduce"]
    assert all(len(one["unfit"]) == 1 for side in ("left", "right") for one in record[side]["pictures"])


def test_identify_names_nobody_by_a_refused_face_and_tells_whom_it_is_closest_to(capfd, people, tmp_path):
    gallery = tmp_path / "g"
    call(capfd, "enrol", people / "people", "--gallery", gallery)
    photo = people / "people/a/1.png"
    [found] = call(capfd, "identify", photo, "--gallery", gallery, "--json").json
    assert found["faces"][0]["person"] == "a" and found["quality_policy"] == "default"
    [refused] = call(capfd, "identify", photo, "--gallery", gallery, "--quality-policy", people / "large.json",
                     "--json").json  # fmt: skip
    face = refused["faces"][0]
    assert (face["person"], face["why"], refused["quality_policy"]) == (None, "inconclusive", "large")
    assert face["candidates"][0]["person"] == "a" and "at least 5000 is needed" in face["unfit"][0]
    printed = call(capfd, "identify", photo, "--gallery", gallery, "--quality-policy", people / "large.json").out
    assert "inconclusive  closest a" in printed and "ask for a better picture, because" in printed


def test_enrol_refuses_or_warns_as_the_policy_says(capfd, people, tmp_path):
    folder = tmp_path / "people/a"
    folder.mkdir(parents=True)
    for name in ("people/a/0.png", "blurred.png"):
        Image.open(people / name).save(folder / name.replace("/", "-"))
    first = call(capfd, "enrol", tmp_path / "people", "--gallery", tmp_path / "g", "--json").json
    [failed] = first["failed"]
    assert first["enrolled"] == 1 and failed["image"].endswith("blurred.png") and failed["reason"] == "quality"
    assert failed["message"].startswith("take a better picture, because the face is blurred")
    printed = call(capfd, "enrol", tmp_path / "people", "--gallery", tmp_path / "g").out
    assert "quality: take a better picture, because the face is blurred" in " ".join(printed.split())
    policy = tmp_path / "warn.json"
    policy.write_text(json.dumps({"scores": {"quality": 60}, "enrol": "warn"}))
    warned = call(
        capfd, "enrol", tmp_path / "people", "--gallery", tmp_path / "w", "--quality-policy", policy, "--json"
    )
    assert warned.json["enrolled"] == 2 and not warned.json["failed"]
    assert any("blurred.png was taken although the quality policy refuses it" in n for n in warned.json["notes"])
    with closing(Gallery.open(tmp_path / "w")) as gallery:
        assert len(gallery.samples("a")) == 2


def test_the_rules_of_pooling(capfd, people):
    sides = [people / "people/a/0.png", people / "people/a/1.png", "::versus::", people / "blurred.png"]
    rules = ("quality", "mean", "norm", "best")
    ran = {rule: call(capfd, "verify", *sides, "--pooling", rule, "--json").json for rule in rules}
    assert len({round(one["similarity"], 6) for one in ran.values()}) == len(rules)
    qualities = [one["quality"] for one in ran["best"]["quality"]["left"]]
    alone = call(capfd, "verify", sides[qualities.index(max(qualities))], sides[3], "--json").json
    assert (ran["best"]["similarity"], ran["best"]["threshold"]) == (alone["similarity"], alone["threshold"])
    assert ran["mean"]["threshold"] == ran["quality"]["threshold"] > alone["threshold"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--quality-policy", "lenient"], "none, default, strict, or a file"),
        (["--quality-policy", "nowhere.json"], "nowhere.json"),
        (["--pooling", "median"], "mean, norm, quality, best"),
        (["--quality-policy", "strict", "--model", "embedder/visavis-s"], "limits of your own"),
    ],
)
def test_what_is_no_policy_is_refused(capfd, people, words, message):
    ran = call(capfd, "verify", people / "people/a/0.png", people / "people/a/1.png", *words)
    assert ran.code in (2, 3) and message in ran.err
