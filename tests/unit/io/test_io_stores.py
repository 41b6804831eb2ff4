import io
import os
import pickle
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from malformed import encoded, portrait
from visavis.errors import UnreadableError
from visavis.io import FolderStore, Limits, TarIndex, TarStore, expand, open_store, read, read_batch

RNG = np.random.default_rng(5)
NAMES = [f"lfw/{person}/{person}_{n:04d}.jpg" for person in ("A", "B") for n in range(1, 6)]
CONTENT = {name: RNG.bytes(int(RNG.integers(1, 3000))) for name in NAMES}
PACKED = {
    "plain": ("w", ".tar"),
    "gzip": ("w:gz", ".tar.gz"),
    "xz": ("w:xz", ".tar.xz"),
    "bzip2": ("w:bz2", ".tar.bz2"),
}


def tar_of(path: Path, members: dict[str, bytes], mode: str = "w", **options: object) -> Path:
    with tarfile.open(path, mode, **options) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def reason_of(call, *arguments) -> str:
    with pytest.raises(UnreadableError) as caught:
        call(*arguments)
    assert "\n" not in caught.value.message
    return caught.value.reason


@pytest.fixture(params=list(PACKED))
def archive(request, tmp_path) -> Path:
    mode, suffix = PACKED[request.param]
    return tar_of(tmp_path / f"faces{suffix}", CONTENT, mode)


def test_the_index_finds_what_tarfile_extracts(archive):
    store = TarStore(archive)
    assert store.names() == sorted(NAMES)
    with tarfile.open(archive) as other:
        for name in reversed(NAMES):
            expected = other.extractfile(name).read()
            assert store.read_bytes(name) == store.get(name).read_bytes() == expected == CONTENT[name]


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_and_foreign_names_of_every_dialect(tmp_path, format):
    names = ["short.jpg", "d" * 90 + "/" + "n" * 90 + ".jpg", "./dotted.jpg", "Zoë/Ærø.jpg"]
    if format != tarfile.USTAR_FORMAT:
        names.append("x/" * 120 + "m" * 180 + ".jpg")
    path = tar_of(tmp_path / "a.tar", {name: name.encode() for name in names}, format=format)
    index = TarIndex(path)
    assert [member.name for member in index.members] == [name.removeprefix("./") for name in names]
    assert all(index.read_member(index.find(name)) == name.encode() for name in names)


def test_names_with_and_without_the_top_folder(tmp_path):
    (tmp_path / "b").mkdir()
    with_top = TarStore(tar_of(tmp_path / "lfw.tar", CONTENT))
    bare = TarStore(
        tar_of(
            tmp_path / "b" / "lfw.tar",
            {name.removeprefix("lfw/"): data for name, data in CONTENT.items()},
        )
    )
    for store in (with_top, bare):
        for name in ("lfw/A/A_0001.jpg", "A/A_0001.jpg", "./A/A_0001.jpg"):
            assert name in store
            assert store.read_bytes(name) == CONTENT["lfw/A/A_0001.jpg"]
        assert "A_0001.jpg" not in with_top
        assert 5 not in store
        assert reason_of(store.get, "lfw/A/A_0009.jpg") == "unreadable.missing"


def test_ambiguous_names_are_refused(tmp_path):
    store = TarStore(tar_of(tmp_path / "a.tar", {"x/a.jpg": b"1", "y/a.jpg": b"2"}))
    assert reason_of(store.get, "a.jpg") == "unreadable.ambiguous"
    assert "a.jpg" not in store
    assert store.read_bytes("y/a.jpg") == b"2"
    with tarfile.open(tmp_path / "twice.tar", "w") as archive:
        for data in (b"1", b"2"):
            info = tarfile.TarInfo("a.jpg")
            info.size = 1
            archive.addfile(info, io.BytesIO(data))
    assert reason_of(TarStore(tmp_path / "twice.tar").get, "a.jpg") == "unreadable.ambiguous"


