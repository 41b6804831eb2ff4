"""An index answers what a plain loop over all rows answers, whatever it scans."""

import itertools
import threading

import numpy as np
import pytest

from index_faces import faces, same, slow_search, space, templates, unit
from visavis.errors import SpaceError, UsageError
from visavis.gallery.index import scan
from visavis.gallery.index.exact_index import ExactIndex
from visavis.gallery.index.segment import build_segment
from visavis.gallery.index.segment_index import SegmentIndex
from visavis.gallery.index.state import Part
from visavis.types.codes import dequantise, quantise
from visavis.types.protocols import Index

SCANS = ("int8", "float16", "float32")


@pytest.fixture
def small_parts(monkeypatch):
    """Segments of some hundred rows are scanned, in blocks of 64 rows, so that all paths are walked quickly."""
    monkeypatch.setattr("visavis.gallery.index.scope.DIRECT", 8)
    monkeypatch.setattr(scan, "_LEAST_ROWS", 64)
    monkeypatch.setattr(scan, "_FINE_BYTES", 1)
    monkeypatch.setattr(scan, "_WIDE", 4)
    monkeypatch.setattr(scan, "_WIDE_K", 1)
    monkeypatch.setattr(scan, "_NARROW", 2)
    monkeypatch.setattr(scan, "_DEEPER", 2)


def scanned(keys, vectors, how, *, cuts=()):
    """An index whose rows are all in segments."""
    order = np.argsort(keys)
    keys, vectors = np.asarray(keys)[order], vectors[order]
    ends = [0, *cuts, len(keys)]
    parts = []
    for start, end in itertools.pairwise(ends):
        rows = vectors[start:end]
        made = build_segment(keys[start:end], lambda a, b, rows=rows: rows[a:b], dimension=vectors.shape[1], scan=how)
        parts.append(Part(made))
    index = SegmentIndex(space(vectors.shape[1]), scan=how, threads=2)
    index.restart(parts, revision=1, changes=())
    return index


def both_ways(index, probes, *, k, among=None):
    """All probes at once and one after the other: one answer."""
    together = index.search(templates(probes), k=k, among=among)
    for row in range(len(probes)):
        alone = index.search(templates(probes[row : row + 1]), k=k, among=among)
        same(alone, (together.keys[row : row + 1], together.similarity[row : row + 1]))
    return together


@pytest.mark.parametrize("how", SCANS)
@pytest.mark.parametrize("dimension", [1, 2, 7, 16, 33, 128, 513, 1041])
def test_any_dimension(small_parts, how, dimension):
    rng = np.random.default_rng(dimension)
    vectors = faces(rng, 600, dimension, people=40)
    keys = rng.permutation(6000)[:600]
    probes = np.concatenate([faces(rng, 4, dimension), vectors[:3], unit(vectors[3:6] + 0.1 * vectors[6:9])])
    index = scanned(keys, vectors, how, cuts=(150, 151))
    for k in (1, 10):
        same(both_ways(index, probes, k=k), slow_search(keys, vectors, probes, k))


@pytest.mark.parametrize("how", SCANS)
def test_copies_and_ties_are_ordered_by_key(small_parts, how):
    rng = np.random.default_rng(3)
    vectors = faces(rng, 900, 24)
    vectors[100:500] = vectors[100]
    vectors[600:] = np.tile(vectors[600:603], (100, 1))
    keys = rng.permutation(900)
    probes = np.concatenate([vectors[100:101], vectors[600:603], unit(vectors[100:101] + vectors[600:601])])
    index = scanned(keys, vectors, how, cuts=(450,))
    same(both_ways(index, probes, k=25), slow_search(keys, vectors, probes, 25))
    same(both_ways(index, probes, k=5), slow_search(keys, vectors, probes, 5))
    assert index.counts.rescans > index.counts.fallbacks > 0


@pytest.mark.parametrize("how", SCANS)
def test_rows_that_codes_fit_badly(small_parts, how):
    """One-hot rows among flat ones, all but equal rows, rows that differ in the last bit, products about zero."""
    rng = np.random.default_rng(4)
    flat = unit(rng.choice([-1.0, 1.0], (3000, 64)))
    flat[5:8] = np.eye(64, dtype=np.float32)[:3]
    flat[10:200] = flat[10] + rng.integers(-1, 2, (190, 64)) * np.float32(2e-8)
    flat[300:310, 0] = np.nextafter(flat[300:310, 0], np.float32(2))
    cone = unit(np.ones(64) + 1e-4 * rng.standard_normal((1000, 64)))
    vectors = np.concatenate([flat, cone])
    probes = np.concatenate(
        [np.eye(64, dtype=np.float32)[[0, 1, 40]], flat[10:12], flat[300:301], cone[:2], faces(rng, 2, 64)]
    )
    index = scanned(np.arange(4000), vectors, how, cuts=(3000,))
    same(both_ways(index, probes, k=12), slow_search(np.arange(4000), vectors, probes, 12))
    hard = index.state.parts[0].segment.hard
    assert how != "int8" or len(hard) <= 2  # at most one row in 1,024


