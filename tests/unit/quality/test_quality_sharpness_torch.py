"""The sharpness that networks weigh by is that of the scorer."""

import cv2
import numpy as np
import pytest
import torch

from visavis.quality import sharpness, sharpness_torch


@pytest.mark.parametrize("side", [112, 120])
def test_it_is_the_scorers_measure(side):
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 256, (side, side, 3), np.uint8), np.full((side, side, 3), 90, np.uint8)]
    crops += [cv2.GaussianBlur(crops[0], (0, 0), width) for width in (0.5, 1, 2, 4)]
    pixels = np.stack(crops)
    luma = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    shown = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    share = sharpness.detail_share(luma)
    assert sharpness_torch.detail_share(shown).numpy() == pytest.approx(share, abs=1e-5)
    score = sharpness.SharpnessScorer.scale.score(share)
    assert 100 * sharpness_torch.sharpness_score(shown).numpy() == pytest.approx(score, abs=1e-2)
    assert score[1] == 0 and (np.diff(score[2:]) <= 0).all() and score[2] > score[-1]
