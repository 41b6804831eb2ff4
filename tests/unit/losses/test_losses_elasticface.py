"""Draws, how they are handed out, and the closed forms of the fact sheet."""

import math

import pytest
import torch
from scipy.stats import spearmanr
from torch.nn import functional as F

from visavis.errors import UsageError
from visavis.losses.arcface import ArcFaceLoss, arcface_logits
from visavis.losses.cosface import CosFaceLoss, cosface_logits
from visavis.losses.elasticface import (
    ElasticArcLoss,
    ElasticArcPlusLoss,
    ElasticCosLoss,
    ElasticCosPlusLoss,
    assign_margins,
    draw_margins,
)

COSINES = torch.tensor([[0.8, 0.2, -0.1]], dtype=torch.float64)
TARGET = torch.tensor([0])
PAIRS = [(ElasticArcLoss, ArcFaceLoss), (ElasticCosLoss, CosFaceLoss)]
ALL = [ElasticArcLoss, ElasticArcPlusLoss, ElasticCosLoss, ElasticCosPlusLoss]


def batch(rows=6, classes=4, dimension=5, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(rows, dimension, generator=generator, dtype=dtype)
    return embeddings, torch.randint(0, classes, (rows,), generator=generator)


@pytest.mark.parametrize(
    ("margin", "cosine", "loss_8", "loss_64"),
    [
        (0.45, 0.459378, 0.128343, 6.1747e-08),
        (0.50, 0.414411, 0.179179, 1.0977e-06),
        (0.55, 0.368407, 0.249617, 2.0852e-05),
    ],
)
def test_angular_margins_have_their_closed_form(margin, cosine, loss_8, loss_64):
    assert arcface_logits(COSINES, TARGET, margin=margin, scale=1.0)[0, 0] == pytest.approx(cosine, abs=1e-6)
    for scale, loss in ((8.0, loss_8), (64.0, loss_64)):
        margins = torch.full((1,), margin, dtype=torch.float64)
        found = F.cross_entropy(arcface_logits(COSINES, TARGET, margin=margins, scale=scale), TARGET)
        assert float(found) == pytest.approx(loss, rel=1e-4 if scale == 64 else 1e-5)


@pytest.mark.parametrize(
    ("margin", "cosine", "loss"), [(0.30, 0.50, 0.094353), (0.35, 0.45, 0.137684), (0.40, 0.40, 0.199025)]
)
def test_cosine_margins_have_their_closed_form(margin, cosine, loss):
    logits = cosface_logits(COSINES, TARGET, margin=margin, scale=8.0)
    assert logits[0, 0] == pytest.approx(8 * cosine, abs=1e-6)
    assert float(F.cross_entropy(logits, TARGET)) == pytest.approx(loss, abs=1e-6)


@pytest.mark.parametrize(("kind", "parent"), PAIRS)
def test_without_deviation_it_is_its_parent(kind, parent):
    embeddings, labels = batch()
    elastic, fixed = kind(5, 4, deviation=0.0).double(), parent(5, 4).double()
    fixed.load_state_dict(elastic.state_dict())
    inputs = [embeddings.clone().requires_grad_() for _ in range(2)]
    for loss, value in zip((elastic, fixed), inputs, strict=True):
        loss(value, labels).backward()
    assert torch.allclose(elastic.logits(embeddings, labels), fixed.logits(embeddings, labels), atol=1e-6)
    assert torch.allclose(inputs[0].grad, inputs[1].grad, atol=1e-6)
    assert torch.allclose(elastic.weight.grad, fixed.weight.grad, atol=1e-6)


def test_draws_have_their_mean_and_deviation():
    count, mean, deviation = 200_000, 0.5, 0.05
    rows = torch.zeros(count, dtype=torch.float64)
    drawn = draw_margins(rows, mean=mean, deviation=deviation, generator=torch.Generator().manual_seed(3))
    assert abs(float(drawn.mean()) - mean) <= 4 * deviation / math.sqrt(count)
    assert float(drawn.std()) == pytest.approx(deviation, rel=0.01)
    held = draw_margins(rows, mean=mean, deviation=deviation, clamp=True)
    assert float(held.min()) == pytest.approx(0.45) and float(held.max()) == pytest.approx(0.55)
    assert (draw_margins(rows, mean=0.1, deviation=0.2) < 0).any()


def test_calls_differ_a_seed_repeats_them_and_evaluation_draws_nothing():
    embeddings, labels = batch()
    one, two = (ElasticCosLoss(5, 4, generator=torch.Generator().manual_seed(7)).double() for _ in range(2))
    two.load_state_dict(one.state_dict())
    first, second = one.logits(embeddings, labels), one.logits(embeddings, labels)
    assert not torch.equal(first, second)
    assert torch.equal(first, two.logits(embeddings, labels)) and torch.equal(second, two.logits(embeddings, labels))
    before, margins = one.generator.get_state(), one.margins
    assert torch.equal(one.eval().logits(embeddings, labels), one.cosine(embeddings) * 64)
    assert torch.equal(before, one.generator.get_state()) and one.margins is margins


@pytest.mark.parametrize("indexing", [("paper", [0.49, 0.55, 0.48, 0.52]), ("official", [0.52, 0.48, 0.55, 0.49])])
@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2]])
def test_margins_are_handed_out_by_difficulty(indexing, order):
    cosines = torch.tensor([0.5, 0.1, 0.9, 0.3])
    margins = torch.tensor([0.48, 0.49, 0.52, 0.55])[order]
    assert assign_margins(cosines, margins, indexing=indexing[0]).tolist() == pytest.approx(indexing[1])


