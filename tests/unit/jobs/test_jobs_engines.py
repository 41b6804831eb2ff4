import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from visavis.errors import InputError, InternalError, UsageError
from visavis.jobs.chunk import ChunkResult, RowFailure
from visavis.jobs.ledger import JobLedger
from visavis.jobs.processes import ProcessEngine
from visavis.jobs.threads import ThreadEngine
from visavis.runtime.workers import ordered_map


def started(path, chunks):
    ledger = JobLedger(path / "jobs.sqlite")
    ledger.start(kind="square", fingerprint="a", chunks=chunks)
    return ledger


def square(number):
    failures = (RowFailure(str(number), "odd", "is odd"),) if number % 2 else ()
    return ChunkResult({"square": number**2}, failures)


def refuse(number):
    if number == 3:
        raise InputError("three is refused", reason="labelled")
    return square(number)


def break_down(number):
    raise ZeroDivisionError(number)


def die_once(folder, number):
    """The worker is killed in the middle of chunk 2, the first time."""
    if number == 2 and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return square(number)


def complain_at_length(number):
    raise InputError("x" * 1_000_000, reason="labelled")


def die_idle(folder, number):
    """The worker of chunk 1 is killed when it has done it; chunk 0 keeps the other at work for longer."""
    mark = folder / "died"

    def die():
        time.sleep(0.3)
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)

    if number == 1:
        threading.Thread(target=die).start()
    if number == 0:
        while not mark.exists():
            time.sleep(0.01)
        time.sleep(0.5)
    return square(number)


def leave(code, number):
    sys.exit(code)


def die_always(number):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("engine", [ThreadEngine(workers=4), ThreadEngine(workers=1), ProcessEngine(workers=2)])
def test_every_chunk_is_done_and_counted(tmp_path, engine):
    ledger, told = started(tmp_path, 25), []
    engine.run(ledger, square, progress=lambda done, total: told.append((done, total)))
    assert ledger.results() == [(number, {"square": number**2}) for number in range(25)]
    assert [row.key for row in ledger.failures()] == [str(number) for number in range(1, 25, 2)]
    assert told[-1] == (25, 25) and told == sorted(told)
    engine.run(ledger, break_down)  # nothing is left, so nothing is called


def test_threads_of_a_job_make_no_further_threads(tmp_path):
    def work(number):
        inner = set(ordered_map(lambda item: threading.get_ident(), range(9), workers=4))
        return ChunkResult({"here": inner == {threading.get_ident()}})

    ledger = started(tmp_path, 6)
    ThreadEngine(workers=2).run(ledger, work)
    assert [result for _, result in ledger.results()] == [{"here": True}] * 6


@pytest.mark.parametrize("engine", [ThreadEngine(workers=2), ProcessEngine(workers=1)])
def test_an_error_stops_the_job_and_loses_nothing(tmp_path, engine):
    ledger = started(tmp_path, 6)
    with pytest.raises(InputError, match="three is refused") as caught:
        engine.run(ledger, refuse)
    assert caught.value.reason == "labelled"
    done = {number for number, _ in ledger.results()}
    assert {0, 1, 2} <= done | {1, 2} and 3 not in done
    ThreadEngine(workers=2).run(ledger, square)
    assert len(ledger.results()) == 6


def test_a_defect_in_a_process_is_named(tmp_path):
    with pytest.raises(InternalError, match="ZeroDivisionError: 0"):
        ProcessEngine(workers=1).run(started(tmp_path, 1), break_down)


def test_a_killed_worker_is_replaced_and_its_chunk_done_again(tmp_path):
    ledger = started(tmp_path, 5)
    ProcessEngine(workers=1).run(ledger, partial(die_once, tmp_path))
    assert (tmp_path / "died").exists() and len(ledger.results()) == 5


def test_an_error_longer_than_a_pipe_reaches_the_caller(tmp_path):
    with pytest.raises(InputError) as caught:
        ProcessEngine(workers=1).run(started(tmp_path, 2), complain_at_length)
    assert caught.value.message == "x" * 1_000_000 and caught.value.reason == "labelled"


