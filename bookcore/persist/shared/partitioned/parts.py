"""What a calendar in partitions consists of: its parts, and the blocks of a thread over several of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple
from weakref import ref

from bookcore.engine.state import CalendarState
from bookcore.persist.shared.partitioned.joint import JointTransaction, Member

DIRECTORY = -1
"""The number of the directory among the parts, before all partitions."""


class Part(NamedTuple):
    """A partition, or the directory: its number, its calendar, and what that is made of."""

    number: int
    calendar: Any
    state: CalendarState
    recorder: Any


class Open:
    """An open block of one thread: the numbers of its parts."""

    __slots__ = ("__weakref__", "numbers")

    def __init__(self, numbers: frozenset[int]) -> None:
        self.numbers = numbers


class Block(JointTransaction):
    """A transaction that its calendar knows of while it is open."""

    def __init__(self, parts: Collection[Part], divided: str, idle: list[Any], thread: Any, outer: Any) -> None:
        """*thread* is where the calendar keeps the open block of this thread, *outer* is that block, or None."""
        members = [Member(part.number, part.state, part.recorder) for part in sorted(parts)]
        self._thread, self._outer = thread, outer
        self.numbers = frozenset(part.number for part in parts)
        super().__init__(members, divided, idle, self._forget)

    def __enter__(self) -> None:
        super().__enter__()
        if self._outer is None:
            self._thread.block = ref(self)

    def _forget(self) -> None:
        if self._outer is None:
            self._thread.block = None
