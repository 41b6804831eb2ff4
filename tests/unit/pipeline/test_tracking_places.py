"""Boxes and scenes: overlap against counting, motion in closed form, changes of scene."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.pipeline.tracking.places import expected, overlaps, speed_of
from visavis.pipeline.tracking.scene import is_cut
from visavis.pipeline.tracking.track_clip import spans_of

BOX = st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(1, 8)] * 2)


def cells(box):
    x0, y0, x1, y1 = box
    return {(x, y) for x in range(x0, x1) for y in range(y0, y1)}


@settings(max_examples=30, deadline=None)
@given(st.lists(BOX, min_size=1, max_size=3), st.lists(BOX, min_size=1, max_size=3))
def test_overlap_is_shared_cells_over_all_cells(some, others):
    left, right = ([(x, y, x + w, y + h) for x, y, w, h in boxes] for boxes in (some, others))
    wanted = [[len(cells(a) & cells(b)) / len(cells(a) | cells(b)) for b in right] for a in left]
    assert overlaps(left, right) == pytest.approx(np.array(wanted))


def test_an_even_motion_is_expected_where_it_goes():
    start, step = np.array([10.0, 20, 50, 70]), np.array([30.0, -5, 30, -5])
    speed = np.zeros(2)
    for number in range(1, 12):
        speed = speed_of(start + (number - 1) * step / 10, start + number * step / 10, 0.1, earlier=speed)
    assert speed == pytest.approx([30, -5], rel=1e-3)
    assert expected(start, speed, 0.5) == pytest.approx(start + 0.5 * step, rel=1e-2)


def test_a_scene_changes_with_its_colours_and_places():
    rng = np.random.default_rng(0)
    one = np.kron(rng.integers(0, 120, (8, 8, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    other = np.kron(rng.integers(130, 255, (8, 8, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    assert is_cut(one, other) and is_cut(other, one)
    assert not is_cut(one, one)
    assert not is_cut(one, np.roll(one, 5, axis=1))  # the camera pans: other places, the same colours
    assert not is_cut(one, np.clip(one.astype(int) + 8, 0, 255).astype(np.uint8))  # a cloud passes


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 60), min_size=1, max_size=30), st.floats(0.05, 5))
def test_spans_hold_every_time_and_lie_more_than_a_gap_apart(times, gap):
    rising = np.unique(np.array(times))
    spans = spans_of(rising, gap)
    assert all(any(start <= time <= end for start, end in spans) for time in rising)
    assert all(after[0] - before[1] > gap for before, after in pairwise(spans))
    for start, end in spans:
        inside = rising[(rising >= start) & (rising <= end)]
        assert {start, end} <= set(inside.tolist()) and (np.diff(inside) <= gap + 2e-6).all()
