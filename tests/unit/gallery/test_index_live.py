"""An index follows its gallery: through files of other processes, damage, kills and removals."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import galleries
from index_faces import MemoryFeed, faces, same, slow_search, space, templates
from visavis.errors import InputError, UsageError
from visavis.gallery.index import keeper, live_index, upkeep
from visavis.gallery.index.folder import IndexFolder
from visavis.gallery.index.live_index import LiveIndex
from visavis.types import Status, Templates

DIMENSION = 16


@pytest.fixture
def small(monkeypatch):
    """A tail is full at 64 rows, four parts are merged, graphs begin at 200 rows."""
    for room, name, value in (
        (upkeep, "FULL_TAIL", 64),
        (keeper, "FULL_TAIL", 64),
        (upkeep, "MERGED", 4),
        (upkeep, "GRAPH_ROWS", 200),
        (live_index, "CATCH_UP", 300),
    ):
        monkeypatch.setattr(room, name, value)
    monkeypatch.setattr("visavis.gallery.index.scope.DIRECT", 8)


@pytest.fixture
def feed(tmp_path):
    made = MemoryFeed(DIMENSION, path=tmp_path / "people.gallery")
    made.put(range(1000), faces(np.random.default_rng(0), 1000, DIMENSION, people=90))
    return made


PROBES = faces(np.random.default_rng(99), 4, DIMENSION)


def right(index, feed, k=6):
    keys, vectors = feed.live()
    same(index.search(templates(PROBES), k=k), slow_search(keys, vectors, PROBES, k))
    assert len(index) == len(keys)


def files(feed, name="*.bin"):
    return sorted((feed.path.parent / "people.gallery.index").rglob(name))


def manifest(feed):
    return json.loads(files(feed, "manifest.json")[0].read_text())


@pytest.mark.parametrize("scan", ["int8", "float16", "float32"])
def test_it_follows_and_keeps_files(small, feed, scan):
    rng = np.random.default_rng(1)
    with LiveIndex(feed, scan=scan) as index:
        right(index, feed)
        for turn in range(10):
            feed.put(rng.integers(0, 2000, 40), faces(rng, 40, DIMENSION))
            feed.remove(rng.integers(0, 2000, 10))
            right(index, feed)
            if turn % 5 == 0:
                index.keep_up()
        index.keep_up()
        assert manifest(feed)["revision"] == feed.revision == index.revision
        assert len(index.parts) < 8 and index.exact
    with LiveIndex(feed, scan=scan) as again:
        assert again.parts and not len(again._rows.state.tail)
        right(again, feed)


def keep_up_in_turn(index):
    """Wait for the other index, whose thread may be writing the files."""
    for _ in range(600):
        try:
            return index.keep_up()
        except InputError as error:
            if error.reason != "gallery.locked":
                raise
            time.sleep(0.05)
    raise AssertionError("the files stayed locked")


def test_two_indexes_share_the_files_of_one_gallery(small, feed):
    rng = np.random.default_rng(2)
    with LiveIndex(feed) as one, LiveIndex(feed) as two:
        for turn in range(14):
            feed.put(rng.integers(0, 3000, 50), faces(rng, 50, DIMENSION))
            feed.remove(rng.integers(0, 3000, 5))
            right((one, two)[turn % 2], feed)
        right(one, feed)
        right(two, feed)
        keep_up_in_turn(one)
        keep_up_in_turn(two)
        feed.remove([1])
        right(one, feed)
        right(two, feed)
    named = {one["name"] for one in manifest(feed)["segments"]}
    with LiveIndex(feed) as last:
        last.keep_up()
        named = {one["name"] for one in manifest(feed)["segments"]}
    folders = {path.name for path in (feed.path.parent / "people.gallery.index/int8").iterdir() if path.is_dir()}
    assert folders == named


def test_what_is_removed_is_wiped_from_the_files(small, feed):
    vectors = feed.live()[1]
    with LiveIndex(feed) as index:
        index.keep_up()
        needle = vectors[77].tobytes()
        kept = vectors[78].tobytes()
        assert any(needle in path.read_bytes() for path in files(feed))
        with LiveIndex(feed) as reader:
            right(reader, feed)
            feed.remove([77])
            feed.put([200], faces(np.random.default_rng(5), 1, DIMENSION))
            index.refresh()
            index.keep_up()
            right(reader, feed)
    assert not any(needle in path.read_bytes() or vectors[200].tobytes() in path.read_bytes() for path in files(feed))
    assert any(kept in path.read_bytes() for path in files(feed))


def _cut(feed):
    path = files(feed, "codes.bin")[0]
    path.write_bytes(path.read_bytes()[:-1])


def _lose(feed):
    files(feed, "errors.bin")[0].unlink()


def _flip(feed):
    path = files(feed, "manifest.json")[0]
    path.write_text(path.read_text().replace('"revision": 1', '"revision": 2'))


def _garble(feed):
    files(feed, "manifest.json")[0].write_bytes(b"\x00[")


def _list(feed):
    files(feed, "manifest.json")[0].write_text("[1]")


def _all_gone(feed):
    shutil.rmtree(feed.path.parent / "people.gallery.index")


def _another(feed):
    feed.info.uuid = "another"


def _older(feed):
    feed.revision = 0
    feed.rows = {}
    feed.put(range(5), faces(np.random.default_rng(8), 5, DIMENSION))


def _leftovers(feed):
    folder = feed.path.parent / "people.gallery.index/int8"
    (folder / "0123456789ab.part").mkdir()
    (folder / "ba9876543210").mkdir()


@pytest.mark.parametrize(
    "harm", [_cut, _lose, _flip, _garble, _list, _all_gone, _another, _older, _leftovers], ids=lambda one: one.__name__
)
def test_files_that_do_not_fit_are_made_again(small, feed, harm):
    if harm is _older:
        feed.put([3], faces(np.random.default_rng(7), 1, DIMENSION))
    with LiveIndex(feed) as index:
        index.keep_up()
    harm(feed)
    with LiveIndex(feed) as again:
        right(again, feed)
        feed.put([5000], faces(np.random.default_rng(6), 1, DIMENSION))
        again.keep_up()
        right(again, feed)
    with LiveIndex(feed) as last:
        assert last.parts
        right(last, feed)
    folders = [path for path in (feed.path.parent / "people.gallery.index/int8").iterdir() if path.is_dir()]
    assert len(folders) == len(manifest(feed)["segments"])


def test_files_that_vanish_under_a_running_index_are_written_again(small, feed):
    with LiveIndex(feed) as index:
        index.keep_up()
        _all_gone(feed)
        right(index, feed)
        feed.put([5000], faces(np.random.default_rng(6), 1, DIMENSION))
        index.keep_up()
        right(index, feed)
    with LiveIndex(feed) as again:
        assert again.parts
        right(again, feed)


def test_an_older_copy_of_the_gallery_under_a_running_index(small, feed):
    with LiveIndex(feed) as index:
        feed.put([5], faces(np.random.default_rng(6), 1, DIMENSION))
        index.keep_up()
        _older(feed)
        right(index, feed)


def test_one_writer_at_a_time(small, feed):
    with LiveIndex(feed) as index, IndexFolder(feed.path.parent / "people.gallery.index/int8").writing():
        with pytest.raises(InputError) as caught:
            index.keep_up()
        assert caught.value.reason == "gallery.locked"
        right(index, feed)


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_folder_that_cannot_be_written_costs_no_answer(small, feed, caplog):
    (feed.path.parent / "people.gallery.index").write_text("in the way")
    with LiveIndex(feed) as index:
        right(index, feed)
        with pytest.raises(UsageError):
            index.keep_up()
    assert "cannot be kept up" in caplog.text


def test_without_a_file_it_lives_in_memory(small):
    feed = MemoryFeed(DIMENSION)
    feed.put(range(900), faces(np.random.default_rng(0), 900, DIMENSION))
    with LiveIndex(feed, kind="hnsw") as index:
        index.keep_up()
        assert index.parts and all(part.segment.graph for part in index.parts)
        assert not index.exact


def test_words_that_are_refused(feed):
    for bad in ({"kind": "ivf"}, {"scan": "int4"}, {"threads": 0}):
        with pytest.raises(UsageError):
            LiveIndex(feed, **bad)


def test_graphs_find_the_people_who_are_there_and_only_living_ones(small, feed):
    keys, vectors = feed.live()
    with LiveIndex(feed, kind="hnsw") as index:
        index.keep_up()
        assert len(files(feed, "graph.faiss")) == len(index.parts) == 1
        found = index.search(templates(vectors[:100]), k=3)
        expected = slow_search(keys, vectors, vectors[:100], 3)
        assert (found.keys[:, 0] == expected[0][:, 0]).mean() > 0.99
        for row in np.flatnonzero((found.keys == expected[0]).all(axis=1)):
            assert np.array_equal(found.similarity[row], expected[1][row])  # scored by the one definition
        gone = np.arange(0, 200)
        feed.remove(gone)
        feed.put([9000], vectors[:1])
        found = index.search(templates(vectors[:200]), k=5, among=np.arange(0, 10_000, 2))
        assert not np.isin(found.keys, gone).any() and (found.keys % 2 == 0).all()
        assert found.keys[0, 0] == 9000
        index.keep_up()
    with LiveIndex(feed, kind="hnsw") as again:
        assert all(part.segment.graph for part in again.parts if len(part.segment) >= 200)
    with LiveIndex(feed, kind="exact") as exact:
        right(exact, feed)


def test_a_graph_is_given_up_when_the_index_is_closed(small, feed, monkeypatch):
    from visavis.gallery.index import graph

    monkeypatch.setattr(graph, "_BLOCK", 1)
    index = LiveIndex(feed, kind="hnsw")
    index.close()
    assert not files(feed, "graph.faiss") and files(feed, "manifest.json")
    index.keep_up()
    assert files(feed, "graph.faiss")
    index.close()


def test_auto_walks_graphs_once_a_scan_would_take_long(small, feed, monkeypatch):
    with LiveIndex(feed) as index:
        index.keep_up()
        assert index.exact and not files(feed, "graph.faiss")
        monkeypatch.setattr(upkeep, "SCAN_LIMIT", 1000 * DIMENSION - 1)
        index.keep_up()
        assert not index.exact and files(feed, "graph.faiss")


def test_it_follows_a_gallery(small, tmp_path):
    made = galleries.gallery(tmp_path)
    with LiveIndex(made) as index:
        made.add_samples([galleries.sample(f"person {number}", 0) for number in range(100)])
        made.add_samples([galleries.sample("person 7", picture) for picture in range(1, 4)])
        made.remove_person("person 9", reason="asked")
        rows, _ = galleries.followed(made)
        keys, vectors = np.array(sorted(rows)), np.array([rows[key] for key in sorted(rows)])
        ones = np.ones(5, np.float32)
        probes = Templates(vectors[:5], ones, Status.good(5), ones * np.nan, galleries.SPACE, galleries.MADE_BY)
        for _ in range(2):
            same(index.search(probes, k=4), slow_search(keys, vectors, probes.vectors, 4))
            index.keep_up()
        assert len(index) == 99 and (tmp_path / "people.gallery.index/int8/manifest.json").is_file()


_WRITER = """
import sys
import numpy as np
from index_faces import MemoryFeed, faces
from visavis.gallery.index import keeper, live_index, upkeep
from visavis.gallery.index.live_index import LiveIndex
from pathlib import Path

