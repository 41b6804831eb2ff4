import io
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.errors import InputError, UnreadableError
from visavis.io.npz import read_npz


def _npz(tmp_path, members, *, compression=zipfile.ZIP_STORED):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def _npy(array, **options):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), **options)
    return stream.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_back(tmp_path, save):
    arrays = {
        "floats": np.arange(12, dtype=np.float32).reshape(3, 4),
        "turned": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "texts": np.array(["a", "äöü", ""]),
        "numbers": np.array([1, 2**62]),
        "single": np.array("text"),
        "empty": np.empty((0, 4), np.float32),
    }
    save(tmp_path / "a.npz", **arrays)
    found = read_npz(tmp_path / "a.npz")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_objects_are_not_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", rows=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="objects") as caught:
        read_npz(tmp_path / "a.npz")
    assert caught.value.reason == "arrays"


def test_a_name_that_stands_twice_is_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        path = _npz(tmp_path, [("a.npy", _npy([1])), ("a.npy", _npy([2]))])
    with pytest.raises(InputError, match="twice"):
        read_npz(path)


def test_members_that_are_no_arrays_are_refused(tmp_path):
    for name in ("../evil.py", "/etc/passwd", "notes.txt"):
        with pytest.raises(InputError, match="no array"):
            read_npz(_npz(tmp_path, [(name, b"x")]))


def test_a_bomb_is_refused_by_its_directory(tmp_path):
    path = _npz(tmp_path, [("a.npy", _npy(np.zeros(40_000_000, np.float32)))], compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 200_000
    with pytest.raises(InputError, match="unpacks to 160000128 bytes"):
        read_npz(path)


def _patched_sizes(path, size):
    """The declared unpacked sizes, in the local header and in the directory, replaced."""
    data = bytearray(path.read_bytes())
    data[22:26] = struct.pack("<I", size)
    place = data.rfind(b"PK\x01\x02")
    data[place + 24 : place + 28] = struct.pack("<I", size)
    path.write_bytes(data)


@pytest.mark.parametrize("size", [1, 127, 128, 200, 100_000])
def test_a_directory_that_lies_is_found_out(tmp_path, size):
    """The header of the array asks for 528 bytes; the directory says fewer, or more."""
    path = _npz(tmp_path, [("a.npy", _npy(np.arange(100, dtype=np.float32)))], compression=zipfile.ZIP_DEFLATED)
    _patched_sizes(path, size)
    with pytest.raises(InputError, match="sound"):
        read_npz(path)


def test_an_array_header_that_asks_for_more_than_there_is(tmp_path):
    for shape in ("(1000000000000,)", "(-1, -25)", "(3,)", "(0, 100)"):
        text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
        data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + bytes(100)
        with pytest.raises(InputError):
            read_npz(_npz(tmp_path, [("a.npy", data)]))


def test_encrypted_members_are_refused(tmp_path):
    path = _npz(tmp_path, [("a.npy", _npy([1]))])
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="encrypted"):
        read_npz(path)


def test_files_that_are_none(tmp_path):
    for data in (b"PK", b"not a zip", b"PK\x05\x06" + bytes(18)):
        (tmp_path / "a.npz").write_bytes(data)
        with pytest.raises(InputError):
            read_npz(tmp_path / "a.npz")
    with pytest.raises(UnreadableError):
        read_npz(tmp_path / "missing.npz")


@settings(deadline=None)
@given(st.data())
def test_damaged_bytes_give_an_error_or_the_same_arrays(tmp_path_factory, data):
    """Whatever byte is flipped: never another exception, never a pickle, never a wrong array (the CRC sees to that)."""
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    array = np.arange(20, dtype=np.float32)
    np.savez_compressed(path, a=array)
    raw = bytearray(path.read_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(raw)
    try:
        found = read_npz(path)
    except InputError:
        return
    for got in found.values():
        np.testing.assert_array_equal(got, array)
