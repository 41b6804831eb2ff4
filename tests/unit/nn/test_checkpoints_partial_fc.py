"""Files of the workers of arcface_torch, written here by its key names and its rule of splitting."""

import pytest
import torch

from visavis import registry
from visavis.errors import ModelError
from visavis.nn.checkpoints.keys import to_released
from visavis.nn.checkpoints.partial_fc import load_partial_fc

CLASSES, WORKERS, DIMENSION = 11, 3, 512


def written(folder, *, workers=WORKERS, prefix=""):
    torch.manual_seed(0)
    backbone = registry.create("backbone/mobilefacenet")
    centres = torch.randn(CLASSES, DIMENSION)
    start = 0
    for rank in range(workers):
        count = CLASSES // workers + (rank < CLASSES % workers)
        torch.save(
            {
                "epoch": 3,
                "global_step": 700,
                "state_dict_backbone": to_released(backbone),
                "state_dict_softmax_fc": {f"{prefix}weight": centres[start : start + count].clone()},
                "state_optimizer": {"state": {}, "param_groups": [{"lr": 0.1, "params": [0]}]},
                "state_lr_scheduler": {"last_epoch": 700, "_last_lr": [0.1]},
            },
            folder / f"checkpoint_gpu_{rank}.pt",
        )
        start += count
    return backbone, centres


@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_centres_of_all_workers_are_joined_in_order(tmp_path, prefix):
    backbone, centres = written(tmp_path, prefix=prefix)
    released = load_partial_fc(tmp_path)
    assert torch.equal(released.head, centres)
    for name, value in backbone.state_dict().items():
        assert torch.equal(released.backbone.state_dict()[name], value)


def test_files_that_are_not_one_training_are_refused(tmp_path):
    with pytest.raises(ModelError, match="holds none"):
        load_partial_fc(tmp_path)
    written(tmp_path)
    first = tmp_path / "checkpoint_gpu_0.pt"
    state = torch.load(first, weights_only=True)
    torch.save({**state, "state_dict_softmax_fc": {"weight": torch.zeros(2, DIMENSION)}}, first)
    with pytest.raises(ModelError, match="near-equal numbers"):
        load_partial_fc(tmp_path)
    torch.save({**state, "state_dict_softmax_fc": {"bias": torch.zeros(2)}}, first)
    with pytest.raises(ModelError, match="no class centres"):
        load_partial_fc(tmp_path)
    (tmp_path / "checkpoint_gpu_1.pt").unlink()
    with pytest.raises(ModelError, match=r"it holds checkpoint_gpu_0.pt, checkpoint_gpu_2.pt"):
        load_partial_fc(tmp_path)
