"""The filter, the joined softmax, and the counts of pairs."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from visavis.errors import UsageError
from visavis.losses.arcface import ArcFaceLoss
from visavis.losses.cosface import CosFaceLoss
from visavis.losses.unpg import UNPGLoss, negative_pairs, unpg_loss, whisker_bounds, whisker_filter

LIST = [-0.9, -0.2, -0.1, 0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.95]


def doubles(values):
    return torch.tensor(values, dtype=torch.float64)


def batch(people=3, each=4, dimension=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(people * each, dimension, generator=generator, dtype=torch.float64)
    return embeddings, torch.arange(people).repeat_interleave(each)


@pytest.mark.parametrize(("whisker", "bounds"), [(1.0, (-0.4, 0.5)), (1.5, (-0.55, 0.65))])
def test_quartiles_are_entries_of_the_sorted_list(whisker, bounds):
    values = doubles(LIST)[torch.randperm(10)]
    assert [float(bound) for bound in whisker_bounds(values, whisker=whisker)] == pytest.approx(bounds)
    assert sorted(values[whisker_filter(values, whisker=whisker)].tolist()) == LIST[1:-1]


def test_quartiles_are_not_interpolated():
    values = doubles([0.48 if value == 0.3 else value for value in LIST])
    low, high = np.quantile(values.numpy(), [0.25, 0.75])
    inside = (values >= low - (high - low)) & (values <= high + (high - low))
    assert int(whisker_filter(values, whisker=1.0).sum()) == 8 and int(inside.sum()) == 7


def test_the_filter_keeps_its_bounds_equal_values_and_with_no_whisker_all():
    values = doubles([0, 1, 1, 2, 3, 4, 5, 5, 8, -3.0])
    lower, upper = (float(bound) for bound in whisker_bounds(values, whisker=0.5))
    assert (lower, upper) == (-1.0, 7.0)
    assert whisker_filter(doubles([0.0, 1, 1, 2, 2, 3]), whisker=1.0).all()
    assert whisker_filter(doubles([0.3] * 7), whisker=0.0).all()
    assert whisker_filter(values, whisker=math.inf).all()
    assert whisker_filter(doubles([])).shape == (0,)
    for wrong in (-0.1, math.nan):
        with pytest.raises(UsageError, match="0 or more"):
            whisker_filter(values, whisker=wrong)


@pytest.mark.parametrize(("whisker", "removed", "off"), [(1.5, 0.0070, 0.001), (1.0, 0.043, 0.003)])
def test_the_filter_takes_the_known_share_of_a_normal(whisker, removed, off):
    values = torch.randn(100_000, generator=torch.Generator().manual_seed(1))
    assert 1 - float(whisker_filter(values, whisker=whisker).float().mean()) == pytest.approx(removed, abs=off)


def test_the_filter_removes_planted_pairs_of_one_person():
    values = 0.1 * torch.randn(100_000, generator=torch.Generator().manual_seed(2))
    values[:1000] = 0.9
    kept = whisker_filter(values)
    assert not kept[:1000].any() and float(kept[1000:].float().mean()) > 0.99


def test_the_loss_has_its_closed_form():
    cosines, target = doubles([[0.6, 0.1]]), torch.tensor([0])
    assert float(unpg_loss(cosines, target, doubles([]), scale=10)) == pytest.approx(0.00671535, abs=1e-8)
    assert float(unpg_loss(cosines, target, doubles([0.5, 0.2]), scale=10)) == pytest.approx(0.33141161, abs=1e-8)


@pytest.mark.parametrize("seed", range(20))
def test_it_equals_the_softmax_over_the_joined_row(seed):
    generator = torch.Generator().manual_seed(seed)
    draw = partial(torch.rand, generator=generator, dtype=torch.float64)
    inputs = [2 * draw(5, 7) - 1, 2 * draw(11) - 1]
    labels = torch.randint(0, 7, (5,), generator=generator)
    ours, joined = ([value.clone().requires_grad_() for value in inputs] for _ in range(2))
    one = unpg_loss(ours[0], labels, ours[1], scale=16)
    two = F.cross_entropy(16 * torch.cat([joined[0], joined[1].expand(5, -1)], 1), labels)
    one.backward(), two.backward()
    assert one.item() == pytest.approx(two.item(), abs=1e-6)
    for mine, slow in zip(ours, joined, strict=True):
        assert torch.allclose(mine.grad, slow.grad, atol=1e-5)


def test_another_negative_never_lowers_the_loss():
    cosines, labels = torch.rand(4, 5, dtype=torch.float64), torch.tensor([0, 1, 4, 2])
    negatives = doubles([-0.5, 0.1, 0.7, 0.99])
    losses = [float(unpg_loss(cosines, labels, negatives[:count])) for count in range(5)]
    assert losses == sorted(losses)


def test_pairs_are_those_of_different_people_each_once():
    embeddings, labels = torch.randn(50, 8), torch.arange(10).repeat_interleave(5)
    similarities, pairs = negative_pairs(embeddings, labels)
    assert len(similarities) == 1225 - 100 == 1125
    slow = {
        (i, j): float(F.cosine_similarity(embeddings[i], embeddings[j], dim=0))
        for i in range(50)
        for j in range(i + 1, 50)
        if labels[i] != labels[j]
    }
    assert [tuple(pair) for pair in pairs.T.tolist()] == sorted(slow)
    assert similarities.tolist() == pytest.approx([slow[pair] for pair in sorted(slow)], abs=1e-6)
    labels[7] = -1
    assert not (negative_pairs(embeddings, labels)[1] == 7).any()


@pytest.mark.parametrize("scope", ["batch", "anchor"])
@pytest.mark.parametrize("head", [CosFaceLoss, ArcFaceLoss, "loss/elastic-cos"])
def test_the_wrapper_equals_a_loop(scope, head):
    embeddings, labels = batch()
    loss = UNPGLoss(6, 3, head=head, scope=scope, whisker=0.5).double()
    state = torch.get_rng_state()
    found = loss(embeddings, labels)
    torch.set_rng_state(state)
    cosines = loss.head.margin_cosines(embeddings, labels).detach()
    similarities, pairs = negative_pairs(embeddings, labels)
    kept = whisker_filter(similarities, whisker=0.5)
    assert 0 < int(kept.sum()) < len(kept)
    rows = []
    for row in range(len(labels)):
        seen = kept & ((pairs == row).any(0) if scope == "anchor" else True)
        terms = [math.exp(64 * (value - 1)) for value in [*cosines[row].tolist(), *similarities[seen].tolist()]]
        rows.append(math.log(sum(terms)) - 64 * (float(cosines[row, labels[row]]) - 1))
    assert found.item() == pytest.approx(np.mean(rows), rel=1e-9)
    order = torch.randperm(len(labels))
    if head != "loss/elastic-cos":
        assert loss(embeddings[order], labels[order]).item() == pytest.approx(found.item())
    measured = loss.measures()
    assert measured["negatives_before"] == len(kept) and measured["negatives_after"] == int(kept.sum())
    assert measured["min"] < measured["lower"] < measured["upper"] or measured["upper"] < measured["max"]


@pytest.mark.parametrize("scope", ["batch", "anchor"])
def test_with_one_person_or_in_evaluation_it_is_the_plain_head(scope):
    embeddings, labels = batch()
    loss = UNPGLoss(6, 3, scope=scope).double()
    inputs = embeddings.clone().requires_grad_()
    alone = loss(inputs, torch.zeros_like(labels))
    alone.backward()
    assert alone.item() == pytest.approx(loss.head(embeddings, torch.zeros_like(labels)).item())
    assert inputs.grad.isfinite().all() and loss.measures()["negatives_before"] == 0
    plain = F.cross_entropy(64 * loss.head.cosine(embeddings), labels)
    assert loss.eval()(embeddings, labels).item() == pytest.approx(plain.item())


def test_an_anchor_without_pairs_has_a_gradient():
    embeddings, labels = batch(people=2, each=2)
    loss = UNPGLoss(6, 3, scope="anchor", whisker=0.0).double()
    inputs = embeddings.clone().requires_grad_()
    loss(inputs, labels).backward()
    assert loss.measures()["negatives_after"] < 4 and inputs.grad.isfinite().all()


def test_the_head_gets_its_options():
    loss = UNPGLoss(6, 3, head="loss/arcface", head_options={"margin": 0.3, "scale": 16.0})
    assert isinstance(loss.head, ArcFaceLoss) and (loss.head.margin, loss.head.scale) == (0.3, 16.0)
    embeddings, labels = batch()
    assert torch.equal(loss.head.logits(embeddings, labels), 16 * loss.head.margin_cosines(embeddings, labels))


def test_the_penalty_of_the_head_is_added():
    embeddings, labels = batch()
    torch.manual_seed(0)
    loss = UNPGLoss(6, 3, head="loss/magface").double()
    without = UNPGLoss(6, 3, head="loss/magface", head_options={"regulariser": 0.0}).double()
    without.load_state_dict(loss.state_dict())
    difference = loss(embeddings, labels) - without(embeddings, labels)
    assert difference.item() == pytest.approx(loss.head.penalty(embeddings).item()) and difference > 1


def test_what_does_not_fit_is_refused():
    embeddings, labels = batch()
    with pytest.raises(UsageError, match="batch, anchor"):
        UNPGLoss(6, 3, scope="row")
    with pytest.raises(UsageError, match="0 or more"):
        UNPGLoss(6, 3, whisker=-1)
    with pytest.raises(UsageError, match="margin head"):
        UNPGLoss(6, 3, head="loss/softmax")
    with pytest.raises(UsageError, match="int64"):
        UNPGLoss(6, 3)(embeddings, labels[:-1])
