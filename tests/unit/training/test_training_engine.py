"""The engine against closed forms and against plain loops of torch."""

import csv
import json
import os
import signal
import threading

import numpy as np
import pytest
import torch
from torch import nn

from visavis.errors import ModelError, NonFiniteError, UsageError
from visavis.training.batches import DrawnBatches
from visavis.training.checkpoints import load_checkpoint
from visavis.training.engine import train
from visavis.training.optimisers import AdamW, Sgd
from visavis.training.schedules import Constant, Cosine
from visavis.training.settings import MovingAverage, Settings, Watch
from visavis.training.task import Phase, Task

PLAIN = Sgd(rate=0.1, momentum=0.0, weight_decay=0.0, schedule=Constant())


def draw(rng):
    return torch.tensor(rng.normal(size=(8, 3)), dtype=torch.float32)


class Line(Task):
    """Least squares on a fixed plane; draws noise, so that randomness must be right."""

    def __init__(self, *, noise=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 1)
        self.noise = noise
        self.states = []

    def step(self, batch, state):
        self.states.append(state)
        wanted = batch @ torch.tensor([[1.0], [-2.0], [0.5]])
        shaken = batch + self.noise * torch.randn(batch.shape, generator=state.generator)
        return {"square": (self.layer(shaken) - wanted).square().mean()}

    def validate(self, batch):
        return {"weight": float(self.layer.weight.abs().sum())}

    def describe(self, batch):
        return {"sum": float(batch.sum())}


def settings(**changes):
    options = {"steps": 12, "optimisers": {"*": PLAIN}, "tensorboard": False, "log_every": 1, "threads": 1}
    return Settings(**{**options, **changes})


def source(per_epoch=4):
    return DrawnBatches(draw, per_epoch)


def weights(task):
    return [value.clone() for value in task.state_dict().values()]


def same(left, right):
    return all(torch.equal(one, two) for one, two in zip(left, right, strict=True))


def test_a_run_is_a_plain_loop_of_torch(tmp_path):
    task, other = Line(), Line()
    outcome = train(task, source(), settings(), out=tmp_path)
    optimiser = torch.optim.SGD(other.parameters(), lr=0.1)
    for step in range(12):
        optimiser.zero_grad()
        batch = draw(np.random.default_rng([0, step]))
        (other.layer(batch) - batch @ torch.tensor([[1.0], [-2.0], [0.5]])).square().mean().backward()
        optimiser.step()
    assert outcome.step == 12 and outcome.ended == "finished" and same(weights(task), weights(other))


