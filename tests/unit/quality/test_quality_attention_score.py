"""The closed form of the mean attention logit against all pairs written out, and its invariants."""

import numpy as np
import pytest

from visavis.errors import UsageError
from visavis.quality.attention_score import Projection, attention_map, attention_map_of_tokens, attention_score

RNG = np.random.default_rng(5)


def all_pairs(query, key):
    """Every logit, ``(..., heads, T, T)``."""
    return np.einsum("...id,...jd->...ij", query, key) * query.shape[-1] ** -0.5


def projected(tokens, weight, bias, heads):
    values = tokens @ weight.T + (0 if bias is None else bias)
    return values.reshape(*values.shape[:-1], heads, -1).swapaxes(-2, -3)


@pytest.fixture
def tokens():
    return RNG.normal(size=(3, 49, 24))


@pytest.fixture(params=[False, True], ids=["plain", "bias"])
def projection(request):
    query, key = RNG.normal(size=(2, 24, 24))
    biases = RNG.normal(size=(2, 24)) if request.param else (None, None)
    return Projection(query, key, 4, *biases)


def test_the_known_value_of_random_queries_and_keys():
    rng = np.random.default_rng(0)
    query, key = rng.standard_normal((8, 196, 64)), rng.standard_normal((8, 196, 64))
    assert all_pairs(query, key).mean() == pytest.approx(-0.0024240356796398, abs=1e-15)
    assert attention_map(query, key).astype(np.float64).mean() == pytest.approx(-0.0024240356796398, abs=1e-6)


def test_the_map_is_the_mean_logit_that_each_token_receives(tokens, projection):
    query = projected(tokens, projection.query, projection.query_bias, 4)
    key = projected(tokens, projection.key, projection.key_bias, 4)
    slow = all_pairs(query, key).mean(axis=(1, 2))
    np.testing.assert_allclose(attention_map(query, key), slow, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(attention_map_of_tokens(tokens, projection), slow, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(attention_score(tokens, projection), slow.mean(axis=1), rtol=1e-5, atol=1e-5)


def test_tokens_in_another_order_leave_the_score_and_reorder_the_map(tokens, projection):
    order = RNG.permutation(tokens.shape[1])
    here, there = (attention_map_of_tokens(one, projection) for one in (tokens, tokens[:, order]))
    np.testing.assert_allclose(there, here[:, order], atol=1e-5)
    np.testing.assert_allclose(attention_score(tokens[:, order], projection), here.mean(axis=1), atol=1e-5)


def test_the_score_is_linear_in_the_queries_and_shifts_with_the_keys():
    query, key = RNG.normal(size=(2, 3, 4, 25, 16))
    before = attention_map(query, key).mean(axis=-1)
    np.testing.assert_allclose(attention_map(query * 3, key).mean(axis=-1), 3 * before, rtol=1e-4, atol=1e-6)
    shift = RNG.normal(size=(4, 1, 16))
    moved = attention_map(query, key + shift).mean(axis=-1)
    expected = 16**-0.5 * (query.mean(axis=-2) * shift[:, 0]).sum(axis=-1).mean(axis=-1)
    np.testing.assert_allclose(moved - before, expected, atol=1e-5)


def test_equal_tokens_give_a_constant_map(projection):
    tokens = np.repeat(RNG.normal(size=(2, 1, 24)), 49, axis=1)
    found = attention_map_of_tokens(tokens, projection)
    query = projected(tokens, projection.query, projection.query_bias, 4)[:, :, 0]
    key = projected(tokens, projection.key, projection.key_bias, 4)[:, :, 0]
    expected = (query * key).sum(axis=-1).mean(axis=-1) * 6**-0.5
    np.testing.assert_allclose(found, np.repeat(expected[:, None], 49, axis=1), atol=1e-5)


def test_half_precision_is_summed_in_float32():
    query = np.full((1, 2048, 8), 3.0, np.float16)
    assert attention_map(query, query).mean() == pytest.approx(9 * 8 / 8**0.5, rel=1e-5)
    assert attention_map(query, query).dtype == np.float32


def test_shapes_that_do_not_fit_are_refused(projection):
    with pytest.raises(UsageError, match="one shape"):
        attention_map(np.zeros((2, 5, 4)), np.zeros((2, 6, 4)))
    with pytest.raises(UsageError, match=r"\(\.\.\., T, 24\); got \(49, 23\)"):
        attention_score(np.zeros((49, 23)), projection)
    with pytest.raises(UsageError, match="for 5 heads"):
        Projection(np.zeros((24, 24)), np.zeros((24, 24)), 5)
