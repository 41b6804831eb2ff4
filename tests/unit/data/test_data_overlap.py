import hashlib

import numpy as np
import pytest

from visavis.data.overlap import shared_crops
from visavis.data.pack import Pack
from visavis.errors import InputError


def crops(*seeds):
    return np.stack([np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8) for seed in seeds])


def packed(path, *seeds, person="a"):
    return Pack.write(path, crops(*seeds), [person] * len(seeds))


def test_a_digest_is_the_beginning_of_the_sha256_of_a_crop(tmp_path):
    pack = packed(tmp_path / "p", 1, 2, 1)
    expected = [int.from_bytes(hashlib.sha256(crop.tobytes()).digest()[:8], "little") for crop in crops(1, 2, 1)]
    assert pack.digests.dtype == np.uint64 and pack.digests.tolist() == expected
    assert np.array_equal(np.load(pack.path / "digests.npy"), pack.digests)


def test_shared_crops_are_counted_whatever_they_are_called(tmp_path):
    first, second = packed(tmp_path / "a", 1, 2, 3), packed(tmp_path / "b", 4, 5)
    other = packed(tmp_path / "c", 6, 3, 5, 3, 7, person="another name")
    everything = [crop.tobytes() for crop in crops(1, 2, 3, 4, 5)]
    assert shared_crops([first, second], other) == sum(crop.tobytes() in everything for crop in other.pixels) == 3
    assert shared_crops([first], other) == 2
    assert shared_crops([], other) == 0
    assert shared_crops([second], first) == 0


def test_one_changed_pixel_makes_another_crop(tmp_path):
    pixels = crops(1)
    pixels[0, 3, 3, 2] ^= 1
    changed = Pack.write(tmp_path / "b", pixels, ["a"])
    assert shared_crops([packed(tmp_path / "a", 1)], changed) == 0


def test_a_pack_without_digests_says_to_pack_again(tmp_path):
    pack = packed(tmp_path / "p", 1)
    (pack.path / "digests.npy").unlink()
    with pytest.raises(InputError, match="make it with"):
        Pack.open(pack.path)
