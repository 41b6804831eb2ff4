"""Sub-centre ArcFace against a peer, and the noise that it finds."""

import math

import pytest
import torch
from pytorch_metric_learning import losses as peers

from visavis.errors import UsageError
from visavis.losses.subcentre import SubcentreLoss, clean_rows, dominant_centres


def test_it_is_the_loss_of_a_peer():
    loss = SubcentreLoss(6, 5, centres=3, past_pi="linear").double()
    peer = peers.SubCenterArcFaceLoss(
        num_classes=5, embedding_size=6, margin=math.degrees(0.5), scale=64, sub_centers=3
    ).double()
    peer.W.data = loss.weight.data.T.clone()
    embeddings = torch.randn(8, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 3, 4, 0, 1, 2])
    ours, theirs = loss(embeddings, labels), peer(embeddings, labels)
    ours.backward(), theirs.backward()
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-6)
    assert torch.allclose(loss.weight.grad, peer.W.grad.T, atol=1e-4)


def test_the_cosine_of_a_class_is_that_of_its_nearest_centre():
    loss = SubcentreLoss(4, 3, centres=2)
    embeddings = torch.randn(5, 4)
    slow = torch.nn.functional.cosine_similarity(embeddings[:, None], loss.weight[None], dim=2)
    slow = torch.stack([slow[:, 2 * label : 2 * label + 2].max(1).values for label in range(3)], 1)
    assert torch.allclose(loss.cosine(embeddings), slow, atol=1e-6)


def test_noise_lies_far_from_the_dominant_centre():
    loss = SubcentreLoss(4, 2, centres=2)
    loss.weight.data = torch.eye(4)
    near, labels = torch.eye(4)[[0, 0, 1, 3, 3, 3, 2]], torch.tensor([0, 0, 0, 1, 1, 1, 1])
    own = loss.own_cosines(near, labels)
    assert own.tolist() == [[1, 0], [1, 0], [0, 1], [0, 1], [0, 1], [0, 1], [1, 0]]
    assert dominant_centres(own, labels, classes=2).tolist() == [0, 1]
    assert clean_rows(own, labels, classes=2).tolist() == [True, True, False, True, True, True, False]
    edge = torch.tensor([[math.cos(math.radians(74)), 0.0], [math.cos(math.radians(76)), 0.0]])
    assert clean_rows(edge, torch.zeros(2, dtype=torch.int64), classes=1).tolist() == [True, False]
    with pytest.raises(UsageError, match="label"):
        loss.own_cosines(near, labels - 1)
