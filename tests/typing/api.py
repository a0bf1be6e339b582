"""The public interface as a type checker sees it: read by mypy and pyright, never run.

Each comment that ignores an error is a claim that the line is wrong; the checkers complain about those not needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, assert_type

from bookcore import (
    AsyncCalendar,
    BookableResource,
    BookcoreError,
    BookingEvent,
    BookingService,
    BookingStore,
    Calendar,
    ConflictError,
    IndexView,
    InvalidSpanError,
    MemoryStore,
    Resource,
    Selection,
    Status,
    SupportsAvailability,
    SupportsLoad,
    UnknownBookingError,
    no,
)
from bookcore.hours import Hours
from bookcore.model.explanation import Explanation
from bookcore.persist.shared.partitioned.calendar import PartitionedCalendar
from bookcore.recurrence import recurring
from bookcore.stores.tree import TreeStore

# -- stores and services -------------------------------------------------------------------------

store: BookingStore[Any] = MemoryStore()
tree: BookingStore[Any] = TreeStore()
deciding: SupportsAvailability[Any] = MemoryStore()
loading: SupportsLoad[Any] = MemoryStore()
not_deciding: SupportsAvailability[Any] = TreeStore()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

service: BookingService[date, Resource] = Calendar()
looking_up: BookingStore[date] = MemoryStore()
Calendar(store, bounds="[]", clock=datetime.now)
Calendar(bounds=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Calendar("memory")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# -- resources -----------------------------------------------------------------------------------


class Flat(Resource):
    """A resource of the user's own."""

    def __init__(self, id: str, price: int) -> None:
        super().__init__(id)
        self.price = price


class Row(NamedTuple):
    """Something with an id that is no resource."""

    id: int
    name: str


bookable: BookableResource[int] = Flat("loft", 90)
not_bookable: BookableResource[int] = Row(1, "van")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
Resource("pool", 10, before=timedelta(minutes=5), after=timedelta(minutes=5))
Resource("pool", capacity="many")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
assert_type(Resource("pool").capacity, int)
assert_type(Resource("pool").is_available(1, 2), bool)

# -- bookings ------------------------------------------------------------------------------------

calendar = Calendar()
calendar.add_resource(Row(1, "van"))
event = calendar.book("loft", date(2026, 7, 4), None, id="x", quantity=2, guest="Ada")
assert_type(event, BookingEvent)
assert_type(event.owns_lock, bool)
assert_type(event.status, Status)
assert_type(event.fields, Mapping[str, Any])
assert_type(calendar.add_booking(BookingEvent("loft", 1, 2)), BookingEvent)
assert_type(calendar.remove_booking("x"), BookingEvent)
assert_type(calendar.is_available("loft", 1, 2), bool)
assert_type(calendar.conflicts("loft", 1, 2), tuple[BookingEvent, ...])
assert_type(calendar.bookings(), Iterator[BookingEvent])
assert_type(calendar.get("x"), BookingEvent)
assert_type(calendar.load([BookingEvent("loft", 1, 2)]), int)
assert_type(event in calendar, bool)
assert_type(len(calendar), int)
calendar.book("loft", 1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
calendar.book("loft", 1, 2, quantity="two")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
calendar.add_booking("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

# -- selections ----------------------------------------------------------------------------------

price = calendar.create_index("price", key=lambda flat: flat.price)
assert_type(price, IndexView)
free = calendar.find_available(1, 2, Flat, no(calendar.tagged("smoking")))
assert_type(free, Selection)
assert_type(calendar.find(Flat, price.between(50, None), ["loft"]), Selection)
assert_type(calendar.find_booked(None, None), Selection)
assert_type(calendar.resources, Selection)
assert_type(free & calendar.tagged("sea") | price.equal(90), Selection)
assert_type(free - ["loft"], Selection)
assert_type(free ^ price.one_of([1, 2]), Selection)
assert_type(~free, Selection)
assert_type(free.order_by("price"), Selection)
assert_type(free.first(10), list[Any])
assert_type(free.first(), Any | None)
assert_type(free.ids(), list[Any])
assert_type(free.count(), int)
assert_type(bool(free), bool)
assert_type("loft" in free, bool)
calendar.create_index("price", lambda flat: flat.price)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue, reportUnknownLambdaType, reportUnknownMemberType]
free.first("ten")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
free[0]  # type: ignore[index]  # pyright: ignore[reportIndexIssue]

# -- hours and recurrence ------------------------------------------------------------------------

hours = Hours({"mon-fri": "09:00-17:00"}, zone="Europe/Berlin", exceptions={date(2026, 12, 25): None})
assert_type(hours.is_open(datetime(2026, 1, 1), None), bool)
assert_type(hours.next_open(datetime(2026, 1, 1)), tuple[datetime, datetime | None] | None)
assert_type(recurring(date(2026, 1, 1), date(2026, 1, 2), "FREQ=DAILY"), Iterator[tuple[date, date]])
assert_type(recurring(datetime(2026, 1, 1), datetime(2026, 1, 2), None), Iterator[tuple[datetime, datetime]])

# -- calendars at a place ------------------------------------------------------------------------


class Stay(BookingEvent):
    """A booking of the user's own."""


here = Calendar[Flat, date, Stay].open("rooms", event_type=Stay)
assert_type(here, Calendar[Flat, date, Stay])
Calendar.open("rooms", event_type=Flat)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]

parted = Calendar.open("postgresql://host/db?partitions=8", partitions=range(8), as_of=(1, None))
assert_type(parted, PartitionedCalendar)
assert_type(parted.is_available("loft", date(2026, 7, 4), None), bool)
assert_type(parted.explain("loft", 1, 2), Explanation)
assert_type(parted.held, tuple[int, ...])
parted.gaps("loft", 1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
parted.set_capacity("loft", "two")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
parted.snapshot("file")  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


async def asynchronously() -> None:
    """The same, awaited."""
    opened = await AsyncCalendar.open("rooms")
    assert_type(opened, AsyncCalendar[Any, Any, Any])
    assert_type(opened.calendar, Calendar[Any, Any, Any])
    there: AsyncCalendar[Flat, date, Stay] = await AsyncCalendar.open("rooms", event_type=Stay)
    assert_type(there.event_type, type[Stay])


# -- errors --------------------------------------------------------------------------------------

try:
    pass
except ConflictError as refusal:
    assert_type(refusal.conflicts, tuple[Any, ...])
    assert_type(refusal.causes, tuple[str, ...])
    root: BookcoreError = refusal
except (InvalidSpanError, UnknownBookingError) as fault:
    value_or_key: ValueError | KeyError = fault
    assert_type(fault.http_hint, int)
