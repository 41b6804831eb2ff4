"""Triplets, harmonic triplets, pairs and supervised contrast against triple loops and pytorch-metric-learning."""

import math

import pytest
import torch
from pytorch_metric_learning import distances, miners, reducers
from pytorch_metric_learning import losses as peers

from visavis.errors import UsageError
from visavis.losses.contrastive import ContrastiveLoss
from visavis.losses.harmonic_triplet import HarmonicTripletLoss, harmonic_masks
from visavis.losses.pairs import pair_masks, squared_distances
from visavis.losses.supervised_contrastive import SupervisedContrastiveLoss
from visavis.losses.triplet import TripletLoss, mine_triplets, triplet_loss


def batch(people=4, each=3, dimension=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(people * each, dimension, generator=generator, dtype=torch.float64)
    return embeddings, torch.arange(people).repeat(each)


def circle(*degrees):
    angles = torch.tensor(degrees, dtype=torch.float64) * math.pi / 180
    return torch.stack([angles.cos(), angles.sin()], 1)


def matrix(embeddings, labels):
    return squared_distances(embeddings, embeddings), *pair_masks(labels)


def slow_triplets(squared, same, different, *, margin, mining, fallback="skip"):
    """By loops over anchors, positives and negatives."""
    found = []
    count = range(len(squared))
    for anchor in count:
        positives = [column for column in count if same[anchor, column]]
        negatives = [column for column in count if different[anchor, column]]
        if mining == "hard" and positives and negatives:
            found.append(
                (
                    anchor,
                    max(positives, key=lambda column: squared[anchor, column]),
                    min(negatives, key=lambda column: squared[anchor, column]),
                )
            )
        for positive in positives if mining != "hard" else []:
            near = [
                column
                for column in negatives
                if squared[anchor, positive] < squared[anchor, column] < squared[anchor, positive] + margin
            ]
            if mining == "all":
                found += [(anchor, positive, negative) for negative in negatives]
            elif near:
                found.append((anchor, positive, min(near, key=lambda column: squared[anchor, column])))
            elif fallback == "furthest" and negatives:
                found.append((anchor, positive, max(negatives, key=lambda column: squared[anchor, column])))
    return found


def slow_loss(squared, triplets, margin):
    excess = [float(squared[a, p] - squared[a, n]) + margin for a, p, n in triplets]
    active = [value for value in excess if value > 0]
    return sum(active) / max(len(active), 1)


def test_distances_on_the_circle():
    points = circle(0, 20, 40, 100)
    found = squared_distances(3 * points, points)
    assert found[0].tolist() == pytest.approx([0, 0.120615, 0.467911, 2.347296], abs=1e-6)
    assert found[1, 3].item() == pytest.approx(1.652704, abs=1e-6)
    assert found[2, 3].item() == pytest.approx(1.0)


def test_squared_distances_are_two_less_two_cosines_within_bounds():
    for dtype, off in ((torch.float64, 1e-6), (torch.float32, 1e-5)):
        units = torch.nn.functional.normalize(torch.randn(40, 16, dtype=dtype))
        slow = (units[:, None] - units[None]).square().sum(2)
        found = squared_distances(units, units)
        assert torch.allclose(found, slow, atol=off) and found.min() >= 0 and found.max() <= 4


def test_semi_hard_negatives_of_the_sheet():
    squared = squared_distances(circle(0, 20, 40, 100), circle(0, 20, 40, 100))
    same, different = torch.zeros(4, 4, dtype=torch.bool), torch.zeros(4, 4, dtype=torch.bool)
    same[0, 1] = different[0, 2] = different[0, 3] = True
    assert mine_triplets(squared, same, different, margin=0.2).shape == (3, 0)
    found = mine_triplets(squared, same, different, margin=0.5)
    assert found.T.tolist() == [[0, 1, 2]]
    assert triplet_loss(squared, found, margin=0.5).item() == pytest.approx(0.152704, abs=1e-6)
    assert triplet_loss(squared, found[:, :0], margin=0.2).item() == 0
    assert mine_triplets(squared, same, different, fallback="furthest").T.tolist() == [[0, 1, 3]]


def test_a_negative_as_far_as_the_positive_is_not_semi_hard():
    points = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.6, -0.8]], dtype=torch.float64)
    squared = (points[:, None] - points[None]).square().sum(2)
    same = torch.zeros(3, 3, dtype=torch.bool)
    different = same.clone()
    same[0, 1] = different[0, 2] = True
    assert squared[0, 1] == squared[0, 2]
    assert mine_triplets(squared, same, different, margin=0.2).shape == (3, 0)