def test_eight_threads_read_what_one_reads(archive):
    store = TarStore(archive)
    wrong: list[str] = []

    def work(seed: int) -> None:
        for name in np.random.default_rng(seed).permutation(NAMES * 10):
            if store.read_bytes(str(name)) != CONTENT[str(name)]:
                wrong.append(str(name))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_sources_and_stores_survive_pickling(archive):
    store = pickle.loads(pickle.dumps(TarStore(archive)))
    source = pickle.loads(pickle.dumps(store.get(NAMES[3])))
    assert source.read_bytes() == CONTENT[NAMES[3]]


def hostile(path: Path) -> Path:
    with tarfile.open(path, "w") as archive:
        for name in ("/etc/absolute.jpg", "../climbs.jpg", "a/../../climbs.jpg", "good.jpg", "a\\..\\win.jpg"):
            info = tarfile.TarInfo(name)
            data = encoded("JPEG", portrait(20, 20))
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, kind in {
            "symlink.jpg": tarfile.SYMTYPE,
            "hardlink.jpg": tarfile.LNKTYPE,
            "device.jpg": tarfile.CHRTYPE,
            "block.jpg": tarfile.BLKTYPE,
            "fifo.jpg": tarfile.FIFOTYPE,
        }.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    return path


def test_hostile_members_are_failed_rows_and_nothing_is_written(tmp_path):
    path = hostile(tmp_path / "hostile.tar")
    sources = expand(path)
    pictures = read_batch(sources)
    reasons = dict(zip([source.name.split("::")[1] for source in sources], pictures.status.reasons, strict=True))
    assert reasons == {
        "/etc/absolute.jpg": "unreadable.unsafe-name",
        "../climbs.jpg": "unreadable.unsafe-name",
        "a/../../climbs.jpg": "unreadable.unsafe-name",
        "a\\..\\win.jpg": "unreadable.unsafe-name",
        "good.jpg": "",
        "symlink.jpg": "unreadable.not-a-file",
        "hardlink.jpg": "unreadable.not-a-file",
        "device.jpg": "unreadable.not-a-file",
        "block.jpg": "unreadable.not-a-file",
        "fifo.jpg": "unreadable.not-a-file",
    }
    assert TarStore(path).names() == ["good.jpg"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["hostile.tar"]


def test_damaged_archives(tmp_path):
    whole = tar_of(tmp_path / "a.tar", CONTENT).read_bytes()

    def written(data: bytes) -> Path:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.tar"
        path.write_bytes(data)
        return path

    cut = TarStore(written(whole[: 512 + 100]))
    assert reason_of(cut.read_bytes, NAMES[0]) == "unreadable.truncated"
    assert reason_of(TarStore, written(whole[:300])) == "unreadable.truncated"
    assert reason_of(TarStore, written(b"not a tar" * 100)) == "unreadable.not-an-image"
    assert reason_of(TarStore, written(b"")) == "unreadable.not-an-image"
    second = 512 + -(-len(CONTENT[NAMES[0]]) // 512) * 512
    assert reason_of(TarStore, written(whole[:second] + b"x" * 512 + whole[second + 512 :])) == "unreadable.corrupt"
    packed = tar_of(tmp_path / "p.tar.gz", CONTENT, "w:gz").read_bytes()
    assert reason_of(TarStore, written(packed[: len(packed) // 2])) in ("unreadable.truncated", "unreadable.corrupt")
    assert reason_of(TarStore, tmp_path / "none.tar") == "unreadable.missing"


def test_a_compression_bomb_is_refused(tmp_path):
    import gzip

    info = tarfile.TarInfo("a.jpg")
    info.size = 1 << 37
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20)))
    assert reason_of(TarStore, path) == "unreadable.too-large"


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=6), st.integers(1, 4000))
def test_damaged_headers_are_refused_or_read(tmp_path, changes, length):
    data = bytearray(tar_of(tmp_path / "seed.tar", {"n" * 150 + ".jpg": b"1" * 700, "b.jpg": b"2"}).read_bytes())
    for place, value in changes:
        data[place] = value
    (tmp_path / "damaged.tar").write_bytes(data[:length])
    try:
        store = TarStore(tmp_path / "damaged.tar")
        for name in store.names():
            store.read_bytes(name)
    except UnreadableError as error:
        assert error.reason.startswith("unreadable.")  # noqa: PT017 - reading may also succeed


