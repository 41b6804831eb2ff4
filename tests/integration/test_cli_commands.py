"""The commands, as a user meets them: what they answer, in which form, with which exit code."""

import csv
import hashlib
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import visavis
from commands import call, run
from visavis import FMR
from visavis.cli import demo
from visavis.gallery.exchange.columns import space_of

pytestmark = pytest.mark.usefixtures("one_pipeline")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, astronaut, officer) -> Path:
    """The portraits, a copy that is hard to tell, both in one picture, and nobody."""
    folder = tmp_path_factory.mktemp("pictures")
    left, right = Image.open(astronaut).convert("RGB"), Image.open(officer).convert("RGB")
    left.save(folder / "a.png")
    right.save(folder / "b.png")
    left.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "a2.png")
    both = Image.new("RGB", (left.width + right.width, max(left.height, right.height)))
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    both.save(folder / "both.png")
    Image.new("RGB", (300, 200), (90, 120, 150)).save(folder / "nobody.png")
    return folder


@pytest.fixture(scope="module")
def doubtful(pictures) -> Path:
    """A mixture of both portraits' faces: good enough, and of a similarity inside the range of the calibration."""
    aligned = [visavis.align(pictures / name).pixels[0].astype(float) for name in ("a.png", "b.png")]
    for share in np.linspace(0.6, 0.2, 21):
        mixed = (share * aligned[0] + (1 - share) * aligned[1]).astype(np.uint8)
        framed = Image.new("RGB", (224, 224), (128, 128, 128))
        framed.paste(Image.fromarray(mixed), (56, 56))
        decision = visavis.verify(pictures / "a.png", np.asarray(framed), at=FMR(4e-5))
        if 0.24 < decision.similarity < 0.4:
            break
    assert 0.24 < decision.similarity < 0.4
    framed.save(pictures / "doubtful.png")
    return pictures / "doubtful.png"


def listed(ran, key="rows"):
    assert (ran.code, ran.err) == (0, ""), ran
    return ran.json[key]


def vectors(analysis) -> np.ndarray:
    return analysis.templates.vectors


# verify


def test_verify_answers_as_python_does(pictures, capfd):
    a, b = pictures / "a.png", pictures / "b.png"
    ran = call(capfd, "verify", a, b, "--json")
    expected = visavis.verify(a, b, at=FMR(1e-3))
    assert (ran.code, ran.err) == (0, "")
    answer = ran.json
    assert {name: answer[name] for name in expected.to_dict()} == expected.to_dict()
    assert answer["answer"] == "different" and answer["similarity"] < answer["threshold"]
    assert (
        answer["at"] == {"fmr": 1e-3, "worst_group": False}
        and answer["population"]
        and answer["made_by"]["engine"] == "onnxruntime"
    )
    for side, path in (("left", a), ("right", b)):
        [face] = answer[side]
        found = visavis.detect(path)
        assert face["image"] == str(path)
        assert np.allclose(face["box"], found.boxes[0], atol=0.006)
        assert np.allclose(face["points"], found.points[0], atol=0.006)
        assert face["score"] == pytest.approx(found.score[0], abs=6e-5)


def test_verify_says_it_to_people_too(pictures, capfd):
    ran = call(capfd, "verify", pictures / "a.png", pictures / "a2.png")
    similarity = visavis.verify(pictures / "a.png", pictures / "a2.png", at=FMR(1e-3)).similarity
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("SAME person") and f"{similarity:.4f}" in ran.out and "fmr=0.001" in ran.out
    assert call(capfd, "verify", pictures / "a.png", pictures / "b.png").out.startswith("DIFFERENT people")


def test_the_similarity_is_the_cosine_of_the_templates(pictures, capfd):
    a, b = (vectors(visavis.embed(pictures / name))[0].astype(float) for name in ("a.png", "b.png"))
    found = call(capfd, "verify", pictures / "a.png", pictures / "b.png", "--json").json["similarity"]
    assert found == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-6)


