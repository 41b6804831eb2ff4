"""Searches on real faces: the rate that was asked for, and a group of people of whom some are known."""

import csv
import hashlib
from collections import defaultdict

import numpy as np
import pytest
from PIL import Image

from visavis.calibration.identification_fit import Strangers
from visavis.gallery.gallery import Gallery
from visavis.gallery.index.live_index import LiveIndex
from visavis.gallery.sample import NewSample
from visavis.io import open_store, read
from visavis.pipeline.identify import Identifier
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.labelled import read_labelled
from visavis.types import FPIR

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline()


def test_strangers_of_lfw_are_taken_for_somebody_as_often_as_was_asked(pipeline, shared_data):
    labelled = read_labelled(shared_data / "lfw/lfw.tar", role="test")
    count = defaultdict(int)
    for person in labelled.people:
        count[person] += 1
    single = [name for name, person in zip(labelled.names, labelled.people, strict=True) if count[person] == 1][::4]
    templates = pipeline.embed([labelled.store.get(name) for name in single]).templates
    strangers = Strangers.of(templates.vectors[templates.ok])
    calibration = pipeline.calibration()
    for size in (20, 200, 600):
        for rate in (0.1, 0.03):
            at = FPIR(rate)
            interval = calibration.search_rate(at, size=size, sample=strangers.people)
            found = strangers.fpir(calibration.search_threshold(at, size=size), size=size)
            assert interval.low <= found <= interval.high, (size, rate, found)


def test_a_group_of_known_people_and_strangers(pipeline, shared_data, tmp_path):
    """CelebA people of role develop: eight are enrolled with five pictures, four are not."""
    rows = csv.DictReader((shared_data / "celeba_ids/labels.csv").open(encoding="utf-8"))
    suspect = [row["file"] for row in rows if row["suspect"] == "1"]
    labelled = read_labelled(shared_data / "celeba_ids/celeba_ids.tar", role="develop", without=suspect)
    store = open_store(shared_data / "celeba_ids/celeba_ids.tar")
    own = defaultdict(list)
    for name, person in zip(labelled.names, labelled.people, strict=True):
        own[person].append(name)
    people = sorted(own)[:12]
    gallery = Gallery.create(tmp_path / "p.gallery", space=pipeline.space, made_by=pipeline.made_by, keep_crops=False)
    for person in people[:8]:
        side = pipeline.side([store.get(name) for name in own[person][1:6]])
        gallery.add_samples([
            NewSample(
                person=person, source=name, sha256=hashlib.sha256(name.encode()).hexdigest(),
                box=tuple(side.faces.boxes[row].tolist()), score=float(side.faces.score[row]),
                quality=float(side.assessment.fused.score[row]), norm=float(side.templates.norms[row]),
                vector=side.templates.vectors[row],
            )
            for row, name in enumerate(own[person][1:6])
        ])  # fmt: skip
    page, places = Image.new("RGB", (4 * 170, 3 * 170), (128, 128, 128)), {}
    for number, person in enumerate(people):
        left, top = number % 4 * 170, number // 4 * 170
        page.paste(Image.fromarray(read(store.get(own[person][0])).pixels), (left, top))
        places[number] = person if number < 8 else None
    with LiveIndex(gallery) as index:
        (answer,) = Identifier(pipeline, gallery, index, at=FPIR(1e-2)).identify([np.asarray(page)])
    found = {}
    for face in answer.faces:
        x, y = (face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2
        if min(x % 170, 160 - x % 170) > 40:
            found[int(y // 170) * 4 + int(x // 170)] = face.person
    assert len(found) >= 11
    right = [found[number] == places[number] for number in found]
    assert sum(right) >= len(right) - 1
    assert all(found[number] in (None, places[number]) for number in found)
