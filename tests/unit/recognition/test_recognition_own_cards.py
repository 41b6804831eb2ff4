"""The recognisers of our own that ship: small, by name only, for research, calibrated."""

import numpy as np
import pytest
from skimage import data as pictures

from visavis import FMR, Pipeline
from visavis.calibration.table import shipped
from visavis.errors import ModelError
from visavis.nn.backbones.table import SIZES
from visavis.pipeline.models import DEFAULT_EMBEDDER, create_embedder, model_card
from visavis.runtime.session import EngineOptions
from visavis.runtime.weights import find_weights

NAMES = ("visavis-s", "visavis-vit-t")
BACKBONES = {"visavis-s": "mobilenet-slim", "visavis-vit-t": "vit-mini"}


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_small_and_is_that_of_the_card(name):
    card = model_card(name, kind="embedder")
    assert card.name == f"embedder/{name}" != DEFAULT_EMBEDDER
    assert find_weights(card).stat().st_size <= 3_000_000
    assert SIZES[f"backbone/{BACKBONES[name]}"].macs <= 100_000_000
    assert card.use == "research" and "celeba_ids" in card.trained_on and card.dimension == 128


@pytest.mark.parametrize("name", NAMES)
def test_it_is_refused_under_the_commercial_policy(name):
    with pytest.raises(ModelError, match="research only"):
        create_embedder(name, engine=EngineOptions(), policy="commercial")


@pytest.mark.parametrize("name", NAMES)
def test_it_sees_the_same_face_in_a_mirror_and_is_like_its_teacher(name):
    picture = pictures.astronaut()
    mirrored = picture[:, ::-1].copy()
    small, teacher = Pipeline(model=name), Pipeline()
    assert shipped(small.space.fingerprint).name == f"{name}.{model_card(name, kind='embedder').sha256[:8]}"
    own, theirs = (pipeline.embed([picture, mirrored]).templates for pipeline in (small, teacher))
    assert own.vectors[0] @ own.vectors[1] > 0.8
    assert np.all((own.vectors * theirs.vectors).sum(axis=1) > 0.3)
    assert small.verify([picture], [mirrored], at=FMR(1e-3)).answer == "same"