def test_sides_change_places_and_options_any_place(pictures, capfd):
    a, b = pictures / "a.png", pictures / "b.png"
    forms = (
        ("verify", a, b, "--at", "fmr=1e-2", "--json"),
        ("verify", "--json", "--at=fmr=0.01", a, b),
        ("verify", a, "--json", "--at", " FMR = .01 ", b),
        ("verify", a, "--at", "fmr=1e-2", "--", b, "--json"),
    )
    answers = [call(capfd, *words).json for words in forms[:3]]
    assert answers[0] == answers[1] == answers[2]
    swapped = call(capfd, "verify", b, a, "--at", "fmr=1e-2", "--json").json
    assert swapped["similarity"] == pytest.approx(answers[0]["similarity"], abs=1e-12)
    assert (swapped["left"], swapped["right"]) == (answers[0]["right"], answers[0]["left"])
    assert call(capfd, *forms[3]).json == answers[0]


def test_several_pictures_a_side_are_averaged_by_their_quality(pictures, capfd):
    names = [pictures / name for name in ("a.png", "a2.png", "b.png")]
    ran = call(capfd, "verify", *names[:2], "--", names[2], "--json")
    assert (ran.code, ran.err) == (0, "")
    one, two, other = vectors(visavis.embed(names)).astype(float)
    weights = [row["quality"] for row in ran.json["quality"]["left"]]
    mean = weights[0] * one + weights[1] * two
    assert ran.json["similarity"] == pytest.approx(mean @ other / np.linalg.norm(mean), abs=1e-6)
    assert ran.json["similarity"] == visavis.verify(names[:2], names[2:], at=FMR(1e-3)).similarity
    assert [len(ran.json[side]) for side in ("left", "right")] == [2, 1]
    assert ran.json["threshold"] > call(capfd, "verify", names[0], names[2], "--json").json["threshold"]


@pytest.mark.parametrize(
    "words", [["a"], ["a", "b", "c"], ["--", "b"], ["a", "--"], ["a", "--", "b", "--", "c"], ["--", "--"]]
)
def test_sides_that_cannot_be_told_apart_are_a_wrong_call(capfd, words):
    assert "--" in call(capfd, "verify", *words).refused(2)


def test_the_answer_turns_with_the_operating_point(pictures, doubtful, capfd):
    lax, strict = (
        call(capfd, "verify", pictures / "a.png", doubtful, "--at", at, "--json").json for at in ("fmr=0.1", "fmr=4e-5")
    )
    assert (lax["answer"], strict["answer"]) == ("same", "different")
    assert lax["similarity"] == strict["similarity"] and lax["threshold"] < lax["similarity"] < strict["threshold"]


@pytest.mark.parametrize(("at", "code"), [("fmr=1e-9", 4), ("fmr=0.5", 4), ("fmr=2", 2), ("fmr=0", 2), ("0.4", 2)])
def test_an_operating_point_outside_is_refused_before_pictures_are_read(capfd, at, code):
    message = call(capfd, "verify", "none.jpg", "none.jpg", "--at", at).refused(code)
    assert code == 2 or ("fmr=0.1" in message and "fmr=3.2e-05" in message)
    error = call(capfd, "verify", "none.jpg", "none.jpg", "--at", at, "--json").json["error"]
    assert (error["exit_code"], error["reason"]) == (code, "usage" if code == 2 else "calibration.range")


def test_many_faces_warn_and_the_central_large_one_is_compared(pictures, capfd):
    both, b = pictures / "both.png", pictures / "b.png"
    ran = call(capfd, "verify", both, b, "--json")
    assert (ran.code, ran.json["answer"]) == (0, "same")
    assert [warning for warning in ran.json["warnings"] if "2 faces" in warning and str(both) in warning]
    assert np.allclose(ran.json["left"][0]["box"], visavis.detect(both, which="central").boxes[0], atol=0.006)
    assert "2 faces" in call(capfd, "verify", both, b).out


def test_a_picture_without_a_face_is_code_3(pictures, capfd):
    assert "nobody.png" in call(capfd, "verify", pictures / "a.png", pictures / "nobody.png").refused(3)
    ran = call(capfd, "verify", pictures / "nobody.png", pictures / "a.png", "--json")
    assert (ran.code, ran.json["error"]["reason"]) == (3, "no-face")


@pytest.mark.parametrize("option", ["--model", "--detector"])
@pytest.mark.parametrize("name", ["nonsense", "embedder/nonsense", "nonsense.onnx", "./nonsense", "nonsense.json"])
def test_an_unknown_model_is_code_4(capfd, option, name):
    assert "nonsense" in call(capfd, "verify", "a.jpg", "b.jpg", option, name).refused(4)


