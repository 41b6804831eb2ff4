import numpy as np
import pytest

from visavis.errors import InputError, UsageError
from visavis.protocols import template_pairs, template_pooling
from visavis.protocols.embedding_file import EmbeddingFile
from visavis.protocols.template_pairs import pair_similarities
from visavis.protocols.template_pooling import pool_by_media


def slow(embeddings, template, media, number, *, keep_norm, weights):
    """The loops of the published scripts, in float64, with failed images left out."""
    found = np.full((number, embeddings.shape[1]), np.nan)
    for one in range(number):
        total = np.zeros(embeddings.shape[1])
        for medium in sorted(set(media[template == one])):
            frames = []
            for row in np.flatnonzero((template == one) & (media == medium)):
                vector = embeddings[row].astype(float)
                length, weight = np.linalg.norm(vector), 1.0 if weights is None else float(weights[row])
                if np.isfinite(length) and length > 0 and np.isfinite(weight) and weight > 0:
                    frames.append(weight * (vector if keep_norm else vector / length))
            if frames:
                total += np.mean(frames, axis=0)
        if np.linalg.norm(total) > 0:
            found[one] = total / np.linalg.norm(total)
    return found


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("keep_norm", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("rows", [5, 8192])
def test_pooling_is_that_of_the_loops(tmp_path, monkeypatch, rows, weighted, keep_norm, ordered):
    monkeypatch.setattr(template_pooling, "_ROWS", rows)
    rng = np.random.default_rng(0)
    template, media = rng.integers(0, 12, 120), rng.integers(0, 40, 120)
    template[:12] = range(12)
    if ordered:
        template.sort()
    embeddings = (rng.normal(size=(120, 6)) * rng.uniform(0.1, 30, (120, 1))).astype(np.float32)
    embeddings[rng.random(120) < 0.15] = np.nan
    embeddings[rng.random(120) < 0.05] = 0
    embeddings[template == 3] = np.nan
    weights = rng.uniform(0.1, 1, 120).astype(np.float32) if weighted else None
    if weighted:
        weights[10:13] = [0, np.nan, -1]
    np.save(tmp_path / "e.npy", embeddings)
    with EmbeddingFile(tmp_path / "e.npy") as file:
        found = pool_by_media(file, template, media, keep_norm=keep_norm, weights=weights)
    expected = slow(embeddings, template, media, 12, keep_norm=keep_norm, weights=weights)
    assert np.allclose(found.vectors, expected, atol=1e-6, equal_nan=True)
    assert found.failed[3] and np.array_equal(found.failed, np.isnan(expected[:, 0]))
    bad = ~np.isfinite(embeddings).all(axis=1) | (np.abs(embeddings).sum(axis=1) == 0)
    if weighted:
        bad[10:13] = True
    assert np.array_equal(found.failed_images, bad)


def test_one_frame_of_a_video_more_changes_little(tmp_path):
    """Ten equal frames of one video weigh as one still image."""
    frames = np.array([[1, 0]] * 10 + [[0, 1]], np.float32)
    np.save(tmp_path / "e.npy", frames)
    with EmbeddingFile(tmp_path / "e.npy") as file:
        found = pool_by_media(file, np.zeros(11, int), np.array([7] * 10 + [8]))
    assert np.allclose(found.vectors, [[0.5**0.5, 0.5**0.5]])


def test_another_number_of_embeddings_is_refused(tmp_path):
    np.save(tmp_path / "e.npy", np.ones((5, 2), np.float32))
    with EmbeddingFile(tmp_path / "e.npy") as file:
        with pytest.raises(InputError, match="5 embeddings and the list names 4"):
            pool_by_media(file, np.zeros(4, int), np.zeros(4, int))
        with pytest.raises(UsageError):
            pool_by_media(file, np.zeros(5, int), np.zeros(4, int))
        for gap in ([0, 0, 2, 2, 2], [0, 1, -1, 1, 0]):
            with pytest.raises(UsageError, match="without a gap"):
                pool_by_media(file, np.array(gap), np.zeros(5, int))
        with pytest.raises(UsageError, match="without a gap"):
            pool_by_media(file, np.zeros(0, int), np.zeros(0, int))


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.int64])
@pytest.mark.parametrize("left", [1, 3, 128])
def test_similarities_are_those_of_single_pairs(monkeypatch, left, kind):
    monkeypatch.setattr(template_pairs, "_LEFT", left)
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(30, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[4] = np.nan
    one, two = rng.integers(0, 30, (2, 500)).astype(kind)
    found = pair_similarities(vectors, one, two)
    slowly = [float(vectors[a].astype(float) @ vectors[b]) for a, b in zip(one, two, strict=True)]
    assert found.dtype == np.float32 and np.allclose(found, slowly, atol=1e-6, equal_nan=True)


def test_pairs_of_templates_that_are_not_there():
    vectors = np.eye(3, dtype=np.float32)
    assert pair_similarities(vectors, np.zeros(0, int), np.zeros(0, int)).shape == (0,)
    for left, right in (([3], [0]), ([0], [-1]), ([0, 1], [0])):
        with pytest.raises(UsageError):
            pair_similarities(vectors, np.array(left), np.array(right))
