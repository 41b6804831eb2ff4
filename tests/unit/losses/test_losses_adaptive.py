"""AdaFace, MagFace and CurricularFace against slow loops."""

import math

import numpy as np
import pytest
import torch

from visavis.errors import UsageError
from visavis.losses.adaface import AdaFaceLoss, adaface_logits, relative_quality
from visavis.losses.curricularface import CurricularFaceLoss
from visavis.losses.magface import MagFaceLoss, magnitude_margins, magnitude_regulariser


def batch(rows=7, classes=4, dimension=5, seed=0, norms=(5.0, 130.0)):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(rows, dimension, generator=generator, dtype=torch.float64)
    lengths = torch.linspace(*norms, rows, dtype=torch.float64)
    embeddings = embeddings / embeddings.norm(dim=1, keepdim=True) * lengths[:, None]
    return embeddings, torch.randint(0, classes, (rows,), generator=generator)


def cross_entropy(rows, labels):
    """Mean of -log softmax, one row at a time."""
    values = []
    for row, label in zip(rows, labels, strict=True):
        top = max(row)
        values.append(math.log(sum(math.exp(entry - top) for entry in row)) + top - row[label])
    return sum(values) / len(values)


def test_adaface_equals_a_loop_and_keeps_running_statistics():
    loss = AdaFaceLoss(5, 4, momentum=0.9).double()
    mean, deviation = 20.0, 100.0
    for seed in range(3):
        embeddings, labels = batch(seed=seed)
        cosines = loss.cosine(embeddings).tolist()
        norms = np.clip(embeddings.norm(dim=1).numpy(), 0.001, 100)
        mean = 0.9 * mean + 0.1 * norms.mean()
        deviation = 0.9 * deviation + 0.1 * norms.std(ddof=1)
        for row, label, norm in zip(cosines, labels.tolist(), norms, strict=True):
            quality = min(1.0, max(-1.0, 0.333 * (norm - mean) / (deviation + 1e-3)))
            row[label] = math.cos(math.acos(row[label]) - 0.4 * quality) - 0.4 * (1 + quality)
        want = cross_entropy([[64 * entry for entry in row] for row in cosines], labels.tolist())
        assert loss(embeddings, labels).item() == pytest.approx(want, rel=1e-9)
        assert loss.norm_mean.item() == pytest.approx(mean)
        assert loss.norm_deviation.item() == pytest.approx(deviation)


def test_adaface_is_cosface_at_mean_quality_and_arcface_at_the_worst():
    cosine, label = torch.tensor([[0.6, 0.1]], dtype=torch.float64), torch.tensor([0])
    for quality, want in ((0.0, 0.6 - 0.4), (-1.0, math.cos(math.acos(0.6) + 0.4)), (1.0, None)):
        found = adaface_logits(cosine, label, torch.tensor([quality], dtype=torch.float64), scale=1.0)[0, 0].item()
        assert found == pytest.approx(math.cos(math.acos(0.6) - 0.4) - 0.8 if want is None else want)
    norms = torch.tensor([0.0, 20.0, 1e6])
    assert relative_quality(norms, mean=torch.tensor(20.0), deviation=torch.tensor(0.1)).tolist() == [-1, 0, 1]


def test_one_row_leaves_the_deviation_of_adaface():
    loss = AdaFaceLoss(5, 4)
    embeddings, labels = batch(rows=1)
    assert loss(embeddings.float(), labels).isfinite()
    assert loss.norm_deviation.item() == 100 and loss.norm_mean.item() != 20


def test_magface_equals_a_loop_and_its_gradient_knows_the_norm():
    loss = MagFaceLoss(5, 4).double()
    embeddings, labels = batch()
    cosines, norms = loss.cosine(embeddings).tolist(), embeddings.norm(dim=1).tolist()
    held = [min(110.0, max(10.0, norm)) for norm in norms]
    for row, label, norm in zip(cosines, labels.tolist(), held, strict=True):
        row[label] = math.cos(math.acos(row[label]) + 0.35 / 100 * (norm - 10) + 0.45)
    want = cross_entropy([[64 * entry for entry in row] for row in cosines], labels.tolist())
    want += 35 * sum(norm / 110**2 + 1 / norm for norm in held) / len(held)
    assert loss(embeddings, labels).item() == pytest.approx(want, rel=1e-9)
    inside = batch(norms=(20.0, 100.0))[0].requires_grad_()
    assert torch.autograd.gradcheck(lambda values: loss(values, labels), inside, fast_mode=True)


def test_magface_margins_and_reward_at_the_ends():
    norms = torch.tensor([1.0, 10.0, 60.0, 110.0, 500.0], dtype=torch.float64)
    assert magnitude_margins(norms).tolist() == pytest.approx([0.45, 0.45, 0.625, 0.8, 0.8])
    steps = torch.linspace(10, 110, 50)
    assert (magnitude_regulariser(steps).diff() < 0).all()
    steps.requires_grad_()
    magnitude_regulariser(steps).sum().backward()
    assert steps.grad[-1].item() == pytest.approx(0, abs=1e-9)


def test_curricularface_equals_a_loop_and_moves_t():
    loss = CurricularFaceLoss(5, 4, momentum=0.7, scale=20.0).double()
    t, hard = 0.0, 0
    for seed in range(4):
        embeddings, labels = batch(seed=seed)
        cosines = loss.cosine(embeddings).tolist()
        own = [row[label] for row, label in zip(cosines, labels.tolist(), strict=True)]
        t = 0.7 * t + 0.3 * sum(own) / len(own)
        for row, label in zip(cosines, labels.tolist(), strict=True):
            moved = math.cos(math.acos(row[label]) + 0.5)
            for place, entry in enumerate(row):
                if place == label:
                    row[place] = moved
                elif entry > moved:
                    row[place], hard = entry * (t + entry), hard + 1
        want = cross_entropy([[20 * entry for entry in row] for row in cosines], labels.tolist())
        assert loss(embeddings, labels).item() == pytest.approx(want, rel=1e-9)
        assert loss.progress.item() == pytest.approx(t) == loss.measures()["t"]
    assert hard > 10


def test_curricularface_leaves_rows_without_a_label_as_they_are():
    loss = CurricularFaceLoss(5, 4).double()
    embeddings, labels = batch()
    labels[3] = -1
    assert torch.equal(loss.margin_cosines(embeddings, labels)[3], loss.cosine(embeddings)[3])


def test_bad_options_are_refused():
    for make in (
        lambda: AdaFaceLoss(5, 4, momentum=1.5),
        lambda: CurricularFaceLoss(5, 4, momentum=-1),
        lambda: MagFaceLoss(5, 4, norm_span=(20.0, 10.0)),
    ):
        with pytest.raises(UsageError, match="got"):
            make()
