"""Commands on a clip: two portraits of the public domain cross, and one of them is known."""

from contextlib import closing

import numpy as np
import pytest
from PIL import Image

import visavis
from clips import crossing, write_clip
from commands import call
from visavis.gallery.gallery import Gallery

pytest.importorskip("av")
pytestmark = pytest.mark.usefixtures("one_pipeline")


@pytest.fixture(scope="module")
def door(tmp_path_factory, astronaut, officer):
    """A second of a clip, at 8 frames, and two of its frames as pictures."""
    folder = tmp_path_factory.mktemp("door")
    frames = crossing(astronaut, officer, rate=8, seconds=1.0)
    write_clip(folder / "door.mp4", frames, rate=8)
    (folder / "frames").mkdir()
    for number, frame in enumerate(frames[:3]):
        Image.fromarray(frame).save(folder / "frames" / f"{number}.png")
    return folder


def test_one_who_is_enrolled_from_a_clip_is_found_in_it_and_the_other_is_nobody(capfd, door, tmp_path):
    gallery = tmp_path / "door.gallery"
    several = call(capfd, "enrol", door / "door.mp4", "--person", "ann", "--gallery", gallery, "--json")
    assert several.code == 3 and several.json["error"]["reason"] == "clip.tracks"
    words = ("enrol", door / "door.mp4", "--person", "ann", "--track", "1", "--gallery", gallery, "--json")
    made = call(capfd, *words, "--consent", "form 12")
    assert made.code == 0 and len(made.json["enrolled"]) == made.json["track"]["frames"] > 1
    again = call(capfd, *words)
    assert again.json["enrolled"] == [] and len(again.json["already"]) == len(made.json["enrolled"])
    with closing(Gallery.open(gallery)) as book:
        person, samples = book.person("ann"), book.samples("ann")
    assert person.consent.basis == "form 12" and samples[0].source.startswith(f"{door / 'door.mp4'}#t=0.")
    told = tmp_path / "who.png"
    found = call(capfd, "identify", door / "door.mp4", "--gallery", gallery, "--timeline", told, "--json").json
    assert [track["person"] for track in found["tracks"]] == ["ann", None]
    assert found["tracks"][0]["candidates"][0]["similarity"] == pytest.approx(1, abs=1e-3)  # the same pooled template
    assert found["people"] == [{"person": "ann", "name": None, "spans": found["tracks"][0]["spans"], "tracks": [1]}]
    assert found["looked"] == found["frames"] == 8 and found["real_time_factor"] > 0
    with Image.open(told) as picture:
        assert picture.size[0] == 1400


def test_faces_of_a_folder_of_frames_are_followed_without_templates(door, tmp_path):
    found = visavis.detect(visavis.Clip(door / "frames", fps=8))
    assert [len(track.times) for track in found.tracks] == [3, 3] and found.facts.embedded == 0
    moved = [np.diff((track.faces.boxes[:, 0] + track.faces.boxes[:, 2]) / 2) for track in found.tracks]
    assert moved[0].mean() == pytest.approx(20, abs=4) and moved[1].mean() == pytest.approx(-20, abs=4)
    assert all(track.pooled is None for track in found.tracks)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["detect"], "give pictures"),
        (["detect", "a.mp4", "b.jpg"], "one clip at a time"),
        (["detect", "a.jpg", "--rate", "3"], "--rate is about a clip"),
        (["detect", "a.mp4", "--draw", "x.png"], "--draw is about pictures"),
        (["detect", "a.mp4", "--timeline", "x.txt"], "a timeline is written as"),
        (["detect", "a.mp4", "--every", "0"], "N from 1; got 0"),
        (["detect", "a.mp4", "--rate", "0"], "above 0; got 0"),
        (["enrol", "a.mp4", "--gallery", "g"], "--person"),
        (["enrol", "a.jpg", "--person", "ann", "--track", "1", "--gallery", "g"], "--track chooses"),
    ],
)
def test_what_does_not_fit_a_clip_is_refused(capfd, words, told):
    ran = call(capfd, *words, "--json")
    assert ran.code == 2 and told in ran.json["error"]["message"]


def test_a_clip_is_no_picture_for_the_other_verbs(door):
    with pytest.raises(visavis.UsageError, match="is a clip"):
        visavis.embed(visavis.Clip(door / "door.mp4"))
