import numpy as np
import pytest

from visavis.data.pack import Pack
from visavis.data.splits import by_identity, place_of
from visavis.errors import UsageError


def make(path, people):
    return Pack.write(path, np.zeros((len(people), 1, 1, 3), np.uint8), people)


def test_parts_share_no_person_and_cover_all(tmp_path):
    pack = make(tmp_path / "p", [f"person {row % 300}" for row in range(900)])
    parts = by_identity(pack, {"a": 0.5, "b": 0.3, "c": 0.2}, seed=1)
    people = {name: set(pack.labels[rows]) for name, rows in parts.items()}
    assert not people["a"] & people["b"] and not people["b"] & people["c"] and not people["a"] & people["c"]
    assert np.array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(900))
    for name, share in {"a": 0.5, "b": 0.3, "c": 0.2}.items():
        assert abs(len(people[name]) - 300 * share) < 4 * np.sqrt(300 * share * (1 - share))


def test_adding_people_moves_nobody(tmp_path):
    few = [f"{row}" for row in range(50)]
    parts = []
    for name, people in (("few", few), ("more", [*few, *(f"new {row}" for row in range(50))])):
        pack = make(tmp_path / name, people)
        rows = by_identity(pack, {"fit": 0.6}, seed=0)["fit"]
        parts.append({pack.identities[label] for label in pack.labels[rows]} & set(few))
    assert parts[0] == parts[1] and 15 < len(parts[0]) < 45


def test_another_seed_is_another_split(tmp_path):
    pack = make(tmp_path / "p", [f"{row}" for row in range(100)])
    one, two = (by_identity(pack, {"fit": 0.5}, seed=seed)["fit"] for seed in (0, 1))
    assert not np.array_equal(one, two)
    assert 0 <= min(place_of(f"{row}", seed=0) for row in range(1000)) < 0.01


@pytest.mark.parametrize("shares", [{}, {"a": 0.0}, {"a": 0.7, "b": 0.4}, {"a": -0.1}, {"a": float("nan")}])
def test_shares_that_do_not_fit_are_refused(tmp_path, shares):
    with pytest.raises(UsageError, match="shares"):
        by_identity(make(tmp_path / "p", ["a"]), shares, seed=0)