def test_a_collapsed_network_is_told():
    embeddings, labels = torch.ones(6, 4), torch.tensor([0, 0, 1, 1, 2, 2])
    assert TripletLoss(mining="hard")(embeddings, labels).item() == pytest.approx(0.2, abs=1e-6)
    loss = TripletLoss()
    with pytest.warns(UserWarning, match="collapsed"):
        assert loss(embeddings, labels).item() == 0
    assert loss.measures()["triplets"] == 0


@pytest.mark.parametrize("mining", ["semi-hard", "hard", "all", "furthest"])
def test_fifty_batches_equal_three_loops(mining):
    mining, fallback = ("semi-hard", "furthest") if mining == "furthest" else (mining, "skip")
    for seed in range(50):
        embeddings, labels = batch(people=2 + seed % 3, each=2 + seed % 2, seed=seed)
        squared, same, different = matrix(embeddings, labels)
        slow = slow_triplets(
            squared.tolist() and squared, same, different, margin=0.4, mining=mining, fallback=fallback
        )
        loss = TripletLoss(margin=0.4, mining=mining, fallback=fallback)
        found = mine_triplets(squared, same, different, margin=0.4, mining=mining, fallback=fallback)
        assert [tuple(triplet) for triplet in found.T.tolist()] == slow
        assert loss(embeddings, labels).item() == pytest.approx(slow_loss(squared, slow, 0.4), abs=1e-6)
        assert loss.measures()["triplets"] == len(slow)


def test_semi_hard_candidates_are_those_of_a_peer():
    embeddings, labels = batch(people=6, each=4)
    squared, same, different = matrix(embeddings, labels)
    distance = distances.LpDistance(power=2)
    theirs = miners.TripletMarginMiner(0.2, "semihard", distance=distance)(embeddings, labels)
    closest = {}
    for anchor, positive, negative in zip(*(part.tolist() for part in theirs), strict=True):
        best = closest.get((anchor, positive), negative)
        closest[anchor, positive] = min(best, negative, key=lambda column: squared[anchor, column])
    ours = mine_triplets(squared, same, different)
    assert {(a, p): n for a, p, n in ours.T.tolist()} == closest and closest


def test_all_triplets_have_the_loss_of_a_peer():
    embeddings, labels = batch()
    peer = peers.TripletMarginLoss(
        margin=0.2, distance=distances.LpDistance(power=2), reducer=reducers.AvgNonZeroReducer()
    )
    inputs = [embeddings.clone().requires_grad_() for _ in range(2)]
    ours, theirs = TripletLoss(mining="all")(inputs[0], labels), peer(inputs[1], labels)
    ours.backward(), theirs.backward()
    assert ours.item() == pytest.approx(theirs.item())
    assert torch.allclose(inputs[0].grad, inputs[1].grad)


@pytest.mark.parametrize("mining", ["hard", "all", "semi-hard"])
def test_an_old_network_that_is_the_new_one_adds_nothing_but_repetitions(mining):
    embeddings, labels = batch()
    pure = slow_triplets(*matrix(embeddings, labels), margin=0.2, mining="all")
    squared = squared_distances(embeddings, embeddings)
    values = {round(float(squared[a, p] - squared[a, n]), 9) for a, p, n in pure}
    stacked = torch.cat([embeddings, embeddings])
    same, different = harmonic_masks(labels)
    mixed = squared_distances(stacked, stacked)
    loss = HarmonicTripletLoss(mining=mining)
    loss(embeddings, labels, embeddings)
    found = loss.triplets_of(mixed, same, different)
    assert not (found >= len(labels)).all(0).any()
    apart = [t for t in found.T.tolist() if t[0] % 12 != t[1] % 12]
    assert {round(float(mixed[a, p] - mixed[a, n]), 9) for a, p, n in apart} <= values and apart