@pytest.mark.parametrize("words", [["verify", "--nonsense", "a", "b"], ["nonsense"], ["detect"], ["embed", "a.jpg"]])
def test_a_wrong_call_is_code_2(capfd, words):
    ran = call(capfd, *words)
    assert (ran.code, ran.out) == (2, "") and ran.err.startswith("visavis: ") and "--help" in ran.err
    ran = call(capfd, *words, "--json")
    assert (ran.code, ran.json["error"]["reason"], ran.json["error"]["exit_code"]) == (2, "usage", 2)


@pytest.mark.parametrize(
    "words", [["--engine", "abacus"], ["--precision", "fp1"], ["--threads", "0"], ["--precision", "bf16"]]
)
def test_an_option_out_of_range_is_code_2(capfd, words):
    call(capfd, "verify", "a.jpg", "b.jpg", *words).refused(2)


def test_one_model_under_all_its_names(pictures, tmp_path, capfd):
    words = ("verify", pictures / "a.png", pictures / "b.png", "--json")
    plain = call(capfd, *words).json
    card = tmp_path / "mine.json"
    card.write_text(call(capfd, "models", "sface.2021dec", "--json").out)
    for name in ("sface", "sface.2021dec", "embedder/sface.2021dec", card):
        assert call(capfd, *words, "--model", name).json == plain, name


def test_a_name_that_fits_several_models_is_refused_with_the_choice(capfd):
    message = call(capfd, "verify", "a.jpg", "b.jpg", "--model", "s").refused(4)
    assert "embedder/sface.2021dec" in message


def test_a_model_without_a_calibration_cannot_answer(pictures, capfd):
    ran = call(capfd, "verify", pictures / "a.png", pictures / "b.png", "--flip", "--json")
    assert (ran.code, ran.json["error"]["reason"]) == (4, "calibration.missing")


def test_names_that_begin_with_a_hyphen_have_a_way_in(pictures, tmp_path, monkeypatch, capfd):
    shutil.copy(pictures / "a.png", tmp_path / "-x.png")
    monkeypatch.chdir(tmp_path)
    ran = call(capfd, "verify", "./-x.png", pictures / "a2.png", "--json")
    assert (ran.code, ran.json["answer"]) == (0, "same")
    assert call(capfd, "verify", "-x.png", pictures / "a2.png").code == 2


# detect


def table(path: Path) -> list[dict]:
    """A CSV or Parquet file as rows of plain values; None where a cell is empty."""
    if path.suffix == ".parquet":
        return pytest.importorskip("pyarrow.parquet").read_table(path).to_pylist()
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return [{name: value or None for name, value in row.items()} for row in csv.DictReader(file)]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".CSV"])
def test_the_table_of_faces_equals_the_json(pictures, tmp_path, capfd, suffix):
    out = tmp_path / f"faces{suffix}"
    words = ("detect", *(pictures / name for name in ("a.png", "nobody.png", "missing.png", "both.png")))
    rows = listed(call(capfd, *words, "--json", "--out", out))
    assert [Path(row["image"]).name for row in rows] == ["a.png", "nobody.png", "missing.png", "both.png", "both.png"]
    assert [row["reason"] for row in rows] == ["", "no-face", "unreadable.missing", "", ""]
    stored = table(out)
    points = [
        f"{place}_{axis}" for place in ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth") for axis in "xy"
    ]
    assert list(stored[0]) == ["image", "x0", "y0", "x1", "y1", "score", *points, "status", "reason", "message"]
    for row, cells in zip(rows, stored, strict=True):
        assert all((cells[name] or "") == row[name] for name in ("image", "status", "reason", "message"))
        numbers = [cells[name] for name in ("x0", "y0", "x1", "y1", "score", *points)]
        if row["status"] == "failed":
            assert numbers == [None] * 15 and row["box"] is row["score"] is row["points"] is None
        else:
            expected = [*row["box"], row["score"], *np.ravel(row["points"])]
            assert np.array(numbers, np.float32).tolist() == np.array(expected, np.float32).tolist()


def test_faces_are_those_of_python_and_for_people_a_table(pictures, monkeypatch, capfd):
    rows = listed(call(capfd, "detect", pictures / "both.png", "--json"))
    faces = visavis.detect(pictures / "both.png")
    assert np.allclose([row["box"] for row in rows], faces.boxes, atol=0.006)
    assert np.allclose([row["points"] for row in rows], faces.points, atol=0.006)
    monkeypatch.chdir(pictures)
    lines = call(capfd, "detect", "both.png").out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["both.png"] * 2
    assert np.allclose([[int(word) for word in line.split()[1:5]] for line in lines], faces.boxes, atol=0.51)


