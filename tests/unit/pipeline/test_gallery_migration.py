"""A gallery moved to another recogniser, against what that recogniser makes of the photos themselves."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from galleries import crop, followed, sample
from visavis.errors import InputError, SpaceError, UsageError
from visavis.gallery.exchange.copy import copy_gallery, is_copy_of
from visavis.gallery.gallery import Gallery
from visavis.gallery.sample import NewSample
from visavis.pipeline.gallery_migration import migrate_copy, migrate_gallery
from visavis.pipeline.pipeline import Pipeline


@pytest.fixture(scope="module")
def old():
    return Pipeline()


@pytest.fixture(scope="module")
def new():
    return Pipeline(model="embedder/visavis-s", policy="research")


@pytest.fixture(scope="module")
def photos(astronaut, officer):
    """Three photos of each of two people."""
    found = {}
    for person, path in (("collins", astronaut), ("hopper", officer)):
        picture = Image.open(path).convert("RGB").resize((400, 400))
        brightness = [ImageEnhance.Brightness(picture).enhance(share) for share in (1.0, 0.8, 1.2)]
        found[person] = [np.asarray(one) for one in brightness]
    return found


def samples(pipeline, photos, *, crops=True):
    for person, pictures in photos.items():
        for picture in pictures:
            analysis = pipeline.embed([picture])
            cut = pipeline.aligner.align(*pipeline.detect([picture], which="central"))
            yield NewSample(
                person, "photo", hashlib.sha256(picture.tobytes()).hexdigest(),
                tuple(analysis.faces.boxes[0].tolist()), float(analysis.faces.score[0]), 60.0,
                float(analysis.templates.norms[0]), analysis.templates.vectors[0],
                cut.pixels[0] if crops else None, pipeline.space.crop,
            )  # fmt: skip


@pytest.fixture
def gallery(tmp_path, old, photos):
    made = Gallery.create(tmp_path / "a.gallery", space=old.space, made_by=old.made_by)
    made.add_samples(list(samples(old, photos)))
    return made


def vectors(made, person):
    return made.vectors([found.sample for found in made.samples(person)])


def test_templates_are_those_of_the_photos(gallery, old, new, photos):
    told = []
    assert migrate_gallery(gallery, new, progress=lambda done, total: told.append((done, total))) == 6
    assert told == [(6, 6)]
    assert gallery.info.space == gallery.space == new.space and gallery.info.made_by == new.made_by
    assert gallery.check() == []
    rows = followed(gallery)[0]
    for person, pictures in photos.items():
        direct = new.embed(pictures).templates
        np.testing.assert_allclose(vectors(gallery, person), direct.vectors, atol=1e-6)
        np.testing.assert_allclose([one.norm for one in gallery.samples(person)], direct.norms, rtol=1e-5)
        mean = direct.vectors.mean(axis=0)
        np.testing.assert_allclose(rows[gallery.person(person).key], mean / np.linalg.norm(mean), atol=1e-6)
    event = list(gallery.events())[-1]
    assert event.what == "migrated"
    assert (event.detail["before"], event.detail["after"]) == (old.space.fingerprint, new.space.fingerprint)
    with pytest.raises(UsageError, match="already"):
        migrate_gallery(gallery, new)


def test_who_has_it_open_is_refused_and_the_next_one_goes_on(gallery, old, new, photos):
    other = Gallery.open(gallery.path, space=old.space)
    migrate_gallery(gallery, new)
    for call in (lambda: other.add_person("x"), lambda: list(other.changes(0)), other.people):
        with pytest.raises(SpaceError) as caught:
            call()
        assert caught.value.reason == "gallery.space"
    with pytest.raises(SpaceError):
        Gallery.open(gallery.path, space=old.space)
    gallery.add_samples([next(samples(new, {"new": photos["hopper"]}))])
    assert Gallery.open(gallery.path, space=new.space).person("new").samples == 1


def test_what_is_added_meanwhile_is_moved_too(gallery, old, new, photos):
    other = Gallery.open(gallery.path, space=old.space)
    extra = iter(samples(old, {"late": photos["collins"][:1], "later": photos["hopper"][:1]}))
    seen = []

    def meanwhile(done, total):
        seen.append((done, total))
        assert len(list(other.changes(0))) == 1  # searches go on
        for one in extra:
            other.add_samples([one])
            return

    assert migrate_gallery(gallery, new, progress=meanwhile) == 8
    assert seen == [(6, 6), (7, 7), (8, 8)]
    assert gallery.check() == ["warning: one face of the picture " + line for line in _twins(gallery)]
    np.testing.assert_allclose(vectors(gallery, "late")[0], vectors(gallery, "collins")[0], atol=1e-6)


def _twins(made):
    digests = sorted(made.samples(person)[0].sha256 for person in ("late", "later"))
    owners = {made.samples(one)[0].sha256: one for one in ("late", "later")}
    first = {"late": "collins", "later": "hopper"}
    return [f"{digest[:12]} is of several people: {first[owners[digest]]}, {owners[digest]}" for digest in digests]


def test_old_templates_are_dropped_or_kept(gallery, old, new):
    before = vectors(gallery, "collins")
    migrate_gallery(gallery, new, keep_old=True)
    assert gallery.count_without_template(old.space) == 0
    assert migrate_gallery(gallery, old) == 0  # nothing is embedded: they are there
    np.testing.assert_array_equal(vectors(gallery, "collins"), before)
    assert gallery.count_without_template(new.space) == 6
    assert gallery.check() == []


def test_an_abandoned_move_leaves_no_templates(gallery, old, new):
    third = replace(new.space, recogniser="a third one")
    norms = np.ones(1, np.float32)
    assert gallery.add_templates(third, [1], vectors(gallery, "collins")[:1][:, : third.dimension], norms) == 1
    assert gallery.count_without_template(third) == 5
    migrate_gallery(gallery, new)
    assert gallery.count_without_template(third) == 6 and gallery.count_without_template(old.space) == 6


def test_a_copy_leaves_the_gallery_as_it_is(gallery, old, new, tmp_path):
    before = vectors(gallery, "collins"), gallery.revision
    copy, done = migrate_copy(gallery, tmp_path / "b.gallery", new)
    assert done == 6 and copy.space == new.space and gallery.info.space == old.space
    np.testing.assert_array_equal(vectors(gallery, "collins"), before[0])
    assert gallery.revision == before[1] and copy.check() == []
    np.testing.assert_array_equal(copy.crop(3), gallery.crop(3))
    with pytest.raises(InputError, match="no unfinished copy"):
        migrate_copy(gallery, tmp_path / "b.gallery", new)
    Gallery.create(tmp_path / "c.gallery", space=old.space, made_by=old.made_by)
    with pytest.raises(InputError, match="no unfinished copy"):
        migrate_copy(gallery, tmp_path / "c.gallery", new)


def test_only_an_unfinished_copy_is_gone_on_with(gallery, new, tmp_path):
    """A copy of a copy, one that was enrolled into, and one of a gallery that has changed since are left alone."""
    first = copy_gallery(gallery, tmp_path / "b.gallery")
    vector = first.vectors([1])[0]
    copies = {"of a copy": copy_gallery(first, tmp_path / "c.gallery"), "enrolled into": first}
    first.add_samples([sample("later", 1, vector=vector)])
    for copy in copies.values():
        before = copy.revision, copy.space
        with pytest.raises(InputError, match="no unfinished copy") as caught:
            migrate_copy(gallery, copy.path, new)
        assert caught.value.reason == "gallery.exists" and (copy.revision, copy.space) == before
    killed = copy_gallery(gallery, tmp_path / "d.gallery")
    assert is_copy_of(killed, gallery) and not is_copy_of(gallery, killed)
    gallery.remove_person("collins", reason="asked to")
    with pytest.raises(InputError, match="no unfinished copy"):
        migrate_copy(gallery, killed.path, new)


def test_missing_crops_are_counted_and_named(tmp_path, old, new, photos):
    made = Gallery.create(tmp_path / "a.gallery", space=old.space, made_by=old.made_by)
    made.add_samples([*samples(old, {"with": photos["hopper"]}), *samples(old, photos, crops=False)])
    with pytest.raises(InputError, match=r"6 samples of 2 people .*\(collins, hopper\)") as caught:
        migrate_gallery(made, new)
    assert caught.value.reason == "gallery.crops"
    with pytest.raises(InputError, match="6 samples"):
        migrate_copy(made, tmp_path / "b.gallery", new)
    assert not (tmp_path / "b.gallery").exists()


def test_another_detector_or_crop_template_is_refused(tmp_path, old, new):
    for field, words in (("detector", "another detector"), ("crop", "another crop")):
        space = replace(old.space, **{field: "else"})
        made = Gallery.create(tmp_path / f"{field}.gallery", space=space, made_by=old.made_by)
        with pytest.raises(SpaceError, match=words):
            migrate_gallery(made, new)


def test_a_crop_of_another_size_is_refused(tmp_path, old, new):
    made = Gallery.create(tmp_path / "a.gallery", space=old.space, made_by=old.made_by)
    vector = np.zeros(old.space.dimension, np.float32)
    vector[0] = 1
    made.add_samples([sample("ann", 1, vector=vector, crop=crop(1))])
    with pytest.raises(InputError, match=r"sample 1 of 'ann' is \(8, 8\)"):
        migrate_gallery(made, new)


_SLOWLY = """
import sys, time
import visavis.pipeline.gallery_migration as migration
from visavis.gallery.gallery import Gallery
from visavis.pipeline.pipeline import Pipeline
migration._AT_ONCE = 1
gallery = Gallery.open(sys.argv[1])
def told(done, total):
    print(done, total, flush=True)
    time.sleep(0.2)
