"""Calibrations of labelled folders, with a recogniser whose templates are known."""

import numpy as np
import pytest
from PIL import Image

from visavis.calibration.impostors import Impostors
from visavis.errors import InputError, UsageError
from visavis.pipeline.assess import Assessed
from visavis.protocols.calibrate import calibrate, mated_similarities
from visavis.protocols.labelled import LabelledTemplates, embed_labelled, read_labelled
from visavis.protocols.ledger import Ledger
from visavis.types import (
    FMR,
    Analysis,
    Assessment,
    Faces,
    Failure,
    Provenance,
    Quality,
    Status,
    Templates,
    TemplateSpace,
)

SPACE = TemplateSpace("d", "five-point", "arcface-112", "r" * 64, 16)
MADE_BY = Provenance("embedder/known", "onnxruntime", "1.0", "fp32", "0.1")


class KnownPipeline:
    """Templates that follow from the name of the picture; a name with ``bad`` has no face."""

    space = SPACE
    made_by = MADE_BY

    def stream(self, sources):
        for source in sources:
            person, picture = source.name.replace("\\", "/").split("/")[-2:]
            rng = np.random.default_rng([len(person), *person.encode()])
            own = rng.normal(size=16)
            row = own + 0.5 * np.random.default_rng([*person.encode(), *picture.encode()]).normal(size=16)
            failure = Failure("no-face", "no face") if "bad" in picture else None
            unit = np.full(16, np.nan) if failure else row / np.linalg.norm(row)
            faces = Faces.failed(Failure("no-face", "no face"))
            templates = Templates([unit], [9.0], Status((failure,)), [np.nan], SPACE, MADE_BY)
            yield Analysis((source.name,), faces, templates)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("people")
    for person in range(45):
        (root / f"p{person:02}").mkdir()
        for picture in range(2 + person % 9):
            name = "bad.png" if (person, picture) == (3, 1) else f"{picture}.png"
            Image.new("RGB", (8, 8)).save(root / f"p{person:02}" / name)
    return root


def test_people_are_the_folders(folder):
    labelled = read_labelled(folder)
    assert len(set(labelled.people)) == 45 and labelled.left_out == {} and labelled.set_name is None
    assert all(person in name for person, name in zip(labelled.people, labelled.names, strict=True))


def test_people_of_another_role_are_left_out(tmp_path):
    root = tmp_path / "lfw"
    for person in ("Aaron_Peirsol", "Somebody_Else"):  # the first is a test person of the ledger
        (root / person).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(root / person / "1.png")
    labelled = read_labelled(root)
    assert set(labelled.people) == {"Somebody_Else"} and labelled.left_out == {"test": 1}
    with pytest.raises(InputError, match="1 test"):
        read_labelled(root, without=labelled.names)
    with pytest.raises(InputError, match="not in the collection"):
        read_labelled(root, without=["nobody/1.png"])


def test_pictures_without_a_persons_folder_are_refused(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    with pytest.raises(InputError, match="one folder a person"):
        read_labelled(tmp_path)


def test_a_person_of_many_pictures_is_cut_and_failures_are_counted(folder):
    found = embed_labelled(KnownPipeline(), read_labelled(folder), per_person=3, seed=1)
    counts = np.unique(found.people, return_counts=True)[1]
    assert counts.max() == 3 and counts.min() >= 1
    every = embed_labelled(KnownPipeline(), read_labelled(folder))
    assert every.failed == 1 and len(every.people) == sum(2 + person % 9 for person in range(45)) - 1
    with pytest.raises(UsageError, match="at least 1"):
        embed_labelled(KnownPipeline(), read_labelled(folder), per_person=0)


def test_mated_similarities_are_all_pairs_of_one_person():
    vectors = np.eye(4, dtype=np.float32)[[0, 0, 1, 2, 2]]
    found = mated_similarities(LabelledTemplates(vectors, ("a", "a", "a", "b", "b"), 0, np.full(5, 50.0)))
    assert sorted(found.tolist()) == [0.0, 0.0, 1.0, 1.0]


def _assessed(pipeline, sources):
    """The same templates, all of one quality."""
    for part in pipeline.stream(sources):
        fused = Quality("fused", np.full(len(part), 50.0), np.full(len(part), 50.0), part.templates.status)
        yield Assessed(part, Assessment((), fused), ((),) * len(part))


def test_a_calibration_of_a_folder_keeps_its_rate_on_that_folder(folder, monkeypatch):
    monkeypatch.setattr("visavis.protocols.labelled.assess_stream", _assessed)
    steps = []
    fitted = calibrate(
        KnownPipeline(),
        read_labelled(folder),
        name="gate",
        population="made-up people",
        per_person=4,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert fitted.space == SPACE.fingerprint and fitted.people == 45 and fitted.population == "made-up people"
    again = embed_labelled(KnownPipeline(), read_labelled(folder), per_person=4)
    pairs = Impostors.of_templates(again.vectors, again.people)
    for point in fitted.points[::4]:
        assert pairs.events(fitted.threshold(FMR(point.fmr))) / pairs.total <= point.fmr
    assert fitted.llr and fitted.log10_lr(0.9) > 0 > fitted.log10_lr(-0.5)
    assert fitted.provenance["mated"]["failed"] == 1 and fitted.provenance["nonmated"]["roles"] == {"unlisted": 45}
    assert {(line.left, line.right) for line in fitted.pooled} >= {(1, 2), (2, 2), (1, 3)}
    assert steps[-1][0] == steps[-1][1]


def test_people_keep_their_role_in_a_folder_of_another_name(tmp_path):
    entries = Ledger.load().entries
    tested = [name for (group, name), role in entries.items() if (group, role) == ("lfw", "test")][:4]
    for name in (*tested, "Somebody_Else"):
        (tmp_path / "people" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "people" / name / "1.png")
    labelled = read_labelled(tmp_path / "people")
    assert labelled.set_name == "lfw" and labelled.people == ("Somebody_Else",) and labelled.left_out == {"test": 4}
