"""Deletion, insertion and their rivals: orders, areas, smoothness, and a known best map."""

import numpy as np
import pytest

import two_patches
from two_patches import AGAINST, FOR, TwoPatches, cosine
from visavis.errors import UsageError
from visavis.explain.faithfulness import REMOVALS, faithfulness, ordered_masks, random_map
from visavis.explain.fills import FILLS


def known_map():
    values = np.zeros((112, 112), np.float32)
    values[FOR], values[AGAINST] = 1, -1
    return values


@pytest.mark.parametrize("last_first", [False, True])
def test_masks_hide_growing_shares_of_the_pixels_in_order(last_first):
    values = np.random.default_rng(0).normal(size=(40, 50))
    shares = (0.1, 0.5, 0.9)
    masks = ordered_masks(values, shares, last_first=last_first)
    assert np.allclose(masks.mean(axis=(1, 2)), shares, atol=0.01)
    for mask, share in zip(masks, shares, strict=True):
        bound = np.quantile(values, share if last_first else 1 - share)
        first = values < bound if last_first else values > bound
        assert mask[first].mean() > mask[~first].mean()


def test_equal_values_are_ordered_all_the_same():
    one = ordered_masks(np.zeros((30, 30)), (0.5,))
    assert np.array_equal(one, ordered_masks(np.zeros((30, 30)), (0.5,))) and one.mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("shape", [(112, 112), (40, 51)])
def test_a_random_map_has_the_spectrum_of_the_map_and_another_order(shape):
    rng = np.random.default_rng(0)
    values = np.cumsum(np.cumsum(rng.normal(size=shape), axis=0), axis=1)
    made = random_map(values, rng=rng).astype(np.float64)
    assert made.mean() == pytest.approx(values.mean(), rel=1e-3, abs=1e-6)
    assert np.allclose(
        np.abs(np.fft.fft2(made)), np.abs(np.fft.fft2(values)), rtol=1e-2, atol=1e-3 * np.abs(values).max()
    )
    assert not np.array_equal(made, random_map(values, rng=rng))


@pytest.mark.parametrize("name", sorted(REMOVALS))
def test_a_removal_keeps_the_colours_differs_from_every_fill_and_is_repeatable(name):
    pixels = two_patches.crop(228, 188, 1)
    made = REMOVALS[name](pixels)
    assert made.shape == pixels.shape and made.min() >= 0 and made.max() <= 255
    assert np.array_equal(made, REMOVALS[name](pixels))
    assert np.abs(made.mean(axis=(0, 1)) - pixels.mean(axis=(0, 1))).max() < 4
    assert made.std() > 2 and all(np.abs(made - fill(pixels)).max() > 5 for fill in FILLS.values())


@pytest.mark.parametrize("removal", sorted(REMOVALS))
def test_the_map_that_is_right_beats_random_maps_and_its_own_opposite(removal):
    left, right = two_patches.pair()
    rng = np.random.default_rng(0)
    known = known_map()
    (best,) = faithfulness(TwoPatches(), left, right, [(known, known)], removal=removal)
    (worst,) = faithfulness(TwoPatches(), left, right, [(-known, -known)], removal=removal)
    assert best.deletion == pytest.approx(worst.insertion, abs=1e-6)
    assert best.insertion == pytest.approx(worst.deletion, abs=1e-6)
    assert best.deletion < best.insertion
    for _ in range(5):
        rivals = [(random_map(known, rng=rng), random_map(known, rng=rng))]
        (rival,) = faithfulness(TwoPatches(), left, right, rivals, removal=removal)
        assert best.deletion < rival.deletion and best.insertion > rival.insertion


def test_the_area_is_that_under_the_curve_of_similarities():
    """One share, in plain numpy: trapezia through nothing, the rows above 77 and everything removed."""
    left, right = two_patches.pair()
    part = np.zeros((112, 112), np.float32)
    part[:77] = 1
    share = 77 / 112
    (found,) = faithfulness(TwoPatches(), left, right, [(part, 1 - part)], shares=(share,))

    def similarity(side, other, gone):
        pixels = np.where(gone[..., None], REMOVALS["blur"](side.pixels[0]), side.pixels[0])
        seen = [np.round(pixels[at]).mean() - 127.5 for at in (FOR, AGAINST)]
        whole = [other.pixels[0][at].mean() - 127.5 for at in (FOR, AGAINST)]
        return cosine(seen, whole)

    def area(side, other, gone):
        ends = [similarity(side, other, part > 1), similarity(side, other, part > -1)]
        middle = similarity(side, other, gone)
        return share * (ends[0] + middle) / 2 + (1 - share) * (middle + ends[1]) / 2

    rank = np.arange(112)[:, None].repeat(112, axis=1)
    first = area(left, right, part == 1)
    # The second map is the opposite: its first 77 rows' worth of pixels are the 35 rows below and some more above.
    masks = ordered_masks(1 - part, (share,))[0] > 0.5
    assert masks[77:].all() and not rank[masks].min() > 77
    second = area(right, left, masks)
    assert found.deletion == pytest.approx((first + second) / 2, abs=0.02)
    assert found.passes == 2 + 2 * 3


@pytest.mark.parametrize(
    ("options", "word"), [({"removal": "grey"}, "removal"), ({"shares": (0.5, 0.2)}, "rise"), ({"shares": ()}, "rise")]
)
def test_what_cannot_be_measured_is_refused(options, word):
    with pytest.raises(UsageError, match=word):
        faithfulness(TwoPatches(), *two_patches.pair(), [(known_map(), known_map())], **options)


def test_maps_of_another_shape_are_refused():
    with pytest.raises(UsageError, match="pair of maps"):
        faithfulness(TwoPatches(), *two_patches.pair(), [(known_map()[:50], known_map())])
