"""The bytes are laid out here by hand, after dmlc-core's description, in another way than the reader takes them."""

import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

from visavis.data.readers.record_file import MAGIC, RecordFile, read_property
from visavis.errors import InputError, UnreadableError
from visavis.io.limits import Limits


def part(data, kind=0):
    return MAGIC + struct.pack("<I", kind << 29 | len(data)) + data + bytes(-len(data) % 4)


def record(labels, picture, number=0):
    """A record, cut where the magic number stands at a multiple of four, as the writer of MXNet does."""
    if len(labels) == 1:
        data = struct.pack("<IfQQ", 0, labels[0], number, 0) + picture
    else:
        data = struct.pack("<IfQQ", len(labels), 0, number, 0) + struct.pack(f"<{len(labels)}f", *labels) + picture
    pieces, last = [], 0
    for place in range(0, len(data) - 3, 4):
        if data[place : place + 4] == MAGIC and place >= last:
            pieces.append(data[last:place])
            last = place + 4
    pieces.append(data[last:])
    if len(pieces) == 1:
        return part(data)
    kinds = [1, *[2] * (len(pieces) - 2), 3]
    return b"".join(part(piece, kind) for piece, kind in zip(pieces, kinds, strict=True))


def write(folder, records, keys=None):
    folder.mkdir(exist_ok=True)
    data, lines = b"", []
    for key, one in zip(keys or range(len(records)), records, strict=True):
        lines.append(f"{key}\t{len(data)}\n")
        data += one
    (folder / "train.rec").write_bytes(data)
    (folder / "train.idx").write_text("".join(lines))
    return folder / "train.rec"


PICTURES = [b"one", b"second!!", MAGIC, b"abcd" + MAGIC + b"efgh" + MAGIC + MAGIC, b"x" + MAGIC + b"unaligned", b""]


def faces(folder):
    """Three pictures of person 0, three of person 1, records of both, and record 0 that says so."""
    people = [record([float(row // 3)], picture, row + 1) for row, picture in enumerate(PICTURES)]
    return write(folder, [record([7.0, 9.0], b"", 0), *people, record([1.0, 4.0], b"", 7), record([4.0, 7.0], b"", 8)])


def test_pictures_and_people_come_back(tmp_path):
    file = RecordFile(faces(tmp_path / "f"))
    assert [one.name for one in file.records()] == ["1", "2", "3", "4", "5", "6"]
    assert [one.identity for one in file.records()] == ["0", "0", "0", "1", "1", "1"]
    assert [file[row].source.read_bytes() for row in range(6)] == PICTURES
    assert RecordFile(tmp_path / "f").fingerprint() == file.fingerprint()


def test_a_file_without_record_zero_and_with_several_labels(tmp_path):
    path = write(tmp_path / "f", [record([5.0], b"a"), record([6.0, 1.0, 2.0], b"bb")], keys=[12, 3])
    assert [(one.name, one.identity, one.source.read_bytes()) for one in RecordFile(path).records()] == [
        ("3", "6", b"bb"), ("12", "5", b"a"),
    ]  # fmt: skip


def test_many_threads_read_one_file(tmp_path):
    file = RecordFile(faces(tmp_path / "f"))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda row: file[row % 6].source.read_bytes(), range(300))) == PICTURES * 50


def test_a_record_in_parts_whose_labels_are_cut(tmp_path):
    """The magic number as a label: the header itself lies in two parts."""
    label = struct.unpack("<f", MAGIC)[0]
    path = write(tmp_path / "f", [record([0.0], b"first"), record([3.0, label, 1.0], b"second")], keys=[1, 2])
    file = RecordFile(path)
    assert (file[1].identity, file[1].source.read_bytes()) == ("3", b"second")


@pytest.mark.parametrize(
    ("data", "index", "words"),
    [
        (b"", "0\t0\n", "outside|0 bytes"),
        (record([1.0], b"abc"), "", "index"),
        (record([1.0], b"abc"), "1\t4\n", "no record here"),
        (record([1.0], b"abc"), "1\t99\n", "outside"),
        (record([1.0], b"abc"), "1\t-1\n", "outside"),
        (record([1.0], b"abc"), "1\t0\n1\t0\n", "twice"),
        (record([1.0], b"abc"), "-1\t0\n", "below 0"),
        (record([1.0], b"abc"), "1 0 2\n", "index"),
        (record([1.0], b"abc"), "a\tb\n", "index"),
        (record([1.0], b"abc"), "99999999999999999999\t0\n", "index"),
        (MAGIC + struct.pack("<I", (1 << 29) - 1) + b"abc", "1\t0\n", "ends before"),
        (part(b"short"), "1\t0\n", "header alone"),
        (part(struct.pack("<IfQQ", 0xFFFFFFFF, 0, 0, 0)), "1\t0\n", "labels"),
        (part(b"", 2), "1\t0\n", "no record here"),
        (part(b"ab", 1), "1\t0\n", "ends before"),
        (record([float("inf"), 3.0], b""), "0\t0\n", "pictures end"),
        (record([1.0, 2.0], b""), "0\t0\n", "pictures end"),
    ],
)
def test_hostile_files_are_refused(tmp_path, data, index, words):
    (tmp_path / "train.rec").write_bytes(data)
    (tmp_path / "train.idx").write_text(index)
    with pytest.raises(InputError, match=words) as caught:
        list(RecordFile(tmp_path).records())
    assert caught.value.reason == "collection"


def test_a_damaged_picture_is_one_failed_row(tmp_path):
    whole = record([1.0], b"x" * 5000)
    path = write(tmp_path / "f", [record([0.0], b"fine"), whole[:-100]], keys=[1, 2])
    file = RecordFile(path)
    assert [one.identity for one in file.records()] == ["0", "1"]
    assert file[0].source.read_bytes() == b"fine"
    with pytest.raises(UnreadableError, match="ends before") as caught:
        file[1].source.read_bytes()
    assert caught.value.reason == "unreadable.corrupt"


def test_a_record_of_many_parts_is_bounded(tmp_path):
    data = struct.pack("<IfQQ", 0, 1.0, 0, 0) + bytes(6000)
    path = write(tmp_path / "f", [part(data, 1) + part(bytes(6000), 2) * 50 + part(b"", 3)], keys=[1])
    source = RecordFile(path)[0].source
    with pytest.raises(UnreadableError, match="longer than the limit"):
        source.read_bytes(Limits(max_bytes=20_000))
    assert len(source.read_bytes()) == 6000 * 51 + 4 * 51


def test_the_property_file(tmp_path):
    (tmp_path / "property").write_text("85742,112,112\n")
    assert read_property(tmp_path / "property") == (85742, 112, 112)
    for bad in ("", "1,2", "a,b,c", "0,112,112"):
        (tmp_path / "property").write_text(bad)
        with pytest.raises(InputError):
            read_property(tmp_path / "property")
