"""The parts of the proof: bounds hold where they are tightest, codes are what they say, FAISS multiplies exactly."""

import itertools

import numpy as np
import pytest

from index_faces import faces, unit
from visavis.errors import UsageError
from visavis.gallery.index import faiss_view
from visavis.gallery.index.bounds import UNIT, product_bound, summation_error
from visavis.gallery.index.scan_codes import hard_rows, scan_codes, scan_probes, scan_rounding, scan_scale
from visavis.gallery.index.similarity import best_first, exact_similarities
from visavis.gallery.index.vectors import packed, unpacked
from visavis.types.codes import dequantise, quantise

SCANS = ("int8", "float16", "float32")


@pytest.mark.parametrize("dimension", [1, 3, 8, 64, 127, 512, 2000])
def test_a_row_has_one_similarity_wherever_it_stands(dimension):
    rng = np.random.default_rng(dimension)
    rows, probe = faces(rng, 5000, dimension), faces(rng, 1, dimension)[0]
    together = exact_similarities(rows, probe)
    spots = rng.integers(0, 5000, 20)
    assert np.array_equal(together[spots], exact_similarities(rows[spots], probe))
    for spot in spots[:5]:
        assert together[spot] == exact_similarities(rows[spot : spot + 1], probe)[0]
        true = sum(float(a) * float(b) for a, b in zip(rows[spot], probe, strict=True))
        assert abs(float(together[spot]) - true) <= UNIT


def test_equal_similarities_are_ordered_by_key():
    keys, similarity = np.array([9, 4, 7, 1]), np.array([0.5, 0.5, 0.9, -0.0], np.float32)
    assert keys[best_first(keys, similarity, 3)].tolist() == [7, 4, 9]


@pytest.mark.parametrize("scan", SCANS)
@pytest.mark.parametrize("dimension", [2, 17, 128, 512, 1041])
def test_no_product_lies_beyond_its_bound(scan, dimension):
    """Also where rows were made against the probe: all rounding to one side, values cut off, half-way values."""
    rng = np.random.default_rng(dimension)
    probes = faces(rng, 3, dimension)
    against = unit(probes[:1] + 1e-3 * np.sign(probes[:1]))
    rows = np.concatenate([faces(rng, 200, dimension), probes, against, np.eye(dimension, dtype=np.float32)[:5]])
    step = scan_scale(rows[:200])
    rows = np.concatenate([rows, unit(np.sign(probes[0]) * (np.floor(np.abs(rows[:50]) / step) + 0.499) * step)])
    codes, errors = scan_codes(rows, scan, step=step)
    values = codes.astype(np.float64) - 128 if scan == "int8" else codes.astype(np.float64)
    seen = scan_probes(probes, scan)
    unit_step = step if scan == "int8" else 1.0
    for number, probe in enumerate(probes):
        products, found = faiss_view.faiss_view(codes, scan).search(seen.codes[number : number + 1], len(rows))
        if scan == "int8":
            assert np.array_equal(products[0], (values[found[0]] @ seen.codes[number]).astype(np.float32))
        scanned = products[0].astype(np.float64) * seen.units[number] * unit_step
        bound = product_bound(
            seen.lengths[number],
            seen.errors[number],
            errors[found[0]].astype(np.float64),
            longest=1.001,
            rounding=scan_rounding(scan, dimension),
        )
        true = exact_similarities(rows[found[0]], probe)
        assert (np.abs(scanned - true) <= bound).all()


def test_the_bound_is_reached_by_errors_in_the_direction_of_the_probe():
    """In one dimension Cauchy and Schwarz is an equation: nothing is given away but rounding."""
    probe, row, other = np.array([[1.0]]), 0.7, 0.69
    bound = product_bound(1.0, 0.0, row - other, longest=1.0, rounding=summation_error(1, largest_step=127))
    assert abs(float(probe[0, 0]) * (row - other)) <= bound <= (row - other) + 1e-6


def test_sums_of_whole_numbers_are_exact_up_to_1040_values():
    assert summation_error(1040, largest_step=127) < 3e-7 < summation_error(1041, largest_step=127)
    assert summation_error(512) > 512 * UNIT


