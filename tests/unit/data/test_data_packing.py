import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visavis.alignment.five_point import FivePointAligner
from visavis.data import packing
from visavis.data.crop_makers import DetectingMaker, ReadyMaker
from visavis.data.pack import Pack
from visavis.data.pack_columns import PackColumns
from visavis.data.pack_writer import PackWriter
from visavis.data.packing import pack_collection
from visavis.data.pixel_file import PixelFile
from visavis.data.readers.labelled_folder import LabelledFolder
from visavis.data.selection import merged_names, read_without, select
from visavis.errors import InputError, NoFaceError, UsageError
from visavis.geometry import ARCFACE_112, transform_points
from visavis.io import read_batch
from visavis.jobs.threads import ThreadEngine
from visavis.protocols.ledger import Ledger
from visavis.types import Faces, Failure, Status

BLANK = Failure("no-face", "the picture is blank")


class PlantedDetector:
    """A face of the size of the picture, unless the picture is even; tilted by its first pixel."""

    tag = "planted"

    def __init__(self, *, stop_after=None):
        self.seen, self.stop_after = [], stop_after

    def detect(self, pictures, *, which="all"):
        parts = []
        for row, picture in enumerate(pictures.items):
            self.seen.append(pictures.sources[row])
            if self.stop_after is not None and len(self.seen) > self.stop_after:
                raise KeyboardInterrupt
            if picture is None:
                parts.append(Faces.failed(pictures.status.failures[row], picture=row))
            elif np.ptp(picture.pixels) == 0:
                parts.append(Faces.failed(BLANK, picture=row))
            else:
                height, width = picture.pixels.shape[:2]
                tilt = picture.pixels[0, 0, 0] / 255 - 0.5
                points = ARCFACE_112.array() * (width / 112, height / 112) + tilt
                box = np.array([[0, 0, width, height]], np.float32)
                parts.append(Faces(box, np.array([0.9]), points[None], np.array([row]), Status.good(1)))
        return Faces.concat(parts)


def png(seed, side=24):
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels if seed % 7 else np.zeros_like(pixels)).save(stream, "PNG")
    return stream.getvalue()


def archive(path, count=40, people=5, side=24):
    with tarfile.open(path, "w") as tar:
        for row in range(count):
            data = b"broken" if row == 13 else png(row, side)
            info = tarfile.TarInfo(f"top/p{row % people}/{row:04d}.png")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(packing, "CHUNK", 4)
    monkeypatch.setattr(packing, "_JOINED_AT_ONCE", 3)


@pytest.fixture
def source(tmp_path):
    return archive(tmp_path / "faces.tar")


def run(source, out, *, detector=None, workers=2, maker=None, **selection):
    collection = LabelledFolder(source)
    made = maker or DetectingMaker(detector or PlantedDetector(), size=16)
    return pack_collection(collection, select(collection, **selection), out, made, engine=ThreadEngine(workers=workers))


def files(pack):
    return {file.name: file.read_bytes() for file in pack.path.iterdir()}


def test_the_rows_are_those_of_one_picture_at_a_time(source, tmp_path):
    pack = run(source, tmp_path / "p")
    expected, lost = [], []
    detector = PlantedDetector()
    aligner = FivePointAligner(DetectingMaker(detector, size=16)._aligner.template)
    for record in LabelledFolder(source).records():
        pictures = read_batch([record.source])
        faces = detector.detect(pictures)
        crops = aligner.align(pictures, faces)
        if crops.ok[0]:
            points = transform_points(crops.matrices[0], faces.points[0])
            expected.append((record.name, record.identity, crops.pixels[0], points, faces.boxes[0]))
        else:
            lost.append((record.name, record.identity, crops.status.reasons[0]))
    assert len(pack) == len(expected) == 40 - 6 - 1
    for row, (name, identity, pixels, points, box) in enumerate(expected):
        assert (pack.names[row], pack.identities[pack.labels[row]]) == (name, identity)
        assert np.array_equal(pack.pixels[row], pixels) and np.array_equal(pack.boxes[row], box)
        assert np.allclose(pack.landmarks[row], points, atol=1e-4)
    assert [(one.name, one.identity, one.failure.reason) for one in pack.failures] == lost
    assert {reason for _, _, reason in lost} == {"no-face", "unreadable.not-an-image"}
    assert (pack.meta.detector, pack.meta.template, pack.meta.failed) == ("planted", "arcface-16", 7)
    assert not list(tmp_path.glob(".*"))


