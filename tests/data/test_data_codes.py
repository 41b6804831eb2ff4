"""What one byte a value costs the default recogniser, and how it groups faces, on LFW people of role test."""

import numpy as np
import pytest

from visavis.gallery.clustering import linkage_groups
from visavis.io import open_store
from visavis.metrics.clustering import bcubed_agreement
from visavis.metrics.folds import fold_accuracy
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.pairs import read_pairs
from visavis.recognition.compact import CompactTemplates
from visavis.recognition.compact_file import read_compact, write_compact
from visavis.types import FMR

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def lfw(shared_data):
    """The pair list, its pictures' templates, and the pipeline."""
    pipeline, pairs, store = (
        Pipeline(),
        *(read(shared_data / name) for read, name in ((read_pairs, "lfw/pairs.txt"), (open_store, "lfw/lfw.tar"))),
    )
    return pairs, pipeline.embed([store.get(name) for name in pairs.images]).templates, pipeline


def test_int8_is_as_accurate_as_float32_and_finds_the_same_neighbours(lfw, tmp_path):
    pairs, templates, _ = lfw
    stored = read_compact(write_compact(tmp_path / "lfw.vvt", CompactTemplates.of(templates)))
    assert stored.codes.nbytes == 128 * len(templates)
    exact = templates.vectors @ templates.vectors.T
    coded = stored.similarity(stored)
    left, right = pairs.positions()
    accuracy = [fold_accuracy(values[left, right], pairs.same, pairs.fold).mean for values in (exact, coded)]
    assert abs(accuracy[0] - accuracy[1]) <= 0.002 and accuracy[1] >= 0.993
    assert np.abs(exact - coded).max() <= 0.01
    for values in (exact, coded):
        np.fill_diagonal(values, -2)
    assert (exact.argmax(1) == coded.argmax(1)).mean() >= 0.99


def test_groups_at_a_shipped_threshold_are_mostly_the_people(lfw):
    pairs, templates, pipeline = lfw
    people = np.unique([name.split("/")[-2] for name in pairs.images], return_inverse=True)[1]
    found = linkage_groups(templates.vectors, similarity=pipeline.calibration().threshold(FMR(1e-4)))
    agreement = bcubed_agreement(people, found)
    assert agreement.f1 >= 0.95 and agreement.precision >= 0.93
