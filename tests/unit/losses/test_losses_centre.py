"""Centre loss: the distance, and the paper's rule for the centres."""

import pytest
import torch
from torch.nn import functional as F

from visavis.errors import UsageError
from visavis.losses.centre import CentreLoss, centre_loss, moved_centres


def test_centres_move_by_the_rule():
    centres = torch.tensor([[0.0, 0.0], [4.0, 0.0], [1.0, 1.0]])
    embeddings, labels = torch.tensor([[2.0, 0.0], [4.0, 6.0], [0.0, 0.0]]), torch.tensor([0, 0, 1])
    moved = moved_centres(embeddings, labels, centres, rate=0.5)
    assert moved.tolist() == [pytest.approx([1.0, 1.0]), pytest.approx([3.0, 0.0]), [1.0, 1.0]]
    assert centre_loss(embeddings, labels, centres).item() == pytest.approx((4 + 52 + 16) / 3 / 2)


def test_training_moves_centres_after_the_loss_and_evaluation_does_not():
    generator = torch.Generator().manual_seed(0)
    embeddings, labels = torch.randn(6, 4, generator=generator), torch.tensor([0, 1, 2, 0, 1, 0])
    loss = CentreLoss(4, 3, weight=0.1)
    loss.centres.normal_(generator=generator)
    begin = loss.centres.clone()
    want = F.cross_entropy(F.linear(embeddings, loss.softmax.weight, loss.softmax.bias), labels)
    want = want + 0.1 * (embeddings - begin[labels]).square().sum(1).mean() / 2
    inputs = embeddings.clone().requires_grad_()
    found = loss(inputs, labels)
    found.backward()
    assert found.item() == pytest.approx(want.item())
    slow = begin.clone()
    for label in range(3):
        mine = embeddings[labels == label]
        slow[label] -= 0.5 * (begin[label] - mine).sum(0) / (1 + len(mine))
    assert torch.allclose(loss.centres, slow)
    loss.eval()(embeddings, labels)
    assert torch.allclose(loss.centres, slow) and "centres" in loss.state_dict()
    for _ in range(200):
        loss.train()(embeddings, labels)
    assert torch.allclose(loss.centres[0], embeddings[labels == 0].mean(0), atol=1e-4)


def test_centres_can_be_left_to_the_optimiser():
    loss = CentreLoss(4, 3, update="gradient")
    before = loss.centres.detach().clone()
    loss(torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 0])).backward()
    assert torch.equal(loss.centres, before) and loss.centres.grad.any()
    alone = CentreLoss(4, 3, weight=2.0, with_softmax=False)
    embeddings, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 0])
    assert alone(embeddings, labels).item() == pytest.approx(embeddings.square().sum(1).mean().item(), rel=1e-5)
    assert not list(alone.parameters())
    with pytest.raises(UsageError, match="paper, gradient"):
        CentreLoss(4, 3, update="none")
