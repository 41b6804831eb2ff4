"""The parts of the experiment on recognizability whose answer is known by hand."""

from dataclasses import replace

import numpy as np
import pytest

from visavis.systems import recognizability
from visavis.systems._attention_faces import Part

torch = pytest.importorskip("torch")
from visavis.systems import _recognizability_toy as toy  # noqa: E402
from visavis.systems._attention_toy import RESOLUTIONS, read_faces  # noqa: E402
from visavis.systems._recognizability_faces import RECIPE, Found  # noqa: E402
from visavis.training.recipes.recipe import RecogniserRecipe  # noqa: E402

LOOK = toy.Look(
    correlation=0.8,
    guessed=0.6,
    ratios={"index": 0.5, "guessed": 0.7, "distance": 0.9, "norm": 0.9, "random": 1.0},
    medians=dict.fromkeys(RESOLUTIONS, 1.0),
    rank1=dict.fromkeys(RESOLUTIONS, 0.75),
    plain=dict.fromkeys(RESOLUTIONS, 0.5),
)


def test_the_small_network_has_a_map_and_training_goes_on_where_it_was():
    torch.manual_seed(0)
    backbone = toy.SmallBackbone().eval()
    network = toy.HOW.network(backbone).eval()
    x = toy._input(read_faces()[:6])
    assert x.shape == (6, 1, 25, 25) and len(backbone.blocks()) == 2 and network.begin_at_base(x)
    with torch.no_grad():
        torch.testing.assert_close(network(x), backbone(x), atol=1e-4, rtol=1e-4)


def test_both_arms_are_judged_on_the_same_views_and_the_plain_one_knows_nothing_of_the_other():
    small = toy.Toy(steps=4, more=3, batch=12, views=1, known=80)
    one = toy.with_and_without(read_faces(), small, 7)
    other = toy.with_and_without(read_faces(), replace(small, known=40), 7)
    assert one.plain == other.plain and set(one.plain) == set(RESOLUTIONS)
    assert one.gain((8,)) == pytest.approx(one.rank1[8] - one.plain[8])


def test_the_verdict_is_of_the_means_and_fails_with_any_check():
    verdict = recognizability._judge_toy([LOOK, replace(LOOK, correlation=0.7, guessed=0.5)])
    assert all(check.passed for check in verdict.checks) and verdict.value == 0.5 and verdict.baseline == 1.0
    assert verdict.measures["rank-1 with - without, 8 pixels and fewer"] == pytest.approx(0.25)
    for wrong in (
        {"correlation": 0.59},
        {"guessed": 0.39},
        {"ratios": {**LOOK.ratios, "index": 1.0}},
        {"ratios": {**LOOK.ratios, "distance": 1.0}},
        {"ratios": {**LOOK.ratios, "random": 1.2}},
        {"ratios": {**LOOK.ratios, "random": 0.8}},
    ):
        failed = [check.name for check in recognizability._judge_toy([LOOK, replace(LOOK, **wrong)]).checks
                  if not check.passed]  # fmt: skip
        assert len(failed) == 1


def test_the_full_verdict_compares_with_random_discards():
    quality = np.arange(1.0, 11.0)
    part = Part(
        similarities=np.array([0.1, 0.2, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.1]),
        qualities={"recognizability": quality, "random": -quality},
        threshold=0.5,
        people=np.array([str(row) for row in range(10)]),
        mine="recognizability",
    )
    verdict = recognizability._judge_faces([{"lfw": Found(part, 0.25)}])
    assert verdict.value == pytest.approx((0.3 + 2 / 9 + 1 / 8) / 3 / 0.3)
    assert verdict.measures["fnmr lfw"] == pytest.approx(0.3)
    assert verdict.measures["fnmr of the network before lfw"] == 0.25
    assert all(check.passed for check in verdict.checks) and len(verdict.intervals) == 1


def test_the_recipe_of_the_full_budget_survives_being_written_down():
    assert RecogniserRecipe.from_record(RECIPE.to_record()) == RECIPE
