import csv
import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from visavis.errors import InputError, UnreadableError, UsageError
from visavis.protocols.pairs import PairList, read_pairs

LFW = "2\t2\nAnn\t1\t4\nBob 2 3\nAnn\t1\tBob\t2\nBob 3 Cid 11\nCid 1 2\nCid 1 3\nAnn 1 Cid 1\nAnn 2 Cid 2\n"
CSV = "image1,image2,same,fold\ntop/a/1.jpg,top/a/2.jpg,1,7\ntop/a/1.jpg,top/b/1.jpg,0,8\n"


@pytest.fixture
def listed(tmp_path):
    """Write a list and read it."""

    def read(text: str | bytes, **options):
        path = tmp_path / "list"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_pairs(path, **options)

    return read


def rows(pairs: PairList) -> list[tuple]:
    columns = (pairs.image1, pairs.image2, pairs.same.tolist(), pairs.fold, pairs.person1, pairs.person2)
    return list(zip(*([None] * len(pairs) if column is None else column for column in columns), strict=True))


def test_lfw_lines_become_paths_people_and_folds(listed):
    assert rows(listed(LFW)) == [
        ("Ann/Ann_0001.jpg", "Ann/Ann_0004.jpg", True, 1, "Ann", "Ann"),
        ("Bob/Bob_0002.jpg", "Bob/Bob_0003.jpg", True, 1, "Bob", "Bob"),
        ("Ann/Ann_0001.jpg", "Bob/Bob_0002.jpg", False, 1, "Ann", "Bob"),
        ("Bob/Bob_0003.jpg", "Cid/Cid_0011.jpg", False, 1, "Bob", "Cid"),
        ("Cid/Cid_0001.jpg", "Cid/Cid_0002.jpg", True, 2, "Cid", "Cid"),
        ("Cid/Cid_0001.jpg", "Cid/Cid_0003.jpg", True, 2, "Cid", "Cid"),
        ("Ann/Ann_0001.jpg", "Cid/Cid_0001.jpg", False, 2, "Ann", "Cid"),
        ("Ann/Ann_0002.jpg", "Cid/Cid_0002.jpg", False, 2, "Ann", "Cid"),
    ]
    assert listed(LFW, suffix=".png").image1[0] == "Ann/Ann_0001.png"


@pytest.mark.parametrize("header", ["", "1\n", "\n  \n1\n"])
def test_without_a_number_of_folds_there_are_none(listed, header):
    pairs = listed(f"{header}Ann 1 2\nAnn 1 Bob 10000\n")
    assert pairs.fold is None and pairs.same.tolist() == [True, False]
    assert pairs.image2[1] == "Bob/Bob_10000.jpg"


@pytest.mark.parametrize("text", [LFW, CSV])
@pytest.mark.parametrize(
    "change", [lambda t: "\ufeff" + t, lambda t: t.replace("\n", "\r\n"), lambda t: t.rstrip("\n")]
)
def test_marks_and_line_ends_of_other_systems_change_nothing(listed, text, change):
    assert rows(listed(change(text))) == rows(listed(text))
    assert rows(listed(change(text) + "\n  \n\n")) == rows(listed(text))


def test_csv_columns_in_any_order_with_others_between(listed):
    text = "note,Same,FOLD, image2 ,image1\nx,TRUE,3,b/2.jpg,b/1.jpg\n,false,4,'c'/1.jpg,\"b/1,1.jpg\"\n"
    assert rows(listed(text)) == [
        ("b/1.jpg", "b/2.jpg", True, 3, "b", "b"),
        ("b/1,1.jpg", "'c'/1.jpg", False, 4, "b", "'c'"),
    ]


def test_windows_separators_become_slashes(listed):
    pairs = listed("image1,image2,same\ntop\\a\\1.jpg,top\\a\\2.jpg,1\ntop\\a\\1.jpg,top/b/./1.jpg,0\n")
    assert pairs.images == ("top/a/1.jpg", "top/a/2.jpg", "top/b/1.jpg") and pairs.people == ("a", "b")


