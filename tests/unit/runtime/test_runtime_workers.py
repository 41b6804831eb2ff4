"""Work on threads: in order, errors in their place, few items ahead, no threads within threads."""

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.runtime.workers import _AHEAD, ordered_map


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=20), st.integers(1, 5))
def test_results_come_in_the_order_of_the_items(delays, workers):
    def work(item):
        time.sleep(delays[item] / 1000)
        return item * item

    expected = [item * item for item in range(len(delays))]
    assert list(ordered_map(work, list(range(len(delays))), workers=workers)) == expected
    assert list(ordered_map(work, iter(range(len(delays))), workers=workers)) == expected


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("place", [0, 3, 9])
def test_an_error_is_raised_at_its_place(workers, place):
    def work(item):
        if item == place:
            raise KeyError(item)
        time.sleep(0.001)
        return item

    results = ordered_map(work, range(10), workers=workers)
    assert [next(results) for _ in range(place)] == list(range(place))
    with pytest.raises(KeyError, match=str(place)):
        next(results)
    assert list(results) == []


def test_after_an_error_what_waits_is_dropped():
    started = []

    def work(item):
        started.append(item)
        if item == 0:
            raise ValueError("here")
        time.sleep(0.02)

    with pytest.raises(ValueError, match="here"):
        list(ordered_map(work, range(1000), workers=2))
    assert len(started) < 2 * _AHEAD


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_few_items_are_taken_ahead_of_the_reader(workers):
    taken = []

    def items():
        for item in range(200):
            taken.append(item)
            yield item

    results = ordered_map(lambda item: item, items(), workers=workers)
    for read in range(200):
        assert next(results) == read
        assert len(taken) <= read + (workers * _AHEAD if workers > 1 else 1)
    results.close()


def test_nothing_is_taken_before_the_first_result_is_asked_for():
    taken = []
    ordered_map(lambda item: item, (taken.append(item) for item in range(5)), workers=2)
    assert taken == []


def test_a_reader_who_leaves_stops_the_work():
    started = []

    def work(item):
        started.append(item)
        time.sleep(0.005)
        return item

    results = ordered_map(work, range(1000), workers=2)
    assert [next(results), next(results)] == [0, 1]
    results.close()
    count = len(started)
    time.sleep(0.05)
    assert len(started) == count <= 2 + 2 * _AHEAD


def test_items_are_worked_on_side_by_side():
    barrier = threading.Barrier(3, timeout=5)
    assert sorted(ordered_map(lambda item: (barrier.wait(), item)[1], range(3), workers=3)) == [0, 1, 2]


def test_a_call_within_a_worker_stays_on_its_thread():
    def inner(_):
        return threading.get_ident()

    def outer(_):
        return threading.get_ident(), set(ordered_map(inner, range(6), workers=4))

    for thread, inside in ordered_map(outer, range(8), workers=4):
        assert inside == {thread} and thread != threading.get_ident()
    assert set(ordered_map(inner, range(6), workers=4)) != {threading.get_ident()}


@pytest.mark.parametrize(("items", "workers"), [(range(5), 1), ([7], 4), ([], 4), (range(5), 0)])
def test_one_worker_or_one_item_needs_no_thread(items, workers):
    found = list(ordered_map(lambda _: threading.get_ident(), items, workers=workers))
    assert found == [threading.get_ident()] * len(items)
