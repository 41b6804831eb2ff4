"""Parquet files that end a process end another one than this."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from visavis.errors import InputError
from visavis.gallery.exchange import parquet_probe
from visavis.gallery.exchange.byte_span import ByteSpan
from visavis.gallery.exchange.parquet_probe import probe

arrow = pytest.importorskip("pyarrow")


@pytest.fixture
def good(tmp_path):
    import pyarrow.parquet as parquet

    parquet.write_table(arrow.table({"id": [str(row) for row in range(500)]}), tmp_path / "a.parquet")
    return ByteSpan.of_file(tmp_path / "a.parquet")


def test_a_file_that_ends_the_process_is_refused_and_the_next_one_is_read(good):
    probe(good, "good")
    process = parquet_probe._PROBER._process
    process.send_signal(signal.SIGSTOP)
    kill = threading.Timer(0.2, process.kill)  # it dies over the question, as of a C++ exception
    kill.start()
    with pytest.raises(InputError, match="not a sound Parquet file") as caught:
        probe(good, "bad")
    assert caught.value.reason == "exchange.parquet"
    probe(good, "good")
    assert parquet_probe._PROBER._process.pid != process.pid


def test_modules_of_the_folder_it_runs_in_are_not_run(good, tmp_path, monkeypatch):
    for name in ("json", "pyarrow", "visavis", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    parquet_probe._PROBER.close()
    probe(good, "good")
    assert not (tmp_path / "ran").exists()


def test_threads_take_turns(good, tmp_path):
    (tmp_path / "b.parquet").write_bytes(b"PAR1" * 5)
    bad = ByteSpan.of_file(tmp_path / "b.parquet")
    refused = []

    def ask():
        for _ in range(5):
            probe(good, "good")
            with pytest.raises(InputError) as caught:
                probe(bad, "bad")
            refused.append(caught.value.reason)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == ["exchange.parquet"] * 20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the limit of memory is the system's")
def test_a_part_that_takes_more_memory_than_it_says_is_refused():
    """The limit is set in the process that reads; here in one that is asked for far too little."""
    code = (
        "import numpy as np; from visavis.gallery.exchange import parquet_probe as p; p._SPARE = 1 << 24;"
        "p.limit_memory(0)\ntry: np.ones(1 << 24)\nexcept MemoryError: print('refused')"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "refused\n"


def test_a_span_is_the_bytes_between(tmp_path):
    data = np.random.default_rng(0).bytes(5000)
    (tmp_path / "a").write_bytes(data)
    with ByteSpan(str(tmp_path / "a"), 100, 3000).open() as file:
        assert file.read() == data[100:3100]
        assert (file.seek(-10, os.SEEK_END), file.read(50)) == (2990, data[3090:3100])
        assert (file.seek(7), file.read(3), file.tell()) == (7, data[107:110], 10)
        assert file.read(0) == b"" and file.seek(1 << 40) == 1 << 40 and file.read(5) == b""
