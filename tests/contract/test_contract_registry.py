"""Whatever is registered: it imports, its card is complete, it keeps its protocol, and it answers the same twice."""

import dataclasses
import inspect
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from visavis import registry
from visavis.cards import SystemCard, WeightCard
from visavis.errors import DependencyError, ModelError
from visavis.geometry import TEMPLATES
from visavis.io import read_batch
from visavis.runtime.session import EngineOptions
from visavis.runtime.weights import find_weights
from visavis.types import Crops, Faces, Picture, Pictures, Provenance, Status, Templates, TemplateSpace, protocols

NAMES = registry.names()
PROTOCOLS = {
    "detector": protocols.Detector,
    "aligner": protocols.Aligner,
    "embedder": protocols.Embedder,
    "quality": protocols.QualityScorer,
}
TWO = EngineOptions(threads=2)


def _load(name):
    """What is registered; skips when an extra that the entry names is not installed."""
    try:
        return registry.load(name)
    except DependencyError as error:
        if not registry.describe(name).extra:
            raise
        pytest.skip(str(error))


def _create(name, **options):
    """The thing itself; skips when its extra is missing, or weights that would have to be downloaded."""
    target = _load(name)
    if isinstance(target, WeightCard):
        try:
            find_weights(target, download=False)
        except ModelError as error:
            pytest.skip(str(error))
    try:
        return registry.create(name, **options)
    except DependencyError as error:
        if not registry.describe(name).extra:
            raise
        pytest.skip(str(error))


def _named(*kinds):
    return [name for name in NAMES if name.partition("/")[0] in kinds]


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_imports_and_says_what_it_is(name):
    entry = registry.describe(name)
    assert entry.name == name == name.lower() and entry.kind and "/" in name and " " not in name
    assert entry.line and "\n" not in entry.line and len(entry.line) <= 100
    target = _load(name)
    assert callable(target) or isinstance(target, SystemCard) or dataclasses.is_dataclass(target)
    if isinstance(target, WeightCard):
        assert (target.name, target.kind) == (name, entry.kind)


@pytest.mark.parametrize("name", _named("detector", "embedder"))
def test_weights_have_a_hash_a_licence_and_a_paper(name):
    card = _load(name)
    assert isinstance(card, WeightCard)
    assert len(card.sha256) == 64 and int(card.sha256, 16) >= 0
    assert all(len(digest) == 64 for digest in card.alternatives)
    assert card.licence and card.use in ("any", "research") and card.paper and card.trained_on != "unknown"
    assert card.contract.template in (TEMPLATES if card.kind == "embedder" else ("",))
    module, _, attribute = card.loader.partition(":")
    assert module and attribute


@pytest.mark.parametrize("name", _named(*PROTOCOLS))
def test_what_is_created_keeps_its_protocol(name):
    protocol = PROTOCOLS[name.partition("/")[0]]
    made = _create(name)
    assert isinstance(made, protocol)
    for method, declared in inspect.getmembers(protocol, inspect.isfunction):
        if method.startswith("_"):
            continue
        wanted = inspect.signature(declared).parameters
        taken = inspect.signature(getattr(type(made), method)).parameters
        assert [(p.name, p.kind) for p in wanted.values()] == [(p.name, p.kind) for p in taken.values()][: len(wanted)]
        extra = list(taken.values())[len(wanted) :]
        assert all(parameter.default is not inspect.Parameter.empty for parameter in extra)


@pytest.fixture(scope="module")
def pictures(astronaut, officer):
    portraits = list(read_batch([astronaut, officer]))
    return Pictures.of([*portraits, Picture(np.zeros((80, 60, 3), np.uint8)), Picture(portraits[1].pixels[::2, ::2])])


@pytest.fixture(scope="module")
def faces(pictures):
    return _create("detector/yunet.2023mar", engine=TWO).detect(pictures)


def _same(left, right):
    """Bitwise equal in every column, NaN equal to NaN."""
    for name in type(left).__dataclass_fields__:
        one, other = getattr(left, name), getattr(right, name)
        if isinstance(one, np.ndarray):
            assert one.dtype == other.dtype
            assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), name
        else:
            assert one == other, name


def _repeatable(work):
    """The same answer twice, and from eight threads at once."""
    first = work()
    _same(work(), first)
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: work(), range(8)):
            _same(found, first)
    return first


