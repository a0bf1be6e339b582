"""The story of the demo: two desks compete for an aircraft, and a transaction books an aircraft with a crew.

    Desk A holds an aircraft. Desk B wants the same hours, is refused, asks for the reason, and books the nearest free
    span. The hold of desk A expires. Then an aircraft and a crew are booked together, or neither of them.

Every step is executed on the calendar, and at the end all of them are undone. Needs no extra.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from bookcore.demo.world import Crew, World
from bookcore.model.errors import BookcoreError, ConflictError, HoldExpiredError
from bookcore.model.term import no

_HOUR, _MINUTE = timedelta(hours=1), timedelta(minutes=1)
_LENGTH = 2 * _HOUR


class Step(NamedTuple):
    """One step: the code, a sentence about it, its outcome, and whether it succeeded (``good``)."""

    code: str
    sentence: str
    outcome: str
    good: bool


def tell(world: World, tail: str, day: datetime) -> Iterator[Step]:
    """Execute the story with one aircraft on one day, yield each step after its execution, and undo all steps.

    Yields nothing if the aircraft has no suitable free hours on that day.
    """
    calendar: Any = world.calendar
    plane = world.fleet[tail]
    start = _free_hours(calendar, plane, day)
    if start is None:
        return
    before = world.now
    bookings: list[Any] = []
    crews: list[Crew] = []
    try:
        world.now = day
        yield from _race(world, plane, start, bookings)
        for n in (1, 2):  # one by one, so that `finally` removes exactly the added crews
            crews.append(calendar.add_resource(Crew(f"crew {n}")))  # noqa: PERF401
        yield from _together(calendar, plane, crews, start, bookings)
    finally:
        for booking in bookings:
            if booking in calendar:
                calendar.remove_booking(booking)
        for crew in crews:
            calendar.remove_resource(crew)
        world.now = before


def _free_hours(calendar: Any, plane: Any, day: datetime) -> datetime | None:
    """Return the start of two free hours after another free hour, from six in the morning, or None."""
    starts = (day + 6 * _HOUR + n * 20 * _MINUTE for n in range(1, 40))
    return next((s for s in starts if calendar.is_available(plane, s - _HOUR, s + _LENGTH)), None)


def _race(world: World, plane: Any, start: datetime, bookings: list[Any]) -> Iterator[Step]:
    """Let two desks compete for the same hours; yield each step, and append its bookings."""
    calendar: Any = world.calendar
    end = start + _LENGTH
    hours = f"{start:%H:%M} to {end:%H:%M}"
    hold = calendar.hold(plane, start, end, ttl=15 * _MINUTE)
    bookings.append(hold)
    code = "ours = calendar.hold(plane, start, end, ttl=minutes(15))"
    outcome = f"{hold.status} until {world.now + 15 * _MINUTE:%H:%M}"
    yield Step(code, f"Desk A holds {plane.id} from {hours} while the customer decides.", outcome, True)
    try:
        calendar.book(plane, start, end)
    except ConflictError as fault:
        outcome = f"{type(fault).__name__}: {len(fault.conflicts)} in the way"
        yield Step("calendar.book(plane, start, end)", "Desk B wants the same hours.", outcome, False)
    causes = "; ".join(str(cause) for cause in calendar.explain(plane, start, end).causes)
    yield Step("calendar.explain(plane, start, end)", "Desk B asks why.", causes, False)
    offers = [offer for offer in calendar.nearest(plane, start, end) if offer is not None]
    shown = " or ".join(f"{low:%H:%M} to {high:%H:%M}" for low, high in offers)
    yield Step("calendar.nearest(plane, start, end)", "And what else there is, close by.", shown, True)
    booking = calendar.book(plane, *offers[-1])
    bookings.append(booking)
    outcome = f"booked {booking.start:%H:%M} to {booking.end:%H:%M}"
    yield Step("calendar.book(plane, *after)", "Desk B takes the later one.", outcome, True)
    world.now += 20 * _MINUTE
    try:
        calendar.confirm(hold)
    except HoldExpiredError as fault:
        state = "free" if calendar.is_available(plane, start, end) else "taken"
        outcome = f"{type(fault).__name__}; {hours} is {state} again"
        yield Step("calendar.confirm(ours)", "Twenty minutes later, desk A confirms. Too late:", outcome, False)


def _together(
    calendar: Any, plane: Any, crews: list[Crew], start: datetime, bookings: list[Any]
) -> Iterator[Step]:
    """Book an aircraft and a crew, both or neither; yield each step, and append its bookings."""
    end = start + _LENGTH
    bookings.append(calendar.book(crews[0], start - _HOUR, start + _HOUR))
    code = (
        "with calendar.transaction():\n"
        "    calendar.book(plane, start, end)\n"
        "    calendar.book(crew, start, end)"
    )
    try:
        with calendar.transaction():
            calendar.book(plane, start, end)
            calendar.book(crews[0], start, end)
    except BookcoreError as fault:
        state = "free" if calendar.is_available(plane, start, end) else "taken"
        outcome = f"{type(fault).__name__}: {crews[0].id} is on duty; {plane.id} is {state}"
        yield Step(code, f"{plane.id} and {crews[0].id} together, or neither.", outcome, False)
    crew = calendar.find(Crew, no(calendar.find_booked(start, end))).first()
    with calendar.transaction():
        bookings += [calendar.book(plane, start, end), calendar.book(crew, start, end)]
    code = "crew = calendar.find(Crew, no(calendar.find_booked(start, end))).first()"
    yield Step(code, "The first crew that is free, then:", f"{plane.id} and {crew.id} booked", True)
