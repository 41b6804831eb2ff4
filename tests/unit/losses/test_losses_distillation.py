"""What a student should share with its teacher."""

import math

import pytest
import torch

from visavis.errors import UsageError
from visavis.losses.distillation import DistillationLoss


def pair(rows=5, dimension=6):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(rows, dimension, generator=generator, dtype=torch.float64) for _ in range(2)]


@pytest.mark.parametrize("match", ["cosine", "euclidean", "relational"])
def test_it_is_zero_for_the_teacher_and_gives_the_teacher_no_gradient(match):
    student, teacher = pair()
    teacher.requires_grad_()
    student.requires_grad_()
    loss = DistillationLoss(match=match)
    assert loss(teacher.detach(), teacher).item() == pytest.approx(0, abs=1e-9)
    loss(student, teacher).backward()
    assert student.grad.any() and teacher.grad is None


def test_direction_and_differences():
    student, teacher = pair()
    cosines = [float(a @ b / (a.norm() * b.norm())) for a, b in zip(student, teacher, strict=True)]
    assert DistillationLoss()(student, teacher).item() == pytest.approx(1 - sum(cosines) / 5)
    assert DistillationLoss()(student, 7 * student).item() == pytest.approx(0, abs=1e-9)
    squares = [float(((a - b) ** 2).sum()) / 6 for a, b in zip(student, teacher, strict=True)]
    assert DistillationLoss(match="euclidean")(student, teacher).item() == pytest.approx(sum(squares) / 5)


def test_relations_do_not_know_length_rotation_or_dimension():
    student, teacher = pair()
    loss = DistillationLoss(match="relational")
    wide = torch.linalg.qr(torch.randn(9, 9, dtype=torch.float64)).Q[:6]
    assert loss(student, 3 * student @ wide).item() == pytest.approx(0, abs=1e-9)
    relations = []
    for values in (student, teacher):
        units = values / values.norm(dim=1, keepdim=True)
        apart = {(i, j): float((units[i] - units[j]).norm()) for i in range(5) for j in range(5) if i != j}
        mean = sum(apart.values()) / 20
        relations.append({key: value / mean for key, value in apart.items()})
    gaps = [abs(relations[0][key] - relations[1][key]) for key in relations[0]]
    want = sum(gap**2 / 2 if gap < 1 else gap - 0.5 for gap in gaps) / 20
    assert loss(student, teacher).item() == pytest.approx(want)


def test_the_own_target_is_told_from_those_of_other_rows():
    student, teacher = pair()
    loss = DistillationLoss(match="contrastive", scale=3.0)
    cosines = [[float(a @ b / (a.norm() * b.norm())) for b in teacher] for a in student]
    rows = [-math.log(math.exp(3 * line[n]) / sum(math.exp(3 * one) for one in line)) for n, line in enumerate(cosines)]
    assert loss(student, teacher).item() == pytest.approx(sum(rows) / 5)
    nearest = sum(max(range(5), key=line.__getitem__) == n for n, line in enumerate(cosines)) / 5
    assert loss.measures()["nearest"] == pytest.approx(nearest)
    apart = torch.eye(6, dtype=torch.float64)[:5]
    assert loss(apart, apart).item() == pytest.approx(math.log(math.exp(3) + 4) - 3)


def test_what_does_not_fit_is_refused():
    student, teacher = pair()
    with pytest.raises(UsageError, match="cosine, euclidean, relational, contrastive"):
        DistillationLoss(match="angle")
    with pytest.raises(UsageError, match="above 0"):
        DistillationLoss(match="contrastive", scale=0)
    with pytest.raises(UsageError, match="like the embeddings"):
        DistillationLoss()(student, teacher[:, :4])
    with pytest.raises(UsageError, match="two rows"):
        DistillationLoss(match="relational")(student[:1], teacher[:1])
