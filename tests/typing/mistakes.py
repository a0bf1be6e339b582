"""A program with mistakes, as type checkers see it: read by mypy and pyright in their strict modes, never run.

Each comment that ignores an error claims that the checker finds it: both complain about comments that ignore nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import assert_type

from bookcore import BookingEvent, Calendar, Hours, Resource, Selection


class Flat(Resource):
    """What the program lets."""

    def __init__(self, id: str, price: int) -> None:
        super().__init__(id)
        self.price = price


class Car(Resource):
    """What it does not let."""


@dataclass(eq=False)
class Stay(BookingEvent):
    """A booking of the program."""

    guest: str = ""


july, august, week = date(2026, 7, 1), date(2026, 8, 1), timedelta(7)
calendar = Calendar[Flat, date, Stay](event_type=Stay)

# -- what is right -------------------------------------------------------------------------------

loft = calendar.add_resource(Flat("loft", 90))
assert_type(loft, Flat)
stay = calendar.book(loft, july, august, guest="Ada")
assert_type(stay, Stay)
assert_type(stay.guest, str)
assert_type(calendar.get(1), Stay)
assert_type(calendar.is_available("loft", None, august), bool)
assert_type(calendar.find_available(july, None), Selection[Flat])
assert_type(calendar.resources.first(3), list[Flat])
assert_type([flat.price for flat in calendar.find(Flat) - ["loft"]], list[int])
assert_type([end - start for start, end in calendar.gaps(loft, july, august)], list[timedelta])
assert_type([end for _, end in calendar.gaps(loft, july, None)], list[date | None])
assert_type(calendar.next_available(loft, july, week), tuple[date, date] | None)
assert_type([booked.guest for booked in calendar.book_all([(loft, july, august)]).booked], list[str])
calendar.book_any(calendar.find(Flat), july, august, strategy=lambda flats: min(flats, key=lambda flat: flat.price))
calendar.create_index("price", key=lambda flat: flat.price)
calendar.set_hours(calendar.resources, Hours({"mon-fri": "09:00-17:00"}))

# -- what is wrong, and found --------------------------------------------------------------------

# 1 a resource of another kind is registered
calendar.add_resource(Car("car"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
# 2 a resource of another kind is booked
calendar.book(Car("loft"), july, august)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
# 3 a key of another family
calendar.is_available(loft, 1, 2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
# 4 a misspelled field of a resource that a selection yields
print([flat.prize for flat in calendar.find_available(july, august)])  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType, reportUnknownMemberType]
# 5 a misspelled field of a booking
print(stay.gest)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType, reportUnknownMemberType]
# 6 a misspelled strategy
calendar.book_any(calendar.resources, july, august, strategy="best-fit")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
# 7 bounds that are none
Calendar[Flat, date](bounds="[[")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
# 8 the first resource is used without a look whether there is one
print(calendar.tagged("sea").first().price)  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
# 9 the answer None is forgotten
start, end = calendar.next_available(loft, july, week)  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]
# 10 a selection is taken for a list
print(calendar.resources[0])  # type: ignore[index]  # pyright: ignore[reportIndexIssue, reportUnknownArgumentType]
# 11 hours are given as a text
calendar.set_hours(loft, "09:00-17:00")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
# 12 what happens with a booking that exists is misspelled
calendar.book(loft, july, august, id="x", if_exists="returns")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
# 13 a key function reads what no flat has
calendar.create_index("rooms", key=lambda flat: flat.rooms)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownLambdaType, reportUnknownMemberType]
# 14 the span is given in the wrong places
calendar.book(july, august, loft)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
# 15 a booking of another class is added
calendar.add_booking(BookingEvent(loft, july, august))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
# 16 an option of book_all that there is not
calendar.book_all([], on_conflict="ignore")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
# 17 a call that there is not
calendar.is_free(loft, july, august)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

# -- what is wrong, and found by pyright alone ---------------------------------------------------

# 18 the calendar makes other bookings than it is declared to
other: Calendar[Flat, date, Stay] = Calendar()  # pyright: ignore[reportAssignmentType]

# -- what is wrong, and not found ----------------------------------------------------------------

calendar.book(loft, july, august, gest="Ada")  # any keyword may be a field of the event class
calendar.next_available(loft, july, 7)  # a length belongs to its keys, but no checker knows how
