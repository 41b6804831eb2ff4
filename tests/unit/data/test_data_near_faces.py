import numpy as np
import pytest

from visavis.data import near_faces
from visavis.data.near_faces import nearest
from visavis.errors import UsageError


def unit(rng, count):
    vectors = rng.standard_normal((count, 5)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("block", [1, 3, 2048])
def test_the_nearest_is_that_of_a_plain_search(monkeypatch, block):
    monkeypatch.setattr(near_faces, "_BLOCK", block)
    rng = np.random.default_rng(0)
    vectors, others = unit(rng, 20), unit(rng, 31)
    others[7] = others[3]
    found = nearest(vectors, others)
    scores = [[float(a @ b) for b in others] for a in vectors]
    assert [max(range(31), key=lambda row: (round(line[row], 5), -row)) for line in scores] == found.row.tolist()
    assert found.similarity == pytest.approx([max(line) for line in scores], abs=1e-6)


def test_embeddings_of_other_lengths_or_none_are_refused():
    with pytest.raises(UsageError, match="embeddings are"):
        nearest(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(UsageError, match="embeddings are"):
        nearest(np.ones((2, 3)), np.ones((0, 3)))
    for bad in (np.nan, np.inf):
        broken = np.array([[1.0, 0.0], [bad, 0.0]])
        for one, other in ((broken, np.eye(2)), (np.eye(2), broken)):
            with pytest.raises(UsageError, match="not finite"):
                nearest(one, other)
