"""Templates of many pictures: the same rows as at once, also after an interruption, and nothing left behind."""

import io
import os
import signal
import time
from contextlib import suppress

import numpy as np
import pytest

from commands import finish, start
from portraits import save_people
from visavis.cli.template_files import write_templates
from visavis.errors import InputError, UnreadableError
from visavis.io import expand
from visavis.pipeline import bulk_embedding
from visavis.pipeline.bulk_embedding import COLUMNS, columns_of, embed_in_bulk
from visavis.pipeline.pipeline import Pipeline

PICTURES, PARTS = 19, 3


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(bulk_embedding, "CHUNK", 8)
    monkeypatch.setattr(bulk_embedding, "SMALL", 16)


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, astronaut, officer):
    """Three chunks, with a file that is none and a name that is no UTF-8."""
    folder = save_people(tmp_path_factory.mktemp("bulk"), [astronaut, officer], people=2, each=9, side=96)
    (folder / "p00/a.jpg").write_text("no picture")
    (folder / "p01/0.jpg").rename(folder / "p01" / os.fsdecode(b"\xe4.jpg"))
    return folder


@pytest.fixture(scope="module")
def sources(pictures):
    found = expand(pictures)
    assert len(found) == PICTURES
    return found


@pytest.fixture(scope="module")
def whole(pipeline, sources):
    """All rows at once, as `Pipeline.embed` gives them."""
    return columns_of(pipeline.embed(sources))


def joined(made):
    parts = list(made.parts())
    return {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS}


def same(one, other):
    return all(
        np.array_equal(one[name], other[name], equal_nan=name in ("box", "score", "norm", "vector")) for name in COLUMNS
    )


def test_rows_are_those_of_one_call_bit_for_bit(pipeline, sources, whole, tmp_path):
    seen = []
    with embed_in_bulk(pipeline, sources, tmp_path / "job", progress=lambda *at: seen.append(at)) as made:
        assert same(joined(made), whole) and (made.pictures, made.templates) == (PICTURES, PICTURES - 1)
        [failure] = made.failures
        assert failure.key.endswith("a.jpg") and failure.reason == "unreadable.not-an-image"
        assert len(made.readers) == PARTS and (tmp_path / "job").is_dir()
    assert seen[-1] == (PICTURES, PICTURES) and list(tmp_path.iterdir()) == []


def test_few_pictures_leave_nothing_on_the_disk(pipeline, sources, tmp_path):
    with embed_in_bulk(pipeline, sources[:3], tmp_path / "job") as made:
        assert list(tmp_path.iterdir()) == []
        assert same(joined(made), columns_of(pipeline.embed(sources[:3])))


def test_an_interrupted_run_goes_on_with_what_is_done(pipeline, sources, whole, tmp_path, monkeypatch):
    def stop(done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), embed_in_bulk(pipeline, sources, tmp_path / "job", progress=stop):
        pass
    done = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "job").glob("*.npz")}
    assert done
    with embed_in_bulk(pipeline, sources, tmp_path / "job") as made:
        assert done.items() <= {path.name: path.stat().st_mtime_ns for path in (tmp_path / "job").glob("*.npz")}.items()
        assert same(joined(made), whole)


@pytest.mark.parametrize("changed", ["which", "picture", "fewer"])
def test_other_options_or_pictures_begin_again(pipeline, pictures, sources, tmp_path, changed):
    with suppress(OSError), embed_in_bulk(pipeline, sources, tmp_path / "job"):
        raise OSError("the output cannot be written")
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "job").glob("*.npz")}
    assert len(kept) == PARTS
    which = "largest" if changed == "which" else "central"
    if changed == "picture":
        os.utime(pictures / "p00/1.jpg", ns=(1, time.time_ns()))
    with embed_in_bulk(pipeline, sources[changed == "fewer" :], tmp_path / "job", which=which) as made:
        now = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "job").glob("*.npz")}
        assert made.pictures == PICTURES - (changed == "fewer")
        assert not kept.items() & now.items()


def test_a_part_that_is_gone_is_told(pipeline, sources, tmp_path):
    with suppress(OSError), embed_in_bulk(pipeline, sources, tmp_path / "job"):
        raise OSError
    (tmp_path / "job/1.npz").unlink()
    with pytest.raises(InputError, match="gone") as caught, embed_in_bulk(pipeline, sources, tmp_path / "job"):
        pass
    assert caught.value.reason == "jobs.damaged"


def test_when_nothing_can_be_read_nothing_is_kept(pipeline, tmp_path):
    missing = expand([tmp_path / f"{number}.jpg" for number in range(17)])
    with suppress(UnreadableError), embed_in_bulk(pipeline, missing, tmp_path / "job") as made:
        assert made.templates == 0 and (tmp_path / "job").is_dir()
        raise UnreadableError("none can be read")
    assert list(tmp_path.iterdir()) == []


def test_an_npz_is_what_numpy_writes_of_the_whole(pipeline, sources, whole, tmp_path):
    with embed_in_bulk(pipeline, sources, tmp_path / "job") as made:
        write_templates(tmp_path / "t.npz", made, space=pipeline.space, made_by=pipeline.made_by)
    stored = np.load(tmp_path / "t.npz")
    stream = io.BytesIO()
    np.savez(stream, **whole, space=stored["space"], meta=stored["meta"])
    assert stream.getvalue() == (tmp_path / "t.npz").read_bytes()


def test_parquet_has_the_same_rows_whatever_the_groups(pipeline, sources, whole, tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("visavis.cli.tables._ROWS_OF_A_GROUP", 10)
    with embed_in_bulk(pipeline, sources, tmp_path / "job") as made:
        write_templates(tmp_path / "t.parquet", made, space=pipeline.space, made_by=pipeline.made_by)
    table = parquet.ParquetFile(tmp_path / "t.parquet")
    assert table.num_row_groups == 2
    vectors = np.array(table.read()["vector"].to_pylist(), float)
    assert np.array_equal(vectors.astype(np.float32), whole["vector"], equal_nan=True)


@pytest.mark.slow
def test_a_killed_command_ends_with_the_file_of_one_that_was_not(astronaut, officer, tmp_path):
    pictures = save_people(tmp_path / "people", [astronaut, officer], people=2, each=50, side=96)
    words = ("embed", pictures, "--threads", 1, "--out")
    process = start(*words, tmp_path / "killed.csv")
    place = tmp_path / ".killed.csv.work"
    end = time.monotonic() + 60
    while not list(place.glob("*.npz")) and time.monotonic() < end:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert finish(process).code == -signal.SIGKILL and not (tmp_path / "killed.csv").exists()
    for name in ("killed.csv", "whole.csv"):
        assert finish(start(*words, tmp_path / name)).code == 0
    assert (tmp_path / "killed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed.csv", "people", "whole.csv"]


def test_the_rule_of_a_job_is_part_of_its_fingerprint(pipeline, sources):
    found = {bulk_embedding._fingerprint(pipeline, sources, which) for which in ("central", "all")}
    found.add(bulk_embedding._fingerprint(Pipeline(minimum_size=30), sources, "central"))
    found.add(bulk_embedding._fingerprint(Pipeline(flip=True), sources, "central"))
    assert len(found) == 4