pipeline = Pipeline(model="embedder/visavis-s", policy="research")
migration.migrate_gallery(gallery, pipeline, progress=told)
"""


def test_a_kill_costs_one_step(gallery, new, old):
    """Killed after its second step: the templates of two samples are there, four are left, and searches go on."""
    run = subprocess.Popen([sys.executable, "-c", _SLOWLY, str(gallery.path)], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    assert [run.stdout.readline() for _ in range(2)] == ["1 6\n", "2 6\n"]
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    run.stdout.close()
    left = gallery.count_without_template(new.space)
    assert left in (3, 4)
    assert gallery.info.space == old.space and gallery.check() == []
    begin = time.perf_counter()
    assert migrate_gallery(gallery, new) == left
    assert time.perf_counter() - begin < 30 and gallery.check() == []


def test_who_is_second_is_done_where_the_gallery_is_in_the_space(gallery, new):
    """Another process moves the gallery between two steps of this one."""
    other = Gallery.open(gallery.path)
    assert migrate_gallery(other, new, progress=lambda done, total: migrate_gallery(gallery, new)) == 6
    assert Gallery.open(gallery.path, space=new.space).check() == []


@pytest.mark.slow
def test_two_that_move_one_gallery_do_no_harm(gallery, new, old):
    """Whichever comes last finds it done, or is refused because it is."""
    others = [
        subprocess.Popen([sys.executable, "-c", _SLOWLY, str(gallery.path)], stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [other.communicate()[1] for other in others]
    codes = sorted(other.returncode for other in others)
    assert codes in ([0, 0], [0, 1]), told
    assert all("Error" not in text or "SpaceError" in text or "already" in text for text in told), told
    moved = Gallery.open(gallery.path, space=new.space)
    assert moved.check() == [] and moved.count_without_template(new.space) == 0
    assert [event.what for event in moved.events()].count("migrated") == 1
