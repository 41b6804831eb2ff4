"""The engine: runs a Task on batches, and goes on bit for bit after it was killed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from visavis.errors import ProcessError, UsageError
from visavis.io.atomic import make_folder, write_output
from visavis.io.files import read_file
from visavis.nn.evaluation import in_evaluation
from visavis.nn.layers.synchronised_norm import synchronised
from visavis.training.average import AveragedWeights
from visavis.training.batches import Batches, shared
from visavis.training.checkpoints import (
    BEST,
    PARTS,
    check_same,
    load_checkpoint,
    resumable_checkpoint,
    save_checkpoint,
    saved_steps,
)
from visavis.training.group import Group, broadcast, joined
from visavis.training.interruption import Interruption
from visavis.training.logs import Logs
from visavis.training.records import from_record, to_record
from visavis.training.seeds import own_randomness
from visavis.training.settings import HARMLESS, Settings
from visavis.training.shards import give_rows, read_rows, take_rows, write_part
from visavis.training.surroundings import locked, repeatable
from visavis.training.task import Task
from visavis.training.updates import Updates, check_device

CHECKPOINTS = "checkpoints"
RECORD = "run.json"


@dataclass(frozen=True, slots=True)
class StepReport:
    """What an observer is told after each optimiser step.

    Attributes:
        step: Optimiser steps done.
        steps: Of the run.
        losses: Losses and gradient norms by name.
        measures: The task's own measures.
        evaluation: Measures of the validation that followed the step, or None.
    """

    step: int
    steps: int
    losses: Mapping[str, float]
    measures: Mapping[str, float]
    evaluation: Mapping[str, float] | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        step: Optimiser steps done.
        checkpoint: The last one.
        best: The best one by what is watched, or None.
        evaluation: Measures of the last validation; empty without one.
        ended: ``finished``, or ``early`` when nothing got better any more.
    """

    step: int
    checkpoint: Path
    best: Path | None
    evaluation: Mapping[str, float]
    ended: Literal["finished", "early"]


Observer = Callable[[StepReport], None]


def require_run(folder: Path, *, resume: bool) -> None:
    """Refuse to begin where a run lies, and to go on where there is none.

    Raises:
        UsageError: The message says what to do.
    """
    if resume and not (folder / RECORD).is_file():
        raise UsageError(f"{folder} holds no run to go on with; leave resume out, or name the folder of one")
    if not resume and saved_steps(folder / CHECKPOINTS):
        raise UsageError(f"{folder} holds a run; resume it, or give another folder")


def train(
    task: Task,
    batches: Batches,
    settings: Settings,
    *,
    out: str | Path,
    validation: Iterable[Any] | None = None,
    resume: bool = False,
    record: Mapping[str, Any] | None = None,
    observe: Observer | None = None,
) -> Outcome:
    """Run a task to its end.

    The folder holds ``run.json``, ``checkpoints/``, ``log.csv``, ``evaluations.csv`` and events for TensorBoard. A run
    that was killed at any point and is called again with ``resume`` ends with the same weights, bit for bit, on the
    same machine. Ctrl-C and SIGTERM end the step, write a checkpoint and raise KeyboardInterrupt. The global random
    generators and the number of threads are given back as they were.

    Args:
        task: Networks and losses; it is moved to the device and changed in place.
        batches: Where batches come from.
        settings: Length, optimisers and everything else.
        out: Folder of the run.
        validation: Batches for `Task.validate`, the same ones each time; none when None.
        resume: Go on with the run in the folder; without it, a folder that holds a run is refused.
        record: What else identifies the run, JSON-ready: recipe, data. A run goes on only under the same record.
        observe: Called after each step, in each process.

    Returns:
        Where the checkpoints are, and the last measures.

    Raises:
        UsageError: Settings that do not fit the task, another run in the folder, or another process at work on it.
        NonFiniteError: A loss or gradient is NaN or infinite; its batch lies in the folder.
        ModelError: No checkpoint of the folder can be read.
        ProcessError: Another process of the run failed or is gone.
    """
    folder = Path(out)
    with ExitStack() as stack:
        group = stack.enter_context(joined(settings.device))
        with group.agreed():
            require_run(folder, resume=resume)
            make_folder(folder / CHECKPOINTS)
            if group.is_first:
                stack.enter_context(locked(folder))
            run = _Run(task, batches, settings, folder=folder, validation=validation, record=record or {}, group=group)
        stack.callback(run.close)
        run.begin(resume=resume)
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(run.threads)
        stack.enter_context(own_randomness([run.updates.device]))
        stack.enter_context(repeatable())
        stack.enter_context(synchronised(task, group))
        return run.loop(observe)


