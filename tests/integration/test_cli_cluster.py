"""visavis cluster, and templates of one byte a value, as a user meets them."""

import csv

import numpy as np
import pytest
from PIL import Image

from commands import call
from portraits import save_two_people
from visavis.recognition.compact_file import read_compact

pytestmark = pytest.mark.usefixtures("one_pipeline")


@pytest.fixture(scope="module")
def photos(tmp_path_factory, astronaut, officer):
    """Two pictures of each of two people, one of both, one of nobody, one that is broken."""
    folder = tmp_path_factory.mktemp("photos")
    pictures = [picture for _, picture in save_two_people(folder, astronaut, officer)]
    both = Image.new("RGB", (1024, 512))
    for place, picture in zip((0, 540), pictures, strict=True):
        both.paste(picture.resize((484, 512)), (place, 0))
    both.save(folder / "both.png")
    Image.new("RGB", (300, 200), (90, 120, 150)).save(folder / "wall.png")
    (folder / "broken.jpg").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def store(photos, tmp_path_factory):
    from visavis.cli.app import main

    path = tmp_path_factory.mktemp("store") / "x.vvt"
    with pytest.raises(SystemExit) as stop:
        main(["embed", str(photos), "--which", "all", "--out", str(path)])
    assert stop.value.code == 0
    return path


def test_the_two_people_are_two_groups_and_failures_are_listed(capfd, photos):
    document = call(capfd, "cluster", photos, "--json").json
    groups = [[name.removeprefix(f"{photos}/") for name in group["images"]] for group in document["groups"]]
    assert sorted(map(sorted, groups)) == [["a/0.png", "a/1.png", "both.png"], ["b/0.png", "b/1.png", "both.png"]]
    assert (document["faces"], document["alone"]) == (6, [])
    assert {row["reason"] for row in document["failed"]} == {"no-face", "unreadable.not-an-image"}
    assert document["at"] == "fmr=0.0001" and document["population"] and document["linkage"] == "average"


def test_folders_hold_the_pictures_as_they_are_and_the_sheet_shows_the_groups(capfd, photos, tmp_path):
    ran = call(capfd, "cluster", photos, "--out", tmp_path / "out", "--sheet", tmp_path / "s.png")
    assert ran.code == 0 and "2 groups, 0 alone, 2 failed" in ran.out
    found = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png"))
    assert found == [f"group-000{group}/{name}.png" for group in (1, 2) for name in ("0", "1", "both")]
    assert (tmp_path / "out/group-0001/both.png").read_bytes() == (photos / "both.png").read_bytes()
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.size[1] == 8 + 2 * 88


def test_a_strict_point_leaves_everybody_alone_and_k_means_needs_none(capfd, photos, tmp_path):
    document = call(capfd, "cluster", photos, "--people", 6, "--json").json
    assert document["groups"] == [] and len(document["alone"]) == 6 and "at" not in document
    ran = call(capfd, "cluster", photos, "--people", 6, "--out", tmp_path / "out")
    assert ran.code == 0 and "k-means for 6 people" in ran.out
    assert sorted(path.name for path in (tmp_path / "out/alone").iterdir()) == [
        "0-2.png", "0.png", "1-2.png", "1.png", "both.png",
    ]  # fmt: skip
    ran = call(capfd, "cluster", photos, "--people", 6, "--sheet", tmp_path / "s.png")
    assert ran.code == 0 and "6 alone" in ran.out and "looser" in ran.out and not (tmp_path / "s.png").exists()


def test_a_file_of_templates_gives_the_groups_of_its_pictures(capfd, photos, store, tmp_path):
    ran = call(capfd, "cluster", store, "--out", tmp_path / "x.csv", "--json")
    direct = call(capfd, "cluster", photos, "--json").json
    assert ran.json["groups"] == direct["groups"] and ran.json["failed"] == direct["failed"]
    with (tmp_path / "x.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["group"]) for row in rows if row["reason"]] == [0, 0]
    compact = read_compact(store)
    assert compact.scale == 0 and compact.codes.shape == (8, 128)
    assert [name for name, ok in zip(compact.names, compact.status.ok, strict=True) if not ok] == [
        f"{photos}/broken.jpg", f"{photos}/wall.png",
    ]  # fmt: skip
    assert "need the pictures" in call(capfd, "cluster", store, "--out", tmp_path / "folder").refused(2)


def test_codes_give_nearly_the_similarities_of_floats(capfd, photos, tmp_path):
    (tmp_path / "pairs.csv").write_text(
        "image1,image2,same,fold,person1,person2\na/0.png,a/1.png,1,0,a,a\na/0.png,b/0.png,0,0,a,b\n"
        "b/0.png,b/1.png,1,1,b,b\na/1.png,b/1.png,0,1,a,b\n"
    )
    scores = []
    for number, options in enumerate(([], ["--codes"])):
        out = tmp_path / f"{number}.csv"
        words = ["evaluate", "pairs", tmp_path / "pairs.csv", "--images", photos, "--scores", out, "--resamples", 10]
        ran = call(capfd, *words, *options, "--json")
        assert ran.code == 0 and any("one byte" in note for note in ran.json["notes"]) is bool(options)
        with out.open(newline="") as file:
            scores.append([float(row["similarity"]) for row in csv.DictReader(file)])
    assert 0 < np.abs(np.subtract(*scores)).max() < 0.01


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--out", "x.json"], 2, ".csv"),
        (["--at", "0.4"], 2, "fmr=RATE"),
        (["--linkage", "ward"], 2, "average, complete, single"),
        (["--people", "99"], 2, "1 to 6 groups"),
        (["--at", "fmr=1e-12"], 4, "1e-12"),
    ],
)
def test_wrong_calls_are_refused_in_one_line(capfd, photos, words, code, told):
    assert told in call(capfd, "cluster", photos, *words).refused(code)


