"""`StoreMachine`: random histories through several stores and the oracle, every answer compared after every step.

    from bookcore.testing import machine
    TestMine = machine(MemoryStore, MyStore, bounds="[]").TestCase

A new capability is a rule here (or in a subclass) and a method of `Oracle`: see `StoreMachine.book` for the shape.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from bookcore import BookingEvent, BookingStore, Calendar, SupportsAvailability, no
from bookcore.persist.registry import register_key_codec
from bookcore.testing.families import Family, OnlyLess, family
from bookcore.testing.liststore import ListStore
from bookcore.testing.oracle import Refused, Thing
from bookcore.testing.questions import INDEX, KINDS, LABELS, ask, expected, questions
from bookcore.testing.strategies import nans, rank_spans
from bookcore.testing.walk import Walk

__all__ = ["StoreMachine", "machine"]

HIGH = 90  # ranks go up to about this; low enough for bookings to meet, high enough for many to stand
WHO = st.integers(0, 40)  # see `StoreMachine.id_of`
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


class StoreMachine(Walk):
    """One history: resources come and go, bookings are made, refused and released, questions are asked."""

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
        """Add a resource, which may be there already."""
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

    def id_of(self, who: int) -> int:
        """Return the id of one of the resources there are, the first few more often, or now and then of none."""
        things = self.oracle.things
        return things[who % 7 % len(things) if who % 2 else who % len(things)].id if things and who < 40 else 99

    @rule(who=WHO, span=SPANS, name=NAMES, quantity=QUANTITIES, as_event=st.booleans())
    def book(self, who: int, span: Any, name: Any, quantity: int, as_event: bool) -> None:
        """Book, in one call or as an event made before."""
        self.try_to_book(self.id_of(who), span, name, quantity, as_event)

    @rule(tries=st.lists(st.tuples(WHO, MANY), min_size=8, max_size=20))
    def fill(self, tries: list[Any]) -> None:
        """Book a lot."""
        for who, span in tries:
            self.try_to_book(self.id_of(who), span, None, 1, False)

    def try_to_book(self, thing: int, span: Any, name: Any, quantity: int, as_event: bool) -> None:
        """Book everywhere, or be refused everywhere for the same reason."""
        keys = [self.key(rank) for rank in span]
        made: list[BookingEvent] = [BookingEvent(thing, *keys, id=name, quantity=quantity) for _ in self.calendars]

        def call(at: int, calendar: Calendar) -> Any:
            if as_event:
                return calendar.add_booking(made[at])
            return calendar.book(thing, *keys, id=name, quantity=quantity)

        what = f"book({thing}, {span}, {name!r}, {quantity})"
        try:
            # a booking without an id gets one from the calendar; until then an object stands for it
            booked = self.oracle.book(thing, *span, id=object() if name is None else name, quantity=quantity)
        except Refused as refused:
            error = refused
            self.agree(call, lambda: _raise(error), what=what)
            if as_event:
                self.released.append(made)
            return
        results = self.agree(call, None, what=what)
        if results is None or not all(event.owns_lock for event in results):
            raise AssertionError(f"{what} should succeed, but {self.calendars} refused")
        booked.id = results[0].id
        self.stood([results[0].id], [results])

    @rule(data=st.data())
    def add_again(self, data: st.DataObject) -> None:
        """Add an event again: one that was released or refused, or one that stands."""
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
        """Release a booking, or try to release one that does not stand."""
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

    # -- questions ---------------------------------------------------------------------------------

    @rule(data=st.data(), n=st.integers(0, 6), by=st.sampled_from([None, INDEX, "callable"]))
    def ask(self, data: st.DataObject, n: int, by: str | None) -> None:
        """Ask a composed question, in every way a selection can be read."""
        question = data.draw(questions(self.bounds, indexed=self.oracle.indexed))
        by = None if by == INDEX and not self.oracle.indexed else by
        right = expected(self.oracle, question)
        ordered = right if by is None else self.oracle.ordered(right)
        some = data.draw(IDS)
        for calendar in self.calendars:
            selection = ask(calendar, question, self.key)
            if by is not None:
                selection = selection.order_by(by if by == INDEX else lambda resource: resource.value)
            self.same(calendar, f"ids of {question} by {by}", selection.ids(), ordered)
            self.same(calendar, f"{question} iterated", [r.id for r in selection], ordered)
            self.same(calendar, f"{question} by {by}, first {n}", [r.id for r in selection.first(n)], ordered[:n])
            self.same(calendar, f"len of {question}", (len(selection), selection.count()), (len(right),) * 2)
            self.same(calendar, f"bool of {question}", bool(selection), bool(right))
            self.same(calendar, f"{some} in {question}", some in selection, some in right)
            self.same(calendar, f"no {question}", len(calendar.find(no(selection))), len(self.oracle.things) - len(right))

    @rule(who=WHO, span=SPANS, quantity=QUANTITIES)
    def look(self, who: int, span: Any, quantity: int) -> None:
        """Ask about one resource: is it free, what is in the way, what is booked."""
        id = self.id_of(who)
        keys = [self.key(rank) for rank in span]
        oracle = self.oracle
        what = f"({id}, {span}, {quantity})"
        self.agree(
            lambda at, c: c.is_available(id, keys[0], keys[1], quantity=quantity),
            lambda: oracle.is_available(id, span[0], span[1], quantity=quantity),
            what=f"is_available{what}",
        )
        self.agree(lambda at, c: c.conflicts(id, *keys), lambda: oracle.conflicts(id, *span), what=f"conflicts{what}")
        self.agree(lambda at, c: c.bookings(id, *keys), lambda: _bookings(oracle, id, span), what=f"bookings{what}")
        self.agree(lambda at, c: c.bookings(None, *keys), lambda: oracle.bookings(None, *span), what=f"bookings({span})")

    @rule(span=rank_spans("[)", 0, HIGH), quantity=st.sampled_from([1, 2, 3]))
    def look_behind(self, span: Any, quantity: int) -> None:
        """Ask an index that answers for all resources, past the calendar, which may take other ways for few."""
        keys = [self.key(rank) for rank in span]
        right = self.oracle.available(span[0], span[1], quantity)
        for calendar in self.calendars:
            if not isinstance(calendar._index, SupportsAvailability):
                continue
            low, high = calendar._keys.admit(*keys)
            busy = calendar._index.busy(low, high, quantity)
            free = [e.id for e in calendar._catalog.in_order() if e.capacity >= quantity and not busy >> e.number & 1]
            self.same(calendar, f"busy({span}, {quantity})", free, right)

    # -- what must be refused ----------------------------------------------------------------------

    @rule(who=WHO, data=st.data())
    def refuse(self, who: int, data: st.DataObject) -> None:
        """Hand in what no calendar takes. The invariants then show that nothing has changed."""
        id = self.id_of(who)
        nan = data.draw(nans())
        a, b = self.key(3), self.key(8)
        stranger = object()
        known = any(thing.id == id for thing in self.oracle.things)
        name, error, call = data.draw(
            st.sampled_from([
                ("reversed", "InvalidSpanError", lambda c: c.book(id, b, a)),
                ("nan", "InvalidKeyError", lambda c: c.book(id, a, nan)),
                ("stranger", "KeyTypeError", lambda c: c.book(id, stranger, None)),
                ("stranger asks", "KeyTypeError", lambda c: c.is_available(id, None, stranger)),
                ("no quantity", "InvalidQuantityError", lambda c: c.book(id, a, b, quantity=1.5)),
                ("a bool", "InvalidQuantityError", lambda c: c.is_available(id, a, b, quantity=True)),
                ("unhashable", "FieldError", lambda c: c.book(id, a, b, id=[])),
                ("label", "QueryError", lambda c: c.tag(id, "sea", [])),
            ])
        )  # fmt: skip
        error = error if known else "UnknownResourceError"
        self.agree(lambda at, c: call(c), lambda: _raise(Refused(error)), what=f"{name}: {id}")

    # -- files -------------------------------------------------------------------------------------

    @precondition(lambda self: self.steps % 5 == 0)  # files are slow
    @rule()
    def snapshot(self) -> None:
        """Write a file and read it back, into one store after the other: the answers are the same."""
        register_key_codec(OnlyLess, "bookcore.testing.OnlyLess", lambda key: key.rank, OnlyLess)
        at = self.steps // 5 % len(self.stores)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "file"
            self.calendars[at - 1].snapshot(path)
            restored = Calendar.restore(path, types=KINDS.values(), store=self.stores[at]())
        restored.check()
        self.compare_all(restored)

    def compare_all(self, calendar: Calendar) -> None:
        """Compare one calendar with the oracle in every respect that a history can have changed."""
        oracle = self.oracle
        rank = self.family.rank
        got = [(e.id, e.resource.id, rank(e.start), rank(e.end), e.quantity) for e in calendar.bookings()]
        right = [(b.id, b.thing.id, b.start, b.end, b.quantity) for b in map(oracle.get, oracle.bookings())]
        self.same(calendar, "every booking", got, right)
        self.same(calendar, "resources", calendar.resources.ids(), oracle.select(lambda thing: True))
        for kind in KINDS:
            ids = oracle.select(lambda thing, kind=kind: kind in thing.kinds)  # type: ignore[misc]
            self.same(calendar, kind, calendar.find(KINDS[kind]).ids(), ids)
        for tag in LABELS:
            ids = oracle.select(lambda thing, tag=tag: tag in thing.labels)  # type: ignore[misc]
            self.same(calendar, f"tagged {tag!r}", calendar.tagged(tag).ids(), ids)
        for low in range(0, HIGH, 8):
            free = calendar.find_available(self.key(low), self.key(low + 3)).ids()
            self.same(calendar, f"find_available({low}, {low + 3})", free, oracle.available(low, low + 3))

    def teardown(self) -> None:
        """Compare everything once more at the end of the walk."""
        try:
            for calendar in self.calendars:
                self.compare_all(calendar)
        finally:
            super().teardown()


def _raise(refused: Refused) -> Any:
    raise refused


def _bookings(oracle: Any, id: Any, span: Any) -> Any:
    oracle.cells(*span)
    return oracle.bookings(id, *span)


def machine(
    *stores: Callable[[], BookingStore],
    bounds: str = "[)",
    keys: Family | str = "int",
    sizes: Mapping[str, int] | None = None,
    small: bool = True,
    base: type[Walk] = StoreMachine,
) -> type[Any]:
    """Return a machine that walks through *stores* and a `ListStore`; its ``TestCase`` is what pytest collects.

    ``small`` (the default) cuts the indexes' parts to a few entries, of ``sizes`` if given.
    """
    found = family(keys) if isinstance(keys, str) else keys
    return type(
        "_".join(["Machine", *(store.__name__ for store in stores)]),
        (base,),
        {"stores": (*stores, ListStore), "bounds": bounds, "family": found, "sizes": (sizes or {}) if small else None},
    )