def test_which_chooses_and_min_size_leaves_out(pictures, capfd):
    both = pictures / "both.png"
    sizes = visavis.detect(both).size
    boxes = {
        which: [row["box"] for row in listed(call(capfd, "detect", both, "--which", which, "--json"))]
        for which in ("all", "largest", "central")
    }
    assert {which: len(found) for which, found in boxes.items()} == {"all": 2, "largest": 1, "central": 1}
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in boxes["all"]]
    assert boxes["largest"] == [boxes["all"][int(np.argmax(areas))]]
    [row] = listed(call(capfd, "detect", both, "--min-size", float(sizes.mean()), "--json"))
    assert max(np.subtract(row["box"][2:], row["box"][:2])) == pytest.approx(sizes.max(), abs=0.02)
    [row] = listed(call(capfd, "detect", both, "--min-size", 1000, "--json"))
    assert row["reason"] == "face-too-small"
    assert "nonsense" in call(capfd, "detect", both, "--which", "nonsense").refused(2)
    call(capfd, "detect", both, "--min-size", -1).refused(2)


def test_draw_marks_the_faces_and_nothing_else(pictures, tmp_path, capfd):
    out = tmp_path / "drawn.png"
    assert call(capfd, "detect", pictures / "both.png", "--draw", out).code == 0
    before, after = (np.asarray(Image.open(path).convert("RGB")) for path in (pictures / "both.png", out))
    changed = (before != after).any(axis=2)
    allowed = np.zeros_like(changed)
    for x0, y0, x1, y1 in np.rint(visavis.detect(pictures / "both.png").boxes).astype(int):
        assert changed[y0, x0 : x1 + 1].all() and changed[y0 : y1 + 1, x1].all()
        allowed[max(0, y0 - 40) : y1 + 6, max(0, x0 - 6) : x1 + 30] = True
    assert not (changed & ~allowed).any()
    assert "one picture" in call(capfd, "detect", pictures / "a.png", pictures / "b.png", "--draw", out).refused(2)


# align


def test_align_writes_the_crops_of_python_under_lasting_names(pictures, tmp_path, capfd):
    (tmp_path / "other").mkdir()
    shutil.copy(pictures / "b.png", tmp_path / "other" / "a.png")
    given = [pictures / "a.png", tmp_path / "other" / "a.png", pictures / "nobody.png", pictures / "both.png"]
    words = ("align", *given, "--out", tmp_path / "crops" / "deep", "--which", "all", "--json")
    first, again = call(capfd, *words), call(capfd, *words)
    assert (first.code, first.err) == (0, "") and first == again and first.json["crops"] == 4
    rows = first.json["rows"]
    assert [Path(row["crop"]).name for row in rows if row["crop"]] == ["a-1.png", "a-2.png", "both-1.png", "both-2.png"]
    assert [(row["image"], row["reason"]) for row in rows if not row["crop"]] == [(str(given[2]), "no-face")]
    assert len(list((tmp_path / "crops" / "deep").iterdir())) == 4
    crops = visavis.align(given, which="all")
    for row, pixels, good in zip(rows, crops.pixels, crops.ok, strict=True):
        if good:
            with Image.open(row["crop"]) as written:
                assert written.size == (112, 112) and np.array_equal(np.asarray(written), pixels)


def test_align_knows_its_formats(pictures, tmp_path, capfd):
    for suffix, kind in (("jpg", "JPEG"), ("webp", "WEBP")):
        [row] = listed(call(capfd, "align", pictures / "a.png", "--out", tmp_path, "--format", suffix, "--json"))
        with Image.open(row["crop"]) as written:
            assert (written.format, written.size) == (kind, (112, 112))
    assert "gif" in call(capfd, "align", pictures / "a.png", "--out", tmp_path, "--format", "gif").refused(2)


