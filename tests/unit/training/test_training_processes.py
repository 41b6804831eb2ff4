"""Two processes over gloo against one: weights, losses, validation, averages, failures."""

import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from process_group import in_threads, start, together
from visavis.errors import NonFiniteError, ProcessError, UsageError
from visavis.nn.layers.synchronised_norm import synchronised
from visavis.training.batches import DrawnBatches, share_of, shared
from visavis.training.engine import train
from visavis.training.gather import gather_rows
from visavis.training.gradients import average_gradients, spread_infinity, total_norm
from visavis.training.group import announced_size, own_device
from visavis.training.non_finite import require_finite_gradient
from visavis.training.optimisers import AdamW, Sgd
from visavis.training.schedules import Constant
from visavis.training.settings import MovingAverage, Settings, Watch
from visavis.training.task import Phase, Task

CHOSEN = Settings(
    steps=25,
    optimisers={
        "body": Sgd(rate=0.05, clip=0.5, schedule=Constant()),
        "*": AdamW(rate=0.01, schedule=Constant()),
    },
    accumulate=2,
    average=MovingAverage(0.9),
    watch=Watch("size", highest=False, patience=3),
    evaluate_every=1.0,
    log_every=1,
    tensorboard=False,
    threads=1,
)


def draw(rng):
    pixels, wanted = rng.normal(size=(8, 3, 6, 6)), rng.normal(size=(8, 4))
    return {"x": torch.tensor(pixels, dtype=torch.float32), "y": torch.tensor(wanted, dtype=torch.float32), "name": "a"}