upkeep.FULL_TAIL = keeper.FULL_TAIL = 64
upkeep.MERGED = 3
rng = np.random.default_rng(int(sys.argv[2]))
feed = MemoryFeed(16, path=Path(sys.argv[1]))
feed.put(range(1000), faces(np.random.default_rng(0), 1000, 16, people=90))
index = LiveIndex(feed)
print("ready", flush=True)
while True:
    feed.put(rng.integers(0, 3000, 70), faces(rng, 70, 16))
    feed.remove(rng.integers(0, 3000, 20))
    index.keep_up()
"""


def test_a_kill_at_any_moment_leaves_files_that_are_right_or_made_again(small, feed):
    """The gallery is put back to the state that the files know of; all that is wiped was removed by then."""
    root = Path(__file__).parents[2]
    rng = np.random.default_rng(0)
    for turn in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(feed.path), str(turn)],
            env={**os.environ, "PYTHONPATH": str(root)},
            stdout=subprocess.PIPE,
        )
        assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
        time.sleep(rng.uniform(0.05, 0.4))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        copy = MemoryFeed(DIMENSION, path=feed.path)
        own = np.random.default_rng(turn)
        copy.put(range(1000), faces(np.random.default_rng(0), 1000, DIMENSION, people=90))
        reached = manifest(copy)["known"] if files(copy, "manifest.json") else 1
        while copy.revision < reached:
            copy.put(own.integers(0, 3000, 70), faces(own, 70, DIMENSION))
            copy.remove(own.integers(0, 3000, 20))
        with LiveIndex(copy) as index:
            right(index, copy)
            index.keep_up()
        folders = [path for path in (feed.path.parent / "people.gallery.index/int8").iterdir() if path.is_dir()]
        assert len(folders) == len(manifest(copy)["segments"])
        shutil.rmtree(feed.path.parent / "people.gallery.index")


def test_readers_find_what_was_committed_while_files_are_written(small, feed):
    """Six readers, a writer and the thread that keeps the files: who was set before a search is found by it."""
    rng = np.random.default_rng(12)
    vectors = faces(rng, 3000, DIMENSION)
    committed, done, problems = [1000], threading.Event(), []

    def read(seed):
        own = np.random.default_rng(seed)
        while not done.is_set():
            spot = int(own.integers(1000, committed[0])) if committed[0] > 1000 else None
            if spot is not None:
                try:
                    found = index.search(templates(vectors[spot - 1000 : spot - 999]), k=3)
                    assert found.keys[0, 0] == spot
                except Exception as error:  # noqa: BLE001
                    problems.append(error)
                    return

    with LiveIndex(feed, threads=2) as index:
        readers = [threading.Thread(target=read, args=(seed,)) for seed in range(6)]
        for reader in readers:
            reader.start()
        for start in range(0, 1800, 60):
            feed.put(range(1000 + start, 1060 + start), vectors[start : start + 60])
            feed.remove(rng.integers(0, 1000, 3))
            committed[0] = 1060 + start
            time.sleep(0.005)
        done.set()
        for reader in readers:
            reader.join()
        assert not problems
        index.keep_up()
        right(index, feed)
    with LiveIndex(feed) as again:
        right(again, feed)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="rooms are reserved by the system")
def test_a_full_disk_is_said_and_searches_go_on(small, feed, monkeypatch, caplog):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with LiveIndex(feed) as index:
        with pytest.raises(UsageError, match="No space left"):
            index.keep_up()
        right(index, feed)
    assert "cannot be kept up" in caplog.text
    assert not [path for path in (feed.path.parent / "people.gallery.index/int8").iterdir() if path.is_dir()]


def test_a_manifest_that_could_not_be_written_is_written_later(small, feed, monkeypatch):
    from visavis.gallery.index import folder

    true = folder.write_atomically

    def fails(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with LiveIndex(feed) as index:
        index.keep_up()
        feed.put(range(2000, 2100), faces(np.random.default_rng(3), 100, DIMENSION))
        feed.remove(range(50))
        monkeypatch.setattr(folder, "write_atomically", fails)
        with pytest.raises(UsageError):
            index.keep_up()
        with LiveIndex(feed) as other:
            right(other, feed)  # by the old manifest, and what the gallery tells
        monkeypatch.setattr(folder, "write_atomically", true)
        index.keep_up()
        right(index, feed)
    assert manifest(feed)["revision"] == feed.revision and manifest(feed)["wiped"]
    with LiveIndex(feed) as again:
        assert not len(again._rows.state.tail)
        right(again, feed)


def test_a_gallery_that_cannot_be_read_for_a_moment_loses_nothing(small, feed, monkeypatch):
    """The files of another process are being taken when the gallery fails; what was not taken in is taken in later."""
    rng = np.random.default_rng(4)
    with LiveIndex(feed) as one, LiveIndex(feed) as two:
        feed.put(range(2000, 2200), faces(rng, 200, DIMENSION))
        one.keep_up()
        feed.put(range(3000, 3100), faces(rng, 100, DIMENSION))
        true = feed.changes

        def breaks(since, *, page=10_000):
            yield next(true(since, page=page))
            raise InputError("locked", reason="gallery.locked")

        monkeypatch.setattr(feed, "changes", breaks)
        with pytest.raises(InputError):
            two.refresh()
        monkeypatch.setattr(feed, "changes", true)
        right(two, feed)
        feed.put(range(4000, 4100), faces(rng, 100, DIMENSION))
        two.keep_up()
        right(two, feed)
    with LiveIndex(feed) as again:
        right(again, feed)


@pytest.mark.parametrize("name", ["../../people", "0123456789ab.part", "/tmp", ""])
def test_names_in_a_manifest_lead_nowhere_else(small, feed, name):
    from visavis.gallery.index.manifest import Manifest, SegmentEntry

    with LiveIndex(feed) as index:
        index.keep_up()
    path = files(feed, "manifest.json")[0]
    made = Manifest.from_bytes(path.read_bytes())
    entry = SegmentEntry(name, made.segments[0].meta, np.array([1]))
    harmful = Manifest(made.uuid, made.space, made.revision, made.known, made.write, False, [entry]).to_bytes()
    with pytest.raises(ValueError, match="no name of a segment"):
        Manifest.from_bytes(harmful)
    path.write_bytes(harmful)
    with LiveIndex(feed) as again:
        right(again, feed)


def test_a_small_gallery_needs_no_files(feed):
    with LiveIndex(feed) as index:
        right(index, feed)
    assert not (feed.path.parent / "people.gallery.index").exists()


def test_what_a_kill_before_the_first_manifest_left_is_removed(feed):
    left = feed.path.parent / "people.gallery.index/int8/0123456789ab.part"
    left.mkdir(parents=True)
    with LiveIndex(feed) as index:
        right(index, feed)
    assert not left.exists()


def test_the_space_is_that_of_the_gallery(feed):
    feed.info.space = space(DIMENSION)
    with LiveIndex(feed) as index:
        index.keep_up()
    feed.info.space = type(feed.info.space)("other", "five-point", "arcface-112", "r", DIMENSION)
    with LiveIndex(feed) as index:
        index.keep_up()
    assert manifest(feed)["space"] == feed.info.space.fingerprint


def test_who_gets_another_picture_during_a_search_is_found_by_it(small, feed, monkeypatch):
    """Between two groups of a batch another process takes in the change and wipes the row that was replaced."""
    from visavis.gallery.index import search

    true, groups = search.scan_probes, []
    vectors = feed.live()[1]
    with LiveIndex(feed) as index, LiveIndex(feed) as other:
        index.keep_up()

        def meanwhile(*given):
            groups.append(given)
            if len(groups) == 2:
                feed.put([77], [(vectors[77] + 0.05 * vectors[78]) / np.linalg.norm(vectors[77] + 0.05 * vectors[78])])
                other.refresh()
                other.keep_up()
            return true(*given)

        monkeypatch.setattr(search, "scan_probes", meanwhile)
        found = index.search(templates(np.repeat(vectors[77:78], 512, axis=0)), k=3)
        assert (found.keys[:, 0] == 77).all() and len(groups) > 2
        monkeypatch.setattr(search, "scan_probes", true)
        right(index, feed)


def test_a_search_under_which_rows_are_wiped_again_and_again_ends(small, feed, monkeypatch):
    from visavis.gallery.index import search

    true, vectors, turns = search.scan_probes, feed.live()[1], []
    with LiveIndex(feed) as index, LiveIndex(feed) as other:
        index.keep_up()

        def meanwhile(*given):
            turns.append(given)
            feed.put([77], vectors[len(turns) : len(turns) + 1])
            other.refresh()
            with suppress(InputError):  # it may not, for as long as the search has the files
                other.keep_up()
            return true(*given)

        monkeypatch.setattr(search, "scan_probes", meanwhile)
        found = index.search(templates(vectors[500:501]), k=1)
        assert found.keys[0, 0] == 500 and len(turns) < 9


@pytest.mark.parametrize("running", [False, True])
def test_a_copy_that_was_put_back_and_written_past_is_noticed(small, feed, running):
    index = LiveIndex(feed)
    kept = dict(feed.rows), list(feed.writes), feed.revision
    feed.put([5000], PROBES[:1])
    index.keep_up()
    if not running:
        index.close()
    feed.rows, feed.writes, feed.revision = kept
    feed.branch = 1
    feed.put([5000], PROBES[1:2])  # the same key, at the same revision
    if running:
        feed.put([5001], PROBES[2:3])
    with index if running else LiveIndex(feed) as again:
        right(again, feed)
        again.keep_up()
    with LiveIndex(feed) as last:
        assert last.parts
        right(last, feed)


def test_a_gallery_that_was_put_back_gives_nobody_the_identity_of_another(small, tmp_path):
    made = galleries.gallery(tmp_path)
    made.add_samples([galleries.sample(f"person {number}", 0) for number in range(50)])
    made.close()
    shutil.copy(made.path, tmp_path / "backup")
    made = type(made).open(made.path)
    made.add_samples([galleries.sample("Xaver", 0)])
    write = made.last_write()
    assert made.has_write(write) and not made.has_write("") and not made.has_write("1 yesterday")
    with LiveIndex(made) as index:
        index.keep_up()
    made.close()
    for path in tmp_path.glob("people.gallery*"):
        if path.is_file():
            path.unlink()
    shutil.copy(tmp_path / "backup", made.path)
    made = type(made).open(made.path)
    made.add_samples([galleries.sample("Yves", 1)])
    assert not made.has_write(write)
    ones = np.ones(1, np.float32)
    vector = galleries.sample("Xaver", 0).vector[None]
    probe = Templates(vector, ones, Status.good(1), ones * np.nan, galleries.SPACE, galleries.MADE_BY)
    with LiveIndex(made) as index:
        rows, _ = galleries.followed(made)
        keys, vectors = np.array(sorted(rows)), np.array([rows[key] for key in sorted(rows)])
        same(index.search(probe, k=1), slow_search(keys, vectors, vector, 1))
    made.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_a_forked_process_searches_with_threads_of_its_own(small, feed):
    with LiveIndex(feed, threads=2) as index:
        index.keep_up()
        right(index, feed)
        with index._refreshing, index._rows._writing, index._rows._counting, index.parts[0].segment._lock[0]:
            holder = threading.Thread(target=index.refresh)  # waits for the lock, which the child must not do
            holder.start()
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                try:
                    feed.put([5000], PROBES[:1])
                    right(index, feed)
                    index.keep_up()
                    os._exit(0)
                finally:
                    os._exit(1)
        holder.join()
        assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("name", ["keys.bin", "errors.bin", "graph.faiss"])
def test_a_byte_that_changed_on_the_disk_gives_no_wrong_answer(small, feed, name):
    with LiveIndex(feed, kind="hnsw") as index:
        index.keep_up()
    path = files(feed, name)[0]
    data = bytearray(path.read_bytes())
    data[8 * 77] ^= 2
    path.write_bytes(bytes(data))
    with LiveIndex(feed, kind="hnsw") as index:
        keys, vectors = feed.live()
        found = index.search(templates(vectors[70:90]), k=1)
        assert (found.keys[:, 0] == keys[70:90]).mean() > 0.9
    with LiveIndex(feed, kind="exact") as index:
        right(index, feed)


@pytest.mark.parametrize(
    "change",
    [
        {"revision": float("inf")},
        {"segments": {}},
        {"dead": [10**30]},
        {"dead": [[1, 2]]},
        {"dead": [0.5]},
        {"rows": 1000.0},
        {"rows": True},
    ],
    ids=str,
)
def test_a_manifest_of_another_hand_gives_no_wrong_answer(small, feed, change):
    with LiveIndex(feed) as index:
        index.keep_up()
    document = manifest(feed)
    del document["crc32"]
    segment = document["segments"][0]
    for place in (document, segment, segment["meta"]):
        place.update({name: value for name, value in change.items() if name in place})
    document["crc32"] = zlib.crc32(json.dumps(document, sort_keys=True).encode())
    files(feed, "manifest.json")[0].write_text(json.dumps(document))
    with LiveIndex(feed) as again:
        right(again, feed)


def test_a_folder_that_cannot_be_written_is_not_tried_with_every_page(small, feed, monkeypatch):
    (feed.path.parent / "people.gallery.index").write_text("in the way")
    feed.put(range(1000, 3000), faces(np.random.default_rng(3), 2000, DIMENSION))
    tried = []
    true = IndexFolder.writing
    monkeypatch.setattr(IndexFolder, "writing", lambda self: tried.append(1) or true(self))
    pages = feed.changes
    monkeypatch.setattr(feed, "changes", lambda since: pages(since, page=100))
    with LiveIndex(feed) as index:
        assert len(tried) == 1 and index.parts and len(index._rows.state.tail) < live_index.CATCH_UP
        right(index, feed)
        feed.remove(range(40))
        right(index, feed)
        (feed.path.parent / "people.gallery.index").unlink()
        index.keep_up()
        right(index, feed)
    with LiveIndex(feed) as again:
        assert again.parts
        right(again, feed)


def test_files_that_another_process_replaced_are_not_written_over(small, feed):
    with LiveIndex(feed) as one, LiveIndex(feed) as two:
        one.keep_up()
        two.keep_up()
        feed.put(range(5000, 5100), faces(np.random.default_rng(3), 100, DIMENSION))
        one.keep_up()
        before = manifest(feed)
        two._keeper.work(least=1)  # as a thread would that has not seen the other's manifest
        assert two._keeper.overtaken and manifest(feed) == before
        right(two, feed)


def test_a_graph_of_other_rows_is_refused(feed):
    from visavis.gallery.index.graph import build_graph, read_graph

    vectors = feed.live()[1]
    graph = build_graph(vectors[:300], "float32", threads=1)
    assert graph is not None and len(read_graph(graph.to_bytes(), vectors[:300], "float32").view.codes) == 300
    for codes in (vectors[:301], vectors[:300, :8]):
        with pytest.raises(InputError) as caught:
            read_graph(graph.to_bytes(), codes, "float32")
        assert caught.value.reason == "gallery.damaged"
