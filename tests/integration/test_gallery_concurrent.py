"""One gallery under two writing processes and eight searching threads: no error, no lost write."""

import pytest

from contended_gallery import contend


@pytest.mark.parametrize("seconds", [1.0, pytest.param(20.0, marks=pytest.mark.slow)])
def test_writes_of_two_processes_are_all_there_and_found_while_eight_threads_search(tmp_path, seconds):
    record = contend(tmp_path / "all.gallery", seconds=seconds)
    assert record["errors"] == record["problems"] == [], record
    assert record["missing"] == record["returned"] == record["not_first"] == 0, record
    assert record["people"] == record["index_people"] and record["writes"] > 2 and record["reads"] > 8, record
