"""What a calendar in partitions consists of."""

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
