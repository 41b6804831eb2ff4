"""Whole galleries out and in: the copy equals the original, and archives that are none are refused unread."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries import MADE_BY, OTHER, crop, followed, gallery, sample
from visavis.errors import InputError, SpaceError, UsageError
from visavis.gallery.consent import Consent
from visavis.gallery.exchange.archive import GalleryArchive
from visavis.gallery.exchange.archive_export import export_gallery
from visavis.gallery.exchange.archive_import import import_gallery
from visavis.gallery.exchange.copy import copy_gallery
from visavis.gallery.exchange.embedding_export import WRITERS, embeddings_of_gallery, write_faiss_gallery
from visavis.gallery.gallery import Gallery
from visavis.io.encode import to_bytes

pytest.importorskip("pyarrow")
NOW = datetime(2030, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


def full(folder, **options):
    """A gallery with everything in it that a gallery can hold."""
    made = gallery(folder, **options)
    made.add_person("empty", name="nobody yet", metadata={"a": [1, {"b": None}], "ü": "😀"})
    made.add_person("ann", name="Ann", consent=Consent("form 1", NOW), expires=NOW + timedelta(days=9))
    made.add_samples([sample("ann", 1, crop=crop(1)), sample("ann", 2, quality=float("nan")), sample("bob", 1)])
    made.add_samples([sample("eve", number, crop=crop(number)) for number in range(3, 6)])
    made.add_samples([sample("late", 7)])
    made.update_person("late", consent=Consent("form 2", NOW, NOW + timedelta(days=1)))
    made.remove_sample(made.samples("eve")[0].sample, reason="not her")
    made.move_sample(made.samples("eve")[0].sample, to="bob", reason="it is Bob")
    made.add_person("gone")
    made.remove_person("gone", reason="asked to")
    return made


def told(made, *, history=True):
    """Everything but the revision, the name of the file and its uuid."""
    people = made.people()
    samples = [found for person in people for found in made.samples(person.person)]
    found = {
        "people": people,
        "samples": [str(found) for found in samples],
        "vectors": made.vectors([found.sample for found in samples]).tolist(),
        "crops": [None if (pixels := made.crop(found.sample)) is None else pixels.tolist() for found in samples],
        "rows": {key: row.tolist() for key, row in followed(made)[0].items()},
    }
    if history:
        found["corrections"] = [(one.what, one.who, one.when, one.source, one.reason) for one in made.corrections()]
    return found


@pytest.mark.parametrize(("name", "storage"), [("copy", "int8"), ("copy.tar", "float32")])
def test_a_copy_equals_the_original(tmp_path, storage, name):
    made = full(tmp_path, storage=storage)
    exported = export_gallery(made, tmp_path / name)
    archive = GalleryArchive(tmp_path / name)
    assert archive.manifest == exported.manifest and archive.sha256 == exported.sha256
    taken = import_gallery(archive, tmp_path / "other.gallery")
    other = taken.gallery
    assert (taken.made, taken.people, taken.samples, taken.known) == (True, 5, 6, 0)
    assert told(other) == told(made)
    assert other.check() == made.check()
    assert other.uuid != made.uuid and other.info.storage == storage
    before = [(one.what, one.when, one.detail) for one in made.events()]
    after = [(one.what, one.when, one.detail) for one in other.events()]
    assert after[1 : 1 + len(before)] == before and after[-1][0] == "imported"
    assert after[-1][2]["manifest"] == exported.sha256
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
    # Numbers of those who are gone are not given again.
    key = made.add_person("next").key
    assert other.add_person("next").key == key


def test_the_hashes_are_those_of_the_files(tmp_path):
    exported = export_gallery(full(tmp_path), tmp_path / "copy")
    for name, entry in exported.manifest.files.items():
        data = (tmp_path / "copy" / name).read_bytes()
        assert (entry.bytes, entry.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    data = (tmp_path / "copy" / "manifest.json").read_bytes()
    assert exported.sha256 == hashlib.sha256(data).hexdigest()
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {*exported.manifest.files, "manifest.json"}


def test_other_programs_read_the_files(tmp_path):
    import pyarrow.parquet as parquet

    made = full(tmp_path)
    export_gallery(made, tmp_path / "copy")
    table = parquet.read_table(tmp_path / "copy" / "samples.parquet").to_pydict()
    np.testing.assert_array_equal(np.array(table["vector"], np.float32), made.vectors(table["id"]))
    assert parquet.read_table(tmp_path / "copy" / "people.parquet")["person"].to_pylist()[:2] == ["empty", "ann"]


def test_an_export_is_of_one_moment(tmp_path):
    """A sample that is added while it is written is not in it, nor half of it."""
    made = gallery(tmp_path)
    made.add_samples([sample("ann", number) for number in range(3)])

    def meanwhile(done, total):
        assert (done, total) == (3, 3)
        made.add_samples([sample("bob", 9, crop=crop(9))])

    exported = export_gallery(made, tmp_path / "copy", progress=meanwhile)
    assert {name: entry.rows for name, entry in exported.manifest.files.items()} == {
        "people.parquet": 1, "samples.parquet": 3, "crops.parquet": 0, "corrections.parquet": 0, "events.parquet": 2,
    }  # fmt: skip
    assert made.info.samples == 4


def test_crops_may_stay_behind(tmp_path):
    made = full(tmp_path)
    export_gallery(made, tmp_path / "copy", crops=False)
    other = import_gallery(GalleryArchive(tmp_path / "copy"), tmp_path / "b.gallery").gallery
    assert not other.info.keep_crops
    assert {found.crop_template for found in other.samples("ann")} == {None}


class TestMerge:
    def test_twice_is_once(self, tmp_path):
        made = full(tmp_path)
        export_gallery(made, tmp_path / "copy")
        (tmp_path / "b").mkdir()
        other = gallery(tmp_path / "b")
        other.add_person("taken-number")
        archive = GalleryArchive(tmp_path / "copy")
        first = import_gallery(archive, other.path)
        assert (first.made, first.people, first.samples, first.known) == (False, 5, 6, 0)
        before = told(other)
        again = import_gallery(archive, other.path)
        assert (again.people, again.samples, again.known, again.conflicts) == (0, 0, 6, {})
        assert told(other) == before
        assert other.check() == made.check()
        rows, whole = followed(other)[0], followed(made)[0]
        by_id = {person.person: person.key for person in other.people()}
        for person in made.people():
            if person.key in whole:
                np.testing.assert_array_equal(rows[by_id[person.person]], whole[person.key])
        assert "corrections and events" in again.notes[0] and not list(other.corrections())

    def test_what_is_there_stays_and_is_told(self, tmp_path):
        made = full(tmp_path)
        export_gallery(made, tmp_path / "copy")
        made.update_person("ann", name="Anna", expires=None)
        made.add_samples([sample("ann", 30)])
        taken = import_gallery(GalleryArchive(tmp_path / "copy"), made.path)
        assert taken.conflicts == {"ann": ["name", "expires"]}
        assert made.person("ann").name == "Anna" and made.person("ann").samples == 3
        assert taken.known == 6

    def test_nothing_is_added_to_who_withdrew_consent(self, tmp_path):
        made = full(tmp_path)
        export_gallery(made, tmp_path / "copy")
        (tmp_path / "b").mkdir()
        other = gallery(tmp_path / "b")
        other.add_person("bob", consent=Consent("form", NOW, NOW))
        other.add_samples([sample("eve", 4, crop=crop(4))])
        other.update_person("eve", expires=datetime(2000, 1, 1, tzinfo=UTC))
        taken = import_gallery(GalleryArchive(tmp_path / "copy"), other.path)
        assert [other.person(one).samples for one in ("bob", "eve", "ann")] == [0, 1, 2]
        assert "2 people who expired or withdrew consent: bob, eve" in taken.notes[0]
        assert taken.conflicts == {"bob": ["consent_basis", "consent_given", "consent_withdrawn"], "eve": ["expires"]}

    def test_another_space_is_refused(self, tmp_path):
        export_gallery(full(tmp_path), tmp_path / "copy")
        (tmp_path / "b").mkdir()
        other = Gallery.create(tmp_path / "b" / "other.gallery", space=OTHER, made_by=MADE_BY)
        with pytest.raises(SpaceError, match="migrate"):
            import_gallery(GalleryArchive(tmp_path / "copy"), other.path)

    def test_all_or_nothing(self, tmp_path):
        """A crop that is none, in the last file that is read, and nothing of the others is kept."""
        made = full(tmp_path)
        export_gallery(made, tmp_path / "copy")
        changed(tmp_path / "copy", "crops.parquet", lambda rows: [*rows[:-1], rows[-1] | {"png": b"x"}])
        (tmp_path / "b").mkdir()
        other = gallery(tmp_path / "b")
        with pytest.raises(InputError, match="no PNG") as caught:
            import_gallery(GalleryArchive(tmp_path / "copy"), other.path)
        assert caught.value.reason == "exchange.archive"
        assert other.people() == [] and other.info.samples == 0
        with pytest.raises(InputError, match="no PNG"):
            import_gallery(GalleryArchive(tmp_path / "copy"), tmp_path / "new.gallery")
        assert not (tmp_path / "new.gallery").exists()
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def changed(folder, name, change):
    """A file of an export with other rows, and the manifest made to fit."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    table = parquet.read_table(folder / name)
    rows = change(table.to_pylist())
    parquet.write_table(arrow.Table.from_pylist(rows, table.schema), folder / name)
    fitted(folder, **{name: {"rows": len(rows)}})


