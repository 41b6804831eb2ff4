"""The Task of a recogniser against what it promises, on drawn patterns."""

import copy
import dataclasses
import json

import numpy as np
import pytest
import torch
from recogniser_task import patterns
from torch.nn import functional as F

from visavis import registry
from visavis.cards import InputContract
from visavis.data.batch import Batch
from visavis.data.pack import Pack
from visavis.errors import ModelError, NonFiniteError, UsageError
from visavis.losses.symface import frontality, split_faces
from visavis.nn.pixels import network_input, normalise, resized
from visavis.protocols.ledger import Ledger
from visavis.training.optimisers import Sgd
from visavis.training.recipes.part import Part
from visavis.training.recipes.read import read_recipe, write_recipe
from visavis.training.recipes.recipe import RecogniserRecipe, Term
from visavis.training.recipes.recogniser_task import RecogniserTask
from visavis.training.recipes.run import require_apart, require_roles, train_recogniser
from visavis.training.recipes.symmetry import Symmetry
from visavis.training.recipes.validation import PackRows, all_pairs, verification_measures
from visavis.training.schedules import Constant
from visavis.training.settings import Settings
from visavis.training.task import StepState

TINY = Part("backbone/mobilefacenet-tiny", {"size": 32, "dimension": 16})
RECIPE = RecogniserRecipe(
    backbone=TINY,
    loss=Part("loss/cosface", {"scale": 16.0}),
    training=Settings(steps=3, optimisers={"*": Sgd(rate=0.05, schedule=Constant())}, tensorboard=False, threads=1),
    batch=16,
)


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packs")
    return Pack.write(folder / "train", *patterns(6, 5, seed=1)), Pack.write(
        folder / "develop", *patterns(4, 4, seed=2)
    )


def state(epoch=0.0):
    return StepState(0, 10, epoch, 0, "step", torch.device("cpu"), torch.Generator().manual_seed(0))


def batch(count=8, size=32, *, seed=0):
    rng = np.random.default_rng(seed)
    points = np.tile(np.array([[10.5, 12], [20.5, 12], [15.5, 18], [12, 24], [19, 24]], np.float32), (count, 1, 1))
    points[::2, 2, 0] = 20.0  # every second face looks aside
    pixels = rng.integers(0, 256, (count, size, size, 3), np.uint8)
    return Batch(pixels, np.arange(count) % 4, np.arange(count), points * size / 32)


def task(**changes):
    torch.manual_seed(0)
    backbone = TINY.build("backbone")
    loss = registry.create("loss/cosface", dimension=16, classes=4, scale=16.0)
    return RecogniserTask(backbone, loss, **changes)


def test_the_loss_is_that_of_the_embeddings():
    made, given = task(), batch()
    found = made.step(given, state())
    other = task()
    images = torch.from_numpy(given.pixels).permute(0, 3, 1, 2).float().sub(127.5).div(127.5)
    cosine = F.normalize(other.backbone(images)) @ F.normalize(other.loss.weight).T
    labels = torch.from_numpy(given.labels)
    wanted = F.cross_entropy(16 * (cosine - 0.35 * F.one_hot(labels, 4)), labels)
    torch.testing.assert_close(found["loss"], wanted)
    assert {name: len(group) for name, group in made.parameter_groups().items()}.keys() == {"backbone", "head"}


def test_symmetry_adds_the_distance_of_halves_of_frontal_faces_in_one_pass():
    made, given = task(symmetry=Symmetry(weight=2.0)), batch()
    found = made.step(given, state())
    other = task()
    images = normalise(torch.from_numpy(given.pixels), other.backbone.contract)
    points = torch.from_numpy(given.landmarks)
    rho = frontality(points)
    chosen = rho >= 0.8
    left, right = split_faces(images[chosen], landmarks=points[chosen])
    whole, one, two = other.backbone(torch.cat([images, left, right])).split([8, 4, 4])
    wanted = 2.0 * (rho[chosen] * (F.normalize(one) - F.normalize(two)).square().sum(1)).mean()
    torch.testing.assert_close(found["symmetry"], wanted)
    torch.testing.assert_close(found["loss"], other.loss(whole, torch.from_numpy(given.labels)))
    assert made.measures()["symmetric"] == 4


