"""Forks: the threads of a parent are not in its child, and what they held is held there for good."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class HasLocks(Protocol):
    """What has locks or threads."""

    def start_anew(self) -> None:
        """In a child: make new ones."""


_known: weakref.WeakSet[HasLocks] = weakref.WeakSet()


def watch(holder: HasLocks) -> None:
    """Have it start anew in children, for as long as it lives."""
    _known.add(holder)


def _in_child() -> None:
    for holder in list(_known):
        holder.start_anew()


if hasattr(os, "register_at_fork"):  # where there are forks
    os.register_at_fork(after_in_child=_in_child)
