"""``event_type`` of `Calendar.open`: the class of a new place, of any kind, and a question to an old one."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest

from bookcore import BookingEvent, Calendar, Resource
from bookcore.errors import QueryError, SnapshotError
from bookcore.persist.journal.errors import JournalError


@dataclass(eq=False)
class Stay(BookingEvent):
    """A booking with a field."""

    guest: str


@dataclass(eq=False)
class Visit(BookingEvent):
    """Another one."""

    guest: str


@pytest.fixture(params=["directory", "sqlite", "dbzero", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where there is no calendar yet."""
    if request.param == "postgresql":
        given = request.getfixturevalue("postgres_address")
        return f"{given}{'&' if '?' in given else '?'}calendar={tmp_path.name}"
    if request.param == "dbzero" and importlib.util.find_spec("dbzero") is None:
        pytest.skip("dbzero is not installed")
    return {
        "directory": str(tmp_path / "rooms"), "sqlite": f"sqlite:///{tmp_path}/rooms.db", "dbzero": f"dbzero:///{tmp_path}/zero",
    }[request.param]  # fmt: skip


def test_book_makes_events_of_the_class(place: str) -> None:
    with Calendar.open(place, event_type=Stay) as calendar:
        assert calendar.event_type is Stay
        calendar.add_resource(Resource("loft"))
        stay = calendar.book("loft", 1, 3, guest="Ben")
        assert type(stay) is Stay
        digest = calendar.digest()
    with Calendar.open(place, types=[Stay]) as calendar:
        assert calendar.event_type is Stay
        assert calendar.digest() == digest
        assert type(calendar.book("loft", 4, 5, guest="Ada")) is Stay
        calendar.checkpoint()
    with Calendar.open(place, event_type=Stay) as calendar:
        assert [each.guest for each in calendar.bookings("loft")] == ["Ben", "Ada"]
        assert len(calendar.history("loft")) == 3


def test_a_place_that_is_empty_still_has_its_class(place: str) -> None:
    Calendar.open(place, event_type=Stay).close()
    with Calendar.open(place, types=[Stay]) as calendar:
        assert calendar.event_type is Stay
    with pytest.raises(SnapshotError, match=r"pass types=\[Stay\]"):
        Calendar.open(place)


def test_another_class_is_refused_by_both_names(place: str) -> None:
    Calendar.open(place, event_type=Stay).close()
    given: list[dict[str, Any]] = [{}, {"as_of": "now"}]
    for options in given:
        with pytest.raises(JournalError, match="its calendar has the event type Stay, not Visit"):
            Calendar.open(place, types=[Stay], event_type=Visit, **options)
        with pytest.raises(JournalError, match="its calendar has the event type Stay, not BookingEvent"):
            Calendar.open(place, types=[Stay], event_type=BookingEvent, **options)
    with Calendar.open(place, event_type=Stay, as_of="now") as calendar:
        assert calendar.event_type is Stay


def test_a_place_with_plain_bookings_is_no_place_of_the_class(place: str) -> None:
    Calendar.open(place).close()
    with pytest.raises(JournalError, match="its calendar has the event type BookingEvent, not Stay"):
        Calendar.open(place, event_type=Stay)
    Calendar.open(place, event_type=BookingEvent).close()


def test_what_is_no_class_of_events_is_refused_before_anything_is_made(place: str, tmp_path: Path) -> None:
    wrong: Any
    for wrong in Resource, "Stay", 3:
        with pytest.raises(QueryError, match="event_type is BookingEvent or a subclass of it"):
            Calendar.open(place, event_type=wrong)
    assert not list(tmp_path.iterdir())
    with pytest.raises(JournalError):
        Calendar.open(place, event_type=Stay, create=False)


def test_the_bounds_go_with_it(place: str) -> None:
    with Calendar.open(place, event_type=Stay, bounds="[]") as calendar:
        assert calendar.bounds == "[]"
    with Calendar.open(place, event_type=Stay) as calendar:
        assert calendar.bounds == "[]"


def test_two_that_begin_at_once_share_one_calendar(address: str) -> None:
    """Whoever comes first makes it."""
    start, found = Barrier(4), list[Calendar[Any, Any, Stay]]()

    def begin() -> None:
        start.wait()
        found.append(Calendar.open(address, event_type=Stay))

    _together([begin] * 4)
    found[0].add_resource(Resource("loft"))
    found[1].book("loft", 1, 3, guest="Ben")
    for each in found:
        each.catch_up()
        assert [stay.guest for stay in each.bookings()] == ["Ben"]
        each.close()


def _together(calls: list[Callable[[], None]]) -> None:
    threads = [Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_damaged_directory_is_salvaged_with_it(tmp_path: Path) -> None:
    with Calendar.open(tmp_path / "rooms", event_type=Stay) as calendar:
        calendar.book(calendar.add_resource(Resource("loft")), 1, 3, guest="Ben")
    with pytest.raises(JournalError, match="event type Stay, not Visit"):
        Calendar.open(tmp_path / "rooms", types=[Stay], event_type=Visit, salvage=True)
    for snapshot in (tmp_path / "rooms").glob("*.bks"):
        snapshot.unlink()
    with Calendar.open(tmp_path / "rooms", event_type=Stay, salvage=True) as calendar:
        assert calendar.event_type is Stay
        assert [stay.guest for stay in calendar.bookings()] == ["Ben"]
