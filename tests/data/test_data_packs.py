"""Packs of real faces, against labels that other detectors made."""

import csv
import io

import numpy as np
import pytest

from visavis.data.crop_makers import DetectingMaker
from visavis.data.packing import pack_collection
from visavis.data.readers.labelled_folder import LabelledFolder
from visavis.data.selection import read_without, select
from visavis.geometry import ARCFACE_112
from visavis.jobs.threads import ThreadEngine
from visavis.pipeline.models import DEFAULT_DETECTOR, create_detector
from visavis.runtime.session import EngineOptions

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def pack(shared_data, tmp_path_factory):
    folder = shared_data / "celeba_ids"
    collection = LabelledFolder(folder / "celeba_ids.tar")
    without = read_without(f"{folder / 'labels.csv'}:suspect")
    maker = DetectingMaker(create_detector(DEFAULT_DETECTOR, engine=EngineOptions.default()))
    return pack_collection(
        collection,
        select(collection, role="develop", without=without),
        tmp_path_factory.mktemp("packs") / "develop",
        maker,
        engine=ThreadEngine(),
    )


def test_the_people_are_those_of_the_role(pack):
    assert pack.meta.roles == {"develop": 61} and pack.meta.left_out == {"calibrate": 65, "train": 130}
    assert all(int(person) % 4 == 1 for person in pack.identities)
    assert len(pack) + pack.meta.failed + pack.meta.without == 1138 and pack.meta.failed <= 5


def test_people_and_boxes_agree_with_the_labels(pack, shared_data):
    text = (shared_data / "celeba_ids" / "labels.csv").read_text(encoding="utf-8")
    rows = {row["file"]: row for row in csv.DictReader(io.StringIO(text))}
    listed = [rows[name.partition("/")[2]] for name in pack.names]
    assert [row["identity"] for row in listed] == [pack.identities[label] for label in pack.labels]
    theirs = np.array([[float(row[key]) for key in ("x0", "y0", "x1", "y1")] for row in listed])
    mine = np.array(pack.boxes)
    middle = (mine[:, :2] + mine[:, 2:]) / 2
    other = np.stack([theirs[:, 0::2].mean(axis=1), theirs[:, 1::2].mean(axis=1)], axis=1)
    sides = (mine[:, 2:] - mine[:, :2]).max(axis=1)
    assert (np.linalg.norm(middle - other, axis=1) / sides < 0.3).mean() > 0.99


def test_crops_are_aligned(pack):
    away = np.linalg.norm(pack.landmarks - ARCFACE_112.array(), axis=2)
    assert np.median(away) < 3 and (away.mean(axis=1) < 12).mean() > 0.99
