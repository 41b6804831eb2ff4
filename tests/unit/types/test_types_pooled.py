"""How several templates of one person become one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.errors import UsageError
from visavis.recognition.pooling import pool, pooled_count
from visavis.types import Provenance, Status, Templates, TemplateSpace
from visavis.types.pooled import best_pictures, pooling_weights

SPACE = TemplateSpace("d", "five-point", "arcface-112", "0" * 64, 8)
MADE_BY = Provenance("tests", "none", "fp32", "0", "0")
NAN = float("nan")


def templates_of(rng, count, quality):
    raw = rng.normal(size=(count, 8)) + 0.5
    norms = np.linalg.norm(raw, axis=1)
    return raw, Templates(raw / norms[:, None], norms, Status.good(count), quality, SPACE, MADE_BY)


def by_hand(raw, quality, rule):
    """One row at a time, with plain numbers."""
    total = np.zeros(8)
    for row, score in zip(raw, quality, strict=True):
        unit = row / np.sqrt(sum(value * value for value in row))
        if rule == "norm":
            total = total + row  # raw embeddings, averaged
        elif rule == "mean":
            total = total + unit
        else:
            total = total + (score if score >= 1 else 1) * unit
    return total / np.sqrt(sum(value * value for value in total))


@settings(deadline=None)
@given(st.integers(2, 9), st.integers(0, 200), st.sampled_from(["mean", "norm", "quality"]))
def test_the_rules_are_what_they_say(count, seed, rule):
    rng = np.random.default_rng(seed)
    quality = rng.uniform(-5, 100, count)
    quality[rng.random(count) < 0.2] = NAN
    raw, templates = templates_of(rng, count, quality)
    pooled = pool(templates, by=rule)
    assert np.allclose(pooled.vectors[0], by_hand(raw, quality, rule), atol=1e-5)
    assert pooled.space.pooling == f"{rule}-{count}" and pooled_count(pooled.space) == count
    assert np.allclose(pool(templates[::-1], by=rule).vectors, pooled.vectors, atol=1e-6)


def test_equal_weights_are_the_mean():
    _, templates = templates_of(np.random.default_rng(3), 4, np.full(4, 62.0))
    for rule in ("quality", "mean"):
        assert np.allclose(pool(templates, by=rule).vectors, pool(templates).vectors, atol=1e-7)
    same = Templates(
        templates.vectors, np.full(4, 9.0), templates.status, templates.quality, SPACE, MADE_BY
    )  # norms that do not differ
    assert np.allclose(pool(same, by="norm").vectors, pool(templates).vectors, atol=1e-7)


def test_the_best_is_one_template_as_it_was():
    _, templates = templates_of(np.random.default_rng(5), 4, np.array([10, NAN, 70, 70.0]))
    best = pool(templates, by="best")
    assert np.array_equal(best.vectors, templates.vectors[2:3]) and best.space.pooling == "none"
    other = pool(templates, by="best", quality=[10, 90, 70, 70])
    assert np.array_equal(other.vectors, templates.vectors[1:2])
    assert pooling_weights("best", [10, NAN, 70, 70], np.ones(4)).tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize(
    ("quality", "most", "rows"),
    [
        ([3.0, 9, 9, 1], 1, [1]),
        ([3.0, 9, 9, 1], 3, [1, 2, 0]),
        ([NAN, NAN], 1, [0]),
        ([NAN, 0.0, 5], 9, [2, 1, 0]),
    ],
)
def test_the_best_come_first_and_unknown_ones_last(quality, most, rows):
    assert best_pictures(quality, most=most).tolist() == rows


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: pooling_weights("median", [1], [1]), "mean, norm, quality, best"),
        (lambda: pooling_weights("mean", [1, 2], [1]), "a number a template"),
        (lambda: pooling_weights("norm", [1, 2], [1, 0]), "needs the norm"),
        (lambda: pooling_weights("norm", [1, 2], [1, NAN]), "needs the norm"),
        (lambda: best_pictures([]), "one or more"),
        (lambda: best_pictures([1], most=0), "most=0"),
        (lambda: pool(templates_of(np.random.default_rng(0), 2, np.ones(2))[1], quality=[1]), "a quality a row"),
        (lambda: pool(templates_of(np.random.default_rng(0), 1, np.ones(1))[1], by="median"), "median"),
    ],
)
def test_what_does_not_fit_is_refused(call, word):
    with pytest.raises(UsageError, match=word):
        call()
