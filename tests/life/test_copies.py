"""Copies: of a calendar, which would share its store and its lock with it, and of what refers to a calendar."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from bookcore import BookingStore, Calendar, MemoryStore, QueryError, Resource
from bookcore.stores.sorted import SortedStore
from bookcore.stores.tree import TreeStore

COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle 0": partial(pickle.dumps, protocol=0),
    "pickle 2": partial(pickle.dumps, protocol=2),
    "pickle": pickle.dumps,
}


class Diary(Calendar):
    """A calendar of the user's own class."""


@dataclass
class Office:
    """What holds a calendar."""

    name: str
    calendar: Calendar


def held(store: Callable[[], BookingStore[Any]] = MemoryStore, cls: type[Calendar] = Calendar) -> Calendar:
    """Return a calendar with a booking."""
    calendar = cls(store())
    calendar.book(calendar.add_resource(Resource("room")), 9, 12)
    return calendar


@pytest.mark.parametrize("store", [MemoryStore, SortedStore, TreeStore])
@pytest.mark.parametrize("how", COPIES)
def test_a_calendar_is_not_copied(how: str, store: Callable[[], BookingStore[Any]]) -> None:
    """The refusal names the way to an independent calendar, and the calendar is as it was."""
    calendar = held(store)
    before = calendar.digest()
    with pytest.raises(QueryError, match=r"Calendar.restore of a snapshot makes an independent one") as caught:
        COPIES[how](calendar)
    assert caught.value.term is calendar
    assert calendar.digest() == before
    calendar.check()


HOLDERS: dict[str, Callable[[Calendar], Any]] = {
    "a list": lambda calendar: [calendar],
    "a dict": lambda calendar: {"calendar": calendar},
    "an object": lambda calendar: Office("town", calendar),
    "a namespace": lambda calendar: SimpleNamespace(calendar=calendar),
    "a selection": lambda calendar: calendar.find_available(1, 2),
    "a joined selection": lambda calendar: calendar.resources & calendar.tagged("sea"),
    "an index": lambda calendar: calendar.create_index("id", key=lambda resource: resource.id),
    "a method": lambda calendar: calendar.book,
}


@pytest.mark.parametrize("what", HOLDERS)
@pytest.mark.parametrize("how", ["deepcopy", "pickle 2"])
def test_what_refers_to_a_calendar_is_not_copied_with_it(how: str, what: str) -> None:
    """Whatever copies or pickles it."""
    thing = HOLDERS[what](held())
    with pytest.raises(QueryError, match="snapshot"):
        COPIES[how](thing)


def test_a_calendar_of_a_class_of_its_own_is_not_copied() -> None:
    """A subclass is refused as well, also in the midst of a transaction."""
    calendar = held(cls=Diary)
    with calendar.transaction():
        calendar.book("room", 20, 21)
        with pytest.raises(QueryError, match="snapshot"):
            copy.copy(calendar)
    assert len(calendar) == 2


def test_a_copied_selection_asks_the_same_calendar() -> None:
    """It is a question; a shallow copy of it copies nothing of the calendar."""
    calendar = held()
    free = calendar.find_available(9, 12)
    again = copy.copy(free)
    assert again.ids() == free.ids() == []
    calendar.remove_booking(1)
    assert again.ids() == free.ids() == ["room"]
