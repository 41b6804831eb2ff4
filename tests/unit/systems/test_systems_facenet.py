"""What the FaceNet miniature rests on: what a stage trains, the threshold of groups, the rates it is judged by."""

from dataclasses import replace

import numpy as np
import pytest

from small_people import tar_of_people
from visavis.metrics.verification import fmr, fnmr
from visavis.systems._miniature import ORL, Miniature
from visavis.systems._orl import read_orl
from visavis.systems.facenet import best_similarity

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def miniature(tmp_path_factory):
    faces = read_orl(tar_of_people(tmp_path_factory.mktemp("faces") / "faces.tar"))
    return Miniature(faces, replace(ORL, steps=5, people=4, pictures=2, dimension=16))


def test_val_and_far_of_six_distances():
    """Schroff et al. 2015, equations 5 and 6: shares of pairs with a squared distance of at most d; cos = 1 - d / 2."""
    same, different = np.array([0.2, 0.8, 1.3]), np.array([0.8, 1.5, 2.4])
    for distance, val, far in ((0.1, 0, 0), (0.2, 1 / 3, 0), (0.8, 2 / 3, 1 / 3), (1.5, 1, 2 / 3), (4.0, 1, 1)):
        threshold = 1 - distance / 2
        assert 1 - fnmr(1 - same / 2, threshold) == pytest.approx(val)
        assert fmr(1 - different / 2, threshold) == pytest.approx(far)


def test_the_two_stages_train_what_they_should_and_never_the_old_network(miniature, monkeypatch):
    from visavis.systems import _facenet_arms as arms

    old, new = arms.network(miniature.setting), arms.network(miniature.setting, wider=2)
    assert old.output.weight.shape[1] * 2 == new.output.weight.shape[1]
    states = []
    fit = arms.fit

    def watched(modules, *rest, **more):
        states.append({name: value.clone() for name, value in new.state_dict().items()})
        fit(modules, *rest, **more)

    monkeypatch.setattr(arms, "fit", watched)
    before = {name: value.clone() for name, value in old.state_dict().items()}
    arms.train_harmonic(new, old, miniature, seed=(1,))
    first, second, last = *states, new.state_dict()
    changed = {name for name in first if not torch.equal(first[name], second[name])}
    assert changed == {"output.weight", "output.bias"}
    assert any(not torch.equal(second[name], last[name]) for name in last if "running_mean" in name)
    assert all(torch.equal(value, before[name]) for name, value in old.state_dict().items())
    assert all(parameter.grad is None for parameter in old.parameters())


def test_a_harmonic_step_of_a_network_with_itself_is_the_harmonic_loss_of_equal_embeddings(miniature):
    from visavis.losses.harmonic_triplet import HarmonicTripletLoss
    from visavis.systems._facenet_arms import harmonic_step, network
    from visavis.systems._small_training import batches

    net = network(miniature.setting).eval()
    batch = next(batches(miniature.faces, miniature.setting, seed=0))
    with torch.no_grad():
        embeddings = net(batch.pictures)
    expected = HarmonicTripletLoss()(embeddings, batch.labels, embeddings)
    assert torch.allclose(harmonic_step(net, net)(batch), expected)


def test_the_threshold_of_groups_lies_between_people_that_are_apart():
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(6), 5)
    vectors = np.eye(6)[people] + rng.normal(0, 0.02, (30, 6))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    cosines = vectors @ vectors.T
    same = people[:, None] == people
    found = best_similarity(vectors, people)
    assert cosines[~same].max() < found < cosines[same].max()
