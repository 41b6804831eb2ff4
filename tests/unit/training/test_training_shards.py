"""Rows of a tensor in files of single processes, against the tensor."""

import zlib

import pytest
import torch
from safetensors.torch import load_file

from visavis.errors import ModelError, UsageError
from visavis.training.group import Group
from visavis.training.shards import (
    check_parts,
    give_rows,
    read_rows,
    remove_parts,
    shard_of,
    take_rows,
    write_part,
)

PLACES = {("head", 0): "loss.weight"}


def group(rank, size):
    made = Group()
    made.rank, made.size = rank, size
    return made


def state(weight, moment):
    return {
        "task": {"loss.weight": weight, "loss.mean": torch.tensor(2.0)},
        "average": {"updates": 3, "values": {"loss.weight": weight + 1, "other": torch.ones(2)}},
        "updates": {"optimisers": {"head": {"state": {0: {"momentum_buffer": moment, "step": torch.tensor(7.0)}}}}},
    }


def written(folder, size, *, total=7):
    weight, moment = torch.arange(total * 3.0).view(total, 3), torch.rand(total, 3)
    parts = []
    for rank in range(size):
        shard = shard_of(total, rank=rank, size=size)
        own = state(weight[shard.start : shard.stop], moment[shard.start : shard.stop])
        parts.append(write_part(folder, 20, take_rows(own, {"loss.weight": shard}, PLACES), group(rank, size)))
        assert list(own["task"]) == ["loss.mean"] and list(own["average"]["values"]) == ["other"]
        assert list(own["updates"]["optimisers"]["head"]["state"][0]) == ["step"]
    return weight, moment, parts


@pytest.mark.parametrize("before", [1, 2, 3])
@pytest.mark.parametrize("after", [1, 2, 5])
def test_what_some_processes_wrote_any_other_number_reads(tmp_path, before, after):
    weight, moment, parts = written(tmp_path, before)
    check_parts(tmp_path, parts)
    for rank in range(after):
        shard = shard_of(7, rank=rank, size=after)
        own = state(torch.zeros(1), torch.zeros(1))
        give_rows(own, read_rows(tmp_path, parts, {"loss.weight": shard}, PLACES))
        rows = slice(shard.start, shard.stop)
        assert torch.equal(own["task"]["loss.weight"], weight[rows])
        assert torch.equal(own["average"]["values"]["loss.weight"], weight[rows] + 1)
        moments = own["updates"]["optimisers"]["head"]["state"][0]
        assert torch.equal(moments["momentum_buffer"], moment[rows]) and float(moments["step"]) == 7


def test_a_part_is_a_file_of_safetensors(tmp_path):
    weight, _, parts = written(tmp_path, 1)
    assert torch.equal(load_file(tmp_path / parts[0]["file"])["task|loss.weight"], weight)
    with pytest.raises(UsageError, match="int64"):
        write_part(tmp_path, 1, {"a": (torch.zeros(3, dtype=torch.int64), shard_of(3, rank=0, size=1))}, group(0, 1))
    assert [path.name for path in tmp_path.iterdir()] == [parts[0]["file"]]


def test_parts_that_are_missing_cut_or_of_another_number_of_classes_are_refused(tmp_path):
    _, _, parts = written(tmp_path, 2)
    own = {"loss.weight": shard_of(8, rank=0, size=1)}
    with pytest.raises(ModelError, match="7 rows of"):
        read_rows(tmp_path, parts, own, PLACES)
    for some in (parts[1:], parts[:1]):
        with pytest.raises(ModelError, match="or some are missing"):
            read_rows(tmp_path, some, {"loss.weight": shard_of(7, rank=0, size=1)}, PLACES)
    with pytest.raises(ModelError, match="does not split"):
        read_rows(tmp_path, parts, {}, PLACES)
    path = tmp_path / parts[1]["file"]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ModelError, match="cannot be read"):
        check_parts(tmp_path, parts)
    path.unlink()
    with pytest.raises(ModelError, match="a part of a checkpoint") as missing:
        check_parts(tmp_path, parts)
    assert missing.value.reason == "model.missing"


def test_a_part_of_which_one_bit_changed_is_refused(tmp_path):
    _, _, parts = written(tmp_path, 1)
    path = tmp_path / parts[0]["file"]
    content = bytearray(path.read_bytes())
    assert parts[0]["crc32"] == zlib.crc32(content)
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="its CRC-32 is another"):
        check_parts(tmp_path, parts)
    check_parts(tmp_path, [{**parts[0], "crc32": zlib.crc32(content)}])


def test_parts_of_steps_that_are_gone_are_removed(tmp_path):
    written(tmp_path, 2)
    remove_parts(tmp_path, without={20})
    assert len(list(tmp_path.iterdir())) == 2
    remove_parts(tmp_path, without={30})
    assert not list(tmp_path.iterdir())
