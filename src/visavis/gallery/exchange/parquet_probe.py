"""Parquet files of others are first read by a process of their own: what ends it would have ended this one.

The C++ library under pyarrow ends its process on some damaged files, and believes the sizes in page headers. The
process here has a limit of memory; it is kept for the next file, and ends with the one that began it.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict
from typing import Any

from visavis.errors import InputError, VisavisError
from visavis.gallery.exchange.byte_span import ByteSpan
from visavis.io._unreadable import printable

_SPARE = 1 << 31
"""Bytes that the process may take besides what a file declares."""
_CODE = f"import sys; sys.path[:] = {{!a}}; from {__name__} import serve; serve()"


class _Prober:
    """The process, started when it is first needed and again where a file ended it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0

    def check(self, span: ByteSpan, name: str) -> None:
        """Let the process read a file.

        Raises:
            InputError: ``exchange.parquet``: it is not sound, or ended the process.
        """
        with self._lock:
            answer = self._asked(json.dumps({"span": asdict(span), "name": name}))
        if answer is None:
            raise InputError(
                f"{printable(name)} is not a sound Parquet file (reading it fails, or takes more memory than it says); "
                "use an intact copy",
                reason="exchange.parquet",
            )
        if answer["reason"]:
            raise InputError(answer["message"], reason=answer["reason"])

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            process.communicate()

    def _asked(self, question: str) -> dict[str, Any] | None:
        process = self._started()
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(question + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = ""
        except BaseException:  # Ctrl-C: its answer would be taken for that to the next question
            self.close()
            raise
        if line.endswith("\n"):
            answer: dict[str, Any] = json.loads(line)
            return answer
        self.close()
        return None

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self._owner = os.getpid()
            self._process = subprocess.Popen(
                # -I: neither the folder it runs in nor the environment says where modules come from; only this path.
                [sys.executable, "-I", "-c", _CODE.format([part for part in sys.path if part])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
            )
        return self._process


_PROBER = _Prober()
atexit.register(_PROBER.close)


def probe(span: ByteSpan, name: str) -> None:
    """Read a Parquet file to its end in another process.

    Raises:
        InputError: ``exchange.parquet``: it is not sound.
    """
    _PROBER.check(span, name)


def limit_memory(declared: int) -> None:
    """Let this process take no more memory than some times what a file declares; where the system can."""
    try:
        import resource
    except ImportError:
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    wanted = _used() + _SPARE + 4 * declared
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def serve() -> None:
    """Answer questions on stdin, a line each, until it is closed."""
    from visavis.gallery.exchange.parquet import ParquetRows

    for line in sys.stdin:
        question = json.loads(line)
        answer = {"reason": "", "message": ""}
        try:
            rows = ParquetRows(ByteSpan(**question["span"]), name=question["name"], probed=True)
            limit_memory(rows.declared)
            for _ in rows.batches():
                pass
            rows.close()
        except VisavisError as error:
            answer = {"reason": error.reason, "message": error.message}
        print(json.dumps(answer), flush=True)


def _used() -> int:
    """Bytes of address space that this process has."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0