def test_any_number_of_workers_makes_the_same_pack(source, tmp_path):
    packs = [run(source, tmp_path / str(workers), workers=workers) for workers in (1, 2, 7)]
    assert files(packs[0]) == files(packs[1]) == files(packs[2])


def test_an_interrupted_pack_goes_on_and_ends_the_same(source, tmp_path):
    whole = run(source, tmp_path / "whole")
    for stop_after in (1, 9, 30):
        out = tmp_path / f"after{stop_after}"
        first = PlantedDetector(stop_after=stop_after)
        with pytest.raises(KeyboardInterrupt):
            run(source, out, detector=first, workers=1)
        assert not out.exists()
        second = PlantedDetector()
        assert files(run(source, out, detector=second)) == files(whole)
        assert len(second.seen) == 40 - stop_after // 4 * 4  # only the chunk in hand is done again


@pytest.mark.parametrize("put", [0, 1, 5, 9])
def test_an_interruption_while_crops_are_joined(source, tmp_path, monkeypatch, put):
    whole = run(source, tmp_path / "whole")
    done = []

    def failing(self, row, pixels, original=PixelFile.put):
        if len(done) == put:
            original(self, row, pixels[: len(pixels) // 2])  # half a chunk is written
            raise KeyboardInterrupt
        done.append(row)
        original(self, row, pixels)

    with monkeypatch.context() as patch:
        patch.setattr(PixelFile, "put", failing)
        with pytest.raises(KeyboardInterrupt):
            run(source, tmp_path / "p")
    second = PlantedDetector()
    assert files(run(source, tmp_path / "p", detector=second)) == files(whole) and not second.seen


def test_an_interruption_while_columns_are_written(source, tmp_path, monkeypatch):
    whole = run(source, tmp_path / "whole")

    def failing(self, folder, about, original=PackColumns.save):
        original(self, folder, about)
        (folder / "meta.json").write_text("half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(PackColumns, "save", failing)
        with pytest.raises(KeyboardInterrupt):
            run(source, tmp_path / "p")
    assert files(run(source, tmp_path / "p")) == files(whole)


def test_an_interruption_after_the_pack_appeared(source, tmp_path, monkeypatch):
    """Only the folder of the work is left to remove; starting again does that, and says so of nothing else."""
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        whole = files(run(source, tmp_path / "p"))
    assert (tmp_path / ".p.work").exists()
    detector = PlantedDetector()
    assert files(run(source, tmp_path / "p", detector=detector)) == whole and not detector.seen
    assert not (tmp_path / ".p.work").exists()
    (tmp_path / ".p.work").mkdir()
    with pytest.raises(UsageError, match="exists"):
        run(source, tmp_path / "p")
    assert not (tmp_path / ".p.work").exists()


@pytest.mark.parametrize("gone", ["2.crops", "2.json"])
def test_what_is_gone_is_not_made_up(source, tmp_path, gone):
    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path / "p", detector=PlantedDetector(stop_after=20), workers=1)
    (tmp_path / ".p.work" / gone).unlink()
    with pytest.raises(InputError, match="is gone") as caught:
        run(source, tmp_path / "p")
    assert caught.value.reason == "pack"


def test_other_pictures_or_options_are_refused(source, tmp_path):
    def interrupted(out):
        with pytest.raises(KeyboardInterrupt):
            run(source, out, detector=PlantedDetector(stop_after=9), workers=1)

    interrupted(tmp_path / "p")
    changes = (
        {"without": ["p1/0001.png"]},
        {"maker": DetectingMaker(PlantedDetector(), size=17)},
        {"maker": DetectingMaker(PlantedDetector(), size=16, minimum_size=3)},
        {"maker": ReadyMaker(size=16)},
    )
    for change in changes:
        with pytest.raises(UsageError, match="other inputs or options"):
            run(source, tmp_path / "p", **change)
    archive(source, count=41)
    with pytest.raises(UsageError, match=r"\.p\.work"):
        run(source, tmp_path / "p")


def test_a_source_that_changes_under_way_is_told(source, tmp_path):
    class Touching(PlantedDetector):
        def detect(self, pictures, *, which="all"):
            os.utime(source, ns=(1, 1))
            return super().detect(pictures, which=which)

    with pytest.raises(InputError, match="changed while") as caught:
        run(source, tmp_path / "p", detector=Touching())
    assert caught.value.reason == "pack" and not (tmp_path / "p").exists()


def test_two_at_once_and_what_is_there_are_refused(source, tmp_path):
    def detect(self, pictures, *, which="all", original=PlantedDetector.detect):
        with pytest.raises(InputError, match="another process") as caught:
            run(source, tmp_path / "p")
        assert caught.value.reason == "jobs.locked"
        return original(self, pictures, which=which)

    class Meddling(PlantedDetector):
        pass

    Meddling.detect = detect
    run(source, tmp_path / "p", detector=Meddling(), workers=1)
    with pytest.raises(UsageError, match="exists"):
        run(source, tmp_path / "p")
    with pytest.raises(UsageError, match="no folder"):
        run(source, tmp_path / "nowhere" / "p")


@pytest.mark.parametrize(
    ("name", "words"),
    [(".", "does not name a folder"), ("..", "does not name"), ("/", "does not name"), ("a\0b", "does not name"),
     ("x" * 250, "too long a name"), ("x" * 300, "too long a name"), ("x" * 300 + "/p", "no folder")],
)  # fmt: skip
def test_a_path_that_cannot_be_a_folder_is_refused(source, tmp_path, monkeypatch, name, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=words):
        run(source, name)
    with pytest.raises(UsageError, match=words), PackWriter(name, size=4):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["faces.tar"]


@pytest.mark.parametrize("name", ["a?b", "a%41", "a#b"])
def test_a_pack_may_have_any_name(source, tmp_path, name):
    run(source, tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "faces.tar"])


def test_something_else_in_place_of_the_work_is_told(source, tmp_path):
    (tmp_path / ".p.work").write_text("a file")
    with pytest.raises(UsageError, match=r"\.p\.work cannot be written"):
        run(source, tmp_path / "p")
    (tmp_path / ".q.work" / "lock").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"\.q\.work cannot be written"):
        run(source, tmp_path / "q")


