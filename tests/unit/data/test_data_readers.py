import io
import json
import os
import tarfile

import numpy as np
import pytest
from PIL import Image

from visavis.data.readers.csv_list import CsvList
from visavis.data.readers.labelled_folder import LabelledFolder
from visavis.data.readers.open_collection import open_collection
from visavis.data.readers.record_file import RecordFile
from visavis.data.readers.tar_shards import TarShards, expand_range
from visavis.errors import InputError, UnreadableError, UsageError
from visavis.io import read


def jpeg(seed=0):
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(stream, "JPEG")
    return stream.getvalue()


def tar(path, members):
    with tarfile.open(path, "w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def folder(path, members):
    for name, data in members:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def told(collection):
    return [(one.name, one.identity, one.source.read_bytes()) for one in collection.records()]


PEOPLE = [("a/1.jpg", jpeg(1)), ("a/2.jpg", jpeg(2)), ("b/1.jpg", jpeg(3))]


def test_a_folder_and_an_archive_of_people(tmp_path):
    expected = [("a/1.jpg", "a", jpeg(1)), ("a/2.jpg", "a", jpeg(2)), ("b/1.jpg", "b", jpeg(3))]
    assert told(LabelledFolder(folder(tmp_path / "f", PEOPLE))) == expected
    assert told(LabelledFolder(tar(tmp_path / "t.tar", PEOPLE[::-1]))) == expected
    with pytest.raises(InputError, match="no picture"):
        LabelledFolder(folder(tmp_path / "g", [("a/notes.txt", b"x")]))


def test_the_ledger_knows_the_folder_of_a_person(tmp_path):
    members = [("cfp_dev/001/frontal/01.jpg", jpeg(1)), ("cfp_dev/001/profile/01.jpg", jpeg(2))]
    assert {one.identity for one in LabelledFolder(tar(tmp_path / "cfp_dev.tar", members)).records()} == {"001"}


def test_a_csv_list_beside_its_pictures_in_an_archive_and_with_members(tmp_path):
    folder(tmp_path, PEOPLE)
    tar(tmp_path / "t.tar", PEOPLE)
    (tmp_path / "one.csv").write_text("path,label,more\na/1.jpg,x,1\nb/1.jpg,y,2\n", encoding="utf-8")
    (tmp_path / "two.csv").write_text('identity,file\nx,a/1.jpg\ny,"b/1.jpg"\n', encoding="utf-8-sig")
    (tmp_path / "three.csv").write_text("image,person\nt.tar::a/1.jpg,x\nt.tar::b/1.jpg,y\n", encoding="utf-8")
    expected = [("x", jpeg(1)), ("y", jpeg(3))]
    for collection in (
        CsvList(tmp_path / "one.csv"),
        CsvList(tmp_path / "two.csv", images=tmp_path / "t.tar"),
        CsvList(tmp_path / "two.csv", images=tmp_path),
        CsvList(tmp_path / "three.csv"),
    ):
        assert [row[1:] for row in told(collection)] == expected and len(collection) == 2


def test_a_csv_row_that_leads_nowhere_is_one_failed_picture(tmp_path):
    (tmp_path / "l.csv").write_text("path,label\nnowhere.jpg,x\nnone.tar::a.jpg,x\n", encoding="utf-8")
    for record in CsvList(tmp_path / "l.csv").records():
        with pytest.raises(UnreadableError) as caught:
            read(record.source)
        assert caught.value.reason == "unreadable.missing"


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "empty|0 bytes"), ("path,label\n", "no rows"), ("path,x\na,b\n", "one column of label"),
     ("path,file,label\na,b,c\n", "one column of path"), ("path,label\na\n", "row 2 has 1"),
     ("path,label\na,\n", "row 2 has no"), ("path,label\n\x00", "CSV|row")],
)  # fmt: skip
def test_a_csv_list_that_does_not_fit_is_refused(tmp_path, text, words):
    (tmp_path / "l.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words) as caught:
        CsvList(tmp_path / "l.csv")
    assert caught.value.reason == "collection"


def test_shards_with_text_and_json_labels(tmp_path):
    tar(tmp_path / "s-00.tar", [("k1.jpg", jpeg(1)), ("k1.cls", b"7\n"), ("k2.json", b'{"label": "ann"}'),
                                ("k2.seg.txt", b"-"), ("k2.jpg", jpeg(2))])  # fmt: skip
    tar(tmp_path / "s-01.tar", [("d/k1.json", b'{"class": 7, "x": 1}'), ("d/k1.png", jpeg(3))])
    shards = TarShards(tmp_path / "s-{00..01}.tar")
    assert told(shards) == [
        ("s-00.tar::k1.jpg", "7", jpeg(1)), ("s-00.tar::k2.jpg", "ann", jpeg(2)), ("s-01.tar::d/k1.png", "7", jpeg(3)),
    ]  # fmt: skip
    assert [one.identity for one in open_collection(tmp_path / "s-01.tar").records()] == ["7"]


@pytest.mark.parametrize(
    ("members", "words"),
    [([("k.jpg", b"x")], "no label"), ([("k.jpg", b"x"), ("k.png", b"x"), ("k.cls", b"1")], "two pictures"),
     ([("k.jpg", b"x"), ("k.json", b"[1]")], "no label in it"), ([("k.jpg", b"x"), ("k.json", b"{")], "cannot be read"),
     ([("k.jpg", b"x"), ("k.json", b'{"label": true}')], "no label in it"), ([("k.cls", b"1")], "no picture"),
     ([("k.jpg", b"x"), ("k.cls", b"\xff")], "cannot be read"),
     ([("k.jpg", b"x"), ("k.json", b"[" * 100_000)], "cannot be read")],
)  # fmt: skip
def test_shards_that_do_not_fit_are_refused(tmp_path, members, words):
    with pytest.raises(InputError, match=words):
        TarShards(tar(tmp_path / "s.tar", members))


def test_ranges_of_shards():
    assert expand_range("a-{008..011}.tar") == ["a-008.tar", "a-009.tar", "a-010.tar", "a-011.tar"]
    assert expand_range("{1..2}/{0..1}.tar") == ["1/0.tar", "1/1.tar", "2/0.tar", "2/1.tar"]
    assert expand_range("plain.tar") == ["plain.tar"]
    for bad in ("{3..1}.tar", "{0..99999999}.tar", "{0..9999}/{0..9999}.tar"):
        with pytest.raises(UsageError, match="ranges"):
            expand_range(bad)


def test_fingerprints_tell_changes(tmp_path):
    folder(tmp_path / "f", PEOPLE)
    (tmp_path / "l.csv").write_text("path,label\nf/a/1.jpg,x\n", encoding="utf-8")
    tar(tmp_path / "t.tar", PEOPLE)
    tar(tmp_path / "s.tar", [("k.jpg", jpeg()), ("k.cls", b"1")])
    openers = {
        "folder": (lambda: LabelledFolder(tmp_path / "f"), tmp_path / "f/a/1.jpg"),
        "csv": (lambda: CsvList(tmp_path / "l.csv"), tmp_path / "f/a/1.jpg"),
        "tar": (lambda: LabelledFolder(tmp_path / "t.tar"), tmp_path / "t.tar"),
        "shard": (lambda: TarShards(tmp_path / "s.tar"), tmp_path / "s.tar"),
    }
    for time, (name, (make, file)) in enumerate(openers.items()):
        before = make().fingerprint()
        assert make().fingerprint() == before, name
        os.utime(file, ns=(time, time))
        assert make().fingerprint() != before, name


def test_a_path_says_what_it_is(tmp_path):
    folder(tmp_path / "f", PEOPLE)
    (tmp_path / "l.csv").write_text("path,label\nf/a/1.jpg,x\n", encoding="utf-8")
    assert isinstance(open_collection(tmp_path / "f"), LabelledFolder)
    assert isinstance(open_collection(tmp_path / "l.csv"), CsvList)
    assert isinstance(open_collection(tar(tmp_path / "t.tar", PEOPLE)), LabelledFolder)
    for given, options in ((tmp_path / "f", {"images": tmp_path}), (tmp_path / "f", {"split": "x"}),
                           (tmp_path / "lfw.bin", {})):  # fmt: skip
        with pytest.raises(UsageError):
            open_collection(given, **options)
    with pytest.raises(InputError):
        open_collection(tmp_path / "nowhere")
    with pytest.raises(InputError):
        RecordFile(tmp_path / "nowhere.rec")


def test_a_saved_data_set(tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["ann", "bob"])})
    (tmp_path / "on_disk.jpg").write_bytes(jpeg(5))
    rows = {"image": [{"bytes": jpeg(1), "path": None}, {"bytes": None, "path": str(tmp_path / "on_disk.jpg")}, None],
            "label": [1, 0, 1]}  # fmt: skip
    data = datasets.Dataset.from_dict(rows, features=features)
    from visavis.data.readers.hugging_face import HuggingFaceSet

    collection = HuggingFaceSet(data)
    assert [one.identity for one in collection.records()] == ["bob", "ann", "bob"]
    assert [collection[row].source.read_bytes() for row in (0, 1)] == [jpeg(1), jpeg(5)]
    with pytest.raises(UnreadableError, match="no picture"):
        collection[2].source.read_bytes()
    plain = HuggingFaceSet(data.cast_column("label", datasets.Value("int64")))
    assert [one.identity for one in plain.records()] == ["1", "0", "1"]
    assert HuggingFaceSet(data).fingerprint() == collection.fingerprint() != plain.fingerprint()

    data.save_to_disk(str(tmp_path / "one"))
    datasets.DatasetDict({"train": data, "rest": data.select([1])}).save_to_disk(str(tmp_path / "two"))
    assert len(open_collection(tmp_path / "one")) == 3
    assert len(open_collection(tmp_path / "two", split="rest")) == 1
    for call in (
        lambda: open_collection(tmp_path / "two"),
        lambda: HuggingFaceSet(data, label="nothing"),
        lambda: HuggingFaceSet(data, image="label"),
        lambda: HuggingFaceSet([1]),
    ):
        with pytest.raises(UsageError):
            call()
    (tmp_path / "one" / "state.json").write_text(json.dumps({"not": "it"}))
    with pytest.raises(InputError, match="saved data set"):
        open_collection(tmp_path / "one")
