"""On people nothing was fitted on, the attention of the shipped transformer follows blur as its calibration says."""

import numpy as np
import pytest

from visavis.io import open_store
from visavis.pipeline.attention import attending_embedder
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.labelled import read_labelled
from visavis.quality.attention_calibration import shipped_calibration
from visavis.quality.blur_ladder import blur_ladder
from visavis.runtime.session import EngineOptions

pytestmark = pytest.mark.data


def test_the_score_falls_with_blur_on_calibration_people(shared_data):
    archive = shared_data / "lfw/lfw.tar"
    labelled = read_labelled(archive, role="calibrate")
    engine = EngineOptions(threads=1)
    embedder = attending_embedder("embedder/visavis-vit-t", engine=engine)
    pipeline = Pipeline(model=embedder, engine=engine)
    store = open_store(archive)
    found = pipeline.aligner.align(
        *pipeline.detect([store.get(name) for name in labelled.names[:150]], which="central")
    )
    crops = found.pixels[found.ok]
    calibration = shipped_calibration("embedder/visavis-vit-t")
    ladder = blur_ladder(lambda pixels: embedder.attention(pixels).mean(axis=1), crops)
    assert ladder.correlation < -0.6 and not calibration.rising
    scores = calibration.score(ladder.values)
    medians = np.median(scores, axis=1)
    assert (np.diff(medians[:4]) < -5).all() and medians[0] > 70 > 35 > medians[3]
    assert ((scores[0] > scores[3]).mean()) > 0.95
