"""Downloads from a real server on this machine: whole, resumed, damaged, refused; the hub without its package."""

import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from visavis.cards import HubFile, InputContract, LocalFile, UrlFile, WeightCard
from visavis.errors import DependencyError, ModelError
from visavis.runtime import download
from visavis.runtime.cache import sha256
from visavis.runtime.weights import find_weights, read_weights

pytestmark = pytest.mark.services

DATA = np.random.default_rng(0).bytes(300_000)
DIGEST = sha256(DATA)


class _Server(ThreadingHTTPServer):
    """Serves one file; counts what it is asked for."""

    daemon_threads = True
    data, ranges, cut = DATA, True, None

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked = []

    def url(self, path="/models/net.onnx"):
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        data, start = self.server.data, 0
        if not self.path.startswith("/models/"):
            self.send_error(404)
            return
        if wanted and self.server.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if start >= len(data):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self.wfile.write(data[start : self.server.cut])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = _Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("VISAVIS_MODELS", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VISAVIS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "downloads"


def _part(folder, data):
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{DIGEST[:16]}-net.onnx.part"
    part.write_bytes(data)
    return part


def test_a_file_is_downloaded_once(server, folder):
    path = download.fetch_url(UrlFile(server.url()), sha256=DIGEST)
    assert path.parent == folder and path.read_bytes() == DATA
    assert download.fetch_url(UrlFile(server.url()), sha256=DIGEST) == path
    assert server.asked == [("/models/net.onnx", None)]
    assert not list(folder.glob("*.part"))


@pytest.mark.parametrize("chunk", [1000, 1 << 20])
def test_an_earlier_try_is_gone_on_with(server, folder, monkeypatch, chunk):
    monkeypatch.setattr(download, "_CHUNK", chunk)
    _part(folder, DATA[:123_456])
    assert download.fetch_url(UrlFile(server.url()), sha256=DIGEST).read_bytes() == DATA
    assert server.asked == [("/models/net.onnx", "bytes=123456-")]


def test_a_part_that_is_complete_needs_no_more_bytes(server, folder):
    _part(folder, DATA)
    assert download.fetch_url(UrlFile(server.url()), sha256=DIGEST).read_bytes() == DATA
    assert server.asked == [("/models/net.onnx", f"bytes={len(DATA)}-")]


def test_a_server_without_ranges_sends_all_of_it_again(server, folder):
    server.ranges = False
    _part(folder, DATA[:1000])
    assert download.fetch_url(UrlFile(server.url()), sha256=DIGEST).read_bytes() == DATA


def test_a_connection_that_breaks_off_is_gone_on_with(server, folder):
    server.cut = 200_000
    with pytest.raises(ModelError):
        download.fetch_url(UrlFile(server.url()), sha256=DIGEST)
    assert [part.stat().st_size for part in folder.glob("*.part")] == [200_000]
    server.cut = None
    assert download.fetch_url(UrlFile(server.url()), sha256=DIGEST).read_bytes() == DATA
    assert server.asked[-1] == ("/models/net.onnx", "bytes=200000-")


def test_other_bytes_are_removed_and_not_loaded(server, folder):
    server.data = b"other" * 1000
    with pytest.raises(ModelError, match="removed") as caught:
        download.fetch_url(UrlFile(server.url()), sha256=DIGEST)
    assert caught.value.reason == "model.damaged" and sha256(server.data) in str(caught.value)
    assert not [path for path in folder.iterdir() if path.suffix != ".lock"]


def test_a_damaged_part_does_not_block_the_next_try(server, folder):
    _part(folder, b"x" * 1000)
    with pytest.raises(ModelError, match="removed"):
        download.fetch_url(UrlFile(server.url()), sha256=DIGEST)
    assert download.fetch_url(UrlFile(server.url()), sha256=DIGEST).read_bytes() == DATA


def test_a_damaged_file_in_the_folder_is_had_again(server, folder):
    path = download.fetch_url(UrlFile(server.url()), sha256=DIGEST)
    path.write_bytes(DATA[:-1])
    assert download.fetch_url(UrlFile(server.url()), sha256=DIGEST).read_bytes() == DATA


def test_a_query_is_no_part_of_the_file_name(server):
    path = download.fetch_url(UrlFile(server.url("/models/net.onnx?download=true")), sha256=DIGEST)
    assert path.name == f"{DIGEST[:16]}-net.onnx"
    assert server.asked == [("/models/net.onnx?download=true", None)]


def test_eight_threads_download_it_once(server):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(download.fetch_url(UrlFile(server.url()), sha256=DIGEST)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1 and len(found) == 8 and len(server.asked) == 1


def test_a_refusal_says_what_to_do(server):
    with pytest.raises(ModelError, match=r"404.*VISAVIS_MODELS"):
        download.fetch_url(UrlFile(server.url("/absent.onnx")), sha256=DIGEST)


def test_a_server_that_is_not_there_says_what_to_do(server):
    url = server.url()
    server.shutdown()
    server.server_close()
    with pytest.raises(ModelError, match=r"cannot be reached.*refused.*VISAVIS_MODELS"):
        download.fetch_url(UrlFile(url), sha256=DIGEST)


@pytest.mark.parametrize(
    "url",
    [
        "http://host.invalid/net.onnx",
        "http://localhost.host.invalid/net.onnx",
        "http://127.0.0.1.host.invalid/net.onnx",
        "http://127.0.0.1@host.invalid/net.onnx",
        "ftp://127.0.0.1/net.onnx",
        "file:///etc/hostname",
        "net.onnx",
    ],
)
def test_only_https_goes_to_another_machine(url, folder):
    with pytest.raises(ModelError, match="https only") as caught:
        download.fetch_url(UrlFile(url), sha256=DIGEST)
    assert caught.value.reason == "model.refused" and not folder.exists()


def _card(*sources):
    return WeightCard("embedder/t", "embedder", "m:a", sources, DIGEST, "MIT", InputContract("rgb"), dimension=1)


def test_the_weights_of_a_card_are_downloaded_and_checked(server):
    card = _card(UrlFile(server.url()))
    with pytest.raises(ModelError, match="allow the download"):
        find_weights(card, download=False)
    assert server.asked == []
    assert read_weights(card) == (DATA, card)


def test_a_source_that_cannot_be_reached_is_followed_by_the_next(server, tmp_path):
    (tmp_path / "net.onnx").write_bytes(DATA)
    there = UrlFile(server.url("/absent.onnx"))
    assert read_weights(_card(there, UrlFile(server.url())))[0] == DATA
    assert read_weights(_card(there, LocalFile(str(tmp_path / "net.onnx"))))[0] == DATA


def test_the_hub_without_its_package_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "huggingface_hub"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DependencyError, match=r"pip install 'visavis\[hub\]'") as caught:
        read_weights(_card(HubFile("owner/name", "net.onnx")))
    assert "huggingface_hub" in str(caught.value) and caught.value.exit_code == 4


@pytest.fixture
def hub():
    return pytest.importorskip("huggingface_hub")


@pytest.mark.parametrize(("data", "word"), [(DATA, ""), (b"other", "is not loaded")])
def test_a_file_of_the_hub_is_checked(hub, monkeypatch, tmp_path, data, word):
    file = tmp_path / "net.onnx"
    file.write_bytes(data)
    asked = []

    def had(repo, path, *, revision):
        asked.append((repo, path, revision))
        return str(file)

    monkeypatch.setattr(hub, "hf_hub_download", had)
    source = HubFile("owner/name", "deep/net.onnx", "v1")
    if word:
        with pytest.raises(ModelError, match=word):
            download.fetch_hub(source, sha256=DIGEST)
    else:
        assert download.fetch_hub(source, sha256=DIGEST) == Path(file)
    assert asked == [("owner/name", "deep/net.onnx", "v1")]


def test_a_hub_that_cannot_be_reached_says_what_to_do(hub, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="VISAVIS_MODELS"):
        download.fetch_hub(HubFile("owner-that-is-nobody/name", "net.onnx"), sha256=DIGEST)