@pytest.mark.parametrize("dimension", [1, 2, 3, 15, 16, 17, 100, 129, 512, 1040, 1041, 2048])
def test_faiss_multiplies_codes_as_whole_numbers(dimension):
    rng = np.random.default_rng(dimension)
    values = rng.integers(-127, 128, (300, dimension))
    values[0], values[1] = 127, -127
    probes = rng.integers(-127, 128, (3, dimension))
    probes[0] = 127
    codes = (values + 128).astype(np.uint8)
    products, rows = faiss_view.faiss_view(codes, "int8").search(probes.astype(np.float32), 20)
    expected = probes @ values.T
    assert np.array_equal(products, np.take_along_axis(expected, rows, axis=1).astype(np.float32))
    assert np.array_equal(products, -np.sort(-expected, axis=1)[:, :20].astype(np.float32))


@pytest.mark.parametrize("scan", SCANS)
def test_views_and_copies_answer_alike(scan, monkeypatch):
    rng = np.random.default_rng(0)
    vectors = faces(rng, 500, 24)
    codes, _ = scan_codes(vectors, scan, step=scan_scale(vectors))
    probes = scan_probes(faces(rng, 4, 24), scan).codes
    keep = np.packbits(np.arange(500) % 3 == 0, bitorder="little")
    assert faiss_view._views_work(scan)
    viewed = faiss_view.faiss_view(codes, scan)
    monkeypatch.setattr(faiss_view, "_views_work", lambda _: False)
    copied = faiss_view.faiss_view(codes, scan)
    for bits in (None, keep):
        for one, two in zip(viewed.search(probes, 9, keep=bits), copied.search(probes, 9, keep=bits), strict=True):
            assert np.array_equal(one, two)
    assert (viewed.search(probes, 9, keep=keep)[1] % 3 == 0).all()


def test_a_release_of_faiss_whose_views_differ_is_found_out(monkeypatch):
    faiss_view._views_work.cache_clear()
    monkeypatch.setattr(faiss_view, "_viewed", lambda codes, scan: faiss_view._copied(codes[::-1][:60], scan))
    assert not faiss_view._views_work("int8")
    faiss_view._views_work.cache_clear()


def test_the_step_serves_the_many_and_odd_rows_are_hard():
    rng = np.random.default_rng(1)
    vectors = faces(rng, 4096, 64)
    step = scan_scale(vectors)
    with_odd = np.concatenate([vectors, np.eye(64, dtype=np.float32)[:3]])
    assert scan_scale(with_odd) <= 1.05 * step
    errors = scan_codes(with_odd, "int8", step=step)[1]
    assert {4096, 4097, 4098} <= set(hard_rows(errors).tolist()) and len(hard_rows(errors)) <= 4
    for other in (0.8 * step, 1.25 * step):
        assert np.quantile(scan_codes(vectors, "int8", step=other)[1], 0.999) >= 0.99 * np.quantile(
            errors[:4096], 0.999
        )


def test_one_byte_a_value_is_kept_only_where_it_gives_the_same_again():
    rng = np.random.default_rng(2)
    vectors = dequantise(quantise(faces(rng, 300, 20)))
    kept = packed(vectors)
    assert kept is not None and kept.dtype == np.int8 and np.array_equal(unpacked(kept), vectors)
    vectors[7, 3] = np.nextafter(vectors[7, 3], np.float32(1))
    assert packed(vectors) is None
    assert packed(np.zeros((2, 4), np.float32)) is None
    assert not unpacked(np.zeros((2, 4), np.int8)).any()


def test_an_unknown_format_is_refused():
    from visavis.gallery.index.scan_codes import scan_dtype

    with pytest.raises(UsageError, match="int8, float16, float32"):
        scan_dtype("int4")


def test_tiers_are_merged_by_eights():
    from types import SimpleNamespace

    from visavis.gallery.index.upkeep import parts_to_merge

    def part(rows, whole=None):
        return SimpleNamespace(count=rows, segment=range(whole or rows))

    small, large = [part(5000)] * 7, [part(200_000)] * 7
    assert parts_to_merge([*small, *large]) == []
    assert [one.count for one in parts_to_merge([*small, part(4096), *large])] == [5000] * 7 + [4096]
    assert len(parts_to_merge([*small, *large, part(100_000)])) == 8
    half = part(500, 1000)
    assert parts_to_merge([*large, half]) == [half]
    sizes, written = [], 0
    for _ in range(600):  # a gallery that grows by one tail after the other
        sizes.append(part(4096))
        written += 4096
        while some := parts_to_merge(sizes):
            total = sum(one.count for one in some)
            kept = list(itertools.filterfalse(lambda one, some=some: any(one is other for other in some), sizes))
            sizes = [*kept, part(total)]
            written += total
    assert len(sizes) < 3 * 8 and written < 4.5 * 600 * 4096
