"""The proof of the scan on templates of real faces: exact answers, and hardly ever a second look."""

import numpy as np
import pytest

from index_faces import slow_search
from visavis.gallery.index.segment import build_segment
from visavis.gallery.index.segment_index import SegmentIndex
from visavis.gallery.index.state import Part
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.labelled import read_labelled

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def faces(shared_data):
    """CelebA people of roles train and develop: several pictures of each, so that the best candidates are alike."""
    pipeline = Pipeline()
    parts = []
    for role in ("develop", "train"):
        labelled = read_labelled(shared_data / "celeba_ids/celeba_ids.tar", role=role)
        templates = pipeline.embed([labelled.store.get(name) for name in labelled.names[::2]]).templates
        parts.append(templates[templates.ok])
    return parts


@pytest.mark.parametrize("scan", ["int8", "float16", "float32"])
@pytest.mark.parametrize("copies", [1, 8])
def test_real_faces_are_found_as_by_a_loop(faces, scan, copies, monkeypatch):
    monkeypatch.setattr("visavis.gallery.index.scope.DIRECT", 8)
    probes, rows = faces[0][:40], np.tile(faces[1].vectors, (copies, 1))
    keys = np.random.default_rng(0).permutation(len(rows))
    order = np.argsort(keys)
    vectors = rows[order]
    made = build_segment(keys[order], lambda a, b: vectors[a:b], dimension=rows.shape[1], scan=scan)
    index = SegmentIndex(probes.space, scan=scan, threads=2)
    index.restart([Part(made)], revision=1, changes=())
    expected = slow_search(keys, rows, probes.vectors, 10)
    for some in (probes, probes[:1]):
        found = index.search(some, k=10)
        assert np.array_equal(found.keys, expected[0][: len(some)])
        assert np.array_equal(found.similarity, expected[1][: len(some)])
    assert index.counts.fallbacks == 0
    assert len(made.hard) <= len(rows) / 1024
    if scan == "int8":
        assert made.meta.worst < 0.02
