"""visavis enrol, as a user meets it: who is there afterwards, what is listed, with which exit code."""

import csv
import hashlib
import os
import shutil
import signal
import tarfile
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import visavis
from commands import call, finish, start
from killed_enrolment import contents, ledgers
from portraits import save_people
from visavis.cli import options
from visavis.data.readers.people_folder import read_people
from visavis.errors import InputError
from visavis.gallery.consent import Consent
from visavis.gallery.gallery import Gallery
from visavis.pipeline import enrolment
from visavis.pipeline.enrolment import enrol

pytestmark = pytest.mark.usefixtures("one_pipeline")

CHUNK = 4


@pytest.fixture(scope="module")
def people(tmp_path_factory, astronaut, officer) -> Path:
    return save_people(tmp_path_factory.mktemp("enrol") / "people", [astronaut, officer], people=2, each=3)


@pytest.fixture
def folder(people, tmp_path) -> Path:
    return Path(shutil.copytree(people, tmp_path / "people"))


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "all.gallery"


def enrolled(capfd, *words, gallery) -> dict:
    ran = call(capfd, "enrol", *words, "--gallery", gallery, "--json")
    assert (ran.code, ran.err) == (0, ""), ran
    return ran.json


def failed(answer) -> dict[str, str]:
    return {Path(row["image"]).name: row["reason"] for row in answer["failed"]}


def sources(path, person) -> list[str]:
    with closing(Gallery.open(path)) as gallery:
        return [Path(one.source).name for one in gallery.samples(person)]


# what is in the gallery


def test_samples_are_what_embed_and_assess_say_of_each_picture(capfd, people, path):
    answer = enrolled(capfd, people, gallery=path)
    assert {key: answer[key] for key in ("people", "pictures", "enrolled", "already", "failed")} == {
        "people": 2, "pictures": 6, "enrolled": 6, "already": 0, "failed": []
    }  # fmt: skip
    assert answer["gallery"] == str(path) and answer["pictures_per_second"] > 0
    quality = {row["image"]: row["quality"] for row in call(capfd, "assess", people, "--json").json["rows"]}
    with closing(Gallery.open(path)) as gallery:
        assert [one.person for one in gallery.people()] == ["p00", "p01"]
        assert answer["space"] == gallery.info.space.fingerprint and gallery.check() == []
        for person in ("p00", "p01"):
            samples = gallery.samples(person)
            assert sorted(one.source for one in samples) == sorted(map(str, (people / person).iterdir()))
            for one, vector in zip(samples, gallery.vectors([one.sample for one in samples]), strict=True):
                expected = visavis.embed(one.source)
                assert one.sha256 == hashlib.sha256(Path(one.source).read_bytes()).hexdigest()
                assert np.array_equal(one.box, expected.faces.boxes[0]) and one.score == expected.faces.score[0]
                assert np.array_equal(vector, expected.templates.vectors[0])
                assert one.quality == pytest.approx(quality[one.source], abs=1e-4)
                assert np.array_equal(gallery.crop(one.sample), visavis.align(one.source).pixels[0])


def test_an_archive_gives_the_same_as_its_folder(capfd, people, tmp_path, path):
    with tarfile.open(tmp_path / "people.tar", "w") as archive:
        archive.add(people, "people")
    enrolled(capfd, people, gallery=path)
    enrolled(capfd, tmp_path / "people.tar", gallery=tmp_path / "tar.gallery")
    with closing(Gallery.open(path)) as one, closing(Gallery.open(tmp_path / "tar.gallery")) as other:
        drop_source = [[row[:1] + row[2:] for row in contents(gallery)] for gallery in (one, other)]
    assert sorted(drop_source[0]) == sorted(drop_source[1])


def test_a_second_run_takes_only_what_was_added_or_changed(capfd, folder, path):
    enrolled(capfd, folder, gallery=path)
    with closing(Gallery.open(path)) as gallery:
        before, revision = contents(gallery), gallery.revision
        answer = enrolled(capfd, folder, gallery=path)
        assert (answer["enrolled"], answer["already"], answer["people"]) == (0, 6, 2)
        assert contents(gallery) == before and gallery.revision == revision
    shutil.copy(folder / "p01/0.jpg", folder / "p00/twin.jpg")  # known under somebody else
    with Image.open(folder / "p01/1.jpg") as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "p01/1.jpg")
    answer = enrolled(capfd, folder, gallery=path)
    assert (answer["enrolled"], answer["already"]) == (2, 5)
    assert sorted(sources(path, "p00")) == ["0.jpg", "1.jpg", "2.jpg", "twin.jpg"]
    assert sorted(sources(path, "p01")) == ["0.jpg", "1.jpg", "1.jpg", "2.jpg"]
    assert any("twin.jpg of 'p00' may show somebody else" in note for note in answer["notes"])


