"""The miniatures: who trains and who is reported on, batches, the network, and what seeds promise."""

from dataclasses import replace

import numpy as np
import pytest

from small_people import tar_of_people
from visavis.errors import InputError
from visavis.protocols.ledger import RolesTouched
from visavis.systems._orl import read_orl
from visavis.systems._small_faces import SmallFaces, grey

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return read_orl(tar_of_people(tmp_path_factory.mktemp("faces") / "faces.tar"))


def test_three_quarters_of_the_people_train_and_all_pairs_of_the_others_are_tested(faces):
    assert faces.train.shape == (18, 1, 24, 20) and faces.test.shape == (6, 1, 24, 20)
    assert faces.train.dtype == np.float32 and faces.train.min() >= 0 and faces.train.max() <= 1
    assert np.bincount(faces.labels).tolist() == [3] * 6 and not set(faces.people) & set(faces.labels)
    assert len(faces.left) == 15 and faces.same.sum() == 6
    assert [dict(touched.roles) for touched in faces.roles] == [{"unlisted": 8}]


def test_too_few_people_or_pictures_are_refused(tmp_path):
    for people, pictures in ((3, 3), (5, 1)):
        archive = tar_of_people(tmp_path / f"{people}.tar", people, pictures)
        with pytest.raises(InputError, match="4 people with 2 pictures each"):
            read_orl(archive)


def test_grey_is_the_luma_of_the_resized_picture():
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[..., 1] = 255
    assert np.allclose(grey(picture, 4, 4), 0.587) and grey(picture, 4, 6).shape == (1, 4, 6)


def test_auc_is_the_share_of_pairs_in_order_and_a_failed_picture_is_a_rejection(faces):
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(6, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similarities = faces.similarities(vectors)
    slow = [float(vectors[i] @ vectors[j]) for i, j in zip(faces.left, faces.right, strict=True)]
    assert np.allclose(similarities, slow, atol=1e-6)
    mated, nonmated = similarities[faces.same], similarities[~faces.same]
    expected = (mated[:, None] > nonmated).mean() + (mated[:, None] == nonmated).mean() / 2
    assert faces.auc(similarities) == pytest.approx(expected)
    failed = np.arange(6) == 0
    lost = replace(faces, failed=failed).similarities(vectors)
    assert np.array_equal(np.isnan(lost), (faces.left == 0) | (faces.right == 0))


def test_the_interval_of_a_difference_with_itself_is_zero_and_of_a_better_run_above(faces):
    people = np.repeat(np.arange(12), 3)
    left, right = np.triu_indices(36, 1)
    many = SmallFaces(faces.train, faces.labels, faces.test, people, left, right, (RolesTouched(None, {}, ""),))
    noise = np.random.default_rng(0).normal(size=len(left))
    good = noise + 3 * many.same
    assert many.auc_difference([noise], [noise], resamples=50) == (0.0, 0.0)
    low, high = many.auc_difference([good, good], [noise, noise], resamples=50)
    assert 0 < low <= many.auc(good) - many.auc(noise) <= high


def test_a_picture_is_moved_mirrored_and_brightened_by_little():
    from visavis.systems._small_training import augment

    rng = np.random.default_rng(0)
    ramp = np.tile(np.linspace(0.2, 0.5, 20, dtype=np.float32), (200, 1, 24, 1))
    out = augment(ramp, rng)
    assert out.shape == ramp.shape and out.dtype == np.float32 and out.min() >= 0 and out.max() <= 1
    rising = out[:, 0, 0, -1] > out[:, 0, 0, 0]
    assert 0.35 < rising.mean() < 0.65
    step = (0.5 - 0.2) / 19
    for row, up in zip(out[:, 0, 12], rising, strict=True):
        line = row if up else row[::-1]
        factor = (line[11] - line[8]) / 3 / step
        assert 0.7 - 1e-4 <= factor <= 1.3 + 1e-4
        moved = (line[10] / factor - ramp[0, 0, 0, 10]) / step
        assert abs(moved) <= 2 + 1e-3 and abs(moved - round(moved)) < 1e-2


def test_batches_are_some_people_with_some_pictures_and_a_function_of_the_seed(faces):
    from visavis.systems._miniature import ORL
    from visavis.systems._small_training import batches

    setting = replace(ORL, people=4, pictures=2)
    one, again, other = (next(batches(faces, setting, seed=seed)) for seed in ((5, 1), (5, 1), (5, 2)))
    assert one.pictures.shape == (8, 1, 24, 20) and torch.equal(one.pictures, again.pictures)
    assert torch.equal(one.labels, torch.from_numpy(faces.labels)[one.rows]) and len(one.rows.unique()) == 8
    assert one.labels.bincount().sort().values[-4:].tolist() == [2] * 4
    assert not torch.equal(one.pictures, other.pictures)


def test_the_network_is_that_of_the_protocol():
    from visavis.systems._small_net import SmallNet, unit_embeddings

    net = SmallNet()
    convolutions = 5 * 5 * 8 + 3 * 3 * 8 * 16 + 3 * 3 * 16 * 32
    normalisations = 2 * (8 + 16 + 32)
    assert sum(p.numel() for p in net.parameters()) == convolutions + normalisations + 3 * 3 * 32 * 64 + 64
    pictures = np.random.default_rng(0).random((5, 1, 24, 20)).astype(np.float32)
    vectors = unit_embeddings(net, pictures)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6) and net.training
    assert np.allclose(unit_embeddings(net, pictures, batch=2), vectors, atol=1e-6)


