import numpy as np
import pytest

from visavis.errors import InputError, UnreadableError
from visavis.protocols import integer_table
from visavis.protocols.integer_table import integer_blocks


@pytest.fixture(params=[7, 100, 1 << 22])
def chunk(request, monkeypatch):
    monkeypatch.setattr(integer_table, "_CHUNK", request.param)


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("end", ["\n", "\r\n", " \t\n"])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("columns", [1, 2, 3])
def test_it_reads_what_numpy_reads(tmp_path, columns, last, end):
    rng = np.random.default_rng(columns)
    table = (10 ** rng.uniform(0, 9, (200, columns))).astype(np.int64) - 1
    text = end.join("\t".join(str(value) for value in row) for row in table.tolist()) + (end if last else "")
    (tmp_path / "x.txt").write_bytes(text.encode())
    found = np.concatenate(list(integer_blocks(tmp_path / "x.txt", columns)))
    assert found.dtype == np.int32 and np.array_equal(found, np.loadtxt(tmp_path / "x.txt", dtype=int, ndmin=2))


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize(
    ("wrong", "line"),
    [("1 2\n", 21), ("1 2 3 4\n", 21), ("1 x 3\n", 21), ("1 2 -3\n", 21), ("1 2 3.0\n", 21), ("1 2 1234567890\n", 21),
     ("\n1 2 3 4\n", 22), ("1 2 3\n1 2", 22), ("1\n2\n3\n", 21)],
)  # fmt: skip
def test_a_wrong_line_is_named(tmp_path, wrong, line):
    (tmp_path / "x.txt").write_text("1 2 3\n" * 20 + wrong)
    with pytest.raises(InputError, match=rf"line {line}: expected 3 whole numbers"):
        list(integer_blocks(tmp_path / "x.txt", 3))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UnreadableError):
        list(integer_blocks(tmp_path / "x.txt", 3))


def test_an_empty_file_has_no_rows(tmp_path):
    (tmp_path / "x.txt").write_text("\n")
    assert sum(len(block) for block in integer_blocks(tmp_path / "x.txt", 3)) == 0