def test_one_picture_twice_is_one_sample(capfd, folder, path):
    shutil.copy(folder / "p00/0.jpg", folder / "p00/again.jpg")
    answer = enrolled(capfd, folder, gallery=path)
    assert (answer["enrolled"], answer["already"]) == (6, 1)


def test_one_person_needs_no_folder(capfd, people, path):
    answer = enrolled(capfd, people / "p00/0.jpg", people / "p00/1.jpg", "--person", "Ann Lee", gallery=path)
    assert (answer["people"], answer["enrolled"]) == (1, 2) and sorted(sources(path, "Ann Lee")) == ["0.jpg", "1.jpg"]


def test_the_file_is_made_as_asked_for(capfd, people, path):
    enrolled(capfd, people, "--storage", "int8", "--no-crops", gallery=path)
    with closing(Gallery.open(path)) as gallery:
        assert (gallery.info.storage, gallery.info.keep_crops) == ("int8", False)
        assert gallery.crop(gallery.samples("p00")[0].sample) is None
    enrolled(capfd, people, "--storage", "int8", "--no-crops", gallery=path)
    assert "--storage" in call(capfd, "enrol", people, "--gallery", path, "--storage", "float32").refused(2)
    assert "crops" in call(capfd, "enrol", people, "--gallery", path, "--crops").refused(2)
    assert "space" in call(capfd, "enrol", people, "--gallery", path, "--flip").refused(4)


# what cannot be used


def test_what_cannot_be_used_is_listed_and_stops_nothing(capfd, folder, path, astronaut, officer):
    (folder / "p00/broken.jpg").write_bytes((folder / "p00/0.jpg").read_bytes()[:1500])
    (folder / "wall").mkdir()
    Image.new("RGB", (200, 150), (120, 140, 90)).save(folder / "wall/only.png")
    (folder / "empty").mkdir()
    with Image.open(astronaut) as one, Image.open(officer) as two:
        both = Image.new("RGB", (400, 200))
        both.paste(one.convert("RGB").resize((200, 200)), (0, 0))
        both.paste(two.convert("RGB").resize((200, 200)), (200, 0))
        both.save(folder / "p01/both.png")
        blurred = one.convert("RGB").resize((26, 26)).resize((160, 160))
    blurred.save(folder / "p00/blurred.png")
    Image.new("RGB", (50, 50)).save(folder / "stray.png")
    answer = enrolled(capfd, folder, gallery=path)
    assert failed(answer) == {
        "broken.jpg": "unreadable.truncated", "only.png": "no-face", "blurred.png": "quality", "stray.png": "no-person"
    }  # fmt: skip
    assert (answer["pictures"], answer["enrolled"], answer["people"]) == (11, 7, 2)
    notes = "\n".join(answer["notes"])
    assert "both.png shows 2 faces" in notes and "nothing of wall" in notes and "folder empty holds no picture" in notes
    with closing(Gallery.open(path)) as gallery:
        assert [one.person for one in gallery.people()] == ["p00", "p01"]
        [both_faces] = [one for one in gallery.samples("p01") if one.source.endswith("both.png")]
        expected = visavis.embed(folder / "p01/both.png", which="central")
        assert np.array_equal(both_faces.box, expected.faces.boxes[0])
        assert np.array_equal(gallery.vectors([both_faces.sample]), expected.templates.vectors)
    again = enrolled(capfd, folder, "--keep-unfit", gallery=path)
    assert (again["enrolled"], again["already"]) == (1, 7) and "blurred.png" in sources(path, "p00")
    text = call(capfd, "enrol", folder, "--gallery", path).out
    assert "0 of 11 pictures enrolled, 8 were there" in text and "unreadable.truncated" in text and "no-person" in text
    assert "nothing of wall" in text