class Net(Task):
    """Convolutions and normalisations in two phases, with a loss that compares all rows of the batch."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.PReLU(), nn.Flatten(), nn.Linear(64, 4))
        self.last = nn.Sequential(nn.BatchNorm1d(4, affine=False), nn.Linear(4, 4))

    def parameter_groups(self):
        return {"body": list(self.body.parameters()), "last": list(self.last.parameters())}

    def order(self):
        return (Phase("both", ("body", "last")), Phase("again", ("last",), every=2))

    def step(self, batch, state):
        value = self.last(self.body(batch["x"]))
        whole = gather_rows(value, state.group)
        with state.common_randomness():
            weights = torch.rand(len(whole), len(whole))
        spread = ((whole @ whole.T).square() * weights).mean()
        return {"square": (value - batch["y"]).square().mean(), "spread": 0.01 * spread}

    def validate(self, batch):
        return {"size": float(self.last(self.body(batch["x"])).abs().mean())}

    def describe(self, batch):
        return {"rows": len(batch["x"])}


def run(rank, out, *, changed=None, resume=False, stop=None):
    task, losses = Net(), []

    def observe(report):
        losses.append(dict(report.losses))
        if report.step == stop:
            raise KeyboardInterrupt

    validation = [draw(np.random.default_rng(number)) for number in range(3)]
    try:
        outcome = train(
            task, DrawnBatches(draw, 20), changed or CHOSEN, out=out, validation=validation, observe=observe,
            resume=resume,
        )  # fmt: skip
        told = (outcome.ended, outcome.step, dict(outcome.evaluation))
    except KeyboardInterrupt:
        told = None
    return losses, {name: value.numpy() for name, value in task.state_dict().items()}, told


SHORT = replace(CHOSEN, steps=12, checkpoint_every=4, watch=None)


def _work(rank, folder):
    """All that two processes do from the start, in one start of them."""
    return {
        "whole": run(rank, folder / "two"),
        "stopped": run(rank, folder / "stopped", changed=SHORT, stop=6),
        "poisoned": _poisoned(rank, folder / "poisoned"),
    }


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """What two processes made, and where."""
    folder = tmp_path_factory.mktemp("pair")
    return together(_work, 2, folder, folder), folder


def test_two_processes_train_as_one_does(pair):
    """Phases, accumulation, clipping, batch normalisation, a moving average, validation and what it decides."""
    tmp_path = pair[1]
    one = run(0, tmp_path / "one")
    first, second = (told["whole"] for told in pair[0])
    assert [len(one[0]), one[2][:2]] == [len(first[0]), first[2][:2]] and first[2] == second[2]
    for single, several, other in zip(one[0], first[0], second[0], strict=True):
        assert several == other and single.keys() == several.keys()
        assert single == pytest.approx(several, abs=1e-5)
    for name, value in one[1].items():
        np.testing.assert_allclose(first[1][name], value, atol=1e-5)
        assert np.array_equal(first[1][name], second[1][name])
    assert one[2][2] == pytest.approx(first[2][2], abs=1e-5)
    files = [sorted(path.name for path in (tmp_path / name).rglob("*") if path.is_file()) for name in ("one", "two")]
    assert files[0] == files[1]
    logs = [(tmp_path / name / "log.csv").read_text().count("\n") for name in ("one", "two")]
    assert logs[0] == logs[1]


def test_a_run_of_two_goes_on_in_one_and_back(pair, tmp_path):
    whole = run(0, tmp_path / "one", changed=SHORT)
    alone = run(0, pair[1] / "stopped", changed=SHORT, resume=True, stop=9)
    back, _ = together(_resumed, 2, tmp_path, pair[1] / "stopped")
    assert len(alone[0]) == 5 and len(back[0]) == 4  # from the checkpoints after 4 and 8 steps
    for name, value in whole[1].items():
        np.testing.assert_allclose(back[1][name], value, atol=1e-5)


def _resumed(rank, out):
    return run(rank, out, changed=SHORT, resume=True)


class Poisoned(Net):
    """One process meets a value that is no number."""

    def step(self, batch, state):
        losses = super().step(batch, state)
        if state.step == 2 and state.group.rank == 1:
            losses["square"] = losses["square"] * float("nan")
        return losses


def _poisoned(rank, out):
    try:
        train(Poisoned(), DrawnBatches(draw, 20), CHOSEN, out=out, validation=[draw(np.random.default_rng(0))])
    except NonFiniteError as error:
        return "first", error.message
    except ProcessError as error:
        return "told" if error.told else "lost", error.message


def test_a_number_that_is_none_in_one_process_stops_all_with_one_report(pair):
    first, second = (told["poisoned"] for told in pair[0])
    assert first[0] == "first" and "in step 2 the loss is not finite (square is nan)" in first[1]
    assert second[0] == "told" and second[1] == f"process 0 of the run failed: {first[1]}"
    kept = torch.load(pair[1] / "poisoned" / "non-finite-step-000000002.pt", weights_only=True)
    assert [len(part["x"]) for part in kept["batches"]] == [4, 4]


def _endless(rank, out):
    chosen = replace(CHOSEN, steps=100_000, watch=None, evaluate_every=None, checkpoint_every=5)
    try:
        train(Net(), DrawnBatches(draw, 20), chosen, out=out)
    except ProcessError as error:
        return error.message
    except KeyboardInterrupt:
        return "interrupted"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_process_that_is_gone_or_interrupted_ends_the_others(tmp_path, number):
    processes, queue = start(_endless, 2, tmp_path, tmp_path / "run")
    folder = tmp_path / "run" / "checkpoints"
    deadline = time.monotonic() + 60
    while not list(folder.glob("step-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(processes[1].pid, number)
    processes[0].join(20)
    assert not processes[0].is_alive()
    told = []
    while not queue.empty():
        told.append(queue.get()[1])
    if number == signal.SIGKILL:
        assert len(told) == 1 and "process 0 of 2 lost another one" in told[0] and "Go on from step" in told[0]
    else:
        assert told == ["interrupted", "interrupted"]
    processes[1].join(20)


def test_the_normalisation_is_torchs_over_all_rows_with_its_gradient():
    generator = torch.Generator().manual_seed(0)
    values = 3 + 2 * torch.randn(9, 5, 3, 2, generator=generator, dtype=torch.float64)
    slope = torch.randn(9, 5, 3, 2, generator=generator, dtype=torch.float64)
    parts = [slice(0, 2), slice(2, 3), slice(3, 9)]

    def layer(momentum):
        made = nn.Sequential(nn.BatchNorm2d(5, momentum=momentum)).double()
        own = torch.Generator().manual_seed(1)  # threads share the global one
        with torch.no_grad():
            made[0].weight.uniform_(0.5, 2.0, generator=own)
            made[0].bias.uniform_(generator=own)
        return made

    for momentum in (0.1, None):
        plain, whole = layer(momentum), values.clone().requires_grad_()
        (plain(whole) * slope).sum().backward()

        def work(group, momentum=momentum):
            made, own = layer(momentum), values[parts[group.rank]].clone().requires_grad_()
            with synchronised(made, group):
                (made(own) * slope[parts[group.rank]]).sum().backward()
            assert type(made[0]) is nn.BatchNorm2d
            return made, own.grad

        found = in_threads(work, 3)
        torch.testing.assert_close(torch.cat([gradient for _, gradient in found]), whole.grad)
        for made, _ in found:
            for name, buffer in plain.state_dict().items():
                torch.testing.assert_close(made.state_dict()[name], buffer)
        torch.testing.assert_close(sum(made[0].weight.grad for made, _ in found), plain[0].weight.grad)
        torch.testing.assert_close(made.eval()(values), plain.eval()(values))


def test_the_normalisation_takes_half_precision_as_torchs_does():
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(6, 4, generator=generator).to(torch.bfloat16)

    def layer():
        return nn.Sequential(nn.BatchNorm1d(4))

    whole = values.clone().requires_grad_()
    wanted = layer()(whole)
    wanted.float().square().sum().backward()

    def work(group):
        made, own = layer(), values[3 * group.rank : 3 * group.rank + 3].clone().requires_grad_()
        with synchronised(made, group):
            found = made(own)
            found.float().square().sum().backward()
        return found.detach(), own.grad

    found = in_threads(work, 2)
    assert found[0][0].dtype == wanted.dtype == torch.bfloat16
    torch.testing.assert_close(torch.cat([part for part, _ in found]), wanted.detach(), atol=0.02, rtol=0.02)
    torch.testing.assert_close(torch.cat([part for _, part in found]), whole.grad, atol=0.02, rtol=0.02)


def test_the_norm_and_the_overflow_of_a_part_are_those_of_all_parts():
    whole, parts = torch.tensor([3.0, 4.0]), [torch.tensor([2.0]), torch.tensor([1.0, 2.0])]
    norms = in_threads(lambda group: float(total_norm([whole], [parts[group.rank]], group)), 2)
    assert norms == pytest.approx([34**0.5] * 2)

    def work(group):
        own = [part.clone() for part in parts[group.rank : group.rank + 1]]
        if group.rank:
            own[0][1] = torch.inf
        spread_infinity(own, group)
        return bool(torch.isinf(own[0]).any())

    assert in_threads(work, 2) == [True, True]


def test_gradients_are_averaged_where_some_process_has_one():
    def work(group):
        several = [nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))]
        several[0].grad = torch.full((3,), float(group.rank))
        if group.rank == 1:
            several[1].grad = torch.ones(2)
        average_gradients(several, group)
        return [None if one.grad is None else one.grad.tolist() for one in several]

    assert in_threads(work, 4) == [[[1.5] * 3, [0.25] * 2, None]] * 4


def test_a_gradient_that_is_no_number_is_named_whichever_process_has_it(tmp_path):
    def work(group):
        task = Net()
        for name, parameter in task.named_parameters():
            if name == ("body.0.weight", "last.1.bias")[group.rank]:
                parameter.grad = torch.full_like(parameter, torch.nan)
        try:
            require_finite_gradient(
                float("nan"), losses={"a": 1.0}, task=task, batches=[], folder=tmp_path, step=1, group=group
            )
        except (NonFiniteError, ProcessError) as error:
            return type(error), error.message

    first, second = in_threads(work, 2)
    assert (first[0], second[0]) == (NonFiniteError, ProcessError)
    assert all("not (body.0.weight, last.1.bias)" in message for _, message in (first, second))


def test_gathered_rows_may_be_of_different_number():
    def work(group):
        own = torch.full((group.rank, 2), float(group.rank), requires_grad=True)
        whole = gather_rows(own, group)
        (whole * torch.arange(6.0).view(3, 2)).sum().backward()
        return whole.detach(), own.grad

    found = in_threads(work, 3)
    assert all(whole[:, 0].tolist() == [1, 2, 2] for whole, _ in found)
    assert [gradient.tolist() for _, gradient in found] == [[], [[0, 3]], [[6, 9], [12, 15]]]


def test_a_failure_anywhere_is_one_everywhere_and_told_once():
    def work(group):
        try:
            with group.agreed():
                if group.rank:
                    raise UsageError(f"of {group.rank}")
        except UsageError as error:
            return error.message
        except ProcessError as error:
            return error.told, error.exit_code, error.message

    told = (True, 2, "process 1 of the run failed: of 1")
    assert in_threads(work, 3) == [told, "of 1", told]


def test_batches_that_cannot_be_shared_are_refused(tmp_path):
    batch = {"x": np.zeros((6, 2)), "rest": (torch.ones(6), "word", None, 3)}
    part = share_of(batch, 1, 3)
    assert part["x"].shape == (2, 2) and part["rest"][1:] == ("word", None, 3)
    with pytest.raises(UsageError, match="a batch of 6 rows cannot be shared by 4 processes; make it a multiple of 4"):
        share_of(batch, 0, 4)

    class Whole:
        steps_per_epoch = 1

        def stream(self, start=0):
            return iter([])

    def work(group):
        with pytest.raises(UsageError, match="Whole gives whole batches only"):
            shared(Whole(), group)

    in_threads(work, 2)


def test_a_launcher_that_says_nonsense_is_refused(monkeypatch):
    assert announced_size() == 1
    monkeypatch.setenv("WORLD_SIZE", "3")
    for rank in ("3", "\u00b2", "-1", ""):  # a superscript is a digit, and no number
        monkeypatch.setenv("RANK", rank)
        with pytest.raises(UsageError, match="RANK to one below"):
            announced_size()
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(UsageError, match="not where they meet"):
        train(Net(), DrawnBatches(draw, 20), CHOSEN, out="nowhere")
    monkeypatch.setenv("LOCAL_RANK", "3")

    def work(group):
        with pytest.raises(UsageError, match="2 processes cannot share cuda:1"):
            own_device("cuda:1", group)
        return own_device("cuda", group), own_device("cpu", group)

    assert in_threads(work, 2) == [("cuda:3", "cpu")] * 2
