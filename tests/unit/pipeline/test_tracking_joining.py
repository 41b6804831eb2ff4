"""Joining stretches: who comes back is one track, who is there at the same time is not, whatever they look like."""

import numpy as np
import pytest

from visavis.calibration.points import Point
from visavis.calibration.table import Calibration
from visavis.pipeline.tracking.joining import join
from visavis.pipeline.tracking.stretch import Stretch, joined
from visavis.types import FMR, Faces, Provenance, Status, Templates, TemplateSpace
from visavis.types.track import TrackFrame

SPACE = TemplateSpace("d", "five-point", "arcface-112", "0" * 64, 32)
CALIBRATION = Calibration(
    "toy", "verification", SPACE.fingerprint, "nobody", (Point(1e-1, 0.2, 99), Point(1e-5, 0.6, 99)), "toy", {}
)
PEOPLE = np.eye(32, dtype=np.float32)


def stretch(who, start, end, *, quality=(80.0, 60.0), noise=0.05, unfit=()):
    rng = np.random.default_rng(int(10 * start))
    vectors = PEOPLE[who] + rng.normal(0, noise, (len(quality), 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    times = np.arange(start, end, 0.1)
    count = len(times)
    boxes = np.tile(np.array([[0, 0, 9, 9]], np.float32), (count, 1))
    faces = Faces(boxes, np.ones(count), np.zeros((count, 5, 2)), np.arange(count), Status.good(count))
    crop = np.zeros((112, 112, 3), np.uint8)
    best = tuple(
        TrackFrame(0, start + 0.2 * row, (0, 0, 9, 9), 1.0, value, unfit, crop) for row, value in enumerate(quality)
    )
    made_by = Provenance("toy", "numpy", "fp32", "1", "1")
    scores = np.array(quality, np.float32)
    good = Status.good(len(quality))
    return Stretch(times, faces, best, Templates(vectors, np.ones(len(quality)), good, scores, SPACE, made_by))


def parts(found):
    return [(round(float(one.times[0]), 1), round(float(one.times[-1]), 1)) for one in found]


def joining(*stretches, keep=8):
    return join(stretches, calibration=CALIBRATION, at=FMR(1e-3), keep=keep)


def test_who_comes_back_is_one_track_and_others_are_others():
    found = joining(stretch(0, 0, 1), stretch(1, 0.5, 1.5), stretch(0, 2, 3), stretch(0, 4, 5))
    assert parts(found) == [(0.0, 4.9), (0.5, 1.4)]
    assert len(found[0].times) == 30 and (np.diff(found[0].times) > 0).all()


def test_two_faces_of_one_time_are_two_people_also_when_they_look_the_same():
    found = joining(stretch(0, 0, 1), stretch(0, 0.5, 1.5), stretch(0, 2, 3))
    assert len(found) == 2  # the third joins one of them, never both
    assert sorted(len(one.times) for one in found) == [10, 20]


@pytest.mark.parametrize("keep", [1, 3, 8])
def test_the_best_frames_of_all_parts_stand_for_the_whole_and_the_template_is_their_weighted_mean(keep):
    one, two = stretch(0, 0, 1, quality=(90, 40)), stretch(0, 2, 3, quality=(70, 60))
    whole = joined([two, one], keep=keep)
    assert [frame.quality for frame in whole.best] == [90, 70, 60, 40][:keep]
    rows = np.concatenate([one.templates.vectors, two.templates.vectors])[[0, 2, 3, 1]][:keep]
    mean = (np.array([[90], [70], [60], [40]])[:keep] * rows.astype(np.float64)).sum(axis=0)
    assert whole.pooled.vectors[0] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)


def test_frames_that_are_refused_count_only_where_there_are_no_others():
    poor, good = stretch(0, 0, 1, unfit=("blurred",)), stretch(0, 2, 3, quality=(50,))
    assert [frame.unfit for frame in joined([poor, good], keep=8).best] == [()]
    assert len(joined([poor], keep=8).best) == 2


def test_nothing_in_gives_nothing_out():
    assert joining() == []
