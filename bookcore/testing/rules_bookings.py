"""Steps of random histories on resources and bookings: added, removed, refused, loaded, labelled, indexed."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from bookcore import BookingEvent, Calendar
from bookcore.testing.history import HistoryMachine
from bookcore.testing.oracle import Booked, Refused, Thing
from bookcore.testing.questions import INDEX, KINDS, LABELS
from bookcore.testing.strategies import rank_spans

HIGH = 90  # ranks go up to about this; low enough for bookings to meet, high enough for many to stand
WHO = st.integers(0, 40)  # see `HistoryMachine.id_of`
IDS = st.integers(0, 15)
SPANS = rank_spans("[)", 0, HIGH) | rank_spans("[]", 0, HIGH)  # a span of no length may be refused
NAMES = st.none() | st.sampled_from(["a", "b", "c", 1, 2, 3, 4, 5])
QUANTITIES = st.sampled_from([1, 1, 1, 1, 2, 3, 0])
SHORT = st.builds(lambda low, length: (low, low + length), st.integers(0, HIGH), st.integers(1, 5))
MANY = SHORT | SHORT | SHORT | SPANS  # many of them fit


def _things(least: int, most: int) -> st.SearchStrategy[Any]:
    return st.lists(
        st.tuples(
            st.sampled_from(sorted(KINDS)), st.sampled_from([1, 1, 1, 2, 3]), st.sampled_from([0, 0, 0, 1, 3]),
            st.sampled_from([0, 0, 0, 2]), st.none() | st.integers(0, 5),
        ),
        min_size=least,
        max_size=most,
    )  # fmt: skip


class BookingRules(HistoryMachine):
    """Resources, bookings, labels, an index."""

    # -- resources ---------------------------------------------------------------------------------

    @initialize(specs=_things(3, 14), tries=st.lists(st.tuples(WHO, SHORT), max_size=40))
    def begin(self, specs: list[Any], tries: list[Any]) -> None:
        """Start with some resources and bookings."""
        for id, spec in enumerate(specs):
            self.add_resource(id, *spec)
        for who, span in tries:
            self.try_to_book(self.id_of(who), span, None, 1, False)

    @rule(id=IDS, spec=_things(1, 1))
    def add_another(self, id: int, spec: list[Any]) -> None:
        """Add a resource, whose id may be in use."""
        for parts in spec:
            self.add_resource(id, *parts)

    def add_resource(self, id: int, kind: str, capacity: int, before: int, after: int, value: int | None) -> None:
        """Add one resource everywhere."""
        cls = KINDS[kind]
        if self.family.length is None:
            before = after = 0
        kinds = tuple(name for name, base in KINDS.items() if issubclass(cls, base))
        valued = value if hasattr(cls, "value") else None
        thing = Thing(id, kinds, capacity, before, after, valued)

        def call(at: int, calendar: Calendar) -> Any:
            resource = cls(id, capacity, before=self.length(before), after=self.length(after))
            if valued is not None:
                resource.value = valued  # type: ignore[attr-defined]
            return calendar.add_resource(resource)

        def right() -> int:
            self.oracle.add_resource(thing)
            return id

        self.agree(call, right, what=f"add_resource({id})")

    @rule(id=IDS)
    def remove_resource(self, id: int) -> None:
        """Remove a resource, which may be in use or unknown."""

        def right() -> int:
            self.oracle.remove_resource(id)
            return id

        self.agree(lambda at, c: c.remove_resource(id), right, what=f"remove_resource({id})")

    # -- bookings ----------------------------------------------------------------------------------

    @rule(who=WHO, span=SPANS, name=NAMES, quantity=QUANTITIES, as_event=st.booleans())
    def book(self, who: int, span: Any, name: Any, quantity: int, as_event: bool) -> None:
        """Book, in one call or as an event made before."""
        self.try_to_book(self.id_of(who), span, name, quantity, as_event)

    @rule(tries=st.lists(st.tuples(WHO, MANY), min_size=8, max_size=20))
    def fill(self, tries: list[Any]) -> None:
        """Book many spans."""
        for who, span in tries:
            self.try_to_book(self.id_of(who), span, None, 1, False)

    def try_to_book(self, thing: int, span: Any, name: Any, quantity: int, as_event: bool) -> None:
        """Book everywhere, or be refused everywhere for the same reason."""
        keys = [self.key(rank) for rank in span]
        made: list[BookingEvent] = [BookingEvent(thing, *keys, id=name, quantity=quantity) for _ in self.calendars]

        def call(at: int, calendar: Calendar) -> Any:
            if as_event:
                return [calendar.add_booking(made[at])]
            return [calendar.book(thing, *keys, id=name, quantity=quantity)]

        def judge() -> list[Booked]:
            return [self.oracle.book(thing, *span, id=object() if name is None else name, quantity=quantity)]

        if not self.make(call, judge, what=f"book({thing}, {span}, {name!r}, {quantity})") and as_event:
            self.released.append(made)

    @rule(data=st.data())
    def add_again(self, data: st.DataObject) -> None:
        """Add an event again: one that was released or refused, or an active one."""
        candidates = [*self.released, *self.events.values()]
        if not candidates:
            return
        copies = data.draw(st.sampled_from(candidates))
        first = copies[0]
        stands = first.owns_lock
        unnamed = first.id is None  # refused so far: the calendar will give it an id

        def judge() -> Any:
            if stands:
                raise Refused("DuplicateBookingError")
            ranks = [self.family.rank(key) for key in (first.start, first.end)]
            thing = getattr(first.resource, "id", first.resource)
            made.append(self.oracle.book(thing, *ranks, id=object() if unnamed else first.id, quantity=first.quantity))
            return None

        made: list[Any] = []
        what = f"add_booking({first!r})"
        if self.agree(lambda at, c: c.add_booking(copies[at]) and None, judge, what=what):
            made[0].id = first.id
            self.stood([first.id], [copies])

    @rule(data=st.data(), by_id=st.booleans())
    def remove_booking(self, data: st.DataObject, by_id: bool) -> None:
        """Release a booking, or try to release one that is not active."""
        name = data.draw(st.sampled_from([*self.events, "nobody", "a", 1]))
        stands = name in self.events
        if not by_id and not stands:
            return

        def right() -> Any:
            self.oracle.remove_booking(name)
            return name

        done = self.agree(
            lambda at, c: c.remove_booking(name if by_id else self.events[name][at]),
            right,
            what=f"remove_booking({name!r})",
        )
        if done:
            self.fell(name)

    @rule(
        rows=st.lists(st.tuples(WHO, MANY, st.sampled_from([1, 1, 1, 2])), max_size=30),
        fitting=st.sampled_from([True, True, False]),
        plain=st.booleans(),
    )
    def load(self, rows: list[Any], fitting: bool, plain: bool) -> None:
        """Load several bookings, all or none; mostly such that all fit, often on exclusive resources alone."""
        start = 1000 * self.steps
        named = [(self.id_of(who), *span, start + at, quantity) for at, (who, span, quantity) in enumerate(rows)]
        if plain:
            exclusive = {t.id for t in self.oracle.things if t.capacity == 1 and not t.before and not t.after}
            named = [row for row in named if row[0] in exclusive and None not in row and row[4] == 1]
        if fitting:
            named = self.oracle.fitting(named)
        keyed = [(t, self.key(a), self.key(b), id, q) for t, a, b, id, q in named]
        loads = [[BookingEvent(t, a, b, id=id, quantity=q) for t, a, b, id, q in keyed] for _ in self.calendars]
        done = self.agree(
            lambda at, c: c.load(iter(loads[at])), lambda: self.oracle.load(named), what=f"load({named})"
        )
        copies = [list(events) for events in zip(*loads, strict=True)]
        if done:
            self.stood([row[3] for row in named], copies)
        else:
            self.released += copies[:2]

    # -- tags and indexes --------------------------------------------------------------------------

    @rule(who=WHO, labels=st.lists(st.sampled_from(LABELS), max_size=2), on=st.booleans())
    def label(self, who: int, labels: list[Any], on: bool) -> None:
        """Put labels on a resource, or take them off."""
        id = self.id_of(who)

        def judge() -> None:
            held = self.oracle.thing(id).labels
            (held.update if on else held.difference_update)(labels)

        self.agree(lambda at, c: (c.tag if on else c.untag)(id, *labels), judge, what=f"tag({id}, {labels}, {on})")

    @precondition(lambda self: not self.oracle.by_units and self.steps > 9)
    @rule()
    def create_booking_index(self) -> None:
        """Index the bookings by their units; from then on no booking takes the fast path."""
        for calendar in self.calendars:
            calendar.create_booking_index("units", key=lambda event: event.quantity)
        self.oracle.by_units = True

    @precondition(lambda self: not self.oracle.indexed)
    @rule()
    def create_index(self) -> None:
        """Index the resources by value; some have none."""
        for calendar in self.calendars:
            calendar.create_index(INDEX, key=lambda resource: resource.value)
        self.oracle.indexed = True

    @rule(who=WHO, value=st.none() | st.integers(0, 5))
    def reindex(self, who: int, value: int | None) -> None:
        """Change the value of a resource that may have one, and say so."""
        id = self.id_of(who)

        def call(at: int, calendar: Calendar) -> None:
            for resource in calendar.find([id]):
                if hasattr(resource, "value"):
                    resource.value = value
            calendar.reindex(id)

        def judge() -> None:
            thing = self.oracle.thing(id)
            if "Flat" in thing.kinds:
                thing.value = value

        self.agree(call, judge, what=f"reindex({id})")