def fitted(folder, **entries):
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, entry in entries.items():
        data = (folder / name).read_bytes()
        manifest["files"][name] |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), **entry}
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    export_gallery(full(folder), folder / "copy")
    return folder / "copy"


@pytest.fixture
def copy(exported, tmp_path):
    import shutil

    return shutil.copytree(exported, tmp_path / "copy")


def _set(**values):
    return lambda rows: [rows[0] | values, *rows[1:]]


class TestHostileRows:
    """Hashes that fit, and rows that no gallery would hold."""

    @pytest.mark.parametrize(
        ("name", "change", "words"),
        [
            ("people.parquet", _set(person=""), "1 to 200 characters"),
            ("people.parquet", _set(person="a\nb"), "cannot be shown"),
            ("people.parquet", _set(person="a" * 3000), "1 to 200 characters"),
            ("people.parquet", _set(person="a" * 100_000), "text of 100000 characters"),
            ("samples.parquet", _set(source="/a" * 100_000), "text of 200000 characters"),
            ("people.parquet", _set(metadata='{"a": NaN}'), "NaN is no number"),
            ("events.parquet", _set(detail='{"a": 1e999}'), "1e999 is no number"),
            ("events.parquet", _set(detail='{"a": ' + "[" * 900 + "]" * 900 + "}"), "32 levels"),
            ("events.parquet", _set(detail='{"a": ["\\u0000"]}'), "NUL"),
            ("events.parquet", _set(who="\x1b[31mX\n"), "who is 1 to 1000 characters that can be shown"),
            ("events.parquet", _set(what=""), "what is 1 to"),
            ("corrections.parquet", _set(reason="a\u202eb"), "reason is 1 to"),
            ("people.parquet", _set(metadata="[1]"), "no object"),
            ("people.parquet", _set(metadata="{"), "is none"),
            ("people.parquet", _set(metadata="[" * 100_000), "is none|longer"),
            ("people.parquet", _set(metadata=json.dumps({"a": "b" * 70_000})), "65536"),
            ("people.parquet", _set(metadata=json.dumps({"a": "b" * 300_000})), "longer"),
            ("people.parquet", _set(name="a\u202eb"), "shown on one line"),
            ("people.parquet", _set(consent_withdrawn=NOW), "consent"),
            ("people.parquet", _set(consent_basis="form"), "consent"),
            ("people.parquet", _set(created=None), "without created"),
            ("people.parquet", _set(key=None), "without key"),
            ("people.parquet", _set(key=-5), "number of a person"),
            ("people.parquet", lambda rows: [*rows, rows[0]], "one number"),
            ("people.parquet", lambda rows: [*rows, rows[0] | {"key": 99}], "persons are one"),
            ("people.parquet", lambda rows: rows[1:2], "not in it"),
            ("samples.parquet", _set(person=77), "not in it"),
            ("samples.parquet", _set(sha256="x"), "64 hexadecimal"),
            ("samples.parquet", _set(quality=101.0), "0..100"),
            ("samples.parquet", _set(left=float("nan")), "a box, score or norm is nan"),
            ("samples.parquet", _set(norm=None), "without norm"),
            ("samples.parquet", _set(score=1e300), "1e"),
            ("samples.parquet", _set(id=1 << 63 - 1), "number"),
            ("samples.parquet", lambda rows: [*rows, rows[0]], "samples are one"),
            ("samples.parquet", lambda rows: [rows[0] | {"vector": [2.0] * len(rows[0]["vector"])}], "unit norm"),
            ("samples.parquet", lambda rows: [rows[0] | {"vector": None}], "without a vector"),
            ("crops.parquet", _set(png=b"\x89PNG\r\n\x1a\n"), "cannot be used"),
            ("crops.parquet", _set(png=to_bytes(np.zeros((5000, 5000, 3), np.uint8))), "pixels"),
            ("crops.parquet", _set(template=""), "crop's template"),
            ("crops.parquet", lambda rows: [rows[0], rows[0]], "crops are one"),
            ("crops.parquet", _set(sample=None), "without sample"),
            ("events.parquet", _set(what="x" * 100), "what of more than 32"),
            ("events.parquet", _set(detail="3"), "no object"),
            ("corrections.parquet", _set(reason="x" * 100_000), "text of 100000 characters"),
        ],
    )
    def test_they_are_refused_and_nothing_is_left(self, copy, name, change, words):
        changed(copy, name, change)
        target = copy.parent / "new.gallery"
        with pytest.raises(InputError, match=words) as caught:
            import_gallery(GalleryArchive(copy), target)
        assert caught.value.reason == "exchange.archive"
        assert [path.name for path in copy.parent.iterdir()] == ["copy"]

    def test_other_columns(self, copy):
        (copy / "people.parquet").write_bytes((copy / "events.parquet").read_bytes())
        fitted(copy, **{"people.parquet": {}})
        with pytest.raises(InputError, match="other columns"):
            import_gallery(GalleryArchive(copy), copy.parent / "new.gallery")