# embed


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".parquet"])
def test_embed_writes_the_templates_of_python(pictures, tmp_path, capfd, suffix):
    out = tmp_path / f"templates{suffix}"
    given = [pictures / name for name in ("a.png", "nobody.png", "both.png", "missing.png")]
    ran = call(capfd, "embed", *given, "--which", "all", "--out", out, "--json")
    assert (ran.code, ran.err) == (0, "")
    expected = visavis.embed(given, which="all")
    report = ran.json
    assert (report["images"], report["templates"], report["out"]) == (4, 3, str(out))
    assert report["space"] == expected.templates.space.fingerprint
    assert report["made_by"] == expected.templates.made_by.to_dict()
    assert [row["reason"] for row in report["failed"]] == ["no-face", "unreadable.missing"]
    if suffix == ".npz":
        stored = dict(np.load(out))
        meta = json.loads(str(stored["meta"]))
        assert (meta["space"], meta["made_by"]) == (report["space"], report["made_by"])
        assert space_of(meta["template_space"]).fingerprint == report["space"]
        found, images, boxes = stored["vector"], stored["image"].tolist(), stored["box"]
    else:
        rows = table(out)
        images = [row["image"] for row in rows]
        wide = suffix == ".csv"
        found, boxes = (
            np.array([[row[f"{name}_{at}"] for at in range(size)] if wide else row[name] for row in rows], dtype=object)
            for name, size in (("vector", 128), ("box", 4))
        )
        found, boxes = found.astype(float).astype(np.float32), boxes.astype(float).astype(np.float32)
    assert images == list(expected.sources)
    assert np.array_equal(found, expected.templates.vectors, equal_nan=True)
    assert np.array_equal(boxes, expected.faces.boxes, equal_nan=True)
    assert list(tmp_path.iterdir()) == [out]


def test_embed_flips_when_asked(pictures, tmp_path, capfd):
    call(capfd, "embed", pictures / "a.png", pictures / "a2.png", "--flip", "--out", tmp_path / "flip.npz")
    call(capfd, "embed", pictures / "a.png", pictures / "a2.png", "--out", tmp_path / "plain.npz")
    flip, plain = (np.load(tmp_path / name) for name in ("flip.npz", "plain.npz"))
    assert json.loads(str(flip["meta"]))["space"] != json.loads(str(plain["meta"]))["space"]
    # The second picture is the mirror image of the first: averaging both crops brings the templates together.
    assert flip["vector"][0] @ flip["vector"][1] > plain["vector"][0] @ plain["vector"][1]


# models, doctor, demo, help


def test_models_lists_what_can_be_used_and_shows_a_card_whose_hash_is_true(capfd):
    rows = {row["name"]: row for row in call(capfd, "models", "--json").json["models"]}
    assert {"detector/yunet.2023mar", "embedder/sface.2021dec"} <= set(rows)
    for name, kind in (("embedder/sface.2021dec", "embedder"), ("detector/yunet.2023mar", "detector")):
        card = call(capfd, "models", name.partition("/")[2], "--json").json
        assert (card["name"], card["kind"], card["use"]) == (name, kind, "any") and card["licence"]
        assert (
            rows[name]["ready"] and hashlib.sha256(Path(rows[name]["path"]).read_bytes()).hexdigest() == card["sha256"]
        )
        assert card["sha256"] in call(capfd, "models", name).out
    text = call(capfd, "models").out
    assert all(name in text for name in rows)
    assert "nonsense" in call(capfd, "models", "nonsense").refused(4)


def test_doctor_finds_this_installation_working(capfd):
    ran = call(capfd, "doctor", "--json")
    assert (ran.code, ran.json["ok"], ran.json["visavis"]) == (0, True, visavis.__version__)
    assert ran.json["packages"]["numpy"]["version"] == np.__version__
    assert ran.json["machine"]["cores"] == len(os.sched_getaffinity(0))
    assert {row["engine"]: row["ok"] for row in ran.json["engines"]}["onnxruntime"]
    assert all(row["ok"] for row in ran.json["engines"])


def test_demo_knows_its_copies_and_another_face(tmp_path, capfd):
    out = tmp_path / "answers.png"
    rows = listed(call(capfd, "demo", "--json", "--out", out))
    answers = {row["against"]: row["decision"]["answer"] for row in rows}
    assert answers.pop("another face") == "different"
    assert answers.pop("blurred far more") == "inconclusive"
    assert len(answers) == 4 and set(answers.values()) == {"same"}
    by_name = {row["against"]: row for row in rows}
    assert "blurred" in by_name["blurred far more"]["decision"]["reasons"][0]
    assert by_name["blurred far more"]["quality"] < by_name["blurred"]["quality"] < by_name["half covered"]["quality"]
    assert by_name["blurred"]["for"] and by_name["another face"]["decision"]["llr"] < 0
    with Image.open(out) as sheet:
        assert sheet.format == "PNG" and sheet.width == 240 * len(rows)
        assert np.asarray(sheet).std() > 20