@pytest.mark.parametrize(
    "words",
    [
        ["--which", "all"], ["--min-size", "0"], ["--model", "sface"], ["--detector", "yunet"], ["--threads", "1"],
        ["--engine", "onnxruntime"], ["--precision", "fp32"], ["--device", "cpu"], ["--flip"], ["--policy", "research"],
        ["--people", "2", "--at", "fmr=1e-3"], ["--people", "2", "--linkage", "single"], ["--seed", "0"],
        ["--people", "2", "--calibration", "x.json"],
    ],
)  # fmt: skip
def test_options_that_would_do_nothing_are_refused_by_name(capfd, store, words):
    option = words[2] if words[0] == "--people" else words[0]
    assert f"{option} would do nothing" in call(capfd, "cluster", store, *words).refused(2)


def test_a_wrong_rule_is_refused_before_any_picture_is_read(capfd, tmp_path):
    (tmp_path / "broken.png").write_text("no picture")
    for words, code, told in (
        (["--linkage", "ward"], 2, "ward"), (["--at", "fmr=1e-12"], 4, "1e-12"), (["--flip"], 4, "calibration"),
    ):  # fmt: skip
        assert told in call(capfd, "cluster", tmp_path, *words).refused(code)


def test_one_file_of_templates_at_a_time(capfd, photos, store):
    for other in (store, photos):
        assert "at a time" in call(capfd, "cluster", store, other).refused(2)


def test_folders_of_groups_are_there_whole_or_not_at_all(capfd, photos, tmp_path, monkeypatch):
    from visavis.io import atomic

    written, write = [], atomic.write_output

    def full(path, data):
        written.append(path)
        if len(written) > 2:
            raise OSError("no space left on device")
        return write(path, data)

    monkeypatch.setattr(atomic, "write_output", full)
    assert call(capfd, "cluster", photos, "--out", tmp_path / "out").code != 0
    assert len(written) == 3 and not list(tmp_path.iterdir())


def test_a_folder_that_is_there_and_a_file_that_is_no_store_are_refused(capfd, photos, tmp_path):
    assert "already" in call(capfd, "cluster", photos, "--out", tmp_path).refused(2)
    (tmp_path / "x.vvt").write_text("nothing")
    assert "no file of compact templates" in call(capfd, "cluster", tmp_path / "x.vvt").refused(3)


def test_a_picture_is_compared_with_a_stored_template_as_with_its_picture(capfd, photos, store):
    one, other, name = photos / "a/1.png", photos / "b/0.png", f"{photos}/a/0.png"
    stored = call(capfd, "verify", one, f"{store}::{name}", "--json").json
    direct = call(capfd, "verify", one, name, "--json").json
    assert stored["answer"] == direct["answer"] == "same"
    assert stored["similarity"] == pytest.approx(direct["similarity"], abs=0.01)
    assert stored["threshold"] == direct["threshold"] and stored["left"] == direct["left"]
    assert stored["right"][0]["template"] == f"{store}::{name}" and stored["right"][0]["space"] == stored["space"]
    assert any("stored template" in warning for warning in stored["warnings"])
    said = call(capfd, "verify", other, one, "--", f"{store}::{photos}/b/1.png")
    assert said.code == 0 and "a stored template" in said.out


def test_two_faces_of_a_picture_are_never_one_stored_template(capfd, photos, store):
    both = f"{store}::{photos}/both.png"
    for person in ("a", "b"):
        told = call(capfd, "verify", photos / person / "0.png", both).refused(2)
        assert "2 rows named" in told and "both.png#1 to #2" in told and "--which central" in told
    answers = [
        [call(capfd, "verify", photos / person / "0.png", f"{both}#{face}", "--json").json["answer"] for face in (1, 2)]
        for person in ("a", "b")
    ]
    assert sorted(answers) == [["different", "same"], ["same", "different"]]
    assert "#1 to #2; got #3" in call(capfd, "verify", photos / "a/0.png", f"{both}#3").refused(2)


def test_stored_templates_that_do_not_fit_are_refused(capfd, photos, store, tmp_path):
    one = photos / "a/1.png"
    for words, code, told in (
        ((one, f"{store}::{photos}/a/2.png"), 2, "no template named"),
        ((one, f"{store}::{photos}/wall.png"), 3, "no face"),
        ((f"{store}::{photos}/a/0.png", one), 2, "pictures stand on the left"),
        ((one, f"{store}::{photos}/a/0.png", "--report", tmp_path / "r.html"), 2, "--report needs the pictures"),
        ((one, f"{store}::{photos}/a/0.png", "--flip"), 4, "calibration"),
        ((one, f"{tmp_path}/none.vvt::a"), 3, "no such file"),
    ):
        assert told in call(capfd, "verify", *words).refused(code)
