import os
import subprocess
import sys

import numpy as np
import pytest

from visavis.errors import InputError, UnreadableError, UsageError
from visavis.protocols.embedding_file import EmbeddingFile, EmbeddingWriter, read_column


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_rows_in_any_order(tmp_path, kind):
    array = np.random.default_rng(0).normal(size=(50, 7)).astype(kind)
    np.save(tmp_path / "e.npy", array)
    with EmbeddingFile(tmp_path / "e.npy") as file:
        assert (file.rows, file.dimension, len(file)) == (50, 7, 50)
        for rows in ([0], [49, 0], [3, 4, 5, 9, 10, 2, 2], list(range(50)), []):
            found = file.read(np.array(rows, dtype=int))
            assert found.dtype == np.float32 and np.array_equal(found, array[rows].astype(np.float32))
        with pytest.raises(UsageError, match="0 to 49"):
            file.read(np.array([50]))


@pytest.mark.parametrize(
    ("array", "told"),
    [(np.zeros(5), "5,"), (np.zeros((5, 2), int), "int64"), (np.asfortranarray(np.zeros((5, 2))), "Fortran"),
     (np.zeros((0, 4)), "0, 4")],
)  # fmt: skip
def test_other_arrays_are_refused(tmp_path, array, told):
    np.save(tmp_path / "e.npy", array)
    with pytest.raises(InputError, match=told):
        EmbeddingFile(tmp_path / "e.npy")


def test_cut_and_foreign_files_are_refused(tmp_path):
    np.save(tmp_path / "e.npy", np.zeros((5, 4), np.float32))
    data = (tmp_path / "e.npy").read_bytes()
    for wrong in (data[:-1], data[:20], b"no array", b"\x93NUMPY\x01\x00"):
        (tmp_path / "w.npy").write_bytes(wrong)
        with pytest.raises(InputError):
            EmbeddingFile(tmp_path / "w.npy")
    with pytest.raises(UnreadableError):
        EmbeddingFile(tmp_path / "none.npy")


def test_what_is_written_is_an_array(tmp_path):
    array = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    with EmbeddingWriter(tmp_path / "e.npy", rows=9, dimension=3) as writer:
        writer.write(array[:4])
        assert not (tmp_path / "e.npy").exists()
        writer.write(array[4:])
    assert np.array_equal(np.load(tmp_path / "e.npy"), array)
    with pytest.raises(UsageError):
        EmbeddingWriter(tmp_path / "no" / "e.npy", rows=9, dimension=3)


def test_an_unfinished_file_is_not_left(tmp_path):
    with EmbeddingWriter(tmp_path / "e.npy", rows=9, dimension=3) as writer:
        writer.write(np.zeros((4, 3), np.float32))
    assert list(tmp_path.iterdir()) == []


def header(text):
    """An .npy header of version 1.0, and twelve bytes behind it."""
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(12)


@pytest.mark.parametrize(
    "text",
    [b"{'descr': '<f4', 'fortran_order': False, 'shape': (10000000000000,)}\n", b"(((\n", b"\xff\n", b"3\n",
     b"{'descr': 'zz', 'fortran_order': False, 'shape': (3,)}\n", b"(" * 3000 + b"\n",
     b"{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}\n"],
)  # fmt: skip
def test_headers_that_lie_are_refused(tmp_path, text):
    (tmp_path / "w.npy").write_bytes(header(text))
    with pytest.raises(InputError):
        read_column(tmp_path / "w.npy", 3)
    with pytest.raises(InputError):
        EmbeddingFile(tmp_path / "w.npy")


def test_a_column_has_one_number_an_image(tmp_path):
    for kind in (np.float64, np.float16, np.int8, ">i4"):
        np.save(tmp_path / "w.npy", np.arange(4).astype(kind))
        assert read_column(tmp_path / "w.npy", 4).tolist() == [0, 1, 2, 3]
    np.savez(tmp_path / "z.npy", a=np.arange(4.0))
    (tmp_path / "t.npy").write_text("text")
    (tmp_path / "p.npy").write_bytes(b"PK\x03\x04 no archive")
    for name, length in (("w.npy", 5), ("z.npy.npz", 4), ("t.npy", 4), ("p.npy", 4)):
        with pytest.raises(InputError):
            read_column(tmp_path / name, length)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of a process")
@pytest.mark.parametrize("room", [0, 150])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, room):
    """The largest file of a process stands for the room on the disk."""
    script = f"""
import resource, signal, numpy as np
from visavis.errors import UsageError
from visavis.protocols.embedding_file import EmbeddingWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, resource.RLIM_INFINITY))
try:
    with EmbeddingWriter({str(tmp_path / "e.npy")!r}, rows=9, dimension=3) as writer:
        writer.write(np.zeros((9, 3), np.float32))
except UsageError as error:
    assert "cannot be written (File too large)" in str(error), error
else:
    raise SystemExit("it was written")
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert list(tmp_path.iterdir()) == []
