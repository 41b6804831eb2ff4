"""The recognisers of our own that ship: small, by name only, for research, calibrated."""

import cv2
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
from visavis.types.space import pair_fingerprint

NAMES = ("visavis-s", "visavis-vit-t", "visavis-low")
BACKBONES = {"visavis-s": "mobilenet-slim", "visavis-vit-t": "vit-mini", "visavis-low": "mobilenet-slim"}


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


@pytest.fixture(scope="module")
def pair():
    """The default pipeline and its companion's."""
    return Pipeline(), Pipeline(model="visavis-low")


def test_the_companion_is_compared_with_the_default_and_with_no_other(pair):
    plain, low = pair
    assert low.space.comparable(plain.space) and plain.space.comparable(low.space)
    for other in ("visavis-s", "visavis-vit-t"):
        assert not low.space.comparable(Pipeline(model=other).space)
    mirrored = Pipeline(model="visavis-low", flip=True)
    assert not mirrored.space.comparable(plain.space)


def test_a_small_probe_by_the_companion_meets_a_full_reference_by_the_default(pair):
    """One portrait full and at a face of 16 pixels, in both spaces; a stranger in neither."""
    plain, low = pair
    picture = pictures.astronaut()
    face = plain.embed([picture]).faces
    factor = 16 / float(np.diff(face.boxes[0].reshape(2, 2), axis=0).max())
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    reference = plain.embed([picture]).templates
    alike = [float(reference.vectors[0] @ made.embed([small]).templates.vectors[0]) for made in pair]
    assert alike[1] > alike[0]
    decision = low.compare(reference, low.embed([small]).templates, at=FMR(1e-2))
    fitted = shipped(pair_fingerprint(plain.space, low.space))
    assert decision.calibration == fitted.name and decision.threshold == pytest.approx(fitted.threshold(FMR(1e-2)))
    assert not any("two spaces" in told for told in decision.warnings)
    assert fitted.population == low.calibration().population


def test_each_threshold_of_the_companion_rests_on_people_of_role_calibrate(pair):
    plain, low = pair
    for fitted in (low.calibration(), shipped(pair_fingerprint(plain.space, low.space))):
        assert {*fitted.provenance["nonmated"]["roles"], *fitted.provenance["mated"]["roles"]} == {"calibrate"}
        assert fitted.people > 1400 and fitted.points[-1].fmr <= 1e-4
