"""The bench of galleries: its people and probes are what it says, its reference is right, its record complete."""

import json

import numpy as np
import pytest

from commands import call
from index_faces import slow_search
from visavis.bench.gallery import GalleryBench, bench_gallery
from visavis.bench.gallery_data import KINDS, MadeGallery
from visavis.bench.gallery_reference import reference_search
from visavis.errors import UsageError


def test_the_people_are_as_described():
    made = MadeGallery.of(20_000, 32, seed=3)
    assert np.allclose(np.linalg.norm(made.vectors, axis=1), 1, atol=1e-6)
    assert (made.vectors[made.tie] == made.vectors[0]).all() and len(made.tie) == 100
    family = made.vectors[:16].astype(np.float64)
    inside, across = family[:8] @ family[:8].T, family[:8] @ family[8:].T
    assert inside[np.triu_indices(8, 1)].mean() > 0.3 > np.abs(across).mean()
    again = MadeGallery.of(20_000, 32, seed=3)
    assert np.array_equal(made.vectors, again.vectors)
    assert not np.array_equal(made.vectors, MadeGallery.of(20_000, 32, seed=4).vectors)


def test_the_probes_are_as_described():
    made = MadeGallery.of(5000, 64, seed=0)
    probes, kinds = made.probes(2000, seed=0)
    best = (probes @ made.vectors.T).max(axis=1)
    named = {name: best[kinds == number] for number, name in enumerate(KINDS)}
    assert (named["copy"] > 0.9999).all()
    assert np.abs(named["near"] - 0.7).mean() < 0.1 and np.abs(named["tie"] - 0.7).mean() < 0.1
    assert named["random"].mean() < 0.6 < named["between"].mean()


@pytest.mark.parametrize("k", [1, 10])
def test_the_reference_is_the_plain_loop(k):
    made = MadeGallery.of(9000, 12, seed=1)  # more than one of its blocks
    probes, _ = made.probes(12, seed=1)
    rows, values = reference_search(made.vectors, probes, k)
    expected = slow_search(np.arange(9000), made.vectors, probes, k)
    assert np.array_equal(rows, expected[0]) and np.array_equal(values, expected[1])


def test_a_small_bench_through_the_command(capfd):
    run = call(capfd, "bench", "gallery", "--n", "5000", "--dim", "48", "--queries", "300", "--rounds", "1", "--json")
    record = json.loads(run.out)
    assert record["ids_equal"] and record["similarities_equal"] and record["top1_agreement"] == 1
    assert {"n", "dim", "k", "threads", "ms_single", "ms_batch", "ms_faiss", "ms_faiss_batch", "ms_numpy", "ms_usearch",
            "ms_faiss_sharded", "ms_faiss_batch_large", "ratio_faiss_sharded", "top1_agreement_strict", "notes",
            "ms_faiss_int8", "ms_floor", "ratio_faiss", "ratio_floor", "fallbacks", "opened_ms", "build_seconds",
            "memory", "spread", "environment"} <= set(record)  # fmt: skip
    assert record["ratio_faiss"] == pytest.approx(record["ms_faiss"] / record["ms_single"])
    together = record["together"]
    assert together["ms_batch"] == together["ms_faiss_batch"] == 256 and together["ms_faiss_batch_large"] == 300
    assert record["memory"]["scanned_bytes"] == 5000 * 48


@pytest.mark.parametrize("scan", ["float16", "float32"])
def test_other_formats(scan):
    record = bench_gallery(GalleryBench(n=6000, dim=16, queries=100, rounds=1, scan=scan))
    assert record["ids_equal"] and "ms_faiss_int8" not in record


def test_what_is_refused():
    for bad in ({"seed": -1}, {"threads": 0}, {"n": 10**12}, {"n": 1000, "hnsw": True}):
        with pytest.raises(UsageError):
            GalleryBench(**bad)
    for bad in ({"n": 5}, {"k": 0}, {"queries": 0}, {"rounds": 0}, {"dim": 1}, {"n": 200, "k": 201}, {"scan": "int4"}):
        with pytest.raises(UsageError):
            GalleryBench(**bad)


@pytest.mark.parametrize("threads", [1, 3])
def test_all_of_faiss_find_the_same_rows(threads):
    from visavis.bench.gallery_peers import flat, peers

    made = MadeGallery.of(3001, 24, seed=2)
    probes, kinds = made.probes(40, seed=2)
    probes = probes[kinds != KINDS.index("tie")]
    named = {one.name: one for one in peers(made.vectors, flat(made.vectors), None, k=5, threads=threads)}
    expected = named["ms_faiss"].search(probes)[0]
    assert np.allclose(named["ms_faiss_sharded"].search(probes)[0], expected, atol=1e-6)
    rows = named["ms_faiss_sharded"].search(probes)[1]
    assert np.allclose((made.vectors[rows] * probes[:, None]).sum(axis=2), expected, atol=1e-5)
