from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from visavis.data.augmentation.augmentation import Augmentation
from visavis.data.loader import PackLoader
from visavis.data.pack import META, Pack
from visavis.data.samplers import Balanced, BlockShuffle, PeopleByPictures
from visavis.errors import UsageError

SIZE = 8


def make(path, people, seed=0):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (len(people), SIZE, SIZE, 3), dtype=np.uint8)
    return Pack.write(path, pixels, people, landmarks=rng.uniform(0, SIZE, (len(people), 5, 2)))


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packs")
    return (
        make(folder / "one", [str(row // 5) for row in range(103)]),
        make(folder / "two", [str(row % 7) for row in range(40)], seed=1),
    )


SAMPLERS = [BlockShuffle(), BlockShuffle(4, 3), Balanced(), PeopleByPictures(4)]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_a_batch_depends_on_the_step_alone(packs, sampler):
    def loader(workers=1):
        return PackLoader(packs, batch=12, seed=3, sampler=sampler, augmentation=Augmentation(), workers=workers)

    straight = [loader().load(step) for step in range(30)]
    for start, workers in ((0, 2), (7, 1), (13, 4), (29, 2)):
        for batch, expected in zip(loader(workers).stream(start), straight[start:], strict=False):
            for name in ("pixels", "labels", "rows", "landmarks"):
                assert np.array_equal(getattr(batch, name), getattr(expected, name)), name
    shared = loader()
    with ThreadPoolExecutor(8) as pool:
        again = list(pool.map(shared.load, reversed(range(30))))[::-1]
    assert all(np.array_equal(one.pixels, two.pixels) for one, two in zip(again, straight, strict=True))


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_seeds_and_epochs_differ(packs, sampler):
    one = PackLoader(packs, batch=12, seed=3, sampler=sampler)
    two = PackLoader(packs, batch=12, seed=4, sampler=sampler)
    assert not np.array_equal(one.batch_rows(0), two.batch_rows(0))
    assert not np.array_equal(one.batch_rows(0), one.batch_rows(one.steps_per_epoch))


def test_rows_carry_their_own_pixels_labels_and_points(packs):
    loader = PackLoader(packs, batch=20, seed=0)
    pixels = np.concatenate([pack.pixels for pack in packs])
    points = np.concatenate([pack.landmarks for pack in packs])
    people = [f"{number}/{pack.identities[label]}" for number, pack in enumerate(packs) for label in pack.labels]
    assert loader.classes == 21 + 7
    for batch in islice(loader.stream(), 15):
        assert np.array_equal(batch.pixels, pixels[batch.rows])
        assert np.array_equal(batch.landmarks, points[batch.rows])
        assert [loader.identities[label] for label in batch.labels] == [people[row] for row in batch.rows]


def test_rows_can_be_chosen_and_classes_are_counted_anew(packs):
    rows = np.arange(50, 120)
    loader = PackLoader(packs, batch=7, seed=0, rows=rows)
    seen = np.concatenate([loader.batch_rows(step) for step in range(loader.steps_per_epoch)])
    assert np.array_equal(np.sort(seen), rows)
    assert set(loader.labels) == set(range(loader.classes)) and loader.classes == 11 + 7
    for bad in ([], [1, 1], [-1], [143]):
        with pytest.raises(UsageError, match="rows are distinct"):
            PackLoader(packs, batch=1, seed=0, rows=np.array(bad, int))


@pytest.mark.parametrize(("block", "window", "batch"), [(128, 256, 10), (4, 3, 10), (1, 1, 3), (7, 2, 14), (200, 1, 9)])
def test_block_shuffle_gives_each_row_once_an_epoch_and_keeps_to_its_windows(packs, block, window, batch):
    loader = PackLoader(packs[0], batch=batch, seed=5, sampler=BlockShuffle(block, window))
    for epoch in range(3):
        steps = range(epoch * loader.steps_per_epoch, (epoch + 1) * loader.steps_per_epoch)
        seen = np.concatenate([loader.batch_rows(step) for step in steps])
        assert len(seen) == 103 // batch * batch and len(set(seen)) == len(seen)
        # Blocks of a window are done before the next window begins.
        whole = -(-103 // block)
        first = [int(np.flatnonzero(seen // block == one)[0]) for one in range(whole) if one in seen // block]
        last = [int(np.flatnonzero(seen // block == one)[-1]) for one in range(whole) if one in seen // block]
        alive = max(sum(f <= place <= stop for f, stop in zip(first, last, strict=True)) for place in range(len(seen)))
        assert alive <= window


def test_a_window_over_all_rows_is_a_fair_shuffle(packs):
    """Each row comes to each place equally often: chi-squared over rows in the first ten places."""
    loader = PackLoader(packs[1], batch=10, seed=0)
    counts = np.zeros(40)
    for epoch in range(2000):
        counts[loader.batch_rows(epoch * loader.steps_per_epoch)] += 1
    chi = ((counts - 500) ** 2 / 500).sum() * 40 / 30  # sampling without replacement has the variance of 30/40
    assert 17 < chi < 73  # 39 degrees of freedom, one in a thousand each side


def test_what_is_announced_is_what_comes(packs):
    """Every row of an epoch is announced before it is used, each once."""
    plan = BlockShuffle(4, 3).plan(np.zeros(103, np.int64), batch=10, seed=2)
    told = []
    for step in range(plan.steps_per_epoch):
        told += plan.ahead(step).tolist()
        assert set(plan.places(step)) <= set(told)
    assert len(told) == len(set(told))


def test_people_by_pictures(packs):
    uneven = [person for person, count in enumerate([1, 2, 3, 9, 4, 5]) for _ in range(count)]
    plan = PeopleByPictures(4).plan(np.array(uneven), batch=16, seed=0)
    for step in range(200):
        rows = plan.places(step).reshape(4, 4)
        people = np.array(uneven)[rows]
        assert (people == people[:, :1]).all() and len(set(people[:, 0])) == 4
        for person, mine in zip(people[:, 0], rows, strict=True):
            have = uneven.count(person)
            assert len(set(mine)) == min(4, have)
            assert have == 1 or (mine[1:] != mine[:-1]).all()
    for bad in (PeopleByPictures(3), PeopleByPictures(0)):
        with pytest.raises(UsageError, match="multiple"):
            bad.plan(np.array(uneven), batch=16, seed=0)
    with pytest.raises(UsageError, match="people"):
        PeopleByPictures(2).plan(np.array(uneven), batch=16, seed=0)


def test_balanced_gives_every_identity_one_chance():
    labels = np.repeat(np.arange(4), [1, 2, 100, 400])
    plan = Balanced().plan(labels, batch=100, seed=0)
    counts = np.bincount(np.concatenate([labels[plan.places(step)] for step in range(40)]))
    assert (np.abs(counts - 1000) < 4 * np.sqrt(1000 * 0.75)).all()


def test_one_identity_and_one_row_are_enough(tmp_path):
    loader = PackLoader(make(tmp_path / "p", ["a"]), batch=1, seed=0, sampler=PeopleByPictures(1))
    assert loader.load(0).labels.tolist() == [0] and loader.steps_per_epoch == 1


def test_what_does_not_fit_is_refused(packs, tmp_path):
    other = Pack.write(tmp_path / "q", np.zeros((3, 9, 9, 3), np.uint8), ["a"] * 3)
    with pytest.raises(UsageError, match="one size"):
        PackLoader([packs[0], other], batch=1, seed=0)
    with pytest.raises(UsageError, match="none"):
        PackLoader([], batch=1, seed=0)
    for batch in (0, 104):
        with pytest.raises(UsageError, match="1 to 103"):
            PackLoader(packs[0], batch=batch, seed=0)
    with pytest.raises(UsageError, match="workers"):
        PackLoader(packs[0], batch=1, seed=0, workers=0)
    with pytest.raises(UsageError, match="at least 1"):
        PackLoader(packs[0], batch=1, seed=0, sampler=BlockShuffle(0, 1))


def test_a_stream_that_is_left_ends_its_threads(packs):
    stream = PackLoader(packs, batch=4, seed=0, workers=3).stream(5)
    next(stream)
    stream.close()
    with pytest.raises(StopIteration):
        next(stream)


def test_a_pack_given_twice_is_refused(packs, tmp_path):
    copy = make(tmp_path / "copy", [str(row // 5) for row in range(103)])
    for both in ((packs[0], copy), (packs[0], packs[1], packs[0])):
        with pytest.raises(UsageError, match="hold the same crops"):
            PackLoader(both, batch=4, seed=0)


def unlabelled(pack):
    (pack.path / META).write_bytes(replace(pack.meta, labelled=False).to_json())
    return Pack.open(pack.path)


def test_packs_without_labels_have_no_classes(tmp_path):
    one = make(tmp_path / "one", ["b", "a", "b"])
    two = unlabelled(make(tmp_path / "two", ["a", "b", "c", "d"], seed=1))
    loader = PackLoader([two, one], batch=7, seed=0)
    assert loader.identities == ("1/a", "1/b") and loader.labels.tolist() == [-1, -1, -1, -1, 1, 0, 1]
    batch = loader.load(0)
    assert batch.labels.tolist() == loader.labels[batch.rows].tolist()
    alone = PackLoader(two, batch=2, seed=0)
    assert alone.classes == 0 and set(alone.labels.tolist()) == {-1}
    for sampler in (Balanced(), PeopleByPictures(1)):
        with pytest.raises(UsageError, match="without a label"):
            PackLoader([two, one], batch=2, seed=0, sampler=sampler)


@pytest.mark.parametrize("size", [2, 3])
def test_the_shares_of_processes_are_the_batch_with_every_transform(tmp_path, size):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    always = Augmentation(1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, shift=1.0)
    whole = PackLoader(Pack.write(tmp_path / "p", pixels, ["a"] * 12), batch=12, seed=3, augmentation=always)
    parts = [whole.share(rank, size).load(5) for rank in range(size)]
    for name in ("pixels", "labels", "rows", "landmarks"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        assert np.array_equal(joined, getattr(whole.load(5), name)), name
