"""Kill an enrolment with SIGKILL at random moments, and look after each kill at what is there."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from commands import start
from visavis.data.readers.people_folder import read_people
from visavis.gallery.gallery import Gallery
from visavis.jobs.ledger import JobLedger
from visavis.pipeline.enrolment import CHUNK, enrol
from visavis.pipeline.inputs import digest_of
from visavis.pipeline.pipeline import Pipeline
from visavis.runtime.session import EngineOptions

_START_SECONDS = 60.0


def kill_and_resume(images: Path, place: Path, *, kills: int, seed: int, threads: int | None = None) -> dict[str, Any]:
    """Enrol a folder once undisturbed and once by a command that is killed and started again, and compare.

    A chunk that the ledger calls done when its process was killed is acknowledged: each of its pictures must be in the
    gallery from then on, unless it failed.

    Args:
        images: Folder or archive of one folder a person.
        place: An empty folder to work in.
        kills: How often; each at a random moment between the first picture and the end.
        seed: Of the moments.
        threads: As the command's option ``--threads``.

    Returns:
        ``kills`` (how many hit a running process), ``acknowledged`` (pictures, after each), ``chunks`` (done of all,
        after each), ``lost`` (acknowledged pictures that were not there), ``problems`` (of `Gallery.check`, in any
        kill), ``same`` (the samples of both galleries are equal, templates bit for bit), ``samples``,
        ``left_behind`` (files of the job after the end), ``seconds`` (undisturbed).
    """
    pipeline, pictures = Pipeline(engine=EngineOptions(threads=threads)), read_people(images).pictures
    begin = time.perf_counter()
    with closing(_made(place / "whole", pipeline)) as gallery:
        enrol(pipeline, gallery, pictures)
        expected = contents(gallery)
    seconds = time.perf_counter() - begin
    words = ["enrol", images, "--gallery", place / "killed", *(["--threads", threads] if threads else [])]
    pairs = [(item.person, digest_of(item.source)) for item in pictures]
    rng = random.Random(seed)
    record: dict[str, Any] = {"kills": 0, "acknowledged": [], "chunks": [], "lost": [], "problems": []}
    target = place / "killed"
    for _ in range(kills):
        process = start(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _wait_for_ledger(target, process)
        time.sleep(rng.uniform(0, 1.4 * seconds / kills))
        process.send_signal(signal.SIGKILL)
        record["kills"] += int(process.wait() == -signal.SIGKILL)
        _look(target, pairs, record)
    with closing(Gallery.open(target) if target.exists() else _made(target, pipeline)) as gallery:
        enrol(pipeline, gallery, pictures, job=f"{images.absolute()}\n")  # the name that the command gives it
        found = contents(gallery)
        record["problems"] += _problems(gallery)
    left = sorted(path.name for path in place.iterdir() if path.name.startswith("killed."))
    return {**record, "same": expected == found, "samples": len(found), "left_behind": left, "seconds": seconds}


def _made(path: Path, pipeline: Pipeline) -> Gallery:
    return Gallery.create(path, space=pipeline.space, made_by=pipeline.made_by)


def contents(gallery: Gallery) -> list[tuple[Any, ...]]:
    """All samples of a gallery, whatever their order: person, picture, box, numbers and the bytes of the template."""
    rows: list[tuple[Any, ...]] = []
    for person in gallery.people():
        samples = gallery.samples(person.person)
        vectors = gallery.vectors([one.sample for one in samples]) if samples else []
        rows += [
            (one.person, one.source, one.sha256, one.box, one.score, one.quality, one.norm, vector.tobytes())
            for one, vector in zip(samples, vectors, strict=True)
        ]
        assert person.samples == len(samples)
    return sorted(rows)


def ledgers(gallery: Path) -> list[Path]:
    """The ledgers of jobs that have not ended."""
    return sorted(gallery.with_name(f"{gallery.name}.jobs").glob("*/jobs.sqlite"))


def _wait_for_ledger(gallery: Path, process: subprocess.Popen[str]) -> None:
    """Until the first chunk is leased."""
    end, before = time.monotonic() + _START_SECONDS, time.time()
    while time.monotonic() < end and process.poll() is None:
        for path in ledgers(gallery):
            with suppress(FileNotFoundError):
                if path.with_name(f"{path.name}-wal").stat().st_mtime >= before:
                    return
        time.sleep(0.01)


def _look(gallery: Path, pairs: list[tuple[str, str | None]], record: dict[str, Any]) -> None:
    """What is acknowledged must be there, and the gallery must be sound."""
    acknowledged: list[tuple[str, str | None]] = []
    done_of_all = [0, 0]
    for path in ledgers(gallery):
        with closing(JobLedger(path)) as ledger:
            failed = {int(row.key) for row in ledger.failures()}
            done = [number for number, _ in ledger.results()]
            done_of_all = list(ledger.progress())
        places = [place for number in done for place in range(number * CHUNK, min((number + 1) * CHUNK, len(pairs)))]
        acknowledged += [pairs[place] for place in places if place not in failed]
    if gallery.exists():
        with closing(Gallery.open(gallery)) as opened:
            record["lost"] += sorted(set(acknowledged) - opened.known(acknowledged))
            record["problems"] += _problems(opened)
    elif acknowledged:
        record["lost"] += acknowledged
    record["acknowledged"].append(len(acknowledged))
    record["chunks"].append(done_of_all)


def _problems(gallery: Gallery) -> list[str]:
    return [line for line in gallery.check() if not line.startswith("warning:")]
