"""Masks, probes, occlusion, random masks and regions against closed forms and slow references."""

import numpy as np
import pytest

import two_patches
from two_patches import AGAINST, FOR, TwoPatches, cosine, crop, crops, effects
from visavis.errors import ModelError, SpaceError, UsageError
from visavis.explain.default import default_explainer
from visavis.explain.face_parts import PARTS, part_masks
from visavis.explain.fills import FILLS, covered, filler
from visavis.explain.masks import grid_masks, random_masks
from visavis.explain.occlusion import OcclusionExplainer
from visavis.explain.probe import Hiding, probe
from visavis.explain.random_masks import RandomMaskExplainer
from visavis.explain.regions import RegionExplainer
from visavis.geometry import TEMPLATES
from visavis.types import Crops

LEFT, RIGHT = (100.5, 60.5), (100.5, -60.5)
"""Embeddings of the pair."""


def patch_mask(at):
    mask = np.zeros((112, 112), np.float32)
    mask[at] = 1
    return mask


@pytest.mark.parametrize(("size", "most"), [(28, 16), (28, 99), (20, 36), (112, 1), (50, 9)])
def test_squares_cover_every_pixel_within_the_number_allowed(size, most):
    masks = grid_masks((112, 112), size=size, most=most)
    assert len(masks) <= most and masks.min() >= 0 and masks.max() <= 1.0001
    assert masks.sum(axis=0).min() > 0.4


@pytest.mark.parametrize(("size", "most", "word"), [(28, 15, "budget"), (0, 10, "size"), (113, 10, "size")])
def test_squares_that_do_not_fit_are_refused(size, most, word):
    with pytest.raises(UsageError, match=word):
        grid_masks((112, 112), size=size, most=most)


@pytest.mark.parametrize("hidden", [0.2, 0.5])
def test_random_masks_hide_the_asked_share_everywhere(hidden):
    masks = random_masks((60, 80), count=4000, cells=5, hidden=hidden, rng=np.random.default_rng(0))
    assert masks.shape == (4000, 60, 80) and masks.min() >= 0 and masks.max() <= 1
    assert np.abs(masks.mean(axis=0) - hidden).max() < 0.04


@pytest.mark.parametrize("wrong", [{"count": 0}, {"cells": 0}, {"hidden": 0.0}, {"hidden": 1.0}])
def test_random_masks_of_no_meaning_are_refused(wrong):
    with pytest.raises(UsageError, match="at least 1"):
        random_masks((112, 112), **{"count": 4, "cells": 4, "hidden": 0.5, "rng": np.random.default_rng(0), **wrong})


def test_covering_mixes_and_rounds():
    pixels = np.full((2, 2, 3), 100, np.uint8)
    mask = np.array([[0, 1], [0.5, 0.25]], np.float32)
    assert covered(pixels, mask, np.full((2, 2, 3), 201.0))[..., 0].tolist() == [[100, 201], [150, 125]]
    assert FILLS["grey"](pixels).max() == 127.5 and (FILLS["mean"](pixels) == 100).all()
    with pytest.raises(UsageError, match="grey, mean"):
        filler("pink")


def test_a_probe_gives_the_similarities_of_changed_crops():
    left, right = two_patches.pair()
    masks = np.array([patch_mask(FOR), patch_mask(AGAINST)])
    grey = FILLS["grey"](left.pixels[0])
    (found,) = probe(TwoPatches(), left, right, [Hiding(masks, [grey] * 2)], [None])
    # Middle grey is rounded to 128, half a step from zero.
    assert np.allclose(found.similarity - found.left_only, effects(LEFT, RIGHT), atol=0.01)
    assert found.passes == 4 and len(found.right_only) == 0


def test_a_crop_without_anything_left_counts_as_zero_and_a_whole_one_is_refused():
    blank = crops(np.full((112, 112, 3), 127, np.uint8))

    class Strict(TwoPatches):
        """Blank below 128."""

        def embed(self, crops):
            lifted = np.where(crops.pixels == 127, 127.5, crops.pixels).astype(np.float64)
            raw = np.stack([lifted[:, *at].mean(axis=(1, 2, 3)) - 127.5 for at in (FOR, AGAINST)], axis=1)
            good = super().embed(crops)
            failed = (raw == 0).all(axis=1)
            vectors = np.where(failed[:, None], np.nan, good.vectors)
            status = type(good.status)(tuple(two_patches.Failure("embedding", "blank") if f else None for f in failed))
            return type(good)(vectors, good.norms, status, good.quality, good.space, good.made_by)

    left, right = two_patches.pair()
    everything = Hiding(np.ones((1, 112, 112), np.float32), [np.full((112, 112, 3), 127.0)])
    (found,) = probe(Strict(), left, right, [everything], [None])
    assert found.left_only.tolist() == [0.0]
    with pytest.raises(ModelError, match="no finite embedding"):
        probe(Strict(), blank, right, [None], [None])


def test_crops_of_two_detectors_or_templates_are_no_pair():
    left, right = two_patches.pair()
    other = Crops(right.pixels, right.matrices, right.template, right.status, "another")
    with pytest.raises(SpaceError, match="two detectors"):
        OcclusionExplainer(TwoPatches()).explain(left, other)
    with pytest.raises(UsageError, match="one template"):
        OcclusionExplainer(TwoPatches()).explain(left, crops(right.pixels[0], template="dlib-150"))


