import time
from pathlib import Path

import pytest

from malformed import malformed
from visavis.errors import UnreadableError
from visavis.io import read, read_batch


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, str]]:
    return malformed(tmp_path_factory.mktemp("malformed"))


def test_there_are_at_least_two_hundred_different_cases(cases):
    assert len({path for path, _ in cases}) == len(cases) >= 200


def test_each_is_refused_for_the_right_reason_in_time_and_on_one_line(cases):
    wrong = []
    for path, reason in cases:
        began = time.perf_counter()
        try:
            picture = read(path)
            outcome = f"was read: {picture.pixels.shape}"
        except UnreadableError as error:
            fits = error.reason == reason or (reason == "unreadable" and error.reason.startswith("unreadable."))
            tidy = "\n" not in error.message and path.name[:20].split("\n")[0] in error.message
            outcome = "" if fits and tidy else f"{error.reason}: {error.message}"
        if time.perf_counter() - began > 10:
            outcome += " (too slow)"
        if outcome:
            wrong.append(f"{path.name[:60]!r} expected {reason}: {outcome}")
    assert not wrong, "\n".join(wrong)


def test_a_batch_of_them_is_a_batch_of_failed_rows(cases):
    some = [path for path, _ in cases][::10]
    pictures = read_batch(some)
    assert len(pictures) == len(some)
    assert not pictures.ok.any()
    assert all(reason.startswith("unreadable.") for reason in pictures.status.reasons)


def test_the_generator_is_deterministic(cases, tmp_path):
    again = malformed(tmp_path)
    assert [(path.name, reason) for path, reason in again] == [(path.name, reason) for path, reason in cases]
    regular = [
        (a, b)
        for (a, _), (b, _) in zip(cases, again, strict=True)
        if a != b and b.parent == tmp_path and a.name.isascii() and len(a.name) < 100 and a.is_file()
    ]
    assert all(a.read_bytes() == b.read_bytes() for a, b in regular)
