"""The loop of relabelling: wrong labels are found, nothing is lost, a kill changes nothing."""

import csv
import dataclasses
import json
import math
import shutil
import warnings

import numpy as np
import pytest
import torch
from recogniser_task import patterns

from visavis.data.pack import Pack
from visavis.errors import InputError, ModelError, NonFiniteError, UsageError
from visavis.losses.loss import UNLABELLED
from visavis.losses.relabel import relabel, relabel_predicted
from visavis.nn.pixels import network_input
from visavis.training.optimisers import Sgd
from visavis.training.recipes.few_pictures import FEW, FewPicturesWarning, pictures_learnt, warn_of_few_pictures
from visavis.training.recipes.part import Part
from visavis.training.recipes.prediction import (
    Predictions,
    predict_classes,
    read_classifier,
    read_predictions,
    save_predictions,
)
from visavis.training.recipes.recipe import RecogniserRecipe
from visavis.training.recipes.relabelling import Cleaning, clean_labels
from visavis.training.recipes.run import train_recogniser
from visavis.training.recipes.sharded import Sharded
from visavis.training.schedules import Cosine
from visavis.training.settings import Settings

RECIPE = RecogniserRecipe(
    backbone=Part("backbone/mobilefacenet-tiny", {"size": 32, "dimension": 16}),
    loss=Part("loss/normface", {"scale": 8.0}),
    training=Settings(
        steps=30,
        optimisers={"*": Sgd(rate=0.03, schedule=Cosine())},
        checkpoint_every=10,
        tensorboard=False,
        threads=1,
    ),
    batch=16,
)
HOW = Cleaning(threshold=0.4)
PEOPLE, PICTURES = 4, 16


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """A pack of which every fifth label is another person's, and whom each crop shows."""
    pixels, names = patterns(PEOPLE, PICTURES, seed=1)
    people = sorted(set(names))
    given = list(names)
    for row in range(0, len(names), 5):
        given[row] = people[(people.index(names[row]) + 1 + row % 3) % PEOPLE]
    return Pack.write(tmp_path_factory.mktemp("noisy") / "pack", pixels, given), names


@pytest.fixture(scope="module")
def cleaned(noisy, tmp_path_factory):
    return clean_labels(RECIPE, noisy[0], HOW, out=tmp_path_factory.mktemp("cleaned"))


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def right(pack, truth):
    return np.mean(
        [truth[int(name)] == pack.identities[label] for name, label in zip(pack.names, pack.labels, strict=True)]
    )


def test_more_labels_are_right_than_before(noisy, cleaned):
    pack, truth = noisy
    assert right(cleaned.pack, truth) > right(pack, truth) + 0.1
    assert len(cleaned.pack) > 0.8 * len(pack)


def test_the_rounds_the_lists_and_the_pack_count_the_same(noisy, cleaned):
    assert [one.number for one in cleaned.rounds] == [1, 2]
    for one in cleaned.rounds:
        assert one.kept + one.relabelled + one.dropped == len(noisy[0])
        assert one.noise == pytest.approx(one.relabelled / (one.kept + one.relabelled))
    actions = [row["action"] for row in rows_of(cleaned.out / "labels.csv")]
    last = cleaned.rounds[-1]
    assert [actions.count(name) for name in ("kept", "relabelled", "dropped")] == [
        last.kept, last.relabelled, last.dropped,
    ]  # fmt: skip
    assert len(cleaned.pack) == last.kept + last.relabelled
    assert cleaned.summary["people"]["roles"] == {"unlisted": PEOPLE}
    assert len(cleaned.summary["people"]["ledger"]) == 64
    assert json.loads((cleaned.out / "summary.json").read_text())["left"]["crops"] == len(cleaned.pack)


def test_nobody_judges_what_it_was_trained_on_and_all_are_judged(noisy, cleaned):
    for number in (1, 2):
        seen = []
        for network in (1, 2):
            place = cleaned.out / "rounds" / f"round-{number}-network-{network}"
            record = json.loads((place / "run.json").read_text())
            with np.load(place / "predictions.npz") as file:
                seen.append(len(file["best"]))
            assert record["rows"]
        assert sum(seen) == len(noisy[0])