def test_when_nothing_can_be_used_it_is_an_error(capfd, tmp_path, path):
    (tmp_path / "people/ann").mkdir(parents=True)
    Image.new("RGB", (200, 150)).save(tmp_path / "people/ann/wall.png")
    (tmp_path / "people/ann/text.jpg").write_text("no picture")
    assert "nobody was enrolled" in call(capfd, "enrol", tmp_path / "people", "--gallery", path).refused(3)


def test_inputs_that_say_not_whom_they_show_are_refused_with_the_way_out(capfd, people, tmp_path, path):
    def refused(code, *words):
        return call(capfd, "enrol", *words, "--gallery", path).refused(code)

    (tmp_path / "none").mkdir()
    assert "no picture" in refused(3, tmp_path / "none")
    assert "--person" in refused(3, people / "p00")
    assert "--person" in refused(2, people / "p00/0.jpg")
    refused(3, tmp_path / "nowhere")
    assert "--level" in refused(2, people, "--level", "middle")
    assert "id" in refused(3, people / "p00/0.jpg", "--person", "a\nb")
    assert "2030" in refused(2, people, "--expires", "tomorrow")
    assert "over" in refused(2, people, "--expires", "2001-01-01")
    assert not path.exists()
    (tmp_path / "file").write_text("something else")
    refused_path = call(capfd, "enrol", people, "--gallery", tmp_path / "file").refused(3)
    assert "gallery" in refused_path and (tmp_path / "file").read_text() == "something else"
    call(capfd, "enrol", people, "--gallery", tmp_path / "nowhere/x.gallery").refused(3)


def test_names_of_any_kind(capfd, people, tmp_path, path):
    good = ["Zoë ø", "李雷", "a'b\"c", "-dash", "x::y", "100%", "[a-z]*"]
    bad = [b"n\xe4me", b"two\nlines", b"x" * 201]
    for name in [*map(os.fsencode, good), *bad]:
        place = tmp_path / "odd" / os.fsdecode(name)
        place.mkdir(parents=True)
        shutil.copy(people / "p00/0.jpg", place / os.fsdecode(b"\xe4 \n1.jpg"))
    answer = enrolled(capfd, tmp_path / "odd", gallery=path)
    assert answer["enrolled"] == len(good) and len(answer["failed"]) == len(bad)
    assert {row["reason"] for row in answer["failed"]} == {"gallery.person-id"}
    with closing(Gallery.open(path)) as gallery:
        assert sorted(one.person for one in gallery.people()) == sorted(good)
    assert enrolled(capfd, tmp_path / "odd", gallery=path)["already"] == len(good)


def test_links_to_pictures_are_followed_and_links_to_folders_noted(capfd, folder, tmp_path, path):
    shutil.move(folder / "p01", tmp_path / "elsewhere")
    (folder / "p01").symlink_to(tmp_path / "elsewhere")
    (folder / "p00/linked.jpg").symlink_to(tmp_path / "elsewhere/0.jpg")
    (folder / "p00/dangling.jpg").symlink_to(tmp_path / "nowhere.jpg")
    answer = enrolled(capfd, folder, gallery=path)
    assert answer["enrolled"] == 4 and failed(answer) == {"dangling.jpg": "unreadable.missing"}
    assert "the folder p01 is a link to a folder and was not entered" in answer["notes"]


# what is known of people


