"""Whole evaluations on copies of two portraits: two people, several pictures each."""

import json
import math
import tarfile

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

import visavis
from commands import call
from visavis.errors import InputError, UsageError
from visavis.io import FolderStore, open_store
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.evaluate import SHIPPED_AT, evaluate_pairs, score_pairs
from visavis.protocols.ledger import Ledger
from visavis.protocols.pairs import read_pairs

COPIES = {
    "1.jpg": lambda picture: picture,
    "2.jpg": ImageOps.mirror,
    "3.jpg": lambda picture: picture.filter(ImageFilter.GaussianBlur(1.5)),
    "4.jpg": lambda picture: ImageEnhance.Brightness(picture).enhance(0.6),
}
HEAD = "image1,image2,same,fold\n"


def lines(*, top="", broken=()):
    """Every pair of copies, in two folds by the numbers of the pictures."""
    names = [f"{person}/{copy}" for person in ("collins", "hopper") for copy in COPIES] + list(broken)
    rows = [
        f"{top}{one},{top}{two},{int(one[0] == two[0])},{(at + other) % 2}"
        for at, one in enumerate(names)
        for other, two in enumerate(names[:at])
    ]
    return "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory, astronaut, officer):
    place = tmp_path_factory.mktemp("sets") / "portraits"
    for person, path in (("collins", astronaut), ("hopper", officer)):
        (place / person).mkdir(parents=True)
        with Image.open(path) as picture:
            small = picture.convert("RGB")
            small.thumbnail((300, 300))
        for name, alter in COPIES.items():
            alter(small).save(place / person / name, quality=95)
    Image.new("RGB", (80, 80), "grey").save(place / "hopper" / "nobody.jpg")
    (place / "collins" / "broken.jpg").write_bytes((place / "collins" / "1.jpg").read_bytes()[:2000])
    return place


@pytest.fixture(scope="module")
def archive(folder):
    path = folder.with_name("portraits.tar")
    with tarfile.open(path, "w") as tar:
        tar.add(folder, "portraits")
    return path


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline()


@pytest.fixture
def listed(tmp_path):
    def read(text):
        (tmp_path / "pairs.csv").write_text(text)
        return read_pairs(tmp_path / "pairs.csv")

    return read


def evaluated(pipeline, pairs, store, **options):
    return evaluate_pairs(pipeline, pairs, store, set_name=None, resamples=20, **options)


def test_similarities_are_cosines_of_the_templates_of_python(pipeline, listed, folder):
    pairs = listed(HEAD + lines())
    seen = []
    scored = score_pairs(pipeline, pairs, FolderStore(folder), progress=lambda done, of: seen.append((done, of)))
    vectors = visavis.embed([folder / name for name in pairs.images]).templates.vectors.astype(float)
    place = {name: row for row, name in enumerate(pairs.images)}
    slow = [vectors[place[one]] @ vectors[place[two]] for one, two in zip(pairs.image1, pairs.image2, strict=True)]
    assert np.allclose(scored.similarities, slow, atol=1e-6)
    assert scored.failures.ok.all() and len(scored.failures) == 8 and scored.seconds > 0
    assert seen[-1] == (8, 8) and seen == sorted(seen)


def test_copies_are_told_from_the_other_person(pipeline, listed, folder):
    pairs = listed(HEAD + lines())
    result, scored = evaluated(pipeline, pairs, FolderStore(folder))
    assert (result.pairs, result.mated, result.nonmated, result.people, result.images) == (28, 12, 16, 2, 8)
    assert (result.accuracy, result.eer, result.auc, result.failed) == (1.0, 0.0, 1.0, 0)
    assert result.tar_at_far == {"1e-2": 1.0, "1e-3": 1.0}
    assert (result.shipped["fmr"], result.shipped["fnmr"]) == (0.0, 0.0)
    assert result.shipped["threshold"] == pipeline.calibration().threshold(SHIPPED_AT)
    assert pipeline.calibration().population in result.shipped["label"]
    assert (result.model, result.space) == ("embedder/sface.2021dec", pipeline.space.fingerprint)
    assert result.images_per_second == pytest.approx(8 / scored.seconds)
    assert result.folds["labels"].tolist() == [0, 1] and result.folds["shared_people"] == 2