def test_a_kill_changes_nothing_and_what_is_done_is_read(noisy, cleaned, tmp_path):
    def stop(done, total):
        assert total == 4 * 30
        if done == 30 + 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clean_labels(RECIPE, noisy[0], HOW, out=tmp_path, progress=stop)
    assert not (tmp_path / "summary.json").exists()
    steps = []
    again = clean_labels(RECIPE, noisy[0], HOW, out=tmp_path, progress=lambda done, _: steps.append(done))
    assert steps[0] == 30 + 11
    for name in ("labels.csv", "identities.csv"):
        assert (tmp_path / name).read_bytes() == (cleaned.out / name).read_bytes()
    assert again.pack.meta.fingerprint == cleaned.pack.meta.fingerprint and again.rounds == cleaned.rounds
    steps.clear()
    read = clean_labels(RECIPE, noisy[0], HOW, out=tmp_path, progress=lambda done, _: steps.append(done))
    assert not steps and read.rounds == again.rounds and read.changes == again.changes


def test_another_cleaning_is_not_mixed_in(noisy, cleaned):
    other = dataclasses.replace(RECIPE, batch=4)
    for recipe, how, what in ((RECIPE, Cleaning(threshold=0.5), "cleaning"), (other, HOW, "recipe")):
        with pytest.raises(UsageError, match=f"a relabelling with another {what}"):
            clean_labels(recipe, noisy[0], how, out=cleaned.out)


def test_one_network_judges_all_and_soft_targets_are_trained_on(noisy, tmp_path):
    short = dataclasses.replace(RECIPE, training=dataclasses.replace(RECIPE.training, steps=2))
    found = clean_labels(
        short, noisy[0], Cleaning(1, 0.99, mode="soft", folds=1, drop_below=0.25), out=tmp_path / "soft"
    )
    place = found.out / "rounds" / "round-1-network-1"
    record = json.loads((place / "run.json").read_text())
    assert record["recipe"]["loss"]["name"] == "loss/bootstrap"
    with np.load(place / "predictions.npz") as file:
        stays = file["own"] >= 0.25
    assert found.rounds[0].kept == int(stays.sum()) and found.rounds[0].relabelled == 0


def test_predictions_are_the_softmax_of_the_classifier(noisy, tmp_path):
    pack = noisy[0]
    short = dataclasses.replace(RECIPE, training=dataclasses.replace(RECIPE.training, steps=2))
    train_recogniser(short, pack, out=tmp_path / "run")
    backbone, loss = read_classifier(tmp_path / "run")
    rows = np.array([3, 30, 0])
    found = predict_classes(backbone, loss, pack, rows, np.array([1, 2, -1]))
    with torch.no_grad():
        embeddings = backbone(network_input(torch.from_numpy(np.array(pack.pixels[rows])), backbone.contract))
        unit, centres = (torch.nn.functional.normalize(one) for one in (embeddings, loss.weight))
        wanted = (8.0 * unit @ centres.T).softmax(1)
    np.testing.assert_allclose(found.confidences, wanted.amax(1), rtol=1e-4)
    np.testing.assert_allclose(found.own, [wanted[0, 1], wanted[1, 2], 0.0], rtol=1e-4)
    assert found.best.tolist() == wanted.argmax(1).tolist()
    nobody = predict_classes(backbone, loss, pack, rows[:0], rows[:0])
    assert [(column.dtype, column.shape) for column in nobody] == [(column.dtype, (0,)) for column in found]
    with torch.no_grad():
        loss.weight[2, 0] = math.nan
    with pytest.raises(NonFiniteError, match="of 3 of 3 crops are not finite"):
        predict_classes(backbone, loss, pack, rows, np.array([1, 2, -1]))