@pytest.mark.parametrize(
    ("paths", "people"),
    [
        (("001/frontal/05.jpg", "001/profile/01.jpg", "002/frontal/05.jpg"), ("001", "001", "002")),
        (("set/x/a/1.jpg", "set/x/a/2.jpg", "set/x/b/deep/1.jpg"), ("a", "a", "b")),
        (("a1.jpg", "a2.jpg", "b1.jpg"), None),  # no folders
        (("set/a/1.jpg", "set/a/2.jpg", "set/b1.jpg"), None),  # one picture without
        (("left/1.jpg", "right/1.jpg", "right/2.jpg"), None),  # folders that are not people
        (("a/1.jpg", "a/2.jpg", "a/3.jpg"), None),  # all pictures of one folder
    ],
)
def test_people_come_from_the_first_folder_that_differs(listed, paths, people):
    pairs = listed(f"image1,image2,same\n{paths[0]},{paths[1]},1\n{paths[0]},{paths[2]},0\n")
    if people is None:
        assert pairs.person1 is pairs.person2 is None and pairs.people == ()
    else:
        assert (pairs.person1[0], pairs.person2[0], pairs.person2[1]) == people


def test_named_people_come_before_folders(listed):
    pairs = listed("image1,image2,same,person1,person2\nx/1.jpg,y/1.jpg,1,Ann,Ann\nx/1.jpg,y/2.jpg,0,Ann,Bob\n")
    assert (pairs.person1, pairs.person2, pairs.people) == (("Ann", "Ann"), ("Ann", "Bob"), ("Ann", "Bob"))


HEAD = "image1,image2,same"
WRONG = {
    "no positive numbers": ("10 0\nA 1 2\n", 1, "header"),
    "a header of words": ("\nten three\nA 1 2\n", 2, "header"),
    "too few fields": ("1 1\nA 1 2\nA 1\n", 3, "3 fields"),
    "too many fields": ("1 1\nA 1 2 B 1\n", 2, "got 5"),
    "no number": ("1 1\nA 1 2\nA 1 B x\n", 3, "'x'"),
    "a negative number": ("A -1 2\n", 1, "'-1'"),
    "one name twice": ("1 1\nA 1 2\nB 1 B 2\n", 3, "'B' twice"),
    "mated too late": ("1 1\nA 1 2\nA 1 2\n", 3, "two people"),
    "mated too early": ("1 2\nA 1 2\nA 1 B 2\nB 1 2\nB 1 A 2\n", 3, "one person"),
    "a pair less": ("1 2\nA 1 2\nA 1 3\nB 1 A 2\n", 4, "promises 4 pairs and the file holds 3"),
    "a pair more": ("1\nA 1 2\nB 1 A 2\n\nA 1 2\n", 5, "promises 2 pairs and the file holds 3"),
    "a header alone": ("10 300\n", 1, "holds 0"),
    "an enormous header": ("9 1000000000000\nA 1 2\nA 1 B 2\n", 3, "header"),
    "an enormous number": ("A 1 " + "9" * 5000 + "\n", 1, "number"),
    "a lacking column": ("image1,same\na,1\n", 1, "lacks image2"),
    "one person column": (f"\n\n{HEAD},person1\na,b,1,A\n", 3, "both or neither"),
    "a doubled column": (f"{HEAD},Same\na,b,1,1\n", 1, "names same twice"),
    "a missing field": (f"{HEAD}\na,b,1\na,b\n", 3, "expected 3 fields as in the header, got 2"),
    "a field too many": (f"{HEAD}\na,b,1,x\n", 2, "got 4"),
    "an empty field": (f"{HEAD}\na,,1\n", 2, "'image2' is empty"),
    "another same": (f"{HEAD}\na,b,1\na,b,yes\n", 3, "'yes'"),
    "another fold": (f"{HEAD},fold\na,b,1,1\na,b,0,1.5\n", 3, "'1.5'"),
    "a negative fold": (f"{HEAD},fold\na,b,1,-1\n", 2, "'-1'"),
    "an enormous fold": (f"{HEAD},fold\na,b,1,{'9' * 25}\n", 2, "fold"),
    "people against same": (f"{HEAD},person1,person2\na,b,1,A,A\nc,d,1,A,B\n", 3, "'A' and 'B'"),
    "one person against same": (f"{HEAD},person1,person2\na,b,0,A,A\n", 2, "same is 0"),
    "an open quote": (f'{HEAD}\na,b,1\n"a,b,1\n', 3, "not valid CSV"),
    "a CSV header alone": (f"{HEAD}\n", 1, "no pair"),
    "a comma alone": (",\n", 1, "lacks"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_line_that_does_not_fit_is_named(listed, kind):
    text, line, words = WRONG[kind]
    with pytest.raises(InputError) as caught:
        listed(text)
    message = caught.value.message
    assert f"list, line {line}: " in message and words in message and "pairs.txt" in message
    assert "\n" not in message and len(message) < 1000 and caught.value.reason == "pairs"


def test_a_multi_line_field_is_counted_by_the_lines_of_the_file(listed):
    with pytest.raises(InputError, match="line 4: same is"):
        listed(f'{HEAD},note\na,b,1,"two\nlines"\na,b,2,x\n')


@pytest.mark.parametrize("text", ["", "\n \n", "\ufeff"])
def test_an_empty_list_says_what_is_accepted(listed, text):
    with pytest.raises(InputError, match="is empty; a pair list is"):
        listed(text)


def test_what_cannot_be_read_is_told_apart(listed, tmp_path):
    with pytest.raises(UnreadableError, match="no such file"):
        read_pairs(tmp_path / "missing")
    with pytest.raises(UnreadableError, match="is a folder"):
        read_pairs(tmp_path)
    with pytest.raises(UnreadableError, match="UTF-8"):
        listed(b"image1,image2,same\n\xff.jpg,b,1\n")


def test_columns_know_their_pictures(listed):
    pairs = listed(f"{HEAD}\na/1,a/2,1\na/2,b/1,0\na/1,a/1,1\n")
    assert (pairs.images, pairs.self_pairs, len(pairs)) == (("a/1", "a/2", "b/1"), 1, 3)
    left, right = pairs.positions()
    assert [pairs.images[at] for at in left] == list(pairs.image1)
    assert [pairs.images[at] for at in right] == list(pairs.image2)
    with pytest.raises(ValueError, match="read-only"):
        pairs.same[0] = False


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (dict(image1=(), image2=(), same=[]), "at least 1"),
        (dict(image1=("a",), image2=("a", "b"), same=[True]), "lengths"),
        (dict(image1=("a",), image2=("b",), same=[True, False]), "lengths"),
        (dict(image1=("a",), image2=("b",), same=[[True]]), "one dimension"),
        (dict(image1=("a",), image2=("b",), same=[True], fold=[1, 2]), "lengths"),
        (dict(image1=("a",), image2=("b",), same=[True], person1=("A",)), "one person column"),
        (dict(image1=("a",), image2=("b",), same=[True], person1=("A",), person2=("B",)), "contradicts"),
    ],
)
def test_columns_that_do_not_fit_are_refused(columns, words):
    with pytest.raises(UsageError, match=words):
        PairList(**columns)


names = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r\n/\\ \ufeff", exclude_categories=["Zs", "Cc"]), min_size=1
)
people = st.sampled_from(["Ann", "Bob", "Zoë"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(people, names, people, names, st.integers(0, 99)), min_size=1, max_size=8))
def test_csv_written_by_python_is_read_back(listed, pairs):
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(["image1", "image2", "same", "fold", "person1", "person2"])
    expected = [(f"{one}/x{a}", f"{two}/x{b}", one == two, fold, one, two) for one, a, two, b, fold in pairs]
    writer.writerows([(*row[:2], int(row[2]), *row[3:]) for row in expected])
    assert rows(listed(stream.getvalue())) == expected


@pytest.mark.data
@pytest.mark.parametrize(
    ("path", "pairs", "folds", "people", "images"),
    [
        ("lfw/pairs.txt", 6000, list(range(1, 11)), 4281, 7701),
        ("lfw/pairsDevTrain.txt", 2200, None, None, None),
        ("lfw/pairsDevTest.txt", 1000, None, None, None),
        ("cfp_dev/pairs_FF.csv", 3500, [1, 2, 3, 4, 5], 250, None),
        ("cfp_dev/pairs_FP.csv", 3500, [1, 2, 3, 4, 5], 250, None),
    ],
)
def test_the_shared_lists_hold_what_their_readme_says(shared_data, path, pairs, folds, people, images):
    found = read_pairs(shared_data / path)
    assert len(found) == pairs and found.same.sum() == pairs // 2
    assert folds is None or np.unique(found.fold).tolist() == folds
    assert people is None or len(found.people) == people
    assert images is None or len(found.images) == images
