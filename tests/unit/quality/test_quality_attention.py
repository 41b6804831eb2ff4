"""The measure attention: in torch, from released checkpoints, and in the pipeline."""

import json

import numpy as np
import pytest
from safetensors.torch import save_file

from visavis import registry
from visavis.cards import LocalFile
from visavis.errors import ModelError, UsageError
from visavis.pipeline.attention import attending_embedder, own_attention_scorer
from visavis.quality.attention import AttentionScorer, attention_scorer
from visavis.quality.attention_calibration import SUFFIX, fit_attention
from visavis.quality.attention_score import attention_map_of_tokens
from visavis.quality.heat_map import heat_maps, overlaid, patch_grid
from visavis.recognition.default_card import SFACE
from visavis.runtime.session import EngineOptions
from visavis.runtime.weights import find_weights
from visavis.types import Crops, FaceContext, Faces, Failure, Picture, Pictures, Status

torch = pytest.importorskip("torch")
from visavis.nn.adapters.adapted import adapt  # noqa: E402
from visavis.nn.adapters.quality_weight import FixedWeight  # noqa: E402
from visavis.nn.backbones.vit import ViTBackbone, ViTShape  # noqa: E402
from visavis.nn.checkpoints.keys import to_released  # noqa: E402
from visavis.nn.checkpoints.load import load_released  # noqa: E402
from visavis.nn.pixels import network_input  # noqa: E402
from visavis.quality.attention_torch import TorchAttention, last_projection  # noqa: E402

ENGINE = EngineOptions(threads=1)
RNG = np.random.default_rng(8)
PIXELS = RNG.integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def vit_t():
    return attending_embedder("embedder/visavis-vit-t", engine=ENGINE)


def small(seed=0):
    torch.manual_seed(seed)
    return ViTBackbone(ViTShape(32, 2, heads=4, patch=8, ratio=2), dimension=16).eval()