@pytest.mark.filterwarnings("ignore:only")
def test_three_columns_do_as_well_as_the_matrix():
    probabilities, labels = torch.randn(100, 6).mul(2).softmax(1), torch.randint(-1, 6, (100,))
    own = torch.stack([row[label] for row, label in zip(probabilities, labels, strict=True)])
    confidences, best = probabilities.max(1)
    for options in ({"threshold": 0.4}, {"threshold": 0.6, "floor": 0.2}, {"threshold": 0.5, "least": 9}):
        one = relabel(probabilities, labels, **options)
        other = relabel_predicted(best, confidences, own, labels, **options)
        assert torch.equal(one.labels, other.labels) and torch.equal(one.actions, other.actions)
        assert (one.labels == UNLABELLED).sum() == round(100 * (1 - one.kept))
    with pytest.raises(UsageError, match="columns"):
        relabel_predicted(best, confidences[:3], own, labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": 0}, "1 or more"),
        ({"folds": 0}, "1 or more"),
        ({"threshold": 1.5}, "0 to 1"),
        ({"drop_below": -0.1}, "0 to 1"),
        ({"folds": 2.5}, "integers, 1 or more"),
        ({"rounds": True}, "integers, 1 or more"),
        ({"min_images": 2.0}, "integers, 1 or more"),
        ({"threshold": math.nan}, "0 to 1"),
        ({"mode": "online"}, "hard or soft; got 'online'"),
        ({"min_images": 1}, "2 images of an identity"),
    ],
)
def test_settings_out_of_range_say_what_is_accepted(options, message):
    with pytest.raises(UsageError, match=message):
        Cleaning(**options)


def test_what_cannot_be_cleaned_is_refused_before_anything_is_written(noisy, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3), np.uint8)
    single = Pack.write(tmp_path / "single", pixels, ["a", "a", "b", "b", "c", "d", "d"])
    with pytest.raises(UsageError, match=r"1 identities of .* have one crop.*--folds 1"):
        clean_labels(RECIPE, single, out=tmp_path / "out")
    unlabelled = dataclasses.replace(noisy[0], meta=dataclasses.replace(noisy[0].meta, labelled=False))
    large = dataclasses.replace(RECIPE, batch=40)
    with pytest.raises(UsageError, match=r"round 1 is trained on 32 crops, and a batch of the recipe has 40"):
        clean_labels(large, noisy[0], out=tmp_path / "large")
    with pytest.raises(UsageError, match=r"has 7 crops, too few for 8 networks .*--folds"):
        clean_labels(RECIPE, single, Cleaning(folds=8), out=tmp_path / "out")
    with pytest.raises(UsageError, match="no labels to clean"):
        clean_labels(RECIPE, unlabelled, out=tmp_path / "out")
    test_people = Pack.write(tmp_path / "people", pixels[:4], ["Aaron_Peirsol", "Aaron_Peirsol", "x", "x"])
    listed = dataclasses.replace(test_people, meta=dataclasses.replace(test_people.meta, set_name="lfw"))
    with pytest.raises(UsageError, match=r"may not be trained on \(1 test\)"):
        clean_labels(RECIPE, listed, out=tmp_path / "out")
    with pytest.raises(UsageError, match="leave classifier out"):
        clean_labels(dataclasses.replace(RECIPE, classifier=Sharded()), noisy[0], out=tmp_path / "out")
    with pytest.raises(UsageError, match="loss/triplet gives no class a probability"):
        clean_labels(dataclasses.replace(RECIPE, loss=Part("loss/triplet")), noisy[0], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ModelError, match="holds no run"):
        read_classifier(tmp_path)


def test_when_nothing_is_sure_it_says_what_to_do(noisy, tmp_path):
    short = dataclasses.replace(RECIPE, training=dataclasses.replace(RECIPE.training, steps=1))
    with (
        pytest.warns(UserWarning, match="0% of the rows"),
        pytest.raises(UsageError, match=r"no crop is left after round 1.*--tau"),
    ):
        clean_labels(short, noisy[0], Cleaning(threshold=1.0), out=tmp_path)


def test_a_network_that_diverged_judges_nothing(noisy, tmp_path):
    fast = Settings(steps=1, optimisers={"*": Sgd(rate=1e30)}, checkpoint_every=1, tensorboard=False, threads=1)
    with pytest.raises(NonFiniteError, match=r"network 1 of round 1 diverged .*; lower the rate .*another folder"):
        clean_labels(dataclasses.replace(RECIPE, training=fast), noisy[0], HOW, out=tmp_path)
    assert not list(tmp_path.rglob("predictions.npz")) and not (tmp_path / "summary.json").exists()


