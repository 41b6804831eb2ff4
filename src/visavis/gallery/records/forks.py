"""Forks: a child must find no connection of its parent open, for it would believe the parent's locks to be its own."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_PATIENCE = 30.0
_gate = threading.Condition()
_busy: dict[int, int] = {}
_forking = False
_known: weakref.WeakSet[HasConnections] = weakref.WeakSet()


class HasConnections(Protocol):
    """What holds connections to a database."""

    def let_go(self) -> None:
        """Close those that nobody uses."""

    def start_anew(self) -> None:
        """In a child: make new ones, and leave those of the parent alone."""


def watch(holder: HasConnections) -> None:
    """Have connections closed before this process forks, for as long as the holder lives."""
    with _gate:
        _known.add(holder)


@contextmanager
def no_fork() -> Iterator[None]:
    """While a connection is used: forks of other threads wait, and nothing begins while one is under way."""
    me = threading.get_ident()
    with _gate:
        while _forking and me not in _busy:
            _gate.wait()
        _busy[me] = _busy.get(me, 0) + 1
    try:
        yield
    finally:
        with _gate:
            _busy[me] -= 1
            if not _busy[me]:
                del _busy[me]
                _gate.notify_all()


def _before() -> None:
    global _forking
    me = threading.get_ident()
    with _gate:
        _forking = True
        _gate.wait_for(lambda: not _busy.keys() - {me}, timeout=_PATIENCE)
        holders = list(_known)
    for holder in holders:
        holder.let_go()


def _in_parent() -> None:
    global _forking
    with _gate:
        _forking = False
        _gate.notify_all()


def _in_child() -> None:
    global _gate, _forking
    _gate, _forking = threading.Condition(), False  # other threads are gone, and with them whoever held it
    _busy.clear()
    for holder in list(_known):
        holder.start_anew()


if hasattr(os, "register_at_fork"):  # where there are forks
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
