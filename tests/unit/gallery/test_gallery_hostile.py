"""What comes from outside: ids, texts, numbers, metadata, files that are no galleries or are broken."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

import galleries
from galleries import MADE_BY, OTHER, SPACE, crop, followed, gallery, sample, unit
from visavis.errors import InputError, SpaceError, UsageError, VisavisError
from visavis.gallery.consent import Consent
from visavis.gallery.gallery import Gallery
from visavis.gallery.records import dialect


@pytest.fixture
def made(tmp_path):
    return gallery(tmp_path)


def reason_of(call):
    with pytest.raises(VisavisError) as caught:
        call()
    assert len(caught.value.message) < 900
    return caught.value.reason


def _nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "person",
    [
        "",
        "   ",
        "\u3000",
        "a" * 201,
        "x" * 10_000,
        "a\nb",
        "a\0b",
        "\x1b[31mred",
        "a\u2028b",
        "a\u202eb",
        "\udcff",
        "a\u2066b",
        " ann",
        "ann\u00a0",
        "ann\u200b",
        "\ufeffann",
        "a\u00adnn",
        "\u3164",
        "ann\u200d",
        "a\u200cn",
    ],
    ids=lambda person: repr(person[:8]),
)
def test_ids_that_cannot_be_shown_are_refused(made, person):
    assert reason_of(lambda: made.add_person(person)) == "gallery.person-id"
    assert reason_of(lambda: made.add_samples([sample("ann", 1), sample("ok", 2), _renamed(person)])) == (
        "gallery.person-id"
    )
    assert reason_of(lambda: made.person(person)) == "gallery.person-id"
    assert made.people() == [] and made.revision == 0


def _renamed(person):
    from dataclasses import replace

    return replace(sample("x", 3), person=person)


@pytest.mark.parametrize(
    "person",
    [
        "a" * 200,
        "Łukasz",
        "王小明",
        "مريم",
        "שלום",
        "👩‍👩‍👧",
        "\U0001fae8",
        "می‌خواهم",
        "O'Brien\"; DROP TABLE person;--",
        "%s {x} [b]",
        "../..",
        "a b",
    ],
)
def test_ids_of_any_script_are_kept_as_they_are(made, person):
    made.add_samples([sample(person, 1)])
    assert [found.person for found in made.people()] == [person] == [made.samples(person)[0].person]
    assert made.has(person, f"{1:064x}") and made.people_of([1])[1].person == person


def test_ids_that_look_alike_stay_apart(made):
    composed, apart = "é", "e\u0301"
    made.add_samples([sample(composed, 1), sample(apart, 2), sample("E", 3), sample("e", 4), sample("e e", 5)])
    assert len(made.people()) == 5 and made.samples(apart)[0].sample == 2


@pytest.mark.parametrize(
    "metadata",
    [
        {"a": float("nan")},
        {"a": float("inf")},
        {"a": b"bytes"},
        {"a": {1: 2}},
        {"a": object()},
        {"a": "x" * 70_000},
        {"a": "\0"},
        {"\0": 1},
        {"a": _nested(40)},
        {"a": _nested(50_000)},
        {"a": [0] * 70_000},
        {"a": [[[0] * 50] * 50] * 50},
    ],
    ids=range(12),
)
def test_metadata_that_cannot_be_kept_is_refused(made, metadata):
    assert reason_of(lambda: made.add_person("ann", metadata=metadata)) == "gallery.metadata"
    assert reason_of(lambda: made.add_samples([sample("ann", 1, metadata=metadata)])) == "gallery.metadata"
    assert made.people() == [] and made.info.samples == 0


def test_metadata_up_to_the_limits_is_kept(made):
    metadata = {
        "text": "\udcff 'é\" \n \u2028",
        "deep": _nested(28),
        "long": "x" * 65_000,
        "none": None,
        "escaped": "\\u0000",
        "": [1.5, -0.0],
    }
    assert made.add_person("ann", metadata=metadata).metadata == metadata
    assert made.people(where=metadata)[0].person == "ann"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"vector": np.full(16, np.nan, np.float32)}, "unit norm"),
        ({"vector": np.zeros(16, np.float32)}, "unit norm"),
        ({"vector": np.full(16, 1.0, np.float32)}, "unit norm"),
        ({"vector": unit(np.random.default_rng(0), 8)}, r"\(16,\)"),
        ({"vector": np.zeros((16, 1), np.float32)}, r"\(16,\)"),
        ({"vector": np.zeros(16, np.int8)}, "int8"),
        ({"box": (1.0, 2.0, float("nan"), 4.0)}, "finite"),
        ({"box": (1.0, 2.0, 3.0)}, "four sides"),
        ({"box": (1.0, 2.0, 1e300, 4.0)}, "finite"),
        ({"score": float("inf")}, "finite"),
        ({"norm": float("nan")}, "finite"),
        ({"quality": 101.0}, "0..100"),
        ({"sha256": "ABC"}, "sha256"),
        ({"sha256": "A" * 64}, "sha256"),
        ({"crop": np.zeros((8, 8), np.uint8)}, "crop"),
        ({"crop": np.zeros((8, 8, 3), np.float32)}, "crop"),
        ({"crop": np.zeros((0, 8, 3), np.uint8)}, "crop"),
        ({"crop": crop(1), "crop_template": ""}, "template"),
    ],
)
def test_one_bad_sample_refuses_the_batch_and_nothing_is_written(made, changed, words):
    from dataclasses import replace

    with pytest.raises(VisavisError, match=words):
        made.add_samples([sample("ann", 1), replace(sample("bob", 2), **changed)])
    assert made.people() == [] and made.revision == 0 and len(list(made.events())) == 1


@pytest.mark.parametrize("changed", [{"sha256": 5}, {"source": None}, {"crop": crop(1), "crop_template": "t" * 201}])
def test_fields_of_another_kind_are_usage(made, changed):
    from dataclasses import replace

    assert reason_of(lambda: made.add_samples([replace(sample("ann", 1), **changed)])) == "usage"


def test_names_of_pictures_are_kept_as_text(made):
    from dataclasses import replace

    made.add_samples(
        [replace(sample("ann", 1), source="f\udcffo\0o.jpg"), replace(sample("ann", 2), source="x" * 9999)]
    )
    one, two = (found.source for found in made.samples("ann"))
    assert one == "f\\udcffo\\x00o.jpg" and len(two) < 4097 and "..." in two


def test_reasons_and_names_and_moments_are_looked_at(made):
    made.add_samples([sample("ann", 1)])
    assert reason_of(lambda: made.remove_person("ann", reason="")) == "gallery.text"
    assert reason_of(lambda: made.remove_person("ann", reason=None)) == "usage"
    assert reason_of(lambda: made.remove_sample(1, reason="a\nb")) == "gallery.text"
    assert reason_of(lambda: made.update_person("ann", name="x" * 1001)) == "gallery.text"
    assert reason_of(lambda: made.update_person("ann", name="\x07")) == "gallery.text"
    for call in (
        lambda: made.update_person("ann", expires=datetime(2030, 1, 1)),
        lambda: made.purge(now=datetime(2030, 1, 1)),
        lambda: Consent("form", datetime(2030, 1, 1)),
        lambda: Consent("", datetime.now(UTC)),
        lambda: made.move_sample(1, to="ann", reason="x"),
        lambda: made.merge_people("ann", "ann", reason="x"),
        lambda: next(made.changes(0, page=0)),
        lambda: next(made.stored_samples(page=0)),
        lambda: gallery(made.path.parent, storage="float16"),
    ):
        assert reason_of(call) == "usage"


def test_paths_that_hold_no_gallery(tmp_path, made):
    def at(path, **options):
        return lambda: Gallery.open(path, **options)

    text, empty, other = tmp_path / "text", tmp_path / "empty", tmp_path / "other"
    text.write_text("no database, but longer than a header of one, so that it is looked at" * 50)
    empty.touch()
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE person (x)")
    connection.close()
    assert reason_of(at(tmp_path / "nowhere")) == reason_of(at(tmp_path)) == "gallery.missing"
    assert reason_of(at(text)) == reason_of(at(empty)) == reason_of(at(other)) == "gallery.format"
    assert reason_of(at(made.path, space=OTHER)) == "gallery.space"
    again = reason_of(lambda: Gallery.create(made.path, space=SPACE, made_by=MADE_BY))
    below = reason_of(lambda: Gallery.create(tmp_path / "no/such.gallery", space=SPACE, made_by=MADE_BY))
    assert (again, below) == ("gallery.exists", "gallery.missing")
    left = tmp_path / "left.gallery-wal"
    left.touch()
    assert (
        reason_of(lambda: Gallery.create(tmp_path / "left.gallery", space=SPACE, made_by=MADE_BY)) == "gallery.exists"
    )
    assert not list(tmp_path.glob(".*.part*")) and made.check() == []


def test_a_path_of_odd_characters_is_a_path(tmp_path):
    path = tmp_path / "a b?mode=memory&x#%20é'.gallery"
    made = Gallery.create(path, space=SPACE, made_by=MADE_BY)
    made.add_samples([sample("ann", 1)])
    made.close()
    assert path.is_file() and Gallery.open(path).info.samples == 1
    assert [found for found in tmp_path.iterdir() if not found.name.startswith(path.name)] == []


def test_a_gallery_of_a_later_version_is_refused(made):
    made.close()
    _sql(made.path, "UPDATE alembic_version SET version_num = '9999'")
    assert reason_of(lambda: Gallery.open(made.path)) == "gallery.newer"


def _sql(path, *statements):
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def _full(made, people=60):
    told = {"a": 1}
    made.add_samples(
        [sample(f"p{row}", row, crop=crop(row), metadata=told) for row in range(people)] + [sample("p0", 99)]
    )
    made.close()
    return made.path.read_bytes()


def test_a_file_that_is_cut_or_overwritten_is_told_and_never_trusted(made):
    """Anything may be done to a file: it is refused, or its check tells, or nothing of it was lost."""
    whole = _full(made)
    rng = np.random.default_rng(0)
    rows, _ = followed(made)
    made.close()
    reasons = []
    for trial in range(40):
        data = bytearray(whole)
        if trial % 2:
            del data[int(rng.integers(1, len(data))) :]
        else:
            start = int(rng.integers(0, len(data) - 4096))
            data[start : start + 2048] = rng.integers(0, 256, 2048).astype(np.uint8).tobytes()
        broken = made.path.with_name(f"broken-{trial}")
        broken.write_bytes(data)
        try:
            opened = Gallery.open(broken)
            problems = opened.check()
            found, _ = followed(opened)
        except VisavisError as error:
            reasons.append(error.reason)
            continue
        reasons += ["check"] if problems else []
        if not problems:  # free pages, crops or texts: nothing that a template is made of
            assert found.keys() == rows.keys() and all(np.array_equal(found[key], rows[key]) for key in rows)
    assert len(reasons) > 25
    assert set(reasons) <= {"check", "gallery.damaged", "gallery.format", "gallery.full", "gallery.newer"}


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE template SET data = zeroblob(64) WHERE sample = 3", "unit norm"),
        ("UPDATE template SET data = zeroblob(63) WHERE sample = 3", "length"),
        ("DELETE FROM template WHERE sample = 3", "without a template"),
        ("DELETE FROM fused", "pooled template"),
        ("UPDATE fused SET data = (SELECT data FROM template WHERE sample = 1)", "pooled template"),
        ("INSERT INTO fused SELECT person, data FROM sample JOIN template ON id = sample WHERE id = 3", "pooled"),
        ("UPDATE sample SET quality = 3 WHERE id = 61", "pooled template"),
        ("UPDATE person SET samples = 5 WHERE key = 2", "number of samples"),
        ("UPDATE person SET sole = 7 WHERE key = 3", "number of samples"),
        ("UPDATE person SET changed = NULL WHERE key = 3", "in the index"),
        ("UPDATE person SET changed = 99 WHERE key = 3", "after the gallery's"),
        ("INSERT INTO removal VALUES (3, 1)", "both in the index and gone"),
        ("UPDATE gallery SET next_person = 3", "not free"),
        ("UPDATE gallery SET next_sample = 3", "not free"),
        ("DELETE FROM person WHERE key = 3", "not there"),
        ("DELETE FROM sample WHERE id = 3", "not there"),
        ("DELETE FROM attribute", "found by their metadata"),
        ("UPDATE person SET metadata = json('{\"a\": 2}') WHERE key = 2", "found by their metadata"),
        ("UPDATE person SET person = ' ' WHERE key = 3", "id no gallery takes"),
        ("UPDATE person SET consent_basis = 'x' WHERE key = 3", "half a consent"),
        ("UPDATE sample SET place = '9,9,9,9' WHERE id = 3", "no gallery writes"),
        ("UPDATE sample SET sha256 = 'zz' WHERE id = 3", "no gallery writes"),
        ("UPDATE sample SET left = 'abc' WHERE id = 3", "no gallery writes"),
        ("UPDATE sample SET score = 9e999 WHERE id = 3", "no gallery writes"),
        ("UPDATE sample SET quality = 1000 WHERE id = 3", "no gallery writes"),
        ("UPDATE template SET norm = 'abc' WHERE sample = 3", "no gallery writes"),
        ("INSERT INTO template VALUES (1, 'ab', 1.0, x'00'), (2, 'ab', 1.0, x'0000')", "several lengths"),
        ("DROP INDEX ix_person_changed", "has no ix_person_changed"),
    ],
)
def test_what_contradicts_itself_is_told(made, statement, words):
    _full(made)
    assert made.check() == []
    _sql(made.path, statement)
    assert any(words in line for line in made.check()), made.check()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE person SET metadata = '{'",
        "UPDATE person SET metadata = '[]'",
        "UPDATE person SET created = 'yesterday'",
        "UPDATE person SET expires = 'soon'",
        "UPDATE sample SET created = 'x'",
        "UPDATE event SET detail = '{'",
    ],
)
def test_rows_that_cannot_be_read_are_damage(made, statement):
    _full(made)
    _sql(made.path, statement)
    assert reason_of(made.check) == "gallery.damaged"
    if " person " in statement:
        assert reason_of(made.people) == "gallery.damaged"


def test_what_its_keeper_should_know_is_a_warning(made):
    made.add_samples([sample("ann", 1), sample("bob", 1), sample("eve", 2), sample("zoe", 3)])
    made.update_person("eve", expires=datetime(2020, 1, 1, tzinfo=UTC))
    made.update_person("zoe", consent=Consent("form", datetime.now(UTC), datetime.now(UTC)))
    lines = made.check()
    assert all(line.startswith("warning: ") for line in lines) and len(lines) == 3
    assert "ann, bob" in lines[0] and "eve" in lines[1] and "zoe" in lines[2]


def test_a_row_that_describes_the_gallery_is_needed(made):
    made.close()
    whole = made.path.read_bytes()
    for statement in (
        "UPDATE gallery SET space = '[]'",
        "UPDATE gallery SET made_by = '{}'",
        "UPDATE gallery SET storage = 'int4'",
        "UPDATE gallery SET fingerprint = 'ffff'",
        "UPDATE alembic_version SET version_num = '0000'",
        "INSERT INTO gallery SELECT 2, uuid, space, fingerprint, made_by, storage, keep_crops, created, revision, "
        "next_person, next_sample FROM gallery",
        "DELETE FROM gallery",
    ):
        made.path.write_bytes(whole)
        _sql(made.path, statement)
        assert reason_of(lambda: Gallery.open(made.path)) == "gallery.damaged"


def test_a_gallery_that_cannot_grow_loses_nothing(made, monkeypatch):
    """SQLite's own limit of pages fails as a full disk does."""
    made.add_samples([sample("ann", 1, crop=crop(1))])
    before, revision = followed(made)
    made.close()
    settings = dialect.adapt

    def smaller(engine):
        settings(engine)
        dialect.sql.event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA max_page_count=60"))

    monkeypatch.setattr(dialect, "adapt", smaller)
    full = Gallery.open(made.path)
    many = [sample(f"p{row}", row, crop=np.random.default_rng(row).integers(0, 256, (112, 112, 3)).astype(np.uint8))
            for row in range(20)]  # fmt: skip
    assert reason_of(lambda: full.add_samples(many)) == "gallery.full"
    rows, after = followed(full)
    assert after == revision and rows.keys() == before.keys() and full.check() == []
    assert full.add_samples([sample("bob", 2)]) == [2]
    full.close()
    monkeypatch.undo()
    assert len(Gallery.open(made.path).add_samples(many)) == 20


