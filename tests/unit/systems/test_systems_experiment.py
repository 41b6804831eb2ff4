"""The frame: seeds, repetitions that are shared, what a run reports."""

from dataclasses import dataclass

from visavis.systems.experiment import Experiment, Verdict
from visavis.systems.result import Check


@dataclass(frozen=True)
class _Material:
    roles: tuple = ()


def _experiment(calls, prepared):
    def prepare(data, budget):
        prepared.append((data, budget))
        return _Material()

    def repeat(material, seed):
        calls.append(seed)
        return float(seed)

    def judge(material, repetitions):
        mean = sum(repetitions) / len(repetitions)
        return Verdict(mean, 0.0, 2.0, (Check("mean", mean, ">=", 2.0),), {"sum": sum(repetitions)})

    return Experiment("system/a", {"quick": 3, "full": 3}, prepare, repeat, judge)


def test_a_run_takes_the_next_seeds_and_judges_their_mean(tmp_path):
    calls, prepared, steps = [], [], []
    result = _experiment(calls, prepared).run(
        tmp_path, seed=4, budget="quick", progress=lambda *step: steps.append(step)
    )
    assert (calls, prepared, steps) == ([4, 5, 6], [(tmp_path, "quick")], [(1, 3), (2, 3), (3, 3)])
    assert (result.seeds, result.value, result.passed, result.measures) == ((4, 5, 6), 5.0, True, {"sum": 15.0})
    assert {"visavis", "python", "torch", "processor", "cores", "system"} <= set(result.environment)
    assert result.seconds >= 0


def test_a_sweep_gives_what_single_runs_give_and_makes_each_repetition_once(tmp_path):
    calls, prepared = [], []
    experiment = _experiment(calls, prepared)
    swept = experiment.sweep(tmp_path, (0, 1, 3), budget="full")
    assert calls == [0, 1, 2, 3, 4, 5] and len(prepared) == 1
    for start, result in zip((0, 1, 3), swept, strict=True):
        alone = experiment.run(tmp_path, seed=start, budget="full")
        assert (result.value, result.seeds, result.passed) == (alone.value, alone.seeds, alone.passed)
    assert [result.passed for result in swept] == [False, True, True]
