"""Whatever is a loss: one number, finite, in full precision, and indifferent to how rows and classes are numbered."""

import copy
import inspect

import pytest

from visavis import registry
from visavis.errors import UsageError

torch = pytest.importorskip("torch")

from visavis.losses.classifier import ClassifierLoss  # noqa: E402
from visavis.losses.head import HeadLoss  # noqa: E402
from visavis.losses.loss import Loss  # noqa: E402
from visavis.losses.normface import NormFaceLoss  # noqa: E402

NAMES = registry.names("loss/*")
KINDS = {name: registry.load(name) for name in NAMES}
HEADS = [name for name, kind in KINDS.items() if issubclass(kind, HeadLoss)]
CLASSIFIERS = [name for name, kind in KINDS.items() if issubclass(kind, ClassifierLoss)]
OF_LABELS = [name for name, kind in KINDS.items() if kind.target != "embedding"]
DIMENSION, CLASSES = 6, 5


def make(name, *, classes=CLASSES, dtype=torch.float32, **options):
    torch.manual_seed(3)
    kind = KINDS[name]
    loss = kind(DIMENSION, classes, **options) if kind.has_classes else kind(**options)
    return loss.to(dtype)


def batch(name, *, dtype=torch.float32, seed=1):
    """Four people with three faces each, and whatever the loss needs besides."""
    generator = torch.Generator().manual_seed(seed)
    first, second = (3 * torch.randn(12, DIMENSION, generator=generator, dtype=torch.float64) for _ in range(2))
    first, second = first.to(dtype), second.to(dtype)
    labels = torch.tensor([0, 1, 2, 4]).repeat(3)
    return {"label": (first, labels), "embedding": (first, second), "both": (first, labels, second)}[KINDS[name].target]


def value(loss, *tensors):
    """The loss at the state it is in, which is left as it was; draws are always the same."""
    before = [buffer.clone() for buffer in loss.buffers()]
    with torch.random.fork_rng():
        torch.manual_seed(5)
        found = loss(*tensors)
    for buffer, held in zip(loss.buffers(), before, strict=True):
        buffer.copy_(held)
    return found


def rows(tensors, index):
    return [tensor[index] for tensor in tensors]


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def test_it_is_one_number_and_everything_gets_a_gradient(name):
    loss, tensors = make(name), batch(name)
    assert isinstance(loss, Loss) and loss.measures() == {}
    inputs = tensors[0].clone().requires_grad_()
    found = loss(inputs, *tensors[1:])
    found.backward()
    assert found.shape == () and found.dtype == torch.float32 and found.isfinite() and found >= 0
    assert inputs.grad.isfinite().all() and inputs.grad.any()
    for parameter in loss.parameters():
        assert parameter.grad.isfinite().all() and parameter.grad.any()
    assert all(isinstance(number, float) for number in loss.measures().values())
    copy.deepcopy(loss)


def test_its_gradient_is_that_of_its_values(name):
    """Heads at fixed norms: some of them use the norm without its gradient."""
    loss, tensors = make(name, dtype=torch.float64), batch(name, dtype=torch.float64)
    if not loss.exact_gradient:
        pytest.skip("some of its weights are detached, as it says")
    norms = tensors[0].norm(dim=1, keepdim=True) if name in HEADS else None

    def of(first, *_):
        first = first if norms is None else norms * torch.nn.functional.normalize(first)
        return value(loss, first, *tensors[1:])

    inputs = (tensors[0].requires_grad_(), *loss.parameters())
    assert torch.autograd.gradcheck(of, inputs, atol=1e-6, fast_mode=True)


@pytest.mark.filterwarnings("ignore:no semi-hard triplet")
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_it_is_finite_where_the_cosine_is_one(name, sign):
    loss, tensors = make(name), list(batch(name))
    if loss.has_classes:
        (weight,) = [part for part in loss.parameters() if part.ndim == 2 and len(part) % CLASSES == 0][:1]
        tensors[0] = sign * 40 * weight.detach().unflatten(0, (CLASSES, -1))[tensors[1], 0]
    elif loss.target == "label":
        tensors[0] = tensors[0][[0]].expand(12, -1) * torch.tensor([1.0, sign]).repeat(6)[:, None]
    else:
        tensors[0] = sign * 2 * tensors[-1]
    inputs = tensors[0].clone().requires_grad_()
    found = loss(inputs, *tensors[1:])
    found.backward()
    assert found.isfinite() and inputs.grad.isfinite().all()
    assert all(part.grad.isfinite().all() for part in loss.parameters())