def test_a_lock_is_waited_for_and_then_told(made, monkeypatch):
    monkeypatch.setattr(dialect, "WAIT_SECONDS", 0.3)
    from visavis.gallery.records.creation import open_store

    patient = Gallery(*open_store(made.path, who="x", space=None, wait=5.0))
    hasty = Gallery(*open_store(made.path, who="x", space=None, wait=0.2))
    other = sqlite3.connect(made.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    assert reason_of(lambda: hasty.add_samples([sample("ann", 1)])) == "gallery.locked"
    assert hasty.people() == []  # readers are not held up
    threading.Timer(0.3, lambda: other.execute("COMMIT")).start()
    assert patient.add_samples([sample("ann", 1)]) == [1]


def test_a_forked_process_has_connections_of_its_own(made):
    """Also when other threads of the parent are in the middle of a write as it forks."""
    made.add_samples([sample("ann", 1)])
    followed(made)
    stop, written = threading.Event(), []

    def write(number):
        while not stop.is_set():
            written.append(made.add_samples([sample("parent", 1000 * number + len(written))]))

    threads = [threading.Thread(target=write, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    codes = [os.waitstatus_to_exitcode(os.waitpid(_child(made, number), 0)[1]) for number in (9000, 9001)]
    stop.set()
    for thread in threads:
        thread.join()
    assert codes == [0, 0] and made.check() == [] and [None] not in written
    assert made.person("child").samples == 2 and made.person("parent").samples == len(written)


def _child(made, number):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            made.add_samples([sample("child", number)])
            os._exit(0 if made.has("child", f"{number:064x}") else 1)
        finally:
            os._exit(2)
    return child


_WRITER = """
import sys, numpy as np
sys.path.insert(0, sys.argv[2])
from galleries import sample
from visavis.gallery.gallery import Gallery
made = Gallery.open(sys.argv[1])
for step in range(100_000):
    made.add_samples([sample(f"p{step}", 2 * step), sample("all", 2 * step + 1)])
    if step % 7 == 3:
        made.remove_person(f"p{step - 1}", reason="test")
    print(step, flush=True)
"""


def test_what_was_acknowledged_outlives_a_kill(made):
    """A process that is killed in the middle of writes leaves all that it had said was done."""
    made.close()
    words = [sys.executable, "-c", _WRITER, str(made.path), str(Path(galleries.__file__).parent)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as writer:
        told = [int(writer.stdout.readline()) for _ in range(9)]
        time.sleep(0.013)
        writer.send_signal(signal.SIGKILL)
        told += [int(line) for line in writer.stdout.read().split()]
    opened = Gallery.open(made.path)
    assert opened.check() == []
    people = {person.person for person in opened.people()}
    gone = {f"p{step - 1}" for step in told if step % 7 == 3}
    assert {f"p{step}" for step in told[:-1]} - gone <= people | {f"p{told[-1]}"} and not gone & people
    assert opened.person("all").samples in (len(told), len(told) + 1)


def test_the_metadata_of_a_gallery_is_plain_json(made):
    made.add_person("ann", metadata={"ä": "ö"})
    connection = sqlite3.connect(made.path)
    ((text,),) = connection.execute("SELECT metadata FROM person")
    assert json.loads(text) == {"ä": "ö"}
    connection.close()


def test_a_copy_of_the_file_is_the_gallery(made, tmp_path):
    made.add_samples([sample("ann", 1)])
    made.close()
    copy = shutil.copy(made.path, tmp_path / "copy")
    with pytest.raises(SpaceError):
        Gallery.open(copy, space=OTHER)
    assert Gallery.open(copy, space=SPACE).uuid == made.uuid


def test_wrong_kinds_are_usage(made):
    for call in (
        lambda: made.add_person(7),
        lambda: made.add_person("ann", metadata=[1]),
        lambda: made.people(where=["a"]),
    ):
        with pytest.raises(UsageError):
            call()
    assert reason_of(lambda: made.vectors([1])) == "gallery.sample"
    for huge in (1 << 63, -(1 << 70), 10**400):
        assert reason_of(lambda huge=huge: made.crop(huge)) == "gallery.sample"
        assert reason_of(lambda huge=huge: made.remove_sample(huge, reason="x")) == "gallery.sample"
        assert made.people_of([huge]) == {} and len(list(made.changes(huge))) == 1
        assert len(list(made.events(since=huge))) == (huge < 0) and list(made.stored_samples(after=huge)) == []
    with pytest.raises(InputError, match="gallery show"):
        made.crop(5)
