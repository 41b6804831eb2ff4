"""Linking: who is who from look to look, for people whose paths are known."""

import numpy as np
import pytest

from visavis.pipeline.tracking.linker import Linker
from visavis.pipeline.tracking.look import Look, SeenFrame
from visavis.pipeline.tracking.settings import TrackSettings
from visavis.pipeline.tracking.tracklet import best_looks
from visavis.types import Faces, Picture, Status

SIDE, STEP = 40, 0.1
BLANK = Picture(np.zeros((4, 4, 3), np.uint8))
SCENE = np.full((32, 32, 3), 90, np.uint8)
RNG = np.random.default_rng(0)
SKETCHES = [sketch / np.linalg.norm(sketch) for sketch in RNG.normal(size=(4, 256)).astype(np.float32)]


def look(who, centre, number, *, quality=80.0, fit=True, alike=True):
    x, y = centre
    box = np.array([[x - SIDE / 2, y - SIDE / 2, x + SIDE / 2, y + SIDE / 2]], np.float32)
    points = np.tile(box[:, None, :2], (1, 5, 1))
    faces = Faces(box, np.full(1, who / 10, np.float32), points, np.array([number]), Status.good(1))
    sketch = SKETCHES[who] if alike else -SKETCHES[who]
    return Look(number, number * STEP, faces, BLANK, (0, 0), quality, fit, sketch)


def who_is(one):
    """The detector's score tells a tenth of it."""
    return round(float(one.face.score[0]) * 10)


class Recogniser:
    """Knows everybody; counts how often it is asked."""

    def __init__(self, *, blind=()):
        self.asked, self.blind = 0, blind

    def __call__(self, looks):
        self.asked += len(looks)
        rows = np.eye(4, dtype=np.float32)[[who_is(one) for one in looks]]
        rows[[who_is(one) in self.blind for one in looks]] = np.nan
        return rows


def run(frames, *, compare=None, settings=None, scenes=None):
    """Frames are lists of looks; the tracklets as lists of (who, frame)."""
    linker = Linker(settings or TrackSettings(), compare=compare, threshold=0.4)
    ended = []
    for number, looks in enumerate(frames):
        scene = SCENE if scenes is None else scenes[number]
        ended += linker.add(SeenFrame(number * STEP, tuple(looks), scene))
    ended += linker.rest()
    return [members(one) for one in ended], linker


def members(tracklet):
    faces = tracklet.faces
    return [(round(float(score) * 10), int(number)) for score, number in zip(faces.score, faces.picture, strict=True)]


def straight(who, start, step, count, **more):
    return [look(who, np.add(start, np.multiply(step, number)), number, **more) for number in range(count)]


def together(*paths):
    return [[path[number] for path in paths if number < len(path)] for number in range(max(map(len, paths)))]


def test_people_who_keep_apart_are_followed_by_place_and_nobody_is_asked():
    recogniser = Recogniser()
    frames = together(straight(0, (50, 50), (12, 0), 20), straight(1, (50, 200), (0, 9), 20))
    found, _ = run(frames, compare=recogniser)
    assert sorted(found) == [[(0, number) for number in range(20)], [(1, number) for number in range(20)]]
    assert recogniser.asked == 0


@pytest.mark.parametrize("speed", [4, 9, 17])
@pytest.mark.parametrize("height", [0, 10, 30])
def test_people_who_cross_keep_their_names(speed, height):
    one = straight(0, (100, 100), (speed, 0), 40)
    two = straight(1, (100 + 30 * speed, 100 + height), (-speed, 0), 40)
    found, _ = run(together(one, two), compare=Recogniser())
    assert all(len({who for who, _ in track}) == 1 for track in found)
    assert sorted(map(len, found)) == [40, 40]


def test_a_face_that_is_hidden_for_a_moment_goes_on_and_one_that_is_long_away_begins_anew():
    path = straight(0, (50, 50), (5, 0), 40)
    away = [[one] if not (10 <= one.number < 13 or 20 <= one.number < 30) else [] for one in path]
    found, _ = run(away, compare=Recogniser())
    assert [len(track) for track in found] == [10 + 7, 10]


def test_somebody_else_in_the_same_place_is_another_face():
    first = straight(0, (100, 100), (0, 0), 10)
    then = [look(1, (100, 100), number) for number in range(10, 20)]
    found, _ = run([[one] for one in (*first, *then)], compare=Recogniser())
    assert found == [[(0, number) for number in range(10)], [(1, number) for number in range(10, 20)]]


def test_where_the_recogniser_cannot_tell_a_track_ends_rather_than_changes_its_name():
    one = straight(0, (100, 100), (9, 0), 30)
    two = straight(1, (370, 100), (-9, 0), 30)
    found, _ = run(together(one, two), compare=Recogniser(blind=(0, 1)))
    assert all(len({who for who, _ in track}) == 1 for track in found)


def test_a_face_that_suddenly_looks_different_is_compared_not_dropped():
    path = [look(0, (50 + 5 * number, 50), number, alike=number < 5) for number in range(10)]
    recogniser = Recogniser()
    found, _ = run([[one] for one in path], compare=recogniser)
    assert [len(track) for track in found] == [10] and recogniser.asked == 2


def test_a_change_of_scene_ends_every_track():
    other = np.zeros((32, 32, 3), np.uint8)
    other[:, :, 0] = 250
    path = straight(0, (50, 50), (1, 0), 10)
    found, linker = run([[one] for one in path], compare=Recogniser(), scenes=[SCENE] * 6 + [other] * 4)
    assert [len(track) for track in found] == [6, 4] and linker.cuts == [pytest.approx(0.6)]


def test_without_a_recogniser_place_decides():
    frames = together(straight(0, (50, 50), (12, 0), 20), straight(1, (50, 120), (12, 0), 20))
    found, _ = run(frames)
    assert sorted(found) == [[(0, number) for number in range(20)], [(1, number) for number in range(20)]]


def test_looks_that_are_rare_may_be_further_apart():
    linker = Linker(TrackSettings(gap=0.5))
    for number in range(5):
        linker.add(SeenFrame(2.0 * number, (look(0, (50, 50), number),), SCENE))
    assert linker.gap == pytest.approx(5.0) and len(linker.rest()) <= 1


def test_the_best_looks_are_the_best_that_are_apart():
    rng = np.random.default_rng(3)
    looks = [
        look(0, (50, 50), number, quality=float(rng.uniform(0, 100)), fit=bool(rng.random() > 0.3))
        for number in rng.permutation(40)
    ]
    chosen = best_looks(looks, most=5, spacing=0.35)
    rank = [(one.fit, one.quality) for one in chosen]
    assert rank == sorted(rank, reverse=True) and len(chosen) == 5
    times = sorted(one.time for one in chosen)
    assert min(np.diff(times)) >= 0.35 - 1e-6
    worst = min(rank)
    for one in looks:  # whoever is better than the worst and was left out is too near to somebody better
        if one not in chosen and (one.fit, one.quality) > worst:
            assert any(abs(one.time - kept.time) < 0.35 and (kept.fit, kept.quality) >= (one.fit, one.quality)
                       for kept in chosen)  # fmt: skip