def test_the_two_ways_differ_on_a_cycle_of_three():
    cosines, margins = torch.tensor([0.5, 0.1, 0.9]), torch.tensor([1.0, 2.0, 3.0])
    assert assign_margins(cosines, margins).tolist() == [2.0, 3.0, 1.0]
    assert assign_margins(cosines, margins, indexing="official").tolist() == [3.0, 1.0, 2.0]


@pytest.mark.parametrize("kind", [ElasticArcPlusLoss, ElasticCosPlusLoss])
def test_the_hardest_row_of_a_batch_gets_the_largest_margin(kind):
    embeddings, labels = batch(rows=20)
    loss = kind(5, 4).double()
    loss(embeddings, labels)
    own = loss.cosine(embeddings).gather(1, labels[:, None])[:, 0].detach()
    assert spearmanr(own, loss.margins).statistic == pytest.approx(-1)
    state = torch.get_rng_state()
    drawn = draw_margins(own, mean=loss.margin, deviation=loss.deviation)
    torch.set_rng_state(state)
    loss(embeddings, labels)
    assert torch.equal(loss.margins.sort().values, drawn.sort().values)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-10)])
def test_rows_without_a_label_have_no_margin_and_change_nothing_for_others(kind, dtype, tolerance):
    embeddings, labels = batch(dtype=dtype)
    labels[[1, 4]] = -1
    known = labels >= 0
    loss = kind(5, 4).to(dtype)
    state = torch.get_rng_state()
    logits = loss.logits(embeddings, labels)
    margins = loss.margins
    assert torch.allclose(logits[~known], 64 * loss.cosine(embeddings)[~known], atol=tolerance)
    torch.set_rng_state(state)
    assert torch.allclose(logits[known], loss.logits(embeddings[known], labels[known]), atol=tolerance)
    assert torch.equal(margins[known], loss.margins) and not margins[~known].any()


@pytest.mark.parametrize("kind", [ElasticArcLoss, ElasticCosLoss])
def test_the_shift_of_the_target_spreads_as_the_draws(kind):
    embeddings, labels = batch(rows=4000, dtype=torch.float32)
    loss = kind(5, 4, deviation=0.04)
    shift = (loss.logits(embeddings, labels) - 64 * loss.cosine(embeddings)).detach()
    if kind is ElasticCosLoss:
        own = shift.gather(1, labels[:, None])
        assert float(own.std()) == pytest.approx(64 * 0.04, rel=0.05)
    assert (shift != 0).sum(1).max() == 1


def test_bad_options_are_refused():
    with pytest.raises(UsageError, match="0 or more"):
        ElasticArcLoss(5, 4, deviation=-0.1)
    with pytest.raises(UsageError, match="paper, official"):
        ElasticArcLoss(5, 4, plus_indexing="rank")
    with pytest.raises(UsageError, match="paper, official"):
        assign_margins(torch.zeros(2), torch.zeros(2), indexing="rank")
