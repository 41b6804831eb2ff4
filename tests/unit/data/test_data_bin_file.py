import os
import pickle
import pickletools
import struct

import numpy as np
import pytest

from visavis.data.readers.bin_file import BinFile
from visavis.errors import InputError, UnreadableError

PICTURES = [b"\xff\xd8one", b"\x89PNG two\x00", b"3", b"4"]
SAME = [True, False]


def write(tmp_path, data):
    (tmp_path / "x.bin").write_bytes(data if isinstance(data, bytes) else pickle.dumps(data, 2))
    return BinFile(tmp_path / "x.bin")


def python_2(pictures, same):
    """As cPickle of Python 2 wrote it with protocol 2: strings are SHORT_BINSTRING or BINSTRING."""
    strings = b"".join(b"T" + struct.pack("<i", len(one)) + one for one in pictures)
    return b"\x80\x02](" + strings + b"e](" + b"".join(b"\x88" if one else b"\x89" for one in same) + b"e\x86."


def check(file):
    assert [file.read_bytes(name) for name in file.names()] == PICTURES
    assert file.pairs.same.tolist() == SAME
    assert list(zip(file.pairs.image1, file.pairs.image2, strict=True)) == [("0", "1"), ("2", "3")]


@pytest.mark.parametrize("protocol", range(5))
def test_bytes_of_python_3(tmp_path, protocol):
    check(write(tmp_path, pickle.dumps((PICTURES, SAME), protocol)))


def test_strings_of_python_2(tmp_path):
    data = python_2(PICTURES, SAME)
    assert pickletools.dis(data, out=open(os.devnull, "w")) is None  # noqa: PTH123, SIM115
    check(write(tmp_path, data))


@pytest.mark.parametrize("protocol", range(5))
def test_arrays_and_truth_values_of_numpy(tmp_path, protocol):
    arrays = [np.frombuffer(one, np.uint8) for one in PICTURES]
    for same in (np.array(SAME), [np.bool_(one) for one in SAME], np.array(SAME, np.int64), [1, 0]):
        check(write(tmp_path, pickle.dumps((arrays, same), protocol)))


def test_the_names_of_older_numpy(tmp_path):
    data = pickle.dumps(([np.frombuffer(one, np.uint8) for one in PICTURES], SAME), 2)
    check(write(tmp_path, data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")))


@pytest.mark.parametrize(
    "value",
    [1, (PICTURES,), (PICTURES, [True]), ([], []), (PICTURES, [2, 0]), (PICTURES, [None, True]), ("abcd", SAME),
     ([1, 2, 3, 4], SAME), (PICTURES, {"a": 1, "b": 2}), ([None] * 4, SAME), ([np.zeros(3)] * 4, SAME),
     ([np.array([print], object)] * 4, SAME), (np.zeros((4, 2), np.uint8), SAME)],
)  # fmt: skip
def test_other_contents_are_refused(tmp_path, value):
    with pytest.raises(InputError) as caught:
        write(tmp_path, value)
    assert caught.value.reason in ("collection", "pickle.damaged", "pickle.refused")


def test_hostile_pickles_do_nothing(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "evil"),)

    with pytest.raises(InputError) as caught:
        write(tmp_path, ([Evil()] * 4, SAME))
    assert caught.value.reason == "pickle.refused" and not (tmp_path / "evil").exists()


def test_an_array_that_says_it_is_huge_is_refused(tmp_path):
    """The shape is that of a terabyte, the bytes are three."""
    data = pickle.dumps(([np.frombuffer(b"abc", np.uint8)] * 4, SAME), 2)
    small, huge = b"K\x03\x85", b"\x8a\x06" + (1 << 40).to_bytes(6, "little") + b"\x85"
    assert small in data
    with pytest.raises(InputError) as caught:
        write(tmp_path, data.replace(small, huge))
    assert caught.value.reason == "pickle.damaged"


def test_names_that_are_not_there(tmp_path):
    file = write(tmp_path, (PICTURES, SAME))
    assert "3" in file and "4" not in file and "x" not in file and 1 not in file
    for name in ("4", "-1", "x", "²"):
        with pytest.raises(UnreadableError):
            file.get(name)
