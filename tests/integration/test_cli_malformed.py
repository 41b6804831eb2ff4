"""More than 200 malformed inputs through the command line: one line, the right reason, exit code 3, in time."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from commands import call, finish, run, start
from malformed import malformed

SECONDS = 10
REAL = {
    "special-fifo.jpg": "unreadable.not-a-file",
    "special-socket.jpg": "unreadable.not-a-file",
    "special-dangling.jpg": "unreadable.missing",
    "special-folder.jpg": "unreadable.missing",
    "/dev/zero": "unreadable.not-a-file",
    "bomb.png": "unreadable.too-many-pixels",
    "scan-bomb.jpg": "unreadable.timeout",
    "progressive-50.jpg": "unreadable.truncated",
    "nothing.jpg": "unreadable.empty",
    "two\nlines.jpg": "unreadable.missing",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("malformed")


@pytest.fixture(scope="module")
def cases(folder) -> list[tuple[Path, str]]:
    """As for `visavis.io.read`; but a folder stands for the pictures in it, and this one holds none."""
    return [
        (path, "unreadable.missing" if path.name == "special-folder.jpg" else reason)
        for path, reason in malformed(folder)
    ]


def fits(found: str, expected: str) -> bool:
    return found == expected or (expected == "unreadable" and found.startswith("unreadable."))


def complaint(ran, path: Path, reason: str, seconds: float) -> str:
    """What is wrong with a refusal; empty when nothing is."""
    if ran.code != 3:
        return f"exit code {ran.code}: {ran.out[:200]} {ran.err[:200]}"
    lines = ran.err.splitlines()
    if len(lines) != 1 or not lines[0].startswith("visavis: ") or "Traceback" in ran.err or "defect" in ran.err:
        return f"not one tidy line: {ran.err[:300]!r}"
    if path.name[:20].split("\n")[0] not in ran.err:
        return f"does not name the file: {ran.err[:200]!r}"
    if ran.out:
        error = ran.json["error"]
        if not fits(error["reason"], reason) or error["exit_code"] != 3 or f"visavis: {error['message']}" != lines[0]:
            return f"expected {reason}, got {error}"
    return "" if seconds < SECONDS else f"took {seconds:.1f} s"


@pytest.mark.parametrize("json", [pytest.param(True, marks=pytest.mark.slow), False])
def test_verify_refuses_each_with_one_line_and_code_3(cases, astronaut, one_pipeline, capfd, json):
    wrong = []
    assert len(cases) >= 200
    for number, (path, reason) in enumerate(cases if json else cases[::3]):
        sides = (astronaut, path) if number % 10 == 0 else (path, astronaut)
        began = time.perf_counter()
        ran = call(capfd, "verify", *sides, *["--json"] * json)
        found = complaint(ran, path, reason, time.perf_counter() - began)
        found = found or ("stdout and --json disagree" if bool(ran.out) != json else "")
        if found:
            wrong.append(f"{path.name[:60]!r} (expected {reason}): {found}")
    assert not wrong, "\n".join(wrong)


def test_the_program_itself_refuses_ten_of_them_in_time(cases, folder, astronaut):
    def refused(item: tuple[str, str]) -> str:
        path = folder / item[0]
        began = time.perf_counter()
        ran = run("verify", path, astronaut, "--json", timeout=30)
        return complaint(ran, path, item[1], time.perf_counter() - began)

    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(REAL, pool.map(refused, REAL.items()), strict=True))
    assert found == dict.fromkeys(REAL, "")


def test_detect_lists_the_bad_ones_of_a_batch_and_answers(cases, astronaut, capfd):
    ran = call(capfd, "detect", *(path for path, _ in cases), astronaut, "--json")
    assert ran.code == 0 and "Traceback" not in ran.err
    rows = ran.json["rows"]
    assert [row["image"] for row in rows] == [str(path) for path, _ in cases] + [str(astronaut)]
    assert [row["status"] for row in rows] == ["failed"] * len(cases) + ["ok"]
    wrong = [(row, reason) for row, (_, reason) in zip(rows, cases, strict=False) if not fits(row["reason"], reason)]
    assert not wrong
    assert all(row["message"] and "\n" not in row["message"] and row["box"] is None for row in rows[:-1])


def test_embed_lists_the_bad_ones_of_a_batch_and_answers(cases, astronaut, one_pipeline, tmp_path, capfd):
    out = tmp_path / "templates.npz"
    ran = call(capfd, "embed", astronaut, *(path for path, _ in cases), "--out", out, "--json")
    assert ran.code == 0 and "Traceback" not in ran.err
    report = ran.json
    assert (report["images"], report["templates"], len(report["failed"])) == (len(cases) + 1, 1, len(cases))
    for row, (path, reason) in zip(report["failed"], cases, strict=True):
        assert row["image"] == str(path) and fits(row["reason"], reason), row
    stored = np.load(out)
    assert stored["status"].tolist() == ["ok"] + ["failed"] * len(cases)
    assert np.isnan(stored["vector"][1:]).all() and np.isfinite(stored["vector"][0]).all()
    assert stored["reason"].tolist()[1:] == [row["reason"] for row in report["failed"]]


def test_align_lists_the_bad_ones_of_a_batch_and_answers(cases, astronaut, tmp_path, capfd):
    ran = call(capfd, "align", *(path for path, _ in cases[::9]), astronaut, "--out", tmp_path / "crops", "--json")
    assert (ran.code, ran.json["crops"]) == (0, 1)
    assert all(fits(row["reason"], reason) for row, (_, reason) in zip(ran.json["rows"], cases[::9], strict=False))
    assert [path.name for path in (tmp_path / "crops").iterdir()] == ["astronaut-1.png"]


def test_neither_decoders_nor_numpy_talk_on_stderr(cases, folder, astronaut, tmp_path):
    names = ("restart-closed-60.jpg", "lzw-noise.tif", "plain-60.png", "progressive-50.jpg", "nothing.jpg")
    ran = run("embed", *(folder / name for name in names), astronaut, "--out", tmp_path / "out.npz", "--json")
    assert (ran.code, ran.err, len(ran.json["failed"])) == (0, "", len(names))


@pytest.mark.parametrize("command", ["detect", "embed", "align"])
def test_a_batch_of_bad_files_alone_is_code_3_and_leaves_no_file(cases, tmp_path, capfd, command):
    out = [] if command == "detect" else ["--out", tmp_path / "out.npz"]
    ran = call(capfd, command, *(path for path, _ in cases[:12]), *out)
    assert "and 11 more" in ran.refused(3)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_folder_and_a_glob_of_bad_files_are_batches_too(cases, folder, astronaut, tmp_path, capfd):
    for path, _ in cases[:5]:
        shutil.copy(path, tmp_path)
    shutil.copy(astronaut, tmp_path / "zz.png")
    for given in (tmp_path, tmp_path / "*"):
        ran = call(capfd, "detect", given, "--json")
        assert ran.code == 0
        assert [row["status"] for row in ran.json["rows"]] == ["failed"] * 5 + ["ok"]


def test_a_pipe_that_nobody_writes_to_does_not_block_a_batch(cases, folder, astronaut):
    ran = finish(start("detect", folder / "special-fifo.jpg", "/dev/zero", "/dev/stdin", astronaut), timeout=30)
    assert ran.code == 0 and ran.out.count("unreadable.not-a-file") == 3
