"""Holds, moves, splits, closures and undone changes in the oracle."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeAlias

from bookcore.testing.oracle import FAR, Booked, Oracle, Refused, Shut, refuse

Row: TypeAlias = tuple[Any, int | None, int | None, Any, int]
"""What to book: ``(resource id, start, end, id, quantity)``."""


class LifeOracle(Oracle):
    """An oracle with a clock, whose bookings change."""

    def __init__(self, bounds: str = "[)") -> None:
        super().__init__(bounds)
        self.now = 0
        self.ran_out: dict[Any, Booked] = {}

    def book_all(self, rows: Iterable[Row], skip: bool) -> tuple[list[Booked], list[int]]:
        """Book the rows, all or with *skip* all that fit; return them, and which did not."""
        saved, booked, refused = self.save(), [], []
        for at, (thing_id, start, end, id, quantity) in enumerate(rows):
            try:
                booked.append(self.book(thing_id, start, end, id=id, quantity=quantity))
            except Refused as refusal:
                if skip:
                    refused.append(at)
                    continue
                self.restore(saved)
                raise Refused(refusal.error) from refusal  # without facts: its conflicts may be of this very call
        return booked, refused

    # -- the life of a booking ---------------------------------------------------------------------

    def _put(self, old: Booked, **changes: Any) -> Booked:
        """Put a changed record in the place of one."""
        new = replace(old, **changes)
        self.booked[self.booked.index(old)] = new
        return new

    def hold(self, thing_id: Any, start: Any, end: Any, *, id: Any, quantity: int = 1, until: int | None = None) -> Booked:
        """Make a hold."""
        if until is not None and until <= self.now:
            refuse("HoldExpiredError", until=until, now=self.now)
        return self._put(self.book(thing_id, start, end, id=id, quantity=quantity), held=True, until=until)

    def standing(self, id: Any) -> Booked:
        """Return the booking of that id for a change of it, or refuse; for a hold that ran out with its deadline."""
        if id in self.ran_out and all(booked.id != id for booked in self.booked):
            refuse("HoldExpiredError", until=self.ran_out[id].until, now=self.now)
        return self.get(id)

    def remove_booking(self, id: Any) -> None:
        """Release a booking."""
        self.standing(id)
        super().remove_booking(id)

    def confirm(self, id: Any) -> None:
        """Turn a hold into a booking."""
        self._put(self.standing(id), held=False, until=None)

    def extend(self, id: Any, until: int | None) -> Booked:
        """Give a hold a later deadline."""
        old = self.standing(id)
        if not old.held or (until is not None and (old.until is None or until < old.until)):
            refuse("QueryError")
        return self._put(old, until=until)

    def tick(self, by: int = 0) -> list[Any]:
        """Advance the clock; return the ids of the holds that have expired."""
        self.now += by
        over = [b for b in self.booked if b.until is not None and b.until <= self.now]
        for booked in over:
            self.booked.remove(booked)
            self.ran_out[booked.id] = booked
        return [booked.id for booked in over]

    def move(self, id: Any, thing_id: Any, start: int | None, end: int | None, quantity: int = 0) -> Booked:
        """Give a booking another span, resource and quantity, if there is room without it."""
        old = self.standing(id)
        thing, quantity = self.thing(thing_id), quantity or old.quantity
        self.cells(start, end)
        place = self.booked.index(old)
        self.booked.remove(old)
        fits = self._has_room(thing, start, end, quantity)
        others = self.conflicts(thing_id, start, end, quantity)
        self.booked.insert(place, old)
        if not fits:
            refuse("ConflictError", conflicts=others, quantity=quantity)
        return self._put(old, thing=thing, start=start, end=end, quantity=quantity)

    def change(self, id: Any, quantity: int | None) -> Booked:
        """Give a booking another quantity, if there is room for what it needs more."""
        old = self.standing(id)
        if quantity is None:
            return self._put(old)
        if quantity < 1:
            refuse("InvalidQuantityError", quantity=quantity)
        if quantity <= old.quantity:
            return self._put(old, quantity=quantity)
        return self.move(id, old.thing.id, old.start, old.end, quantity)

    def split(self, id: Any, at: int, second: Any) -> tuple[Booked, Booked]:
        """Cut a booking in two, whatever has been closed since, if there is room for buffers between them."""
        if self.closed:
            refuse("InvalidSpanError")
        old = self.standing(id)
        if (old.start is not None and at <= old.start) or (old.end is not None and old.end <= at):
            refuse("InvalidSpanError")
        self.turns += 2
        parts = replace(old, end=at, turn=self.turns - 1), replace(old, start=at, id=second, turn=self.turns)
        booked = list(self.booked)
        self.booked.remove(old)
        for part in parts:
            if self.in_use(part.thing, part.start, part.end) + part.quantity > part.thing.capacity:
                others = self.conflicts(part.thing.id, part.start, part.end, part.quantity)
                self.booked = booked
                self.turns -= 2
                refuse("ConflictError", conflicts=others, quantity=part.quantity)
            self.booked.append(part)
        return parts

    # -- closures, hours ---------------------------------------------------------------------------

    def close(self, thing_id: Any, start: int | None, end: int | None) -> Shut:
        """Close a resource for a span; active bookings stay."""
        thing = self.thing(thing_id)
        self.cells(start, end)
        self.closings += 1
        shut = Shut(thing, start, end, self.closings, self.bookings(thing_id, start, end))
        self.shut.append(shut)
        return shut

    def reopen(self, id: int) -> None:
        """Remove a closure."""
        if all(shut.id != id for shut in self.shut):
            refuse("UnknownClosureError")
        self.shut = [shut for shut in self.shut if shut.id != id]

    def closures(self, thing_id: Any = None) -> list[int]:
        """Return the ids of the closures of a resource by start, or of all in order of making."""
        if thing_id is None:
            return [shut.id for shut in self.shut]
        thing = self.thing(thing_id)
        mine = [shut for shut in self.shut if shut.thing is thing]
        return [shut.id for shut in sorted(mine, key=lambda s: (-FAR if s.start is None else s.start, s.id))]

    # -- many changes as one -----------------------------------------------------------------------

    def save(self) -> Any:
        """Return all that a transaction may change."""
        things = [(thing, set(thing.labels), thing.hours, thing.value, thing.capacity) for thing in self.things]
        return (
            things, list(self.booked), self.turns, list(self.shut), self.closings, dict(self.ran_out), self.indexed,
            self.by_units,
        )  # fmt: skip

    def restore(self, saved: Any) -> list[Any]:
        """Go back to what was saved, at the present time; return the ids of holds that have expired meanwhile."""
        ran_out: dict[Any, Booked]
        things, booked, self.turns, shut, self.closings, ran_out, self.indexed, self.by_units = saved
        self.booked, self.shut, self.things = list(booked), list(shut), []
        self.ran_out = {id: b for id, b in ran_out.items() if self.ran_out.get(id) is b}
        for thing, thing.labels, thing.hours, thing.value, thing.capacity in things:
            self.things.append(thing)
        return self.tick()
