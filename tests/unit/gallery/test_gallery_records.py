"""What a gallery keeps, against what was put in and what follows from it."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from galleries import MADE_BY, OTHER, SPACE, crop, followed, gallery, sample, unit
from visavis.errors import InputError, SpaceError, UsageError
from visavis.gallery.consent import Consent
from visavis.gallery.gallery import Gallery
from visavis.gallery.records import dialect
from visavis.types import Provenance
from visavis.types.codes import dequantise, quantise

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
DAY = timedelta(days=1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def made(tmp_path):
    return gallery(tmp_path)


def reason_of(call, *args, **options):
    with pytest.raises(InputError) as caught:
        call(*args, **options)
    return caught.value.reason


def test_what_a_gallery_is_stays_when_it_is_opened_again(made):
    before = made.info
    assert (before.space, before.made_by, before.storage, before.keep_crops) == (SPACE, MADE_BY, "float32", True)
    made.close()
    after = Gallery.open(made.path, space=SPACE).info
    assert after == before and after.people == after.samples == after.revision == 0


def test_samples_come_back_as_they_were_put_in(made):
    pixels = crop(1)
    one = sample("ann", 1, box=(1.25, 2.5, 30.75, 40.0), quality=float("nan"), crop=pixels)
    two = sample("ann", 2, quality=99.5)
    numbers = made.add_samples([one, two, sample("bob", 1)])
    back = made.samples("ann")
    assert [found.sample for found in back] == numbers[:2]
    for put, found in zip((one, two), back, strict=True):
        assert (found.person, found.source, found.sha256, found.box) == ("ann", put.source, put.sha256, put.box)
        assert (found.score, found.norm) == (put.score, put.norm)
        np.testing.assert_equal(found.quality, put.quality)
    assert [found.crop_template for found in back] == ["arcface-112", None]
    np.testing.assert_array_equal(made.crop(numbers[0]), pixels)
    assert made.crop(numbers[1]) is None
    np.testing.assert_array_equal(made.vectors(numbers[1::-1]), [two.vector, one.vector])
    assert made.person("ann").samples == 2 and made.info.samples == 3


def test_a_step_that_is_done_again_adds_nothing(made):
    batch = [sample("ann", 1), sample("ann", 2), sample("bob", 1)]
    assert made.add_samples(batch) == [1, 2, 3]
    rows, revision = followed(made)
    assert made.add_samples([*batch, sample("ann", 3), sample("ann", 3)]) == [None, None, None, 4, None]
    again, _ = followed(made)
    np.testing.assert_array_equal(again[2], rows[2])
    assert set(followed(made, revision)[0]) == {1}
    assert made.info.samples == 4


def test_another_face_of_the_same_picture_is_another_sample(made):
    assert made.add_samples([sample("ann", 1), sample("ann", 1, box=(200.0, 20.0, 290.0, 110.0))]) == [1, 2]
    assert made.add_samples([sample("ann", 1, box=(10.2, 19.8, 90.4, 110.1))]) == [None]


def test_known_pictures_are_told_by_person(made):
    made.add_samples([sample("ann", 1), sample("bob", 2)])
    a, b = f"{1:064x}", f"{2:064x}"
    assert made.known([("ann", a), ("ann", b), ("bob", b), ("eve", a)]) == {("ann", a), ("bob", b)}
    assert made.has("ann", a) and not made.has("bob", a)
    assert made.known(iter([])) == set()


def test_people_are_found_by_any_entry_of_their_metadata(made):
    made.add_person("ann", metadata={"team": "a", "floor": 2, "tags": ["x", {"deep": None}]})
    made.add_person("bob", metadata={"team": "a", "floor": 2.5, "on": True})
    made.add_person("eve", metadata={"team": "b", "floor": 2.0, "on": 1, "sizes": {"w": [1.0, 2.5]}})
    assert made.keys().tolist() == []  # nobody can be found without a sample
    made.add_samples([sample(person, number) for number, person in enumerate(("ann", "bob", "eve"))])
    for where, wanted in [
        ({}, {"ann", "bob", "eve"}),
        ({"team": "a"}, {"ann", "bob"}),
        ({"floor": 2}, {"ann", "eve"}),
        ({"team": "a", "floor": 2.5}, {"bob"}),
        ({"on": True}, {"bob"}),
        ({"on": 1}, {"eve"}),
        ({"tags": ["x", {"deep": None}]}, {"ann"}),
        ({"tags": ["x"]}, set()),
        ({"sizes": {"w": [1, 2.5]}}, {"eve"}),
        ({"team": "c"}, set()),
    ]:
        people = made.people(where=where)
        assert {person.person for person in people} == wanted
        assert made.keys(where=where).tolist() == [person.key for person in people]
    made.update_person("ann", metadata={"team": "c"})
    assert [person.person for person in made.people(where={"team": "c"})] == ["ann"]
    assert made.people(where={"floor": 2}) == [made.person("eve")]


def test_adding_somebody_who_is_there_changes_nothing(made):
    first = made.add_person("ann", name="Ann", metadata={"a": 1})
    assert made.add_person("ann", name="Other", metadata={"b": 2}) == first
    made.add_samples([sample("ann", 1, name="Third")])
    assert made.person("ann").name == "Ann"
    made.add_samples([sample("bob", 1, name="Bob", metadata={"c": 3}), sample("bob", 2, name="Robert")])
    assert (made.person("bob").name, made.person("bob").metadata) == ("Bob", {"c": 3})


def test_only_what_is_given_is_updated(made):
    consent = Consent("form 7", NOW - DAY)
    made.add_person("ann", name="Ann", metadata={"a": 1}, consent=consent, expires=NOW)
    assert made.update_person("ann", name=None).consent == consent
    person = made.update_person("ann", expires=NOW + DAY)
    assert (person.name, person.metadata, person.consent, person.expires) == (None, {"a": 1}, consent, NOW + DAY)
    zoned = NOW.astimezone(tz=None)
    assert made.update_person("ann", expires=zoned, metadata=None).expires == zoned
    assert made.person("ann").metadata == {}
    assert reason_of(made.update_person, "nobody", name="x") == "gallery.person"


def test_an_index_row_is_the_mean_weighted_by_quality(made):
    rng = np.random.default_rng(0)
    qualities = [80.0, float("nan"), 0.25, 33.0]
    vectors = [unit(rng) for _ in qualities]
    made.add_samples([sample("bob", 9, vector=vectors[0])])
    for picture, (quality, vector) in enumerate(zip(qualities, vectors, strict=True)):
        made.add_samples([sample("ann", picture, quality=quality, vector=vector)])
    rows, _ = followed(made)
    mean = sum(w * v.astype(np.float64) for w, v in zip([80, 1, 1, 33], vectors, strict=True))
    np.testing.assert_allclose(rows[2], mean / np.linalg.norm(mean), atol=1e-7)
    np.testing.assert_array_equal(rows[1], vectors[0])
    for picture in made.samples("ann")[1:]:
        made.remove_sample(picture.sample, reason="too many")
    np.testing.assert_array_equal(followed(made)[0][2], vectors[0])


def test_samples_that_cancel_each_other_out_leave_the_best(made):
    vector = unit(np.random.default_rng(3))
    made.add_samples([sample("ann", 1, vector=vector, quality=20.0), sample("ann", 2, vector=-vector, quality=20.0)])
    np.testing.assert_array_equal(followed(made)[0][1], vector)
    assert made.check() == []


def test_one_byte_a_value_keeps_the_direction_of_the_codes(tmp_path):
    made = gallery(tmp_path, storage="int8")
    batch = [sample("ann", 1), sample("ann", 2), sample("bob", 3)]
    made.add_samples(batch)
    codes = quantise(np.array([one.vector for one in batch]))
    np.testing.assert_array_equal(made.vectors([1, 2, 3]), dequantise(codes))
    rows, _ = followed(made)
    np.testing.assert_array_equal(rows[2], dequantise(codes[2:])[0])
    mean = dequantise(codes[:2]).sum(axis=0)
    np.testing.assert_array_equal(rows[1], dequantise(quantise((mean / np.linalg.norm(mean))[None]))[0])
    assert made.check() == []


def test_keys_and_numbers_are_never_given_twice(made):
    made.add_samples([sample("ann", 1), sample("bob", 2)])
    made.remove_person("bob", reason="test")
    made.add_samples([sample("bob", 2)])
    assert made.person("bob").key == 3 and made.samples("bob")[0].sample == 3
    rows, _ = followed(made)
    assert set(rows) == {1, 3}


def test_a_follower_ends_with_the_rows_of_the_gallery_however_it_follows(made):
    """Random writes; followers who begin anywhere and take pages of any size hold what a fresh one holds."""
    rng = np.random.default_rng(5)
    held, since = {1: {}, 3: {}, 50: {}}, dict.fromkeys((1, 3, 50), 0)
    for step in range(60):
        people = [person.person for person in made.people()]
        _write(made, rng, people, step)
        page = int(rng.choice(list(held)))
        for part in made.changes(since[page], page=page):
            assert not set(part.keys.tolist()) & set(part.removed.tolist())
            assert len(part.keys) <= page and part.vectors.shape == (len(part.keys), 16)
            for key in part.removed.tolist():
                held[page].pop(key, None)
            held[page] |= dict(zip(part.keys.tolist(), part.vectors, strict=True))
            since[page] = part.revision
            if rng.random() < 0.2:
                break  # a follower that is stopped between two pages goes on from the last one
            if rng.random() < 0.1:
                _write(made, rng, [person.person for person in made.people()], 1000 + step)
    fresh, revision = followed(made)
    assert revision == made.revision
    for page, rows in held.items():
        for part in made.changes(since[page], page=page):
            for key in part.removed.tolist():
                rows.pop(key, None)
            rows |= dict(zip(part.keys.tolist(), part.vectors, strict=True))
        assert rows.keys() == fresh.keys()
        assert all(np.array_equal(rows[key], fresh[key]) for key in fresh)
    expected = {
        person.key: made.vectors([one.sample for one in made.samples(person.person)])
        for person in made.people()
        if person.samples and person.usable()
    }
    assert expected.keys() == fresh.keys()
    for key, vectors in expected.items():
        np.testing.assert_allclose(fresh[key], vectors.sum(axis=0) / np.linalg.norm(vectors.sum(axis=0)), atol=1e-6)
    assert made.check() == [] or all(line.startswith("warning: ") for line in made.check())


def _write(made, rng, people, step):
    who = str(rng.choice(people)) if people else "p0"
    samples = made.samples(who) if people else []
    act = rng.choice(["add", "add", "new", "remove", "move", "merge", "erase", "withdraw"])
    if act == "new" or not people:
        made.add_samples([sample(f"p{step}-{n}", 100 * step + n) for n in range(int(rng.integers(1, 5)))])
    elif act == "add":
        made.add_samples([sample(who, 100 * step)])
    elif act == "remove" and samples:
        made.remove_sample(samples[0].sample, reason="random")
    elif act == "move" and samples and who != people[0]:
        made.move_sample(samples[0].sample, to=people[0], reason="random")
    elif act == "merge" and len(people) > 4 and who != people[0]:
        made.merge_people(who, people[0], reason="random")
    elif act == "erase" and len(people) > 4:
        made.remove_person(who, reason="random")
    elif act == "withdraw":
        made.update_person(who, consent=Consent("form", NOW - DAY, None if rng.random() < 0.5 else NOW - DAY))


def test_whoever_is_removed_between_two_pages_is_told(made):
    made.add_samples([sample(f"p{row}", row) for row in range(4)])
    rows, pages = {}, made.changes(0, page=2)
    for who in ("p0", "p3", None):
        part = next(pages, None)
        for key in [] if part is None else part.removed.tolist():
            rows.pop(key, None)
        if part is not None:
            rows |= dict(zip(part.keys.tolist(), part.vectors, strict=True))
        if who is not None:
            made.remove_person(who, reason="test")
    assert set(rows) == {2, 3} == set(followed(made)[0])


def test_corrections_move_erase_and_tell_why(made):
    made.add_samples([sample("ann", 1), sample("ann", 2), sample("bob", 2), sample("eve", 3)])
    made.move_sample(2, to="bob", reason="wrong label")  # bob has that face already
    assert [one.sample for one in made.samples("bob")] == [3] and made.person("ann").samples == 1
    made.move_sample(1, to="eve", reason="wrong label")
    assert made.check() == [] and set(followed(made)[0]) == {2, 3}
    assert made.person("ann").samples == 0 and made.people_of([1]) == {1: made.person("ann")}
    made.merge_people("eve", "bob", reason="one person")
    assert [one.sample for one in made.samples("bob")] == [1, 3, 4]
    assert reason_of(made.person, "eve") == "gallery.person"
    made.remove_sample(4, reason="blurred")
    made.remove_person("bob", reason="asked for it")
    told = [(one.what, one.sample, one.source, one.target, one.reason) for one in made.corrections()]
    assert told == [
        ("move-sample", 2, "ann", "bob", "wrong label"),
        ("move-sample", 1, "ann", "eve", "wrong label"),
        ("merge-people", None, "eve", "bob", "one person"),
        ("remove-sample", 4, "bob", None, "blurred"),
        ("remove-person", None, "bob", None, "asked for it"),
    ]
    assert [one.what for one in made.events()] == [
        "created", "added", "moved", "moved", "merged", "removed", "removed",
    ]  # fmt: skip
    assert {one.who for one in made.events()} == {"tester"}
    last = list(made.events())[-2].event
    assert [one.what for one in made.events(since=last)] == ["removed"]
    for call in (lambda: made.move_sample(99, to="ann", reason="x"), lambda: made.remove_sample(99, reason="x")):
        assert reason_of(call) == "gallery.sample"


def test_whoever_may_not_be_found_is_not(made):
    made.add_samples([sample(person, row) for row, person in enumerate(("ann", "bob", "eve", "zoe"))])
    made.update_person("bob", consent=Consent("form", NOW - DAY))
    made.update_person("eve", expires=datetime.now(UTC) - DAY)
    made.update_person("zoe", expires=datetime.now(UTC) + DAY)
    assert set(made.people_of([1, 2, 3, 4, -1, 77])) == {1, 2, 4} and made.keys().tolist() == [1, 2, 4]
    _, revision = followed(made)
    made.update_person("bob", consent=Consent("form", NOW - DAY, withdrawn=NOW))
    assert set(made.people_of([1, 2, 3, 4])) == {1, 4}
    (part,) = made.changes(revision)
    assert part.removed.tolist() == [2] and not len(part.keys)
    made.update_person("bob", consent=Consent("form", NOW))
    (part,) = made.changes(revision)
    assert part.keys.tolist() == [2] and not len(part.removed)


@pytest.mark.parametrize("closed", [{"consent": Consent("form", NOW, withdrawn=NOW)}, {"expires": LONG_AGO}])
def test_samples_of_whoever_may_not_be_found_go_nowhere(made, closed):
    made.add_samples([sample("ann", 1), sample("bob", 2), sample("eve", 3)])
    made.update_person("bob", **closed)
    before = made.revision
    for call in (
        lambda: made.add_samples([sample("new", 9), sample("bob", 8)]),
        lambda: made.merge_people("bob", "ann", reason="x"),
        lambda: made.merge_people("ann", "bob", reason="x"),
        lambda: made.move_sample(2, to="ann", reason="x"),
        lambda: made.move_sample(1, to="bob", reason="x"),
    ):
        assert reason_of(call) == "gallery.consent"
    assert made.revision == before and made.keys().tolist() == [1, 3] and len(made.people()) == 3


def test_purging_erases_bytes_and_leaves_only_the_id(made):
    pixels = crop(8)
    secret = sample("bob", 5, crop=pixels, name="Robert Secret", metadata={"room": "hidden-room-17"})
    made.add_samples([secret, sample("ann", 1)])
    made.update_person("bob", expires=NOW)
    png = bytes(next(made.stored_samples(crops=True)).png)
    marks = [b"Robert Secret", b"hidden-room-17", b"bob/5.jpg", png[60:120], secret.vector.tobytes()]
    assert all(mark in _bytes(made) for mark in marks)
    assert made.purge(now=NOW) == ["bob"]
    left = _bytes(made)
    assert [mark for mark in marks if mark in left] == []
    made.update_person("ann", expires=NOW)
    assert made.purge(now=NOW - DAY) == []
    event = list(made.events())[-2]
    assert (event.what, event.detail) == ("purged", {"people": ["bob"]})
    assert made.check() == [] and set(followed(made)[0]) == {2}


@pytest.mark.parametrize("storage", ["float32", "int8"])
def test_nothing_of_many_who_left_stays_in_the_file(tmp_path, storage):
    """Rows that a database moves between pages as it grows leave copies behind, which zeroing a row does not reach."""
    made, rng = gallery(tmp_path, storage=storage), np.random.default_rng(3)
    names = [f"{number:09d}" for number in rng.permutation(10**6)[:400]]
    for start in range(0, len(names), 16):
        made.add_samples(
            [
                sample(name, row + start, name=f"Name {name}", metadata={"secret": f"meta {name}"})
                for row, name in enumerate(names[start : start + 16])
            ]
        )
    gone = names[::3]
    with made.transaction():
        for name in gone[:-9]:
            made.update_person(name, expires=LONG_AGO)
    assert len(made.purge()) == len(gone) - 9 and made.is_wiped
    with made.transaction():
        for name in gone[-9:]:
            made.remove_person(name, reason="left")
    assert made.is_wiped and made.check() == []
    left = _bytes(made)
    marks = [mark for name in gone for mark in (f"Name {name}", f"meta {name}", f"{name}/")]
    assert [mark for mark in marks if mark.encode() in left] == []
    assert all(f"Name {name}".encode() in left for name in names[1::3])


def test_a_reader_in_the_way_delays_the_wiping_of_the_log(made):
    made.add_samples([sample("ann", 1), sample("bob", 2)])
    mark = b"ann/1.jpg"
    with Gallery.open(made.path).snapshot() as shot:
        list(shot.people())
        made.remove_person("ann", reason="left")
        assert not made.is_wiped and mark in _bytes(made)
    made.close()
    assert made.is_wiped and mark not in _bytes(made)


def test_a_large_file_is_written_anew_by_purge(made, monkeypatch):
    monkeypatch.setattr(dialect, "SMALL_BYTES", 0)
    made.add_samples([sample("ann", 1), sample("bob", 2)])
    made.remove_person("ann", reason="left")
    assert not made.is_wiped and made.purge() == [] and made.is_wiped


def test_what_is_acknowledged_is_on_the_disk_and_what_is_deleted_is_zeroed(made):
    with made._store.engine.connect() as connection:
        told = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in _SETTINGS}
    assert told == _SETTINGS


_SETTINGS = {"synchronous": 2, "secure_delete": 1, "journal_mode": "wal", "foreign_keys": 1}


def _bytes(made):
    beside = [made.path.with_name(made.path.name + suffix) for suffix in ("", "-wal")]
    return b"".join(path.read_bytes() for path in beside if path.exists())


def test_many_writes_are_one_or_none(made):
    made.add_samples([sample("ann", 1)])
    before, revision = followed(made)
    with pytest.raises(RuntimeError, match="half-way"):
        _broken_off(made)
    assert followed(made)[1] == revision and [person.person for person in made.people()] == ["ann"]
    with made.transaction():
        made.add_samples([sample("bob", 2)])
        made.remove_person("ann", reason="test")
    assert made.revision == revision + 1 and set(followed(made)[0]) == {2} and set(before) == {1}
    assert sample("ann", 1).vector.tobytes() not in _bytes(made)


def _broken_off(made):
    with made.transaction():
        made.add_samples([sample("bob", 2)])
        made.add_person("eve")
        made.remove_person("ann", reason="test")
        assert [person.person for person in made.people()] == ["bob", "eve"]
        raise RuntimeError("half-way")


def test_a_gallery_is_moved_to_another_space_in_one_step(made):
    rng = np.random.default_rng(1)
    made.add_samples([sample("ann", 1, crop=crop(1)), sample("ann", 2), sample("bob", 3)])
    other = Gallery.open(made.path, space=SPACE)
    _, before = followed(other)
    new = {number: unit(rng, 24) for number in (1, 2, 3, 4)}
    waiting = made.without_template(OTHER)
    assert [one.sample.sample for one in waiting] == [1, 2, 3] and waiting[0].png is not None
    done = made.add_templates(OTHER, [1, 2, 3, 77], np.array([new[1], new[2], new[3], new[4]]), np.full(4, 9.0))
    assert done == 3 and made.add_templates(OTHER, [1], new[4][None], np.ones(1)) == 0
    other.add_samples([sample("eve", 4)])
    with pytest.raises(InputError, match="1 samples have no template"):
        made.switch_space(OTHER, made_by=MADE_BY)
    assert made.count_without_template(OTHER) == 1 and made.space == SPACE
    made.add_templates(OTHER, [4], new[4][None], np.ones(1))
    later = Provenance("embedder/later", "onnxruntime", "fp32", "1", "0")
    made.switch_space(OTHER, made_by=later)
    rows, _ = followed(made, since=before)
    mean = new[1] + new[2]
    np.testing.assert_allclose(rows[1], mean / np.linalg.norm(mean), atol=1e-6)
    np.testing.assert_array_equal([rows[2], rows[3]], [new[3], new[4]])
    assert made.samples("ann")[0].norm == 9.0 and made.check() == []
    assert (made.info.space, made.info.made_by) == (OTHER, later)
    for call in (lambda: other.add_samples([sample("ann", 9)]), lambda: next(other.changes(0))):
        with pytest.raises(SpaceError, match="migrated meanwhile"):
            call()
    with pytest.raises(SpaceError, match="gallery migrate"):
        Gallery.open(made.path, space=SPACE)
    assert Gallery.open(made.path).add_samples([sample("zoe", 9, vector=new[1])]) == [5]


def test_templates_beside_are_kept_or_dropped(made):
    made.add_samples([sample("ann", 1)])
    vector = unit(np.random.default_rng(1), 24)
    made.add_templates(OTHER, [1], vector[None], np.ones(1))
    assert made.drop_templates(OTHER) == 1 and made.count_without_template(OTHER) == 1
    made.add_templates(OTHER, [1], vector[None], np.ones(1))
    made.switch_space(OTHER, made_by=MADE_BY, keep_old=True)
    made.switch_space(SPACE, made_by=MADE_BY)
    np.testing.assert_array_equal(followed(made)[0][1], sample("ann", 1).vector)
    for call in (lambda: made.drop_templates(SPACE), lambda: made.add_templates(SPACE, [1], vector[None], np.ones(1))):
        with pytest.raises(UsageError):
            call()


def test_without_crops_none_are_kept(tmp_path):
    made = gallery(tmp_path, keep_crops=False)
    made.add_samples([sample("ann", 1, crop=crop(1))])
    assert made.crop(1) is None and made.samples("ann")[0].crop_template is None


def test_threads_share_a_gallery(made):
    errors = []

    def work(number):
        try:
            for step in range(6):
                made.add_samples([sample(f"p{number}", 10 * number + step), sample("all", 10 * number + step)])
                assert made.person(f"p{number}").samples == step + 1
                followed(made)
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and made.person("all").samples == 48 and made.check()[0].startswith("warning: ")
    assert made.revision == 48


def test_a_gallery_of_a_compatible_recogniser_names_the_field_that_matters(tmp_path):
    made = gallery(tmp_path)
    asked = replace(SPACE, recogniser="1" * 64, compatible=(SPACE.fingerprint,))
    with pytest.raises(SpaceError, match="differ in recogniser: use the model"):
        Gallery.open(made.path, space=asked)