def test_accumulated_batches_are_one_large_batch(tmp_path):
    task, other = Line(), Line()
    train(task, source(), settings(steps=3, accumulate=4), out=tmp_path / "a")
    large = DrawnBatches(lambda rng: None, 1)
    parts = [torch.cat([draw(np.random.default_rng([0, 4 * step + k])) for k in range(4)]) for step in range(3)]

    class Several(DrawnBatches):
        def stream(self, start=0):
            return iter(parts[start:])

    train(other, Several(large.draw, 1), settings(steps=3), out=tmp_path / "b")
    for one, two in zip(weights(task), weights(other), strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("average", [None, MovingAverage(0.9)])
@pytest.mark.parametrize("stop", [1, 5, 6, 11])
def test_a_run_that_died_goes_on_bit_for_bit(tmp_path, stop, average):
    chosen = settings(checkpoint_every=3, average=average, optimisers={"*": AdamW(schedule=Cosine(warmup=1))})

    class Died(Exception):
        pass

    def die(report):
        if report.step == stop:
            raise Died

    whole, first, second = Line(noise=0.3), Line(noise=0.3), Line(noise=0.3)
    last = train(whole, source(), chosen, out=tmp_path / "whole", validation=[0])
    with pytest.raises(Died):
        train(first, source(), chosen, out=tmp_path / "died", validation=[0], observe=die)
    outcome = train(second, source(), chosen, out=tmp_path / "died", validation=[0], resume=True)
    assert same(weights(whole), weights(second)) and outcome.evaluation == last.evaluation
    logs = [(tmp_path / name / "log.csv").read_text().splitlines() for name in ("whole", "died")]
    rows = [[{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(lines)] for lines in logs]
    assert rows[0] == rows[1] and [row["step"] for row in rows[0]] == [str(step) for step in range(1, 13)]


def test_a_finished_run_that_is_resumed_does_nothing(tmp_path):
    train(Line(), source(), settings(), out=tmp_path)
    task = Line()
    outcome = train(task, source(), settings(), out=tmp_path, resume=True)
    assert outcome.step == 12 and not task.states


def test_other_settings_or_data_do_not_go_on(tmp_path):
    train(Line(), source(), settings(), out=tmp_path, record={"data": "a"})
    with pytest.raises(UsageError, match="holds a run"):
        train(Line(), source(), settings(), out=tmp_path)
    with pytest.raises(UsageError, match=r"other settings \(seed was 0, is 1\)"):
        train(Line(), source(), settings(seed=1), out=tmp_path, record={"data": "a"}, resume=True)
    with pytest.raises(UsageError, match="other data or recipe"):
        train(Line(), source(), settings(), out=tmp_path, record={"data": "b"}, resume=True)
    train(Line(), source(), settings(log_every=5, keep=1), out=tmp_path, record={"data": "a"}, resume=True)


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path):
    whole, task = Line(), Line()
    train(whole, source(), settings(checkpoint_every=3), out=tmp_path / "whole")
    train(Line(), source(), settings(checkpoint_every=3), out=tmp_path / "cut")
    path = tmp_path / "cut" / "checkpoints" / "step-000000012.pt"
    path.write_bytes(path.read_bytes()[:-200])
    train(task, source(), settings(checkpoint_every=3), out=tmp_path / "cut", resume=True)
    assert same(weights(whole), weights(task))
    assert [state.step for state in task.states] == [9, 10, 11]


def test_a_run_of_damaged_checkpoints_only_is_refused(tmp_path):
    train(Line(), source(), settings(keep=1), out=tmp_path)
    next((tmp_path / "checkpoints").glob("step-*")).write_bytes(b"not a checkpoint")
    with pytest.raises(ModelError, match="no checkpoint"):
        train(Line(), source(), settings(keep=1), out=tmp_path, resume=True)


def test_the_oldest_checkpoints_go_and_the_best_stays(tmp_path):
    watch = Watch("weight", highest=False)
    outcome = train(
        Line(),
        source(),
        settings(checkpoint_every=2, keep=2, watch=watch, evaluate_every=0.5),
        out=tmp_path,
        validation=[0],
    )
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "best.pt", "step-000000010.pt", "step-000000012.pt",
    ]  # fmt: skip
    rows = list(csv.DictReader((tmp_path / "evaluations.csv").read_text().splitlines()))
    best = min(rows, key=lambda row: float(row["weight"]))
    assert load_checkpoint(outcome.best)["step"] == int(best["step"])


def test_a_run_stops_when_nothing_gets_better(tmp_path):
    class Flat(Line):
        def validate(self, batch):
            return {"value": 1.0}

    chosen = settings(steps=100, evaluate_every=0.5, watch=Watch("value", patience=3))
    outcome = train(Flat(), source(), chosen, out=tmp_path, validation=[0])
    assert outcome.ended == "early" and outcome.step == 8


def test_what_is_watched_must_be_measured(tmp_path):
    with pytest.raises(UsageError, match="nothing to validate on"):
        train(Line(), source(), settings(watch=Watch("weight")), out=tmp_path / "a")
    with pytest.raises(UsageError, match="measures weight"):
        train(Line(), source(), settings(watch=Watch("auc")), out=tmp_path / "b", validation=[0])


def test_the_average_follows_its_recursion(tmp_path):
    seen = []
    task = Line()
    value = task.layer.weight.detach().clone()
    train(
        task,
        source(),
        settings(average=MovingAverage(0.5, warmup=False)),
        out=tmp_path,
        observe=lambda report: seen.append(task.layer.weight.detach().clone()),
    )
    for weight in seen:
        value = 0.5 * value + 0.5 * weight
    kept = load_checkpoint(tmp_path / "checkpoints" / "step-000000012.pt")
    torch.testing.assert_close(kept["average"]["values"]["layer.weight"], value)
    assert torch.equal(kept["task"]["layer.weight"], seen[-1])