def test_no_face_at_all_is_an_error_and_leaves_nothing(tmp_path):
    folder = tmp_path / "f"
    for row in range(3):
        (folder / "a").mkdir(parents=True, exist_ok=True)
        (folder / "a" / f"{row}.png").write_bytes(png(0))
    with pytest.raises(NoFaceError, match="3 no-face"):
        run(folder, tmp_path / "p")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_chunks_without_any_crop_are_no_hole(tmp_path):
    for row in range(12):
        (tmp_path / "f" / "a").mkdir(parents=True, exist_ok=True)
        (tmp_path / "f" / "a" / f"{row:02d}.png").write_bytes(png(row if 4 <= row < 7 else 0))
    pack = run(tmp_path / "f", tmp_path / "p")
    assert list(pack.names) == ["a/04.png", "a/05.png", "a/06.png"] and pack.meta.failed == 9


def test_one_identity_and_one_picture_are_enough(tmp_path):
    pack = run(archive(tmp_path / "one.tar", count=2, people=1), tmp_path / "p")
    assert len(pack) == 1 and pack.identities == ("p0",)


def test_a_disk_without_room_is_told_before_any_work(source, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 1000))
    detector = PlantedDetector()
    with pytest.raises(InputError, match="1000 bytes free") as caught:
        run(source, tmp_path / "p", detector=detector)
    assert caught.value.reason == "jobs.full" and not detector.seen
    assert [path.name for path in tmp_path.iterdir()] == ["faces.tar"]