NETWORK = "rounds/round-2-network-1/predictions.npz"


@pytest.mark.parametrize("name", ["summary.json", "relabel.json", NETWORK])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.9])
def test_a_file_that_was_cut_is_named_and_made_again_once_it_is_gone(noisy, cleaned, tmp_path, name, share):
    shutil.copytree(cleaned.out, tmp_path / "cut")
    path = tmp_path / "cut" / name
    if name == NETWORK:
        (tmp_path / "cut" / "summary.json").unlink()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError) as caught:
        clean_labels(RECIPE, noisy[0], HOW, out=tmp_path / "cut")
    assert str(path) in caught.value.message and "is damaged" in caught.value.message
    assert "remove it and start again" in caught.value.message and "pickle" not in caught.value.message
    path.unlink()
    assert clean_labels(RECIPE, noisy[0], HOW, out=tmp_path / "cut").rounds == cleaned.rounds


def test_json_of_another_kind_is_damaged_too(noisy, cleaned, tmp_path):
    shutil.copytree(cleaned.out, tmp_path / "cut")
    for name, text in (("summary.json", "[]"), ("summary.json", '{"rounds": []}'), ("relabel.json", "3")):
        (tmp_path / "cut" / name).write_text(text)
        with pytest.raises(InputError, match=rf"{name} is damaged"):
            clean_labels(RECIPE, noisy[0], HOW, out=tmp_path / "cut")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"best": np.array([0, 4, 1])}, r"classes are 0\.\.3"),
        ({"best": np.array([0, -1, 1])}, r"classes are 0\.\.3"),
        ({"best": np.array([0, 1])}, "columns of 3 rows"),
        ({"best": np.array([0.0, 1.0, 2.0])}, "columns of 3 rows"),
        ({"own": np.zeros((3, 1), np.float32)}, "columns of 3 rows"),
        ({"own": np.array([None, 1, 2], object)}, "is damaged"),
        ({"confidences": np.array([0.5, math.nan, 0.5], np.float32)}, "probabilities"),
    ],
)
def test_stored_predictions_are_of_the_crops_asked_about(tmp_path, change, message):
    sound = Predictions(np.array([0, 3, 1]), np.full(3, 0.5, np.float32), np.zeros(3, np.float32))
    save_predictions(tmp_path / "p.npz", sound)
    for one, other in zip(read_predictions(tmp_path / "p.npz", rows=3, classes=4), sound, strict=True):
        assert one.dtype == other.dtype and np.array_equal(one, other)
    with pytest.raises(InputError, match="columns of 4 rows"):
        read_predictions(tmp_path / "p.npz", rows=4, classes=4)
    save_predictions(tmp_path / "p.npz", sound._replace(**change))
    with pytest.raises(InputError, match=message):
        read_predictions(tmp_path / "p.npz", rows=3, classes=4)


def test_few_pictures_of_a_person_are_told_with_a_number_of_folds_that_helps(noisy):
    with pytest.warns(FewPicturesWarning, match=r"from 8\.0 pictures on average \(64 crops of 4 .*--folds 3\), or one"):
        warn_of_few_pictures(noisy[0], 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_few_pictures(noisy[0], 3)
        warn_of_few_pictures(noisy[0], 1)
    eight = dataclasses.replace(noisy[0], meta=dataclasses.replace(noisy[0].meta, count=32))
    with pytest.warns(FewPicturesWarning, match=r"from 6\.0 pictures .* try one network"):
        warn_of_few_pictures(eight, 4)
    for pictures in range(2, 40):
        for folds in range(1, 6):  # counted: the most even deal leaves the other folds
            parts = [len(range(fold, pictures * folds, folds)) for fold in range(folds)]
            left = sum(parts[1:]) if folds > 1 else sum(parts)
            assert pictures_learnt(pictures * folds, folds) == pytest.approx(left)
    assert FEW == 10