@pytest.mark.parametrize("seed", range(12))
def test_random_galleries_filters_and_removals(small_parts, seed):
    rng = np.random.default_rng(seed)
    size, dimension = int(rng.integers(1, 1200)), int(rng.integers(2, 40))
    how = SCANS[seed % 3]
    vectors = faces(rng, size, dimension, people=int(rng.integers(1, 60)), spread=rng.choice([0.0, 0.3, 2.0]))
    keys = rng.permutation(10 * size)[:size]
    index = scanned(keys, vectors, how, cuts=sorted(rng.integers(0, size + 1, 2)))
    gone = rng.choice(keys, int(rng.integers(0, size)), replace=False)
    extra, fresh = faces(rng, 20, dimension), np.arange(10 * size, 10 * size + 20)
    index.apply(fresh, extra, removed=gone)
    keys, vectors = np.concatenate([keys, fresh]), np.concatenate([vectors, extra])
    kept = ~np.isin(keys, gone)
    probes = np.concatenate([faces(rng, 3, dimension), vectors[rng.integers(0, len(vectors), 4)]])
    for k in (1, 7, 2000):
        same(both_ways(index, probes, k=k), slow_search(keys[kept], vectors[kept], probes, k))
    for share in (0.01, 0.5, 1.0):
        among = np.concatenate([rng.choice(keys, int(share * len(keys)), replace=False), [10**9]])
        inside = kept & np.isin(keys, among)
        same(both_ways(index, probes, k=5, among=among), slow_search(keys[inside], vectors[inside], probes, 5))
    assert len(index) == kept.sum()


@pytest.mark.parametrize("how", SCANS)
def test_large_enough_for_the_scan_as_it_is(how):
    rng = np.random.default_rng(9)
    vectors = faces(rng, 9000, 32, people=700)
    vectors[3000:4500] = vectors[3000]
    keys = rng.permutation(9000)
    probes = np.concatenate([faces(rng, 4, 32), vectors[3000:3001], vectors[:4]])
    index = scanned(keys, vectors, how)
    same(both_ways(index, probes, k=10), slow_search(keys, vectors, probes, 10))


def test_failed_probes_and_empty_indexes_find_nothing():
    rng = np.random.default_rng(0)
    index = ExactIndex(space(8))
    probes = faces(rng, 3, 8)
    assert (index.search(templates(probes), k=2).keys == -1).all()
    assert index.search(templates(probes[:0]), k=2).keys.shape == (0, 2)
    index.add(np.array([5]), templates(probes[:1]))
    found = index.search(templates(probes, failed=(0, 1, 2)), k=2)
    assert (found.keys == -1).all() and np.isnan(found.similarity).all()
    some = index.search(templates(probes, failed=(1,)), k=2)
    assert some.keys.tolist() == [[5, -1], [-1, -1], [5, -1]]
    assert (index.search(templates(probes), k=1, among=np.empty(0, np.int64)).keys == -1).all()


def test_add_remove_and_add_again():
    rng = np.random.default_rng(1)
    vectors = faces(rng, 9000, 12)
    index = ExactIndex(space(12), threads=1)
    assert isinstance(index, Index)
    for start in range(0, 9000, 1500):
        index.add(np.arange(start, start + 1500), templates(vectors[start : start + 1500]))
    assert index.rows.state.parts and len(index) == 9000
    index.remove(np.array([3, 8999, 3]))
    index.add(np.array([3]), templates(vectors[100:101]))
    assert index.search(templates(vectors[100:101]), k=2).keys.tolist() == [[3, 100]]
    keys = np.delete(np.arange(9000), 8999)
    changed = vectors[:8999].copy()
    changed[3] = vectors[100]
    same(index.search(templates(vectors[:9]), k=4), slow_search(keys, changed, vectors[:9], 4))
    index.close()


def test_what_is_refused():
    rng = np.random.default_rng(2)
    index = ExactIndex(space(4))
    rows = templates(faces(rng, 2, 4))
    index.add(np.array([1, 2]), rows)
    with pytest.raises(UsageError, match="the key 2 is there already"):
        index.add(np.array([2, 3]), rows)
    with pytest.raises(UsageError, match="stands twice"):
        index.add(np.array([7, 7]), rows)
    with pytest.raises(UsageError, match="whole numbers"):
        index.add(np.array([-7, 7]), rows)
    with pytest.raises(UsageError, match="row 1 failed"):
        index.add(np.array([8, 9]), templates(rows.vectors, failed=(1,)))
    with pytest.raises(UsageError, match="no row under the key 9"):
        index.remove(np.array([1, 9]))
    for bad in (0, 2.5, True, 10**11, 2**63):
        with pytest.raises(UsageError, match=f"k={bad}"):
            index.search(rows, k=bad)
    with pytest.raises(UsageError, match="whole numbers"):
        index.search(rows, k=1, among=np.array([2**63 + 1], np.uint64))
    with pytest.raises(SpaceError):
        index.search(templates(faces(rng, 1, 5)), k=1)
    with pytest.raises(SpaceError):
        index.add(np.array([8]), templates(faces(rng, 1, 5)))
    for bad in ({"scan": "int4"}, {"threads": 0}):
        with pytest.raises(UsageError):
            ExactIndex(space(4), **bad)
    with pytest.raises(UsageError, match="unit norm"):
        index.rows.apply(np.array([4]), 2 * rows.vectors[:1])
    assert len(index) == 2


