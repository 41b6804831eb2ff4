"""The sharded classifier against the loss it is made of, over threads that behave as processes do."""

import copy
import math

import pytest
import torch
from torch.nn import functional as F

from process_group import in_threads
from visavis import registry
from visavis.errors import UsageError
from visavis.losses.arcface import ArcFaceLoss
from visavis.losses.classifier import ClassifierLoss
from visavis.losses.cosface import CosFaceLoss
from visavis.losses.head import HeadLoss
from visavis.losses.sharded import ShardedClassifier
from visavis.losses.softmax import SoftmaxLoss
from visavis.training.active_rows import active_rows
from visavis.training.gather import gather_rows
from visavis.training.shards import shard_of

DIMENSION, CLASSES, ROWS = 6, 10, 8
PLAIN = (ClassifierLoss.compute, HeadLoss.compute)
DRAWN = "elastic"
KINDS = [
    name for name in registry.names("loss/*") if getattr(registry.load(name), "compute", None) in PLAIN
    and DRAWN not in name
]  # fmt: skip


def batch(seed=1):
    generator = torch.Generator().manual_seed(seed)
    embeddings = 3 * torch.randn(ROWS, DIMENSION, generator=generator, dtype=torch.float64)
    return embeddings, torch.tensor([0, 3, 9, 4, 4, 7, 0, 5])


def whole_loss(name, seed=0):
    torch.manual_seed(3)
    loss = registry.load(name)(DIMENSION, CLASSES).double()
    with torch.no_grad():
        loss.weight.copy_(torch.randn(loss.weight.shape, generator=torch.Generator().manual_seed(seed)))
    return loss


def split(loss, group, **options):
    """The same loss, of which this thread holds its classes."""
    made = ShardedClassifier(type(loss), DIMENSION, CLASSES, group=group, **options).double()
    with torch.no_grad():
        for name, shard in made.shards().items():
            own = dict(loss.named_parameters())[name.removeprefix("head.")][shard.start : shard.stop]
            made.get_parameter(name).copy_(own)
    return made