class TestHostileArchives:
    def _refused(self, path, words):
        with pytest.raises(InputError, match=words) as caught:
            GalleryArchive(path)
        assert caught.value.reason == "exchange.archive"

    def test_changed_bytes(self, copy):
        for name in ("people.parquet", "crops.parquet", "events.parquet"):
            data = (copy / name).read_bytes()
            (copy / name).write_bytes(data[:-20] + bytes([data[-20] ^ 1]) + data[-19:])
            self._refused(copy, "not the file that was exported")
            (copy / name).write_bytes(data)
        GalleryArchive(copy)

    def test_files_that_are_missing_or_more(self, copy):
        (copy / "notes.txt").write_text("x")
        self._refused(copy, r"'notes\.txt' besides")
        (copy / "notes.txt").unlink()
        (copy / "samples.parquet").unlink()
        self._refused(copy, r"lacks samples\.parquet")
        (copy / "manifest.json").unlink()
        self._refused(copy, r"no manifest\.json")

    def test_links_in_a_folder(self, copy):
        (copy / "people.parquet").rename(copy.parent / "outside")
        (copy / "people.parquet").symlink_to(copy.parent / "outside")
        self._refused(copy, "which is a link")
        (copy / "people.parquet").unlink()
        os.mkfifo(copy / "people.parquet")
        self._refused(copy, "no regular file")

    @pytest.mark.parametrize(
        ("record", "words"),
        [
            ({"format": "x"}, "no exported gallery"),
            ({"version": 2}, "reads version 1"),
            ({"storage": "int4"}, "storage"),
            ({"keep_crops": 1}, "keep_crops"),
            ({"revision": -1}, "revision"),
            ({"next_person": 1 << 70}, "next_person"),
            ({"uuid": "a" * 300}, "uuid"),
            ({"space": {}}, "does not fit together"),
            ({"space": None}, "does not fit together"),
            ({"made_by": []}, "does not fit together"),
            ({"files": {}}, r"no corrections\.parquet"),
            ({"files": []}, "does not fit together"),
            ({"files": {"../../evil": {"rows": 0, "bytes": 0, "sha256": "0" * 64}}}, "unknown file"),
        ],
    )
    def test_manifests_that_are_none(self, copy, record, words):
        manifest = json.loads((copy / "manifest.json").read_text())
        (copy / "manifest.json").write_text(json.dumps(manifest | record))
        self._refused(copy, words)

    def test_manifests_that_are_no_json(self, copy):
        for text in ("", "{", "[]", "[" * 100_000, " " * 2_000_000):
            (copy / "manifest.json").write_text(text)
            self._refused(copy, "manifest|exported gallery")

    def _tar(self, copy, change):
        path = copy.parent / "a.tar"
        with tarfile.open(path, "w") as archive:
            for name in sorted(path.name for path in copy.iterdir()):
                archive.add(copy / name, name)
            change(archive)
        return path

    def test_members_that_lead_elsewhere(self, copy):
        def member(name, kind=tarfile.REGTYPE, link=""):
            found = tarfile.TarInfo(name)
            found.type, found.linkname = kind, link
            return lambda archive: archive.addfile(found)

        for change, words in (
            (member("../evil"), "unsafe|not safe"),
            (member("/etc/evil"), "not safe"),
            (member("link", tarfile.SYMTYPE, "/etc/passwd"), "symbolic link"),
            (member("link", tarfile.LNKTYPE, "people.parquet"), "hard link"),
            (member("node", tarfile.CHRTYPE), "character device"),
            (member("people.parquet"), "twice"),
            (member("more.parquet"), "besides"),
        ):
            self._refused(self._tar(copy, change), words)
        GalleryArchive(self._tar(copy, lambda archive: None))

    def test_a_tar_that_is_cut_or_none(self, copy):
        path = self._tar(copy, lambda archive: None)
        data = path.read_bytes()
        for length in (0, 100, 600, 5000, len(data) // 2):
            path.write_bytes(data[:length])
            with pytest.raises(InputError):
                GalleryArchive(path)
        path.write_bytes(b"not a tar archive" * 100)
        self._refused(path, "no folder and no tar")
        with pytest.raises(InputError):
            GalleryArchive(copy.parent / "nowhere")

    def test_a_compressed_archive_and_a_bomb(self, copy):
        import gzip

        data = self._tar(copy, lambda archive: None).read_bytes()
        (copy.parent / "a.tar.gz").write_bytes(gzip.compress(data))
        GalleryArchive(copy.parent / "a.tar.gz")
        big = tarfile.TarInfo("people.parquet")
        big.size = 200_000_000
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            archive.addfile(tarfile.TarInfo("x"))
        bomb = big.tobuf() + bytes(100_000_000)
        (copy.parent / "b.tar.gz").write_bytes(gzip.compress(bomb, 9))
        with pytest.raises(InputError):
            GalleryArchive(copy.parent / "b.tar.gz")

    @settings(deadline=None, max_examples=40)
    @given(place=st.integers(0, 1 << 20), bit=st.integers(0, 7))
    def test_flipped_bits_of_a_tar(self, exported, tmp_path_factory, place, bit):
        """Every byte that counts is under a hash; whatever is flipped is refused, or is padding."""
        folder = tmp_path_factory.mktemp("flipped")
        path = folder / "a.tar"
        with tarfile.open(path, "w") as archive:
            for name in sorted(path.name for path in exported.iterdir()):
                archive.add(exported / name, name)
        data = bytearray(path.read_bytes())
        data[place % len(data)] ^= 1 << bit
        path.write_bytes(data)
        with suppress(InputError):
            GalleryArchive(path)


def test_what_a_kill_left_behind_is_erased_by_the_next_import(tmp_path):
    export_gallery(full(tmp_path), tmp_path / "a.tar")
    code = (
        "import os, signal, sys; from visavis.gallery.exchange.archive import GalleryArchive;"
        "from visavis.gallery.exchange.archive_import import import_gallery;"
        "kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL);"
        "import_gallery(GalleryArchive(sys.argv[1]), sys.argv[2], progress=kill)"
    )
    run = subprocess.run([sys.executable, "-c", code, tmp_path / "a.tar", tmp_path / "b.gallery"], check=False)
    assert run.returncode == -9
    left = [path.name for path in tmp_path.iterdir() if "b.gallery" in path.name]
    assert ".b.gallery.import" in left and "b.gallery" not in left
    other = import_gallery(GalleryArchive(tmp_path / "a.tar"), tmp_path / "b.gallery").gallery
    assert other.info.samples == 6
    other.close()
    assert [path.name for path in tmp_path.iterdir() if "b.gallery" in path.name] == ["b.gallery"]


def test_what_a_kill_left_behind_is_erased_by_the_next_export_and_nobody_else_reads_it(tmp_path):
    made = full(tmp_path)
    code = (
        "import os, signal, sys; from visavis.gallery.exchange.archive_export import export_gallery;"
        "from visavis.gallery.gallery import Gallery; kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL);"
        "export_gallery(Gallery.open(sys.argv[1]), sys.argv[2], progress=kill)"
    )
    for name in ("a.tar", "copy"):
        run = subprocess.run([sys.executable, "-c", code, made.path, tmp_path / name], check=False)
        left = tmp_path / f".{name}.export"
        assert run.returncode == -9 and left.stat().st_mode & 0o777 == 0o700
        export_gallery(made, tmp_path / name)
        assert not left.exists() and not (tmp_path / f".{name}.lock").exists()
    modes = {path.name: path.stat().st_mode & 0o777 for path in [tmp_path / "a.tar", tmp_path / "copy"]}
    assert modes == {"a.tar": 0o600, "copy": 0o700}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "copy").iterdir()} == {0o600}


