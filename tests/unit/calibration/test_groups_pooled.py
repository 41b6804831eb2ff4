"""Groups, the worst of them, and several pictures a side."""

from dataclasses import replace

import numpy as np
import pytest

from visavis.calibration.groups import Group, GroupTable, measured, without_duplicates, worst_points
from visavis.calibration.points import Point, threshold_at
from visavis.calibration.pooled import LEVELS, find, fit_line, fit_pooled, fitted, level
from visavis.errors import UsageError


def _unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _group(count, closeness, rng):
    """People who all look somewhat alike."""
    rows = rng.normal(size=(count, 64))
    rows[:, 0] += closeness
    return _unit(rows)


def test_a_group_is_all_pairs_of_one_label():
    rng = np.random.default_rng(0)
    vectors, labels = _group(40, 3.0, rng), np.array(["a", "b"])[rng.integers(2, size=40)]
    found = measured(vectors, labels.tolist(), [0.1, 0.3], name="both")
    slow = [float(vectors[i] @ vectors[j]) for i in range(40) for j in range(i + 1, 40) if labels[i] == labels[j]]
    assert found.pairs == len(slow) and found.people == 40
    assert found.events == tuple(sum(score >= limit for score in slow) for limit in (0.1, 0.3))
    assert found.errors[1] is None if found.events[1] == 0 else found.errors[1] > 0


def test_a_group_of_one_person_has_no_pair():
    found = measured(np.eye(2, dtype=np.float32), ["a", "b"], [0.5], name="alone")
    assert (found.pairs, found.events, found.rate(0), found.supported(0)) == (0, (0,), 0.0, False)


def test_the_worst_group_is_the_worst_of_those_with_pairs_and_false_matches_enough():
    groups = (
        Group("tiny", 20, 190, (60,), (0.3,)),
        Group("a", 100, 4950, (9,), (0.2,)),
        Group("b", 99, 4851, (90,), (0.2,)),
    )
    children = Group("children", 20, 190, (100,), (0.1,))
    table = GroupTable("some", (1e-3,), (0.3,), groups, children, 0, "rule")
    assert table.worst(0).name == "b"
    interval = table.interval(groups[2], 0)
    assert interval.low < 90 / 4851 < interval.high and "b" in interval.population
    nothing = table.interval(Group("none", 30, 435, (0,), (None,)), 0)
    assert (nothing.rate, nothing.high) == (0.0, 3 / 435)
    assert GroupTable.from_dict(table.to_dict()) == table
    assert table.nearest(0.2) == 0 and table.nearest(0.4) == 0


def test_of_two_alike_the_later_goes():
    vectors = _unit(np.array([[1, 0, 0], [0, 1, 0], [1, 0.1, 0], [1, 0.2, 0], [0, 0, 1.0]]))
    assert without_duplicates(vectors, 0.9).tolist() == [True, True, False, False, True]
    assert without_duplicates(vectors, np.array([0.999, 0.9, 0.9, 0.9, 0.9])).tolist() == [
        True,
        True,
        True,
        False,
        True,
    ]


def test_the_worst_threshold_keeps_the_rate_in_every_group():
    rng = np.random.default_rng(1)
    sizes, closeness = {"a": 300, "b": 200, "c": 60, "tiny": 20}, {"a": 2.0, "b": 4.0, "c": 5.0, "tiny": 30.0}
    vectors = np.concatenate([_group(sizes[name], closeness[name], rng) for name in sizes])
    labels = [name for name in sizes for _ in range(sizes[name])]
    points = worst_points(vectors, labels)
    assert {point.group for point in points} == {"c"}  # the tiny one has no 1,000 pairs
    thresholds = [point.threshold for point in points]
    assert thresholds == sorted(thresholds)
    for point in points:
        own = not point.extended
        assert own == (point.fmr >= 10 / point.pairs)
        for name in ("a", "b", "c"):
            rows = np.flatnonzero(np.array(labels) == name)
            found = measured(vectors[rows], [name] * len(rows), [point.threshold], name=name)
            if own:
                assert found.rate(0) <= point.fmr + 1e-9
    with pytest.raises(UsageError, match="1,000 pairs"):
        worst_points(vectors[:40], ["a"] * 40)


def test_beyond_the_ends_the_slope_of_the_last_decade_goes_on():
    points = tuple(Point(10.0**-row, 0.1 * row, 30) for row in range(1, 5))
    assert threshold_at(points, 10**-2.5) == pytest.approx(0.25)
    assert threshold_at(points, 1e-6) == pytest.approx(0.6) and threshold_at(points, 1.0) == pytest.approx(
        0.0, abs=1e-9
    )


def test_levels_round_up():
    assert [level(count) for count in (1, 2, 3, 4, 5, 6, 8, 30)] == [1, 2, 3, 5, 5, 8, 8, LEVELS[-1]]


def test_a_line_of_two_normal_samples_is_known():
    rng = np.random.default_rng(2)
    scale, shift = fit_line(rng.normal(0.1, 0.1, 200_000), rng.normal(0.3, 0.2, 200_000))
    assert scale == pytest.approx(2.0, abs=0.03) and shift == pytest.approx(0.1, abs=0.01)
    with pytest.raises(UsageError, match="1,000"):
        fit_line([0.1] * 10, [0.2] * 5000)


def test_pooled_impostors_keep_the_rate_at_the_moved_threshold():
    """Threshold at 1 % on single pictures; on pooled ones of other people the moved threshold gives about 1 % too."""
    rng = np.random.default_rng(3)

    def crowd(people):
        own = rng.normal(size=(people, 1, 32))
        own[..., 0] += 4.0
        rows = own + 2.0 * rng.normal(size=(people, 10, 32))
        return _unit(rows.reshape(-1, 32)), np.repeat(np.arange(people), 10).tolist()

    vectors, owner = crowd(80)
    lines = fit_pooled(vectors, owner, np.full(len(owner), 50.0), rng=rng, draws=10)
    assert {(line.left, line.right) for line in lines} == {(a, b) for a in LEVELS for b in LEVELS if a <= b and b > 1}
    line = find(lines, 5, 3)
    assert (line.left, line.right) == (3, 5) and line is find(lines, 3, 4) and find(lines, 1, 1) is None
    others, _ = crowd(300)
    faces = others.reshape(300, 10, 32)
    one, two = faces[:, 0], faces[:, 1]
    single = (one @ two.T)[~np.eye(300, dtype=bool)]
    threshold = np.quantile(single, 0.99)
    left, right = _unit(faces[:, :3].mean(axis=1)), _unit(faces[:, 5:].mean(axis=1))
    pooled = (left @ right.T)[~np.eye(300, dtype=bool)]
    assert 0.005 < (pooled >= line.threshold(threshold)).mean() < 0.02
    assert (pooled >= threshold).mean() > 0.02  # and without the line it would not
    # Without lines for so many pictures the highest below stands in: nearer to the rate than that of single ones.
    short = tuple(one for one in lines if one.right <= 2)
    assert find(short, 3, 5) == find(lines, 2, 2) and find(short, 1, 8) == find(lines, 1, 2)
    assert fitted(lines, 3, 5) and fitted(short, 1, 1) and not fitted(short, 3, 5) and find((), 3, 5) is None
    passed = [(pooled >= cut).mean() for cut in (line.threshold(threshold), find(short, 3, 5).threshold(threshold))]
    assert passed[0] < passed[1] < (pooled >= threshold).mean()
    with pytest.raises(UsageError, match="scale above 0"):
        replace(line, scale=np.nan)
    assert line.single(line.threshold(threshold)) == pytest.approx(threshold)
