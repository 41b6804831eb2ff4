"""What a figure was measured on."""

import os
import platform
from pathlib import Path

import pytest

from visavis.runtime.machine import machine


def test_the_machine_is_named():
    found = machine()
    assert list(found) == ["processor", "cores", "system"] and found["system"] == platform.platform()
    assert 1 <= found["cores"] <= (os.cpu_count() or 1) and found["processor"]


def test_the_processor_is_what_linux_says():
    info = Path("/proc/cpuinfo")
    if not info.is_file() or "model name" not in info.read_text():
        pytest.skip("no model name in /proc/cpuinfo")
    assert f": {machine()['processor']}" in info.read_text()