def test_clipping_limits_the_step(tmp_path):
    task = Line()
    before = task.layer.weight.detach().clone(), task.layer.bias.detach().clone()
    clipped = Sgd(rate=1.0, momentum=0.0, weight_decay=0.0, clip=0.01, schedule=Constant())
    train(task, source(), settings(steps=1, optimisers={"*": clipped}), out=tmp_path)
    moved = torch.cat([(task.layer.weight - before[0]).flatten(), task.layer.bias - before[1]])
    assert float(moved.detach().norm()) == pytest.approx(0.01, rel=1e-3)


def test_biases_are_not_decayed_unless_asked_for():
    matrix, vector = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))
    groups = AdamW(weight_decay=0.1).build([matrix, vector]).param_groups
    assert [(group["weight_decay"], len(group["params"])) for group in groups] == [(0.1, 1), (0.0, 1)]
    assert len(Sgd(weight_decay=0.1).build([matrix, vector]).param_groups) == 1


class Turns(Task):
    """Two parameters that each phase may move only when its turn comes."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))
        self.seen = []

    def parameter_groups(self):
        return {"one": [self.one], "two": [self.two]}

    def order(self):
        return (Phase("first", ("one",)), Phase("second", ("two",), every=3))

    def step(self, batch, state):
        self.seen.append((state.step, state.phase, self.one.requires_grad, self.two.requires_grad))
        return {state.phase: -(self.one + self.two)}


def test_phases_take_turns_and_touch_their_own_groups_only(tmp_path):
    task = Turns()
    train(task, source(), settings(steps=7), out=tmp_path)
    assert task.one.item() == pytest.approx(0.7) and task.two.item() == pytest.approx(0.2)
    assert [step for step, phase, *_ in task.seen if phase == "second"] == [2, 5]
    assert {row[1:] for row in task.seen} == {("first", True, False), ("second", False, True)}


@pytest.mark.parametrize(
    ("groups", "order", "message"),
    [
        ({"one": []}, None, "is empty"),
        (None, (Phase("x", ("three",)),), "updates three"),
        ({"one": "shared", "two": "shared"}, None, "share a parameter"),
    ],
)
def test_groups_that_make_no_sense_are_refused(tmp_path, groups, order, message):
    class Odd(Turns):
        def parameter_groups(self):
            if groups is None:
                return super().parameter_groups()
            return {name: [self.one] if value == "shared" else value for name, value in groups.items()}

        def order(self):
            return order or (Phase("all", tuple(self.parameter_groups())),)

    with pytest.raises(UsageError, match=message):
        train(Odd(), source(), settings(), out=tmp_path)


def test_a_loss_that_is_no_number_is_reported_with_its_batch(tmp_path):
    def poisoned(rng):
        batch = draw(rng)
        return batch * float("nan") if float(batch.sum()) == float(draw(np.random.default_rng([0, 5])).sum()) else batch

    with pytest.raises(NonFiniteError, match="in step 5 the loss is not finite"):
        train(Line(), DrawnBatches(poisoned, 4), settings(), out=tmp_path)
    kept = torch.load(tmp_path / "non-finite-step-000000005.pt", weights_only=True)
    assert torch.isnan(kept["batches"][0]).all()
    assert json.loads((tmp_path / "non-finite-step-000000005.json").read_text())["step"] == 5


def test_a_gradient_that_is_no_number_is_reported_before_it_spoils_the_weights(tmp_path):
    class Root(Line):
        def step(self, batch, state):
            return {"root": (self.layer(batch) * 0).square().sum().sqrt()}

    task = Root()
    before = weights(task)
    with pytest.raises(NonFiniteError, match=r"gradient is not \(layer.weight"):
        train(task, source(), settings(), out=tmp_path)
    assert same(before, weights(task))


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_learns_and_keeps_the_head_in_full(tmp_path, precision):
    kinds = []

    class Half(Line):
        def step(self, batch, state):
            value = self.layer(batch)
            with state.full_precision():
                kinds.append((value.dtype, (value.float() @ torch.ones(1, 1)).dtype))
                wanted = batch @ torch.tensor([[1.0], [-2.0], [0.5]])
                return {"square": (value.float() - wanted).square().mean()}

    task = Half()
    train(task, source(), settings(steps=150, precision=precision), out=tmp_path)
    half = torch.bfloat16 if precision == "bf16" else torch.float16
    assert set(kinds) == {(half, torch.float32)}
    torch.testing.assert_close(task.layer.weight.detach(), torch.tensor([[1.0, -2.0, 0.5]]), atol=0.05, rtol=0)


def test_the_generators_and_threads_of_the_caller_are_left_alone(tmp_path):
    task = Line(noise=1.0)
    torch.manual_seed(3)
    wanted = torch.rand(4)
    torch.manual_seed(3)
    threads = torch.get_num_threads()
    train(task, source(), settings(), out=tmp_path)
    assert torch.equal(torch.rand(4), wanted) and torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_an_interrupt_ends_the_step_and_saves(tmp_path):
    whole, first, second = Line(), Line(), Line()
    train(whole, source(), settings(), out=tmp_path / "whole")
    chosen = settings(checkpoint_every=100)

    def press(report):
        if report.step == 7:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(first, source(), chosen, out=tmp_path / "cut", observe=press)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    train(second, source(), chosen, out=tmp_path / "cut", resume=True)
    assert [state.step for state in second.states] in ([7, 8, 9, 10, 11], [8, 9, 10, 11])
    assert same(weights(whole), weights(second))


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    entered, leave = threading.Event(), threading.Event()

    def hold(report):
        entered.set()
        leave.wait(20)

    worker = threading.Thread(target=lambda: train(Line(), source(), settings(steps=1), out=tmp_path, observe=hold))
    worker.start()
    try:
        assert entered.wait(20)
        with pytest.raises(UsageError, match="another process trains"):
            train(Line(), source(), settings(), out=tmp_path, resume=True)
    finally:
        leave.set()
        worker.join()


def test_events_for_tensorboard_are_written(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(Line(), source(), settings(tensorboard=True), out=tmp_path, validation=[0])
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("train/square")] == list(range(1, 13))
    assert events.Scalars("validation/weight")


class Frozen(Line):
    """A learnt layer behind a frozen one that drops values unless it is in evaluation mode."""

    def __init__(self):
        super().__init__()
        self.frozen = nn.Dropout(0.5).eval()

    def step(self, batch, state):
        return {"square": (self.layer(self.frozen(batch)) - batch.sum(1, keepdim=True)).square().mean()}


def test_validation_gives_each_module_its_mode_back(tmp_path):
    never, often = Frozen(), Frozen()
    train(never, source(), settings(evaluate_every=None), out=tmp_path / "never", validation=[0])
    train(often, source(), settings(evaluate_every=0.25), out=tmp_path / "often", validation=[0])
    assert same(weights(never), weights(often)) and often.layer.training and not often.frozen.training


def test_measures_of_numpy_do_not_spoil_the_checkpoint(tmp_path):
    class Measured(Line):
        def summarise(self, outputs):
            return {"value": np.float64(0.25)}

    outcome = train(Measured(), source(), settings(), out=tmp_path, validation=[0])
    assert load_checkpoint(outcome.checkpoint)["evaluation"] == {"value": 0.25}


def test_a_damaged_checkpoint_does_not_count_among_those_kept(tmp_path):
    chosen = settings(checkpoint_every=3, keep=1)

    class Died(Exception):
        pass

    def die(report):
        if report.step == 11:
            raise Died

    whole, task = Line(), Line()
    train(whole, source(), chosen, out=tmp_path / "whole")
    with pytest.raises(Died):
        train(Line(), source(), settings(checkpoint_every=3, keep=2), out=tmp_path / "cut", observe=die)
    folder = tmp_path / "cut" / "checkpoints"
    (folder / "step-000000009.pt").write_bytes(b"torn")
    outcome = train(task, source(), chosen, out=tmp_path / "cut", resume=True)
    assert same(weights(whole), weights(task)) and outcome.checkpoint.name == "step-000000012.pt"
    assert sorted(path.name for path in folder.iterdir()) == ["step-000000009.damaged", "step-000000012.pt"]


class Flat(Line):
    """Never gets better."""

    def validate(self, batch):
        return {"value": 1.0, "other": 0.1}


def test_more_patience_lets_a_run_go_on_that_had_stopped_early(tmp_path):
    chosen = settings(evaluate_every=0.5, watch=Watch("value", patience=2))
    assert train(Flat(), source(), chosen, out=tmp_path, validation=[0]).step == 6
    more = settings(evaluate_every=0.5, watch=Watch("value", patience=100))
    outcome = train(Flat(), source(), more, out=tmp_path, validation=[0], resume=True)
    assert outcome.step == 12 and outcome.ended == "finished"


def test_another_measure_to_watch_begins_with_a_best_of_its_own(tmp_path):
    class Died(Exception):
        pass

    def die(report):
        if report.step == 5:
            raise Died

    with pytest.raises(Died):
        train(Flat(), source(), settings(watch=Watch("value")), out=tmp_path, validation=[0], observe=die)
    outcome = train(Flat(), source(), settings(watch=Watch("other")), out=tmp_path, validation=[0], resume=True)
    assert load_checkpoint(outcome.best)["step"] == 8 and load_checkpoint(outcome.checkpoint)["best"] == 0.1


def test_fp16_stops_when_no_loss_scale_helps(tmp_path):
    class Root(Line):
        def step(self, batch, state):
            return {"root": (self.layer(batch).float() * 0).square().sum().sqrt()}

    with pytest.raises(NonFiniteError, match="whatever the loss scale"):
        train(Root(), source(), settings(steps=60, precision="fp16"), out=tmp_path)


def test_a_group_without_a_gradient_is_left_alone_in_fp16_too(tmp_path):
    class Half(Turns):
        def order(self):
            return (Phase("both", ("one", "two")),)

        def step(self, batch, state):
            return {"one": -self.one}

    task = Half()
    train(task, source(), settings(steps=3, precision="fp16"), out=tmp_path)
    assert task.one.item() == pytest.approx(0.3) and task.two.item() == 0


def test_a_frozen_parameter_stays_frozen_through_the_phases_of_others(tmp_path):
    class Still(Turns):
        def __init__(self):
            super().__init__()
            self.two.requires_grad_(False)

        def step(self, batch, state):
            self.seen.append(self.two.requires_grad)
            return {state.phase: -(self.one + self.two)}

    class First(Still):
        def order(self):
            return (Phase("first", ("one",)),)

    task = First()
    train(task, source(), settings(steps=3), out=tmp_path)
    assert not any(task.seen) and task.two.item() == 0


def test_a_run_goes_on_only_where_one_was_begun_and_as_it_was_begun(tmp_path):
    with pytest.raises(UsageError, match="no run to go on with"):
        train(Line(), source(), settings(), out=tmp_path / "typo", resume=True)
    assert not (tmp_path / "typo").exists()

    class Died(Exception):
        pass

    def die(report):
        raise Died

    for _ in range(2):  # nothing is lost by beginning again: no checkpoint was written
        with pytest.raises(Died):
            train(Line(), source(), settings(), out=tmp_path, record={"data": "a"}, observe=die)
    with pytest.raises(UsageError, match="other data or recipe"):
        train(Line(), source(), settings(), out=tmp_path, record={"data": "b"}, resume=True)
    assert train(Line(), source(), settings(), out=tmp_path, record={"data": "a"}, resume=True).step == 12


def test_validation_that_can_be_read_once_only_is_refused(tmp_path):
    with pytest.raises(UsageError, match="several times"):
        train(Line(), source(), settings(), out=tmp_path, validation=iter([0]))


@pytest.mark.parametrize("device", ["meta", "mps", "abacus"])
def test_a_device_that_cannot_train_is_refused(tmp_path, device):
    with pytest.raises(UsageError, match=device):
        train(Line(), source(), settings(device=device), out=tmp_path)


def test_a_folder_that_cannot_be_made_is_a_wrong_call(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be made"):
        train(Line(), source(), settings(), out=tmp_path / "file")


def test_a_line_of_the_log_that_a_kill_tore_is_dropped(tmp_path):
    from visavis.training.logs import CsvLog

    path = tmp_path / "log.csv"
    path.write_text("step,loss\n1,0.5\n2,0.4\n1")
    CsvLog(path, step=5).write({"step": 3, "loss": 0.3})
    assert path.read_text().split() == ["step,loss", "1,0.5", "2,0.4", "3,0.3"]
