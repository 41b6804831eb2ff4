"""The parts of the PETALface experiment whose answer is known by hand."""

import numpy as np
import pytest

from visavis.systems.petalface import EXPERIMENT, _Material

torch = pytest.importorskip("torch")
from visavis.systems import _adapter_faces, _adapter_toy  # noqa: E402
from visavis.systems._adapter_arms import Arm  # noqa: E402
from visavis.systems._adapter_faces import Outcome  # noqa: E402
from visavis.systems._attention_toy import down_sampled, read_faces  # noqa: E402


def arms(low, clean, share=0.04):
    return {name: Arm(*values, share) for name, values in zip(low, zip(low.values(), clean, strict=True), strict=True)}


def test_the_verdict_is_the_mean_over_seeds_of_what_was_counted():
    one = arms({"frozen": 0.5, "full": 0.7, "lora": 0.6, "dual": 0.6}, (0.99, 0.95, 0.97, 0.98))
    other = arms({"frozen": 0.4, "full": 0.7, "lora": 0.6, "dual": 0.5}, (0.99, 0.95, 0.97, 0.98))
    verdict = EXPERIMENT.judge(_Material(()), [one, other])
    found = {check.name: check.value for check in verdict.checks}
    assert (verdict.value, verdict.baseline) == (pytest.approx(0.55), pytest.approx(0.45))
    assert found["low rank-1 dual - frozen"] == pytest.approx(0.1)
    assert found["low rank-1 dual - lora"] == pytest.approx(-0.05)
    assert found["clean accuracy dual - full"] == pytest.approx(0.03)
    assert found["clean accuracy frozen - dual"] == pytest.approx(0.01)
    assert found["trainable share dual"] == 0.04
    assert [check.name for check in verdict.checks if not check.passed] == ["low rank-1 dual - lora"]


def test_the_score_of_small_views_tells_their_resolution():
    faces = read_faces()

    def score(side):
        shown = torch.from_numpy(down_sampled(faces, side)).permute(0, 3, 1, 2).float() / 255
        return _adapter_toy.resolution_score(shown).numpy()

    assert np.median(score(25)) > 0.9 and max(np.median(score(side)) for side in _adapter_toy.RESOLUTIONS) < 0.2


def test_the_interval_is_over_people_and_paired():
    people = 40
    hit = np.ones((people, 2), bool)
    half = hit.copy()
    half[:, 1] = False
    faces = type("Some", (), {"persons": tuple(map(str, range(people)))})()
    one, other = (Outcome(Arm(0, 0, 0), table) for table in (hit, half))
    assert _adapter_faces.difference(faces, [one], [other]) == (0.5, 0.5)
    some = hit.copy()
    some[::2] = False
    low, high = _adapter_faces.difference(faces, [one], [Outcome(Arm(0, 0, 0), some)])
    assert 0.3 < low < 0.5 < high < 0.7