def test_a_worker_that_is_killed_between_chunks_is_replaced(tmp_path):
    ledger = started(tmp_path, 2)
    ProcessEngine(workers=2).run(ledger, partial(die_idle, tmp_path))
    assert (tmp_path / "died").exists() and ledger.progress() == (2, 2)


@pytest.mark.parametrize("code", [0, 3])
def test_work_that_leaves_its_process_ends_the_job_with_an_error(tmp_path, code):
    with pytest.raises(InternalError, match=f"SystemExit: {code}"):
        ProcessEngine(workers=1).run(started(tmp_path, 1), partial(leave, code))


def test_work_that_no_other_process_can_import_is_named(tmp_path):
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_jobs_engines import started
from visavis.jobs.processes import ProcessEngine
def work(number): pass
ProcessEngine(workers=1).run(started(Path({str(tmp_path)!r}), 1), work)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "importable by its module's name" in ran.stderr


def test_a_chunk_that_kills_every_worker_ends_the_job(tmp_path):
    with pytest.raises(InternalError, match="chunk 0") as caught:
        ProcessEngine(workers=1).run(started(tmp_path, 1), die_always)
    assert caught.value.reason == "jobs.worker"


def test_two_runs_share_one_job(tmp_path):
    ledger, other = started(tmp_path, 30), JobLedger(tmp_path / "jobs.sqlite")
    calls = []

    def slow(number):
        calls.append(number)
        time.sleep(0.005)
        return square(number)

    thread = threading.Thread(target=ThreadEngine(workers=2).run, args=(other, slow))
    thread.start()
    ThreadEngine(workers=2).run(ledger, slow)
    thread.join()
    assert sorted(calls) == list(range(30)) and len(ledger.results()) == 30


def test_a_slow_chunk_keeps_its_lease(tmp_path):
    ledger, calls = started(tmp_path, 1), []

    def slow(number):
        calls.append(number)
        time.sleep(1.2 if number == 0 else 0.2)
        return square(number)

    ThreadEngine(workers=2, lease_seconds=0.2).run(ledger, slow)
    assert calls == [0]


SCRIPT = """
    import sys, time
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    from test_jobs_engines import started, square
    from visavis.jobs.threads import ThreadEngine

    def slow(number):
        time.sleep(0.02)
        return square(number)

    if __name__ == "__main__":
        ThreadEngine(workers=2, lease_seconds=0.3).run(
            started(Path({folder!r}), 60), slow, progress=lambda done, total: print(done, flush=True)
        )
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_ended_goes_on(tmp_path, how):
    code = textwrap.dedent(SCRIPT).format(tests=str(Path(__file__).parent), folder=str(tmp_path))
    run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    while int(run.stdout.readline() or 60) < 5:
        pass
    run.send_signal(how)
    run.communicate()
    assert run.returncode != 0
    ledger = started(tmp_path, 60)
    before = ledger.results()
    assert 5 <= len(before) < 60
    if how == signal.SIGINT:
        assert ledger.lease("me", seconds=0.01) is not None  # nobody holds what nobody works on
    calls = []

    def count(number):
        calls.append(number)
        return square(number)

    ThreadEngine(workers=2).run(ledger, count)
    assert sorted(calls) == sorted(set(range(60)) - {number for number, _ in before})
    assert ledger.results() == [(number, {"square": number**2}) for number in range(60)]


def test_settings_are_checked():
    for engine in (ThreadEngine, ProcessEngine):
        with pytest.raises(UsageError, match="workers"):
            engine(workers=0)
        with pytest.raises(UsageError, match="lease"):
            engine(lease_seconds=0)
        assert engine().workers >= 1


def test_ctrl_c_returns_only_after_every_thread_has_ended(tmp_path):
    """A thread in the middle of a network while Python ends aborts the whole process."""
    begun, ended = [], []

    def slow(number):
        begun.append(number)
        if number == 1:
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1.2 if number == 0 else 0.2)
        ended.append(number)
        return square(number)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            ThreadEngine(workers=2).run(started(tmp_path, 50), slow)
    finally:
        signal.signal(signal.SIGINT, before)
    assert sorted(begun) == sorted(ended) == [0, 1]
