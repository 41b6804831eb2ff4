"""The blur ladder on measures whose answer is known, and the calibration that is fitted on it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from visavis.cards import InputContract, LocalFile, WeightCard
from visavis.errors import ModelError, UsageError
from visavis.quality.attention_calibration import (
    SUFFIX,
    AttentionCalibration,
    attention_calibration,
    fit_attention,
    shipped_calibration,
)
from visavis.quality.beside import path_beside
from visavis.quality.blur_ladder import SIGMAS, blur_ladder, blurred
from visavis.recognition.own_cards import SMALL_TRANSFORMER

CROPS = np.random.default_rng(3).integers(0, 256, (30, 40, 40, 3), dtype=np.uint8)


def contrast(pixels):
    return pixels.astype(np.float32).std(axis=(1, 2, 3))


def fitted(measure=contrast):
    return fit_attention(measure, CROPS, model="m", sha256="s", source="noise")


def test_contrast_falls_at_every_step_of_blur():
    ladder = blur_ladder(contrast, CROPS)
    assert ladder.ordered == 1.0 and ladder.correlation > 0.9
    sharpness = -np.repeat(np.arange(len(SIGMAS)), len(CROPS))
    assert ladder.correlation == pytest.approx(spearmanr(ladder.values.ravel(), sharpness).statistic)
    turned = blur_ladder(lambda pixels: -contrast(pixels), CROPS)
    assert turned.correlation == pytest.approx(-ladder.correlation) and turned.ordered == 1.0


def test_blur_is_that_of_a_crop_of_112():
    point = np.zeros((1, 224, 224, 3), np.uint8)
    point[0, 112, 112] = 255
    spread = blurred(point, 1.0)[0, :, :, 0].astype(np.float64)
    rows = np.arange(224) - 112
    variance = (spread.sum(axis=1) * rows**2).sum() / spread.sum()
    assert variance**0.5 == pytest.approx(2.0, rel=0.15)  # 8 bits cut the tails
    assert blurred(CROPS, 0.0) is CROPS


def test_a_measure_that_does_not_follow_the_blur_is_no_quality():
    values = np.random.default_rng(0).normal(size=30)
    for measure in (lambda pixels: values, lambda pixels: np.zeros(len(pixels))):
        with pytest.raises(ModelError, match=r"says nothing of quality.*0\.2 is the least") as error:
            fitted(measure)
        assert error.value.reason == "model.attention"


def test_wrong_ladders_are_refused():
    for crops, sigmas in ((CROPS[:1], SIGMAS), (CROPS, (0.0,)), (CROPS, (2.0, 1.0)), (CROPS, (-1.0, 2.0))):
        with pytest.raises(UsageError, match="ascending sigmas"):
            blur_ladder(contrast, crops, sigmas=sigmas)
    with pytest.raises(UsageError, match="not finite"):
        blur_ladder(lambda pixels: np.full(len(pixels), np.nan), CROPS)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_score_is_the_share_of_the_reference_that_is_worse(sign):
    calibration = fitted(lambda pixels: sign * contrast(pixels))
    assert calibration.rising is (sign > 0)
    reference = blur_ladder(contrast, CROPS).values.ravel()
    probes = np.linspace(reference.min() - 1, reference.max() + 1, 40)
    share = np.array([100 * (reference < probe).mean() for probe in probes])
    np.testing.assert_allclose(calibration.score(sign * probes), share, atol=1.5)
    assert calibration.score([sign * 1e6, -sign * 1e6]).tolist() == [100, 0] and np.isnan(calibration.score(np.nan))


def test_a_calibration_lies_beside_its_model_and_belongs_to_its_weights(tmp_path):
    calibration = replace(fitted(), sha256="a" * 64)
    card = WeightCard(
        name="mine", kind="embedder", loader="x:y", sources=(LocalFile(str(tmp_path / "mine.onnx")),), sha256="a" * 64,
        licence="mine", contract=InputContract("rgb"), dimension=4,
    )  # fmt: skip
    assert attention_calibration(card) is None
    beside = tmp_path / f"mine.onnx{SUFFIX}"
    assert path_beside(card, SUFFIX) == beside and path_beside(SMALL_TRANSFORMER, SUFFIX) is None
    beside.write_text(json.dumps(calibration.to_dict()))
    assert attention_calibration(card) == calibration
    with pytest.raises(ModelError, match="calibrate-attention"):
        attention_calibration(replace(card, sha256="b" * 64))
    for text in ("{", "[]", '{"model": "m"}', json.dumps({**calibration.to_dict(), "knots": [1, 2]})):
        beside.write_text(text)
        with pytest.raises(ModelError) as error:
            attention_calibration(card)
        assert error.value.reason == "model.attention"


def test_the_shipped_calibration_is_of_the_shipped_weights():
    calibration = shipped_calibration("embedder/visavis-vit-t")
    assert calibration.sha256 == SMALL_TRANSFORMER.sha256 and calibration == attention_calibration(SMALL_TRANSFORMER)
    assert "role train" in calibration.source and abs(calibration.correlation) > 0.5
    assert AttentionCalibration.from_dict(calibration.to_dict(), name="x") == calibration
    with pytest.raises(ModelError, match="no attention calibration ships"):
        shipped_calibration("embedder/other")
