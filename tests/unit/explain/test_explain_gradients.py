"""Gradients, integrated gradients and the map of pairs against analysis, on toys and on the default recogniser."""

import numpy as np
import pytest

import two_patches
from two_patches import AGAINST, FOR, TwoPatches, TwoPatchesTorch, cosine, crop, crops
from visavis.errors import ModelError, UsageError
from visavis.explain.gradient import GradientExplainer
from visavis.explain.integrated_gradients import IntegratedGradientsExplainer, path_points
from visavis.explain.pair_cam import PairCamExplainer
from visavis.explain.sanity import (
    TensorEmbedder,
    randomised_embedder,
    randomised_network,
    swap_error,
)
from visavis.explain.tensors import smoothed
from visavis.metrics.rank_correlation import rank_correlation
from visavis.types import Crops, Failure, Status
from visavis.types.protocols import DifferentiableEmbedder

torch = pytest.importorskip("torch")

LEFT, RIGHT = np.array([100.5, 60.5]), np.array([100.5, -60.5])
CELLS = 14 * 14


def gradient(one, two):
    """Of the cosine over its first vector: (v - cos u) / |a|, with unit vectors u and v."""
    u, v = one / np.linalg.norm(one), two / np.linalg.norm(two)
    return (v - (u @ v) * u) / np.linalg.norm(one)


def test_gradient_times_input_is_that_of_the_cosine():
    left, right = two_patches.pair()
    (found,) = GradientExplainer(TwoPatchesTorch(), smooth=0).explain(left, right)
    for side, one, two in (("left", LEFT, RIGHT), ("right", RIGHT, LEFT)):
        values, wanted = getattr(found, side), one * gradient(one, two)
        assert values[FOR].sum() == pytest.approx(wanted[0], rel=1e-4)
        assert values[AGAINST].sum() == pytest.approx(wanted[1], rel=1e-4)
        assert np.abs(values[:50]).max() < 1e-9


def test_smoothing_keeps_the_sum():
    values = np.random.default_rng(0).normal(size=(30, 40))
    values[0, 0] = 100
    assert smoothed(values, 4.0).sum() == pytest.approx(values.sum(), rel=1e-4)
    assert np.array_equal(smoothed(values, 0), values.astype(np.float32))


@pytest.mark.parametrize("count", [1, 2, 7, 32])
def test_the_path_rule_is_exact_for_what_it_should_be(count):
    points, weights = path_points(count)
    assert weights.sum() == pytest.approx(1) and (np.diff(points) > 0).all() and 0 < points[0] <= points[-1] < 1
    dense, fine = path_points(4000)
    assert (fine * np.sin(5 * dense)).sum() == pytest.approx((1 - np.cos(5)) / 5, abs=1e-5)


class Bent:
    """Nonlinear: the patch means squashed, with a constant third number so that blank crops have an embedding."""

    def embed_tensor(self, pixels):
        means = [pixels[:, :, *at].mean(dim=(1, 2, 3)) - 127.5 for at in (FOR, AGAINST)]
        bent = [torch.tanh(mean / 60) for mean in means]
        return torch.stack([*bent, torch.full_like(bent[0], 0.3)], dim=1)


def bent(values):
    return np.array([*np.tanh(np.asarray(values, float) / 60), 0.3])


@pytest.mark.parametrize("smooth", [0.0, 4.0])
def test_integrated_gradients_are_complete(smooth):
    left, right = two_patches.pair()
    (found,) = IntegratedGradientsExplainer(Bent(), budget=164, smooth=smooth).explain(left, right)
    whole, blank = cosine(bent(LEFT), bent(RIGHT)), bent([0, 0])
    assert found.similarity == pytest.approx(whole, abs=1e-5) and found.complete and found.passes == 164
    assert found.left.sum() == pytest.approx(whole - cosine(blank, bent(RIGHT)), abs=2e-3)
    assert found.right.sum() == pytest.approx(whole - cosine(bent(LEFT), blank), abs=2e-3)


def test_integrated_gradients_equal_a_slow_integral():
    left, right = two_patches.pair()
    (found,) = IntegratedGradientsExplainer(Bent(), budget=164, smooth=0).explain(left, right)
    steps, wanted = (np.arange(4000) + 0.5) / 4000, np.zeros(2)
    for step in steps:
        at = step * LEFT
        slope = 1 - np.tanh(at / 60) ** 2
        wanted += gradient(bent(at), bent(RIGHT))[:2] * slope / 60 * LEFT / 4000
    assert found.left[FOR].sum() == pytest.approx(wanted[0], abs=2e-3)
    assert found.left[AGAINST].sum() == pytest.approx(wanted[1], abs=2e-3)


def test_too_few_points_are_not_called_complete():
    left, right = two_patches.pair()
    (found,) = IntegratedGradientsExplainer(Bent(), budget=6).explain(left, right)
    assert not found.complete


