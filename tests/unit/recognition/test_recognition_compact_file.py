"""The file of compact templates: the bytes of its page, what comes back, and files that are cut, turned or made up."""

import json
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest

from visavis.errors import InputError, UnreadableError, UsageError
from visavis.recognition.compact import CompactTemplates
from visavis.recognition.compact_file import compact_bytes, read_compact, write_compact
from visavis.types import Failure, Provenance, Status, TemplateSpace

SPACE = TemplateSpace("d", "five-point", "arcface-112", "r", 5, compatible=("0123456789abcdef",))
MADE = Provenance("m", "e", "fp32", "1", "1")


def compact(count=4, names=("a", "b\n", "ü", "d")):
    codes = np.random.default_rng(0).integers(1, 128, (count, 5)).astype(np.int8)
    status = [None] * count
    if count > 2:
        codes[2], status[2] = 0, Failure("no-face", "there is none")
    return CompactTemplates(codes, 0.5, Status(tuple(status)), SPACE, MADE, names)


def rebuilt(data, *, about=None, codes=None, **header):
    """The file with other content and CRCs that fit."""
    fields = list(struct.unpack_from("<8sHHIQf8sIQIII", data))
    size = fields[7]
    parts = [data[64 : 64 + size], data[64 + size : 64 + size + 20], data[84 + size :]]
    parts[0] = parts[0] if about is None else json.dumps(about).encode()
    parts[1] = parts[1] if codes is None else bytes(codes)
    fields[7], fields[8] = len(parts[0]), len(parts[2])
    fields[9:] = [zlib.crc32(part) for part in parts]
    for place, value in header.items():
        fields[int(place[1:])] = value
    packed = struct.pack("<8sHHIQf8sIQIII", *fields)
    return packed + struct.pack("<I", zlib.crc32(packed)) + b"".join(parts)


def refusal(tmp_path, data, **options):
    path = tmp_path / "bad.vvt"
    path.write_bytes(data)
    with pytest.raises(InputError) as error:
        read_compact(path, **options)
    assert error.value.reason == "templates"
    return error.value.message


@pytest.mark.parametrize("check", [True, False])
def test_what_was_written_comes_back(tmp_path, check):
    before = compact()
    after = read_compact(write_compact(tmp_path / "x.vvt", before), check=check)
    assert np.array_equal(after.codes, before.codes) and not after.codes.flags.writeable
    assert isinstance(after.codes.base, np.memmap) or isinstance(after.codes.base.base, np.memmap)
    for name in ("scale", "status", "space", "made_by", "names"):
        assert getattr(after, name) == getattr(before, name)


def test_no_names_and_no_faces(tmp_path):
    empty = replace(compact(2, None)[[]], names=None)
    for one in (compact(2, None), replace(compact(2, None), scale=0.0), empty):
        after = read_compact(write_compact(tmp_path / "x.vvt", one))
        assert after.names is None and len(after) == len(one)


def test_the_bytes_are_those_of_the_page():
    data, before = compact_bytes(compact()), compact()
    assert data[:8] == b"\x89VVT\r\n\x1a\n"
    version, reserved, dimension, count = struct.unpack_from("<HHIQ", data, 8)
    assert (version, reserved, dimension, count) == (1, 0, 5, 4)
    assert struct.unpack_from("<f", data, 24)[0] == 0.5 and data[28:36].hex() == SPACE.fingerprint
    about, names = struct.unpack_from("<IQ", data, 36)
    assert about % 64 == 0 and len(data) == 64 + about + 4 * 5 + names
    codes = data[64 + about : 64 + about + 20]
    assert codes == before.codes.tobytes() and json.loads(data[84 + about :]) == ["a", "b\n", "ü", "d"]
    parts = data[64 : 64 + about], codes, data[84 + about :]
    assert list(struct.unpack_from("<III", data, 48)) == [zlib.crc32(part) for part in parts]
    assert struct.unpack_from("<I", data, 60)[0] == zlib.crc32(data[:60])
    described = json.loads(parts[0])
    assert described["failures"] == {"2": ["no-face", "there is none"]} and described["space"]["recogniser"] == "r"


def test_every_turned_bit_and_every_cut_is_noticed(tmp_path):
    data = compact_bytes(compact())
    for place in range(len(data)):
        turned = bytearray(data)
        turned[place] ^= 1 << (place % 8)
        refusal(tmp_path, bytes(turned))
    for size in [*range(0, 64, 7), *range(64, len(data), 29)]:
        refusal(tmp_path, data[:size])
    assert "has a tail" in refusal(tmp_path, data + b"\x00")


