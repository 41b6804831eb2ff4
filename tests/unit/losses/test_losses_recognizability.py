"""Recognizability against the numbers of its fact sheet, and against what must not change it."""

import math

import pytest
import torch
from torch.nn import functional as F

from visavis.errors import UsageError
from visavis.losses.index_diversion import index_diversion
from visavis.losses.perceptibility import PerceptibilityLoss
from visavis.losses.recognizability import Proximities, proximities, recognizability_index, unrecognisable_centre
from visavis.losses.rejection import RejectionLoss, without_direction


def index(v, prototypes, centre, labels=(0,), **options):
    v, w, u = (torch.tensor(one, dtype=torch.float64) for one in (v, prototypes, centre))
    units = F.normalize(v)
    near = proximities(units @ F.normalize(w).T, torch.tensor(labels), units @ F.normalize(u, dim=0))
    return recognizability_index(near, **options)


def random_case(seed=0, rows=6, classes=5, dimension=8):
    generator = torch.Generator().manual_seed(seed)
    v, w, u = (torch.randn(*shape, generator=generator) for shape in ((rows, dimension), (classes, dimension), (8,)))
    return v.tolist(), w.tolist(), u.tolist(), tuple(range(classes)) + (0,) * (rows - classes)


def test_the_sheet_by_hand():
    assert index([[1.0, 0.0]], [[1.0, 0], [0, 1.0]], [-1.0, 0]).item() == pytest.approx(2000)
    # v = u: nothing is left
    assert index([[0.6, 0.8]], [[1.0, 0], [0, 1.0]], [0.6, 0.8]).item() == pytest.approx(0, abs=1e-12)
    near = proximities(torch.tensor([[0.5, 0.2, -0.3]]), torch.tensor([0]), torch.tensor([0.1]))
    assert recognizability_index(near).item() == pytest.approx(1.437126, abs=1e-6)


def test_length_and_rotation_do_not_matter():
    v, w, u, labels = random_case()
    plain = index(v, w, u, labels)
    turn = torch.linalg.qr(torch.randn(8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))[0]

    def turned(values, times):
        return (times * torch.tensor(values, dtype=torch.float64) @ turn).tolist()

    torch.testing.assert_close(index(turned(v, 3.0), turned(w, 0.1), turned(u, 7.0), labels), plain, atol=1e-6, rtol=0)


def test_it_rises_with_two_distances_and_falls_with_one():
    def of(own, others, away):
        return recognizability_index(Proximities(*(torch.tensor([one]) for one in (own, others, away)))).item()

    assert of(0.5, 0.8, 0.9) < of(0.5, 0.81, 0.9) and of(0.5, 0.8, 0.9) < of(0.5, 0.8, 0.91)
    assert of(0.5, 0.8, 0.9) > of(0.51, 0.8, 0.9)


def test_a_slow_count_gives_the_same():
    v, w, u, labels = random_case(seed=3)

    def cosine(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))

    wanted = []
    for row, label in zip(v, labels, strict=True):
        others = max(cosine(row, w[j]) for j in range(len(w)) if j != label)
        wanted.append(max(0.0, (1 - cosine(row, u)) * (1 - others) / (1 - cosine(row, w[label]) + 1e-3)))
    assert index(v, w, u, labels).tolist() == pytest.approx(wanted, rel=1e-6)


def test_no_gradient_and_what_bounds_it():
    cosine = torch.tensor([[0.999, 0.1]], requires_grad=True)
    near = proximities(cosine, torch.tensor([0]), torch.tensor([-1.0]))
    plain = recognizability_index(near)
    assert not plain.requires_grad and plain.item() > 500
    assert recognizability_index(near, limit=10.0).item() == 10
    assert recognizability_index(near, limit=1.0, squash="tanh").item() == pytest.approx(math.tanh(1.0))
    broken = proximities(torch.full((1, 2), torch.nan), torch.tensor([0]), torch.tensor([0.0]))
    assert recognizability_index(broken).isnan().all()  # told by the engine, with its batch


@pytest.mark.parametrize(
    ("cosine", "labels", "told"),
    [
        (torch.zeros(2, 1), [0, 0], "two classes"),
        (torch.zeros(2, 3), [0, 3], "labels are 0..2"),
        (torch.zeros(2, 3), [0, -1], "with a class"),
    ],
)
def test_what_has_no_index_is_refused(cosine, labels, told):
    with pytest.raises(UsageError, match=told):
        proximities(cosine, torch.tensor(labels), torch.zeros(2))


