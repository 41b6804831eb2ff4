from dataclasses import replace

import numpy as np
import pytest

from visavis.data.mixing import Mixing, mix, mix_pack
from visavis.data.pack import META, Pack
from visavis.errors import UsageError
from visavis.protocols.ledger import Ledger
from visavis.training.recipes.run import require_roles

STILL = Mixing(turn=0.0, scale=0.0, shift=0.0, warp=0.0)


def rng(seed=0):
    return np.random.default_rng(seed)


def flat(value, side=16):
    return np.full((side, side, 3), value, np.uint8)


def symmetric(seed, side=16):
    half = rng(seed).integers(0, 256, (side, side // 2, 3), dtype=np.uint8)
    return np.concatenate([half, half[:, ::-1]], axis=1)


def test_a_crop_alone_that_does_not_move_is_itself_or_its_mirror_image():
    first = rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    alone = Mixing(single=1.0, turn=0.0, scale=0.0, shift=0.0, warp=0.0)
    made = [mix(first, flat(0), rng(seed), alone) for seed in range(20)]
    assert all(share == 1.0 for _, share in made)
    mirrored = [np.array_equal(crop, first[:, ::-1]) for crop, _ in made]
    assert all(np.array_equal(crop, first) or other for (crop, _), other in zip(made, mirrored, strict=True))
    assert 0 < sum(mirrored) < 20


@pytest.mark.parametrize("regions", [0.0, 1.0])
def test_the_share_is_that_of_the_first_crop(regions):
    how = Mixing(single=0.0, regions=regions, turn=0.0, scale=0.0, shift=0.0, warp=0.0)
    for seed in range(10):
        crop, share = mix(flat(200), flat(0), rng(seed), how)
        assert 0 < share < 1
        assert crop.mean() / 200 == pytest.approx(share, abs=0.005)  # bytes are rounded
        assert (crop == crop[0, 0]).all() == (regions == 0)


def test_a_blend_is_the_weighted_mean_of_each_pixel():
    first, second = symmetric(1), symmetric(2)
    crop, share = mix(first, second, rng(3), Mixing(single=0, regions=0, turn=0, scale=0, shift=0, warp=0))
    assert 0.25 <= share <= 0.75
    assert np.abs(crop - (share * first + (1 - share) * second.astype(float))).max() <= 0.5 + 1e-6


def test_a_turn_by_the_middle_leaves_the_middle_and_moves_the_rest():
    first = flat(0, 17)
    first[8, 8] = 255
    crop, _ = mix(first, first, rng(0), Mixing(single=1, turn=1.0, scale=0.0, shift=0.0, warp=0.0))
    assert crop[8, 8].tolist() == [255] * 3
    assert mix(symmetric(1), flat(0), rng(0), Mixing(single=1.0))[0].shape == (16, 16, 3)


@pytest.fixture
def pack(tmp_path):
    people = [name for name in ("a", "b", "c") for _ in range(4)]
    pixels = np.stack([flat(20 * row) for row in range(12)])
    return Pack.write(tmp_path / "pack", pixels, people)


def test_a_mixed_pack_has_no_labels_and_keeps_whose_crops_they_are(pack, tmp_path):
    made = mix_pack(pack, tmp_path / "mixed", count=300, seed=4, mixing=STILL)
    assert len(made) == 300 and not made.meta.labelled and set(made.identities) == {"a", "b", "c"}
    assert (made.meta.template, made.meta.size) == (pack.meta.template, 16)
    for row in range(300):
        name = made.names[row]
        if "+" not in name:
            assert made.identities[made.labels[row]] == pack.identities[pack.labels[int(name)]]
            assert made.pixels[row, 0, 0, 0] == 20 * int(name)
            continue
        share, first, _, second = name.split()
        most = int(first) if float(share) >= 0.5 else int(second)
        if float(share) != 0.5:
            assert made.identities[made.labels[row]] == pack.identities[pack.labels[most]]
        assert first != second


def test_a_row_depends_on_the_seed_and_its_number_alone(pack, tmp_path):
    long = mix_pack(pack, tmp_path / "long", count=280, seed=4)
    short = mix_pack(pack, tmp_path / "short", count=30, seed=4)
    other = mix_pack(pack, tmp_path / "other", count=30, seed=5)
    assert np.array_equal(long.pixels[:30], short.pixels)
    assert not np.array_equal(other.pixels, short.pixels)


def test_the_people_ledger_knows_everybody_who_may_be_in_a_mixed_crop(tmp_path):
    ledger = Ledger.load()
    people = [
        next(who for name, who in ledger.entries if name == "celeba_ids" and ledger.role(name, who) == "calibrate")
    ]
    people += [who for name, who in ledger.entries if name == "celeba_ids" and ledger.role(name, who) == "train"][:3]
    source = Pack.write(tmp_path / "p", np.stack([flat(9)] * 4), people)
    (source.path / META).write_bytes(replace(source.meta, set_name="celeba_ids").to_json())
    made = mix_pack(Pack.open(source.path), tmp_path / "m", count=2)
    assert set(made.identities) == set(people) and made.meta.set_name == "celeba_ids"
    assert set(made.labels.tolist()) < set(range(4)) and made.meta.identities == 4
    with pytest.raises(UsageError, match="may not be trained on"):
        require_roles(made, ("train", "unlisted"), what="trained on")


def test_what_cannot_be_mixed_is_refused(pack, tmp_path):
    with pytest.raises(UsageError, match="1 crop or more"):
        mix_pack(pack, tmp_path / "none", count=0)
    mix_pack(pack, tmp_path / "twice", count=1)
    with pytest.raises(UsageError, match="exists"):
        mix_pack(pack, tmp_path / "twice", count=1)
    with pytest.raises(UsageError, match="shares"):
        Mixing(single=1.5)
    with pytest.raises(UsageError, match="0 or more"):
        Mixing(warp=-1)
