"""The report card in a real browser: it draws itself without a script, an address or an error."""

import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from visavis.protocols.pairs import PairList
from visavis.protocols.report.card import write_report
from visavis.protocols.result import verification_result

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


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    rng = np.random.default_rng(0)
    person = np.arange(400) % 80
    same = rng.random(400) < 0.5
    other = np.where(same, person, (person + 1) % 80)
    pairs = PairList(
        tuple(f"{p}/a{row}.jpg" for row, p in enumerate(person)),
        tuple(f"{p}/b{row}.jpg" for row, p in enumerate(other)),
        same,
        person // 8,
        tuple(map(str, person)),
        tuple(map(str, other)),
    )
    result = verification_result(
        rng.normal(np.where(same, 0.6, 0.1), 0.15),
        pairs,
        shipped=(0.36, "fmr=1e-3 on nobody"),
        images=800,
        failed_images={},
        seconds=1.0,
        roles={"unlisted": 80},
        ledger_sha256="0" * 64,
        notes=(),
        model="embedder/none",
        space="none",
        made_by={"engine": "none"},
        resamples=50,
    )
    return write_report(tmp_path_factory.mktemp("report") / "card.html", result.to_dict())


def _chromium(tmp_path, *arguments):
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("Chromium is not installed")
    command = [browser, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@pytest.mark.parametrize("width", [1100, 420])
def test_the_page_is_drawn_and_not_wider_than_the_window(page, tmp_path, width):
    shot = tmp_path / "card.png"
    _chromium(tmp_path, f"--window-size={width},2600", f"--screenshot={shot}", page.as_uri())
    pixels = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    assert (pixels.std(axis=(1, 2)) > 5).mean() > 0.3
    vermilion = (np.abs(pixels - [0xD5, 0x5E, 0x00]).sum(axis=2) < 60).sum()
    assert vermilion > 50


def test_the_document_holds_three_plots_and_needs_nothing_else(page, tmp_path):
    dom = _chromium(tmp_path, "--dump-dom", page.as_uri()).stdout
    assert dom.count("<svg") == 3
    assert "<script" not in dom and "http:" not in dom and "https:" not in dom
