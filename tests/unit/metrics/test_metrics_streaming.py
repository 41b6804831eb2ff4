from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from visavis.errors import UsageError
from visavis.metrics import exact_quantiles, nonmated_blocks, streaming_threshold_at_fmr, threshold_at_fmr

floats = st.one_of(
    st.floats(width=32, allow_infinity=False, allow_nan=True), st.sampled_from([0.0, -0.0, 0.5, 0.25, -1.0])
)
streams = arrays(np.float32, st.integers(1, 60), elements=floats)


def cut(scores, size=7):
    return lambda: (scores[start : start + size] for start in range(0, len(scores), size))


@settings(max_examples=200, deadline=None)
@given(streams)
def test_quantiles_are_the_sorted_scores(scores):
    ordered = np.sort(scores[~np.isnan(scores)])
    found = exact_quantiles(cut(scores), range(len(ordered)))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, ordered)


@settings(max_examples=200, deadline=None)
@given(streams, st.floats(0, 1))
def test_streaming_threshold_is_the_threshold_of_the_whole(scores, target):
    assert streaming_threshold_at_fmr(cut(scores), target) == threshold_at_fmr(scores, target)


@pytest.mark.parametrize("target", [0.0, 1e-6, 1e-4, 1e-3, 0.1, 1.0])
def test_thresholds_of_a_long_stream_with_ties_and_failures(target):
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 0.1, 300_000).astype(np.float32).round(3)
    scores[rng.random(300_000) < 0.01] = np.nan
    assert streaming_threshold_at_fmr(cut(scores, 4096), target) == threshold_at_fmr(scores, target)


def test_more_bins_than_one_pass_holds():
    scores = np.random.default_rng(1).permutation(np.geomspace(1e-30, 1e30, 3000).astype(np.float32))
    np.testing.assert_array_equal(exact_quantiles(cut(scores, 500), range(0, 3000, 2)), np.sort(scores)[::2])


@pytest.mark.parametrize("block_rows", [1, 4, 100])
def test_blocks_hold_every_nonmated_pair_once(block_rows):
    rng = np.random.default_rng(2)
    people = np.array(["a", "b", "a", "c", "b", "d", "e", "a", "f"])
    vectors = rng.standard_normal((9, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[5] = np.nan
    wanted = [vectors[i] @ vectors[j] for i, j in combinations(range(9), 2) if people[i] != people[j]]
    blocks = nonmated_blocks(vectors, people, block_rows=block_rows)
    once, again = np.concatenate(list(blocks())), np.concatenate(list(blocks()))
    np.testing.assert_array_equal(once, again)
    np.testing.assert_allclose(np.sort(once), np.sort(wanted), rtol=1e-5, atol=1e-6)
    assert max(block.size for block in blocks()) <= block_rows**2
    assert streaming_threshold_at_fmr(blocks, 0.1) == threshold_at_fmr(once, 0.1)


def test_all_failed_accepts_nothing_whatever_the_threshold():
    failed = np.full(5, np.nan, dtype=np.float32)
    assert streaming_threshold_at_fmr(cut(failed), 0.0) == threshold_at_fmr(failed, 0.0) == -math.inf


def test_bad_streams_are_refused():
    good = np.array([0.1, 0.2], dtype=np.float32)
    spent = iter([good])
    with pytest.raises(UsageError, match="second pass"):
        exact_quantiles(lambda: spent, [0])
    with pytest.raises(UsageError, match="float32"):
        exact_quantiles(lambda: [good.astype(np.float64)], [0])
    with pytest.raises(UsageError, match="finite"):
        exact_quantiles(lambda: [np.array([np.inf], dtype=np.float32)], [0])
    with pytest.raises(UsageError, match="ranks"):
        exact_quantiles(lambda: [good], [2])
    with pytest.raises(UsageError, match="no scores"):
        streaming_threshold_at_fmr(list, 0.1)
    with pytest.raises(UsageError, match="norm"):
        nonmated_blocks(np.ones((2, 3), dtype=np.float32), [0, 1])