def test_an_embedding_of_length_zero_is_survived(name):
    loss, tensors = make(name), batch(name)
    inputs = tensors[0].clone()
    inputs[2] = 0
    assert loss(inputs, *tensors[1:]).isfinite()


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_embeddings_that_are_not_finite_are_not_hidden(name, broken):
    loss, tensors = make(name), batch(name)
    tensors[0][4, 2] = broken
    assert not loss(*tensors).isfinite()


@pytest.mark.parametrize("name", HEADS)
def test_a_head_without_margin_is_normface(name):
    kind = KINDS[name]
    if kind.no_margin is None:
        pytest.skip("it says that no options make it NormFace")
    loss, (embeddings, labels) = make(name, **kind.no_margin), batch(name)
    plain = NormFaceLoss(DIMENSION, CLASSES, scale=loss.scale or 1.0)
    want = plain.scale * loss.cosine(embeddings)
    if loss.scale is None:
        want = want * embeddings.norm(dim=1, keepdim=True)
    assert torch.allclose(loss.logits(embeddings, labels), want, atol=1e-4)
    assert float(loss(embeddings, labels).detach()) == pytest.approx(
        float(torch.nn.functional.cross_entropy(want, labels).detach()), abs=1e-4
    )


@pytest.mark.parametrize("name", HEADS)
def test_a_head_in_evaluation_has_no_margin_and_no_state(name):
    loss, (embeddings, labels) = make(name).eval(), batch(name)
    before = copy.deepcopy(loss.state_dict())
    factor = embeddings.norm(dim=1, keepdim=True) if loss.scale is None else loss.scale
    assert torch.allclose(loss.logits(embeddings, labels), factor * loss.cosine(embeddings), atol=1e-5)
    loss(embeddings, labels)
    assert all(torch.equal(before[key], tensor) for key, tensor in loss.state_dict().items())


def test_it_does_not_matter_how_people_are_numbered(name):
    if KINDS[name].target == "embedding":
        pytest.skip("it has no people")
    loss, tensors = make(name, dtype=torch.float64), list(batch(name, dtype=torch.float64))
    before = value(loss, *tensors)
    order = torch.tensor([3, 0, 4, 1, 2])
    with torch.no_grad():
        for tensor in loss.state_dict().values():
            if tensor.ndim and len(tensor) % CLASSES == 0:
                tensor.copy_(tensor.clone().unflatten(0, (CLASSES, -1))[order].flatten(0, 1))
    tensors[1] = order.argsort()[tensors[1]]
    assert float(value(loss, *tensors).detach()) == pytest.approx(float(before.detach()))


def test_it_does_not_matter_how_rows_are_ordered(name):
    loss, tensors = make(name, dtype=torch.float64), batch(name, dtype=torch.float64)
    with torch.random.fork_rng():
        state = copy.deepcopy(loss.state_dict())
        once, again = loss(*tensors), None
        loss.load_state_dict(state)
        again = loss(*tensors)
        loss.load_state_dict(state)
    if not torch.equal(once, again):
        pytest.skip("each row has its own draw")
    order = torch.randperm(12, generator=torch.Generator().manual_seed(2))
    assert float(value(loss, *rows(tensors, order)).detach()) == pytest.approx(float(once.detach()))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_enters_and_full_precision_computes(name, dtype):
    loss, tensors = make(name), batch(name)
    rough = [tensor.to(dtype) if tensor.is_floating_point() else tensor for tensor in tensors]
    want = value(loss, *[tensor.float() if tensor.is_floating_point() else tensor for tensor in rough])
    found = value(loss, *rough)
    assert found.dtype == torch.float32 and torch.equal(found, want)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(value(loss, *rough), want)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_part_of_the_classes_is_a_part_of_the_logits(name, training):
    loss, (embeddings, labels) = make(name, dtype=torch.float64), batch(name, dtype=torch.float64)
    loss.train(training)
    labels[5] = -1
    state = copy.deepcopy(loss.state_dict())

    def logits(classes=None):
        loss.load_state_dict(state)
        with torch.random.fork_rng():
            torch.manual_seed(5)
            return loss.logits(embeddings, labels, classes=classes)

    whole = logits()
    assert whole.shape == (12, CLASSES)
    for part in ([0, 2, 3], [4, 1], [3]):
        assert torch.allclose(logits(torch.tensor(part)), whole[:, part], atol=1e-9)
    for wrong in ([], [0, 0], [5], [-1]):
        with pytest.raises(UsageError, match="class"):
            logits(torch.tensor(wrong, dtype=torch.int64))


