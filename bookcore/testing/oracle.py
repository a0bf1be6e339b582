"""`Oracle`: what a calendar should answer, computed in the plainest way, in whole numbers.

It keeps a list of resources and a list of bookings and reads all of both for every answer. It imports nothing of
`bookcore` and so shares no code with the calendar. Keys are whole numbers (the ranks of `bookcore.testing.families`),
so a span is a set of numbered cells of the axis, a Python ``range``, and two spans overlap when their ranges do:

    half-open   [2, 4)   cells 2 and 3            closed   [2, 4]   cells 4 to 8: 2, between, 3, between, 4

How much is in use is then counted cell by cell; a closure is a set of cells that are not available, opening hours are a rule
that says of each rank whether the stretch up to the next is open. The clock is a whole number as well. A refusal is a
`Refused`, which names the error class that the calendar has to raise and the facts it has to carry. What changes a
booking puts a new record in the place of the old one.

Holds, moves, splits and closures are in `bookcore.testing.oracle_life`, free time in `bookcore.testing.oracle_time`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn

FAR = 10**9
"""Where cells without bound end; ranks must be far below."""

ENDS = -20, 200
"""The ranks between which all bookings, closures and questions lie."""


class Refused(Exception):
    """What the calendar must refuse: the name of its error class, and facts its error must carry."""

    def __init__(self, error: str, **facts: Any) -> None:
        self.error, self.facts = error, facts
        super().__init__(f"{error} {facts}")


@dataclass(frozen=True, eq=False)
class Rule:
    """Opening hours, as the oracle sees them: is the stretch from a rank to the next open? And all of it beyond `ENDS`?"""

    name: str
    opens: Callable[[int], bool]
    always: bool = False


@dataclass(eq=False)
class Thing:
    """One resource, as the oracle sees it. ``kinds`` are the names of its class and of that class's parents."""

    id: Any
    kinds: tuple[str, ...] = ()
    capacity: int = 1
    before: int = 0
    after: int = 0
    value: int | None = None
    labels: set[Any] = field(default_factory=set)
    hours: Rule | None = None


@dataclass(eq=False)
class Booked:
    """One booking, as the oracle sees it. ``until`` is when a hold runs out, None for never."""

    thing: Thing
    start: int | None
    end: int | None
    id: Any
    quantity: int
    turn: int
    held: bool = False
    until: int | None = None


@dataclass(eq=False)
class Shut:
    """One closure, as the oracle sees it."""

    thing: Thing
    start: int | None
    end: int | None
    id: int
    overlapping: list[Any]


def refuse(error: str, **facts: Any) -> NoReturn:
    """Raise `Refused`."""
    raise Refused(error, **facts)


