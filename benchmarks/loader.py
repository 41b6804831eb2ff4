"""Crops a second: `PackLoader` against a torch `DataLoader` that decodes the same crops from JPEG with Pillow.

Both sides get the same cores, as many workers as cores, the same batch, and in the compared row the same transforms
(flip at 0.5, a kept window at 0.2). Rounds are interleaved; medians, and the spread of the rounds, are told. The exit
code is 1 where the ratio is below 3, or one core gives fewer than 40,000 raw or 4,000 fully augmented crops a second.

Run: python benchmarks/loader.py [--pack DIR] [--cores 1] [--rounds 7] [--write]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import PIL
import torch
from PIL import Image, ImageOps
from stamp import stamp
from torch.utils.data import DataLoader, Dataset

from visavis.data.augmentation.augmentation import Augmentation
from visavis.data.augmentation.keep_window import keep_window
from visavis.data.loader import PackLoader
from visavis.data.pack import Pack

ROOT = Path(__file__).parents[1]
QUALITY = 95
WARM, SECONDS = 4, 1.5
FLOORS = {"raw": 40_000.0, "full": 4_000.0}
RATIO = 3.0
SAME = Augmentation(crop=0.2, occlusion=0, colour=0, blur=0, low_resolution=0, jpeg=0)


class JpegCrops(Dataset):
    """The crops of a pack as JPEG bytes in memory, decoded with Pillow, flipped and windowed."""

    def __init__(self, pack: Pack) -> None:
        self.encoded = [encode(crop) for crop in pack.pixels]
        self.labels = pack.labels.tolist()

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        image = Image.open(io.BytesIO(self.encoded[row])).convert("RGB")
        if np.random.random() < 0.5:  # noqa: NPY002 - as users write it
            image = ImageOps.mirror(image)
        crop = np.array(image)
        if np.random.random() < 0.2:  # noqa: NPY002
            crop = keep_window(crop, np.random.default_rng())
        return torch.from_numpy(crop).permute(2, 0, 1), self.labels[row]


def encode(crop: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(crop).save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()


def made_up(folder: Path, *, count: int = 4096) -> Pack:
    """Crops with the smoothness of faces, for those who have no pack."""
    rng = np.random.default_rng(0)
    crops = np.empty((count, 112, 112, 3), np.uint8)
    for row in range(count):
        noise = cv2.GaussianBlur(rng.integers(0, 256, (112, 112, 3), dtype=np.uint8), (0, 0), 3)
        crops[row] = cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX)
    return Pack.write(folder / "made-up", crops, [str(row // 20) for row in range(count)])


def rate(make: Callable[[], Iterator], size: Callable[[object], int]) -> float:
    """Crops a second of a fresh stream, after some batches."""
    stream = make()
    for _ in range(WARM):
        next(stream)
    crops, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        crops += size(next(stream))
    seconds = time.perf_counter() - start
    del stream
    return crops / seconds


def endless(loader: DataLoader) -> Iterator:
    while True:
        yield from loader


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true", help="write docs/results/loader.json and its page")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-arguments.cores :])
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        pack = Pack.open(arguments.pack) if arguments.pack else made_up(Path(folder))
        record = measure(pack, cores=arguments.cores, batch=arguments.batch, rounds=arguments.rounds)
    record |= {
        "pack": arguments.pack.name if arguments.pack else "made up",
        **stamp(),
        "load": round(load, 1),
    }
    for name, row in record["crops_per_second"].items():
        print(f"{name:28} {row['median']:>10,.0f} crops/s   ({row['low']:,.0f} .. {row['high']:,.0f})")
    print(f"ratio, same transforms: {record['ratio']:.1f} (wanted: {RATIO})")
    if arguments.write:
        (ROOT / "docs/results/loader.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        (ROOT / "docs/results/loader.md").write_text(page(record), encoding="utf-8")
    return 0 if record["passed"] else 1


def page(record: dict) -> str:
    lines = [
        "# Loading crops",
        "",
        f"Made by `benchmarks/loader.py` on {record['date']}, commit `{record['commit']}`: {record['cores']} core(s) "
        f"of {record['machine']}, load before it {record['load']}, {record['workers']} worker(s) a side, batches "
        f"of {record['batch']}, {record['crops']:,} crops of 112 pixels ({record['pack']}). Medians of "
        f"{record['rounds']} interleaved rounds, lowest and highest round ([record](loader.json)).",
        "",
        "| what | crops a second |",
        "|---|---|",
    ]
    for name, row in record["crops_per_second"].items():
        lines.append(f"| {name} | {row['median']:,.0f} ({row['low']:,.0f} .. {row['high']:,.0f}) |")
    lines += [
        "",
        f"With the same transforms a pack gives {record['ratio']:.1f} times the crops of a torch `DataLoader` that "
        f"decodes them from JPEG (quality {QUALITY}) with Pillow. *raw*: no transform. *full*: all transforms at the "
        "defaults of `Augmentation`. The pack lies in the system's file cache.",
    ]
    return "\n".join(lines) + "\n"


def machine() -> str:
    """The processor by name where Linux tells it."""
    told = Path("/proc/cpuinfo")
    names = [line for line in told.read_text().splitlines() if line.startswith("model name")] if told.exists() else []
    return names[0].partition(":")[2].strip() if names else platform.machine()


def measure(pack: Pack, *, cores: int, batch: int, rounds: int) -> dict:
    def ours(augmentation: Augmentation | None) -> Callable[[], Iterator]:
        loader = PackLoader(pack, batch=batch, seed=0, augmentation=augmentation, workers=cores)
        return partial(loader.stream, 0)

    peer = DataLoader(JpegCrops(pack), batch_size=batch, shuffle=True, num_workers=cores, drop_last=True)
    sides = {
        "raw": (ours(None), len),
        "flip and window": (ours(SAME), len),
        "full": (ours(Augmentation()), len),
        "DataLoader, flip and window": (partial(endless, peer), lambda one: len(one[0])),
    }
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, (make, size) in sides.items():
            rates[name].append(rate(make, size))
    table = {
        name: {"median": statistics.median(values), "low": min(values), "high": max(values)}
        for name, values in rates.items()
    }
    ratio = table["flip and window"]["median"] / table["DataLoader, flip and window"]["median"]
    floors = {name: table[name]["median"] / cores >= floor for name, floor in FLOORS.items()}
    return {
        "cores": cores,
        "workers": cores,
        "batch": batch,
        "rounds": rounds,
        "crops": len(pack),
        "crops_per_second": table,
        "ratio": ratio,
        "passed": ratio >= RATIO and all(floors.values()),
        "machine": machine(),
        "versions": {
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            "torch": torch.__version__,
            "pillow": PIL.__version__,
        },
    }


if __name__ == "__main__":
    raise SystemExit(main())