@pytest.mark.parametrize("name", OF_LABELS)
def test_rows_without_a_label_do_not_enter(name):
    loss, tensors = make(name, dtype=torch.float64), list(batch(name, dtype=torch.float64))
    tensors[1][[2, 7]] = -1
    known = tensors[1] >= 0
    with_them, without = value(loss, *tensors), value(loss, *rows(tensors, known))
    assert float(with_them.detach()) == pytest.approx(float(without.detach()))
    inputs = tensors[0].clone().requires_grad_()
    nothing = loss(inputs, torch.full_like(tensors[1], -1), *tensors[2:])
    nothing.backward()
    assert float(nothing.detach()) == 0 and not inputs.grad.any()


def test_what_does_not_fit_is_refused(name):
    loss, tensors = make(name), batch(name)
    first, second = tensors[:2]
    wrong = [(first[0], second), (first.long(), second), (first, second[:-1])]
    if loss.target == "embedding":
        wrong += [(first, second[0]), (first, second.long())]
    else:
        wrong += [(first, second.int()), (first, second.float()), (first, second - 2), (first, second[:, None])]
    if loss.has_classes:
        wrong += [(first, second + 1), (first[:, :-1], second)]
    if loss.target == "both":
        wrong += [(first, second, first[:-1]), (first, second, first[:, :-1])]
    for tensors_ in wrong:
        with pytest.raises(UsageError):
            loss(*tensors_, *(tensors[2:] if len(tensors_) == 2 else ()))


def test_its_state_can_be_saved(name):
    loss, tensors = make(name), batch(name)
    for seed in range(3):
        loss(*batch(name, seed=seed))
    other = make(name)
    other.load_state_dict(copy.deepcopy(loss.state_dict()))
    assert torch.equal(value(other, *tensors), value(loss, *tensors))
    assert torch.equal(value(other.eval(), *tensors), value(loss.eval(), *tensors))


def _is_finite_or_wants_more_rows(loss, tensors):
    try:
        return bool(loss(*tensors).isfinite())
    except UsageError as error:
        return "or more in a batch" in str(error)


def test_one_row_and_one_class_have_a_loss_or_a_reason(name):
    loss, tensors = make(name), batch(name)
    assert _is_finite_or_wants_more_rows(loss, rows(tensors, slice(0, 1)))
    if loss.has_classes:
        loss = make(name, classes=1)
        assert loss(tensors[0], torch.zeros_like(tensors[1])).isfinite()
        with pytest.raises(UsageError, match="at least 1"):
            make(name, classes=0)


def test_a_linear_map_learns_from_it(name):
    """Noisy views of five people, of which one direction in two is noise: people part, or the target is reached."""
    loss = make(name)
    generator = torch.Generator().manual_seed(4)
    people = torch.randn(CLASSES, 2 * DIMENSION, generator=generator) * torch.tensor([1.0, 0.0]).repeat(DIMENSION)
    labels = torch.arange(CLASSES).repeat(4)
    views = people[labels] + torch.randn(len(labels), 2 * DIMENSION, generator=generator)
    network = torch.nn.Linear(2 * DIMENSION, DIMENSION)
    wanted = 3 * torch.nn.functional.normalize(torch.randn(CLASSES, DIMENSION, generator=generator))[labels]
    rest = {"label": (labels,), "embedding": (wanted,), "both": (labels, wanted)}[loss.target]

    def parted():
        units = torch.nn.functional.normalize(network(views)).detach()
        same, cosines = labels[:, None] == labels, units @ units.T
        return float(cosines[same].mean() - cosines[~same].mean())

    before, first = parted(), value(loss, network(views), *rest).item()
    optimiser = torch.optim.Adam([*network.parameters(), *loss.parameters()], lr=0.02)
    for _ in range(60):
        optimiser.zero_grad()
        loss(network(views), *rest).backward()
        optimiser.step()
    assert parted() > before + 0.2
    if loss.target == "embedding":
        assert value(loss, network(views), *rest).item() < 0.5 * first


def test_its_docstring_lets_one_write_it_again(name):
    kind = KINDS[name]
    text = inspect.getdoc(kind)
    assert [part for part in ("Equation:", "Paper:", "Paper values:") if f"\n{part}\n" not in text] == []
    taken = set(inspect.signature(kind).parameters)
    own = set(inspect.signature(kind.__init__).parameters) - {"self"} if "__init__" in vars(kind) else set()
    assert taken >= own and [word for word in own if f"\n    {word}: " not in text] == []