def test_ready_crops_are_taken_as_they_are(tmp_path):
    source = archive(tmp_path / "a.tar", side=16)
    with tarfile.open(source, "a") as tar:
        data = png(1, side=17)
        info = tarfile.TarInfo("top/p9/other.png")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    pack = run(source, tmp_path / "p", maker=ReadyMaker(size=16))
    assert [one.failure.reason for one in pack.failures] == ["unreadable.not-an-image", "crop-size"]
    assert len(pack) == 39 and pack.meta.landmarks == "template" and np.isnan(pack.scores).all()
    row = list(pack.names).index("top/p1/0001.png")
    assert np.array_equal(pack.pixels[row], np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8))


def test_people_of_other_roles_are_left_out_and_counted(tmp_path):
    """CelebA by the ledger: numbers that are multiples of four calibrate, those one above develop, the rest train."""
    folder = tmp_path / "celeba_ids"
    numbers = {"train": ["3", "2"], "calibrate": ["4", "8", "12"], "develop": ["1"], "unlisted": ["999999"]}
    book = Ledger.load()
    listed = {role: [p for (s, p), r in book.entries.items() if s == "celeba_ids" and r == role] for role in numbers}
    for role, people in numbers.items():
        for person in listed[role][: len(people)] or people:
            (folder / person).mkdir(parents=True)
            for row in (1, 2):
                (folder / person / f"{row}.png").write_bytes(png(row))
    collection = LabelledFolder(folder)
    chosen = select(collection)
    assert (chosen.set_name, chosen.roles) == ("celeba_ids", {"train": 2, "unlisted": 1})
    assert chosen.left_out == {"calibrate": 3, "develop": 1} and len(chosen.rows) == 6
    assert select(collection, role="calibrate").roles == {"calibrate": 3, "unlisted": 1}
    everybody = select(collection, role="any")
    assert everybody.roles == {"calibrate": 3, "develop": 1, "train": 2, "unlisted": 1} and not everybody.left_out
    person = chosen.people[0]
    fewer = select(collection, without=[f"celeba_ids/{person}/1.png"])
    assert len(fewer.rows) == 5 and fewer.without == 1
    with pytest.raises(UsageError, match="a role is"):
        select(collection, role="training")
    with pytest.raises(UsageError, match="sets"):
        select(collection, set_name="nothing")
    with pytest.raises(InputError, match="not in the collection"):
        select(collection, without=["nobody.png"])
    with pytest.raises(InputError, match="no picture of a person of role"):
        select(collection, role="test", without=[f"999999/{row}.png" for row in (1, 2)])


def test_lists_of_what_to_leave_out(tmp_path):
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text("file,suspect\na,1\nb,0\nc,true\n", encoding="utf-8")
    two.write_text("path\nb\na\n", encoding="utf-8")
    assert merged_names([f"{one}:suspect"]) == ["a", "c"]
    assert merged_names([str(one), str(two)]) == ["a", "b", "c"]
    for bad in (f"{one}:nothing", str(tmp_path / "none.csv")):
        with pytest.raises(InputError):
            merged_names([bad])


