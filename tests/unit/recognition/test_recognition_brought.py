"""Files that a user brings: by card, by name, by contract, and packs as they lie."""

import json

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import planted
from visavis.cards import InputContract, WeightCard
from visavis.detection.brought import brought_card as brought_detector
from visavis.errors import ModelError
from visavis.pipeline.packs import pack_cards
from visavis.recognition.brought import FAMILIES, brought_card
from visavis.recognition.onnx_embedder import OnnxEmbedder
from visavis.types import Crops, Status


def _embedder(*, dimension=512, seed=0, side=112, batch: int | str = "None", extra=False):
    """A seeded random network with the interface of an ArcFace export."""
    rng = np.random.default_rng(seed)
    weights = {
        "w": rng.normal(size=(4, 3, 8, 8)).astype(np.float32) / 8,
        "gamma": rng.uniform(0.5, 1, 4).astype(np.float32),
        "beta": rng.normal(size=4).astype(np.float32),
        "m": rng.normal(size=4).astype(np.float32),
        "v": rng.uniform(0.5, 1, 4).astype(np.float32),
        "slope": rng.uniform(0, 0.5, (4, 1, 1)).astype(np.float32),
        "fc": rng.normal(size=(dimension, 4 * (side // 8) ** 2)).astype(np.float32) / 10,
        "bias": rng.normal(size=dimension).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["input.1", "w"], ["c"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("BatchNormalization", ["c", "gamma", "beta", "m", "v"], ["b"]),
        helper.make_node("PRelu", ["b", "slope"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "fc", "bias"], ["683"], transB=1),
    ]
    outputs = [helper.make_tensor_value_info("683", TensorProto.FLOAT, [1, dimension])]
    if extra:
        nodes.append(helper.make_node("ReduceL2", ["683"], ["norm"], axes=[1]))
        outputs.append(helper.make_tensor_value_info("norm", TensorProto.FLOAT, [1, 1]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [batch, 3, side, side])],
        outputs,
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model.SerializeToString()


def _crops(count=3, seed=1):
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 112, 112, 3), dtype=np.uint8)
    return Crops(pixels, np.tile(np.eye(2, 3), (count, 1, 1)), "arcface-112", Status.good(count))


def _file(folder, name, **options):
    path = folder / name
    path.write_bytes(_embedder(**options))
    return path


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("w600k_r50.onnx", "arcface"),
        ("w600k_mbf.onnx", "arcface"),
        ("glintr100.onnx", "arcface"),
        ("R50_MS1MV3.onnx", "arcface"),
        ("adaface_ir101_webface12m.onnx", "adaface"),
        ("LVFace-B_Glint360K.onnx", "lvface"),
        ("edgeface_xs_gamma_06.onnx", "edgeface"),
        ("arcfaceresnet100-8.onnx", "arcface-mxnet"),
    ],
)
def test_known_names_find_their_contract(tmp_path, name, family):
    card = brought_card(_file(tmp_path, name))
    assert card.contract == FAMILIES[family].card.contract
    assert (card.dimension, card.use, card.sha256, card.calibration) == (512, "research", "", "")


def test_only_adaface_takes_bgr():
    colours = {name: family.card.contract.colour for name, family in FAMILIES.items()}
    assert {name for name, colour in colours.items() if colour == "bgr"} == {"adaface"}


def test_the_dimension_is_read_from_the_file_and_checked_by_the_embedder(tmp_path):
    card = brought_card(_file(tmp_path, "w600k_mbf.onnx", dimension=96))
    assert card.dimension == 96
    assert OnnxEmbedder(card).embed(_crops()).vectors.shape == (3, 96)


def test_a_fixed_batch_of_one_is_freed_and_batches_agree_with_single_crops(tmp_path):
    embedder = OnnxEmbedder(brought_card(_file(tmp_path, "w600k_r50.onnx", batch=1)))
    crops = _crops()
    together = embedder.embed(crops)
    for row in range(len(crops)):
        assert np.allclose(embedder.embed(crops[row]).vectors[0], together.vectors[row], atol=1e-6)
    assert len(embedder.card.sha256) == 64


