"""Samples that do not resemble the others of their person."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.calibration.table import shipped
from visavis.gallery.gallery import Gallery
from visavis.gallery.sample import NewSample
from visavis.pipeline.odd_samples import odd_samples, to_the_others
from visavis.pipeline.pipeline import Pipeline
from visavis.recognition.pooling import pool
from visavis.types import Provenance, Status, Templates, TemplateSpace

MADE_BY = Provenance("tests", "none", "fp32", "0", "0")


def unit(rng, count, dimension=128):
    vectors = rng.normal(size=(count, dimension)) + 0.3
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@given(st.integers(2, 7), st.integers(0, 99))
def test_each_is_compared_with_the_pool_of_the_others(count, seed):
    rng = np.random.default_rng(seed)
    vectors, quality = unit(rng, count), rng.uniform(-5, 100, count)
    quality[rng.random(count) < 0.2] = np.nan
    space = TemplateSpace("d", "five-point", "arcface-112", "0" * 64, 128)
    all_of_them = Templates(vectors, np.ones(count), Status.good(count), np.full(count, np.nan), space, MADE_BY)
    for row, found in enumerate(to_the_others(vectors, quality)):
        others = np.flatnonzero(np.arange(count) != row)
        pooled = pool(all_of_them[others], by="quality", quality=quality[others]).vectors[0]
        assert found == pytest.approx(float(vectors[row] @ pooled), abs=2e-6)


def test_others_that_cancel_out_are_no_resemblance():
    one = np.eye(2, dtype=np.float32)[0]
    assert np.isnan(to_the_others(np.array([one, one, -one]), np.full(3, 50.0))[0])


def test_the_one_that_shows_somebody_else_is_named(tmp_path):
    space = Pipeline().space
    gallery = Gallery.create(tmp_path / "g", space=space, made_by=MADE_BY)
    rng = np.random.default_rng(0)
    near = unit(rng, 1) + 0.02 * rng.normal(size=(4, 128))
    rows = [*near, -near[0]]
    people = ["ann"] * 5 + ["bob", "bob", "cyd"]
    rows += [near[1], -near[1], near[2]]
    gallery.add_samples(
        [
            NewSample(who, f"{row}.jpg", f"{row:064x}", (0.0, 0.0, 9.0, 9.0), 1.0, 50.0, 1.0, unit_of(vector))
            for row, (who, vector) in enumerate(zip(people, rows, strict=True))
        ]
    )
    notes = odd_samples(gallery, ["ann", "gone meanwhile", "bob", "cyd"], shipped(space.fingerprint))
    assert len(notes) == 2
    assert notes[0].startswith("4.jpg of 'ann' may show somebody else: similarity -") and "4 others" in notes[0]
    assert notes[1].startswith("5.jpg and 6.jpg of 'bob' may show two people")


def unit_of(vector):
    return np.asarray(vector / np.linalg.norm(vector), np.float32)
