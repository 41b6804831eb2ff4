"""One byte a value: exact products, what the rounding costs, and rows that failed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.errors import SpaceError, UsageError
from visavis.recognition.compact import CompactTemplates
from visavis.types import Failure, Provenance, Status, Templates, TemplateSpace
from visavis.types.codes import (
    code_lengths,
    code_products,
    code_scale,
    code_similarities,
    dequantise,
    quantise,
)

SPACE = TemplateSpace("d", "five-point", "arcface-112", "r", 8)
MADE = Provenance("m", "e", "fp32", "1", "1")


def units(count, dimension, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def templates(count=6, failed=(), seed=0, space=SPACE):
    vectors = units(count, space.dimension, seed)
    status = Status(tuple(Failure("no-face", "none") if row in failed else None for row in range(count)))
    return Templates(vectors, np.arange(count), status, np.full(count, 50.0), space, MADE)


def test_a_thousand_random_faces_lose_less_than_a_hundredth_of_a_cosine():
    vectors = units(1000, 128)
    codes = quantise(vectors, scale=code_scale(vectors))
    exact = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    error = np.abs(code_similarities(codes, codes) - exact).max()
    assert error <= 0.01 and codes.dtype == np.int8 and codes.nbytes == 128 * 1000
    fixed = quantise(vectors, scale=1.0)
    assert np.abs(code_similarities(fixed, fixed) - exact).max() > 2 * error
    own = quantise(vectors)
    assert np.abs(code_similarities(own, own) - exact).max() < error and (np.abs(own).max(axis=1) == 127).all()


@pytest.mark.parametrize("dimension", [1, 128, 1040, 1041, 4096])
def test_products_are_those_of_whole_numbers(dimension):
    rng = np.random.default_rng(1)
    left, right = (rng.integers(-127, 128, (5, dimension)).astype(np.int8) for _ in range(2))
    left[0], right[0] = 127, -127
    found = code_products(left, right)
    assert found.dtype == np.int32
    assert np.array_equal(found, left.astype(np.int64) @ right.astype(np.int64).T)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.floats(0.05, 1.0), st.integers(0, 99))
def test_a_code_is_within_half_a_step_and_cut_at_the_scale(dimension, scale, seed):
    vectors = units(4, dimension, seed)
    try:
        codes = quantise(vectors, scale=scale)
    except UsageError:
        pytest.fail("a unit vector vanished")
    inside = np.abs(vectors) <= scale
    assert (np.abs(codes * scale / 127 - vectors)[inside] <= scale / 254 + 1e-6).all()
    assert (np.abs(codes[~inside].astype(int)) == 127).all()
    assert np.array_equal(np.sign(codes), np.sign(codes) * (np.sign(codes) == np.sign(vectors)))


def test_decoded_vectors_have_unit_length_whatever_the_scale_and_give_the_cosines_of_the_codes():
    codes = quantise(units(9, 16), scale=0.9)
    vectors = dequantise(codes)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    slow = [
        [float(a @ b) / np.sqrt(float(a @ a) * float(b @ b)) for b in codes.astype(float)] for a in codes.astype(float)
    ]
    assert np.allclose(code_similarities(codes, codes), slow, atol=1e-6)
    assert np.allclose(vectors @ vectors.T, slow, atol=1e-6)
    assert np.allclose(code_lengths(codes), np.linalg.norm(codes.astype(float), axis=1))


def test_a_row_that_failed_is_zeros_and_compares_as_nan():
    vectors = units(3, 8)
    vectors[1] = np.nan
    codes = quantise(vectors, scale=code_scale(vectors))
    assert not codes[1].any() and np.isnan(dequantise(codes)[1]).all()
    found = code_similarities(codes, codes)
    assert np.isnan(found[1]).all() and np.isnan(found[:, 1]).all() and np.isfinite(found[::2, ::2]).all()


def test_compact_templates_keep_space_status_and_names_and_say_what_they_dropped():
    full = templates(failed=(2,))
    compact = CompactTemplates.of(full, names=tuple("abcdef"))
    assert compact.status == full.status and compact.space == full.space and compact.made_by == full.made_by
    decoded = compact.decoded()
    good = full.ok
    assert np.allclose(decoded.vectors[good], full.vectors[good], atol=0.01) and np.isnan(decoded.vectors[2]).all()
    assert np.isnan(decoded.norms).all() and np.isnan(decoded.quality).all()
    some = compact[[1, 3]]
    assert some.names == ("b", "d") and np.allclose(some.similarity(compact)[0, 1], 1, atol=1e-6)
    assert CompactTemplates.of(full, scale=0.5).scale == 0.5 and compact.scale == 0


def test_codes_of_two_spaces_are_not_compared_unless_one_is_compatible_with_the_other():
    from dataclasses import replace

    old = templates()
    other = replace(SPACE, recogniser="r2")
    with pytest.raises(SpaceError, match="recogniser"):
        CompactTemplates.of(old).similarity(CompactTemplates.of(templates(space=other)))
    newer = replace(other, compatible=(SPACE.fingerprint,))
    assert CompactTemplates.of(templates(space=newer)).similarity(CompactTemplates.of(old)).shape == (6, 6)


def test_what_does_not_fit_is_refused():
    codes = quantise(units(2, 8), scale=1.0)
    for call, words in (
        (lambda: quantise(units(2, 8), scale=0.0), "above 0"),
        (lambda: quantise(units(2, 8), scale=np.nan), "above 0"),
        (lambda: quantise(units(2, 8), scale=1000.0), "zero in every byte"),
        (lambda: quantise(np.zeros((1, 8))), "a vector is zero"),
        (lambda: quantise(units(2, 8)[0], scale=1.0), r"\(N, D\)"),
        (lambda: code_scale(np.full((2, 3), np.nan)), "did not fail"),
        (lambda: code_products(codes, codes[:, :4]), "8 and 4"),
        (lambda: code_products(codes.astype(np.int16), codes), "int8"),
        (lambda: CompactTemplates(codes, 1.0, Status.good(3), SPACE, MADE), "N rows of status"),
        (lambda: CompactTemplates(codes, 1.0, Status.good(2), SPACE, MADE, names=("a",)), "one name a row"),
    ):
        with pytest.raises(UsageError, match=words):
            call()