def test_the_colour_of_the_contract_reaches_the_network(tmp_path):
    path = _file(tmp_path, "mystery.onnx")
    crops = _crops()
    mirrored = Crops(crops.pixels[..., ::-1], crops.matrices, crops.template, crops.status)
    rgb = OnnxEmbedder(brought_card(path, contract="arcface")).embed(crops)
    bgr = OnnxEmbedder(brought_card(path, contract="adaface")).embed(mirrored)
    assert np.allclose(rgb.vectors, bgr.vectors, atol=1e-5)


def test_a_second_output_such_as_adafaces_norm_is_left_alone(tmp_path):
    card = brought_card(_file(tmp_path, "adaface_ir50_ms1mv2.onnx", extra=True))
    assert OnnxEmbedder(card).embed(_crops()).vectors.shape == (3, 512)


def test_an_unknown_name_says_what_to_do(tmp_path):
    path = _file(tmp_path, "mystery.onnx")
    with pytest.raises(ModelError, match=r"arcface, adaface.*mystery\.onnx\.card\.json"):
        brought_card(path)
    with pytest.raises(ModelError, match="known: arcface"):
        brought_card(path, contract="facenet")
    with pytest.raises(ModelError, match="no model file"):
        brought_card(tmp_path / "absent.onnx")


def test_what_is_not_a_recogniser_is_refused(tmp_path):
    (tmp_path / "w600k_r50.onnx").write_bytes(b"not a network")
    with pytest.raises(ModelError, match="ONNX"):
        brought_card(tmp_path / "w600k_r50.onnx")
    with pytest.raises(ModelError, match="160"):
        brought_card(_file(tmp_path, "glintr100.onnx", side=160))


def test_a_card_beside_the_file_comes_first(tmp_path):
    path = _file(tmp_path, "w600k_r50.onnx", dimension=64)
    contract = InputContract("bgr", mean=(1.0, 2.0, 3.0), scale=0.5)
    loader, sources = "visavis.recognition.onnx_embedder:OnnxEmbedder", FAMILIES["arcface"].card.sources
    card = WeightCard("mine", "embedder", loader, sources, "", "MIT", contract, dimension=64, rewrites=("free-axes",))
    written = card.to_dict()
    del written["sources"], written["sha256"]
    beside = path.with_name("w600k_r50.onnx.card.json")
    beside.write_text(json.dumps(written))
    card = brought_card(path)
    assert (card.name, card.contract, card.dimension, card.licence) == ("mine", contract, 64, "MIT")
    assert OnnxEmbedder(card).embed(_crops(1)).vectors.shape == (1, 64)
    with pytest.raises(ModelError, match="embedder"):
        brought_detector(path)
    beside.write_text(json.dumps({**written, "colour": "rgb"}))
    with pytest.raises(ModelError, match="colour"):
        brought_card(path)
    beside.write_text("[]")
    with pytest.raises(ModelError, match="JSON object"):
        brought_card(path)


def _pack(folder):
    detector = planted.scrfd(box=(8, 8, 8, 8), points=np.zeros((5, 2)), batched=False)
    (folder / "det_10g.onnx").write_bytes(detector)
    _file(folder, "w600k_r50.onnx")
    for name in ("1k3d68.onnx", "2d106det.onnx", "genderage.onnx"):
        (folder / name).write_bytes(b"")


def test_an_insightface_pack_is_read_as_it_lies(tmp_path):
    _pack(tmp_path)
    detector, embedder = pack_cards(tmp_path)
    assert (detector.kind, detector.decoder, detector.contract.size, detector.contract.batch) == (
        "detector", "scrfd", None, False,
    )  # fmt: skip
    assert (embedder.kind, embedder.dimension) == ("embedder", 512)
    assert {detector.use, embedder.use} == {"research"}
    assert type(embedder()).__name__ == "OnnxEmbedder" and type(detector()).__name__ == "OnnxDetector"
    with pytest.raises(ModelError, match="research"):
        embedder(policy="commercial")


def test_a_pack_without_or_with_two_recognisers_is_refused(tmp_path):
    _pack(tmp_path)
    _file(tmp_path, "glintr100.onnx")
    with pytest.raises(ModelError, match=r"glintr100\.onnx, w600k_r50\.onnx"):
        pack_cards(tmp_path)
    with pytest.raises(ModelError, match="no folder"):
        pack_cards(tmp_path / "absent")
