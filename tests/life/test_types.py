"""Calendars that say the types of their resources, keys and bookings are the calendars they are without."""

from __future__ import annotations

import copy
import pickle
from datetime import date
from typing import Any, get_args, get_origin, get_type_hints

import pytest

import bookcore
from bookcore import BookingEvent, Calendar, IndexView, QueryError, Report, Resource, Selection


class Stay(BookingEvent):
    """A booking of the program."""


class Lettings(Calendar[Resource, date]):
    """A calendar of the program."""


@pytest.mark.parametrize(
    "make",
    [Calendar, Calendar[Resource, date], Calendar[Resource, date, Stay], Calendar[Any, Any], Lettings, Calendar[Resource]],
)
def test_a_calendar_with_types_is_the_calendar_without(make: Any) -> None:
    """It is made, subclassed and asked as before, and has no attribute more."""
    calendar = make(event_type=Stay)
    assert type(calendar) is (Lettings if make is Lettings else Calendar)
    room = calendar.add_resource(Resource("room"))
    stay = calendar.book(room, date(2026, 7, 1), date(2026, 7, 4))
    assert (type(stay), calendar.resources.first()) == (Stay, room)
    assert not hasattr(calendar, "__dict__") or make is Lettings
    assert not hasattr(Calendar, "_takes"), "for type checkers alone"
    calendar.check()


@pytest.mark.parametrize("cls", [Calendar, Selection, IndexView, Report])
def test_classes_tell_their_types_at_run_time(cls: Any) -> None:
    """For programs that read annotations; the alias is copied and pickled."""
    alias = cls[Resource, date]
    assert (get_origin(alias), get_args(alias)) == (cls, (Resource, date))
    assert copy.copy(alias) == alias == pickle.loads(pickle.dumps(alias))  # noqa: S301
    assert repr(alias) == f"{cls.__module__}.{cls.__name__}[bookcore.model.resource.Resource, datetime.date]"


def test_restoring_with_types_gives_the_calendar(tmp_path: Any) -> None:
    """A class method passes through the types as well."""
    calendar = Calendar[Resource, int]()
    calendar.book(calendar.add_resource(Resource("room")), 1, 2)
    calendar.snapshot(tmp_path / "file")
    restored = Calendar[Resource, int].restore(tmp_path / "file", types=[Resource])
    assert type(restored) is Calendar
    assert restored.digest() == calendar.digest()


def test_hints_of_a_program_can_be_read() -> None:
    """By frameworks that resolve the annotations of a function."""

    def book(calendar: Calendar[Resource, int], stay: bookcore.BookingEvent) -> Selection[Resource]:
        raise NotImplementedError

    hints = get_type_hints(book, {**globals(), "bookcore": bookcore})
    assert get_args(hints["calendar"]) == (Resource, int)


def test_invalid_arguments_that_a_checker_finds_are_refused_at_run_time_too() -> None:
    """Types promise nothing that the calendar does not check."""
    calendar: Any = Calendar[Resource, int]()
    room = calendar.add_resource(Resource("room"))
    for call in (
        lambda: Calendar[Resource, int](bounds="[["),  # type: ignore[arg-type]
        lambda: calendar.book(room, 1, 2, if_exists="returns"),
        lambda: calendar.book_any(calendar.resources, 1, 2, strategy="best-fit"),
        lambda: calendar.book_all([], on_conflict="ignore"),
        lambda: calendar.resources[0],
    ):
        with pytest.raises(QueryError):
            call()