class TimmAttention(torch.nn.Module):
    """Attention as timm writes it, fused, without its logits."""

    def __init__(self, ours):
        super().__init__()
        self.heads, self.qkv, self.proj = ours.heads, ours.qkv, ours.proj

    def forward(self, x):
        batch, count, width = x.shape
        parts = self.qkv(x).reshape(batch, count, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = torch.nn.functional.scaled_dot_product_attention(*parts)
        return self.proj(mixed.transpose(1, 2).reshape(batch, count, width))


def context(pixels, failed=()):
    count = len(pixels)
    status = Status(tuple(Failure("no-face", "no face") if row in failed else None for row in range(count)))
    faces = Faces(
        np.tile(np.array([0, 0, 90, 90], np.float32), (count, 1)),
        np.full(count, 0.9, np.float32),
        np.zeros((count, 5, 2), np.float32),
        np.zeros(count, np.int64),
        status,
    )
    crops = Crops(pixels, np.zeros((count, 2, 3), np.float32), "arcface-112", status)
    return FaceContext(Pictures.of([Picture(np.zeros((99, 99, 3), np.uint8))]), faces, crops)


def test_the_map_of_a_backbone_is_the_mean_of_its_logits_and_leaves_the_embedding_bitwise():
    network = small()
    attending = TorchAttention(network)
    embeddings, found = attending.embed(PIXELS)
    x = network_input(torch.tensor(PIXELS), network.contract)
    with torch.no_grad():
        taps = network.features(x, taps=("blocks.-1.attn.logits",))
        np.testing.assert_array_equal(embeddings, network(x).numpy())
    assert found.shape == (3, 196)
    np.testing.assert_allclose(found, taps["blocks.-1.attn.logits"].mean((1, 2)).numpy(), atol=1e-5)


def test_a_hook_on_blocks_of_timm_gives_the_same():
    network = small()
    block = TimmAttention(network.blocks()[-1].attn)
    x = torch.randn(2, 196, 32)
    seen = []
    block.qkv.register_forward_hook(lambda layer, given, made: seen.append(made))
    with torch.no_grad():
        np.testing.assert_allclose(block(x), network.blocks()[-1].attn(x)[0], atol=1e-5)
    query, key, _ = seen[0].reshape(2, 196, 3, 4, 8).permute(2, 0, 3, 1, 4)
    logits = (query @ key.transpose(-2, -1) / 8**0.5).mean((1, 2)).numpy()
    np.testing.assert_allclose(attention_map_of_tokens(x.numpy(), last_projection(network)), logits, atol=1e-5)


def test_a_picture_without_structure_and_position_has_a_constant_map():
    network = small()
    torch.nn.init.zeros_(network.pos_embed)
    found = TorchAttention(network).attention(np.full((1, 112, 112, 3), 90, np.uint8))
    np.testing.assert_allclose(found, found[0, 0], atol=1e-6)


def test_red_and_blue_are_not_the_same():
    found = TorchAttention(small()).attention(np.concatenate([PIXELS[:1], PIXELS[:1, ..., ::-1]]))
    assert abs(found[0].mean() - found[1].mean()) > 1e-5


@pytest.mark.parametrize(
    ("form", "wrapped"),
    [
        ("net.pt", None),
        ("net.pt", "state_dict"),
        ("module.pt", "model"),
        ("model.net.pt", None),
        ("net.safetensors", None),
        ("module.safetensors", None),
    ],
)
def test_checkpoints_of_cvlface_keep_their_attention(form, wrapped, tmp_path):
    network, path = small(3), tmp_path / form
    prefix = form.rpartition(".")[0] + "."
    state = {f"{prefix}{key}": value.contiguous() for key, value in to_released(network).items()}
    if form.endswith("safetensors"):
        save_file(state, path)
    else:
        torch.save(state if wrapped is None else {wrapped: state}, path)
    loaded = load_released(path, "cvlface", backbone=small(4)).backbone
    np.testing.assert_array_equal(TorchAttention(loaded).attention(PIXELS), TorchAttention(network).attention(PIXELS))
    short = {key: value for key, value in state.items() if ".blocks.1.attn.qkv" not in key}
    torch.save(short, tmp_path / "short.pt")
    with pytest.raises(ModelError, match=r"missing: blocks\.1\.attn\.qkv\.weight"):
        load_released(tmp_path / "short.pt", "cvlface", backbone=small(4))


def test_networks_without_global_attention_are_refused():
    for name in ("backbone/iresnet18", "backbone/swin-t"):
        with torch.device("meta"):
            network = registry.create(name)
        with pytest.raises(ModelError, match="vision transformer without windows") as error:
            TorchAttention(network)
        assert error.value.reason == "model.attention"
    with pytest.raises(ModelError, match="no softmax of it"):
        attending_embedder(SFACE, engine=ENGINE)
    with pytest.raises(UsageError, match=r"uint8 RGB \(N, H, W, 3\), one or more"):
        TorchAttention(small()).attention(PIXELS[:0])


def test_a_network_with_adapters_is_read_once_they_are_merged():
    adapted = adapt(small(), rank=2, begin="official").eval()
    with pytest.raises(ModelError, match=r"give merged\(alpha\)"):
        TorchAttention(adapted)
    adapted.weight = FixedWeight(0.3)
    found = TorchAttention(adapted.merged(0.3)).embed(PIXELS)[0]
    with torch.no_grad():
        wanted = adapted(network_input(torch.from_numpy(PIXELS), adapted.contract))
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-4)


def test_an_untrained_network_is_no_quality():
    attending = TorchAttention(small())
    crops = RNG.integers(0, 256, (20, 112, 112, 3), dtype=np.uint8)
    crops[:] = crops.mean(axis=(1, 2), keepdims=True).astype(np.uint8)
    with pytest.raises(ModelError, match="Is the network trained"):
        fit_attention(
            lambda pixels: attending.attention(pixels).mean(axis=1), crops, model="new", sha256="s", source="flat"
        )


def test_score_and_template_come_from_one_run(vit_t):
    crops = context(PIXELS, failed=[1]).crops
    templates, told_too = vit_t.tell(crops)
    attention = told_too["attention"]
    np.testing.assert_array_equal(templates.vectors, vit_t.embed(crops).vectors)
    assert np.isnan(attention[1]).all() and attention.shape == (3, 49)
    np.testing.assert_array_equal(attention[[0, 2]], vit_t.attention(PIXELS[[0, 2]]))
    base = context(PIXELS, failed=[1])
    told = FaceContext(base.pictures, base.faces, crops, templates, attention)
    scorer = attention_scorer(vit_t)
    assert scorer.applies(told) and not scorer.applies(base)
    found = scorer.assess(told)
    np.testing.assert_allclose(found.raw, attention.mean(axis=1))
    np.testing.assert_array_equal(found.score, AttentionScorer(network=vit_t).assess(base).score)
    assert np.isnan(found.score[1]) and 0 <= found.score[0] <= 100
    with pytest.raises(UsageError, match="needs the run of embedder/visavis-vit-t"):
        scorer.assess(base)


