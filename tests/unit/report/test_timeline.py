"""The picture and the table of a timeline, for tracks that are written down by hand."""

import csv

import numpy as np
import pytest

from visavis.cli.clip_output import check_timeline, write_timeline
from visavis.errors import UsageError
from visavis.report.timeline import draw_timeline, timeline_lanes
from visavis.types import FPIR, Faces, PersonCandidate, Provenance, SearchTerms, Status
from visavis.types.clip_tracks import ClipFacts
from visavis.types.timeline import IdentifiedTrack, Timeline
from visavis.types.track import Track, TrackFrame

FACTS = ClipFacts("a/door.mp4", "mp4", 0.0, 10.0, 250, 100, 16, (5.0,), 4.0)
TERMS = SearchTerms(FPIR(1e-2), 2, 0.3, "toys", "toy", "uuid")
SOMEBODY, NOBODY = (0, 110, 60), (140, 146, 152)


def track(number, *spans, unfit=()):
    times = np.array([time for span in spans for time in span])
    count = len(times)
    faces = Faces(np.tile(np.array([[0, 0, 9, 9]], np.float32), (count, 1)), np.ones(count), np.zeros((count, 5, 2)),
                  np.arange(count), Status.good(count))  # fmt: skip
    crop = np.full((112, 112, 3), 40 * number, np.uint8)
    best = TrackFrame(0, spans[0][0], (0, 0, 9, 9), 1.0, 80.0, unfit, crop)
    return Track(number, times, faces, spans, (best,))


def shows(number, person, *spans, why=""):
    candidate = PersonCandidate("ann", "Ann", 0.9, 0.3, 2.0, 1)
    name = None if person is None else "Ann"
    return IdentifiedTrack(track(number, *spans), person, name, (candidate,), why)


def timeline(*tracks):
    made_by = Provenance("toy", "numpy", "fp32", "1", "1")
    return Timeline(FACTS, tracks, 3, TERMS, "space", made_by, "default")


FOUND = timeline(
    shows(1, "ann", (0.0, 2.0)), shows(2, None, (1.0, 9.0), why="below-threshold"), shows(3, "ann", (4.0, 8.0))
)


def coloured(page, colour):
    """First and last column of a colour in each run of rows that hold it."""
    rows = (page == np.array(colour)).all(axis=2)
    return [np.flatnonzero(row) for row in rows if row.sum() > 20]


def test_a_person_is_one_lane_and_bars_lie_where_the_seconds_are():
    assert [(lane.label, lane.known) for lane in timeline_lanes(FOUND)] == [("Ann", True), ("nobody (track 2)", False)]
    page = draw_timeline(FOUND)
    assert page.dtype == np.uint8 and page.shape[1] == 1400
    left, right = 380, 1360  # seconds 0 and 10
    row = coloured(page, SOMEBODY)[0]
    breaks = np.flatnonzero(np.diff(row) > 1)
    ends = np.concatenate([row[[0]], row[breaks], row[breaks + 1], row[[-1]]])
    wanted = left + (right - left) * np.array([0.0, 0.2, 0.4, 0.8])
    assert np.sort(ends)[[0, -1]] == pytest.approx(wanted[[0, -1]], abs=2)
    assert any(abs(end - wanted[1]) <= 2 for end in ends) and any(abs(end - wanted[2]) <= 2 for end in ends)
    grey = coloured(page, NOBODY)[0]
    assert [grey[0], grey[-1]] == pytest.approx([left + 98, left + 9 * 98], abs=2)


def test_the_people_of_a_timeline_have_all_their_stretches():
    assert FOUND.people == {"ann": ((0.0, 2.0), (4.0, 8.0))}
    document = FOUND.to_dict()
    assert document["people"] == [{"person": "ann", "name": "Ann", "spans": [[0, 2], [4, 8]], "tracks": [1, 3]}]
    assert document["real_time_factor"] == 2.5 and document["loose"] == 3


def test_nobody_is_two_tracks_at_one_time():
    with pytest.raises(UsageError, match="two tracks"):
        timeline(shows(1, "ann", (0.0, 2.0)), shows(2, "ann", (1.5, 3.0)))
    with pytest.raises(UsageError):
        shows(1, None, (0.0, 1.0))


def test_a_table_has_a_row_a_stretch(tmp_path):
    write_timeline(tmp_path / "t.csv", FOUND, FOUND.to_dict())
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["start"], row["end"], row["track"], row["person"], row["why"]) for row in rows] == [
        ("0.0", "2.0", "1", "ann", ""),
        ("1.0", "9.0", "2", "", "below-threshold"),
        ("4.0", "8.0", "3", "ann", ""),
    ]


def test_a_clip_without_a_face_is_drawn_too():
    assert draw_timeline(timeline()).shape[1] == 1400


def test_of_very_many_rows_the_longest_are_drawn():
    def rows(count):
        return timeline(*(shows(1, None, (0.0, 0.5 + row / 1000), why="below-threshold") for row in range(count)))

    most, beyond = draw_timeline(rows(200)), draw_timeline(rows(230))
    assert most.shape == beyond.shape and (most != beyond).any()


def test_a_picture_of_the_timeline_is_no_frame_of_the_clip(tmp_path):
    with pytest.raises(UsageError, match="holds the frames"):
        check_timeline(tmp_path / "0.png", tmp_path)
    check_timeline(tmp_path / "0.csv", tmp_path)