class Oracle:
    """A calendar in whole numbers. Method names are the calendar's; resources and bookings go by id."""

    def __init__(self, bounds: str = "[)") -> None:
        self.closed = bounds == "[]"
        self.things: list[Thing] = []
        self.booked: list[Booked] = []
        self.shut: list[Shut] = []
        self.turns = self.closings = 0
        self.indexed = self.by_units = False

    # -- what is there -----------------------------------------------------------------------------

    def thing(self, id: Any) -> Thing:
        """Return the resource of that id, or refuse."""
        for thing in self.things:
            if thing.id == id:
                return thing
        refuse("UnknownResourceError")

    def get(self, id: Any) -> Booked:
        """Return the booking of that id, or refuse."""
        for booked in self.booked:
            if booked.id == id:
                return booked
        refuse("UnknownBookingError")

    def _in_order(self, bookings: Iterable[Booked]) -> list[Any]:
        """Return ids by start, unbounded first, then in order of booking."""
        ordered = sorted(bookings, key=lambda b: (-FAR if b.start is None else b.start, b.turn))
        return [booked.id for booked in ordered]

    # -- spans -------------------------------------------------------------------------------------

    def cells(self, start: int | None, end: int | None) -> range:
        """Return the cells of a span; refuse one that is empty or reversed."""
        if start is not None and end is not None and (end < start if self.closed else end <= start):
            refuse("InvalidSpanError")
        size = 2 if self.closed else 1
        low = -FAR if start is None else size * start
        high = FAR if end is None else size * end + (1 if self.closed else 0)
        return range(low, high)

    def reach(self, thing: Thing, start: int | None, end: int | None) -> range:
        """Return the cells that a booking of *thing* occupies, its buffers included."""
        self.cells(start, end)
        return self.cells(
            None if start is None else start - thing.before, None if end is None else end + thing.after
        )

    @staticmethod
    def _share(one: range, two: range) -> bool:
        return max(one.start, two.start) < min(one.stop, two.stop)

    def _near(self, thing: Thing, start: int | None, end: int | None) -> list[Booked]:
        asked = self.reach(thing, start, end)
        return [
            b for b in self.booked if b.thing is thing and self._share(asked, self.reach(thing, b.start, b.end))
        ]

    def in_use(self, thing: Thing, start: int | None, end: int | None) -> int:
        """Return the most units in use in one cell of the reach of a span."""
        asked = self.reach(thing, start, end)
        uses = [(self.reach(thing, b.start, b.end), b.quantity) for b in self._near(thing, start, end)]
        edges = sorted({cell for used, _ in uses for cell in (used.start, used.stop - 1)} | {asked.start})
        # usage changes only where a use begins or ends: those cells stand for all cells
        return max((sum(q for used, q in uses if cell in used) for cell in edges if cell in asked), default=0)

    def is_shut(self, thing: Thing, cells: range) -> bool:
        """Tell whether one of the cells is in a closure or outside the opening hours."""
        if any(shut.thing is thing and self._share(cells, self.cells(shut.start, shut.end)) for shut in self.shut):
            return True
        rule = thing.hours
        if rule is None:
            return False
        if cells.start <= -FAR or cells.stop >= FAR:
            if not rule.always:
                return True
            size = 2 if self.closed else 1
            cells = range(max(cells.start, size * ENDS[0]), min(cells.stop, size * ENDS[1]))
        if not self.closed:
            return not all(map(rule.opens, cells))
        # a key itself is open where the stretch before it is, or the one after
        return not all(rule.opens(c // 2) or (c % 2 == 0 and rule.opens(c // 2 - 1)) for c in cells)

    # -- resources ---------------------------------------------------------------------------------

    def add_resource(self, thing: Thing) -> None:
        """Register a resource."""
        if any(other.id == thing.id for other in self.things):
            refuse("DuplicateResourceError")
        if thing.capacity < 1:
            refuse("InvalidQuantityError", quantity=thing.capacity)
        self.things.append(thing)

    def remove_resource(self, id: Any) -> None:
        """Forget a resource without bookings."""
        thing = self.thing(id)
        count = sum(b.thing is thing for b in self.booked)
        if count:
            refuse("ResourceInUseError", count=count)
        self.things.remove(thing)
        self.shut = [shut for shut in self.shut if shut.thing is not thing]

    # -- bookings ----------------------------------------------------------------------------------

    def book(self, thing_id: Any, start: int | None, end: int | None, *, id: Any, quantity: int = 1) -> Booked:
        """Book, or refuse for the first reason there is."""
        thing = self.thing(thing_id)
        self.cells(start, end)
        if quantity < 1:
            refuse("InvalidQuantityError", quantity=quantity)
        if any(booked.id == id for booked in self.booked):
            refuse("DuplicateBookingError")
        if not self._has_room(thing, start, end, quantity):
            refuse("ConflictError", conflicts=self.conflicts(thing_id, start, end, quantity), quantity=quantity)
        self.turns += 1
        booked = Booked(thing, start, end, id, quantity, self.turns)
        self.booked.append(booked)
        return booked

    def remove_booking(self, id: Any) -> None:
        """Release a booking."""
        self.booked.remove(self.get(id))

    def load(self, rows: Iterable[tuple[Any, int | None, int | None, Any, int]]) -> int:
        """Book all ``(resource id, start, end, id, quantity)`` in the order given, or refuse and book none."""
        booked, turns = list(self.booked), self.turns
        count = 0
        try:
            for thing_id, start, end, id, quantity in rows:
                self.book(thing_id, start, end, id=id, quantity=quantity)
                count += 1
        except Refused:
            self.booked, self.turns = booked, turns
            raise
        return count

    def fitting(self, rows: Iterable[tuple[Any, int | None, int | None, Any, int]]) -> list[Any]:
        """Return those of *rows* that can be booked, each after those before it; nothing is booked."""
        booked, turns = list(self.booked), self.turns
        found = []
        for row in rows:
            try:
                self.load([row])
            except Refused:
                continue
            found.append(row)
        self.booked, self.turns = booked, turns
        return found

    # -- answers -----------------------------------------------------------------------------------

    def _has_room(self, thing: Thing, start: int | None, end: int | None, quantity: int) -> bool:
        if self.in_use(thing, start, end) + quantity > thing.capacity:
            return False
        return not self.is_shut(thing, self.cells(start, end))

    def is_available(self, thing_id: Any, start: int | None, end: int | None, quantity: int = 1) -> bool:
        """Tell whether `book` would accept the span."""
        thing = self.thing(thing_id)
        self.cells(start, end)
        if quantity < 1:
            refuse("InvalidQuantityError", quantity=quantity)
        return self._has_room(thing, start, end, quantity)

    def conflicts(self, thing_id: Any, start: int | None, end: int | None, quantity: int = 1) -> list[Any]:
        """Return the ids of the bookings in the way, in order: those in use where too little is left."""
        thing = self.thing(thing_id)
        asked = self.reach(thing, start, end)
        if quantity < 1:
            refuse("InvalidQuantityError", quantity=quantity)
        if quantity > thing.capacity:
            return []
        uses = [(self.reach(thing, b.start, b.end), b) for b in self._near(thing, start, end)]
        edges = {cell for used, _ in uses for cell in (used.start, used.stop - 1)} | {asked.start}
        full = [
            cell for cell in edges
            if cell in asked and sum(b.quantity for used, b in uses if cell in used) + quantity > thing.capacity
        ]  # fmt: skip
        return self._in_order(b for used, b in uses if any(cell in used for cell in full))

    def bookings(self, thing_id: Any = None, start: int | None = None, end: int | None = None) -> list[Any]:
        """Return the ids of the bookings that overlap, of one resource or (None) of all, in order."""
        asked = self.cells(start, end)
        thing = None if thing_id is None else self.thing(thing_id)
        return self._in_order(
            b
            for b in self.booked
            if (thing is None or b.thing is thing) and self._share(asked, self.cells(b.start, b.end))
        )

    def select(self, holds: Callable[[Thing], bool]) -> list[Any]:
        """Return the ids of the resources for which a condition holds, in order of registration."""
        return [thing.id for thing in self.things if holds(thing)]

    def available(self, start: int | None, end: int | None, quantity: int = 1) -> list[Any]:
        """Return the ids of the resources available in the span, in order of registration."""
        self.cells(start, end)
        return self.select(lambda thing: self._has_room(thing, start, end, quantity))

    def unbooked(self, start: int | None, end: int | None, quantity: int = 1) -> list[Any]:
        """Return the ids of the resources that bookings alone would leave available."""
        return self.select(lambda thing: self.in_use(thing, start, end) + quantity <= thing.capacity)

    def ordered(self, ids: Iterable[Any]) -> list[Any]:
        """Return *ids* by the value of their resource, stable, those without one last."""
        things = [self.thing(id) for id in ids]
        things.sort(key=lambda t: (t.value is None, t.value or 0))
        return [thing.id for thing in things]
