"""Centres of released heads, under the keys of their files."""

import pytest
import torch

from visavis.errors import ModelError
from visavis.losses.arcface import ArcFaceLoss
from visavis.losses.released import load_centres

CENTRES = torch.randn(7, 4)


@pytest.mark.parametrize(
    "key", ["kernel", "module.kernel", "weight", "head.weight", "head.module.weight", "head.fc.weight"]
)
def test_centres_are_found_and_turned(key):
    loss = ArcFaceLoss(4, 7)
    load_centres(loss, {key: CENTRES.T if "kernel" in key else CENTRES})
    assert torch.equal(loss.weight, CENTRES) and loss.weight.requires_grad


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({}, "none"),
        ({"bias": CENTRES}, "bias"),
        ({"weight": CENTRES.T}, r"\(4, 7\)"),
        ({"kernel": CENTRES}, r"\(4, 7\)"),
    ],
)
def test_other_files_are_refused(state, words):
    with pytest.raises(ModelError, match=words):
        load_centres(ArcFaceLoss(4, 7), state, name="295672header.pth")
