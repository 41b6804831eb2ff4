"""The fixed margins and their parents against their formulas and pytorch-metric-learning."""

import math

import pytest
import torch
from pytorch_metric_learning import losses as peers
from torch.nn import functional as F

from visavis.errors import UsageError
from visavis.losses.arcface import ArcFaceLoss, arcface_logits
from visavis.losses.combined import CombinedMarginLoss, combined_logits
from visavis.losses.cosface import CosFaceLoss, cosface_logits
from visavis.losses.cosines import cosines
from visavis.losses.cross_entropy import scaled_cross_entropy
from visavis.losses.normface import NormFaceLoss
from visavis.losses.softmax import SoftmaxLoss
from visavis.losses.sphereface import SphereFaceLoss, multiply_angle, sphereface_logits
from visavis.losses.targets import add_angle

THETA = torch.linspace(0.01, math.pi - 0.01, 62, dtype=torch.float64)


def batch(rows=8, classes=5, dimension=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    embeddings = 2 * torch.randn(rows, dimension, generator=generator, dtype=torch.float64)
    return embeddings, torch.randint(0, classes, (rows,), generator=generator)


def gradients(loss, embeddings, labels):
    inputs = embeddings.clone().requires_grad_()
    found = loss(inputs, labels)
    found.backward()
    return found.item(), inputs.grad


PEERS = {
    "arcface": (
        ArcFaceLoss(6, 5, past_pi="linear"),
        lambda: peers.ArcFaceLoss(num_classes=5, embedding_size=6, margin=math.degrees(0.5), scale=64),
    ),
    "cosface": (CosFaceLoss(6, 5), lambda: peers.CosFaceLoss(num_classes=5, embedding_size=6, margin=0.35, scale=64)),
    "normface": (
        NormFaceLoss(6, 5, scale=20),
        lambda: peers.NormalizedSoftmaxLoss(num_classes=5, embedding_size=6, temperature=1 / 20),
    ),
    "sphereface": (
        SphereFaceLoss(6, 5, base=0.0, floor=0.0),
        lambda: peers.SphereFaceLoss(num_classes=5, embedding_size=6, margin=4, scale=1),
    ),
}


@pytest.mark.parametrize("name", PEERS)
def test_values_and_gradients_are_those_of_a_peer(name):
    loss, make = PEERS[name]
    loss, peer = loss.double(), make().double()
    for seed in range(4):
        embeddings, labels = batch(seed=seed)
        peer.W.data = loss.weight.data.T.clone()
        loss.weight.grad = peer.W.grad = None
        (ours, mine), (theirs, other) = (gradients(one, embeddings, labels) for one in (loss, peer))
        assert ours == pytest.approx(theirs, rel=1e-6)
        assert torch.allclose(mine, other, atol=1e-6)
        assert torch.allclose(loss.weight.grad, peer.W.grad.T, atol=1e-4)


def test_softmax_is_torch_linear_and_cross_entropy():
    embeddings, labels = batch()
    loss = SoftmaxLoss(6, 5).double()
    loss.bias.data.normal_()
    linear = torch.nn.Linear(6, 5).double()
    linear.load_state_dict(loss.state_dict())
    assert loss(embeddings, labels).item() == pytest.approx(F.cross_entropy(linear(embeddings), labels).item())
    assert SoftmaxLoss(6, 5, bias=False).bias is None


@pytest.mark.parametrize("scale", [1.0, 16.0, 64.0])
def test_scaled_cross_entropy_is_that_of_torch(scale):
    values, labels = 2 * torch.rand(6, 9, dtype=torch.float64) - 1, torch.tensor([0, 3, 8, 8, 1, 4])
    ours, theirs = (values.clone().requires_grad_() for _ in range(2))
    one = scaled_cross_entropy(ours, labels, scale=scale)
    two = F.cross_entropy(scale * theirs, labels)
    (3 * one).backward(), (3 * two).backward()
    assert one.item() == pytest.approx(two.item(), rel=1e-12)
    assert torch.allclose(ours.grad, theirs.grad, rtol=1e-9, atol=1e-14)
    assert torch.autograd.gradcheck(lambda given: scaled_cross_entropy(given, labels, scale=1.0), ours)
    extreme = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    for label in range(3):
        found = scaled_cross_entropy(extreme, torch.tensor([label]), scale=scale)
        assert found.item() == pytest.approx(scale * (1e4 - extreme[0, label].item()))


def test_cosines_have_the_values_and_gradients_of_two_normalisations():
    inputs = [torch.randn(4, 6, dtype=torch.float64), torch.randn(5, 6, dtype=torch.float64)]
    ours, slow = ([value.clone().requires_grad_() for value in inputs] for _ in range(2))
    mine, other = cosines(*ours), F.normalize(slow[0]) @ F.normalize(slow[1]).T
    assert torch.allclose(mine, other)
    weights = torch.randn(4, 5, dtype=torch.float64)
    for found in (mine, other):
        (found * weights).sum().backward()
    for one, two in zip(ours, slow, strict=True):
        assert torch.allclose(one.grad, two.grad)


@pytest.mark.parametrize("margin", [0.0, 0.3, 0.5, 1.2])
def test_an_angle_is_added(margin):
    cosine = THETA.cos()
    assert torch.allclose(add_angle(cosine, margin), (THETA + margin).cos())
    fits = THETA + margin < math.pi
    linear = torch.where(fits, (THETA + margin).cos(), cosine - margin * math.sin(margin))
    assert torch.allclose(add_angle(cosine, margin, past_pi="linear"), linear)
    assert (linear.diff() < 0).all()
    easy = torch.where(THETA.cos() > 0, (THETA + margin).cos(), cosine)
    assert torch.allclose(add_angle(cosine, margin, past_pi="easy"), easy)
    poles = torch.tensor([1.0, -1.0], requires_grad=True)
    add_angle(poles, margin).sum().backward()
    assert poles.grad.isfinite().all()


def test_sharp_numbers_of_the_web_face_sheet():
    cosine = torch.tensor([[0.8, 0.1]], dtype=torch.float64)
    label = torch.tensor([0])
    assert arcface_logits(cosine, label)[0, 0].item() == pytest.approx(26.5223, abs=1e-4)
    assert cosface_logits(cosine, label, margin=0.4)[0, 0].item() == pytest.approx(25.6)
    filtered = combined_logits(torch.tensor([[0.9, 0.45, 0.1]]), label, margins=(1.0, 0.0, 0.4), filter_above=0.4)
    assert filtered.tolist() == [pytest.approx([32, 0, 6.4], abs=1e-5)]


@pytest.mark.parametrize("margins", [(1.0, 0.5, 0.0), (1.0, 0.0, 0.35), (1.0, 0.3, 0.2), (0.9, 0.4, 0.15)])
def test_combined_margins_act_together(margins):
    times, angle, less = margins
    found = combined_logits(THETA.cos()[:, None], torch.zeros(62, dtype=torch.int64), margins=margins, scale=3.0)
    assert torch.allclose(found[:, 0], 3 * ((times * THETA + angle).cos() - less), atol=1e-7)


def test_psi_falls_all_the_way_and_is_the_cosine_of_the_multiple_at_first():
    for times in (1, 2, 3, 4, 5):
        values = multiply_angle(THETA.cos(), times)
        assert (values.diff() < 0).all()
        first = times * THETA < math.pi
        assert torch.allclose(values[first], (times * THETA[first]).cos())
        ends = multiply_angle(torch.tensor([1.0, -1.0], dtype=torch.float64), times)
        assert ends.tolist() == pytest.approx([1.0, 1.0 - 2 * times])


def test_sphereface_lets_the_margin_in():
    embeddings, labels = batch()
    loss = SphereFaceLoss(6, 5).double()
    cosine = loss.cosine(embeddings)
    want = sphereface_logits(cosine, labels, margin=4, softness=1000.0) * embeddings.norm(dim=1, keepdim=True)
    assert torch.allclose(loss.logits(embeddings, labels), want)
    assert loss.measures()["lambda"] == 1000 and loss.softness == pytest.approx(1000 / 1.12)
    loss.calls.fill_(100_000)
    assert loss.softness == 5
    loss.eval().logits(embeddings, labels)
    assert int(loss.calls) == 100_000


def test_rows_without_a_label_keep_their_cosines():
    cosine = torch.rand(3, 4)
    labels = torch.tensor([2, -1, 0])
    for logits in (arcface_logits, cosface_logits, combined_logits):
        found = logits(cosine, labels, scale=1.0)
        assert torch.equal(found[1], cosine[1]) and (found != cosine).sum() == 2


def test_bad_options_are_refused():
    for make, words in (
        (lambda: add_angle(THETA, 0.5, past_pi="wrap"), "rise, linear, easy"),
        (lambda: ArcFaceLoss(6, 5, scale=0.0), "above 0"),
        (lambda: CombinedMarginLoss(6, 5, margins=(0.0, 0.5, 0.0)), "m1"),
        (lambda: SphereFaceLoss(6, 5, margin=1.5), "whole"),
    ):
        with pytest.raises(UsageError, match=words):
            make()