def test_the_byte_limit_holds_inside_archives(archive):
    assert reason_of(TarStore(archive).read_bytes, NAMES[0], Limits(max_bytes=1)) == "unreadable.too-large"


@pytest.fixture
def folder(tmp_path) -> Path:
    root = tmp_path / "lfw"
    for name, data in CONTENT.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (root / "notes.txt").write_text("no picture")
    (root / "._A.jpg").write_bytes(b"finder")
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    return root


def test_a_folder_answers_like_an_archive(folder, tmp_path):
    store = open_store(folder)
    assert isinstance(store, FolderStore)
    assert store.names() == sorted(name.removeprefix("lfw/") for name in NAMES)
    assert [f"lfw/{name}" for name in store.names()] == open_store(tar_of(tmp_path / "x.tar", CONTENT)).names()
    for name in ("lfw/A/A_0001.jpg", "A/A_0001.jpg", "./A/A_0001.jpg"):
        assert name in store
        assert store.read_bytes(name) == CONTENT["lfw/A/A_0001.jpg"]
    assert reason_of(store.get, "A/none.jpg") == "unreadable.missing"
    assert reason_of(open_store, tmp_path / "none") == "unreadable.missing"


@pytest.mark.parametrize(
    "name", ["../secret.jpg", "lfw/../../secret.jpg", "/etc/passwd", "A/../../secret.jpg", "a\0b", ""]
)
def test_a_folder_cannot_be_left(folder, name):
    store = FolderStore(folder)
    assert name not in store
    assert reason_of(store.read_bytes, name) == "unreadable.unsafe-name"


def test_expand_lists_every_kind_of_input(folder, tmp_path):
    tar = tar_of(tmp_path / "faces.tar", CONTENT | {"readme.txt": b"x"})
    everything = [str(tmp_path / name) for name in sorted(NAMES)]
    assert [source.name for source in expand(folder)] == everything
    assert [source.name for source in expand([str(folder / "A")])] == everything[:5]
    assert [source.name for source in expand(f"{folder}/*/*_0002.jpg")] == [everything[1], everything[6]]
    assert [source.name for source in expand(f"{folder}/**/*.jpg")] == everything
    assert [source.name for source in expand(tar)] == [f"{tar}::{name}" for name in NAMES]
    assert [source.read_bytes() for source in expand(f"{tar}::A/A_0003.jpg")] == [CONTENT["lfw/A/A_0003.jpg"]]
    assert len(expand([folder, tar, folder / "A" / "A_0001.jpg"])) == 21
    assert reason_of(expand(folder, recursive=False)[0].read_bytes) == "unreadable.missing"


def test_an_input_that_leads_nowhere_is_one_failed_row(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    inputs = [tmp_path / "none.jpg", tmp_path / "empty", f"{tmp_path}/*.nothing", f"{tmp_path}/none.tar::a.jpg", "a\0b"]
    (tmp_path / "bad.tar").write_bytes(b"nothing")
    pictures = read_batch(expand([*inputs, tmp_path / "bad.tar"]))
    assert pictures.status.reasons == (*("unreadable.missing",) * 5, "unreadable.truncated")


def test_linked_folders_are_not_entered(folder):
    (folder / "loop").symlink_to(folder)
    assert len(expand(folder)) == len(NAMES)


def test_a_member_can_be_read_by_its_path(tmp_path):
    tar = tar_of(tmp_path / "faces.tar", {"top/a.png": encoded("PNG")})
    assert read(f"{tar}::a.png").size == portrait().size
    assert reason_of(read, f"{tar}::b.png") == "unreadable.missing"


def test_a_hidden_or_special_file_in_a_folder(folder):
    os.mkfifo(folder / "pipe.jpg")
    reasons = read_batch(expand(folder)).status.reasons
    assert reasons.count("unreadable.not-a-file") == 1
