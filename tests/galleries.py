"""Galleries of made-up people for tests."""

from __future__ import annotations

import numpy as np

from visavis.gallery.gallery import Gallery
from visavis.gallery.sample import NewSample
from visavis.types import Provenance, TemplateSpace

SPACE = TemplateSpace("detector", "five-point", "arcface-112", "recogniser", 16)
OTHER = TemplateSpace("detector", "five-point", "arcface-112", "another", 24)
MADE_BY = Provenance("embedder/tiny", "onnxruntime", "fp32", "1", "0")


def unit(rng, dimension=16):
    vector = rng.normal(size=dimension)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def sample(person, picture, *, vector=None, box=(10.0, 20.0, 90.0, 110.0), quality=50.0, crop=None, **rest):
    """A sample of the picture of a number."""
    made = unit(np.random.default_rng([picture, *person.encode()])) if vector is None else vector
    return NewSample(
        person, f"{person}/{picture}.jpg", f"{picture:064x}", box, 0.9, quality, 20.0, made, crop, "arcface-112", **rest
    )


def crop(seed):
    return np.random.default_rng(seed).integers(0, 256, (8, 8, 3)).astype(np.uint8)


def gallery(folder, **options):
    return Gallery.create(folder / "people.gallery", space=SPACE, made_by=MADE_BY, who="tester", **options)


def followed(made, since=0, page=10_000):
    """What an index holds that takes in all changes: key -> vector, and the revision."""
    rows, revision = {}, since
    for part in made.changes(since, page=page):
        for key in part.removed.tolist():
            rows.pop(key, None)
        rows |= dict(zip(part.keys.tolist(), part.vectors, strict=True))
        revision = part.revision
    return rows, revision
