"""Templates by name: one row, the one that is meant, and words in which a suffix stands in another case."""

from dataclasses import replace

import numpy as np
import pytest

from visavis.errors import NoFaceError, UsageError
from visavis.recognition.compact import CompactTemplates
from visavis.recognition.compact_file import write_compact
from visavis.recognition.stored import is_stored, stored_template
from visavis.types import Failure, Provenance, Status, TemplateSpace

SPACE = TemplateSpace("d", "five-point", "arcface-112", "r", 4)
MADE = Provenance("m", "e", "fp32", "1", "1")
NAMES = ("one", "two", "two", "half", "half", "none", "odd#2", "odd", "odd")


@pytest.fixture
def store(tmp_path):
    codes = np.diag(np.arange(1, 10)).astype(np.int8)[:, :9]
    status = [None] * 9
    for row in (4, 5):
        codes[row], status[row] = 0, Failure("no-face", "there is none")
    compact = CompactTemplates(codes, 0.0, Status(tuple(status)), replace(SPACE, dimension=9), MADE, NAMES)
    return write_compact(tmp_path / "x.vvt", compact)


@pytest.mark.parametrize(
    ("name", "row"), [("one", 0), ("one#1", 0), ("two#1", 1), ("two#2", 2), ("half#1", 3), ("odd#2", 6), ("odd#1", 7)]
)
def test_a_name_is_one_row_and_a_number_one_of_several(store, name, row):
    found = stored_template(f"{store}::{name}")
    assert found.vectors.argmax() == row and len(found) == 1 and found.space.pooling == "none"


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("two", UsageError, "2 rows named two"),
        ("half", UsageError, "half#1 to #2"),
        ("half#2", NoFaceError, "there is none"),
        ("none", NoFaceError, "there is none"),
        ("two#3", UsageError, "got #3"),
        ("two#0", UsageError, "got #0"),
        ("tow", UsageError, "there are two"),
        ("more#1", UsageError, "no template named more#1"),
    ],
)
def test_what_names_no_single_good_row_is_refused(store, name, kind, told):
    with pytest.raises(kind, match=told):
        stored_template(f"{store}::{name}")


@pytest.mark.parametrize("name", ["İstanbul.vvt", "İİİ.VVT", "ß.vvt", "plain.vVt"])
def test_the_name_of_a_file_is_cut_where_it_ends_whatever_its_letters(store, tmp_path, name):
    (tmp_path / name).write_bytes(store.read_bytes())
    word = f"{tmp_path / name}::one"
    assert is_stored(word) and stored_template(word).vectors.argmax() == 0
    assert not is_stored(f"{tmp_path / name}:one")