def test_two_that_make_one_gallery(tmp_path):
    """The second is told so at once; the first is not disturbed."""
    export_gallery(full(tmp_path), tmp_path / "a.tar")
    archive = GalleryArchive(tmp_path / "a.tar")
    reasons = []

    def meanwhile(done, total):
        with pytest.raises(InputError) as caught:
            import_gallery(archive, tmp_path / "b.gallery")
        reasons.append(caught.value.reason)

    other = import_gallery(archive, tmp_path / "b.gallery", progress=meanwhile).gallery
    assert reasons == ["gallery.locked"] and other.check() == Gallery.open(tmp_path / "people.gallery").check()


def test_where_an_export_cannot_go(tmp_path):
    made = full(tmp_path)
    (tmp_path / "taken").mkdir()
    for target in ("taken", "nowhere/copy.tar", "nowhere/copy"):
        with pytest.raises(UsageError):
            export_gallery(made, tmp_path / target)
    export_gallery(made, tmp_path / "a.tar")
    first = (tmp_path / "a.tar").read_bytes()
    export_gallery(made, tmp_path / "a.tar")
    assert len((tmp_path / "a.tar").read_bytes()) == len(first)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_gallery_is_never_written_over(tmp_path):
    """Whatever its name, and whatever is written: faces, people or all of it."""
    made = full(tmp_path)
    made.close()
    for name in ("a.tar", "a.npz", "a.csv", "a.parquet", "a.faiss", "b.faiss.people.csv"):
        copy_gallery(made, tmp_path / name).close()
    before = {path.name: path.read_bytes() for path in tmp_path.glob("[ab].*") if "-" not in path.name}
    found = embeddings_of_gallery(made)
    calls = [lambda: export_gallery(made, tmp_path / "a.tar")]
    calls += [lambda path=f"a{kind}", write=write: write(tmp_path / path, found) for kind, write in WRITERS.items()]
    calls += [lambda path=path: write_faiss_gallery(made, tmp_path / path) for path in ("a.faiss", "b.faiss")]
    for call in calls:
        with pytest.raises(UsageError, match="is a gallery or another database"):
            call()
    made.close()
    assert {name: (tmp_path / name).read_bytes() for name in before} == before and len(before) == 6


