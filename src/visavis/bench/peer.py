"""Other people's pipelines, each in a process of its own environment, measured inside that process.

The child is a plain script that imports nothing of visavis. It reads one JSON command a line from stdin and
answers each with one JSON line on stdout:

    {"load": {...}}                                  -> {"versions": {...}, "workers": 2, "threads": 1}
    {"run": {"tar", "images": [[offset, size], ...],
             "embeddings": path or null, ...}}       -> {"seconds": s, "pictures": n, "failed": f}
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from visavis.bench.environment import DLIB, OPENCV, child_environment, tail
from visavis.detection.working_size import WorkingSize
from visavis.errors import ModelError, UsageError
from visavis.io.atomic import write_atomically
from visavis.io.tar import FILE, TarIndex
from visavis.runtime.session import cores

_CLOSING_SECONDS = 10.0
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class PeerRun:
    """One run of a peer over a list of pictures.

    Attributes:
        seconds: Measured in the child, from the first byte read to the last embedding; warm-up and start left out.
        pictures: How many were asked for.
        failed: How many of them gave no embedding: unreadable, or no face found.
    """

    seconds: float
    pictures: int
    failed: int

    @property
    def per_second(self) -> float:
        """Pictures per second, failed ones counted."""
        return self.pictures / self.seconds


class Peer:
    """A child process that stays alive between runs; use it as a context manager.

    One caller at a time: it is a measuring instrument, not a service.

    Args:
        python: Interpreter of the child's environment.
        script: Plain file that speaks the protocol of this module.
        load: What to send as the ``load`` command: paths of models, numbers of workers and threads.
        run: What every ``run`` command carries besides pictures, for example the working size.
        timeout: Longest wait for one answer, in seconds.
    """

    def __init__(
        self,
        python: Path,
        script: Path,
        *,
        load: Mapping[str, Any],
        run: Mapping[str, Any] | None = None,
        timeout: float = 900.0,
    ) -> None:
        self.python = python
        self.script = script
        self.loaded: dict[str, Any] = {}
        self.loaded_once: dict[str, Any] = {}
        self._load = dict(load)
        self._run = dict(run or {})
        self._timeout = timeout
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._log = Path()

    def __enter__(self) -> Peer:
        """Start the child and load its models.

        Raises:
            ModelError: It cannot be started, ended, answered with an error or did not answer in time.
        """
        handle, log = tempfile.mkstemp(prefix=f"visavis-{self.script.stem}-", suffix=".log")
        self._log = Path(log)
        self._answers = queue.SimpleQueue()
        try:
            self._process = subprocess.Popen(
                [str(self.python), "-I", str(self.script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=handle,
                env={**os.environ, **_ONE_THREAD},
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            self._log.unlink(missing_ok=True)
            raise ModelError(f"{self.python} cannot be started for the peer {self.script.name}: {error}") from error
        finally:
            os.close(handle)
        threading.Thread(target=_forward, args=(self._process, self._answers), daemon=True).start()
        try:
            self.loaded = self._ask({"load": self._load})
            self.loaded_once = dict(self.loaded)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.loaded = {}  # it may be in the middle of a run: do not wait for it
        self.close()

    def run(self, tar: Path, images: Sequence[tuple[int, int]], *, embeddings: Path | None = None) -> PeerRun:
        """Take every picture from its bytes to an embedding.

        Args:
            tar: A plain, uncompressed tar archive.
            images: Offset and size of each picture in it.
            embeddings: Where to write the raw embeddings, ``.npy`` float32 ``(N, D)``, NaN rows where it failed.

        Raises:
            UsageError: The peer was not entered, or there are no pictures.
            ModelError: The child ended, answered with an error or did not answer in time.
        """
        if not images:
            raise UsageError("a run needs at least one picture; got none")
        answer = self._ask(
            {
                "run": {
                    **self._run,
                    "tar": str(Path(tar).resolve()),
                    "images": [[int(offset), int(size)] for offset, size in images],
                    "embeddings": str(Path(embeddings).resolve()) if embeddings is not None else None,
                }
            }
        )
        try:
            return PeerRun(float(answer["seconds"]), int(answer["pictures"]), int(answer["failed"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"the peer {self.script.name} answered {answer}, not seconds, pictures and failed"
            ) from error

    def close(self) -> None:
        """End the child and all its workers; harmless when it has ended."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            if process.stdin is not None:
                process.stdin.close()
            process.wait(_CLOSING_SECONDS if self.loaded else 0)
        except (OSError, subprocess.TimeoutExpired):
            pass
        finally:
            if process.poll() != 0:
                _kill(process)
            self.loaded = {}
            self._log.unlink(missing_ok=True)

    def _ask(self, command: Mapping[str, Any]) -> dict[str, Any]:
        process, verb = self._process, next(iter(command))
        if process is None or process.stdin is None:
            raise UsageError("the peer is not running; use it in a with statement")
        try:
            process.stdin.write(json.dumps(command) + "\n")
            process.stdin.flush()
            line = self._answers.get(timeout=self._timeout)
        except queue.Empty:
            raise self._broken(f"did not answer `{verb}` within {self._timeout:g} s") from None
        except OSError:
            line = ""
        if not line:
            raise self._broken(f"ended during `{verb}`")
        try:
            answer = json.loads(line)
        except ValueError:
            raise self._broken(f"answered `{verb}` with {line[:200]!r}, which is not JSON") from None
        if not isinstance(answer, dict) or "error" in answer:
            raise self._broken(f"refused `{verb}`: {str(answer)[:300]}")
        return answer

    def _broken(self, what: str) -> ModelError:
        """The error for a child that cannot be used further; it is killed here."""
        process = self._process
        code = ""
        if process is not None:
            try:
                process.wait(0.5)
            except subprocess.TimeoutExpired:
                _kill(process)
            else:
                code = f" (exit code {process.returncode})"
        error = ModelError(f"the peer {self.script.name} {what}{code}; {tail(self._log)}", reason="model.peer")
        self.loaded = {}
        self.close()
        return error