def test_a_list_that_is_no_table_has_one_name_a_line(tmp_path):
    plain, odd = tmp_path / "plain.txt", tmp_path / "odd:name"
    plain.write_bytes(b"\xef\xbb\xbfb/1, 2.png\r\n\r\n  a/1.png \n")
    odd.write_text("c\n")
    assert read_without(str(plain)) == ["b/1, 2.png", "a/1.png"]
    assert read_without(str(odd)) == ["c"]
    labels = tmp_path / "labels.txt"
    labels.write_text("file,suspect\na,1\nb,0\n")
    assert read_without(f"{labels}:suspect") == ["a"]


@pytest.mark.parametrize("data", [b"path\n\xff.png\n", b'path\n"' + b"x" * 200_000 + b'"\n', b""])
@pytest.mark.parametrize("name", ["list.csv", "list.txt"])
def test_a_list_that_cannot_be_read_is_an_error_of_the_list(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    if name == "list.txt" and data.isascii() and data:
        assert len(read_without(str(path))) == 2
        return
    with pytest.raises(InputError, match="list") as caught:
        read_without(str(path))
    assert caught.value.reason == "collection"


def test_a_renamed_folder_hides_nobody(tmp_path):
    """Four people of LFW with the role test, in a folder that says nothing of LFW."""
    listed = [person for (name, person), role in Ledger.load().entries.items() if (name, role) == ("lfw", "test")][:4]
    for person in [*listed, "Somebody_Else"]:
        (tmp_path / "people" / person).mkdir(parents=True)
        (tmp_path / "people" / person / "1.png").write_bytes(png(1, side=16))
    folder = tmp_path / "people"
    pack = run(folder, tmp_path / "p", maker=ReadyMaker(size=16))
    assert pack.identities == ("Somebody_Else",)
    assert (pack.meta.set_name, pack.meta.set_by, dict(pack.meta.left_out)) == ("lfw", "people", {"test": 4})
    shutil.rmtree(folder / "Somebody_Else")
    with pytest.raises(InputError, match=r"4 test.*--set none"):
        run(folder, tmp_path / "q", maker=ReadyMaker(size=16))
    free = run(folder, tmp_path / "r", maker=ReadyMaker(size=16), set_name="none")
    assert (free.meta.set_name, free.meta.set_by, dict(free.meta.roles)) == (None, "given", {"unlisted": 4})
    with pytest.raises(UsageError, match="give --set lfw"):
        run(folder, tmp_path / "s", maker=ReadyMaker(size=16), set_name="orl")


def test_the_command_interrupted_killed_and_started_again(tmp_path):
    """Ten chunks of pictures that are slow to decode; ended by Ctrl-C after two and by a kill after two more."""
    count, side = 640, 160
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    with tarfile.open(tmp_path / "f.tar", "w") as tar:
        for row in range(count):
            info = tarfile.TarInfo(f"p{row % 9}/{row:04d}.png")
            info.size = stream.tell()
            tar.addfile(info, io.BytesIO(stream.getvalue()))
    command = str(Path(sys.executable).with_name("visavis"))
    words = [command, "pack", "f.tar", "--aligned", "--size", str(side), "--out", "p", "--workers"]
    for how, chunk in ((signal.SIGINT, 1), (signal.SIGKILL, 4)):
        begun = subprocess.Popen([*words, "1"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        end = time.monotonic() + 60
        while not (tmp_path / ".p.work" / f"{chunk}.crops").exists() and time.monotonic() < end:
            time.sleep(0.002)
        begun.send_signal(how)
        told = begun.communicate()[1].decode()
        assert begun.returncode == (130 if how == signal.SIGINT else -9), told
        assert not (tmp_path / "p").exists()
        assert chunk < len(list((tmp_path / ".p.work").glob("*.crops"))) < 10
    subprocess.run([*words, "3"], cwd=tmp_path, check=True, capture_output=True)
    pack = Pack.open(tmp_path / "p")
    assert len(pack) == count and len(set(pack.names)) == count
    assert all(np.array_equal(pack.pixels[row], pixels) for row in range(0, count, 37))
