"""Calling the command line: in this process, or as the program that a user starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

PROGRAM = str(Path(sys.executable).with_name("visavis"))


class Ran(NamedTuple):
    """What a call left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout; anything beside it, NaN included, is an error."""
        return json.loads(self.out, parse_constant=_refuse)

    def refused(self, code: int) -> str:
        """The message of a call that must have ended with this code, one line and nothing on stdout."""
        assert self.code == code, self
        lines = self.err.splitlines()
        assert self.out == "" and len(lines) == 1 and lines[0].startswith("visavis: "), self
        return lines[0]


def call(capfd: pytest.CaptureFixture[str], *words: object) -> Ran:
    """The command in this process."""
    from visavis.cli.app import main

    capfd.readouterr()
    with pytest.raises(SystemExit) as stop:
        main([os.fspath(word) if isinstance(word, Path) else str(word) for word in words])
    out, err = capfd.readouterr()
    return Ran(stop.value.code, out, err)


def start(*words: object, **options: Any) -> subprocess.Popen[str]:
    """The command as a process of its own, with its outputs in pipes."""
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8", "errors": "surrogateescape"}
    return subprocess.Popen([PROGRAM, *map(str, words)], stdin=subprocess.DEVNULL, **{**given, **options})


def finish(process: subprocess.Popen[str], *, timeout: float = 60) -> Ran:
    """Wait for a process; one that does not end in time is killed and fails the test."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Ran(process.returncode, out or "", err or "")


def run(*words: object, timeout: float = 60, **options: Any) -> Ran:
    """The command as a process of its own, waited for."""
    return finish(start(*words, **options), timeout=timeout)


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not JSON")