def test_demo_writes_the_sheet_and_a_report_into_a_folder(tmp_path, pictures, capfd):
    out = tmp_path / "answers"
    told = call(capfd, "demo", pictures / "a.png", pictures / "b.png", "--out", out).out
    assert sorted(path.name for path in out.iterdir()) == ["answers.png", "report.html", "report.json", "report.png"]
    assert "better picture than blurred far more" in told and str(out / "report.html") in told.replace("\n", "")
    record = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert record["decision"]["answer"] == "different" and record["evidence"]["regions"]
    for key, name in (("left", "a.png"), ("right", "b.png")):
        (entry,) = record[key]["pictures"]
        assert entry["sha256"] == hashlib.sha256((pictures / name).read_bytes()).hexdigest()
    assert (out / "report.html").read_text(encoding="utf-8").count("<img") == 6


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("report.png", {"report.png": "answers"}),
        ("x.HTML", {"x.HTML": "report"}),
        ("x.json", {"x.json": "report"}),
        ("new", {"new/answers.png": "answers", **{f"new/report{end}": "report" for end in (".html", ".png", ".json")}}),
        (
            "old.d",
            {"old.d/answers.png": "answers", **{f"old.d/report{end}": "report" for end in (".html", ".png", ".json")}},
        ),
    ],
)
def test_demo_writes_what_the_name_says(tmp_path, name, kinds):
    (tmp_path / "old.d").mkdir()
    assert demo._targets(tmp_path / name) == {tmp_path / path: kind for path, kind in kinds.items()}


def test_demo_refuses_a_folder_that_is_a_file_or_lies_nowhere(tmp_path, capfd):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "missing" / "answers"):
        call(capfd, "demo", "none.jpg", "none.jpg", "--out", place).refused(2)


def test_demo_takes_two_photos(pictures, capfd):
    rows = listed(call(capfd, "demo", pictures / "b.png", pictures / "a.png", "--json"))
    assert [row["decision"]["answer"] for row in rows] == ["same"] * 4 + ["inconclusive", "different"]
    assert "two" in call(capfd, "demo", pictures / "b.png").refused(2)
    call(capfd, "demo", pictures / "b.png", pictures / "nobody.png").refused(3)


def test_version_and_help(capfd):
    assert call(capfd, "--version") == (0, f"visavis {visavis.__version__}\n", "")
    help_ = call(capfd, "-h")
    assert (help_.code, help_.err) == (0, "") and help_ == call(capfd, "--help")
    for command in ("verify", "detect", "align", "embed", "models", "doctor", "demo", "evaluate", "bench"):
        assert command in help_.out
        ran = call(capfd, command, "-h")
        assert (ran.code, ran.err) == (0, "") and f"visavis {command}" in ran.out


def test_without_words_the_help_is_shown_in_its_lines(capfd):
    ran = call(capfd)
    assert ran.code in (0, 2) and len((ran.out + ran.err).splitlines()) > 10


# where results go


@pytest.mark.parametrize(
    ("command", "option", "name"),
    [
        ("detect", "--out", "faces.csv"),
        ("detect", "--out", "faces.parquet"),
        ("detect", "--draw", "faces.png"),
        ("embed", "--out", "faces.npz"),
        ("embed", "--out", "faces.csv"),
        ("demo", "--out", "faces.png"),
        ("evaluate pairs", "--report", "faces.html"),
        ("evaluate pairs", "--scores", "faces.csv"),
    ],
)
def test_a_path_that_cannot_be_written_is_refused_before_any_work(tmp_path, capfd, command, option, name):
    (tmp_path / "folder" / name).mkdir(parents=True)
    (tmp_path / "file").touch()
    # That nothing was done shows in the code: the picture and the model are missing, which would be 3 and 4.
    given = {"demo": ["none.jpg", "none.jpg"], "evaluate pairs": ["none.csv", "--images", "none.tar"]}
    words = [*command.split(), *given.get(command, ["none.jpg"])]
    words += ["--model", "none"] if command not in ("demo", "detect") else []
    for place in (tmp_path / "missing" / name, tmp_path / "folder" / name, tmp_path / "file" / name):
        call(capfd, *words, option, place).refused(2)
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted(["folder", name, "file"])


