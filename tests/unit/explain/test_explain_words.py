"""The sentence says what was measured; the overlay shows it."""

import numpy as np
import pytest

from visavis.errors import UsageError
from visavis.explain.overlay import AGAINST, FOR, map_scale, overlay
from visavis.explain.sentence import named, sentence
from visavis.explain.sheet import explanation_sheet
from visavis.types import Explanation, RegionEffect

NOSE = RegionEffect("nose", 0.30, 0.20, 0.05, 0.03)
EYES = RegionEffect("eyes", 0.10, 0.08, -0.02, 0.01)
JAW = RegionEffect("jaw", -0.06, -0.04, -0.10, 0.01)


@pytest.mark.parametrize(
    ("effect", "sign"),
    [
        (NOSE, 1),
        (JAW, -1),
        (RegionEffect("small", 0.015, 0.015, 0.5, 0.0), 0),
        (RegionEffect("noisy", 0.10, 0.10, 0.1, 0.06), 0),
        (RegionEffect("torn", 0.30, -0.05, 0.1, 0.0), 0),
        (RegionEffect("only both", 0.0, 0.0, -0.5, 0.0), 0),
        (RegionEffect("least", 0.02, 0.02, 0.0, 0.01), 1),
    ],
)
def test_a_part_is_named_when_both_faces_agree_and_the_effect_exceeds_its_noise(effect, sign):
    assert named(effect) == sign


def test_parts_are_named_in_the_order_of_their_effects():
    text = sentence(0.5, [JAW, EYES, NOSE])
    assert text == (
        "The similarity is 0.500. What spoke for a match: hiding the nose in one face takes on average 0.25 off, the "
        "eyes 0.09. What spoke against it: hiding the jaw in one face adds on average 0.05."
    )


@pytest.mark.parametrize(
    ("similarity", "threshold", "ending"),
    [
        (0.5, 0.4, "With the nose hidden it is below the threshold."),
        (0.5, 0.2, "Hiding no single one of them changes the side."),
        (0.37, 0.4, "With the jaw hidden it is at or above the threshold."),
        (0.45, 0.4, "With the nose or the eyes hidden it is below the threshold."),
    ],
)
def test_the_sentence_says_what_turns_the_decision(similarity, threshold, ending):
    text = sentence(similarity, [NOSE, EYES, JAW], threshold=threshold)
    side = "at or above" if similarity >= threshold else "below"
    assert f"is {side} the threshold of {threshold:.3f}" in text and text.endswith(ending)


def test_where_nothing_is_clear_the_sentence_says_so():
    nothing = [RegionEffect("nose", 0.01, -0.01, 0.0, 0.0)]
    assert sentence(0.1, nothing, threshold=0.3) == (
        "The similarity of 0.100 is below the threshold of 0.300. No single part clearly spoke for a match. No single "
        "part clearly spoke against it."
    )


def test_at_most_three_parts_a_side_are_named():
    many = [RegionEffect(f"part {k}", 0.1 + k / 100, 0.1 + k / 100, 0, 0) for k in range(6)]
    text = sentence(0.5, many)
    assert "part 5" in text and "part 3" in text and "part 2" not in text


def test_the_overlay_is_grey_where_nothing_is_and_red_or_blue_where_something_is():
    crop = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    values = np.zeros((20, 30), np.float32)
    values[2:8, 2:8], values[12:18, 20:28] = 1, -1
    page = overlay(crop, values, scale=1.0).astype(int)
    assert page.shape == (20, 30, 3) and np.ptp(page[:, 10:18], axis=2).max() == 0
    assert np.abs(page[4, 4] - (0.85 * np.array(FOR) + 0.15 * page[4, 4].mean())).max() < 40
    assert page[4, 4, 0] > page[4, 4, 2] + 80 and page[15, 24, 2] > page[15, 24, 0] + 80
    assert FOR[0] > FOR[2] and AGAINST[2] > AGAINST[0]
    assert overlay(crop, values, enlarge=3).shape == (60, 90, 3)


def test_both_faces_share_one_scale():
    assert map_scale(np.array([[0.0, 2.0]]), np.array([[-4.0, 0.0]])) == pytest.approx(4, rel=0.05)
    assert map_scale(np.zeros((3, 3))) == 1.0


def test_an_overlay_that_does_not_fit_is_refused():
    crop = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(UsageError, match="height and width"):
        overlay(crop, np.zeros((3, 4)))
    with pytest.raises(UsageError, match="scale"):
        overlay(crop, np.zeros((4, 4)), scale=0.0)


def test_the_sheet_holds_both_faces_and_grows_with_what_it_says():
    rng = np.random.default_rng(0)
    crop = rng.integers(0, 255, (112, 112, 3), dtype=np.uint8)
    maps = rng.normal(size=(2, 112, 112)).astype(np.float32)

    def height(**options):
        page = explanation_sheet(Explanation("explainer/any", *maps, 0.5, **options), crop, crop)
        assert page.dtype == np.uint8 and page.shape[1] == 4 * 336 + 5 * 16
        return page.shape[0]

    bare = height()
    assert height(regions=(NOSE, JAW)) - bare == 3 * 20
    assert height(sentence="short") - bare == 20 < height(sentence="long " * 100) - bare