def _forward(process: subprocess.Popen[str], answers: queue.SimpleQueue[str]) -> None:
    """Lines of the child's stdout into a queue, an empty one at its end."""
    assert process.stdout is not None
    with process.stdout as lines:
        for line in lines:
            answers.put(line)
    answers.put("")


def _kill(process: subprocess.Popen[str]) -> None:
    """The child with its workers: they share the session that it was started in."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()


def plain_offsets(tar: Path) -> list[tuple[int, int]]:
    """Offset and size of every ordinary file of a plain tar archive, in its order.

    Raises:
        UnreadableError: Not a tar archive.
        UsageError: It is compressed: its offsets mean nothing to another program.
    """
    with Path(tar).open("rb") as file:
        magic = file.read(6)
    if magic.startswith((b"\x1f\x8b", b"\xfd7zXZ", b"BZh")):
        raise UsageError(f"{tar} is compressed; the peers read a plain tar, so unpack it first")
    return [
        (member.offset, member.size)
        for member in TarIndex(tar).members
        if member.kind == FILE and member.is_safe and member.size
    ]


def plain_onnx(folder: Path) -> tuple[Path, Path]:
    """Write the default networks as OpenCV reads them: plain fp32, batch 1, sides as distributed.

    Args:
        folder: Where ``yunet.onnx`` and ``sface.onnx`` go; made when missing.

    Returns:
        The paths of the detector and of the recogniser.

    Raises:
        ModelError: The weights are missing or damaged.
    """
    from visavis.detection.default_card import YUNET
    from visavis.recognition.default_card import SFACE
    from visavis.runtime.rewrites import rewrite
    from visavis.runtime.weights import read_weights

    yunet, sface = Path(folder) / "yunet.onnx", Path(folder) / "sface.onnx"
    Path(folder).mkdir(parents=True, exist_ok=True)
    for card, path in ((YUNET, yunet), (SFACE, sface)):
        data, _ = read_weights(card)
        write_atomically(path, rewrite(data, ("dequantise",), name=card.name))
    return yunet, sface


def opencv_peer(
    folder: Path,
    *,
    working_size: WorkingSize | None = None,
    workers: int | None = None,
    threads: int = 1,
    timeout: float = 900.0,
) -> Peer:
    """OpenCV's ``FaceDetectorYN`` and ``FaceRecognizerSF`` with our weights and our looks; not yet started.

    Args:
        folder: Where the plain networks are written.
        working_size: The looks; ``face=0`` for no second look. The default rule when None.
        workers: Processes side by side; all cores when None.
        threads: OpenCV threads of each.
        timeout: Longest wait for one answer, in seconds.

    Raises:
        ModelError: Weights or environment cannot be had.
    """
    rule = working_size or WorkingSize()
    yunet, sface = plain_onnx(folder)
    return Peer(
        child_environment("opencv", OPENCV),
        Path(__file__).with_name("opencv_peer.py"),
        load={
            "yunet": str(yunet.resolve()),
            "sface": str(sface.resolve()),
            "workers": workers or cores(),
            "threads": threads,
        },
        run={"rule": asdict(rule)},
        timeout=timeout,
    )


def dlib_peer(*, workers: int | None = None, timeout: float = 900.0) -> Peer:
    """The models of ``face_recognition`` through dlib; not yet started.

    Args:
        workers: Processes side by side; all cores when None.
        timeout: Longest wait for one answer, in seconds.

    Raises:
        ModelError: The environment cannot be had.
    """
    return Peer(
        child_environment("dlib", DLIB),
        Path(__file__).with_name("dlib_peer.py"),
        load={"workers": workers or cores()},
        timeout=timeout,
    )