def step(loss, group, embeddings, labels):
    """Loss, gradient of this thread's rows as the average of gradients would have it, and of its centres."""
    rows = slice(group.rank * ROWS // group.size, (group.rank + 1) * ROWS // group.size)
    own = embeddings[rows].clone().requires_grad_()
    value = loss(gather_rows(own, group), gather_rows(labels[rows], group))
    value.backward()
    gradients = {name: parameter.grad for name, parameter in loss.named_parameters()}
    return value.detach(), own.grad / group.size, gradients


def wanted(loss, embeddings, labels):
    inputs = embeddings.clone().requires_grad_()
    value = loss(inputs, labels)
    value.backward()
    return value.detach(), inputs.grad, {name: parameter.grad for name, parameter in loss.named_parameters()}


@pytest.mark.parametrize(("classes", "sizes", "starts"), [(10, [4, 3, 3], [0, 4, 7]), (7, [2, 2, 2, 1], [0, 2, 4, 6])])
def test_classes_are_split_as_in_partial_fc(classes, sizes, starts):
    shards = [shard_of(classes, rank=rank, size=len(sizes)) for rank in range(len(sizes))]
    assert [len(shard) for shard in shards] == sizes and [shard.start for shard in shards] == starts
    with pytest.raises(UsageError, match="3 classes cannot be split over 4"):
        shard_of(3, rank=0, size=4)


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("name", KINDS)
def test_the_parts_together_are_the_loss_and_its_gradient(name, size):
    embeddings, labels = batch()
    labels[2] = -1
    loss = whole_loss(name)
    found = in_threads(lambda group: step(split(loss, group), group, embeddings, labels), size)
    value, gradient, centres = wanted(copy.deepcopy(loss), embeddings, labels)
    for part in found:
        assert float(part[0]) == pytest.approx(float(value), abs=1e-9)
    torch.testing.assert_close(torch.cat([part[1] for part in found]), gradient, atol=1e-9, rtol=1e-7)
    for key, one in centres.items():
        torch.testing.assert_close(torch.cat([part[2][f"head.{key}"] for part in found]), one, atol=1e-9, rtol=1e-7)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_softmax_is_that_of_torch_in_single_precision(size):
    embeddings, labels = batch()
    embeddings, loss = embeddings.float(), whole_loss("loss/softmax").float()
    found = in_threads(lambda group: step(split(loss, group).float(), group, embeddings, labels), size)
    inputs = embeddings.clone().requires_grad_()
    value = F.cross_entropy(inputs @ loss.weight.T + loss.bias, labels)
    value.backward()
    assert all(float(part[0]) == pytest.approx(float(value.detach()), abs=1e-6) for part in found)
    torch.testing.assert_close(torch.cat([part[1] for part in found]), inputs.grad, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        torch.cat([part[2]["head.weight"] for part in found]), loss.weight.grad, atol=1e-5, rtol=0
    )


def test_one_process_that_scores_all_classes_is_the_plain_head_bit_for_bit():
    embeddings, labels = batch()
    loss = whole_loss("loss/arcface").float()
    (found,) = in_threads(lambda group: step(split(loss, group).float(), group, embeddings.float(), labels), 1)
    value, gradient, centres = wanted(loss, embeddings.float(), labels)
    assert torch.equal(found[0], value) and torch.equal(found[1], gradient)
    assert torch.equal(found[2]["head.weight"], centres["weight"])


def test_the_margins_are_those_of_the_papers_and_the_filter_spares_the_target():
    row = torch.tensor([[0.8, 0.1]])
    label = torch.tensor([0])
    for kind, want in ((ArcFaceLoss, 64 * math.cos(math.acos(0.8) + 0.5)), (CosFaceLoss, 64 * (0.8 - 0.4))):
        options = {"margin": 0.5 if kind is ArcFaceLoss else 0.4}
        made = ShardedClassifier(kind, 2, 2, options=options)
        made.head.weight.data = torch.eye(2)
        embedding = torch.stack([row[0, 0], (1 - row[0, 0] ** 2).sqrt()])[None]
        values, columns = made._margin_cosines(embedding, label, None)
        assert columns.tolist() == [0] and 64 * values[0, 0].item() == pytest.approx(want, abs=1e-3)
    made = ShardedClassifier(CosFaceLoss, 3, 3, options={"margin": 0.4}, filter_above=0.4)
    cosines = torch.tensor([[0.9, 0.45, 0.1]])
    made.head.cosine = lambda embeddings, classes=None: cosines
    values, _ = made._margin_cosines(torch.ones(1, 3), label, None)
    torch.testing.assert_close(64 * values, torch.tensor([[32.0, 0.0, 6.4]]))


@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_sample_holds_all_positives_and_exactly_its_share(size):
    labels = torch.tensor([0, 33, 90, 41, 41, 7, 0, 55])

    def work(group):
        made = ShardedClassifier(CosFaceLoss, DIMENSION, 100, group=group, sample_rate=0.3)
        local = (labels - made.shard.start).where((labels >= made.shard.start) & (labels < made.shard.stop), -1)
        return made.sampled(local), local, len(made.shard)

    for rows, local, count in in_threads(work, size):
        assert len(rows) == int(0.3 * count) and rows.tolist() == sorted(set(rows.tolist()))
        assert set(local[local >= 0].tolist()) <= set(rows.tolist())


def test_more_positives_than_the_sample_are_scored_alone():
    made = ShardedClassifier(CosFaceLoss, DIMENSION, 100, sample_rate=0.01)
    local = torch.tensor([5, 1, 5, 80, 2])
    assert made.sampled(local).tolist() == [1, 2, 5, 80]
    assert len(made.sampled(torch.full((4,), -1))) == 1
    value = made(torch.randn(5, DIMENSION), local)
    value.backward()
    assert value.isfinite() and made.head.weight.grad._indices()[0].tolist() == [1, 2, 5, 80]


def test_a_sample_is_the_softmax_over_its_columns_in_all_processes():
    embeddings, labels = batch()
    loss = whole_loss("loss/cosface")

    def work(group):
        made = split(loss, group, sample_rate=0.5)
        drawn = []
        sampled = made.sampled
        made.sampled = lambda local: drawn.append(sampled(local)) or drawn[0]
        return (*step(made, group, embeddings, labels), drawn[0] + made.shard.start)

    found = in_threads(work, 2)
    columns = torch.cat([part[3] for part in found])
    value = F.cross_entropy(
        loss.logits(embeddings, labels)[:, columns], torch.searchsorted(columns, labels)
    )  # fmt: skip
    assert len(columns) < CLASSES and all(float(part[0]) == pytest.approx(float(value.detach())) for part in found)


@pytest.mark.parametrize(
    "optimiser",
    [lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.01), lambda p: torch.optim.AdamW(p, 0.1)],
)
def test_rows_that_were_not_sampled_keep_value_and_moments(optimiser):
    """Against a parameter for each row, which only gets a step when its row is sampled."""
    torch.manual_seed(0)
    table = torch.nn.Parameter(torch.randn(6, 3))
    alone = [torch.nn.Parameter(row.clone()[None]) for row in table.detach()]
    moved, single = optimiser([table]), [optimiser([row]) for row in alone]
    for rows in ([1, 3, 4], [1, 3, 4], [0, 1, 5]):
        gradient = torch.randn(3, 3)
        table.grad = torch.sparse_coo_tensor([rows], gradient, table.shape, check_invariants=True)
        with active_rows(moved) as stand_ins:
            assert stand_ins[table].shape == (3, 3)
            moved.step()
        assert moved.param_groups[0]["params"] == [table] and len(moved.state) == 1
        for row, values in zip(rows, gradient, strict=True):
            alone[row].grad = values[None].clone()
            if "exp_avg" in moved.state[table] and row in (0, 5):  # the count of steps is that of the table
                single[row].state[alone[row]] = {"step": torch.tensor(2.0), "exp_avg": torch.zeros(1, 3),
                                                 "exp_avg_sq": torch.zeros(1, 3)}  # fmt: skip
            single[row].step()
    torch.testing.assert_close(table.detach(), torch.cat([row.detach() for row in alone]))


