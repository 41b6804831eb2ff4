"""A made-up stand-in for the ORL pictures."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image


def tar_of_people(path: Path, people: int = 8, pictures: int = 3, *, seed: int = 0) -> Path:
    """An archive like ORL's: a noisy picture of a pattern of each person."""
    rng = np.random.default_rng(seed)
    with tarfile.open(path, "w") as archive:
        for person in range(people):
            pattern = rng.uniform(0, 255, (7, 6))
            for number in range(pictures):
                noisy = np.clip(np.kron(pattern, np.ones((16, 16))) + rng.normal(0, 20, (112, 96)), 0, 255)
                stream = io.BytesIO()
                Image.fromarray(noisy.astype(np.uint8)).save(stream, "PNG")
                member = tarfile.TarInfo(f"faces/p{person:02}/{number:02}.png")
                member.size = stream.tell()
                stream.seek(0)
                archive.addfile(member, stream)
    return path
