"""Embeddings into a gallery: what becomes of each row, and of which space it is."""

from dataclasses import replace

import numpy as np
import pytest

from galleries import MADE_BY, OTHER, SPACE, gallery, sample
from visavis.errors import InputError, SpaceError, UsageError
from visavis.gallery.consent import Consent
from visavis.gallery.exchange.embedding_export import embeddings_of_gallery
from visavis.gallery.exchange.embedding_import import foreign_space, import_embeddings
from visavis.gallery.exchange.embeddings import checked_embeddings
from visavis.gallery.gallery import Gallery


def faces(people, dimension=16, **columns):
    vectors = np.random.default_rng(len(people)).normal(size=(len(people), dimension))
    return checked_embeddings("faces.npz", people=people, vectors=vectors, **columns)


def take(found, path, **options):
    return import_embeddings(found, path, where="in/faces.npz", **options)


def test_rows_become_samples(tmp_path):
    found = faces(["ann", "bob", "ann"], sources=["a.jpg", "", ""], names=["Ann", None, None], quality=[50, np.nan, 7])
    taken = take(found, tmp_path / "a.gallery", space=SPACE, made_by=MADE_BY, storage="float32")
    assert (taken.made, taken.people, taken.samples, taken.known) == (True, 2, 3, 0)
    made = taken.gallery
    ann = made.samples("ann")
    assert [one.source for one in ann] == ["a.jpg", "faces.npz#2"] and made.person("ann").name == "Ann"
    assert [one.quality for one in ann] == [50, 7] and ann[0].box == (0, 0, 0, 0)
    np.testing.assert_allclose([one.norm for one in ann], found.norms[[0, 2]], rtol=1e-6)
    np.testing.assert_array_equal(made.vectors([one.sample for one in ann]), found.vectors[[0, 2]])
    assert made.info.made_by == MADE_BY and made.check() == []
    again = take(found, made.path, space=SPACE)
    assert (again.made, again.samples, again.known) == (False, 0, 3)
    assert [event.detail["samples"] for event in made.events() if event.what == "imported"] == [3, 0]


def test_all_or_nothing(tmp_path):
    made = gallery(tmp_path)
    bad = faces([f"p{row}" for row in range(2500)] + ["a\nb"])
    for path in (made.path, tmp_path / "new.gallery"):
        with pytest.raises(InputError) as caught:
            take(bad, path, space=SPACE)
        assert caught.value.reason == "gallery.person-id"
    assert made.people() == [] and sorted(path.name for path in tmp_path.glob("*.gallery")) == ["people.gallery"]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"quality": [1, 200]}, "quality outside of 0..100 in row 7"),
        ({"digests": ["", "zz"]}, r"in row 7 \(counted from 0\) .* 64 hexadecimal"),
        ({"boxes": [[0] * 4, [0, 0, 0, np.inf]]}, "box outside of .* in row 7"),
        ({"scores": [0, 2e9]}, "score outside of .* in row 7"),
        ({"names": [None, "a\nb"]}, "row 7 .* name of a person"),
        ({"people": ["a", ""]}, "row 7 .* the id of a person"),
    ],
)
def test_rows_that_no_gallery_keeps_are_named_by_their_number_in_the_file(tmp_path, columns, words):
    found = faces(columns.pop("people", ["a", "b"]), numbers=np.array([2, 7]), **columns)
    with pytest.raises(InputError, match=words) as caught:
        take(found, tmp_path / "a.gallery", space=SPACE)
    assert caught.value.exit_code == 3 and not (tmp_path / "a.gallery").exists()


def test_two_names_of_somebody_new_are_told(tmp_path):
    found = faces(["ann", "bob", "ann", "bob"], names=["Ann", None, "Anna", "Bob"])
    taken = take(found, tmp_path / "a.gallery", space=SPACE)
    assert taken.gallery.person("ann").name == "Ann"
    assert taken.conflicts == {"ann": ["name"], "bob": ["name"]} and taken.gallery.person("bob").name is None


def test_who_withdrew_consent_gets_nothing(tmp_path):
    made = gallery(tmp_path)
    made.add_person("ann", name="Ann", consent=Consent("form", *[made.info.created] * 2))
    taken = take(faces(["ann", "bob"], names=["Anna", "Bob"]), made.path, space=SPACE)
    assert (taken.people, taken.samples, made.person("ann").samples) == (1, 1, 0)
    assert taken.conflicts == {"ann": ["name"]} and "withdrew consent: ann" in taken.notes[-1]


class TestSpaces:
    def test_a_gallery_needs_one(self, tmp_path):
        with pytest.raises(SpaceError, match="--foreign NAME"):
            take(faces(["a"]), tmp_path / "a.gallery")
        with pytest.raises(SpaceError, match="--foreign NAME"):
            take(faces(["a"]), gallery(tmp_path).path)

    def test_a_fingerprint_is_enough_for_a_gallery_that_is_there(self, tmp_path):
        found = replace(faces(["a"]), fingerprint=SPACE.fingerprint, made_by=MADE_BY)
        with pytest.raises(SpaceError, match="--model embedder/tiny"):
            take(found, tmp_path / "a.gallery")
        assert take(found, gallery(tmp_path).path).samples == 1

    def test_file_user_and_gallery_must_agree(self, tmp_path):
        made = gallery(tmp_path)
        found = replace(faces(["a"]), fingerprint=SPACE.fingerprint)
        for options in ({"space": OTHER}, {"space": foreign_space("x", 16)}):
            with pytest.raises(SpaceError):
                take(found, made.path, **options)
            with pytest.raises(SpaceError):
                take(found, tmp_path / "a.gallery", **options)
        with pytest.raises(SpaceError, match="24 values"):
            take(faces(["a"], 24), made.path, space=SPACE)
        with pytest.raises(SpaceError):
            take(faces(["a"], 24), tmp_path / "a.gallery", space=SPACE)

    def test_a_foreign_space_is_its_name_and_length(self):
        one = foreign_space("facenet", 16)
        assert one == foreign_space("facenet", 16)
        others = [foreign_space("facenet", 17), foreign_space("Facenet", 16), SPACE]
        assert not any(one.comparable(other) for other in others)
        for name in ("", " ", "x" * 2000, "a\nb"):
            with pytest.raises((UsageError, InputError)):
                foreign_space(name, 16)


def test_only_who_may_be_found_goes_out(tmp_path):
    made = gallery(tmp_path)
    made.add_samples([sample("ann", 1), sample("bob", 2), sample("eve", 3)])
    made.update_person("bob", consent=Consent("form", *[made.info.created] * 2))
    made.update_person("eve", expires=made.info.created)
    found = embeddings_of_gallery(made)
    assert found.people == ("ann",) and found.notes == ("2 people who expired or withdrew consent were left out",)
    back = take(found, tmp_path / "b.gallery").gallery
    assert isinstance(back, Gallery) and back.info.space == SPACE and back.info.made_by == MADE_BY
    np.testing.assert_array_equal(back.vectors([1]), made.vectors([1]))
    made.remove_person("ann", reason="asked to")
    with pytest.raises(InputError) as caught:
        embeddings_of_gallery(made)
    assert caught.value.reason == "gallery.empty"