@pytest.mark.parametrize("symmetry", [Symmetry(weight=0.0), Symmetry(warmup=1.0)])
def test_a_symmetry_of_no_weight_is_the_plain_run_bit_for_bit(symmetry):
    plain, other = task(), task(symmetry=symmetry)
    losses = plain.step(batch(), state()), other.step(batch(), state())
    assert losses[0].keys() == losses[1].keys() and torch.equal(losses[0]["loss"], losses[1]["loss"])
    for one, two in zip(plain.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(one, two)


def test_symmetry_without_a_frontal_face_is_zero_and_finite():
    given = batch(8)
    aside = dataclasses.replace(
        given, landmarks=np.where(np.arange(5)[:, None] == 2, 31.0, given.landmarks).astype("f4")
    )
    made = task(symmetry=Symmetry())
    losses = made.step(aside, state())
    sum(losses.values()).backward()
    assert float(losses["symmetry"].detach()) == 0
    assert all(torch.isfinite(p.grad).all() for p in made.parameters() if p.grad is not None)


def test_a_further_term_is_weighted_and_its_centres_are_of_the_head():
    centre = registry.create("loss/centre", dimension=16, classes=4)
    same = copy.deepcopy(centre)  # a call moves the centres
    made = task(terms={"centre": (centre, 0.5)})
    found = made.step(batch(), state())
    other = task()
    embeddings = other.backbone(other.inputs(batch().pixels, torch.device("cpu")))
    labels = torch.from_numpy(batch().labels)
    torch.testing.assert_close(found["centre"], 0.5 * same(embeddings, labels))
    centres = sum(parameter.requires_grad for parameter in centre.parameters())
    assert len(made.parameter_groups()["head"]) == 1 + centres


def test_a_student_learns_its_teachers_embeddings_by_row():
    targets = np.random.default_rng(3).normal(size=(8, 16)).astype(np.float32)
    torch.manual_seed(0)
    made = RecogniserTask(TINY.build("backbone"), registry.create("loss/distillation"), targets=targets)
    rows = np.array([5, 2, 7])
    part = batch()
    part = Batch(part.pixels[:3], part.labels[:3], rows, part.landmarks[:3])
    torch.manual_seed(0)
    other = TINY.build("backbone")
    embeddings = other(made.inputs(part.pixels, torch.device("cpu")))
    wanted = registry.create("loss/distillation")(embeddings, torch.from_numpy(targets[rows]))
    torch.testing.assert_close(made.step(part, state())["loss"], wanted)


def test_crops_of_another_side_are_resized():
    values = torch.arange(2 * 3 * 8 * 8, dtype=torch.float32).view(2, 3, 8, 8)
    assert torch.equal(resized(values, (8, 8)), values)
    torch.testing.assert_close(resized(values, (4, 4))[0, 0, 0, 0], (values[0, 0, :2, :2]).mean())
    assert resized(values, (9, 9)).shape == (2, 3, 9, 9) and resized(values, (6, 6)).shape == (2, 3, 6, 6)
    made = task()
    assert made.inputs(batch(2, 64).pixels, torch.device("cpu")).shape == (2, 3, 32, 32)


def test_validation_measures_all_pairs():
    vectors = np.array([[1, 0], [0.6, 0.8], [0, 2], [-1, 0]], np.float32)
    mated, nonmated = all_pairs(vectors, np.array([0, 0, 1, 1]))
    np.testing.assert_allclose(sorted(mated), [0.0, 0.6], atol=1e-6)
    np.testing.assert_allclose(sorted(nonmated), [-1.0, -0.6, 0.0, 0.8], atol=1e-6)
    measures = verification_measures(vectors, np.array([0, 0, 1, 1]))
    assert measures["auc"] == pytest.approx((3 + 2.5) / 8)
    with pytest.raises(UsageError, match="two pictures of one person"):
        verification_measures(vectors, np.arange(4))


def test_validation_takes_whole_people_and_always_the_same(packs):
    rows = PackRows(packs[1], most=8, batch=3)
    labels = np.concatenate([part.labels for part in rows])
    assert sorted(np.bincount(labels).tolist()) in ([0, 4, 4], [0, 0, 4, 4], [4, 4])
    assert len(np.concatenate([part.labels for part in PackRows(packs[1])])) == 16
    for one, two in zip(rows, rows, strict=True):
        assert np.array_equal(one.pixels, two.pixels) and np.array_equal(one.rows, two.rows)


def test_a_recipe_comes_back_from_its_yaml_and_from_its_repr(tmp_path):
    from visavis.data.augmentation.augmentation import Augmentation
    from visavis.data.samplers import BlockShuffle, PeopleByPictures
    from visavis.training.schedules import Cosine, Polynomial, Steps
    from visavis.training.settings import Watch

    recipe = dataclasses.replace(
        read_recipe("small"),
        symmetry=Symmetry(),
        terms={"c": Term(Part("loss/centre"), 0.1)},
        order=PeopleByPictures(2),
    )
    path = tmp_path / "mine.yaml"
    path.write_text(write_recipe(recipe))
    assert read_recipe(path) == recipe
    kinds = (RecogniserRecipe, Part, Term, Settings, Sgd, Augmentation, BlockShuffle, PeopleByPictures, Symmetry,
             Cosine, Polynomial, Steps, Constant, Watch)  # fmt: skip
    assert eval(repr(recipe), {kind.__name__: kind for kind in kinds}) == recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("backbone: [", "is not YAML"),
        ("- 1", "holds no recipe"),
        ("backbone: {name: b}\nloss: {name: l}\ntraining: {epochs: 1}\nbatches: 4", "batches"),
        ("loss: {name: l}\ntraining: {epochs: 1}", "backbone"),
        ("backbone: {name: b}\nloss: {name: l}\ntraining: {epochs: 1, optimisers: {'*': {kind: sgd, rat: 1}}}", "rat"),
    ],
)
def test_a_recipe_that_does_not_fit_says_where(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_recipe(path)


def test_parts_are_of_their_kind_and_take_their_options_only():
    with pytest.raises(ModelError, match="no entry"):
        Part("arcfase").build("loss", dimension=4, classes=2)
    with pytest.raises(UsageError, match="here goes a loss"):
        Part("backbone/iresnet18").build("loss")
    with pytest.raises(UsageError, match="unexpected keyword"):
        Part("arcface", {"margn": 0.1}).build("loss", dimension=4, classes=2)
    inner = {"head": {"name": "arcface", "options": {"margin": 0.1}}}
    assert Part("loss/unpg", inner).build("loss", dimension=4, classes=2).head.margin == 0.1


def test_people_of_another_role_are_not_trained_on(packs, tmp_path):
    trained, develop = packs
    tested = [name for (group, name), role in Ledger.load().entries.items() if (group, role) == ("lfw", "test")]
    lfw = dataclasses.replace(trained.meta, set_name="lfw", roles={})
    forbidden = dataclasses.replace(trained, meta=lfw, identities=(*tested[:3], *trained.identities[3:]))
    with pytest.raises(UsageError, match=r"may not be trained on \(3 test\)"):
        train_recogniser(RECIPE, forbidden, out=tmp_path)
    require_roles(develop, ("develop", "unlisted"), what="chosen on")


def test_nobody_and_no_picture_is_trained_on_and_chosen_on(packs, tmp_path):
    trained, develop = packs
    named = [dataclasses.replace(pack, meta=dataclasses.replace(pack.meta, set_name="mine")) for pack in packs]
    known = dataclasses.replace(named[1], identities=(trained.identities[0], *develop.identities[1:]))
    with pytest.raises(UsageError, match="reported on"):
        require_apart([named[0]], known)
    other_source = dataclasses.replace(develop, identities=trained.identities[: len(develop.identities)])
    require_apart([trained], other_source)
    with pytest.raises(UsageError, match="30 crops of"):
        train_recogniser(RECIPE, trained, develop=trained, out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_landmarks_of_a_template_say_nothing_of_symmetry(packs, tmp_path):
    with pytest.raises(UsageError, match="SymFace needs landmarks"):
        train_recogniser(dataclasses.replace(RECIPE, symmetry=Symmetry()), packs[0], out=tmp_path)


@pytest.mark.parametrize("name", ["loss", "symmetry", "a/b", " "])
def test_a_term_does_not_take_the_name_of_another_loss(name):
    with pytest.raises(UsageError, match="may not be called"):
        dataclasses.replace(RECIPE, terms={name: Term(Part("loss/centre"))})


def test_a_term_may_have_any_other_name():
    centre = registry.create("loss/centre", dimension=16, classes=4)
    assert set(task(terms={"keys": (centre, 0.5), "a.b": (centre, 0.1)}).step(batch(), state())) == {
        "loss",
        "keys",
        "a.b",
    }


def test_people_of_few_pictures_stay_whole_in_a_thinned_validation(tmp_path):
    pack = Pack.write(tmp_path / "many", *patterns(40, 2, seed=4))
    labels = np.concatenate([part.labels for part in PackRows(pack, most=30)])
    assert sorted(set(np.bincount(labels).tolist()) - {0}) == [2] and len(labels) == 30


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Part("loss/arcface", {"margin": "x"}), "margin of loss/arcface is a number; got 'x'"),
        (Part("loss/arcface", {"scale": True}), "is a number"),
        (Part("loss/elastic-arc", {"clamp": "no"}), "truth value"),
        (Part("loss/elastic-arc", {"margin": "x"}), "margin of loss/elastic-arc is a number"),
        (Part("loss/arcface", {"dimension": 4}), "filled in"),
    ],
)
def test_options_of_a_wrong_kind_are_a_wrong_call(part, message):
    with pytest.raises(UsageError, match=message):
        part.build("loss", dimension=8, classes=3)