def test_align_refuses_a_folder_that_cannot_be_made(tmp_path, capfd):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        call(capfd, "align", "none.jpg", "--out", place).refused(2)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("command", "option", "name"),
    [("detect", "--out", "x.txt"), ("embed", "--out", "x"), ("detect", "--draw", "x.xyz"), ("demo", "--out", "x.xyz")],
)
def test_a_suffix_that_says_no_format_is_refused_before_any_work(tmp_path, capfd, command, option, name):
    given = ["none.jpg", "none.jpg"] if command == "demo" else ["none.jpg"]
    call(capfd, command, *given, option, tmp_path / name).refused(2)


@pytest.mark.parametrize("name", ["l" * 300 + "/x", "no\nfolder/x"])
@pytest.mark.parametrize(
    ("words", "suffix", "code"),
    [
        ("detect x.jpg --out", ".csv", 2),
        ("detect x.jpg --draw", ".png", 2),
        ("verify x.jpg x.jpg --model", "", 4),
        ("verify x.jpg x.jpg --detector", ".onnx", 4),
        ("bench pipeline --images", "", 3),
        ("bench pipeline --images", ".tar", 3),
        ("evaluate pairs x.txt --images x --report", ".html", 2),
        ("evaluate pairs --images x", ".txt", 3),
    ],
)
def test_an_odd_path_is_refused_on_one_line(capfd, words, suffix, code, name):
    call(capfd, *words.split(), name + suffix).refused(code)


def test_an_output_that_is_there_is_replaced_whole(pictures, tmp_path, capfd):
    out = tmp_path / "faces.csv"
    out.write_text("old")
    assert call(capfd, "detect", pictures / "nobody.png", pictures / "none.png", "--out", out).code == 0
    new = out.read_bytes()
    assert call(capfd, "detect", pictures / "none.png", "--out", out).code == 3
    assert b"no-face" in new and out.read_bytes() == new and list(tmp_path.iterdir()) == [out]


# names of files


ODD = {
    "spaces": b"Zo\xc3\xab  and a friend .png",
    "bytes": b"n\xe4me.png",
    "newline": b"two\nlines.png",
    "brackets": b"[red]face[ab].png",
    "emoji": b":smiley:.png",
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_names_pass_through_every_command(pictures, tmp_path, capfd, kind):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + ODD[kind]))
    shutil.copy(pictures / "a.png", path)
    ran = call(capfd, "verify", path, pictures / "b.png", "--json")
    assert ran.code == 0 and ran.json["left"][0]["image"] == str(path)
    for words in ((path,), (tmp_path,)):
        [row] = listed(call(capfd, "detect", *words, "--json", "--out", tmp_path / "faces.csv"))
        assert row["image"] == str(path) and row["status"] == "ok"
        assert [row["image"] for row in table(tmp_path / "faces.csv")] == [str(path)]
    assert call(capfd, "embed", path, "--out", tmp_path / "t.npz").code == 0
    assert np.load(tmp_path / "t.npz")["image"].tolist() == [str(path)]
    if kind != "bytes":
        assert call(capfd, "embed", path, "--out", tmp_path / "t.parquet").code == 0
        assert [row["image"] for row in table(tmp_path / "t.parquet")] == [str(path)]
    assert call(capfd, "align", path, "--out", tmp_path / "crops").code == 0
    [crop] = (tmp_path / "crops").iterdir()
    assert crop.name.isprintable() and " " not in crop.name


@pytest.mark.parametrize("kind", ODD)
def test_odd_names_are_printed_on_their_line_wherever_output_goes(pictures, tmp_path, kind):
    name = os.fsdecode(ODD[kind])
    shutil.copy(pictures / "a.png", tmp_path / name)
    ran = run("verify", name, name, cwd=tmp_path, env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"})
    assert (ran.code, ran.err) == (0, "")
    lines = [line for line in ran.out.splitlines() if line.startswith(("left", "right"))]
    assert len(lines) == 2 and all("face 1" in line for line in lines)


def test_stdout_is_utf_8_whatever_the_locale(pictures, tmp_path):
    path = tmp_path / "Zoë.png"
    shutil.copy(pictures / "a.png", path)
    ran = run("detect", path, "--json", env={**os.environ, "PYTHONIOENCODING": "latin-1", "LC_ALL": "C"})
    assert ran.code == 0 and ran.json["rows"][0]["image"] == str(path)
    assert io.StringIO(ran.out).read(1) == "{"
