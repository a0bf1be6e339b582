"""Flights booked as scheduled, then moved to what really happened: a slice of the year, against plain lists."""

from __future__ import annotations

from datetime import datetime

from bookcore import Calendar, ConflictError, Resource
from bookcore.demo.flights import Rotation

SLICE = 40
"""One aircraft in so many, with all its flights."""


class Rotations:
    """The flights of each aircraft as a dict that is searched from end to end."""

    def __init__(self) -> None:
        self.flights: dict[str, dict[int, tuple[datetime, datetime]]] = {}

    def put(self, tail: str, flight: int, start: datetime, end: datetime) -> bool:
        """Put a flight, or put it elsewhere, if no other flight of the aircraft overlaps; return whether it was done."""
        held = self.flights.setdefault(tail, {})
        if any(other != flight and start < until and since < end for other, (since, until) in held.items()):
            return False
        held[flight] = start, end
        return True


def test_flights_move_from_plan_to_what_happened(rotations: list[Rotation]) -> None:
    """Booked, moved and refused are the same flights as with plain lists, and so is where each flight stands at the end.

    Of the whole year, 327,855 can be booked as scheduled, 327,702 of them moved, and 153 cannot.
    """
    tails = sorted({row.tail for row in rotations})[::SLICE]
    chosen = set(tails)
    rows = [row for row in rotations if row.tail in chosen]
    calendar, plain = Calendar(), Rotations()
    for tail in tails:
        calendar.add_resource(Resource(tail))
    clashes, booked = [], []
    for row in rows:
        fits = plain.put(row.tail, row.id, row.sched_start, row.sched_end)
        try:
            booked.append((row, calendar.book(row.tail, row.sched_start, row.sched_end, id=row.id)))
            assert fits
        except ConflictError as refused:
            assert not fits and refused.conflicts
            clashes.append(row.id)
    late = []
    for row, event in booked:
        fits = plain.put(row.tail, row.id, row.start, row.end)
        try:
            moved = calendar.move(event, start=row.start, end=row.end)
            assert fits and moved.id == row.id and not event.owns_lock
        except ConflictError as refused:
            # what is in the way has happened: it overlaps, and the refused flight stands where it was planned
            assert not fits and event.owns_lock
            assert all(other.start < row.end and row.start < other.end for other in refused.conflicts)
            late.append(row.id)
    assert len(rows) > 6_000 and clashes and late and len(late) < len(booked) // 1000
    for tail in tails:
        stands = {event.id: (event.start, event.end) for event in calendar.bookings(tail)}
        assert stands == plain.flights[tail]
    assert len(calendar) == len(rows) - len(clashes)
    calendar.check()