def test_an_own_set_is_unlisted_and_said_to_be(pipeline, listed, folder):
    result, _ = evaluated(pipeline, listed(HEAD + lines()), FolderStore(folder))
    assert dict(result.roles) == {"unlisted": 2} and result.ledger == Ledger.load().hash
    assert any("2 of the people are not in the ledger" in note for note in result.notes)
    assert set(pipeline.embedder.card.notes) <= set(result.notes)
    named, _ = evaluate_pairs(pipeline, listed(HEAD + lines()), FolderStore(folder), set_name="lfw", resamples=1)
    assert dict(named.roles) == {"unlisted": 2}


@pytest.mark.parametrize("top", ["", "portraits/"])
def test_names_with_and_without_the_top_folder_in_folder_and_archive(pipeline, listed, folder, archive, top):
    plain = score_pairs(pipeline, listed(HEAD + lines()), FolderStore(folder)).similarities
    for store in (open_store(folder), open_store(archive)):
        found = score_pairs(pipeline, listed(HEAD + lines(top=top)), store)
        assert np.array_equal(found.similarities, plain)


BROKEN = {
    "collins/broken.jpg": "unreadable.truncated",
    "hopper/nobody.jpg": "no-face",
    "hopper/missing.jpg": "unreadable.missing",
    "hopper/../../portraits/hopper/1.jpg": "unreadable.unsafe-name",
}


def test_a_failed_picture_fails_its_pairs_and_is_counted(pipeline, listed, folder, archive):
    pairs = listed(HEAD + lines(broken=BROKEN))
    for store in (open_store(folder), open_store(archive)):
        result, scored = evaluated(pipeline, pairs, store)
        touched = np.array(
            [bool({one, two} & set(BROKEN)) for one, two in zip(pairs.image1, pairs.image2, strict=True)]
        )
        assert np.array_equal(np.isnan(scored.similarities), touched)
        assert (result.failed, result.pairs, result.images) == (touched.sum(), 66, 12) and touched.sum() == 66 - 28
        reasons = dict(result.failed_images)
        assert sum(reasons.values()) == result.fta["events"] == 4
        assert not isinstance(store, FolderStore) or reasons == dict.fromkeys(BROKEN.values(), 1)
        mated = int((touched & pairs.same).sum())
        assert result.shipped["fnmr_events"] == mated and result.shipped["fmr_events"] == 0
        assert result.accuracy < result.accuracy_without_failures == 1.0
        assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["failed"] == touched.sum()


def test_when_no_picture_gives_a_template_the_input_is_refused(pipeline, listed, folder):
    pairs = listed(HEAD + lines(top="elsewhere/"))
    with pytest.raises(InputError, match=r"none of the 8 pictures gave a template; the first: .*elsewhere"):
        score_pairs(pipeline, pairs, FolderStore(folder))


class Untouched:
    """A store that must not be read."""

    def get(self, name):
        raise AssertionError(f"{name} was read")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image1,image2,same\na/1,a/2,1\na/1,b/1,0\n", "share no person"),
        ("image1,image2,same,fold\na/1,a/2,1,1\na/1,b/1,0,1\n", "fewer than 2 folds"),
        ("image1,image2,same,fold\na/1,a/2,1,1\na/1,a/3,1,2\n", "0 non-mated"),
    ],
)
def test_a_list_that_cannot_be_evaluated_is_refused_before_a_picture_is_read(pipeline, listed, text, words):
    with pytest.raises(UsageError, match=words):
        evaluated(pipeline, listed(text), Untouched())


def test_without_a_fold_column_folds_are_drawn_between_people(pipeline, listed, folder):
    # Each portrait against its own copy and against the other's: links that mated pairs imply make four groups.
    text = "image1,image2,same\n" + "".join(
        f"collins/{a}.jpg,collins/{b}.jpg,1\nhopper/{a}.jpg,hopper/{b}.jpg,1\ncollins/{a}.jpg,hopper/{b}.jpg,0\n"
        for a, b in ((1, 2), (3, 4))
    )
    pairs = listed(text)
    unnamed = type(pairs)(pairs.image1, pairs.image2, pairs.same)
    result, _ = evaluated(pipeline, unnamed, FolderStore(folder))
    assert result.folds["count"] == 2 and "identity-disjoint" in result.folds["source"]
    assert (result.accuracy, result.folds["dropped"], result.folds["shared_people"]) == (1.0, 0, 0)
    assert any("does not name its people" in note for note in result.notes)
    with pytest.raises(UsageError, match="share no person"):  # named, they are two people, linked by every pair
        evaluated(pipeline, pairs, FolderStore(folder))


