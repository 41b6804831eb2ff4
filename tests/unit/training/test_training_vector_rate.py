"""Rates by kind of parameter: those of the official training of Light CNN, and a step by hand."""

import json
from dataclasses import replace

import pytest
import torch
from test_training_engine import Line, settings, source
from torch import nn

from visavis import registry
from visavis.errors import UsageError
from visavis.nn.backbones.light_cnn import LightCNN9Backbone, LightCNN29Backbone
from visavis.training.engine import train
from visavis.training.optimisers import Sgd, optimiser_of, set_rate
from visavis.training.recipes.published import LIGHT_CNN
from visavis.training.recipes.recogniser_task import RecogniserTask
from visavis.training.schedules import Constant, rate_factor


def kinds(task):
    """(rate over the base rate, decay, whether vectors) of every optimiser of the recipe, and how many tensors."""
    found = {}
    for name, parameters in task.parameter_groups().items():
        chosen = optimiser_of(name, LIGHT_CNN.training.optimisers)
        optimiser = chosen.build(parameters)
        set_rate(optimiser, chosen.rate)
        for part in optimiser.param_groups:
            for parameter in part["params"]:
                key = (round(part["lr"] / 0.01, 6), part["weight_decay"], parameter.ndim == 1)
                found[key] = found.get(key, 0) + 1
    return found


def test_light_cnn_has_four_kinds_of_rates_and_no_decay_on_biases():
    task = RecogniserTask(
        LightCNN9Backbone(size=16, dimension=8), registry.create("loss/softmax", dimension=8, classes=3)
    )
    assert kinds(task) == {
        (1.0, 1e-4, False): 10,
        (2.0, 0.0, True): 10,
        (10.0, 1e-4, False): 1,
        (20.0, 0.0, True): 1,
    }


def test_its_second_version_has_three_as_its_classifier_has_no_bias():
    backbone = LightCNN29Backbone(True, size=16, dimension=8)
    task = RecogniserTask(backbone, registry.create("loss/softmax", dimension=8, classes=3, bias=False))
    assert {kind[:2] for kind in kinds(task)} == {(1.0, 1e-4), (2.0, 0.0), (10.0, 1e-4)}


@pytest.mark.parametrize("group", ["backbone", "head"])
def test_its_rate_falls_every_ten_epochs(group):
    chosen, steps = LIGHT_CNN.training.optimisers[group], 80 * 7
    for epoch in (0, 9, 10, 29, 30, 79):
        factor = rate_factor(chosen.schedule, step=epoch * 7, steps=steps, steps_per_epoch=7)
        assert factor == pytest.approx(0.457305 ** (epoch // 10), rel=1e-5)
    thirty = rate_factor(chosen.schedule, step=30 * 7, steps=steps, steps_per_epoch=7)
    assert LIGHT_CNN.training.optimisers["backbone"].rate * thirty == pytest.approx(9.5635e-4, rel=1e-4)


def test_a_step_by_hand():
    matrix, vector = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))
    optimiser = Sgd(
        rate=0.1, momentum=0.0, weight_decay=0.5, decay_vectors=False, vector_rate=3.0, schedule=Constant()
    ).build([vector, matrix])
    set_rate(optimiser, 0.2)
    (2 * matrix.sum() + vector.sum()).backward()
    optimiser.step()
    assert matrix.tolist() == [[pytest.approx(1 - 0.2 * (2 + 0.5))] * 2] * 2
    assert vector.tolist() == [pytest.approx(1 - 0.6)] * 2
    again = Sgd(vector_rate=3.0).build([nn.Parameter(vector.detach()), nn.Parameter(matrix.detach())])
    again.load_state_dict(json.loads(json.dumps({**optimiser.state_dict(), "state": {}})))
    set_rate(again, 0.2)
    assert sorted(part["lr"] for part in again.param_groups) == [pytest.approx(0.2), pytest.approx(0.6)]


def test_one_rate_for_all_leaves_one_group():
    parameters = [nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))]
    assert len(Sgd().build(parameters).param_groups) == 1
    with pytest.raises(UsageError, match="vector_rate"):
        replace(Sgd(), vector_rate=0.0)


def test_a_run_that_was_begun_before_there_was_such_a_setting_goes_on(tmp_path):
    made = settings(steps=2, optimisers={"*": Sgd(rate=0.1, schedule=Constant())})
    train(Line(), source(), made, out=tmp_path)
    record = json.loads((tmp_path / "run.json").read_text())
    del record["settings"]["optimisers"]["*"]["vector_rate"]
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert train(Line(), source(), made, out=tmp_path, resume=True).step == 2
    other = replace(made, optimisers={"*": Sgd(rate=0.1, vector_rate=2.0, schedule=Constant())})
    with pytest.raises(UsageError, match="begun with other settings"):
        train(Line(), source(), other, out=tmp_path, resume=True)