def test_harmonic_triplets_equal_a_loop_without_those_of_old_ones_only():
    new, labels = batch(people=3, each=2)
    old = batch(people=3, each=2, seed=9)[0]
    stacked = torch.cat([new, old])
    both = labels.repeat(2)
    squared = squared_distances(stacked, stacked)
    excess = [
        float(squared[a, p] - squared[a, n]) + 0.2
        for a in range(12)
        for p in range(12)
        for n in range(12)
        if a != p and both[a] == both[p] and both[a] != both[n] and min(a, p, n) < 6
    ]
    active = [value for value in excess if value > 0]
    inputs, frozen = new.clone().requires_grad_(), old.clone().requires_grad_()
    loss = HarmonicTripletLoss(mining="all")
    found = loss(inputs, labels, frozen)
    found.backward()
    assert found.item() == pytest.approx(sum(active) / len(active))
    assert loss.measures()["triplets"] == len(excess)
    assert inputs.grad.any() and frozen.grad is None
    with pytest.raises(UsageError, match="third argument"):
        loss(new, labels)
    with pytest.raises(UsageError, match="two people"):
        loss(new, torch.zeros_like(labels), old)


def test_contrastive_loss_equals_a_loop():
    embeddings, labels = batch()
    together, apart = [], []
    for i in range(12):
        for j in range(12):
            distance = math.dist(*(torch.nn.functional.normalize(embeddings[[i, j]]).tolist()))
            if i != j and labels[i] == labels[j]:
                together.append(distance**2 / 2)
            elif labels[i] != labels[j] and distance < 1.2:
                apart.append((1.2 - distance) ** 2 / 2)
    assert apart
    want = sum(together) / len(together) + sum(apart) / len(apart)
    loss = ContrastiveLoss(margin=1.2)
    assert loss(embeddings, labels).item() == pytest.approx(want)
    assert loss.measures()["active"] == pytest.approx(len(apart) / 108)


def test_supervised_contrast_has_both_forms():
    embeddings, labels = batch()
    peer = peers.SupConLoss(temperature=0.1)
    inputs = [embeddings.clone().requires_grad_() for _ in range(2)]
    ours, theirs = SupervisedContrastiveLoss()(inputs[0], labels), peer(inputs[1], labels)
    ours.backward(), theirs.backward()
    assert ours.item() == pytest.approx(theirs.item())
    assert torch.allclose(inputs[0].grad, inputs[1].grad)
    units = torch.nn.functional.normalize(embeddings)
    terms = []
    for i in range(12):
        shares = {j: math.exp(float(units[i] @ units[j]) / 0.1) for j in range(12) if j != i}
        mine = [shares[j] for j in shares if labels[j] == labels[i]]
        terms.append(-math.log(sum(mine) / len(mine) / sum(shares.values())))
    inner = SupervisedContrastiveLoss(form="in")(embeddings, labels).item()
    assert inner == pytest.approx(sum(terms) / 12) and inner <= ours.item()


def test_a_person_with_one_picture_is_a_negative_only():
    embeddings, labels = batch()
    labels = torch.tensor([0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    assert SupervisedContrastiveLoss()(embeddings, labels).isfinite()
    assert TripletLoss(mining="hard")(embeddings, labels).isfinite()


def test_what_does_not_fit_is_refused():
    embeddings, labels = batch()
    squared, same, different = matrix(embeddings, labels)
    for call, words in (
        (lambda: TripletLoss(margin=0.0), "above 0"),
        (lambda: TripletLoss(mining="random"), "semi-hard, hard, all"),
        (lambda: TripletLoss(mining="all", fallback="furthest"), "only semi-hard"),
        (lambda: mine_triplets(squared, same, different, mining="random"), "semi-hard, hard, all"),
        (lambda: ContrastiveLoss(margin=3.0), r"\(0, 2\]"),
        (lambda: SupervisedContrastiveLoss(temperature=0), "above 0"),
        (lambda: SupervisedContrastiveLoss(form="both"), "out, in"),
        (lambda: TripletLoss()(embeddings, torch.zeros_like(labels)), "two people"),
        (lambda: TripletLoss()(embeddings, torch.arange(12)), "two pictures"),
    ):
        with pytest.raises(UsageError, match=words):
            call()