def test_a_copy_is_opened_like_any_gallery(tmp_path):
    export_gallery(full(tmp_path), tmp_path / "a.tar")
    import_gallery(GalleryArchive(tmp_path / "a.tar"), tmp_path / "b.gallery").gallery.close()
    other = Gallery.open(tmp_path / "b.gallery")
    assert other.add_samples([sample("new", 1)]) == [8]
    with pytest.raises(InputError, match="gallery"):
        import_gallery(GalleryArchive(tmp_path / "a.tar"), tmp_path / "a.tar")


@pytest.mark.parametrize(("name", "column"), [("people.parquet", "expires"), ("samples.parquet", "created")])
@pytest.mark.parametrize("moment", [9 * 10**18, -9 * 10**18])
def test_dates_that_no_calendar_has_are_refused(copy, tmp_path, name, column, moment):
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    table = parquet.read_table(copy / name)
    place = table.schema.get_field_index(column)
    moments = arrow.array([moment] * len(table), arrow.int64()).cast(table.schema.field(column).type)
    parquet.write_table(table.set_column(place, table.schema.field(column), moments), copy / name)
    fitted(copy, **{name: {}})
    with pytest.raises(InputError, match="years 1 to 9999") as caught:
        import_gallery(GalleryArchive(copy), tmp_path / "b.gallery")
    assert caught.value.reason == "exchange.archive" and not (tmp_path / "b.gallery").exists()


def test_parquet_that_is_none_is_found_before_anything_is_written(copy):
    (copy / "events.parquet").write_bytes(b"PAR1" * 5)
    fitted(copy, **{"events.parquet": {}})
    with pytest.raises(InputError, match="events") as caught:
        GalleryArchive(copy)
    assert caught.value.reason == "exchange.parquet"
