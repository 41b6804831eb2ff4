"""visavis identify: two portraits of the public domain, a gallery of one of them, and nobody."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PIL import Image, ImageEnhance

import visavis
from commands import call
from visavis.gallery.gallery import Gallery
from visavis.gallery.sample import NewSample
from visavis.pipeline.pipeline import Pipeline

pytestmark = pytest.mark.usefixtures("one_pipeline")
COLLINS = {"person": "collins", "name": "Eileen Collins"}


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline()


@pytest.fixture(scope="module")
def portraits(astronaut, officer):
    return [Image.open(path).convert("RGB").resize((400, 400)) for path in (astronaut, officer)]


def enrolled(folder, pipeline, person, picture, *, crops=True, **more):
    """A gallery with one picture of one person."""
    side = pipeline.side([np.asarray(picture)])
    gallery = Gallery.create(
        folder / "people.gallery", space=pipeline.space, made_by=pipeline.made_by, keep_crops=crops
    )
    gallery.add_samples([
        NewSample(
            person=person, source="portrait.png", sha256="a" * 64, box=tuple(side.faces.boxes[0].tolist()),
            score=float(side.faces.score[0]), quality=float(side.assessment.fused.score[0]),
            norm=float(side.templates.norms[0]), vector=side.templates.vectors[0],
            crop=side.crops.pixels[0] if crops else None, crop_template=pipeline.space.crop, **more,
        )
    ])  # fmt: skip
    return gallery


@pytest.fixture
def place(tmp_path, pipeline, portraits):
    """A folder with a gallery of Collins, and a group of her and of somebody else."""
    enrolled(tmp_path, pipeline, "collins", portraits[0], name="Eileen Collins", metadata={"team": "red", "year": 1999})
    group = Image.new("RGB", (900, 420), (90, 90, 90))
    group.paste(ImageEnhance.Brightness(portraits[0]).enhance(0.85), (20, 10))
    group.paste(portraits[1], (470, 10))
    group.save(tmp_path / "group.png")
    return tmp_path


def test_a_group_has_names_and_nobody(capfd, place):
    ran = call(capfd, "identify", place / "group.png", "--gallery", place / "people.gallery", "--json")
    assert ran.code == 0
    (entry,) = ran.json
    assert entry["image"].endswith("group.png") and "failed" not in entry
    faces = sorted(entry["faces"], key=lambda face: face["box"][0])
    assert len(faces) == 2
    for face, (left, right) in zip(faces, ((20, 420), (470, 870)), strict=True):
        x0, y0, x1, y1 = face["box"]
        assert left < x0 < x1 < right and 10 < y0 < y1 < 410
    assert {key: faces[0][key] for key in COLLINS} == COLLINS and faces[0]["why"] == ""
    assert (faces[1]["person"], faces[1]["name"], faces[1]["why"]) == (None, None, "below-threshold")
    mine, other = (face["candidates"][0] for face in faces)
    assert mine["person"] == other["person"] == "collins"
    assert mine["similarity"] > mine["threshold"] > other["similarity"] and mine["llr"] > 0 > other["llr"]
    terms = entry["search"]
    assert terms["people"] == 1 and terms["at"] == {"fpir": 0.01} and "LFW" in terms["population"]
    assert terms["fpir"]["low"] < 0.01 < terms["fpir"]["high"]


def test_who_is_named_is_told_also_beyond_the_first_candidates(capfd, tmp_path, pipeline, portraits):
    """Of many samples one is more like everybody: the closest candidate is not always the one who passes by most."""
    own = pipeline.side([np.asarray(portraits[0])]).templates.vectors[0].astype(np.float64)
    across = np.random.default_rng(0).normal(size=own.shape)
    across -= (across @ own) * own
    across /= np.linalg.norm(across)
    gallery = Gallery.create(tmp_path / "people.gallery", space=pipeline.space, made_by=pipeline.made_by)
    for person, similarity, samples in (("many", 0.81, 8), ("one", 0.805, 1)):
        vector = (similarity * own + np.sqrt(1 - similarity**2) * across).astype(np.float32)
        gallery.add_samples([
            NewSample(person=person, source="-", sha256=f"{number:064}", box=(0.0, 0.0, 9.0, 9.0), score=1.0,
                      quality=50.0, norm=1.0, vector=vector)
            for number in range(samples)
        ])  # fmt: skip
    gallery.close()
    portraits[0].save(tmp_path / "a.png")
    words = ("identify", tmp_path / "a.png", "--gallery", tmp_path / "people.gallery", "--top", "1")
    ((face,),) = (entry["faces"] for entry in call(capfd, *words, "--json").json)
    assert face["person"] == "one" and [one["person"] for one in face["candidates"]] == ["many", "one"]
    assert "]  one  0.80" in call(capfd, *words).out


def test_one_person_is_not_two_faces_of_a_picture(capfd, place, portraits):
    twice = Image.new("RGB", (900, 420), (90, 90, 90))
    twice.paste(portraits[0], (20, 10))
    twice.paste(ImageEnhance.Brightness(portraits[0]).enhance(0.7), (470, 10))
    twice.save(place / "twice.png")
    (entry,) = call(capfd, "identify", place / "twice.png", "--gallery", place / "people.gallery", "--json").json
    named = {face["person"]: face for face in entry["faces"]}
    assert set(named) == {"collins", None} and named[None]["why"] == "taken"
    assert named["collins"]["box"][0] < 420
    told = call(capfd, "identify", place / "twice.png", "--gallery", place / "people.gallery").out
    assert "nobody  closest collins 0." in told and "(who is another face of this picture)" in told


def test_boxes_are_of_the_picture_as_it_is_shown(capfd, place):
    upright = Image.open(place / "group.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise
    upright.transpose(Image.Transpose.ROTATE_90).save(place / "turned.jpg", exif=exif, quality=97)
    gallery = place / "people.gallery"
    one, two = (
        sorted(call(capfd, "identify", place / name, "--gallery", gallery, "--json").json[0]["faces"],
               key=lambda face: face["box"][0])
        for name in ("group.png", "turned.jpg")
    )  # fmt: skip
    assert [face["person"] for face in one] == [face["person"] for face in two] == ["collins", None]
    for straight, turned in zip(one, two, strict=True):
        np.testing.assert_allclose(straight["box"], turned["box"], atol=6)


def test_broken_and_empty_pictures_are_listed(capfd, place):
    (place / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    Image.new("RGB", (300, 200), (120, 140, 90)).save(place / "wall.png")
    words = [place / "broken.jpg", place / "wall.png", place / "group.png", "--gallery", place / "people.gallery"]
    ran = call(capfd, "identify", *words, "--json")
    assert ran.code == 0
    broken, wall, group = ran.json
    assert broken["faces"] == wall["faces"] == [] and len(group["faces"]) == 2
    assert broken["failed"]["reason"].startswith("unreadable") and wall["failed"]["reason"] == "no-face"
    told = call(capfd, "identify", *words)
    assert told.code == 0
    assert "collins (Eileen Collins)" in told.out and "nobody" in told.out and told.out.count("failed: ") == 2
    assert "1 people searched at fpir=0.01; rate measured on: random impostors" in told.out
    ran = call(capfd, "identify", place / "broken.jpg", "--gallery", place / "people.gallery", "--json")
    assert ran.code == 3 and ran.json["error"]["reason"].startswith("unreadable")


def test_names_are_drawn(capfd, place):
    gallery = place / "people.gallery"
    assert call(capfd, "identify", place / "group.png", "--gallery", gallery, "--draw", place / "drawn.png").code == 0
    drawn, plain = (np.asarray(Image.open(place / name).convert("RGB")) for name in ("drawn.png", "group.png"))
    assert drawn.shape == plain.shape
    changed = (drawn != plain).any(axis=2)
    assert 0.005 < changed.mean() < 0.1
    assert (drawn[:, :450][changed[:, :450]] == (0, 110, 60)).all(axis=1).mean() > 0.5  # a name is green
    assert (drawn[:, 450:][changed[:, 450:]] == (90, 90, 90)).all(axis=1).mean() > 0.5  # nobody is grey
    ran = call(capfd, "identify", place / "group.png", place / "drawn.png", "--gallery", gallery, "--draw", place / "d")
    assert ran.code == 0
    assert sorted(path.name for path in (place / "d").iterdir()) == ["00001-group.png", "00002-drawn.png"]
    ran = call(capfd, "identify", place, "--gallery", gallery, "--draw", place / "one.png")
    assert ran.code == 2 and "takes a folder" in ran.err


def test_a_candidate_is_explained_on_the_stored_crop(capfd, place):
    words = ["identify", place / "group.png", "--gallery", place / "people.gallery", "--json"]
    (entry,) = call(capfd, *words, "--explain", place / "maps.png").json
    told = entry["explanation"]
    assert told["person"] == entry["faces"][told["face"]]["person"] == "collins" and told["sentence"]
    assert told["similarity"] > told["threshold"] and "portrait.png" in told["warnings"][0]
    assert Image.open(place / "maps.png").size[0] > 400
    ran = call(capfd, *words, "--explain", place / "maps.png", "--person", "eve")
    assert ran.code == 3 and ran.json["error"]["reason"] == "gallery.person"
    assert "--explain" in call(capfd, *words[:-1], "--person", "collins").refused(2)


@pytest.fixture
def pair(place, pipeline, portraits):
    """The officer is in the gallery too."""
    side = pipeline.side([np.asarray(portraits[1])])
    gallery = Gallery.open(place / "people.gallery")
    gallery.add_samples([
        NewSample(
            person="officer", source="officer.png", sha256="b" * 64, box=tuple(side.faces.boxes[0].tolist()), score=0.9,
            quality=50.0, norm=1.0, vector=side.templates.vectors[0], crop=side.crops.pixels[0],
            crop_template=pipeline.space.crop, metadata={"team": "blue"},
        )
    ])  # fmt: skip
    yield place, gallery
    gallery.close()


def test_the_face_that_is_explained_is_the_one_most_like_the_person(capfd, pair):
    place, _ = pair
    words = ("identify", place / "group.png", "--gallery", place / "people.gallery", "--json", "--top", "1")
    words = (*words, "--explain", place / "maps.png")
    for person, left in (("collins", 0), ("officer", 450)):
        # Where only the other one is searched, nobody's candidates have this person.
        for more in ((), ("--at", "fpir=1e-4")):
            (entry,) = call(capfd, *words, "--person", person, *more).json
            told = entry["explanation"]
            assert told["person"] == person and left < entry["faces"][told["face"]]["box"][0] < left + 450


def test_nobody_is_explained_who_may_not_be_found(capfd, pair):
    place, gallery = pair
    words = ("identify", place / "group.png", "--gallery", place / "people.gallery", "--json")
    words = (*words, "--explain", place / "maps.png", "--person", "officer")
    error = call(capfd, *words, "--where", "team=red").json["error"]
    assert error["reason"] == "gallery.person" and "not among the people who are searched" in error["message"]
    (entry,) = call(capfd, *words, "--where", "team=blue").json
    assert entry["explanation"]["threshold"] == entry["search"]["threshold"]  # that of so many people
    (maps := place / "maps.png").unlink()
    gallery.update_person("officer", expires=datetime.now(UTC) - timedelta(days=1))
    assert "the time has ended" in call(capfd, *words).json["error"]["message"] and not maps.exists()


def test_no_picture_is_written_over_another(capfd, place):
    group, gallery = place / "group.png", ("--gallery", place / "people.gallery")
    before = group.read_bytes()
    (place / "link.png").symlink_to(group)
    for words in (
        ("identify", group, *gallery, "--draw", group),
        ("identify", group, *gallery, "--explain", place / "link.png"),
        ("detect", group, "--draw", place / "link.png"),
        ("explain", group, group, "--out", group),
    ):
        assert "written over" in call(capfd, *words).refused(2)
    assert group.read_bytes() == before
    same = ("--draw", place / "x.png", "--explain", place / "x.png")
    assert "both are" in call(capfd, "identify", group, *gallery, *same).refused(2)
    folder = ("--draw", group / "drawn")  # below a file
    assert "cannot be made" in call(capfd, "identify", group, group, *gallery, *folder).refused(2)


def test_without_stored_crops_there_is_nothing_to_explain(capfd, tmp_path, pipeline, portraits):
    enrolled(tmp_path, pipeline, "collins", portraits[0], crops=False).close()
    portraits[0].save(tmp_path / "a.png")
    words = ("identify", tmp_path / "a.png", "--gallery", tmp_path / "people.gallery")
    ran = call(capfd, *words, "--explain", tmp_path / "maps.png", "--json")
    assert ran.code == 3 and ran.json["error"]["reason"] == "gallery.crops" and "visavis explain" in ran.err


def test_only_some_people_are_searched(capfd, place):
    words = ("identify", place / "group.png", "--gallery", place / "people.gallery", "--json")
    for where, people in (("team=red", 1), ("year:=1999", 1), ("year=1999", 0), ("team=blue", 0)):
        (entry,) = call(capfd, *words, "--where", where).json
        named = {face["person"] for face in entry["faces"]}
        assert entry["search"]["people"] == people and named == ({"collins", None} if people else {None})
    assert all(face["why"] == "empty-gallery" for face in entry["faces"])
    for wrong in ("team", "=red", "year:=x"):
        assert call(capfd, *words, "--where", wrong).code == 2


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--at", "fmr=1e-3"), 2, "fpir=RATE"),
        (("--at", "fpir=1e-7"), 4, "was measured from 0.39 down to"),
        (("--top", "0"), 2, "1 or more"),
        (("--which", "some"), 2, "selection"),
        (("--index", "tree"), 2, "exact or hnsw"),
        (("--model", "visavis-s"), 4, "visavis gallery migrate"),
    ],
)
def test_wrong_calls_say_what_to_do(capfd, place, words, code, told):
    ran = call(capfd, "identify", place / "group.png", "--gallery", place / "people.gallery", *words)
    assert ran.code == code and told in ran.err


def test_a_gallery_that_is_not_there(capfd, place):
    assert call(capfd, "identify", place / "group.png", "--gallery", place / "none.gallery").code == 3


def test_an_empty_gallery_finds_nobody(capfd, tmp_path, pipeline, portraits):
    Gallery.create(tmp_path / "people.gallery", space=pipeline.space, made_by=pipeline.made_by).close()
    portraits[0].save(tmp_path / "a.png")
    ran = call(capfd, "identify", tmp_path / "a.png", "--gallery", tmp_path / "people.gallery", "--json")
    ((face,), terms) = ran.json[0]["faces"], ran.json[0]["search"]
    assert ran.code == 0 and (face["person"], face["why"], face["candidates"]) == (None, "empty-gallery", [])
    assert terms["threshold"] is None and "the gallery is empty" in terms["warnings"][0]


def test_in_python_a_file_and_an_open_gallery_say_the_same(place):
    one = visavis.identify(place / "group.png", place / "people.gallery", at=visavis.FPIR(0.1))
    two = visavis.identify([place / "group.png"], visavis.Gallery.open(place / "people.gallery"), at=visavis.FPIR(0.1))
    assert [json.dumps(answer.to_dict()) for answer in one] == [json.dumps(answer.to_dict()) for answer in two]
    assert one[0].people == ("collins",)