def test_a_class_begins_with_the_same_centre_in_any_split():
    def work(group):
        return ShardedClassifier(CosFaceLoss, 2, 9000, group=group, seed=5).head.weight.detach()

    (one,) = in_threads(work, 1)
    for size in (2, 3):
        assert torch.equal(torch.cat(in_threads(work, size)), one)
    assert float(one.std()) == pytest.approx(0.01, rel=0.03) and not torch.equal(one[:4096], one[4096:8192])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("loss/centre", {}, "cannot be split"),
        ("loss/bootstrap", {}, "cannot be split"),
        ("loss/unpg", {}, "cannot be split"),
        ("loss/softmax", {"filter_above": 0.4}, "SoftmaxLoss has none"),
        ("loss/cosface", {"sample_rate": 0.0}, "above 0"),
        ("loss/cosface", {"sample_rate": 1.5}, "at most 1"),
    ],
)
def test_what_cannot_be_split_or_sampled_is_refused(name, options, message):
    with pytest.raises(UsageError, match=message):
        ShardedClassifier(registry.load(name), DIMENSION, CLASSES, **options)


def test_the_softmax_has_a_bias_in_parts_too():
    made = ShardedClassifier(SoftmaxLoss, DIMENSION, CLASSES, sample_rate=0.5)
    made(torch.randn(ROWS, DIMENSION), batch()[1]).backward()
    assert made.head.bias.grad.is_sparse and set(made.shards()) == {"head.weight", "head.bias"}
