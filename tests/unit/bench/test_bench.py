import io
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from commands import call
from visavis import EngineOptions, Pipeline, geometry
from visavis.bench import opencv_peer
from visavis.bench.environment import child_environment
from visavis.bench.floor import Floor
from visavis.bench.peer import Peer, PeerRun, plain_offsets
from visavis.bench.pipeline import bench_pipeline
from visavis.detection import looks
from visavis.detection.working_size import WorkingSize
from visavis.errors import DependencyError, ModelError, UnreadableError, UsageError
from visavis.io import Source
from visavis.selection import chosen

# the floor


def test_the_floor_replays_what_the_networks_were_asked(astronaut, officer):
    sources = [Source.of_file(path) for path in (astronaut, officer, astronaut)] * 12
    floor = Floor(EngineOptions(threads=2), sources)
    began = time.perf_counter()
    seconds = floor.seconds()
    assert 0 < seconds <= time.perf_counter() - began
    pipeline = Pipeline()
    raw = []
    for calls in floor._chunks:
        for session, inputs, outputs in calls:
            found = session.run(inputs, outputs)
            if found[0].shape[1:] == (128,):  # the embedder; the rest are looks of the detector
                raw.append(found[0])
    raw = np.concatenate(raw)
    assert len(floor._chunks) == 2 and len(raw) == len(sources)
    unit = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    assert np.allclose(unit, pipeline.embed(sources).templates.vectors, atol=1e-6)


# the peer sees what we see


def test_opencv_gets_our_sizes():
    rule = WorkingSize()
    for longest in [*range(1, 700), *range(1000, 5000, 37)]:
        assert opencv_peer.sizes(longest, list(rule.looks)) == rule.sizes(longest)


@pytest.mark.parametrize("enlarge", [False, True])
def test_opencv_gets_our_looks(enlarge):
    rng = np.random.default_rng(0)
    shapes = [(1, 1), (1, 900), (900, 1), (192, 192), (193, 191), (640, 480), *rng.integers(2, 700, (25, 2)).tolist()]
    for height, width in shapes:
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        for longest in (192, 320, 640):
            ours = looks.whole(pixels, longest=longest, multiple=32, enlarge=enlarge)
            theirs = opencv_peer.whole(pixels, longest, enlarge=enlarge)
            assert np.array_equal(ours.pixels, theirs.pixels), (height, width, longest)
            assert theirs.scale == ours.scale


def test_opencv_chooses_our_face():
    rng = np.random.default_rng(1)
    picture = np.zeros((300, 500, 3), np.uint8)
    for _ in range(50):
        corners, sizes = rng.uniform(0, 300, (6, 2)), rng.uniform(5, 200, (6, 2))
        rows = np.concatenate([corners, sizes, np.zeros((6, 11))], axis=1).astype(np.float32)
        boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
        [ours] = chosen(boxes, "central", width=500, height=300)
        assert np.array_equal(opencv_peer.central(rows, picture), rows[ours])
        assert np.allclose(opencv_peer.overlaps(rows[0], rows), geometry.overlaps(boxes[0], boxes), atol=1e-5)


# child environments


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VISAVIS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "bench"


