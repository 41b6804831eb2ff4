"""The miniature of noisy labels: what is noisy, who is held out, and what the figures count."""

from dataclasses import replace

import numpy as np
import pytest

from small_people import tar_of_people
from visavis.protocols.ledger import RolesTouched
from visavis.systems import light_cnn
from visavis.systems._noisy_labels import QUICK, NoisyFaces, Part, prepare

torch = pytest.importorskip("torch")

ROLES = (RolesTouched(None, {}, ""),)


def faces(people=10, pictures=12, **changes):
    rng = np.random.default_rng(0)
    coarse = rng.random((people, 1, 3, 2), dtype=np.float32).repeat(pictures, 0)
    base = coarse.repeat(8, 2).repeat(10, 3)
    pixels = np.clip(base + rng.normal(0, 0.05, base.shape), 0, 1).astype(np.float32)
    return NoisyFaces(pixels, np.arange(people).repeat(pictures), ROLES, replace(QUICK, **changes))


def test_everybody_is_trained_and_tested_on_with_other_pictures():
    made = faces(held=3)
    train, test = made.parts(4)
    assert np.bincount(train.people).tolist() == [9] * 10 and np.bincount(test.people).tolist() == [3] * 10
    assert np.array_equal(test.labels, test.people)
    whole = {picture.tobytes() for picture in made.pixels}
    assert {picture.tobytes() for picture in (*train.pixels, *test.pixels)} == whole
    again, other = made.parts(4)[0], made.parts(5)[0]
    assert np.array_equal(again.labels, train.labels) and not np.array_equal(other.labels, train.labels)


def test_three_labels_of_ten_are_those_of_others_drawn_evenly():
    made = faces(10, 400)
    train, _ = made.parts(0)
    wrong = train.labels != train.people
    assert abs(wrong.mean() - 0.3) < 4 * np.sqrt(0.21 / len(wrong))
    away = np.bincount((train.labels - train.people)[wrong] % 10, minlength=10)
    assert away[0] == 0 and away[1:].min() > 0.7 * away[1:].mean()


def test_the_quick_budget_has_all_people_of_the_archive(tmp_path):
    (tmp_path / "orl").mkdir()
    tar_of_people(tmp_path / "orl/orl.tar", 5, 4)
    made = prepare(tmp_path, "quick")
    assert np.bincount(made.people).tolist() == [4] * 5 and made.pixels.shape == (20, 1, 24, 20)
    assert dict(made.roles[0].roles) == {"unlisted": 5}


def test_the_figures_are_shares_of_pictures():
    made = faces(3, 2)
    counts = {
        "trained": [4, 4, 2], "tested": [1, 1, 1], "given right": [3, 2, 1], "low left": [4, 3, 1],
        "low right": [4, 3, 0], "low given right": [3, 2, 0], "high left": [2, 2, 0], "high right": [2, 2, 0],
        "crossed left": [1, 1, 1], "crossed right": [1, 1, 0], "noisy": [1, 0, 0], "boot": [1, 1, 0],
    }  # fmt: skip
    counts = {name: np.array(values, float) for name, values in counts.items()}
    verdict = light_cnn.EXPERIMENT.judge(made, [counts, counts])
    assert verdict.measures["label_acc_before"] == pytest.approx(6 / 10)
    assert verdict.measures["label_acc_after tau 0.3"] == pytest.approx(7 / 8) == verdict.value
    assert verdict.measures["label_acc_after tau 0.5"] == 1.0
    assert verdict.measures["kept tau 0.3"] == pytest.approx(8 / 10)
    assert verdict.measures["right labels that stay tau 0.3"] == pytest.approx(5 / 6)
    checks = {check.name: check for check in verdict.checks}
    assert checks["label_acc_after - label_acc_before"].value == pytest.approx(7 / 8 - 6 / 10)
    assert not checks["kept"].passed and checks["test_acc_boot - test_acc_noisy"].value == pytest.approx(1 / 3)
    for name, (low, high) in verdict.intervals.items():
        assert low <= high, name


def test_a_network_learns_people_and_corrects_labels():
    from visavis.losses.relabel import relabel
    from visavis.systems._max_feature_net import believed, train_classifier
    from visavis.systems._small_net import reproducible

    made = faces(4, 12, steps=50, batch=16, rate=5e-3, widths=(6, 8, 12), dimension=16)
    train, _ = made.parts(1)
    with reproducible(0):
        net = train_classifier(made.setting, train, train.labels, classes=4, seed=(1, 1))
        same = train_classifier(made.setting, train, train.labels, classes=4, seed=(1, 1))
        plain = train_classifier(made.setting, train, train.labels, classes=4, seed=(1, 1), max_feature=False)
    beliefs = believed(net, train.pixels)
    assert torch.equal(beliefs, believed(same, train.pixels)) and not torch.equal(
        beliefs, believed(plain, train.pixels)
    )
    assert torch.allclose(beliefs.sum(1), torch.ones(len(beliefs)))
    found = relabel(beliefs, torch.from_numpy(train.labels), threshold=0.3).labels.numpy()
    assert (found == train.people).mean() > (train.labels == train.people).mean() + 0.1
    weights = [sum(p.numel() for p in one.parameters()) for one in (net, plain)]
    assert weights[0] > 1.8 * weights[1]


def test_pictures_without_a_label_are_not_trained_on():
    from visavis.systems._max_feature_net import believed, train_classifier
    from visavis.systems._small_net import reproducible

    made = faces(3, 6, steps=4, batch=8)
    train, _ = made.parts(0)
    labels = np.where(np.arange(len(train.labels)) % 2, train.labels, -1)
    noise = train.pixels.copy()
    noise[labels < 0] = 0.5
    with reproducible(0):
        one = train_classifier(made.setting, train, labels, classes=3, seed=(0, 1))
        other = train_classifier(made.setting, Part(noise, train.people, labels), labels, classes=3, seed=(0, 1))
        nothing = train_classifier(made.setting, train, np.full(len(labels), -1), classes=3, seed=(0, 1))
    assert torch.equal(believed(one, train.pixels), believed(other, train.pixels))
    assert not torch.equal(believed(nothing, train.pixels), believed(one, train.pixels))
