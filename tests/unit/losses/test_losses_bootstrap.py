"""Bootstrapped targets, and relabelling of whole lists."""

import math

import pytest
import torch
from torch.nn import functional as F

from visavis.errors import UsageError
from visavis.losses.bootstrap import BootstrapLoss, bootstrap_loss
from visavis.losses.relabel import DROPPED, KEPT, RELABELLED, relabel, relabel_predicted

ROWS = torch.tensor([[0.8, 0.1, 0.1], [0.5, 0.4, 0.1], [0.1, 0.85, 0.05]])
LABELS = torch.tensor([1, 1, 1])


@pytest.mark.parametrize(("mode", "trust"), [("hard", 0.8), ("soft", 0.95)])
def test_the_target_lies_between_label_and_belief(mode, trust):
    logits, labels = torch.randn(5, 4, dtype=torch.float64), torch.tensor([0, 3, 1, 1, 2])
    terms = []
    for row, label in zip(logits.softmax(1).tolist(), labels.tolist(), strict=True):
        belief = row if mode == "soft" else [float(share == max(row)) for share in row]
        target = [trust * (k == label) + (1 - trust) * share for k, share in enumerate(belief)]
        terms.append(-sum(t * math.log(q) for t, q in zip(target, row, strict=True)))
    assert bootstrap_loss(logits, labels, trust=trust, mode=mode).item() == pytest.approx(sum(terms) / 5)
    assert torch.autograd.gradcheck(
        lambda values: bootstrap_loss(values, labels, trust=trust, mode=mode), logits.requires_grad_()
    )
    assert BootstrapLoss(6, 4, mode=mode).trust == trust


def test_full_trust_and_evaluation_are_cross_entropy():
    logits, labels = torch.randn(5, 4), torch.tensor([0, 3, 1, 1, 2])
    for mode in ("hard", "soft"):
        found = bootstrap_loss(logits, labels, trust=1.0, mode=mode)
        assert found.item() == pytest.approx(F.cross_entropy(logits, labels).item())
    loss, embeddings = BootstrapLoss(6, 4).eval(), torch.randn(5, 6)
    want = F.cross_entropy(loss.logits(embeddings, labels), labels)
    assert loss(embeddings, labels).item() == pytest.approx(want.item())
    assert loss.train()(embeddings, labels).item() < want.item()


def test_sure_predictions_replace_labels_and_unsure_rows_go():
    found = relabel(ROWS, LABELS)
    assert found.actions.tolist() == [RELABELLED, DROPPED, KEPT]
    assert found.labels.tolist() == [0, -1, 1]
    assert found.confidences.tolist() == pytest.approx([0.8, 0.5, 0.85]) and found.kept == pytest.approx(2 / 3)
    order = torch.tensor([2, 0, 1])
    assert relabel(ROWS[order], LABELS).actions.tolist() == [KEPT, RELABELLED, DROPPED]


def test_counts_add_up_and_everything_is_kept_at_threshold_0():
    probabilities = torch.randn(200, 5).softmax(1)
    labels = torch.randint(0, 5, (200,))
    found = relabel(probabilities, labels, threshold=0.3)
    assert sum(int((found.actions == action).sum()) for action in (KEPT, RELABELLED, DROPPED)) == 200
    assert ((found.labels == -1) == (found.actions == DROPPED)).all()
    assert ((found.labels == labels) == (found.actions == KEPT)).all()
    everything = relabel(probabilities, labels, threshold=0.0)
    assert torch.equal(everything.labels, probabilities.argmax(1)) and everything.kept == 1


def test_a_floor_keeps_labels_that_are_not_unlikely():
    assert relabel(ROWS, LABELS, floor=0.01).actions.tolist() == [RELABELLED, KEPT, KEPT]
    assert relabel(ROWS, torch.tensor([1, 2, 1]), floor=0.2).actions.tolist() == [RELABELLED, DROPPED, KEPT]
    assert relabel(ROWS, torch.tensor([1, -1, 1]), floor=0.0).actions.tolist() == [RELABELLED, DROPPED, KEPT]


def test_small_classes_go_and_labels_close_up():
    probabilities = torch.eye(4)[[3, 3, 1, 2, 2, 2]]
    found = relabel(probabilities, torch.tensor([3, 3, 1, 2, 2, 0]), least=2)
    assert found.labels.tolist() == [3, 3, -1, 2, 2, 2]
    compact, classes = found.compact()
    assert compact.tolist() == [1, 1, -1, 0, 0, 0] and classes.tolist() == [2, 3]


def test_a_network_that_is_not_sure_enough_is_told():
    with pytest.warns(UserWarning, match="33%"):
        relabel(ROWS, LABELS, threshold=0.84)
    for wrong in (
        lambda: relabel(ROWS, LABELS[:2]),
        lambda: relabel(ROWS, LABELS + 2),
        lambda: relabel(ROWS[:0], LABELS[:0]),
        lambda: relabel(ROWS, LABELS, threshold=1.2),
        lambda: relabel(ROWS, LABELS, least=0),
        lambda: BootstrapLoss(6, 4, mode="online"),
        lambda: BootstrapLoss(6, 4, trust=1.5),
        lambda: bootstrap_loss(ROWS, LABELS, mode="online"),
    ):
        with pytest.raises(UsageError):
            wrong()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1.2, -0.2])
def test_what_is_no_probability_is_refused_and_not_taken_as_sure(value):
    rows = ROWS.clone()
    rows[1, 2] = value
    with pytest.raises(UsageError, match=r"1 of 3 rows are not, the first is row 1 with"):
        relabel(rows, LABELS)
    sound = torch.tensor([0.8, 0.5, 0.85])
    column = torch.where(torch.arange(3) == 1, value, sound)
    for confidences, own in ((column, sound), (sound, column)):
        with pytest.raises(UsageError, match="finite and in"):
            relabel_predicted(torch.tensor([0, 0, 1]), confidences, own, LABELS)


def test_probabilities_in_half_precision_are_accepted():
    rows = torch.tensor([[30.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 20.0, 0.0]], dtype=torch.bfloat16).softmax(1)
    assert relabel(rows, LABELS).actions.tolist() == [RELABELLED, DROPPED, KEPT]