def test_rows_of_one_byte_a_value_stay_so_and_mean_the_same():
    rng = np.random.default_rng(5)
    vectors = dequantise(quantise(faces(rng, 5000, 16)))
    index = scanned(np.arange(5000), vectors, "int8")
    assert index.state.parts[0].segment.meta.packed
    assert not scanned(np.arange(5000), vectors, "float32").state.parts[0].segment.meta.packed
    probes = np.concatenate([vectors[:4], faces(rng, 4, 16)])
    same(both_ways(index, probes, k=6), slow_search(np.arange(5000), vectors, probes, 6))


@pytest.mark.parametrize("tail", [True, False])
def test_writes_that_come_while_a_segment_is_made_are_kept(small_parts, tail):
    """Rows are set, replaced, removed and set again between the reading of the old rows and the swap."""
    rng = np.random.default_rng(11)
    vectors = faces(rng, 300, 12)
    index = scanned(np.arange(200), vectors[:200], "int8", cuts=(90,))
    index.apply(np.arange(200, 260), vectors[200:260], removed=np.arange(5))
    truth = dict(enumerate(vectors[:260]))
    for key in range(5):
        del truth[key]

    def write(keys, rows, gone):
        index.apply(np.array(keys), rows, removed=np.array(gone))
        for key in gone:
            truth.pop(key, None)
        truth.update(zip(keys, rows, strict=True))

    def build(keys, read):
        made = build_segment(keys, read, dimension=12, scan="int8")
        write([7, 100, 210, 280], vectors[260:264], [20, 120, 220])
        write([20, 220, 3], vectors[264:267], [100, 280])
        write([21], vectors[267:268], [21, 210])
        return made

    index.compact(build, index.state.parts, tail=tail)
    assert len(index.state.parts) == 1 and len(index.state.tail) == (8 if tail else 68)
    keys, rows = np.array(list(truth)), np.array(list(truth.values()))
    probes = np.concatenate([vectors[[7, 100, 210, 20]], vectors[260:268]])
    same(both_ways(index, probes, k=9), slow_search(keys, rows, probes, 9))
    assert len(index) == len(truth)


def test_eight_readers_while_one_writes():
    """Every answer is that of some state between two writes: rows are added in order, and the newest is found."""
    rng = np.random.default_rng(6)
    vectors = faces(rng, 12_000, 16)
    index = ExactIndex(space(16), threads=2)
    index.add(np.arange(500), templates(vectors[:500]))
    done, problems, searches = threading.Event(), [], []

    def read(seed):
        own = np.random.default_rng(seed)
        while not done.is_set():
            low = len(index)
            spot = int(own.integers(0, low))
            try:
                found = index.search(templates(vectors[spot : spot + 1]), k=3)
                assert found.keys[0, 0] == spot and found.similarity[0, 0] > 0.999999
                assert (found.keys < len(index)).all()
            except Exception as error:  # noqa: BLE001
                problems.append(error)
                return
            searches.append(1)

    readers = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
    for reader in readers:
        reader.start()
    for start in range(500, 12_000, 250):
        index.add(np.arange(start, start + 250), templates(vectors[start : start + 250]))
    done.set()
    for reader in readers:
        reader.join()
    assert not problems and len(searches) > 8
    assert len(index) == 12_000


@pytest.mark.parametrize("scan", ["int8", "float16", "float32"])
def test_what_a_proof_takes_for_the_longest_row_and_the_largest_error_is_that(scan):
    from visavis.gallery.index import search, segment_index

    vectors = faces(np.random.default_rng(3), 500, 16)
    vectors *= np.linspace(0.9991, 1.0009, 500, dtype=np.float32)[:, None]
    made = build_segment(np.arange(500), lambda start, end: vectors[start:end], dimension=16, scan=scan)
    assert made.meta.longest >= np.linalg.norm(vectors.astype(np.float64), axis=1).max()
    soft = np.isfinite(made.errors)
    assert made.meta.worst >= made.errors[soft].max() and soft.sum() >= 490
    assert search._TAIL_LONGEST >= 1 + segment_index._UNIT_TOLERANCE
