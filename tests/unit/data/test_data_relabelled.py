"""What relabelling leaves of a pack: lists, the map of identities, and the crops."""

import csv

import numpy as np
import pytest
import torch

from visavis.data.loader import PackLoader
from visavis.data.pack import Pack
from visavis.data.relabelled import Relabelled, identity_changes, relabelled_view, write_relabelled
from visavis.errors import UsageError
from visavis.losses.relabel import relabel

NAMES = ("Ada", "Bo, the 2nd", "Cy", "Di")
OLD = np.array([0, 0, 0, 1, 1, 1, 2, 2, 3, 3])
NEW = np.array([0, 0, 3, 3, 3, 1, 3, 3, -1, 3])


@pytest.fixture
def pack(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 3), np.uint8)
    landmarks = np.random.default_rng(1).uniform(0, 8, (10, 5, 2))
    return Pack.write(tmp_path / "given", pixels, [NAMES[label] for label in OLD], landmarks=landmarks)


def result(new=NEW):
    actions = np.where(new < 0, 2, np.where(new == OLD, 0, 1))
    return Relabelled(new, actions, np.linspace(0.5, 0.95, 10))


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_map_tells_who_was_kept_merged_and_emptied():
    changes = {one.identity: one for one in identity_changes(OLD, NEW, NAMES)}
    ada, bo, cy, di = (changes[name] for name in NAMES)
    assert [one.state for one in (ada, bo, cy, di)] == ["kept", "kept", "merged", "kept"]
    assert (cy.into, cy.new_label) == ("Di", None) and (cy.given, cy.kept, cy.went, cy.dropped, cy.came) == (
        2,
        0,
        2,
        0,
        0,
    )
    assert [ada.new_label, bo.new_label, di.new_label] == [0, 1, 2]
    assert (di.given, di.kept, di.went, di.dropped, di.came) == (2, 1, 0, 1, 5)
    apart = identity_changes(np.array([0, 0, 0, 1, 2, 3]), np.array([1, 2, 3, 1, 2, 3]), NAMES)
    assert (apart[0].state, apart[0].into) == ("emptied", None)
    gone = identity_changes(np.array([0, 0, 1]), np.array([-1, -1, 1]), NAMES[:2])
    assert (gone[0].state, gone[0].dropped) == ("emptied", 2)
    swapped = identity_changes(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]), NAMES[:2])
    assert [(one.state, one.kept, one.came) for one in swapped] == [("kept", 0, 2)] * 2


def test_counts_of_the_map_add_up():
    rng = np.random.default_rng(4)
    old, new = rng.integers(0, 6, 300), rng.integers(-1, 6, 300)
    changes = identity_changes(old, new, tuple("abcdef"))
    for one in changes:
        assert one.kept + one.went + one.dropped == one.given == int((old == one.label).sum())
        assert one.kept + one.came == int((new == one.label).sum())


def test_the_lists_and_the_pack_say_the_same(pack, tmp_path):
    before = {path.name: path.read_bytes() for path in pack.path.iterdir()}
    write_relabelled(pack, result(), tmp_path)
    rows = rows_of(tmp_path / "labels.csv")
    assert list(rows[0]) == ["path", "label", "new_label", "confidence", "action"]
    assert [row["path"] for row in rows] == list(pack.names)
    assert [row["label"] for row in rows] == [NAMES[label] for label in OLD]
    assert [row["new_label"] for row in rows] == [NAMES[label] if label >= 0 else "" for label in NEW]
    assert [row["action"] for row in rows[5:]] == ["kept", "relabelled", "relabelled", "dropped", "kept"]
    assert float(rows[9]["confidence"]) == pytest.approx(0.95)
    cleaned = Pack.open(tmp_path / "cleaned.pack")
    left = np.flatnonzero(NEW >= 0)
    assert [cleaned.identities[label] for label in cleaned.labels] == [NAMES[label] for label in NEW[left]]
    assert list(cleaned.names) == [pack.names[row] for row in left]
    for column in ("pixels", "landmarks", "digests"):
        assert np.array_equal(getattr(cleaned, column), getattr(pack, column)[left])
    assert (cleaned.meta.template, cleaned.meta.landmarks) == (pack.meta.template, "detected")
    numbers = {row["identity"]: row["new_label"] for row in rows_of(tmp_path / "identities.csv")}
    assert [numbers[name] for name in cleaned.identities] == ["0", "1", "2"] and numbers["Cy"] == ""
    assert {path.name: path.read_bytes() for path in pack.path.iterdir()} == before


def test_given_probabilities_are_enough(pack, tmp_path):
    probabilities = torch.full((10, 4), 0.05)
    probabilities[torch.arange(10), torch.from_numpy(np.maximum(NEW, 0))] = 0.85
    probabilities[8] = 0.25
    found = relabel(probabilities, torch.from_numpy(OLD))
    write_relabelled(pack, Relabelled.of(found), tmp_path)
    assert len(Pack.open(tmp_path / "cleaned.pack")) == 9
    assert [row["new_label"] for row in rows_of(tmp_path / "labels.csv")] == [NAMES[n] if n >= 0 else "" for n in NEW]


def test_a_view_is_trained_on_as_the_cleaned_pack_is(pack, tmp_path):
    view, classes = relabelled_view(pack, NEW)
    write_relabelled(pack, result(), tmp_path)
    rows = np.flatnonzero(NEW >= 0)
    one = PackLoader(view, batch=3, seed=0, rows=rows, workers=1)
    other = PackLoader(Pack.open(tmp_path / "cleaned.pack"), batch=3, seed=0, workers=1)
    assert one.identities == other.identities == ("Ada", "Bo, the 2nd", "Di") and classes.tolist() == [0, 1, 3]
    for step in range(3):
        first, second = one.load(step), other.load(step)
        assert np.array_equal(first.pixels, second.pixels) and np.array_equal(first.labels, second.labels)
    assert view.meta.fingerprint != pack.meta.fingerprint
    assert relabelled_view(pack, OLD)[0].meta.fingerprint != view.meta.fingerprint


def test_labels_that_do_not_fit_are_refused(pack, tmp_path):
    for new, message in ((NEW + 1, r"-1\.\.3|0\.\.4"), (NEW[:9], "one length"), (np.full(10, -1), "one must be left")):
        with pytest.raises(UsageError, match=message):
            write_relabelled(pack, Relabelled(new, np.zeros(len(new), np.int64), np.ones(len(new))), tmp_path)
    assert not (tmp_path / "cleaned.pack").exists()
