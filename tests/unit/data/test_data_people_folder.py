"""Who is who in folders and archives of pictures."""

import io
import tarfile

import pytest

from visavis.data.readers.people_folder import read_people
from visavis.errors import InputError, UsageError


def folder(place, *names):
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).touch()
    return place


def archive(path, *names):
    with tarfile.open(path, "w") as file:
        for name in names:
            file.addfile(tarfile.TarInfo(name), io.BytesIO())
    return path


def people(path, **options):
    found = read_people(path, **options)
    return [item.person for item in found.pictures], [source.name.rpartition("/")[2] for source in found.strays]


def test_the_innermost_folder_is_the_person(tmp_path):
    assert people(folder(tmp_path, "b/1.jpg", "a/2.png", "a/1.jpg", "notes.txt")) == (["a", "a", "b"], [])
    assert people(archive(tmp_path / "x.tar", "all/a/1.jpg", "all/b/1.jpg")) == (["a", "b"], [])


def test_a_person_of_the_ledger_is_found_above_the_innermost(tmp_path):
    names = ("cfp_dev/001/frontal/01.jpg", "cfp_dev/001/profile/01.jpg", "cfp_dev/002/frontal/01.jpg")
    assert people(archive(tmp_path / "cfp_dev.tar", *names)) == (["001", "001", "002"], [])


@pytest.mark.parametrize(
    "names",
    [
        ("ann/2020/1.jpg", "bob/2020/1.jpg"),  # two people would be one
        ("ann/1.jpg", "ann/old/2.jpg"),  # one person would be two
        ("x/ann/1.jpg", "y/z/ann/1.jpg"),
    ],
)
def test_folders_that_do_not_say_who_is_who_are_refused(tmp_path, names):
    with pytest.raises(InputError, match="--level first") as caught:
        read_people(folder(tmp_path, *names))
    assert caught.value.reason == "collection"


def test_the_outermost_folder_when_asked_for(tmp_path):
    place = folder(tmp_path / "d", "ann/2020/1.jpg", "ann/2.jpg", "bob/2020/1.jpg", "stray.jpg")
    assert people(place, level="first") == (["ann", "ann", "bob"], ["stray.jpg"])
    assert people(archive(tmp_path / "x.tar", "all/ann/1.jpg", "all/bob/a/1.jpg"), level="first") == (
        ["ann", "bob"],
        [],
    )
    assert people(archive(tmp_path / "y.tar", "ann/1.jpg", "bob/a/1.jpg"), level="first") == (["ann", "bob"], [])
    assert people(archive(tmp_path / "z.tar", "ann/1.jpg", "ann/2.jpg"), level="first") == (["ann", "ann"], [])


def test_a_picture_beside_the_folders_is_a_stray(tmp_path):
    assert people(folder(tmp_path, "a/1.jpg", "1.jpg")) == (["a"], ["1.jpg"])
    with pytest.raises(InputError, match="--person"):
        read_people(folder(tmp_path / "only", "1.jpg", "2.jpg"))


def test_what_is_passed_over_is_noted(tmp_path):
    place = folder(tmp_path / "d", "a/1.jpg", ".hidden/1.jpg", "texts/readme.txt")
    (place / "link").symlink_to(place / "a")
    assert read_people(place).notes == (
        "the folder link is a link to a folder and was not entered",
        "the folder texts holds no picture",
    )


def test_wrong_calls(tmp_path):
    with pytest.raises(UsageError, match="--level"):
        read_people(tmp_path, level="second")
    with pytest.raises(UsageError, match="--person"):
        read_people(folder(tmp_path, "a/1.jpg") / "a/1.jpg")
    with pytest.raises(InputError, match="no picture"):
        read_people(folder(tmp_path / "none", "a/readme.txt"))
