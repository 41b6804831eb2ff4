"""A job in a folder of its own: kept when it fails, gone when it is done, begun again when it is another."""

from contextlib import suppress

import pytest

from visavis.errors import InputError, UnreadableError, UsageError
from visavis.io.fingerprints import source_states
from visavis.io.source import Source
from visavis.jobs.chunk import ChunkResult
from visavis.jobs.resumable import resumable


def job(place, fingerprint="f", chunks=2, **options):
    return resumable(place, kind="test", fingerprint=fingerprint, chunks=chunks, **options)


def interrupted(place, **options):
    with suppress(KeyboardInterrupt), job(place, **options) as ledger:
        ledger.commit(ledger.lease("a", seconds=60), ChunkResult({"n": 1}))
        (place / "part").touch()
        ledger.lease("a", seconds=60)
        raise KeyboardInterrupt


def test_the_same_goes_on_and_chunks_of_the_dead_are_free(tmp_path):
    place = tmp_path / "above/job"
    interrupted(place)
    with job(place) as ledger:
        assert ledger.progress() == (1, 2) and ledger.lease("b", seconds=1) == 1 and (place / "part").exists()
    assert list((tmp_path / "above").iterdir()) == []


@pytest.mark.parametrize("other", [{"fingerprint": "g"}, {"chunks": 3}])
def test_another_begins_in_an_empty_folder(tmp_path, other):
    interrupted(tmp_path / "job")
    (tmp_path / "job/below").mkdir()
    with job(tmp_path / "job", **other) as ledger:
        assert ledger.progress()[0] == 0 and ledger.results() == []
        assert {path.name for path in (tmp_path / "job").iterdir()} <= {
            "lock", "jobs.sqlite", "jobs.sqlite-wal", "jobs.sqlite-shm"
        }  # fmt: skip


def test_only_one_is_at_it(tmp_path):
    with job(tmp_path / "job"), pytest.raises(InputError, match="another process") as caught, job(tmp_path / "job"):
        pass
    assert caught.value.reason == "jobs.locked"


def test_an_error_after_which_nothing_is_left_to_do_removes_it(tmp_path):
    with pytest.raises(UnreadableError), job(tmp_path / "job", gone_with=(UnreadableError,)):
        raise UnreadableError("nothing can be read")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"), job(tmp_path / "file/job"):
        pass


def test_states_of_pictures_change_with_their_files(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"1")
    (tmp_path / "b.tar").write_bytes(b"22")

    def refuse(limits):
        raise AssertionError

    sources = [Source.of_file(tmp_path / "a.jpg"), Source(f"{tmp_path}/b.tar::x.jpg", refuse), Source("no", refuse)]
    before = source_states(sources)
    assert before == source_states(sources) and before[5] == "missing" and before[3].startswith("2:")
    (tmp_path / "b.tar").write_bytes(b"333")
    after = source_states(sources)
    assert (after[:3], after[4:]) == (before[:3], before[4:]) and after[3] != before[3]
