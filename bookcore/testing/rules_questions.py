"""Steps of random histories that ask: composed questions, one resource, what must be refused, a file and back."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from bookcore import Calendar, SupportsAvailability, no
from bookcore.testing.history import HistoryMachine, raise_again
from bookcore.testing.oracle import Refused
from bookcore.testing.questions import INDEX, KINDS, LABELS, ask, expected, questions
from bookcore.testing.rules_bookings import HIGH, IDS, QUANTITIES, SPANS, WHO
from bookcore.testing.strategies import nans, rank_spans


class QuestionRules(HistoryMachine):
    """Every answer compared with the oracle's."""

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
        self.agree(
            lambda at, c: c.conflicts(id, keys[0], keys[1], quantity=quantity),
            lambda: oracle.conflicts(id, span[0], span[1], quantity=quantity),
            what=f"conflicts{what}",
        )
        self.agree(lambda at, c: c.bookings(id, *keys), lambda: _bookings(oracle, id, span), what=f"bookings{what}")
        self.agree(lambda at, c: c.bookings(None, *keys), lambda: oracle.bookings(None, *span), what=f"bookings({span})")

    @rule(span=rank_spans("[)", 0, HIGH), quantity=st.sampled_from([1, 2, 3]))
    def look_behind(self, span: Any, quantity: int) -> None:
        """Ask the occupancy index itself, because a calendar may answer for a few resources without it."""
        keys = [self.key(rank) for rank in span]
        right = self.oracle.unbooked(span[0], span[1], quantity)
        for calendar in self.calendars:
            if not isinstance(calendar._engine.state.store, SupportsAvailability):
                continue
            low, high = calendar._engine.state.keys.admit(*keys)
            busy = calendar._engine.state.store.busy(low, high, quantity)
            records = calendar._engine.state.registry.in_order()
            free = [r.id for r in records if r.capacity >= quantity and not busy >> r.number & 1]
            self.same(calendar, f"busy({span}, {quantity})", free, right)

    # -- what must be refused ----------------------------------------------------------------------

    @rule(who=WHO, data=st.data())
    def refuse(self, who: int, data: st.DataObject) -> None:
        """Pass arguments that every calendar refuses. The invariants then show that nothing has changed."""
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
        self.agree(lambda at, c: call(c), lambda: raise_again(Refused(error)), what=f"{name}: {id}")

    # -- files -------------------------------------------------------------------------------------

    @precondition(lambda self: self.steps % 5 == 0 and not self.open)  # files are slow; not in a transaction
    @rule()
    def snapshot(self) -> None:
        """Write a file and read it back, into one store after the other: the answers are the same."""
        at = self.steps // 5 % len(self.stores)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "file"
            self.calendars[at - 1].snapshot(path)
            store = self.new_store(self.stores[at])
            restored = Calendar.restore(path, types=KINDS.values(), store=store, clock=self.clock)
        restored.check()
        self.compare_all(restored)

    def compare_all(self, calendar: Calendar) -> None:
        """Compare one calendar with the oracle in every respect that a history can have changed."""
        oracle = self.oracle
        rank = self.family.rank
        got = [
            (e.id, e.resource.id, rank(e.start), rank(e.end), e.quantity, e.status == "held") for e in calendar.bookings()
        ]
        right = [(b.id, b.thing.id, b.start, b.end, b.quantity, b.held) for b in map(oracle.get, oracle.bookings())]
        self.same(calendar, "every booking", got, right)
        closures = [(c.id, c.resource.id, rank(c.start), rank(c.end)) for c in calendar.closures()]
        self.same(calendar, "every closure", closures, [(s.id, s.thing.id, s.start, s.end) for s in oracle.shut])
        self.same(calendar, "resources", calendar.resources.ids(), oracle.select(lambda thing: True))
        for kind in KINDS:
            ids = oracle.select(lambda thing, kind=kind: kind in thing.kinds)  # type: ignore[misc]
            self.same(calendar, kind, calendar.find(KINDS[kind]).ids(), ids)
        for tag in LABELS:
            ids = oracle.select(lambda thing, tag=tag: tag in thing.labels)  # type: ignore[misc]
            self.same(calendar, f"tagged {tag!r}", calendar.tagged(tag).ids(), ids)
        for low in range(0, HIGH, 8):
            for quantity in (1, 2):
                free = calendar.find_available(self.key(low), self.key(low + 3), quantity=quantity).ids()
                right = oracle.available(low, low + 3, quantity)
                self.same(calendar, f"find_available({low}, {low + 3}, {quantity})", free, right)


def _bookings(oracle: Any, id: Any, span: Any) -> Any:
    oracle.cells(*span)
    return oracle.bookings(id, *span)