def test_the_map_of_a_tap_is_gradient_times_activation():
    left, right = two_patches.pair()
    (found,) = PairCamExplainer(TwoPatchesTorch()).explain(left, right)
    wanted = LEFT * gradient(LEFT, RIGHT)
    # Four places a patch, all alike: each has a quarter of it, undisturbed in the middle.
    assert found.left[62:64, 55:57].mean() == pytest.approx(wanted[0] / 4, rel=1e-3)
    assert found.left[90:92, 55:57].mean() == pytest.approx(wanted[1] / 4, rel=1e-3)
    (pooled,) = PairCamExplainer(TwoPatchesTorch(), pooled=True).explain(left, right)
    slope = gradient(LEFT, RIGHT).sum() / 256
    assert pooled.left[62:64, 55:57].mean() == pytest.approx(slope * LEFT[0], rel=1e-3)


def test_taps_are_declared_and_chosen():
    embedder = TwoPatchesTorch()
    assert PairCamExplainer(embedder).tap == "places" == PairCamExplainer(embedder, tap="places").tap
    with pytest.raises(UsageError, match="places"):
        PairCamExplainer(embedder, tap="embedding")
    with pytest.raises(UsageError, match="declares no tap"):
        PairCamExplainer(Bent())


def test_a_crop_without_an_embedding_is_refused():
    blank = Crops(np.full((1, 112, 112, 3), 127, np.uint8), np.zeros((1, 2, 3)), "arcface-112", Status.good(1))

    class Zero:
        def embed_tensor(self, pixels):
            return pixels.mean(dim=(2, 3)) * 0

    with pytest.raises(ModelError, match="no finite embedding"):
        GradientExplainer(Zero()).explain(blank, blank)


def test_a_torch_embedder_as_a_plain_one_gives_the_same_templates():
    some = crops(crop(228, 188, 1), crop(30, 90, 2))
    failed = Crops(some.pixels, some.matrices, some.template, Status((None, Failure("no-face", "nobody"))))
    made, plain = TensorEmbedder(TwoPatchesTorch()).embed(failed), TwoPatches().embed(some)
    assert np.allclose(made.vectors[0], plain.vectors[0], atol=1e-5)
    assert made.status.reasons == ("", "no-face") and np.isnan(made.vectors[1]).all()


def test_shuffling_keeps_the_values_of_each_tensor_and_the_original():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8))
    before = [values.clone() for values in network.parameters()]
    made = randomised_network(network, seed=3)
    for old, kept, new in zip(before, network.parameters(), made.parameters(), strict=True):
        assert torch.equal(old, kept)
        assert torch.equal(old.flatten().sort().values, new.flatten().sort().values)
        assert (old.ndim == 1) == torch.equal(old, new)
    again = randomised_network(network, seed=3)
    assert all(torch.equal(a, b) for a, b in zip(made.parameters(), again.parameters(), strict=True))
    with pytest.raises(UsageError, match="no torch module"):
        randomised_embedder(Bent(), seed=0)


def test_rank_correlation_is_spearmans():
    scipy = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    one, two = rng.integers(0, 6, (20, 20)), rng.normal(size=(20, 20))
    assert rank_correlation(one, two) == pytest.approx(scipy.spearmanr(one.ravel(), two.ravel()).statistic)
    assert rank_correlation(one, one) == pytest.approx(1) and np.isnan(rank_correlation(one, np.zeros((20, 20))))


def test_an_explainer_that_prefers_a_side_is_found_out():
    class Biased(GradientExplainer):
        def explain(self, left, right):
            (one,) = super().explain(left, right)
            return [type(one)(one.method, one.left * 2, one.right, one.similarity)]

    left, right = two_patches.pair()
    assert swap_error(GradientExplainer(TwoPatchesTorch()), left, right) < 1e-5
    assert swap_error(Biased(TwoPatchesTorch()), left, right) > 0.4


@pytest.fixture(scope="module")
def twin():
    from visavis.recognition.sface_torch import TorchSFaceEmbedder

    return TorchSFaceEmbedder()


@pytest.fixture(scope="module")
def portraits(astronaut, officer):
    from visavis.pipeline.pipeline import Pipeline

    pipeline = Pipeline()
    return [pipeline.side([path]).crops for path in (astronaut, officer)]


@pytest.mark.slow
def test_integrated_gradients_of_the_default_recogniser_are_complete(twin, portraits):
    assert isinstance(twin, DifferentiableEmbedder)
    (found,) = IntegratedGradientsExplainer(twin).explain(*portraits)
    with torch.no_grad():
        from visavis.explain.tensors import tensor

        grey = np.full((1, 112, 112, 3), 127.5)
        raw = twin.embed_tensor(tensor(np.concatenate([portraits[0].pixels, portraits[1].pixels, grey]))).numpy()
    assert found.similarity == pytest.approx(cosine(raw[0], raw[1]), abs=1e-4)
    assert found.complete
    assert found.left.sum() == pytest.approx(cosine(raw[0], raw[1]) - cosine(raw[2], raw[1]), abs=0.05)


@pytest.mark.parametrize("kind", [GradientExplainer, PairCamExplainer])
def test_maps_of_the_default_recogniser_follow_its_weights(kind, twin, portraits):
    (here,) = kind(twin).explain(*portraits)
    (there,) = kind(randomised_embedder(twin, seed=0)).explain(*portraits)
    assert abs(rank_correlation(here.left, there.left)) < 0.5
    assert abs(rank_correlation(here.right, there.right)) < 0.5
    assert swap_error(kind(twin), *portraits) < 1e-3
