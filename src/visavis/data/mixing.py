"""Mixed crops: what a teacher can be asked about when there are few pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.data.augmentation.flip import flip
from visavis.data.pack import Pack
from visavis.data.pack_writer import PackWriter
from visavis.data.packing import check_room
from visavis.data.philox import generator
from visavis.errors import UsageError
from visavis.io.files import is_folder

_PURPOSE = 11
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Mixing:
    """How two crops become one, and what else happens to it.

    A student that is only shown some thousand faces learns its teacher's answers to these, and little of what lies
    between. Beyer et al. 2022 (Knowledge distillation: a good teacher is patient and consistent) let both see strongly
    mixed pictures, the same ones; their mixture is that of mixup (Zhang et al. 2018). The values here are ours, for
    aligned faces: a mixture of two aligned faces still looks like a face, of somebody else.

    Attributes:
        single: Share of crops of one picture only, which is moved and warped.
        regions: Share of crops in which smooth regions come from either picture; in the others each pixel is the same
            blend of both.
        least: Smallest share of the first picture in a blend; it is drawn evenly up to 1 - ``least``.
        turn: Standard deviation of the turn in radians.
        scale: Standard deviation of the logarithm of the scale.
        shift: Standard deviation of the shift in parts of the side, in x and in y.
        warp: Standard deviation of a smooth displacement of pixels in parts of the side.
    """

    single: float = 0.25
    regions: float = 0.4
    least: float = 0.25
    turn: float = 0.04
    scale: float = 0.03
    shift: float = 0.012
    warp: float = 0.018

    def __post_init__(self) -> None:
        if not (0 <= self.single <= 1 and 0 <= self.regions <= 1 and 0 <= self.least <= 0.5):
            raise UsageError(f"shares lie in [0, 1] and least in [0, 0.5]; got {self}")
        if min(self.turn, self.scale, self.shift, self.warp) < 0:
            raise UsageError(f"standard deviations are 0 or more; got {self}")


def mix(
    first: NDArray[np.uint8], second: NDArray[np.uint8], rng: np.random.Generator, mixing: Mixing | None = None
) -> tuple[NDArray[np.uint8], float]:
    """One crop of two.

    Args:
        first: uint8 RGB ``(S, S, 3)``.
        second: The same shape.
        rng: What everything is drawn from.
        mixing: How.

    Returns:
        uint8 RGB ``(S, S, 3)``, and the share of the first crop in it, 0 to 1.
    """
    how = mixing or Mixing()
    kind, level = rng.random(), float(rng.uniform(how.least, 1 - how.least))
    one, two = (
        flip(crop) if mirrored else crop for crop, mirrored in zip((first, second), rng.random(2) < 0.5, strict=True)
    )
    side = first.shape[0]
    share: float | NDArray[np.float32]
    if kind < how.single:
        mixed, share = one, 1.0
    else:
        regions = rng.random() < how.regions
        share = _regions(side, rng) if regions else level
        weight = share[..., None] if isinstance(share, np.ndarray) else share
        mixed = np.rint(one * weight + two.astype(np.float32) * (1 - weight)).astype(np.uint8)
    return _moved(mixed, rng, how), float(np.mean(share))


def mix_pack(
    pack: Pack,
    path: str | Path,
    *,
    count: int,
    seed: int = 0,
    mixing: Mixing | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Pack:
    """A pack of mixed crops, without labels, for a student to learn its teacher's embeddings of.

    A row's identity is the person of whom most is in it. The pack names everybody of its source, so the people ledger
    knows all whom a student has seen, and a pack with people of a role that may not be trained on is refused as its
    source is. Two pictures of one person may meet. What a row holds depends on the pack, the seed and its number alone.

    Args:
        pack: Crops.
        path: The folder to make.
        count: Number of crops to make.
        seed: Of everything drawn.
        mixing: How crops are mixed.
        progress: Called with the number of crops made and of all.

    Raises:
        UsageError: The folder exists, or there are fewer than two crops or none to make.
        InputError: The disk has no room.
    """
    if count < 1 or len(pack) < 2:
        raise UsageError(f"mixing makes 1 crop or more of 2 or more; got {count} of {len(pack)}")
    target = Path(path)
    if is_folder(target.parent):
        check_room(target, rows=count, size=pack.meta.size)
    about = replace(pack.meta, labelled=False, failed=0)
    with PackWriter(
        target,
        size=pack.meta.size,
        template=pack.meta.template,
        detector=pack.meta.detector,
        source=f"{count} mixed crops of {pack.meta.source}",
        about=about,
        others=pack.identities,
    ) as writer:
        for start in range(0, count, _AT_ONCE):
            rows = range(start, min(start + _AT_ONCE, count))
            made = [_row(pack, generator(seed, _PURPOSE, row), mixing) for row in rows]
            writer.add(
                np.stack([crop for crop, _, _ in made]),
                [pack.identities[int(pack.labels[most])] for _, most, _ in made],
                [name for _, _, name in made],
            )
            if progress is not None:
                progress(rows.stop, count)
    return Pack.open(target)


def _row(pack: Pack, rng: np.random.Generator, mixing: Mixing | None) -> tuple[NDArray[np.uint8], int, str]:
    first, second = (int(row) for row in rng.choice(len(pack), 2, replace=False))
    crop, share = mix(pack.pixels[first], pack.pixels[second], rng, mixing)
    most = first if share >= 0.5 else second
    name = pack.names[first] if share == 1 else f"{share:.2f} {pack.names[first]} + {pack.names[second]}"
    return crop, most, name


def _regions(side: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """A smooth mask in 0..1 with soft edges: normal values on a coarse grid, enlarged, through a steep sigmoid."""
    cells = int(rng.integers(2, 5))
    coarse = rng.standard_normal((cells, cells)).astype(np.float32)
    field = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(1 / (1 + np.exp(-6 * field)), np.float32)


def _moved(crop: NDArray[np.uint8], rng: np.random.Generator, how: Mixing) -> NDArray[np.uint8]:
    """Turned, scaled, shifted and smoothly warped; the border is continued."""
    side = crop.shape[0]
    turn, scale = rng.normal(0, how.turn), np.exp(rng.normal(0, how.scale))
    shift = rng.normal(0, how.shift * side, 2)
    middle = (side - 1) / 2
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) - middle
    cosine, sine = np.cos(turn) / scale, np.sin(turn) / scale
    coarse = rng.normal(0, how.warp * side, (2, 4, 4)).astype(np.float32)
    warp = [cv2.resize(part, (side, side), interpolation=cv2.INTER_CUBIC) for part in coarse]
    from_x = (cosine * x - sine * y + middle + shift[0] + warp[0]).astype(np.float32)
    from_y = (sine * x + cosine * y + middle + shift[1] + warp[1]).astype(np.float32)
    moved = cv2.remap(crop, from_x, from_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)