def test_numbers_that_yaml_reads_as_text_are_numbers_in_options_too():
    assert Part("loss/arcface", {"margin": "3e-1"}).build("loss", dimension=4, classes=2).margin == 0.3


def test_backbones_refuse_options_of_a_wrong_kind():
    for options in ({"dimension": "x"}, {"size": [32, 32]}):
        with pytest.raises(UsageError, match="mobilefacenet-tiny"):
            Part("backbone/mobilefacenet-tiny", options).build("backbone")


def test_a_teacher_and_a_loss_on_embeddings_go_together(packs, tmp_path):
    for recipe in (
        dataclasses.replace(RECIPE, loss=Part("loss/distillation")),
        dataclasses.replace(RECIPE, teacher="embedder/sface"),
    ):
        with pytest.raises(UsageError, match="go together"):
            train_recogniser(recipe, packs[0], out=tmp_path)


def test_a_broken_batch_is_reported_by_the_names_of_its_pictures(packs, tmp_path):
    wild = dataclasses.replace(
        RECIPE,
        training=dataclasses.replace(RECIPE.training, steps=50, optimisers={"*": Sgd(rate=1e30, schedule=Constant())}),
    )
    with pytest.raises(NonFiniteError):
        train_recogniser(wild, packs[0], out=tmp_path)
    report = next(tmp_path.glob("non-finite-*.json")).read_text()
    assert '"names"' in report and '"rows"' in report