def test_occlusion_is_the_mean_effect_of_the_squares_over_a_pixel():
    """Square after square and pixel after pixel, in plain numpy."""
    left, right = two_patches.pair()
    (found,) = OcclusionExplainer(TwoPatches(), size=28, fill="grey", budget=2 + 2 * 25).explain(left, right)
    masks = grid_masks((112, 112), size=28, most=25)
    pixels = left.pixels[0].astype(np.float64)
    losses = []
    for mask in masks:
        hidden = np.round(pixels * (1 - mask[..., None]) + 127.5 * mask[..., None])
        seen = [hidden[at].mean() - 127.5 for at in (FOR, AGAINST)]
        losses.append(cosine(LEFT, RIGHT) - cosine(seen, RIGHT))
    for y, x in ((63, 56), (90, 56), (5, 5), (40, 70)):
        weights = masks[:, y, x].astype(np.float64)
        assert found.left[y, x] == pytest.approx((weights * losses).sum() / weights.sum(), abs=2e-3)
    assert max(losses) > 0.5 and min(losses) < -0.2


def test_hiding_in_one_face_leaves_the_other_map_empty_and_in_both_makes_them_equal():
    left, right = two_patches.pair()
    maps = {hide: OcclusionExplainer(TwoPatches(), hide=hide).explain(left, right)[0] for hide in ("left", "right")}
    assert not maps["left"].right.any() and not maps["right"].left.any()
    assert maps["left"].left[FOR].mean() > 0 and maps["right"].right[FOR].mean() > 0
    (both,) = OcclusionExplainer(TwoPatches(), hide="both").explain(left, right)
    assert np.array_equal(both.left, both.right)
    with pytest.raises(UsageError, match="hide is one of"):
        OcclusionExplainer(TwoPatches(), hide="neither")


def test_random_masks_find_a_linear_answer():
    """Where the similarity is linear in the pixels, the map's sum over a part is what hiding the part costs."""

    class Half:
        """Cosine of 0.5 less the brightness of the first patch, roughly linear there."""

        def embed(self, crops):
            value = crops.pixels[:, *FOR].mean(axis=(1, 2, 3)) / 255 * 0.2
            angle = np.where(crops.pixels[:, 0, 0, 0] == 1, 0.0, np.pi / 3 - value)
            raw = np.stack([np.cos(angle), np.sin(angle)], axis=1)
            made = TwoPatches().embed(crops)
            return type(made)(raw, made.norms, made.status, made.quality, made.space, made.made_by)

    marked = crop(250, 250, 1)
    marked[0, 0] = 1
    explainer = RandomMaskExplainer(Half(), fill="grey", budget=1600, ridge=0.01)
    (found,) = explainer.explain(crops(marked), crops(crop(250, 250, 2)))
    hidden = np.cos(np.pi / 3 - 128 / 255 * 0.2)
    whole = np.cos(np.pi / 3 - 250 / 255 * 0.2)
    around = (slice(46, 80), slice(39, 73))
    assert found.right[around].sum() == pytest.approx(whole - hidden, rel=0.15)


@pytest.mark.parametrize("wrong", [{"versus": "all"}, {"ridge": 0.0}, {"fill": "pink"}])
def test_random_masks_refuse_what_they_do_not_know(wrong):
    with pytest.raises(UsageError):
        RandomMaskExplainer(TwoPatches(), **wrong)


def test_masked_faces_may_be_compared_with_masked_ones():
    left, right = two_patches.pair()
    (found,) = RandomMaskExplainer(TwoPatches(), versus="hidden").explain(left, right)
    assert found.left[FOR].mean() > 0 > found.left[AGAINST].mean() and found.passes == 200


@pytest.mark.parametrize("template", list(TEMPLATES))
def test_parts_lie_where_the_points_of_the_template_are(template):
    masks, points = part_masks(template), np.rint(TEMPLATES[template].array()).astype(int)
    owner = ["eyes", "eyes", "nose", "mouth", "mouth"]
    for name, (x, y) in zip(owner, points, strict=True):
        assert masks[name][y, x] > 0.3, name
    total = np.sum(list(masks.values()), axis=0)
    assert total.max() < 1.6 and list(masks) == list(PARTS)


def test_the_effect_of_a_part_is_what_hiding_it_costs():
    left, right = two_patches.pair()
    (found,) = RegionExplainer(TwoPatches(), budget=16, threshold=0.4).explain(left, right)
    by_name = {effect.name: effect for effect in found.regions}
    # The nose holds the first patch and the mouth most of the second; hidden, they have the mean colour.
    fill, whole = left.pixels.mean() - 127.5, cosine(LEFT, RIGHT)
    assert by_name["nose"].left == pytest.approx(whole - cosine([fill, LEFT[1]], RIGHT), abs=0.06)
    assert by_name["mouth"].left == pytest.approx(whole - cosine([LEFT[0], fill], RIGHT), abs=0.1)
    for name in set(PARTS) - {"nose", "mouth"}:
        assert abs(by_name[name].left) < 0.03
    density = part_masks("arcface-112")["nose"]
    assert found.left[density > 0.99].mean() == pytest.approx(by_name["nose"].left / density.sum(), rel=0.05)


def test_the_default_says_it_in_words():
    left, right = two_patches.pair()
    (found,) = default_explainer(TwoPatches(), threshold=0.4).explain(left, right)
    assert found.sentence.startswith("The similarity of 0.468 is at or above the threshold of 0.400.")
    assert "What spoke for a match: hiding the nose" in found.sentence
    assert "What spoke against it: hiding the mouth" in found.sentence
    assert found.sentence.endswith("With the nose hidden it is below the threshold.")


def test_crops_of_an_unknown_template_get_maps_but_no_parts():
    left, right = (crops(side.pixels[0], template="ours-112") for side in two_patches.pair())
    (found,) = default_explainer(TwoPatches()).explain(left, right)
    assert found.regions == () and found.sentence == "" and found.left[FOR].mean() > 0
    with pytest.raises(UsageError, match="arcface-112"):
        RegionExplainer(TwoPatches()).explain(left, right)