@pytest.mark.data
def test_lfw_pairs_without_folds_get_some(pipeline, shared_data):
    pairs = read_pairs(shared_data / "lfw" / "pairs.txt")
    some = np.r_[0:20, 300:320]
    few = type(pairs)(
        tuple(pairs.image1[row] for row in some), tuple(pairs.image2[row] for row in some), pairs.same[some], None,
        tuple(pairs.person1[row] for row in some), tuple(pairs.person2[row] for row in some),
    )  # fmt: skip
    result, _ = evaluate_pairs(pipeline, few, open_store(shared_data / "lfw" / "lfw.tar"), set_name="lfw", resamples=5)
    assert set(result.roles) == {"test"} and result.folds["count"] >= 2 and result.accuracy > 0.9


# the command


KEYS = {
    "pairs", "accuracy", "accuracy_std", "accuracy_without_failures", "tar_at_far", "eer", "failed",
    "images_per_second", "roles", "ledger",
}  # fmt: skip


def test_the_command_answers_in_json_and_writes_scores_and_report(listed, folder, archive, tmp_path, capfd):
    pairs = listed(HEAD + lines(broken=BROKEN))
    scores, report = tmp_path / "scores.csv", tmp_path / "report.html"
    ran = call(
        capfd, "evaluate", "pairs", tmp_path / "pairs.csv", "--images", archive, "--json", "--resamples", 20,
        "--scores", scores, "--report", report,
    )  # fmt: skip
    assert ran.code == 0 and "Traceback" not in ran.err
    record = ran.json
    assert set(record) >= KEYS and set(record["tar_at_far"]) == {"1e-2", "1e-3"}
    assert (record["pairs"], record["failed"], record["roles"]) == (66, 38, {"unlisted": 2})
    assert record["ledger"] == Ledger.load().hash and record["images_per_second"] > 0
    result, scored = evaluated(Pipeline(), pairs, open_store(archive))
    timed = ("seconds", "images_per_second")
    assert {k: v for k, v in record.items() if k not in timed} == {
        k: v for k, v in result.to_dict().items() if k not in timed
    }
    rows = [row.split(",") for row in scores.read_text().split()]
    assert rows[0] == ["image1", "image2", "same", "similarity", "fold"] and len(rows) == 67
    written = [float(row[3]) if row[3] else math.nan for row in rows[1:]]
    assert np.array_equal(written, scored.similarities, equal_nan=True)
    assert report.read_text(encoding="utf-8").count("<svg") == 3


def test_the_command_says_it_to_people(listed, folder, tmp_path, capfd):
    listed(HEAD + lines())
    ran = call(capfd, "evaluate", "pairs", tmp_path / "pairs.csv", "--images", folder, "--resamples", 5)
    assert ran.code == 0 and ran.err == ""
    for words in ("28 pairs of 2 people, 0 failed", "accuracy over folds", "1.0000", "unlisted", "of 16", "of 12"):
        assert words in ran.out, words


def test_the_command_refuses_what_it_cannot_use(listed, folder, tmp_path, capfd):
    listed(HEAD + lines())
    words = ("evaluate", "pairs", tmp_path / "pairs.csv", "--images")
    call(capfd, *words, tmp_path / "none.tar").refused(3)
    call(capfd, "evaluate", "pairs", tmp_path / "none.csv", "--images", folder).refused(3)
    (tmp_path / "pairs.csv").write_text("image1,image2,same\na,b,perhaps\n")
    assert "line 2" in call(capfd, *words, folder).refused(3)
    (tmp_path / "pairs.csv").write_text("image1,image2,same,fold\na,b,1,1\n")
    call(capfd, *words, folder).refused(2)
    (tmp_path / "pairs.csv").write_text(HEAD + lines(top="no/"))
    ran = call(capfd, *words, folder, "--json")
    assert (ran.code, ran.json["error"]["exit_code"]) == (3, 3)