def test_every_named_recipe_can_be_read_and_names_parts_that_exist():
    for name in registry.names("recipe/*"):
        recipe = read_recipe(name)
        assert recipe.source
        registry.describe(registry.resolve(recipe.backbone.name, kind="backbone"))
        registry.describe(registry.resolve(recipe.loss.name, kind="loss"))


@pytest.mark.parametrize("size", [8, 16, 28, 56, 112, 100])
@pytest.mark.parametrize("colour", ["rgb", "bgr", "grey"])
def test_pixels_of_any_side_become_the_input_of_a_network(size, colour):
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8))
    contract = InputContract(colour, mean=127.5, scale=1 / 127.5, size=(size, size))
    wanted = resized(normalise(pixels, contract), (size, size))
    torch.testing.assert_close(network_input(pixels, contract), wanted, atol=1e-5, rtol=1e-5)
    white = torch.full_like(pixels, 255)
    assert network_input(white, contract).amin() > 1 - 1e-5


@pytest.mark.parametrize("size", [(32, 32), (128, 128), (75, 50)])
def test_resizing_is_the_antialiased_bilinear_of_torch(size):
    values = torch.rand(2, 3, 112, 112)
    shrinks = size[0] < 112
    wanted = F.interpolate(values, size=size, mode="bilinear", antialias=shrinks)
    torch.testing.assert_close(resized(values, size), wanted, atol=2e-6, rtol=1e-5)