@pytest.mark.parametrize("name", _named("detector"))
def test_a_detector_finds_the_same_faces_again_and_from_many_threads(name, pictures):
    detector = _create(name, engine=TWO)
    found = _repeatable(lambda: detector.detect(pictures))
    assert isinstance(found, Faces) and (np.diff(found.picture) >= 0).all()
    assert set(found.picture) == set(range(len(pictures)))
    assert found.ok.tolist() == [row != 2 for row in found.picture] and found.status.reasons.count("no-face") == 1
    for row in range(len(pictures)):
        assert (np.diff(found.score[found.picture == row]) <= 0).all() or row == 2
    assert len(detector.detect(Pictures.of([]))) == 0


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("name", _named("aligner"))
def test_an_aligner_cuts_the_same_crops_again_and_from_many_threads(name, pictures, faces):
    aligner = _create(name)
    crops = _repeatable(lambda: aligner.align(pictures, faces))
    assert isinstance(crops, Crops) and len(crops) == len(faces)
    assert crops.ok.tolist() == faces.ok.tolist() and crops.template in TEMPLATES
    assert not crops.pixels[~crops.ok].any() and np.isnan(crops.matrices[~crops.ok]).all()
    points = np.einsum("nij,nkj->nki", crops.matrices[:, :, :2], faces.points) + crops.matrices[:, None, :, 2]
    target = TEMPLATES[crops.template].array()
    assert np.abs(points[crops.ok] - target).max() < 0.12 * crops.pixels.shape[2]
    assert len(aligner.align(pictures, Faces.empty())) == 0


def _crops_for(card, pictures, faces):
    aligner = registry.create("aligner/five-point", template=TEMPLATES[card.contract.template])
    return aligner.align(pictures, faces)


@pytest.mark.parametrize("name", _named("embedder"))
def test_an_embedder_gives_the_same_templates_again_and_from_many_threads(name, pictures, faces):
    embedder = _create(name, engine=TWO)
    crops = _crops_for(embedder.card, pictures, faces)
    templates = _repeatable(lambda: embedder.embed(crops))
    assert isinstance(templates, Templates) and templates.ok.tolist() == crops.ok.tolist()
    assert templates.status == crops.status and np.isnan(templates.vectors[~templates.ok]).all()
    assert templates.vectors.shape == (len(crops), embedder.card.dimension)
    assert isinstance(templates.space, TemplateSpace) and templates.space == embedder.space(crops.detector)
    assert isinstance(templates.made_by, Provenance) and templates.made_by.model == name
    good = templates[templates.ok]
    cosine = good.vectors.astype(np.float64) @ good.vectors.T
    assert cosine[1, 2] > cosine[0, 1] and cosine[1, 2] > cosine[0, 2]
    assert len(embedder.embed(crops[:0])) == 0
    lost = Crops(crops.pixels, crops.matrices, crops.template, Status(crops.status[[2] * len(crops)].failures))
    assert not embedder.embed(lost).ok.any()


@pytest.mark.parametrize("name", _named("embedder"))
def test_an_embedder_averages_the_mirror_image_in_when_asked(name, pictures, faces):
    plain, flipped = _create(name, engine=TWO), _create(name, engine=TWO, flip=True)
    assert flipped.space("d").flip and not plain.space("d").flip
    assert not flipped.space("d").comparable(plain.space("d"))
    crops = _crops_for(plain.card, pictures, faces)[:2]
    mirrored = Crops(crops.pixels[:, :, ::-1], crops.matrices, crops.template, crops.status, crops.detector)
    assert np.allclose(flipped.embed(crops).vectors, flipped.embed(mirrored).vectors, atol=1e-5)


@pytest.mark.parametrize("name", _named("pipeline"))
def test_a_pipeline_makes_the_same_templates_again_and_from_many_threads(name, pictures):
    pipeline = _create(name, engine=TWO)
    assert isinstance(pipeline.detector, protocols.Detector) and isinstance(pipeline.aligner, protocols.Aligner)
    assert isinstance(pipeline.embedder, protocols.Embedder)
    first = pipeline.embed(list(pictures))
    assert len(first) == len(pictures) and first.templates.ok.tolist() == [True, True, False, True]
    assert first.templates.space == pipeline.space
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: pipeline.embed(list(pictures)), range(8)):
            _same(found.faces, first.faces)
            _same(found.templates, first.templates)
