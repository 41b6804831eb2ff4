import json
import pickle
import resource
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from visavis.data.arcface_template import arcface_at
from visavis.data.pack import Pack, PackFailure
from visavis.data.pack_writer import PackWriter
from visavis.data.text_column import TextColumn
from visavis.errors import InputError, UsageError
from visavis.types import Failure

PEOPLE = ["b", "a", "b", "ç", "a", "b"]


def pixels_of(count, size=4, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


@pytest.fixture
def pack(tmp_path):
    return Pack.write(tmp_path / "p", pixels_of(6), PEOPLE, names=[f"n{row}" for row in range(6)])


def test_what_was_written_is_read(pack):
    assert np.array_equal(pack.pixels, pixels_of(6))
    assert [pack.identities[label] for label in pack.labels] == PEOPLE
    assert list(pack.identities) == sorted(set(PEOPLE))
    assert list(pack.names) == [f"n{row}" for row in range(6)] and pack.names[-1] == "n5"
    assert pack.meta.landmarks == "template" and np.isnan(pack.boxes).all() and np.isnan(pack.scores).all()
    assert np.array_equal(pack.landmarks[2], arcface_at(4).array().astype(np.float32))
    assert len(pack) == 6 and pack.failures == ()


def test_plain_numpy_reads_the_files(pack):
    assert np.array_equal(np.load(pack.path / "pixels.npy"), pixels_of(6))
    assert np.array_equal(np.load(pack.path / "labels.npy"), pack.labels)


def test_a_pack_is_read_only(pack):
    for array in (pack.pixels, pack.labels, pack.landmarks):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_parts_make_the_same_pack_as_one_piece(tmp_path, pack):
    with PackWriter(tmp_path / "q", size=4) as writer:
        for row in range(6):
            writer.add(pixels_of(6)[row : row + 1], PEOPLE[row : row + 1], [f"n{row}"])
    for file in pack.path.iterdir():
        assert file.read_bytes() == (tmp_path / "q" / file.name).read_bytes(), file.name
    assert len(list((tmp_path / "q").iterdir())) == len(list(pack.path.iterdir()))


@pytest.mark.parametrize("change", ["pixels", "label", "name"])
def test_the_fingerprint_tells_packs_apart(tmp_path, pack, change):
    pixels, people, names = pixels_of(6), list(PEOPLE), [f"n{row}" for row in range(6)]
    if change == "pixels":
        pixels[5, 3, 3, 2] ^= 1
    elif change == "label":
        people[0] = "a"
    else:
        names[0] = "other"
    assert Pack.write(tmp_path / "q", pixels, people, names=names).meta.fingerprint != pack.meta.fingerprint


def test_failures_and_provenance_are_kept(tmp_path):
    failure = PackFailure("x.jpg", "a", Failure("no-face", "none"))
    points = np.random.default_rng(1).uniform(0, 4, (2, 5, 2))
    with PackWriter(tmp_path / "p", size=4, detector="d", source="here") as writer:
        writer.add(
            pixels_of(2), ["a", "a"], ["1", "2"], landmarks=points, boxes=np.ones((2, 4)), scores=np.array([0.5, 1])
        )
        writer.fail(failure)
    pack = Pack.open(tmp_path / "p")
    assert pack.failures == (failure,) and pack.meta.failed == 1
    assert (pack.meta.detector, pack.meta.source, pack.meta.landmarks) == ("d", "here", "detected")
    assert np.allclose(pack.landmarks, points) and pack.scores.tolist() == [0.5, 1]


@pytest.mark.parametrize("file", ["pixels.npy", "labels.npy", "boxes.npy", "landmarks.npy", "scores.npy", "digests.npy",
                                  "names.npy", "names.txt", "meta.json", "identities.json"])  # fmt: skip
@pytest.mark.parametrize("harm", ["missing", "cut", "empty", "foreign"])
def test_a_damaged_file_is_refused(pack, file, harm):
    path = pack.path / file
    data = path.read_bytes()
    path.unlink()
    if harm != "missing":
        path.write_bytes({"cut": data[:-1], "empty": b"", "foreign": b"hello, I am something else entirely"}[harm])
    if file == "identities.json" and harm == "cut":
        path.write_bytes(data[:-3])  # only the line end was cut
    if file == "meta.json" and harm == "cut":
        path.write_bytes(data[:-4])
    with pytest.raises(InputError) as caught:
        Pack.open(pack.path)
    assert caught.value.reason == "pack"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [("version", 1, "version 1"), ("schema", "x", "schema"), ("count", 0, "out of range"), ("count", 7, "expected"),
     ("size", 5, "expected"), ("identities", 2, "2"), ("unknown", 1, "unknown"), ("landmarks", "guessed", "landmarks"),
     ("count", "6", "out of range")],
)  # fmt: skip
def test_a_meta_record_that_cannot_be_is_refused(pack, field, value, words):
    record = json.loads((pack.path / "meta.json").read_text())
    (pack.path / "meta.json").write_text(json.dumps({**record, field: value}))
    with pytest.raises(InputError, match=words):
        Pack.open(pack.path)


