"""Maps of quality on crops of which a known part is blurred, dark or burnt out."""

import cv2
import numpy as np
import pytest
from test_quality_measures import face, grey

from visavis.errors import UsageError
from visavis.quality.sharpness import SharpnessScorer, detail_share
from visavis.quality.spatial import CELLS, draw_quality, enlarged, spatial_quality

CROP = face().astype(np.float32)
SOFT = cv2.GaussianBlur(CROP, (0, 0), 1.2)


def test_the_blurred_half_is_the_poor_half():
    half = CROP.copy()
    half[:, :56] = cv2.GaussianBlur(CROP, (0, 0), 4)[:, :56]
    cells = spatial_quality(half[None]).sharpness[0]
    whole = spatial_quality(CROP[None]).sharpness[0]
    assert cells[:, :6].max() < 40 < 90 < cells[:, 8:].min()
    np.testing.assert_allclose(cells[:, 8:], whole[:, 8:], atol=8)


@pytest.mark.parametrize("level", [3, 255])
def test_the_dark_or_burnt_out_corner_is_seen_and_nothing_else(level):
    luma = np.full((1, 112, 112), 120, np.float32)
    luma[0, :32, 80:] = level
    cells = spatial_quality(luma).exposure[0]
    assert (cells[:3, 11:] == 0).all() and (cells[5:] == 100).all() and (cells[:, :9] == 100).all()
    assert (spatial_quality(luma).worst <= cells).all()


def test_a_cell_is_the_measure_of_its_window():
    """The slow way: steps in the window of one cell, before and after the blur."""
    blurred = cv2.blur(SOFT, (5, 5))
    cells = spatial_quality(SOFT[None]).sharpness[0]
    for row, column in ((3, 4), (7, 7), (10, 2)):
        y, x = int((row + 0.5) * 8), int((column + 0.5) * 8)
        window = slice(y - 8, y + 8), slice(x - 8, x + 8)
        step = [
            (np.abs(np.diff(one, axis=0)[window]).mean() + np.abs(np.diff(one, axis=1)[window]).mean()) / 2
            for one in (SOFT, blurred)
        ]
        share = 1 - (step[1] + 0.05) / (step[0] + 0.05)
        assert cells[row, column] == pytest.approx(SharpnessScorer.scale.score(share), abs=0.05)
    assert SharpnessScorer.scale.score(detail_share(SOFT[None]))[0] == pytest.approx(np.mean(cells), abs=15)


def test_mirrored_crops_have_mirrored_maps():
    half = SOFT.copy()
    half[:, :56] = cv2.GaussianBlur(SOFT, (0, 0), 2)[:, :56]
    one, other = (spatial_quality(np.ascontiguousarray(crop)[None]).sharpness[0] for crop in (half, half[:, ::-1]))
    assert np.ptp(one) > 20 and np.abs(one[:, ::-1] - other).max() < 10
    assert np.corrcoef(one[:, ::-1].ravel(), other.ravel())[0, 1] > 0.98


def test_maps_grow_to_the_crop_and_red_means_poor():
    luma = CROP.copy()
    luma[:56] = 255
    cells = spatial_quality(luma[None]).worst
    assert enlarged(cells, 112, 96).shape == (1, 112, 96) and cells.shape == (1, CELLS, CELLS)
    crop = grey(CROP)
    drawn = draw_quality(crop, cells[0]).astype(int)
    assert drawn.shape == crop.shape and (drawn[:48, :, 0] - drawn[:48, :, 1]).min() > 60
    fine = draw_quality(crop, np.full((CELLS, CELLS), 100, np.float32))
    np.testing.assert_array_equal(fine, crop)


def test_no_face_gives_no_map_and_small_crops_are_refused():
    assert spatial_quality(np.zeros((0, 112, 112), np.float32)).worst.shape == (0, CELLS, CELLS)
    with pytest.raises(UsageError, match="at least 14"):
        spatial_quality(np.zeros((1, 10, 112), np.float32))
