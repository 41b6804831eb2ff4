"""Clips of moving stills: what is where in each frame is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
WALL = (120, 140, 90)


def write_clip(
    path: Path,
    frames: Sequence[Pixels],
    *,
    rate: int = 10,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times: Sequence[float] | None = None,
    turned: tuple[int, bool, bool] | None = None,
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Encode frames; ``times`` in seconds make the rate variable, ``turned`` is (degrees, hflip, vflip)."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels
        if turned is not None:
            stream.set_display_rotation(*turned)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if times is not None:
            stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for number, one in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(one), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[number] * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@dataclass(frozen=True)
class Still:
    """A picture on its way.

    Attributes:
        pixels: The picture.
        place: Its upper left corner at a second; None while it is away.
        change: What becomes of it at a second, for example blur.
    """

    pixels: Pixels
    place: Callable[[float], tuple[float, float] | None]
    change: Callable[[Pixels, float], Pixels] = lambda pixels, second: pixels


def scene(stills: Sequence[Still], second: float, *, size: tuple[int, int] = (640, 360)) -> Pixels:
    """One frame; later stills lie over earlier ones."""
    page = np.full((size[1], size[0], 3), WALL, np.uint8)
    for still in stills:
        where = still.place(second)
        if where is None:
            continue
        pixels = still.change(still.pixels, second)
        x, y = (round(value) for value in where)
        left, top = max(0, x), max(0, y)
        right, bottom = min(size[0], x + pixels.shape[1]), min(size[1], y + pixels.shape[0])
        if left < right and top < bottom:
            page[top:bottom, left:right] = pixels[top - y : bottom - y, left - x : right - x]
    return page


def portrait(path: Path, box: tuple[int, int, int, int], side: int) -> Pixels:
    """A part of a picture, scaled to a width."""
    with Image.open(path) as opened:
        part = opened.convert("RGB").crop(box)
    height = round(side * (box[3] - box[1]) / (box[2] - box[0]))
    return np.asarray(part.resize((side, height), Image.Resampling.LANCZOS))


def crossing(one: Path, two: Path, *, rate: int, seconds: float = 3.0) -> list[Pixels]:
    """The astronaut walks to the right, behind the officer, who walks to the left: 160 pixels a second each."""
    stills = [
        Still(portrait(one, (100, 0, 340, 260), 240), lambda second: (-60 + 160 * second, 40)),
        Still(portrait(two, (60, 40, 460, 440), 240), lambda second: (440 - 160 * second, 70)),
    ]
    return [scene(stills, number / rate) for number in range(round(seconds * rate))]
