import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from visavis.errors import InputError, UsageError
from visavis.jobs import _database
from visavis.jobs.chunk import ChunkResult, RowFailure
from visavis.jobs.ledger import JobLedger


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def ledger(tmp_path, chunks=3, clock=None):
    made = JobLedger(tmp_path / "jobs.sqlite", clock=clock or Clock())
    made.start(kind="count", fingerprint="f" * 64, chunks=chunks)
    return made


def test_chunks_are_leased_in_order_and_to_one_owner_each(tmp_path):
    jobs = ledger(tmp_path)
    assert [jobs.lease(f"w{row}", seconds=10) for row in range(4)] == [0, 1, 2, None]
    assert jobs.held("w1") == (1,) and jobs.progress() == (0, 3)


def test_a_lease_that_ran_out_goes_to_the_next(tmp_path):
    clock = Clock()
    jobs = ledger(tmp_path, clock=clock)
    assert jobs.lease("killed", seconds=10) == 0
    clock.now += 9.9
    assert jobs.lease("b", seconds=10) == 1
    clock.now += 0.2
    assert jobs.lease("c", seconds=10) == 0


def test_a_renewed_lease_stays(tmp_path):
    clock = Clock()
    jobs = ledger(tmp_path, clock=clock)
    jobs.lease("a", seconds=10)
    for _ in range(5):
        clock.now += 8
        jobs.renew(["a"], seconds=10)
    assert jobs.lease("b", seconds=10) == 1


def test_release_frees_one_owner_or_all(tmp_path):
    jobs = ledger(tmp_path)
    for owner in "abc":
        jobs.lease(owner, seconds=10)
    jobs.release("b")
    assert jobs.held("b") == () and jobs.lease("d", seconds=10) == 1
    jobs.release()
    assert [jobs.lease("e", seconds=10) for _ in range(4)] == [0, 1, 2, None]
    jobs.release("e")
    jobs.renew(["e"], seconds=10)
    assert jobs.lease("f", seconds=10) == 0  # what was given up is not prolonged


def test_a_chunk_counts_once(tmp_path):
    jobs = ledger(tmp_path)
    failed = RowFailure("x.jpg", "no-face", "none")
    assert jobs.commit(1, ChunkResult({"rows": 3}, (failed,)))
    assert not jobs.commit(1, ChunkResult({"rows": 99}, (failed, failed)))
    assert jobs.progress() == (1, 3) and jobs.results() == [(1, {"rows": 3})] and jobs.failures() == [failed]
    jobs.release()
    assert [jobs.lease("a", seconds=1) for _ in range(2)] == [0, 2]


def test_failures_come_in_the_order_of_the_chunks(tmp_path):
    jobs = ledger(tmp_path)
    for number in (2, 0, 1):
        rows = tuple(RowFailure(f"{number}{letter}", "r", "m") for letter in "ab")
        jobs.commit(number, ChunkResult({}, rows))
    assert [row.key for row in jobs.failures()] == ["0a", "0b", "1a", "1b", "2a", "2b"]


def test_a_job_goes_on_with_the_same_inputs_only(tmp_path):
    ledger(tmp_path).commit(0, ChunkResult())
    again = ledger(tmp_path)
    assert again.progress() == (1, 3)
    for kind, fingerprint, chunks in (("other", "f" * 64, 3), ("count", "e" * 64, 3), ("count", "f" * 64, 4)):
        with pytest.raises(UsageError, match="other inputs or options"):
            again.start(kind=kind, fingerprint=fingerprint, chunks=chunks)
    with pytest.raises(UsageError, match="at least 1"):
        again.start(kind="count", fingerprint="f" * 64, chunks=0)
    with pytest.raises(UsageError, match="no chunk 3"):
        again.commit(3, ChunkResult())


def test_many_threads_lease_each_chunk_once(tmp_path):
    jobs = ledger(tmp_path, chunks=60)
    with ThreadPoolExecutor(8) as pool:
        leased = list(pool.map(lambda row: jobs.lease(f"w{row}", seconds=10), range(64)))
        assert sorted(leased, key=lambda number: (number is None, number)) == [*range(60), None, None, None, None]
        counted = list(pool.map(lambda row: jobs.commit(row % 60, ChunkResult()), range(120)))
    assert sum(counted) == 60 and jobs.progress() == (60, 60)


def test_a_locked_ledger_is_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr(_database, "_WAIT_SECONDS", 0.05)
    jobs = ledger(tmp_path)
    other = sqlite3.connect(tmp_path / "jobs.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(InputError) as caught:
        jobs.lease("a", seconds=1)
    assert caught.value.reason == "jobs.locked"
    other.execute("ROLLBACK")
    other.close()
    assert jobs.lease("a", seconds=1) == 0


def test_a_full_disk_is_a_clear_error_and_loses_nothing(tmp_path):
    """SQLite's own limit on pages stands in for the end of the disk: it gives the same error."""
    jobs = ledger(tmp_path)
    jobs.commit(0, ChunkResult({"rows": 1}))
    with jobs._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(InputError) as caught:
        jobs.commit(1, ChunkResult({"much": "x" * 100_000}))
    assert caught.value.reason == "jobs.full"
    jobs.close()
    assert ledger(tmp_path).results() == [(0, {"rows": 1})]


def test_what_is_no_ledger_is_a_clear_error(tmp_path):
    (tmp_path / "jobs.sqlite").write_bytes(b"not a database at all, but long enough to have a header" * 20)
    with pytest.raises(InputError) as caught:
        ledger(tmp_path)
    assert caught.value.reason == "jobs.damaged"
    with pytest.raises(InputError) as caught:
        ledger(tmp_path / "nowhere")
    assert caught.value.reason == "jobs.permission"


@pytest.mark.parametrize("name", ["a?b", "a%41", "a#b", "a b", "a:b@c"])
def test_a_ledger_lies_where_its_path_says_whatever_signs_that_has(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    jobs = JobLedger(folder / "jobs.sqlite")
    jobs.start(kind="count", fingerprint="f", chunks=1)
    jobs.close()
    assert (folder / "jobs.sqlite").is_file() and [path.name for path in tmp_path.iterdir()] == [name]