class _Run:
    """A run in its folder."""

    def __init__(
        self,
        task: Task,
        batches: Batches,
        settings: Settings,
        *,
        folder: Path,
        validation: Iterable[Any] | None,
        record: Mapping[str, Any],
        group: Group,
    ) -> None:
        self._task, self._batches, self._settings = task, shared(batches, group), settings
        self._folder, self._validation, self._group = folder, validation, group
        if settings.watch is not None and validation is None:
            raise UsageError(f"{settings.watch.measure} is to be watched, and there is nothing to validate on")
        if validation is not None and iter(validation) is validation:
            raise UsageError("validation batches are read several times; give a list or the like, not a generator")
        self.steps, self._per_epoch = settings.length(batches.steps_per_epoch)
        self._record = {"settings": to_record(settings), **json.loads(json.dumps(record))}
        task.to(check_device(settings, group))
        self.updates = Updates(
            task, settings, steps=self.steps, steps_per_epoch=self._per_epoch, folder=folder, group=group
        )
        self._average = None if settings.average is None else AveragedWeights(task, settings.average)
        self.threads = settings.threads or torch.get_num_threads()
        self._done = 0
        self._best: float | None = None
        self._worse = 0
        self._evaluation: dict[str, float] = {}
        self._ended = ""
        self._seconds = 0.0
        self._logs: Logs | None = None

    def begin(self, *, resume: bool) -> None:
        """Take the newest checkpoint, or refuse a folder that holds one."""
        state: Mapping[str, Any] | None = None
        with self._group.agreed():
            require_run(self._folder, resume=resume)
            if resume:
                self._check_same(json.loads(read_file(self._folder / RECORD)))
            if resume and self._group.is_first:  # which sets aside those that will not do
                state = resumable_checkpoint(self._folder / CHECKPOINTS, device=str(self.updates.device))
        newest = self._group.objects(None if state is None else state["step"])[0]
        with self._group.agreed():
            if newest is not None:
                path = saved_steps(self._folder / CHECKPOINTS)[newest]
                self._restore(state or load_checkpoint(path, device=str(self.updates.device)))
        own = self._task.shards()
        broadcast(self._group, [value for key, value in self._task.state_dict().items() if key not in own])
        with self._group.agreed():
            if self._group.is_first:
                about = {**self._record, "threads": self.threads, "processes": self._group.size}
                text = json.dumps({**about, "torch": str(torch.__version__)}, indent=2)
                write_output(self._folder / RECORD, text.encode())
                self._logs = Logs(self._folder, step=self._done, tensorboard=self._settings.tensorboard)

    def close(self) -> None:
        """Close the logs, where this process has any."""
        if self._logs is not None:
            self._logs.close()

    def loop(self, observe: Observer | None) -> Outcome:
        """Steps until the end, an early stop or an interruption."""
        stream = self._batches.stream(self._done * self._settings.accumulate)
        began = time.perf_counter() - self._seconds
        try:
            with Interruption() as interruption:
                while not self._ended:
                    losses = self.updates.run(self._done, [next(stream) for _ in range(self._settings.accumulate)])
                    if self._average is not None:
                        self._average.update()
                    self._done += 1
                    self._seconds = time.perf_counter() - began
                    report = self._after(losses)
                    if observe is not None:
                        observe(report)
                    if self._any(interruption.asked) and not self._ended:
                        self._save(best=False)
                        raise KeyboardInterrupt
        except ProcessError as error:
            raise error if error.told else self._with_advice(error) from error
        finally:
            _close(stream)
        return self._outcome()

    def _with_advice(self, error: ProcessError) -> ProcessError:
        """The error, and what the run can go on from."""
        kept = list(saved_steps(self._folder / CHECKPOINTS))
        advice = f"Go on from step {kept[-1]} with resume" if kept else "The run has no checkpoint yet; begin it again"
        return ProcessError(f"{error.message}. {advice}")

    def _any(self, here: bool) -> bool:
        """Whether something is so in any process."""
        if self._group.size == 1:
            return here
        return bool(self._group.highest(torch.tensor(int(here), device=self.updates.device)))

    def _after(self, losses: dict[str, float]) -> StepReport:
        """Log, validate and save, each where it is due."""
        last, logs = self._done >= self.steps, self._logs
        measures = self._task.measures()
        if logs is not None and (last or self._is_due(self._settings.log_every)):
            rates = {f"rate/{name}": rate for name, rate in self.updates.rates(self._done - 1).items()}
            row = {"step": self._done, "epoch": self._done / self._per_epoch, "seconds": round(self._seconds, 3)}
            logs.training({**row, **losses, **measures, **rates})
        every = self._settings.evaluate_every
        evaluation = None
        better = False
        if self._validation is not None and (last or (every and self._is_due(round(every * self._per_epoch)))):
            evaluation = self._evaluate()
            if logs is not None:
                logs.evaluation({"step": self._done, "epoch": self._done / self._per_epoch, **evaluation})
            better = self._judge(evaluation)
        if last and not self._ended:
            self._ended = "finished"
        every_save = self._settings.checkpoint_every or max(1, round(self._per_epoch))
        if self._ended or better or self._is_due(every_save):
            self._save(best=better)
        return StepReport(self._done, self.steps, losses, measures, evaluation)

    def _is_due(self, every: int) -> bool:
        return self._done % max(1, every) == 0

    def _evaluate(self) -> dict[str, float]:
        averaged = self._average.applied() if self._average else nullcontext()
        with in_evaluation(self._task), torch.no_grad(), averaged:
            with self.updates.autocast():
                outputs = self._outputs()
            measures = self._task.summarise(outputs)
        self._evaluation = self._group.objects({name: float(value) for name, value in measures.items()})[0]
        return self._evaluation

    def _settled(self) -> dict[str, torch.Tensor]:
        averaged = self._average.applied() if self._average else nullcontext()
        with torch.no_grad(), averaged:
            return dict(self._task.settled())

    def _outputs(self) -> list[Any]:
        """What each validation batch gives; every process computes some."""
        rank, size = self._group.rank, self._group.size
        batches = enumerate(self._validation or ())
        parts = self._group.objects([self._task.validate(batch) for n, batch in batches if n % size == rank])
        return [parts[n % size][n // size] for n in range(sum(map(len, parts)))]

    def _judge(self, evaluation: Mapping[str, float]) -> bool:
        """Whether the weights are the best so far; notes when they have not been for too long."""
        watch = self._settings.watch
        if watch is None:
            return False
        if watch.measure not in evaluation:
            self._save(best=False)
            told = f"the task does not measure {watch.measure!r}; it measures {', '.join(evaluation)}"
            self._group.fail(UsageError(told))
        if watch.is_better(evaluation[watch.measure], self._best):
            self._best, self._worse = evaluation[watch.measure], 0
            return True
        self._worse += 1
        if self._is_out_of_patience():
            self._ended = "early"
        return False

    def _is_out_of_patience(self) -> bool:
        watch = self._settings.watch
        return watch is not None and watch.patience is not None and self._worse >= watch.patience

    def _save(self, *, best: bool) -> None:
        state: dict[str, Any] = {
            "task": self._task.state_dict(),
            "updates": self.updates.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
            "settled": self._settled(),
            "best": self._best,
            "worse": self._worse,
            "evaluation": dict(self._evaluation),
            "ended": self._ended,
            "seconds": self._seconds,
            "threads": self.threads,
            "record": json.dumps(self._record),
        }
        folder = self._folder / CHECKPOINTS
        shards = self._task.shards()
        with self._group.agreed():
            part = None
            if shards:
                rows = take_rows(state, shards, self.updates.places())
                part = write_part(folder, self._done, rows, self._group)
        if shards:
            state[PARTS] = self._group.objects(part)
        with self._group.agreed():
            if self._group.is_first:
                save_checkpoint(folder, self._done, state, keep=self._settings.keep, best=best)

    def _check_same(self, kept: dict[str, Any]) -> None:
        """Refuse a record of other settings, data or recipe; what older records lack counts at its default."""
        settings = to_record(from_record(kept.pop("settings"), Settings))
        check_same(settings, self._record["settings"], what="settings", harmless=HARMLESS)
        given = {name: value for name, value in self._record.items() if name != "settings"}
        check_same(kept, given, what="data or recipe", harmless=frozenset({"threads", "torch", "processes"}))

    def _restore(self, state: Mapping[str, Any]) -> None:
        kept = json.loads(state["record"])["settings"]["watch"]
        if state.get(PARTS):
            folder, device = self._folder / CHECKPOINTS, str(self.updates.device)
            shards, places = self._task.shards(), self.updates.places()
            give_rows(state, read_rows(folder, state[PARTS], shards, places, device=device))
        self._task.load_state_dict(state["task"])
        self.updates.load_state_dict(state["updates"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])
        self._done, self._evaluation, self._ended = state["step"], dict(state["evaluation"]), state["ended"]
        watch = self._settings.watch
        if (
            watch is not None
            and kept is not None
            and (watch.measure, watch.highest) == (kept["measure"], kept["highest"])
        ):
            self._best, self._worse = state["best"], state["worse"]
        if self._ended == "early" and not self._is_out_of_patience():
            self._ended = ""
        self._seconds = state["seconds"]
        self.threads = self._settings.threads or state["threads"]

    def _outcome(self) -> Outcome:
        folder = self._folder / CHECKPOINTS
        best = folder / BEST
        checkpoint = list(saved_steps(folder).values())[-1]
        ended: Literal["finished", "early"] = "early" if self._ended == "early" else "finished"
        return Outcome(self._done, checkpoint, best if best.exists() else None, self._evaluation, ended)


def _close(stream: Any) -> None:
    """End the prefetching of a generator."""
    if hasattr(stream, "close"):
        stream.close()
