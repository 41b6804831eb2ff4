"""A clip of four LFW people who cross, leave, come back and blur: the paths, and so who is where, are known."""

import cv2
import numpy as np
import pytest

from clips import Still, scene, write_clip
from visavis.io import expand, read
from visavis.io.clip import Clip
from visavis.pipeline.pipeline import Pipeline
from visavis.pipeline.tracking.settings import TrackSettings
from visavis.pipeline.tracking.track_clip import track_clip
from visavis.protocols.ledger import Ledger

pytest.importorskip("av")
pytestmark = pytest.mark.data
SIZE, RATE, SECONDS, SIDE = (960, 540), 10, 6.0, 192
SHARP = (2.0, 3.0)
"""Seconds in which the face that is blurred otherwise is not."""


def _blurred(pixels, second):
    return pixels if SHARP[0] <= second < SHARP[1] else cv2.GaussianBlur(pixels, (0, 0), 3)


PATHS = {
    "left to right": (lambda second: (-20 + 130 * second, 20), None),
    "right to left": (lambda second: (780 - 130 * second, 50), None),
    "leaves and comes back": (lambda second: (80, 310) if not 2 <= second < 4 else None, None),
    "mostly blurred": (lambda second: (600 + 20 * second, 320), _blurred),
}


@pytest.fixture(scope="module")
def stills(shared_data, pipeline):
    """A picture, with nobody in the background, of each of four people of the role calibrate, by path."""
    ledger = Ledger.load(shared_data / "people.csv")
    pictures = [one for one in expand(shared_data / "lfw" / "lfw.tar") if one.name.endswith("_0001.jpg")]
    able = [one for one in pictures if ledger.role("lfw", one.name.split("/")[-2]) == "calibrate"][100:1000:100]
    _, faces = pipeline.detect(able)
    alone = [able[row] for row in np.flatnonzero(np.bincount(faces.picture) == 1)]
    return {path: read(one).pixels for path, one in zip(PATHS, alone, strict=False)}


@pytest.fixture(scope="module")
def clip(stills, tmp_path_factory):
    moving = [
        Still(pixels, PATHS[path][0], PATHS[path][1] or (lambda one, second: one)) for path, pixels in stills.items()
    ]
    frames = [scene(moving, number / RATE, size=SIZE) for number in range(int(SECONDS * RATE))]
    path = tmp_path_factory.mktemp("clip") / "four.mp4"
    return write_clip(path, frames, rate=RATE, options={"crf": "18"}), frames


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline()


@pytest.fixture(scope="module")
def found(clip, pipeline):
    """A face that is half covered by another still is nobody's, and seen for less than five looks."""
    return track_clip(
        pipeline,
        Clip(clip[0]),
        calibration=pipeline.calibration(),
        settings=TrackSettings(looks=5),
        workers=pipeline.engine.workers,
    )


def _who(box, second):
    """The path whose still lies under the middle of a box, the later one on top."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    under = None
    for path, (place, _) in PATHS.items():
        where = place(second)
        if where is not None and where[0] <= x < where[0] + SIDE and where[1] <= y < where[1] + SIDE:
            under = path
    return under


def _people(track):
    return [_who(box, time) for box, time in zip(track.faces.boxes, track.times, strict=True)]


def test_nobody_becomes_somebody_else_and_everybody_is_one_track(found):
    assert all(len(set(_people(track))) == 1 for track in found.tracks)
    assert sorted(_people(track)[0] for track in found.tracks) == sorted(PATHS)


def test_who_leaves_and_comes_back_is_seen_in_two_stretches(found):
    (track,) = (track for track in found.tracks if _people(track)[0] == "leaves and comes back")
    (first, second) = track.spans
    assert first == pytest.approx((0.0, 1.9), abs=0.11) and second == pytest.approx((4.0, 5.9), abs=0.11)


def test_the_best_frame_is_a_sharp_one_and_the_template_is_nearer_to_the_still_than_frames_are(
    found, pipeline, clip, stills
):
    (track,) = (track for track in found.tracks if _people(track)[0] == "mostly blurred")
    assert SHARP[0] <= track.best[0].time < SHARP[1]
    still = pipeline.embed([stills["mostly blurred"]]).templates.vectors[0]
    looks = list(zip(track.faces.boxes, track.times, strict=True))[::4]
    cut = []
    for box, time in looks:
        x0, y0, x1, y1 = (int(value) for value in box)
        page = clip[1][round(time * RATE)]
        cut.append(page[max(0, y0 - 60) : y1 + 60, max(0, x0 - 60) : x1 + 60])
    frames = pipeline.embed(cut).templates
    median = np.nanmedian(frames.vectors[frames.ok] @ still)
    pooled = float(track.pooled.vectors[0] @ still)
    print(f"pooled {pooled:.3f}, median frame {median:.3f}; {found.facts.embedded} faces embedded")
    assert pooled > median


def test_most_faces_are_never_embedded(found):
    faces = sum(len(track.times) for track in found.tracks)
    assert found.facts.embedded <= faces / 2