def test_options_out_of_range_are_refused():
    near = Proximities(*(torch.ones(1),) * 3)
    for wrong in ({"eps": 0.0}, {"limit": -1.0}, {"squash": "sigmoid"}):
        with pytest.raises(UsageError):
            recognizability_index(near, **wrong)
    for wrong in ({"tau": 0.0}, {"floor": 0.0}):
        with pytest.raises(UsageError):
            index_diversion(torch.ones(2), 0.0, 1.0, **wrong)
    with pytest.raises(UsageError, match="beta"):
        PerceptibilityLoss(beta=0.0)


def test_the_centre_is_the_mean_direction_whatever_the_lengths():
    found = unrecognisable_centre(torch.tensor([[5.0, 0.0], [0.0, 0.1]]))
    torch.testing.assert_close(found, torch.tensor([0.5**0.5, 0.5**0.5]))
    for wrong in (torch.empty(0, 2), torch.tensor([[torch.nan, 1.0]]), torch.tensor([[1.0, 0.0], [-2.0, 0.0]])):
        with pytest.raises(UsageError):
            unrecognisable_centre(wrong)


def test_what_is_left_without_the_unrecognisable_is_orthogonal_and_of_unit_length():
    generator = torch.Generator().manual_seed(0)
    v, u = torch.randn(50, 16, generator=generator), torch.randn(16, generator=generator)
    left, parallel = without_direction(v, 3 * u)
    assert (left @ F.normalize(u, dim=0)).abs().max() < 1e-6 and not parallel.any()
    torch.testing.assert_close(left.norm(dim=1), torch.ones(50))


def test_an_embedding_that_is_all_unrecognisable_is_flagged_and_does_not_enter():
    u = torch.tensor([0.6, 0.8, 0.0])
    target = torch.stack([2 * u, -u, torch.tensor([0.0, 0.0, 3.0])])
    left, parallel = without_direction(target, u)
    assert parallel.tolist() == [True, True, False] and not left[:2].any()
    given = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 5]], requires_grad=True)
    assert RejectionLoss(u)(given, target).item() == pytest.approx(0)
    assert RejectionLoss(u)(given[:2], target[:2]).item() == 0
    given = torch.tensor([[0.0, 0, 1], [0, 0, 1], [1, 0, 0]])
    assert RejectionLoss(u)(given, target).item() == pytest.approx(2)  # the third alone, at a right angle
    for wrong in (torch.zeros(3), torch.zeros(4)):
        with pytest.raises(UsageError):
            without_direction(target, wrong)


def test_the_diversion_asks_hard_rows_alone():
    scores = torch.tensor([-1.0, 2.0, 5.0], requires_grad=True)
    loss = index_diversion(scores, 0.0, 1.0)
    loss.backward()
    assert loss.item() == pytest.approx(5 / 3, abs=1e-4)
    torch.testing.assert_close(scores.grad, torch.tensor([-1 / 3, -1 / 3, 0.0]))
    assert scores.grad[2] == 0
    mean, deviation = torch.tensor(1.0, requires_grad=True), torch.tensor(2.0, requires_grad=True)
    assert index_diversion(scores.detach(), mean, deviation).item() == pytest.approx((4 + 2.5 + 1) / 3)
    # unrecognisable images that are all alike: the deviation has a floor
    assert index_diversion(torch.tensor([0.001]), 0.0, 0.0).item() == pytest.approx(2)
    with pytest.raises(UsageError):
        index_diversion(torch.empty(0), 0.0, 1.0)


def test_the_regression_is_smooth_and_then_straight():
    loss = PerceptibilityLoss()
    assert loss(torch.tensor([[0.3]]), torch.tensor([[0.0]])).item() == pytest.approx(0.06)
    assert loss(torch.tensor([[0.0]]), torch.tensor([[2.0]])).item() == pytest.approx(1.625)
    target = torch.tensor([[2.0]], requires_grad=True)
    loss(torch.tensor([[0.0]], requires_grad=True), target).backward()
    assert target.grad is None
