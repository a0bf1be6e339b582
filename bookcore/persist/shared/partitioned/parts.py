"""What a calendar in partitions consists of: its parts; and what a block is about that is open in all of them."""

from __future__ import annotations

from typing import Any, NamedTuple

from bookcore.engine.state import CalendarState

DIRECTORY = -1
"""The number of the directory among the parts, before all partitions."""


class Part(NamedTuple):
    """A partition, or the directory: its number, its calendar, and what that is made of."""

    number: int
    calendar: Any
    state: CalendarState
    recorder: Any


class Open:
    """A block that is open in all parts, in a transaction of the database for each or in none: their numbers."""

    __slots__ = ("__weakref__", "numbers")

    def __init__(self, numbers: frozenset[int]) -> None:
        self.numbers = numbers
