"""Forests against scikit-learn, a slow walk, and arrays that are no forest."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from visavis.errors import InputError, UsageError
from visavis.quality.forest import Forest


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(600, 6)).astype(np.float32).round(2)
    target = np.clip(table[:, 0] * table[:, 1] + 0.1 * rng.normal(size=600), 0, 1)
    return RandomForestRegressor(40, min_samples_leaf=2, random_state=1).fit(table, target), target


def walk(forest, row):
    """One row, one tree after the other."""
    found = []
    for node in forest.roots:
        while forest.left[node] != node:
            node = forest.left[node] if row[forest.feature[node]] <= forest.threshold[node] else forest.right[node]
        found.append(float(forest.value[node]))
    return sum(found) / len(found)


def test_it_predicts_what_scikit_learn_does(fitted):
    model, target = fitted
    forest = Forest.from_sklearn(model)
    rng = np.random.default_rng(1)
    rows = np.concatenate([rng.normal(size=(700, 6)), rng.normal(size=(300, 6)).round(2)])
    answer = forest.predict(rows)
    assert np.abs(answer - model.predict(rows)).max() < 1e-6 and forest.trees == 40
    assert answer.min() >= target.min() and answer.max() <= target.max() + 1e-7
    np.testing.assert_allclose(answer[:50], [walk(forest, row) for row in rows[:50].astype(np.float32)], atol=1e-7)


def test_rows_on_a_threshold_go_where_scikit_learn_sends_them(fitted):
    """Thresholds are halfway between float32 values and often no float32 themselves."""
    model, _ = fitted
    forest = Forest.from_sklearn(model)
    exact = np.concatenate([tree.tree_.threshold[tree.tree_.feature >= 0] for tree in model.estimators_])[:300]
    near = np.stack([np.nextafter(exact.astype(np.float32), np.float32(side)) for side in (-9, 9)])
    rows = np.repeat(np.concatenate([exact.astype(np.float32), *near])[:, None], 6, axis=1)
    assert np.abs(forest.predict(rows) - model.predict(rows)).max() < 1e-6


def test_a_row_does_not_depend_on_its_batch(fitted):
    forest = Forest.from_sklearn(fitted[0])
    rows = np.random.default_rng(2).normal(size=(1000, 6))
    together = forest.predict(rows)
    assert np.array_equal(together, np.concatenate([forest.predict(rows[i : i + 1]) for i in range(1000)]))
    assert forest.predict(np.empty((0, 6))).shape == (0,)


def test_one_leaf_says_the_mean():
    model = RandomForestRegressor(3, bootstrap=False, max_depth=1, min_samples_leaf=4)
    forest = Forest.from_sklearn(model.fit(np.arange(4.0)[:, None], [0.0, 0.5, 0.25, 0.25]))
    assert forest.predict([[0.0], [99.0]]).tolist() == [0.25, 0.25]


def test_arrays_travel_bit_for_bit_and_the_seed_decides_them(fitted):
    model, target = fitted
    forest = Forest.from_sklearn(model)
    back = Forest.from_arrays(forest.to_arrays(), columns=6)
    assert back.hash == forest.hash
    for name, array in forest.to_arrays().items():
        assert array.dtype == getattr(back, name).dtype and array.tobytes() == getattr(back, name).tobytes()
    rng = np.random.default_rng(0)
    table = rng.normal(size=(600, 6)).astype(np.float32).round(2)
    hashes = [
        Forest.from_sklearn(RandomForestRegressor(5, random_state=seed).fit(table, target)).hash for seed in (1, 1, 2)
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_what_is_no_forest_is_refused(fitted):
    forest = Forest.from_sklearn(fitted[0])
    whole = forest.to_arrays()

    def spoilt(name, change):
        array = whole[name].copy()
        return {**whole, name: change(array)}

    def put(value, place=0):
        def change(array):
            array[place] = value
            return array

        return change

    for arrays in (
        spoilt("left", put(0)),
        spoilt("right", put(10**9)),
        spoilt("feature", put(6)),
        spoilt("feature", put(-1)),
        spoilt("threshold", put(np.nan)),
        spoilt("roots", put(-1)),
        spoilt("roots", lambda array: array[:0]),
        spoilt("value", lambda array: array[1:]),
        spoilt("value", lambda array: array.astype(np.float64)),
        spoilt("value", lambda array: array * np.nan),
        {name: array for name, array in whole.items() if name != "left"},
    ):
        with pytest.raises(InputError, match="no forest") as error:
            Forest.from_arrays(arrays, columns=6)
        assert error.value.reason == "forest"
    with pytest.raises(InputError):
        Forest.from_arrays(whole, columns=0)


def test_wrong_calls_say_what_is_needed(fitted):
    forest = Forest.from_sklearn(fitted[0])
    with pytest.raises(UsageError, match=r"from \(B, 6\); got \(2, 5\)"):
        forest.predict(np.zeros((2, 5)))
    with pytest.raises(UsageError, match="finite"):
        forest.predict(np.full((1, 6), np.nan))
    table, target = np.arange(8.0).reshape(4, 2), np.array([0, 1, 0, 1])
    for wrong in (
        RandomForestRegressor(),
        RandomForestClassifier(3).fit(table, target),
        RandomForestRegressor(3).fit(table, np.column_stack([target, target])),
        object(),
    ):
        with pytest.raises(UsageError, match=r"RandomForestRegressor is needed|one output"):
            Forest.from_sklearn(wrong)