def test_names_consent_and_expiry_are_written_down(capfd, people, tmp_path, path):
    with (tmp_path / "names.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["person", "name", "site"], ["p00", "Zoë", "Bern"], ["px", "Nobody", "here"]])
    words = ("--names", tmp_path / "names.csv", "--consent", "form 12", "--expires", "2090-01-31")
    enrolled(capfd, people, gallery=path)
    with closing(Gallery.open(path)) as gallery:
        gallery.update_person("p00", metadata={"site": "Rome", "team": "night"})
    enrolled(capfd, people, *words, gallery=path)
    with closing(Gallery.open(path)) as gallery:
        one, other = gallery.person("p00"), gallery.person("p01")
        assert (one.name, one.metadata, other.name, other.metadata) == (
            "Zoë",
            {"site": "Bern", "team": "night"},
            None,
            {},
        )
        assert one.consent.basis == other.consent.basis == "form 12" and one.expires.year == 2090
        given, revision = one.consent.given, gallery.revision
        enrolled(capfd, people, *words, gallery=path)
        assert gallery.person("p00").consent.given == given and gallery.revision == revision
        enrolled(capfd, people, gallery=path)
        assert gallery.person("p00").name == "Zoë" and gallery.person("p01").consent.basis == "form 12"
    fresh = tmp_path / "fresh.gallery"
    enrolled(capfd, people, *words, gallery=fresh)
    with closing(Gallery.open(fresh)) as gallery:
        assert [(one.person, one.name, one.consent.basis, one.samples) for one in gallery.people()] == [
            ("p00", "Zoë", "form 12", 3), ("p01", None, "form 12", 3)
        ]  # fmt: skip


def test_nobody_who_withdrew_consent_is_added_to(capfd, people, path):
    enrolled(capfd, people / "p00/0.jpg", "--person", "p00", gallery=path)
    with closing(Gallery.open(path)) as gallery:
        now = gallery.person("p00").created
        gallery.update_person("p00", consent=Consent("form", now, now))
    answer = enrolled(capfd, people, "--consent", "another form", gallery=path)
    assert [row["reason"] for row in answer["failed"]] == ["gallery.consent"] * 3 and answer["enrolled"] == 3
    with closing(Gallery.open(path)) as gallery:
        assert gallery.person("p00").samples == 1 and gallery.person("p00").consent.withdrawn is not None


def test_a_consent_that_is_withdrawn_while_pictures_are_read_is_not_undone(capfd, people, path, monkeypatch):
    enrolled(capfd, people / "p00/0.jpg", "--person", "p00", gallery=path)
    read = enrolment.face_samples

    def withdrawn_meanwhile(*words, **options):
        found = read(*words, **options)
        with closing(Gallery.open(path)) as gallery:
            now = gallery.person("p00").created
            gallery.update_person("p00", consent=Consent("form", now, now))
        return found

    monkeypatch.setattr(enrolment, "face_samples", withdrawn_meanwhile)
    answer = enrolled(capfd, people, "--consent", "another form", gallery=path)
    assert set(failed(answer).values()) == {"gallery.consent"} and len(answer["failed"]) == 3
    assert (answer["enrolled"], answer["already"], answer["people"]) == (3, 0, 1)
    with closing(Gallery.open(path)) as gallery:
        assert gallery.person("p00").samples == 1 and gallery.person("p00").consent.withdrawn is not None


def test_the_two_forms_of_a_letter_are_one_id(capfd, people, tmp_path, path):
    shutil.copytree(people / "p00", tmp_path / "mac/Rene\u0301")
    (tmp_path / "names.csv").write_text("person,name\nRen\u00e9,Ren\u00e9 D.\n", encoding="utf-8")
    enrolled(capfd, tmp_path / "mac", "--names", tmp_path / "names.csv", gallery=path)
    with closing(Gallery.open(path)) as gallery:
        assert [(one.person, one.name) for one in gallery.people()] == [("Ren\u00e9", "Ren\u00e9 D.")]


def test_one_person_of_two_inputs_is_noted(capfd, people, tmp_path, path):
    shutil.copytree(people / "p01", tmp_path / "other/p00")
    answer = enrolled(capfd, people, tmp_path / "other", gallery=path)
    assert f"p00 is in {people} and in {tmp_path / 'other'}: one person" in answer["notes"]
    assert answer["people"] == 2


@pytest.mark.parametrize(
    "text",
    ["name\np00\n", "person,name\np00,a\np00,b\n", "person,name\np00\n", "person,person\np00,a\n", "person\nx\n"],
)
def test_a_list_of_names_that_is_none_is_refused(capfd, people, tmp_path, path, text):
    (tmp_path / "names.csv").write_text(text)
    assert "person" in call(capfd, "enrol", people, "--gallery", path, "--names", tmp_path / "names.csv").refused(3)
    assert not path.exists()


# interrupted, together, without room


@pytest.fixture
def many(tmp_path, astronaut, officer, monkeypatch) -> Path:
    """Four chunks of pictures."""
    monkeypatch.setattr(enrolment, "CHUNK", CHUNK)
    return save_people(tmp_path / "many", [astronaut, officer], people=4, each=CHUNK, side=140)


def _open(path):
    pipeline = options.build_pipeline()
    return pipeline, Gallery.create(path, space=pipeline.space, made_by=pipeline.made_by)


def test_ctrl_c_keeps_what_was_done_and_goes_on(many, path):
    pipeline, gallery = _open(path)
    pictures = read_people(many).pictures

    def stop(done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enrol(pipeline, gallery, pictures, progress=stop)
    kept = len(contents(gallery))
    assert kept and kept % CHUNK == 0 and ledgers(path) and gallery.check() == []
    seen = []
    made = enrol(pipeline, gallery, pictures, progress=lambda done, total: seen.append(done))
    assert seen[0] >= kept and len(contents(gallery)) == len(pictures)
    assert len(made.enrolled) + len(made.already) == len(pictures)
    assert [one.name for one in path.parent.iterdir() if "jobs" in one.name] == []
    gallery.close()


def test_an_older_copy_that_was_put_back_is_filled_again(many, path, monkeypatch):
    """The ledger of the unfinished job tells of chunks that the copy does not hold."""
    pipeline, book = _open(path)
    book.close()
    before = path.read_bytes()
    pictures = read_people(many).pictures
    chunk, done = enrolment._Enrolling.chunk, []

    def stopped(self, number):
        if len(done) == 2:
            raise InputError("stopped", reason="test")
        done.append(number)
        return chunk(self, number)

    with monkeypatch.context() as patch:
        patch.setattr(enrolment._Enrolling, "chunk", stopped)
        with pytest.raises(InputError, match="stopped"):
            enrol(pipeline, book, pictures)
    book.close()
    path.write_bytes(before)
    made = enrol(pipeline, book, pictures)
    assert len(made.enrolled) == len(pictures) == book.info.samples and book.check() == []


def test_other_pictures_begin_the_job_again_and_find_what_is_there(many, path):
    pipeline, gallery = _open(path)

    def stop(done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enrol(pipeline, gallery, read_people(many).pictures, progress=stop)
    kept = len(contents(gallery))
    os.utime(many / "p03/0.jpg", ns=(1, 1))
    made = enrol(pipeline, gallery, read_people(many).pictures)
    assert len(made.already) == kept and len(contents(gallery)) == len(made.pictures)
    gallery.close()


def test_a_folder_is_enrolled_by_one_at_a_time_and_two_folders_together(many, tmp_path, path):
    pipeline, gallery = _open(path)
    pictures = read_people(many).pictures
    half = len(pictures) // 2
    begun, raised = threading.Event(), []

    def first():
        enrol(pipeline, gallery, pictures[:half], progress=lambda done, total: begun.set())

    thread = threading.Thread(target=first)
    thread.start()
    begun.wait(60)
    try:
        enrol(pipeline, Gallery.open(path), pictures[:half])
    except InputError as error:
        raised.append(error.reason)
    enrol(pipeline, Gallery.open(path), pictures[half:])
    thread.join()
    assert raised in ([], ["jobs.locked"])  # none where the first had ended
    assert len(contents(gallery)) == len(pictures) and gallery.check() == []
    gallery.close()


def test_a_full_disk_is_a_clear_error_and_the_rest_follows_when_there_is_room(many, path):
    """The system's limit on the size of a file stands in for the end of the disk."""
    resource = pytest.importorskip("resource")
    pipeline, gallery = _open(path)
    pictures = read_people(many).pictures
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (250_000, hard))
    try:
        with pytest.raises(InputError, match="disk") as caught:
            enrol(pipeline, gallery, pictures)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.reason in ("gallery.full", "jobs.full")
    assert gallery.check() == []
    enrol(pipeline, gallery, pictures)
    assert len(contents(gallery)) == len(pictures)
    gallery.close()


@pytest.mark.slow
def test_the_command_ends_with_130_and_keeps_what_was_done(many, path):
    process = start("enrol", many, "--gallery", path, "--threads", 1)
    while not ledgers(path) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    ran = finish(process)
    assert ran.code == 130 and ran.out == ""
    with closing(Gallery.open(path)) as gallery:
        assert gallery.check() == []
    assert finish(start("enrol", many, "--gallery", path)).code == 0


def test_a_folder_that_grew_leaves_no_unfinished_job_behind(capfd, many, path):
    pipeline, gallery = _open(path)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enrol(pipeline, gallery, read_people(many).pictures, job=f"{many}\n", progress=stop)
    assert ledgers(path)
    shutil.copytree(many / "p00", many / "p09")
    assert enrolled(capfd, many, gallery=path)["people"] == 5
    assert not ledgers(path) and not path.with_name(f"{path.name}.jobs").exists()
    gallery.close()
