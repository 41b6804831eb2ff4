"""A gallery of real photos moved to another recogniser, and through an archive, on CelebA people of role develop."""

import csv

import numpy as np
import pytest

from visavis.gallery.exchange.archive import GalleryArchive
from visavis.gallery.exchange.archive_export import export_gallery
from visavis.gallery.exchange.archive_import import import_gallery
from visavis.gallery.gallery import Gallery
from visavis.io import open_store
from visavis.pipeline.enrolment import enrol
from visavis.pipeline.face_samples import PersonPicture
from visavis.pipeline.gallery_migration import migrate_gallery
from visavis.pipeline.pipeline import Pipeline

pytestmark = pytest.mark.data
PEOPLE = 12


@pytest.fixture(scope="module")
def pictures(shared_data):
    """All photos of some people of role develop."""
    with (shared_data / "people.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if (row["set"], row["role"]) == ("celeba_ids", "develop")]
    chosen = {row["identity"] for row in rows[:PEOPLE]}
    store = open_store(shared_data / "celeba_ids/celeba_ids.tar")
    return [
        PersonPicture(name.split("/")[-2], store.get(name)) for name in store.names() if name.split("/")[-2] in chosen
    ]


def _enrolled(path, pipeline, pictures):
    made = Gallery.create(path, space=pipeline.space, made_by=pipeline.made_by)
    enrol(pipeline, made, pictures)
    return made


def _vectors(made):
    return {
        (sample.person, sample.sha256, sample.box): made.vectors([sample.sample])[0]
        for person in made.people()
        for sample in made.samples(person.person)
    }


def test_a_migrated_gallery_is_the_one_that_would_have_been_enrolled(pictures, tmp_path):
    old, new = Pipeline(), Pipeline(model="embedder/visavis-s", policy="research")
    moved = _enrolled(tmp_path / "a.gallery", old, pictures)
    export_gallery(moved, tmp_path / "before.tar")
    assert migrate_gallery(moved, new) == moved.info.samples
    fresh = _vectors(_enrolled(tmp_path / "b.gallery", new, pictures))
    found = _vectors(moved)
    # The two models refuse other photos for their quality; all that both took must be the same.
    both = found.keys() & fresh.keys()
    assert len(both) >= 0.97 * len(pictures) and moved.check() == []
    assert max(float(np.abs(found[key] - fresh[key]).max()) for key in both) <= 1e-6

    back = import_gallery(GalleryArchive(tmp_path / "before.tar"), tmp_path / "c.gallery").gallery
    assert migrate_gallery(back, new) == len(found)
    again = _vectors(back)
    assert again.keys() == found.keys()
    assert all(np.array_equal(again[key], found[key]) for key in found)
