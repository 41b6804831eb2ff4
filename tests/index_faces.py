"""What the tests of the index share: spaces, templates, faces-like vectors and the slow search."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from visavis.gallery.changes import Changes
from visavis.types import Failure, Provenance, Status, Templates, TemplateSpace

MADE_BY = Provenance("test", "none", "fp32", "0", "0")


def space(dimension):
    return TemplateSpace("d", "five-point", "arcface-112", "r", dimension)


def unit(rows):
    rows = np.asarray(rows, np.float64)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def templates(vectors, *, failed=()):
    vectors = np.asarray(vectors, np.float32)
    status = Status(tuple(Failure("no-face", "none") if row in failed else None for row in range(len(vectors))))
    ones = np.ones(len(vectors), np.float32)
    return Templates(vectors, ones, status, ones * np.nan, space(vectors.shape[1]), MADE_BY)


def faces(rng, count, dimension, *, people=None, spread=0.7):
    """Unit vectors around centres; without people, in all directions alike."""
    noise = rng.standard_normal((count, dimension))
    if people is None:
        return unit(noise)
    centres = rng.standard_normal((people, dimension))
    return unit(centres[rng.integers(0, people, count)] + spread * noise)


def slow_search(keys, vectors, probes, k):
    """All rows, one probe after the other: the definition, literally."""
    found_keys = np.full((len(probes), k), -1, np.int64)
    found = np.full((len(probes), k), np.nan, np.float32)
    wide = vectors.astype(np.float64)
    for row, probe in enumerate(probes):
        if np.isnan(probe).any() or not len(keys):
            continue
        similarity = (wide * probe.astype(np.float64)).sum(axis=1).astype(np.float32)
        ranked = sorted(zip((-similarity).tolist(), np.asarray(keys).tolist(), strict=True))[:k]
        found_keys[row, : len(ranked)] = [key for _, key in ranked]
        found[row, : len(ranked)] = [-value for value, _ in ranked]
    return found_keys, found


def same(candidates, expected):
    assert np.array_equal(candidates.keys, expected[0])
    assert np.array_equal(candidates.similarity, expected[1], equal_nan=True)


class MemoryFeed:
    """A gallery in memory: the last write of each key, with its revision."""

    def __init__(self, dimension, *, path=None, uuid="feed"):
        self.path = path
        self.info = SimpleNamespace(uuid=uuid, space=space(dimension))
        self.revision = 0
        self.rows = {}  # key -> (revision, vector or None)
        self.branch = 0  # another one after an older copy was put back
        self.writes = ["0 0"]  # by revision

    def put(self, keys, vectors):
        self._written()
        self.rows.update({int(key): (self.revision, vector) for key, vector in zip(keys, vectors, strict=True)})

    def remove(self, keys):
        self._written()
        self.rows.update({int(key): (self.revision, None) for key in keys})

    def _written(self):
        self.revision += 1
        self.writes[self.revision :] = [f"{self.branch} {self.revision}"]

    def last_write(self):
        return self.writes[-1]

    def has_write(self, write):
        return write in self.writes

    def live(self):
        """Keys and vectors of the rows that count."""
        kept = [(key, vector) for key, (_, vector) in self.rows.items() if vector is not None]
        vectors = np.array([vector for _, vector in kept], np.float32).reshape(len(kept), self.info.space.dimension)
        return np.array([key for key, _ in kept], np.int64), vectors

    def changes(self, since, *, page=10_000):
        told = sorted((revision, key) for key, (revision, _) in list(self.rows.items()) if revision > since)
        for start in range(0, len(told), page):
            some = told[start : start + page]
            last = some[-1][0] - (start + page < len(told))
            values = [(key, self.rows[key][1]) for _, key in some]
            keys = [key for key, vector in values if vector is not None]
            rows = np.array([vector for _, vector in values if vector is not None], np.float32)
            gone = [key for key, vector in values if vector is None]
            yield Changes(
                np.array(keys, np.int64),
                rows.reshape(len(keys), self.info.space.dimension),
                np.array(gone, np.int64),
                last,
            )
