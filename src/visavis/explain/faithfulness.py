"""Deletion and insertion: does the similarity follow the pixels that a map calls important?

The pixels of a face are ordered by their map, those that spoke most for a match first. Deletion removes the first
share of them and watches the similarity with the whole other face; a faithful map makes it fall early: low area
under the curve. Insertion begins with everything removed and puts the first share back; a faithful map makes the
similarity come back early: high area. Petsiuk et al. 2018, section 4.1.

The maps are signed, so both are claims about every pair, mated or not: what spoke for a match raises the similarity
when it is seen, what spoke against lowers it. Putting the first share back is the same as removing the last share,
so with one removal the insertion curve is the deletion curve of the opposite order, and tests what spoke against:
for a pair of strangers a faithful map must keep the similarity up when what spoke against goes first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.explain.probe import Hiding, Probed, probe
from visavis.types import Crops
from visavis.types.protocols import Embedder

SHARES = (0.08, 0.2, 0.4, 0.65, 0.9)
"""Shares of the pixels that are removed, beside nothing and everything."""
_BLUR = 10.0
_GRAIN = 2.0
_SOFT = 1.0

Remover = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def blurred(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A crop without its detail: Gaussian of 10 pixels at 112; colours and shading stay."""
    sigma = _BLUR * pixels.shape[0] / 112
    return np.asarray(cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), sigma, borderType=cv2.BORDER_REFLECT))


def noisy(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grain of the mean and variance of each colour of a crop, correlated over 2 pixels; equal for equal crops."""
    rng = np.random.default_rng(int(pixels.sum(dtype=np.int64)))
    grain = cv2.GaussianBlur(rng.standard_normal(pixels.shape).astype(np.float32), (0, 0), _GRAIN)
    grain = (grain - grain.mean(axis=(0, 1))) / np.maximum(grain.std(axis=(0, 1)), 1e-6)
    values = pixels.reshape(-1, pixels.shape[-1]).astype(np.float64)
    return np.asarray(np.clip(values.mean(axis=0) + values.std(axis=0) * grain, 0, 255), np.float32)


REMOVALS: dict[str, Remover] = {"blur": blurred, "noise": noisy}
"""Name -> what is put where pixels are removed. Explainers fill with flat colours: no removal is an explainer's own."""


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Areas under the curves of one pair of maps; each in units of similarity.

    Attributes:
        deletion: Removing from one face, the mean of both; low is faithful.
        insertion: Putting back into one face, the mean of both; high is faithful.
        deletion_both: Removing from both faces at once.
        insertion_both: Putting back into both at once.
        passes: Crops that went through the network.
    """

    deletion: float
    insertion: float
    deletion_both: float
    insertion_both: float
    passes: int


def ordered_masks(
    values: NDArray[np.floating], shares: Sequence[float] = SHARES, *, last_first: bool = False
) -> NDArray[np.float32]:
    """Masks that hide growing shares of the pixels, those of the highest values first.

    Args:
        values: ``(H, W)``. Equal values are ordered by the smooth random field of seed 0.
        shares: Each in 0..1.
        last_first: Hide the lowest values first.

    Returns:
        float32 ``(len(shares), H, W)``, edges softened by a Gaussian of 1 pixel.
    """
    array = np.asarray(values, np.float64)
    ties = _field(array.shape, np.random.default_rng(0)).ravel()
    order = np.lexsort((ties, array.ravel() if last_first else -array.ravel()))
    rank = np.empty(array.size, np.intp)
    rank[order] = np.arange(array.size)
    masks = [(rank < round(share * array.size)).astype(np.float32).reshape(array.shape) for share in shares]
    return np.array([cv2.GaussianBlur(mask, (0, 0), _SOFT) for mask in masks], np.float32)


def random_map(values: NDArray[np.floating], *, rng: np.random.Generator) -> NDArray[np.float32]:
    """A random map as smooth as another: its amplitudes in frequency, with the phases of noise.

    Args:
        values: ``(H, W)``.
        rng: Source of randomness.

    Returns:
        float32 ``(H, W)`` with the same mean, variance and autocorrelation on the torus.
    """
    array = np.asarray(values, np.float64)
    noise = np.fft.rfft2(rng.standard_normal(array.shape))
    phases = noise / np.maximum(np.abs(noise), 1e-12)
    phases[0, 0] = 1.0
    spectrum = np.fft.rfft2(array)
    amplitude = np.abs(spectrum)
    amplitude[0, 0] = spectrum[0, 0].real
    return np.fft.irfft2(amplitude * phases, s=array.shape).astype(np.float32)


def faithfulness(
    embedder: Embedder,
    left: Crops,
    right: Crops,
    maps: Sequence[tuple[NDArray[np.floating], NDArray[np.floating]]],
    *,
    removal: str = "blur",
    shares: Sequence[float] = SHARES,
) -> list[Faithfulness]:
    """Deletion and insertion of a pair of maps for each pair of crops.

    Args:
        embedder: What was explained.
        left: The first crop of each pair.
        right: The second.
        maps: For each pair the maps over both, ``(H, W)`` each; positive spoke for a match.
        removal: ``blur`` or ``noise``: what is put where pixels are removed.
        shares: The shares that are removed, rising, without 0 and 1.

    Raises:
        UsageError: Unknown removal, shares that do not rise within 0..1, or maps that are not of the crops.
    """
    if removal not in REMOVALS:
        raise UsageError(f"removal is one of {', '.join(REMOVALS)}; got {removal!r}")
    steps = np.array([0.0, *shares, 1.0])
    if not shares or (np.diff(steps) <= 0).any():
        raise UsageError(f"shares rise strictly between 0 and 1; got {tuple(shares)}")
    if len(maps) != len(left) or any(one.shape != left.pixels.shape[1:3] for pair in maps for one in pair):
        raise UsageError(f"one pair of maps of {left.pixels.shape[1:3]} a pair of crops; got {len(maps)} pairs of maps")
    remove = REMOVALS[removal]
    hidings = [
        [_hiding(pair[side], crops.pixels[row], remove, shares) for row, pair in enumerate(maps)]
        for side, crops in enumerate((left, right))
    ]
    return [_areas(pair, steps) for pair in probe(embedder, left, right, *hidings)]


def _hiding(
    values: NDArray[np.floating], pixels: NDArray[np.uint8], remove: Remover, shares: Sequence[float]
) -> Hiding:
    """Growing shares in both orders, and then everything."""
    everything = np.ones((1, *values.shape), np.float32)
    masks = [ordered_masks(values, shares), ordered_masks(values, shares, last_first=True), everything]
    joined = np.concatenate(masks)
    return Hiding(joined, [remove(pixels)] * len(joined))


def _areas(pair: Probed, steps: NDArray[np.float64]) -> Faithfulness:
    middle = len(steps) - 2
    areas = []
    for curve in (pair.left_only, pair.right_only, pair.both):
        first, last = curve[:middle], curve[middle:-1]
        deletion = np.array([pair.similarity, *first, curve[-1]])
        opposite = np.array([pair.similarity, *last, curve[-1]])
        areas.append((_area(deletion, steps), _area(opposite, steps)))
    (a, b), (c, d), (e, f) = areas
    return Faithfulness((a + c) / 2, (b + d) / 2, e, f, pair.passes)


def _area(curve: NDArray[np.float64], steps: NDArray[np.float64]) -> float:
    """By the trapezium rule."""
    return float(((curve[1:] + curve[:-1]) / 2 * np.diff(steps)).sum())


def _field(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(rng.standard_normal(shape), (0, 0), 3.0))