def test_a_recipe_of_a_version_that_knew_fewer_options_goes_on(packs, tmp_path):
    train_recogniser(RECIPE, packs[0], out=tmp_path)
    record = json.loads((tmp_path / "run.json").read_text())
    del record["recipe"]["augmentation"]["shift"]
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert train_recogniser(RECIPE, packs[0], out=tmp_path, resume=True).step == 3
    moved = dataclasses.replace(RECIPE, augmentation=dataclasses.replace(RECIPE.augmentation, shift=0.5))
    with pytest.raises(UsageError, match="begun with other data or recipe"):
        train_recogniser(moved, packs[0], out=tmp_path, resume=True)


def test_some_rows_are_trained_on_and_others_do_not_go_on(packs, tmp_path):
    rows = np.flatnonzero(packs[0].labels > 1)
    train_recogniser(RECIPE, packs[0], rows=rows, out=tmp_path)
    assert json.loads((tmp_path / "classes.json").read_text()) == list(packs[0].identities[2:])
    with pytest.raises(UsageError, match="rows was"):
        train_recogniser(RECIPE, packs[0], rows=rows[1:], out=tmp_path, resume=True)


def test_rows_without_a_label_add_nothing_to_losses_on_labels():
    torch.manual_seed(0)
    backbone = TINY.build("backbone").eval()
    identity = registry.create("loss/cosface", dimension=16, classes=4, scale=8.0)
    targets = np.random.default_rng(3).standard_normal((8, 16)).astype(np.float32)
    task = RecogniserTask(
        backbone, registry.create("loss/distillation"), terms={"identity": (identity, 0.5)}, targets=targets
    )
    whole = batch()
    known = np.array([0, 2, 3, 6])
    labels = np.full(8, -1)
    labels[known] = whole.labels[known]
    with torch.no_grad():
        losses = task.step(dataclasses.replace(whole, labels=labels), state())
        embeddings = backbone(task.inputs(whole.pixels, torch.device("cpu")))
        alone = identity(embeddings[known], torch.from_numpy(whole.labels[known]))
        cosines = F.cosine_similarity(embeddings, torch.from_numpy(targets))
        none = task.step(dataclasses.replace(whole, labels=np.full(8, -1)), state())
    assert losses["identity"].item() == pytest.approx(0.5 * alone.item() * 4 / 8, rel=1e-5)
    assert losses["loss"].item() == pytest.approx(1 - cosines.mean().item(), rel=1e-5)
    assert none["identity"].item() == 0.0 and none["loss"].item() == losses["loss"].item()


def test_nothing_is_validated_on_a_pack_without_labels(packs):
    pack = packs[1]
    with pytest.raises(UsageError, match="does not say whom"):
        PackRows(dataclasses.replace(pack, meta=dataclasses.replace(pack.meta, labelled=False)))


def test_targets_are_those_of_the_embedder_and_are_made_once(packs, monkeypatch, tmp_path):
    from visavis.training.recipes import teacher as module

    class Counting:
        card = dataclasses.replace(registry.load("embedder/sface.2021dec"), dimension=4)
        calls = 0

        def embed(self, crops):
            Counting.calls += 1
            values = np.array([[p[0, 0, 0], p[1, 1, 1], p[2, 2, 2], 1] for p in crops.pixels], np.float32)

            class Made:
                vectors = values

            return Made()

    monkeypatch.setenv("VISAVIS_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "create_embedder", lambda model, engine: Counting())
    first = module.Teacher("x").targets(packs, dimension=4)
    calls = Counting.calls
    pixels = np.concatenate([np.asarray(pack.pixels) for pack in packs])
    assert first[:, 1].tolist() == pixels[:, 1, 1, 1].tolist() and calls == 2
    assert np.array_equal(module.Teacher("x").targets(packs, dimension=4), first) and Counting.calls == calls


def test_losses_on_labels_need_labels(packs, tmp_path):
    bare = dataclasses.replace(packs[0], meta=dataclasses.replace(packs[0].meta, labelled=False, fingerprint="other"))
    with pytest.raises(UsageError, match="learns from labels"):
        train_recogniser(RECIPE, bare, out=tmp_path / "a")
    pairs = dataclasses.replace(RECIPE, loss=Part("loss/triplet"))
    with pytest.raises(UsageError, match="compares the people of a batch"):
        train_recogniser(pairs, [packs[0], bare], out=tmp_path / "b")
