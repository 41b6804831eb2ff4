"""The program as a process: interrupted, cut off, started twice at once, with a cache that is empty or out of reach."""

import contextlib
import os
import select
import shutil
import signal
import time
from pathlib import Path

import pytest

from commands import finish, run, start


@pytest.fixture(scope="module")
def many(tmp_path_factory, officer) -> Path:
    """A few hundred pictures."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(400):
        (folder / f"{number:03d}.jpg").symlink_to(officer)
    return folder


@pytest.fixture
def cache(tmp_path) -> dict[str, str]:
    """An environment whose cache is empty."""
    return {**os.environ, "VISAVIS_CACHE": str(tmp_path / "cache")}


def interrupted(*words: object):
    """Ctrl-C as soon as the progress bar says that some pictures are done, and long before all are."""
    terminal, inside = os.openpty()
    # A shell that starts this suite in the background makes it deaf to SIGINT, and its children with it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = start(*words, stderr=inside, env={**os.environ, "TERM": "xterm"})
    finally:
        signal.signal(signal.SIGINT, before)
    os.close(inside)
    shown, sent = b"", False
    deadline = time.monotonic() + 60
    with contextlib.suppress(OSError):  # EIO: the process has ended
        while time.monotonic() < deadline and select.select([terminal], [], [], 60)[0]:
            shown += os.read(terminal, 4096)
            if not sent and b"/400" in shown:
                assert process.poll() is None
                process.send_signal(signal.SIGINT)
                sent = True
    ran = finish(process)
    os.close(terminal)
    assert sent, shown
    return ran._replace(err=shown.decode())


@pytest.mark.parametrize(("words", "code"), [(("models",), 2), (("identify", "a.jpg", "--gallery", "none"), 3)])
def test_a_full_disk_behind_stdout_is_told_in_a_line(tmp_path, words, code):
    with Path("/dev/full").open("w") as full:
        ran = finish(start(*words, "--json", stdout=full, cwd=tmp_path))
    assert ran.code == code and "Traceback" not in ran.err and ran.err.startswith("visavis: ")


def test_ctrl_c_in_the_middle_leaves_what_was_done_and_the_next_call_goes_on(many, tmp_path):
    out = tmp_path / "out.csv"
    ran = interrupted("embed", many, "--out", out)
    assert (ran.code, ran.out) == (130, "") and "Traceback" not in ran.err
    assert "interrupted" in ran.err and "400/400" not in ran.err
    assert [path.name for path in tmp_path.iterdir()] == [f".{out.name}.work"]
    assert run("embed", many, "--out", out).code == 0
    assert len(out.read_text().splitlines()) == 401
    assert list(tmp_path.iterdir()) == [out]


def test_ctrl_c_while_crops_are_written_leaves_whole_crops(many, tmp_path):
    from PIL import Image

    ran = interrupted("align", many, "--out", tmp_path)
    assert ran.code == 130 and "Traceback" not in ran.err
    written = list(tmp_path.iterdir())
    assert 0 < len(written) < 400 and all(path.suffix == ".png" for path in written)
    for path in written:
        with Image.open(path) as picture:
            picture.load()


MUCH = [f"none-{number}.jpg" for number in range(1500)]
"""Rows for more text than a pipe holds."""


@pytest.mark.parametrize("words", [["detect"], ["detect", "--json"], ["models"], ["--help"]])
def test_a_reader_that_goes_away_is_no_error(astronaut, words):
    process = start(*words, *[astronaut, *MUCH] * (words[0] == "detect"))
    process.stdout.close()
    assert (process.wait(60), process.stderr.read()) == (0, "")
    process.stderr.close()


def test_the_first_line_alone_can_be_read(astronaut):
    process = start("detect", astronaut, *MUCH)
    first = process.stdout.readline()
    process.stdout.close()
    assert (process.wait(60), process.stderr.read(), first.split()[0]) == (0, "", "picture")
    process.stderr.close()


def test_a_cache_out_of_reach_costs_time_and_not_the_answer(tmp_path, astronaut, officer):
    (tmp_path / "file").touch()
    places = {"blocked": tmp_path / "file" / "cache", "open": tmp_path / "cache"}
    ran = {
        name: run("verify", astronaut, officer, "--json", env={**os.environ, "VISAVIS_CACHE": str(place)})
        for name, place in places.items()
    }
    assert [one.code for one in ran.values()] == [0, 0]
    assert ran["blocked"].json == ran["open"].json
    assert "VISAVIS_CACHE" in ran["blocked"].err and ran["open"].err == ""
    assert "Traceback" not in ran["blocked"].err and (tmp_path / "file").read_bytes() == b""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "file"]


def test_two_first_runs_at_once_agree(cache, astronaut, officer):
    both = [start("verify", astronaut, officer, "--json", env=cache) for _ in range(2)]
    first, second = (finish(process) for process in both)
    assert (first.code, first.err, second.code, second.err) == (0, "", 0, "")
    assert first.json == second.json == run("verify", astronaut, officer, "--json").json
    left = [path.name for path in Path(cache["VISAVIS_CACHE"]).iterdir()]
    assert not [name for name in left if name.endswith(".part")]
    assert sorted(name.rpartition(".")[2] for name in left) == ["lock", "lock", "onnx", "onnx"]


def test_a_damaged_cache_is_made_again(cache, astronaut, officer):
    words = ("verify", astronaut, officer, "--json")
    expected = run(*words, env=cache).json
    networks = list(Path(cache["VISAVIS_CACHE"]).glob("*.onnx"))
    for path in networks:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    damaged = run(*words, env=cache)
    assert (damaged.code, damaged.json) == (0, expected)
    assert all(f"{path} is damaged" in damaged.err for path in networks) and len(networks) == 2
    assert run(*words, env=cache) == (0, damaged.out, "")


def test_a_second_run_needs_no_room_to_write(cache, astronaut, officer):
    words = ("verify", astronaut, officer, "--json")
    run(*words, env=cache)
    before = {path: path.stat().st_mtime_ns for path in Path(cache["VISAVIS_CACHE"]).iterdir()}
    assert run(*words, env=cache).err == ""
    assert {path: path.stat().st_mtime_ns for path in Path(cache["VISAVIS_CACHE"]).iterdir()} == before


@pytest.mark.slow
def test_the_first_run_takes_less_than_ten_seconds_and_the_next_less_than_one_and_a_half(cache, astronaut, officer):
    def seconds() -> float:
        began = time.perf_counter()
        assert run("verify", astronaut, officer, env=cache).code == 0
        return time.perf_counter() - began

    first = []
    for _ in range(3):
        shutil.rmtree(cache["VISAVIS_CACHE"], ignore_errors=True)
        first.append(seconds())
    assert min(first) < 10
    assert min(seconds() for _ in range(3)) < 1.5
