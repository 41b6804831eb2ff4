import dataclasses

import pytest

from visavis.errors import UsageError
from visavis.training.optimisers import AdamW, Sgd, optimiser_of
from visavis.training.records import from_record, to_record
from visavis.training.schedules import Cosine, Steps
from visavis.training.settings import MovingAverage, Settings, Watch

FULL = Settings(
    epochs=2.5,
    optimisers={"backbone": Sgd(clip=5.0, schedule=Steps((1, 2))), "*": AdamW(schedule=Cosine(warmup=0.5))},
    average=MovingAverage(0.99),
    watch=Watch("auc", patience=3),
)


def test_settings_come_back_from_their_record_and_from_their_repr():
    assert from_record(to_record(FULL), Settings) == FULL
    names = {kind.__name__: kind for kind in (Settings, Sgd, AdamW, Steps, Cosine, MovingAverage, Watch)}
    from visavis.training.schedules import Polynomial

    assert eval(repr(FULL), {**names, "Polynomial": Polynomial}) == FULL


def test_numbers_that_yaml_reads_as_text_are_numbers():
    record = to_record(FULL)
    record["optimisers"]["*"]["rate"] = "1e-3"
    assert from_record(record, Settings).optimisers["*"].rate == 1e-3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epoch": 3}, "epoch"),
        ({"seed": 1.5}, "seed"),
        ({"tensorboard": "no"}, "tensorboard"),
        ({"optimisers": {"*": {"kind": "sgd", "rte": 1}}}, "rte"),
        ({"optimisers": {"*": {"kind": "lion"}}}, r"optimisers\['\*'\]"),
        ({"steps": 10}, "epochs or in steps"),
        ({"precision": "fp8"}, "precision"),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    with pytest.raises(UsageError, match=message):
        from_record({**to_record(FULL), **change}, Settings)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Settings(epochs=float("inf")),
        lambda: Settings(epochs=1, seed=-1),
        lambda: Settings(epochs=1, evaluate_every=float("inf")),
        lambda: Settings(steps=0),
        lambda: Settings(epochs=1, keep=0),
        lambda: Sgd(rate=float("nan")),
        lambda: Sgd(rate=0.0),
        lambda: Sgd(momentum=-1),
        lambda: Sgd(momentum=0.0, nesterov=True),
        lambda: Sgd(weight_decay=float("nan")),
        lambda: Sgd(clip=0.0),
        lambda: AdamW(betas=(2, 2)),
        lambda: AdamW(epsilon=-1.0),
        lambda: Cosine(warmup=float("nan")),
        lambda: Cosine(warmup=-1),
        lambda: Steps((1,), gamma=-1),
        lambda: MovingAverage(1.0),
    ],
)
def test_numbers_out_of_range_are_refused(make):
    with pytest.raises(UsageError):
        make()


def test_an_optimiser_is_chosen_by_name_then_by_pattern():
    assert optimiser_of("backbone", FULL.optimisers) is FULL.optimisers["backbone"]
    assert optimiser_of("head", FULL.optimisers) is FULL.optimisers["*"]
    with pytest.raises(UsageError, match="no optimiser"):
        optimiser_of("head", {"backbone": Sgd()})


def test_a_run_has_one_length():
    assert Settings(epochs=2.5).length(10) == (25, 10.0)
    assert Settings(steps=7, accumulate=2).length(10) == (7, 5.0)
    with pytest.raises(UsageError, match="epochs or in steps"):
        Settings()


@pytest.mark.parametrize(
    ("value", "best", "better"), [(0.5, None, True), (float("nan"), None, False), (0.6, 0.55, False)]
)
def test_a_value_must_beat_the_best_by_the_least_amount(value, best, better):
    assert Watch("auc", least=0.1).is_better(value, best) is better


def test_settings_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        FULL.seed = 1
