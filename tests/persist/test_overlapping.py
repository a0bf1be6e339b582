"""What stood where it was closed is listed after a restore as it was before, whatever became of it."""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Any

import pytest

from bookcore.calendar import Calendar
from bookcore.model.event import BookingEvent
from bookcore.model.resource import Resource
from bookcore.persist.errors import SnapshotDamagedError, SnapshotTypeError
from bookcore.persist.snapshot.format import read_file, write_file


class Stay(BookingEvent):
    """Carries a price."""

    def __init__(self, *args: Any, price: int = 0, **more: Any) -> None:
        super().__init__(*args, **more)
        self.price = price


def listed(calendar: Calendar) -> Any:
    """Return everything about what the closures list."""
    return [
        [
            (
                type(e),
                e.id,
                e.resource.id,
                e.start,
                e.end,
                e.quantity,
                dict(e.fields),
                e.status,
                e in calendar,
            )
            for e in closure.overlapping
        ]
        for closure in calendar.closures()
    ]


def closed_calendar() -> Calendar:
    """Return a calendar in which something was done to all that stood where it was closed."""
    calendar = Calendar()
    for name in "abc":
        calendar.add_resource(Resource(name, capacity=3))
    calendar.book("a", 1, 2, id="stays", guest="Ada")
    calendar.book("a", 2, 4, id="moved", quantity=2)
    calendar.add_booking(Stay("a", 3, 5, id="released", price=7, note="late"))
    calendar.book("a", 5, None, id="elsewhere")
    calendar.book("a", 6, 8, id="split")
    calendar.hold("a", 7, 8, id="held")
    calendar.close("a", 0, 5)
    calendar.close("a", 3, None)
    calendar.close("b", None, None)
    calendar.move("moved", start=20, end=22, resource="c")
    calendar.move("elsewhere", resource="c")
    calendar.remove_booking("released")
    calendar.split("split", 7)
    calendar.confirm("held")
    return calendar


def test_bookings_that_stood_where_it_was_closed_are_listed_as_they_were(tmp_path: Path) -> None:
    """Those that stand, and those that were released, moved or split since."""
    calendar = closed_calendar()
    calendar.snapshot(tmp_path / "a.bks")
    found = Calendar.restore(tmp_path / "a.bks", types=[Stay])
    found.check()
    assert listed(found) == listed(calendar)
    first, second, _ = found.closures()
    (both,) = [event for event in first.overlapping if event.id == "released"]
    assert both in second.overlapping  # the very record
    with pytest.raises(AttributeError):
        both.end = 9
    assert found.get("stays") is first.overlapping[0]
    found.snapshot(tmp_path / "b.bks")
    assert (tmp_path / "b.bks").read_bytes() == (tmp_path / "a.bks").read_bytes()


def test_another_booking_of_the_same_id_is_not_listed(tmp_path: Path) -> None:
    """It never stood there."""
    calendar = Calendar()
    calendar.add_resource(Resource("a"))
    calendar.book("a", 1, 2, id="x")
    calendar.close("a", 0, 5)
    calendar.remove_booking("x")
    calendar.book("a", 8, 9, id="x")
    calendar.snapshot(tmp_path / "a.bks")
    found = Calendar.restore(tmp_path / "a.bks")
    assert listed(found) == listed(calendar)


def test_follower_lists_its_own_bookings(tmp_path: Path) -> None:
    """The closure it was told of lists those of the calendar that it follows."""
    leader, follower = Calendar(), Calendar()
    leader.subscribe(follower.apply)
    leader.add_resource(Resource("a"))
    leader.book("a", 1, 2, id="x")
    leader.close("a", 0, 5)
    follower.snapshot(tmp_path / "a.bks")
    found = Calendar.restore(tmp_path / "a.bks")
    assert [event == found.get("x") and event.owns_lock for event in found.closures()[0].overlapping] == [True]


def test_class_of_a_released_booking_is_asked_for(tmp_path: Path) -> None:
    """As that of any other."""
    closed_calendar().snapshot(tmp_path / "a.bks")
    with pytest.raises(SnapshotTypeError, match="Stay"):
        Calendar.restore(tmp_path / "a.bks")


def test_file_without_the_released_is_refused(tmp_path: Path) -> None:
    """A closure lists what is not there."""
    closed_calendar().snapshot(tmp_path / "a.bks")
    facts, sections = read_file(tmp_path / "a.bks")
    for kept in (sections[:-1], [*sections, sections[-1]], [*sections[:-1], sections[4]]):
        write_file(tmp_path / "b.bks", facts, kept)
        with pytest.raises(SnapshotDamagedError):
            Calendar.restore(tmp_path / "b.bks", types=[Stay])


def test_field_named_like_a_fact_does_not_change_the_fact(tmp_path: Path) -> None:
    """A loose keyword may have any name, also that of a slot."""
    calendar = Calendar()
    calendar.add_resource(Resource("a"))
    calendar.add_booking(Stay("a", 1, 2, _start=77, _home=5, _seq=9))
    calendar.snapshot(tmp_path / "a.bks")
    found = Calendar.restore(tmp_path / "a.bks", types=[Stay])
    found.check()
    (event,) = found.bookings()
    assert (event.start, dict(event.fields)) == (1, {"_start": 77, "_home": 5, "_seq": 9, "price": 0})
    found.remove_booking(event)
    found.check()


def test_two_closures_that_list_a_booking_need_not_list_the_same_object() -> None:
    """A calendar that reads records may have made one for each: the state is the same. What they list counts."""
    calendar = Calendar()
    calendar.add_resource(Resource("a"))
    for at in (1, 4):
        calendar.book("a", at, at + 3, id=f"x{at}", guest="Ada")
    calendar.book("a", 9, 12)
    for start, end in ((2, 5), (3, 6), (0, 10)):
        calendar.close("a", start, end)
    for at in (1, 4):
        calendar.remove_booking(f"x{at}")
    before = calendar.digest()
    closures = calendar.closures()
    for closure in closures[:2]:
        object.__setattr__(closure, "overlapping", tuple(map(copy, closure.overlapping)))
    assert calendar.digest() == before
    object.__setattr__(closures[0], "overlapping", closures[0].overlapping[::-1])
    assert calendar.digest() != before
