"""On LFW pairs the default's maps are about the faces: they beat random maps, and those of another pair."""

import numpy as np
import pytest

from visavis.explain.default import default_explainer
from visavis.explain.faithfulness import faithfulness, random_map
from visavis.io import open_store, read
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.pairs import read_pairs
from visavis.types import Pictures

pytestmark = pytest.mark.data

NUMBER = 4


@pytest.fixture(scope="module")
def explained(shared_data):
    pairs, store = read_pairs(shared_data / "lfw/pairs.txt"), open_store(shared_data / "lfw/lfw.tar")
    rows = [*np.flatnonzero(pairs.same)[1000 : 1000 + NUMBER], *np.flatnonzero(~pairs.same)[1000 : 1000 + NUMBER]]
    pipeline, sides = Pipeline(), []
    for images in (pairs.image1, pairs.image2):
        pictures = Pictures.of([read(store.get(images[row])) for row in rows])
        sides.append(pipeline.aligner.align(pictures, pipeline.detector.detect(pictures, which="central")))
    threshold = 0.3627
    found = default_explainer(pipeline.embedder, threshold=threshold).explain(*sides)
    return pipeline.embedder, sides, found, threshold


def test_maps_beat_random_ones_and_those_of_another_pair(explained):
    embedder, sides, found, _ = explained
    rng = np.random.default_rng(0)
    maps = [(one.left, one.right) for one in found]
    rivals = {
        "random": [(random_map(one, rng=rng), random_map(two, rng=rng)) for one, two in maps],
        "another pair": [maps[(row + 1) % NUMBER + NUMBER * (row // NUMBER)] for row in range(2 * NUMBER)],
    }
    shares = (0.1, 0.3, 0.6)
    ours = faithfulness(embedder, *sides, maps, shares=shares)
    for name, rival in rivals.items():
        theirs = faithfulness(embedder, *sides, rival, shares=shares)
        deletion = np.mean([one.deletion - two.deletion for one, two in zip(theirs, ours, strict=True)])
        insertion = np.mean([two.insertion - one.insertion for one, two in zip(theirs, ours, strict=True)])
        assert deletion > 0.02 and insertion > 0.02, name


def test_the_sentence_is_on_the_side_of_the_decision(explained):
    *_, found, threshold = explained
    for one in found:
        side = "at or above" if one.similarity >= threshold else "below"
        assert f"is {side} the threshold of 0.363" in one.sentence and len(one.regions) == 7
        assert one.passes == 188
