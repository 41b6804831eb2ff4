"""Fixtures that several suites share."""

from __future__ import annotations

import os
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """Hear Ctrl-C, and let started commands hear it, also where a shell began the run in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _carried(package: str, path: str) -> Path:
    spec = find_spec(package)
    places = list(spec.submodule_search_locations or []) if spec else []
    if not places:
        pytest.skip(f"{package} is not installed")
    return Path(places[0]) / path


@pytest.fixture(scope="session")
def astronaut() -> Path:
    """A portrait (public domain) that arrives with scikit-image."""
    return _carried("skimage", "data/astronaut.png")


@pytest.fixture(scope="session")
def officer() -> Path:
    """A portrait of somebody else (public domain) that arrives with Matplotlib."""
    return _carried("matplotlib", "mpl-data/sample_data/grace_hopper.jpg")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The shared face data; tests that use it are marked ``data``."""
    folder = Path(os.environ.get("VISAVIS_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not (folder / "lfw" / "lfw.tar").is_file():
        pytest.skip(f"no shared face data at {folder}; set VISAVIS_DATA")
    return folder