@pytest.mark.slow
def test_an_environment_is_made_once_and_a_half_made_one_again(cache):
    python = child_environment("empty", [])
    [folder] = [path for path in cache.iterdir() if path.is_dir()]
    prefix = subprocess.run([python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True)
    assert prefix.stdout.strip() == str(folder) != sys.prefix
    (folder / "marker").touch()
    assert child_environment("empty", []) == python and (folder / "marker").exists()
    (folder / ".ready").unlink()  # as an interrupted installation leaves it
    assert child_environment("empty", []) == python and not (folder / "marker").exists()
    assert subprocess.run([python, "-c", ""], check=True).returncode == 0
    assert [path.name for path in cache.iterdir() if path.is_dir()] == [folder.name]


@pytest.mark.slow
def test_what_pip_cannot_install_ends_with_its_words(cache):
    with pytest.raises(DependencyError, match=r"^pip cannot install \./does-not-exist \(exit code 1\)") as caught:
        child_environment("broken", ["./does-not-exist"])
    [log] = cache.glob("*.log")
    last = [line.strip() for line in log.read_text().splitlines() if line.strip()][-1]
    assert "does-not-exist" in log.read_text() and caught.value.message.endswith(last)
    assert "\n" not in caught.value.message
    assert not list(cache.glob("*/.ready"))  # nothing that the next call would take for an environment


def test_environments_that_cannot_be_made_say_why(cache, tmp_path, monkeypatch):
    with pytest.raises(DependencyError, match=r"a virtual environment cannot be made within 0\.01 s"):
        child_environment("slow", [], timeout=0.01)
    [lock] = cache.glob("*.lock")
    with FileLock(lock), pytest.raises(ModelError, match=r"another process is still making .*slow-.*remove"):
        child_environment("slow", [], timeout=0.1)
    (tmp_path / "file").touch()
    monkeypatch.setenv("VISAVIS_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(ModelError, match="set VISAVIS_CACHE"):
        child_environment("nowhere", [])


# peers as processes

GOOD = """
import json, sys
for line in sys.stdin:
    command = json.loads(line)
    if "load" in command:
        answer = {"versions": {}, "workers": command["load"]["workers"], "isolated": sys.flags.isolated}
    else:
        run = command["run"]
        answer = {"seconds": 0.5, "pictures": len(run["images"]), "failed": run["failed"]}
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def peer(tmp_path, monkeypatch):
    """A peer of a script; its logs lie in a folder that must be empty in the end."""
    logs = tmp_path / "logs"
    logs.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(logs))

    def make(script: str, *, timeout: float = 20, python=sys.executable) -> Peer:
        path = tmp_path / "script.py"
        path.write_text(script)
        return Peer(python, path, load={"workers": 3}, run={"failed": 2}, timeout=timeout)

    yield make
    assert list(logs.iterdir()) == []


def ended(pid: int) -> bool:
    """Whether a process ends within five seconds; a zombie has ended."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_a_peer_is_loaded_run_and_closed(peer, tmp_path):
    with peer(GOOD) as child:
        pid = child._process.pid
        assert (child.loaded["workers"], child.loaded["isolated"]) == (3, 1)
        found = child.run(tmp_path / "x.tar", [(0, 5), (512, 7)] * 2)
        assert found == PeerRun(0.5, 4, 2) and found.per_second == 8
        assert child.run(tmp_path / "x.tar", [(0, 5)]).pictures == 1
    assert ended(pid) and child.loaded == {} and child.loaded_once["workers"] == 3
    child.close()
    with child:  # it can be entered again
        assert child.run(tmp_path / "x.tar", [(0, 5)]).pictures == 1


BAD = {
    "it exits": (
        "import sys; print('boom', file=sys.stderr); sys.exit(3)",
        r"ended during `load` \(exit code 3\).*boom",
    ),
    "it raises": ("raise ValueError('boom')", r"ended during `load` \(exit code 1\).*ValueError: boom"),
    "it prints garbage": ("print('hello'); input()", "answered `load` with 'hello.*not JSON"),
    "it answers a list": ("print([1], flush=True); input(); input()", r"refused `load`: \[1\]"),
    "it refuses": ('print(\'{"error": "no room"}\', flush=True); input(); input()', "refused `load`.*no room"),
    "it closes its output": ("import os, time; os.close(1); time.sleep(60)", "ended during `load`"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_peer_that_breaks_the_protocol_is_named_with_its_last_words(peer, kind):
    script, words = BAD[kind]
    began = time.monotonic()
    with pytest.raises(ModelError, match=f"the peer script.py {words}") as caught, peer(script):
        pytest.fail("it was entered")
    assert caught.value.reason == "model.peer" and "\n" not in caught.value.message
    assert time.monotonic() - began < 10


def test_a_peer_that_never_answers_is_killed_with_its_workers(peer, tmp_path):
    script = f"""
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open({str(tmp_path / "pids")!r}, "w").write(f"{{os.getpid()}} {{child.pid}}")
time.sleep(60)
"""
    with pytest.raises(ModelError, match=r"did not answer `load` within 1\.5 s"), peer(script, timeout=1.5):
        pytest.fail("it was entered")
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2 and all(ended(pid) for pid in pids)


@pytest.mark.parametrize(
    ("answer", "words"),
    [("sys.exit(4)", r"ended during `run` \(exit code 4\)"), ("print('{\"seconds\": 1}', flush=True)", "not seconds")],
)
def test_a_peer_that_breaks_in_a_run_is_named_too(peer, answer, words):
    script = f"import sys\ninput(); print('{{}}', flush=True)\ninput(); {answer}\ninput()\n"
    with peer(script) as child, pytest.raises(ModelError, match=words):
        child.run("x.tar", [(0, 1)])


def test_wrong_use_of_a_peer_is_a_usage_error(peer):
    with pytest.raises(UsageError, match="with statement"):
        peer(GOOD).run("x.tar", [(0, 1)])
    with peer(GOOD) as child, pytest.raises(UsageError, match="at least one picture"):
        child.run("x.tar", [])
    with pytest.raises(ModelError, match="no-python cannot be started"), peer(GOOD, python="/no-python"):
        pytest.fail("it was entered")


# archives that peers read by offset


def test_offsets_are_those_of_tarfile(tmp_path):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as tar:
        for name, size in (("a/1.jpg", 5), ("a/" + "long" * 50 + ".jpg", 700), ("a/empty.jpg", 0), ("../up.jpg", 4)):
            info = tarfile.TarInfo(name)
            info.size = size
            tar.addfile(info, io.BytesIO(bytes(size)))
        link = tarfile.TarInfo("a/link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "1.jpg"
        tar.addfile(link)
    with tarfile.open(path) as tar:
        expected = [(one.offset_data, one.size) for one in tar if one.isfile() and one.size and ".." not in one.name]
    assert plain_offsets(path) == expected and len(expected) == 2


@pytest.mark.parametrize("mode", ["w:gz", "w:xz", "w:bz2"])
def test_a_compressed_archive_has_no_offsets(tmp_path, mode):
    with tarfile.open(tmp_path / "x.tar", mode):
        pass
    with pytest.raises(UsageError, match="compressed"):
        plain_offsets(tmp_path / "x.tar")


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "x.tar").write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(UnreadableError):
        plain_offsets(tmp_path / "x.tar")


def test_the_bench_refuses_what_it_cannot_time(tmp_path, capfd):
    with pytest.raises(UsageError, match="at least 1"):
        bench_pipeline(tmp_path, count=0)
    assert "plain tar" in call(capfd, "bench", "pipeline", "--images", tmp_path, "--no-peers").refused(2)
    call(capfd, "bench", "pipeline", "--images", tmp_path / "none.tar", "--no-peers").refused(3)


@pytest.mark.slow
def test_a_small_bench_without_peers_has_a_row_an_engine(tmp_path, astronaut, capfd):
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for number in range(4):
            tar.add(astronaut, f"x/{number}.png")
    ran = call(
        capfd, "bench", "pipeline", "--images", tmp_path / "x.tar", "--no-peers", "--count", 4, "--rounds", 1, "--json"
    )
    record = ran.json
    assert ran.code == 0 and set(record) >= {
        "visavis", "opencv", "dlib", "bare", "ratio_opencv", "ratio_bare", "ratio_dlib", "rows",
    }  # fmt: skip
    assert record["opencv"] is record["dlib"] is record["ratio_opencv"] is record["ratio_dlib"] is None
    assert record["rows"][0]["engine"] == "onnxruntime"
    for row in record["rows"]:
        assert row["pictures_per_second"] > 0 and row["ratio_bare"] == pytest.approx(
            row["pictures_per_second"] / row["bare"]
        )
    assert record["visavis"] == max(row["pictures_per_second"] for row in record["rows"])
