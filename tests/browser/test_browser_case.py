"""The case report in a real browser: on screen, on a telephone, in the dark and on paper."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import threading

import numpy as np
import pytest
from PIL import Image

from cases import a_case, a_side, an_explanation
from visavis.report import write_case

pytestmark = pytest.mark.browser

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]
LONG = "a_name_without_any_blank_" * 12 + ".jpg"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    left, right = a_side((LONG, "a2.jpg")), a_side(("b.jpg",), seed=1, unfit=(("the face is blurred",),))
    case = a_case(0.4001, left=left, right=right, second=0.7, unfit=["b.jpg: the face is blurred"], warnings=(LONG,))
    return write_case(tmp_path_factory.mktemp("case") / "why.html", case, an_explanation(0.4001))


def _chromium(tmp_path, *arguments):
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("Chromium is not installed")
    command = [browser, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def _shot(tmp_path, page, width, *more):
    shot = tmp_path / "shot.png"
    _chromium(tmp_path, *more, f"--window-size={width},3000", f"--screenshot={shot}", page.as_uri())
    return np.asarray(Image.open(shot).convert("RGB")).astype(int)


def test_the_page_holds_the_answer_and_needs_nothing_else(page, tmp_path):
    dom = _chromium(tmp_path, "--dump-dom", page.as_uri()).stdout
    assert "Inconclusive" in dom and "What this report does not prove" in dom and "children under 13" in dom
    assert "<script" not in dom and not re.search(r"https?:", dom)


@pytest.mark.parametrize("guarded", [True, False])
def test_even_a_smuggled_address_is_not_fetched(page, tmp_path, guarded):
    """The page forbids all fetching; the same page without that rule shows that the test would see it."""
    calls = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        done = threading.Event()

        def listen():
            while not done.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                calls.append(connection.recv(200))
                connection.close()

        thread = threading.Thread(target=listen)
        thread.start()
        image = f'<img src="http://127.0.0.1:{server.getsockname()[1]}/smuggled" alt="">'
        text = page.read_text(encoding="utf-8").replace("</main>", f"{image}</main>")
        copy = tmp_path / "copy.html"
        copy.write_text(text if guarded else text.replace("Content-Security-Policy", "X-None"), encoding="utf-8")
        _chromium(tmp_path, "--dump-dom", copy.as_uri())
        done.set()
        thread.join()
    assert bool([call for call in calls if b"smuggled" in call]) is not guarded


@pytest.mark.parametrize("width", [400, 800, 1200])
def test_the_page_is_not_wider_than_the_window(page, tmp_path, width):
    """Asked in a frame of that width, as Chromium's own window is never narrower than 500."""
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<iframe id="f" src="{page.as_uri()}" style="width:{width}px;height:900px;border:0"></iframe><p id="out"></p>'
        "<script>f.onload = () => { const d = f.contentDocument.documentElement;"
        "out.textContent = `inside=${d.scrollWidth} window=${d.clientWidth}`; }</script>",
        encoding="utf-8",
    )
    dom = _chromium(tmp_path, "--allow-file-access-from-files", "--dump-dom", frame.as_uri()).stdout
    inside, window = map(int, re.search(r"inside=(\d+) window=(\d+)", dom).groups())
    assert window == width and inside <= width


def test_light_and_dark_are_both_drawn_and_readable(page, tmp_path):
    light = _shot(tmp_path, page, 1000)
    dark = _shot(tmp_path, page, 1000, "--blink-settings=preferredColorScheme=0")
    assert light[0, -1].min() > 240 and dark[0, -1].max() < 60
    for pixels in (light, dark):
        # Text stands out of its ground: the strongest contrast to the ground is found in many rows.
        far = np.abs(pixels - pixels[0, -1]).sum(axis=2).max(axis=1)
        assert (far > 400).mean() > 0.3


def test_on_paper_it_is_a_few_pages_of_a4_in_light(page, tmp_path):
    paper = tmp_path / "why.pdf"
    _chromium(tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={paper}", page.as_uri())
    data = paper.read_bytes()
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", data)
    assert 3 <= len(boxes) <= 9
    for across, down in boxes:
        assert abs(float(across) - 595) < 2 and abs(float(down) - 842) < 2