def test_a_crop_of_one_colour_has_score_zero(vit_t):
    flat = np.concatenate([np.full((1, 112, 112, 3), 130, np.uint8), PIXELS[:1]])
    found = AttentionScorer(network=vit_t).assess(context(flat))
    assert found.score[0] == 0 and found.reasons[0] == "the crop is of one colour" and np.isfinite(found.raw[0])
    nobody = AttentionScorer(network=vit_t).assess(context(PIXELS, failed=[0, 1, 2]))
    assert np.isnan(nobody.score).all()


def test_recognisers_without_attention_have_no_such_measure(vit_t, tmp_path):
    assert attention_scorer(None) is None and attention_scorer(object()) is None
    embedder = SFACE(engine=ENGINE)
    assert attention_scorer(embedder) is None
    with pytest.raises(UsageError, match="tell-attention"):
        embedder.attention(PIXELS)
    with pytest.raises(ModelError, match="tells no attention"):
        attending_embedder("embedder/dlib.resnet-v1", engine=ENGINE)


def test_a_network_of_the_user_needs_a_calibration_of_its_own(vit_t, tmp_path):
    path = tmp_path / "mine.onnx"
    data = bytearray(find_weights(vit_t.card).read_bytes())
    path.write_bytes(bytes(data) + b"\x32\x04mine")  # a field of the file that changes its hash and nothing else
    record = {**vit_t.card.to_dict(), "name": "mine", "sha256": "", "calibration": ""}
    record["rewrites"] = [step for step in record["rewrites"] if step != "tell-attention"]
    (tmp_path / "mine.onnx.card.json").write_text(json.dumps(record))
    with pytest.raises(ModelError, match=r"no attention calibration.*calibrate-attention PEOPLE --model"):
        own_attention_scorer(str(path), engine=ENGINE)
    mine = attending_embedder(str(path), engine=ENGINE)
    assert isinstance(mine.card.sources[0], LocalFile) and mine.card.sha256 != vit_t.card.sha256
    calibration = AttentionScorer().scale
    (tmp_path / f"mine.onnx{SUFFIX}").write_text(json.dumps({**calibration.to_dict(), "sha256": mine.card.sha256}))
    scorer = own_attention_scorer(str(path), engine=ENGINE)
    np.testing.assert_array_equal(
        scorer.assess(context(PIXELS)).score, AttentionScorer(network=vit_t).assess(context(PIXELS)).score
    )


def test_heat_maps_keep_corners_order_and_scale():
    maps = np.stack([np.arange(4.0), np.arange(4.0) * 3 + 3, np.full(4, np.nan)]).astype(np.float32)
    together, each = heat_maps(maps, size=8), heat_maps(maps, size=8, each=True)
    assert together.shape == (3, 8, 8) and together[:2].min() == 0 and together[:2].max() == 1
    np.testing.assert_allclose(each[0], each[1], atol=1e-6)
    np.testing.assert_allclose(each[0][[0, 0, 7, 7], [0, 7, 0, 7]], np.arange(4) / 3, atol=1e-6)
    np.testing.assert_allclose(together[0].max(), 3 / 12, atol=1e-6)
    assert np.isnan(each[2]).all() and np.isnan(together[2]).all()
    assert (heat_maps(np.full((1, 9), 2, np.float32)) == 0).all() and patch_grid(maps)[0].tolist() == [[0, 1], [2, 3]]
    crops = np.full((3, 8, 8, 3), 100, np.uint8)
    np.testing.assert_array_equal(overlaid(crops, each, blend=0), crops)
    drawn = overlaid(crops, each, blend=1)
    assert drawn[0, 0, 0, 2] > drawn[0, 0, 0, 0] and drawn[0, 7, 7, 0] > drawn[0, 7, 7, 2]
    for wrong in (
        lambda: patch_grid(maps[:, :3]),
        lambda: heat_maps(maps, quantile=0.5),
        lambda: overlaid(crops, maps),
    ):
        with pytest.raises(UsageError):
            wrong()