def test_labels_out_of_range_and_pickled_arrays_are_refused(pack):
    np.save(pack.path / "labels.npy", np.array([0, 1, 2, 3, 0, 1]))
    with pytest.raises(InputError, match="labels reach"):
        Pack.open(pack.path)
    np.save(pack.path / "labels.npy", np.array([print] * 6, object))
    with pytest.raises(InputError, match=r"labels\.npy"):
        Pack.open(pack.path)


def test_identities_are_texts_and_each_stands_once(pack):
    for bad in ([1, 2, 3], ["a", "b", "b"], {"a": 1}, ["a", "b", None], [["a"], "b", "c"]):
        (pack.path / "identities.json").write_text(json.dumps(bad))
        with pytest.raises(InputError):
            Pack.open(pack.path)


def test_other_folders_are_no_packs(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match="not a sound pack"):
            Pack.open(path)


def test_nothing_is_left_of_a_writer_that_failed(tmp_path):
    def failing():
        with PackWriter(tmp_path / "p", size=4) as writer:
            writer.add(pixels_of(1), ["a"], ["n"])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    with pytest.raises(UsageError, match="at least one"), PackWriter(tmp_path / "p", size=4):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_writer_refuses_what_does_not_fit(tmp_path, pack):
    with pytest.raises(UsageError, match="exists"):
        PackWriter(pack.path, size=4)
    with pytest.raises(UsageError, match="no folder"):
        PackWriter(tmp_path / "a" / "b", size=4)
    with pytest.raises(UsageError, match="side"):
        PackWriter(tmp_path / "q", size=0)
    with PackWriter(tmp_path / "q", size=4) as writer:
        for bad in (pixels_of(1, 5), pixels_of(2), pixels_of(1).astype(np.float32)):
            with pytest.raises(UsageError):
                writer.add(bad, ["a"], ["n"])
        with pytest.raises(UsageError, match="finite"):
            writer.add(pixels_of(1), ["a"], ["n"], landmarks=np.full((1, 5, 2), np.nan))
        writer.add(pixels_of(1), ["a"], ["n"])
        with pytest.raises(UsageError, match="column"):
            writer.add(pixels_of(1), ["a"], ["n"], boxes=np.zeros(4))
    assert len(Pack.open(tmp_path / "q")) == 1


def test_a_full_disk_is_a_clear_error_and_leaves_nothing(tmp_path):
    """A limit on the size of files stands in for the end of the disk; the system answers alike."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(UsageError, match="cannot be written"):
            Pack.write(tmp_path / "p", pixels_of(4, 112), ["a"] * 4)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_packs_travel_between_processes_and_threads(pack):
    again = pickle.loads(pickle.dumps(pack))
    assert np.array_equal(again.pixels, pack.pixels)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda row: (pack.pixels[row % 6].sum(), pack.names[row % 6]), range(200)))
    assert found == [(pixels_of(6)[row % 6].sum(), f"n{row % 6}") for row in range(200)]


def test_texts_of_all_kinds_come_back(tmp_path):
    texts = ["", "a\nb", "日本", "", "\udcff.jpg", "x" * 1000]
    TextColumn.write(tmp_path, "names", texts)
    column = TextColumn.open(tmp_path, "names")
    assert list(column) == texts
    with pytest.raises(IndexError):
        column[6]


def test_the_template_keeps_its_place_in_the_picture_at_any_size():
    at_one, at_two = arcface_at(112).array(), arcface_at(224).array()
    assert np.allclose((at_one + 0.5) / 112, (at_two + 0.5) / 224)
    assert arcface_at(112).name == "arcface-112"