def test_all_arms_of_a_seed_begin_alike_and_leave_the_generator_of_torch_alone(faces):
    from visavis.losses.arcface import ArcFaceLoss
    from visavis.losses.cosface import CosFaceLoss
    from visavis.systems._arms import Start
    from visavis.systems._miniature import ORL, Miniature

    miniature = Miniature(faces, replace(ORL, warm=2, people=4, pictures=2))
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    threads = torch.get_num_threads()
    start, again = Start.of(miniature, 7), Start.of(miniature, 7)
    assert torch.equal(torch.rand(1), expected) and torch.get_num_threads() == threads
    heads = [kind(64, 6, scale=16.0) for kind in (ArcFaceLoss, CosFaceLoss)]
    nets = [start.arm(miniature, heads[0]), again.arm(miniature, heads[1])]
    assert torch.equal(heads[0].weight, heads[1].weight)
    for name, value in nets[0].state_dict().items():
        assert torch.equal(value, nets[1].state_dict()[name]), name
    assert not torch.equal(start.centres, Start.of(miniature, 8).centres)


def test_a_watched_step_is_the_loss_of_the_head(faces):
    from visavis.losses.cosface import CosFaceLoss
    from visavis.systems._arms import MarginLog, plain_step, watched_step
    from visavis.systems._miniature import ORL
    from visavis.systems._small_net import SmallNet
    from visavis.systems._small_training import batches

    net, head, log = SmallNet(), CosFaceLoss(64, 6, scale=16.0), MarginLog()
    batch = next(batches(faces, replace(ORL, people=4, pictures=2), seed=0))
    net.eval()
    watched, plain = watched_step(net, head, log)(batch), plain_step(net, head)(batch)
    assert torch.allclose(watched, plain, atol=1e-6)
    assert np.allclose(log.shifts[0], 16.0 * 0.35, atol=1e-4) and log.margins == []


def test_a_symmetric_step_leaves_faces_that_are_not_frontal_whole(faces):
    from visavis.losses.cosface import CosFaceLoss
    from visavis.losses.symface import SymmetryLoss
    from visavis.systems._arms import plain_step, symmetric_step
    from visavis.systems._miniature import ORL
    from visavis.systems._small_net import SmallNet
    from visavis.systems._small_training import batches

    net, head = SmallNet(), CosFaceLoss(64, 6, scale=16.0)
    batch = next(batches(faces, replace(ORL, people=4, pictures=2), seed=0))
    net.eval()
    plain = plain_step(net, head)(batch)
    turned = symmetric_step(net, head, SymmetryLoss(), torch.zeros(18), mode="mirror")(batch)
    frontal = symmetric_step(net, head, SymmetryLoss(), torch.ones(18), mode="mirror")(batch)
    assert torch.allclose(turned, plain, atol=1e-6) and frontal > plain