def test_files_that_were_made_up_are_refused_in_words(tmp_path):
    data = compact_bytes(compact())
    about = json.loads(data[64:].split(b"  ")[0])
    cases = {
        "version 2": rebuilt(data, _1=2),
        "makes no sense": rebuilt(data, _2=1),
        "header asks for": rebuilt(data, _4=1 << 62),
        "above 0": rebuilt(data, _5=float("nan")),
        "another space": rebuilt(data, _6=b"\x00" * 8),
        "failures": rebuilt(data, about={key: about[key] for key in ("space", "made_by")}),
        "range object": rebuilt(data, about={**about, "failures": {"9": ["a", "b"]}}),
        "does not fit together": rebuilt(data, about=[1]),
        "unexpected keyword": rebuilt(data, about={**about, "space": {**about["space"], "more": 1}}),
        "none: zeros": rebuilt(data, codes=bytes(20)),
        "-128": rebuilt(data, codes=b"\x80" * 10 + bytes(5) + b"\x01" * 5),
        "no JSON": _no_json(data),
    }
    for words, bad in cases.items():
        assert words in refusal(tmp_path, bad), words
    assert "makes no sense" in refusal(tmp_path, rebuilt(data, _3=0, _4=1 << 40))
    assert "visavis embed" in refusal(tmp_path, b"PK\x03\x04 something else")


def _no_json(data):
    fields = list(struct.unpack_from("<8sHHIQf8sIQIII", data))
    about = b"[" * fields[7]
    fields[9] = zlib.crc32(about)
    packed = struct.pack("<8sHHIQf8sIQIII", *fields)
    return packed + struct.pack("<I", zlib.crc32(packed)) + about + data[64 + len(about) :]


def test_damage_of_the_codes_is_not_looked_for_when_that_is_not_wanted(tmp_path):
    data = bytearray(compact_bytes(compact()))
    data[64 + struct.unpack_from("<I", data, 36)[0]] ^= 1
    (tmp_path / "x.vvt").write_bytes(bytes(data))
    assert len(read_compact(tmp_path / "x.vvt", check=False)) == 4
    assert "CRC of its codes" in refusal(tmp_path, bytes(data))


def test_paths_that_do_not_fit(tmp_path):
    with pytest.raises(UsageError, match=r"NAME\.vvt"):
        write_compact(tmp_path / "x.bin", compact())
    with pytest.raises(UnreadableError):
        read_compact(tmp_path / "none.vvt")
    with pytest.raises(UnreadableError):
        read_compact(tmp_path)


@pytest.mark.parametrize(
    ("part", "values", "words"),
    [
        ("space", {"pooling": 5}, "pooling is none"),
        ("space", {"pooling": "mean-x"}, "pooling is none"),
        ("space", {"compatible": "abc"}, "compatible is a list"),
        ("space", {"compatible": [1]}, "fingerprints"),
        ("space", {"flip": 0}, "true or false"),
        ("made_by", {"model": 5}, "texts"),
    ],
)
def test_descriptions_of_other_types_are_refused(tmp_path, part, values, words):
    data = compact_bytes(compact())
    about = json.loads(data[64:].split(b"  ")[0])
    assert words in refusal(tmp_path, rebuilt(data, about={**about, part: {**about[part], **values}}))


def test_what_a_reader_would_refuse_is_not_written(tmp_path, monkeypatch):
    from visavis.recognition import compact_file

    good = compact()
    for wrong, words in (
        (replace(good, names=("a", 1, "c", "d")), "names are texts"),
        (replace(good, scale=1e39), "float32"),
        (replace(good, scale=1e-60), "float32"),
        (replace(good, space=replace(SPACE, pooling="sum")), "pooling"),
    ):
        with pytest.raises(UsageError, match=words):
            write_compact(tmp_path / "x.vvt", wrong)
    monkeypatch.setattr(compact_file, "_LONGEST_TEXT", 10)
    with pytest.raises(UsageError, match="several files"):
        write_compact(tmp_path / "x.vvt", good)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("change", [{"dimension": 6}, {"crop": "x"}, {"detector": "x"}, {"flip": True}])
def test_a_space_that_fits_an_older_one_differs_in_the_recogniser_alone(change):
    old = replace(SPACE, compatible=())
    new = replace(old, recogniser="new", compatible=(old.fingerprint,))
    assert new.comparable(old) and old.comparable(new)
    assert not replace(new, **change).comparable(old) and not old.comparable(replace(new, **change))
