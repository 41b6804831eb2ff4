import hashlib
from collections import Counter
from importlib import resources

import pytest

from visavis.errors import InputError, UnreadableError, UsageError
from visavis.protocols.ledger import ROLES, Ledger, require_disjoint
from visavis.protocols.pairs import read_pairs

# People by set and role, from the README of the shared data ("Who may be used for what").
DOCUMENTED = {
    ("lfw", "test"): 4281,
    ("cfp_dev", "test"): 250,
    ("lfw", "calibrate"): 1457,
    ("celeba_ids", "calibrate"): 65,
    ("celeba_ids", "develop"): 61,
    ("celeba_ids", "train"): 130,
    ("orl", "quick"): 40,
    ("lfw", "evidence"): 11,
}


@pytest.fixture(scope="module")
def ledger():
    return Ledger.load()


def test_the_committed_ledger_holds_the_documented_people(ledger):
    assert Counter((name, role) for (name, _), role in ledger.entries.items()) == DOCUMENTED
    assert ledger.sets == ("celeba_ids", "cfp_dev", "lfw", "orl")
    assert len(ledger.entries) == 6295 and {role for _, role in DOCUMENTED} == set(ROLES)


def test_its_hash_is_that_of_the_file(ledger):
    data = resources.files("visavis.protocols").joinpath("people.csv").read_bytes()
    assert ledger.hash == hashlib.sha256(data).hexdigest()


def test_celeba_roles_follow_the_number(ledger):
    for (name, person), role in ledger.entries.items():
        if name == "celeba_ids":
            assert role == {0: "calibrate", 1: "develop"}.get(int(person) % 4, "train")


@pytest.mark.data
def test_it_is_the_shared_file_byte_for_byte(ledger, shared_data):
    data = (shared_data / "people.csv").read_bytes()
    assert data == resources.files("visavis.protocols").joinpath("people.csv").read_bytes()
    assert Ledger.load(shared_data / "people.csv").entries == ledger.entries


@pytest.mark.data
@pytest.mark.parametrize(("path", "people"), [("lfw/pairs.txt", 4281), ("cfp_dev/pairs_FP.csv", 250)])
def test_everybody_of_the_reported_lists_is_set_aside_for_tests(ledger, shared_data, path, people):
    found = read_pairs(shared_data / path).people
    assert ledger.roles(path.partition("/")[0], found) == {"test": people}


def test_roles_count_each_person_once_and_strangers_apart(ledger):
    people = [person for name, person in ledger.entries if name == "orl"][:3]
    assert ledger.roles("orl", [*people, *people, "nobody"]) == {"quick": 3, "unlisted": 1}
    assert ledger.roles("lfw", people) == ledger.roles(None, people) == {"unlisted": 3}
    assert ledger.role("orl", people[0]) == "quick" and ledger.role("lfw", people[0]) is None
    assert ledger.roles("orl", []) == {}


def test_what_a_run_touched_goes_into_its_record(ledger):
    assert ledger.touched("orl", ["s1", "x"]).to_dict() == {
        "set": "orl", "roles": ledger.roles("orl", ["s1", "x"]), "ledger": ledger.hash,
    }  # fmt: skip
    with pytest.raises(TypeError):
        ledger.touched(None, []).roles["test"] = 1


@pytest.mark.parametrize(
    ("paths", "name"),
    [
        ("/data/lfw/lfw.tar", "lfw"),
        ("/data/LFW.TGZ", "lfw"),
        ("lfw-funneled", "lfw"),
        ("/x/lfw_home/lfw_deep.tar.gz", "lfw"),
        ("C:\\sets\\cfp_dev", "cfp_dev"),
        ("cfp_dev/001/frontal/01.jpg", "cfp_dev"),
        ("/lfw/orl.tar", "orl"),  # the last part that names a set
        (["lfw/A/1.jpg", "lfw/B/1.jpg"], "lfw"),
        (["lfw/A/1.jpg", "orl/s1/1.png"], None),
        (["lfw/A/1.jpg", "mine/1.jpg"], None),
        ("/data/mine.tar", None),
        ("selfwritten.tar", None),
        ("lfwx", None),
        ([], None),
    ],
)
def test_the_set_is_guessed_from_names(ledger, paths, name):
    assert ledger.guess_set(paths) == name


def test_nobody_may_be_fitted_and_reported_on():
    require_disjoint(["a", "b"], ["c"])
    require_disjoint([("lfw", "1")], [("orl", "1")])
    require_disjoint([], [])
    with pytest.raises(UsageError, match=r"^2 people .*\(a, b\); "):
        require_disjoint(["b", "a", "x"], ["a", "b", "y"])
    with pytest.raises(UsageError, match=r"^9 people .*0, 1, 2, 3, 4, \.\.\."):
        require_disjoint(range(9), range(20))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1.*header"),
        ("set,person,role\n", "line 1.*header"),
        ("set,identity,role\nlfw,A,test\nlfw,B\n", "line 3.*got lfw,B"),
        ("set,identity,role\nlfw,A,testing\n", "line 2.*role of test, calibrate"),
        ("set,identity,role\nlfw,A,test\norl,A,test\nlfw,A,train\n", "line 4.*A of lfw is listed twice"),
    ],
)
def test_a_ledger_that_does_not_fit_is_refused_by_line(tmp_path, text, words):
    path = tmp_path / "people.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        Ledger.load(path)
    assert caught.value.reason == "ledger"


def test_own_ledgers_and_unreadable_ones(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text('\ufeffset,identity,role\nmine,"Lee, Ann",train\n', newline="\r\n")
    assert Ledger.load(path).entries == {("mine", "Lee, Ann"): "train"}
    with pytest.raises(UnreadableError, match="No such file"):
        Ledger.load(tmp_path / "missing.csv")
    path.write_bytes(b"set,identity,role\nmine,\xff,train\n")
    with pytest.raises(UnreadableError, match="byte 23"):
        Ledger.load(path)
