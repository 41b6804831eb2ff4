"""The floor: the networks of a pipeline alone, on the very inputs that they get."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.io import Source
from visavis.pipeline.pipeline import CHUNK, Pipeline
from visavis.runtime.session import EngineOptions, Session
from visavis.runtime.workers import ordered_map

Call = tuple[Session, Mapping[str, NDArray[Any]], Sequence[str] | None]


class _Recorder:
    """A session that keeps what it is asked; otherwise the session itself."""

    def __init__(self, session: Session, calls: list[Call]) -> None:
        self._session = session
        self._calls = calls
        self.engine, self.precision, self.version = session.engine, session.precision, session.version
        self.input_names, self.output_names = session.input_names, session.output_names

    def run(
        self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None
    ) -> list[NDArray[np.float32]]:
        self._calls.append((self._session, {name: value.copy() for name, value in inputs.items()}, outputs))
        return self._session.run(inputs, outputs)


class Floor:
    """Replays the network runs of a pipeline: same engine, precision, batches, threads and graphs.

    Args:
        engine: Engine, precision and threads.
        sources: The pictures whose network inputs are prepared.
    """

    def __init__(self, engine: EngineOptions, sources: Sequence[Source]) -> None:
        self._workers = engine.workers
        self._chunks: list[list[Call]] = []
        one = Pipeline(engine=EngineOptions(engine.engine, engine.precision, engine.device, threads=1))
        many = Pipeline(engine=engine)
        parts: tuple[tuple[Any, Any], ...] = ((one.detector, many.detector), (one.embedder, many.embedder))
        for start in range(0, len(sources), CHUNK):
            calls: list[Call] = []
            for part, twin in parts:
                # Prepared with one worker, so that batches are those of a worker; replayed on the shared sessions.
                part.session = _Recorder(twin.session, calls)
            one.embed(sources[start : start + CHUNK])
            self._chunks.append(calls)

    def seconds(self) -> float:
        """Time of one replay of all runs on all workers."""
        begin = time.perf_counter()
        for _ in ordered_map(_replay, self._chunks, workers=self._workers):
            pass
        return time.perf_counter() - begin


def _replay(calls: list[Call]) -> None:
    for session, inputs, outputs in calls:
        session.run(inputs, outputs)
