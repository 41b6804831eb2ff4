"""Whatever explains pairs: it finds the known answer, treats both faces alike, and keeps its budget."""

import inspect

import numpy as np
import pytest

import two_patches
from two_patches import AGAINST, CORNER, FOR, TwoPatches, TwoPatchesTorch, crop, crops
from visavis import registry
from visavis.errors import DependencyError, UsageError
from visavis.types import Crops, Failure, Status
from visavis.types.protocols import PairExplainer

NAMES = registry.names("explainer/*")


@pytest.fixture(params=NAMES)
def kind(request):
    try:
        found = registry.load(request.param)
        if found.needs_gradients:
            pytest.importorskip("torch")
    except DependencyError as error:
        pytest.skip(str(error))
    return found


def make(kind, **options):
    return kind(TwoPatchesTorch() if kind.needs_gradients else TwoPatches(), **options)


def explain(kind, left, right, **options):
    return make(kind, **options).explain(left, right)


def maps(explanations):
    return np.array([(one.left, one.right) for one in explanations])


def close(one, two):
    """Equal up to rounding, on the scale of the maps."""
    return np.abs(np.subtract(one, two)).max() <= 1e-4 * max(np.abs(two).max(), 1e-6)


def test_it_keeps_the_protocol(kind):
    explainer = make(kind)
    assert isinstance(explainer, PairExplainer) and kind.name in NAMES
    assert list(inspect.signature(kind.explain).parameters) == ["self", "left", "right"]
    assert "budget" in inspect.signature(kind).parameters


def test_it_finds_what_spoke_for_and_what_against(kind):
    (found,) = explain(kind, *two_patches.pair())
    assert found.method == kind.name and found.similarity == pytest.approx(0.468, abs=2e-3)
    for values in (found.left, found.right):
        assert values.shape == (112, 112) and values.dtype == np.float32 and np.isfinite(values).all()
        assert values[FOR].mean() > 0 > values[AGAINST].mean()
        assert np.abs(values[CORNER].mean()) < 0.25 * min(values[FOR].mean(), -values[AGAINST].mean())


def test_swapping_the_faces_swaps_the_maps(kind):
    left, right = two_patches.pair()
    (one,), (two,) = explain(kind, left, right), explain(kind, right, left)
    assert close(one.left, two.right) and close(one.right, two.left)


def test_identical_faces_get_identical_maps(kind):
    left, _ = two_patches.pair()
    (found,) = explain(kind, left, left)
    assert found.similarity == pytest.approx(1) and close(found.left, found.right)


def test_a_batch_is_its_pairs(kind):
    left = crops(crop(228, 188, 1), crop(30, 188, 3), crop(200, 90, 5))
    right = crops(crop(228, 67, 2), crop(60, 150, 4), crop(228, 188, 6))
    together = maps(explain(kind, left, right))
    alone = [maps(explain(kind, left[row], right[row]))[0] for row in range(3)]
    assert close(together, alone)
    assert len(explain(kind, left[[]], right[[]])) == 0


def test_the_same_call_gives_the_same_maps(kind):
    left, right = two_patches.pair()
    before = left.pixels.copy()
    assert np.array_equal(maps(explain(kind, left, right)), maps(explain(kind, left, right)))
    assert np.array_equal(left.pixels, before)
    if "seed" in inspect.signature(kind).parameters:
        first, other = (maps(explain(kind, left, right, seed=seed)) for seed in (0, 1))
        assert not np.array_equal(first, other)


@pytest.mark.parametrize("factor", [1.0, 0.5, 1.7])
def test_the_budget_is_kept_and_the_passes_are_counted(kind, factor):
    budget = int(inspect.signature(kind).parameters["budget"].default * factor)
    try:
        explainer = make(kind, budget=budget)
        found = explainer.explain(*(side[[0, 0]] for side in two_patches.pair()))
    except UsageError:
        assert factor < 1
        return
    assert explainer.embedder.seen == sum(one.passes for one in found) <= 2 * budget


def test_a_budget_that_is_too_small_is_refused(kind):
    with pytest.raises(UsageError, match="budget"):
        explain(kind, *two_patches.pair(), budget=1)


def test_rows_that_are_no_pairs_are_refused(kind):
    left, right = two_patches.pair()
    with pytest.raises(UsageError, match="one row a pair"):
        explain(kind, left, right[[0, 0]])
    failed = Crops(right.pixels, right.matrices, right.template, Status((Failure("no-face", "nobody"),)))
    with pytest.raises(UsageError, match="no-face"):
        explain(kind, left, failed)
