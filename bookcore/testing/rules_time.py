"""Steps of random histories that ask about time: gaps, the next, the nearest, slots, what several share, and why not."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from bookcore import Calendar
from bookcore.testing.history import HistoryMachine, Span
from bookcore.testing.oracle import Refused
from bookcore.testing.rules_bookings import HIGH, IDS, MANY, QUANTITIES, SPANS, WHO

WINDOWS = MANY | st.builds(lambda low, length: (low, low + length), st.integers(-5, HIGH), st.integers(1, 60))
LENGTHS = st.sampled_from([1, 1, 2, 3, 4, 6, 0])


class TimeRules(HistoryMachine):
    """Free time, from every side, compared with the oracle's."""

    def can_tell(self) -> bool:
        """Tell whether free time begins and ends at places the oracle knows."""
        return self.bounds == "[)" or self.family.between is not None

    def endless(self, ids: Any, span: Span) -> bool:
        """Tell whether a question about opening hours would have an endless answer, or be refused for that reason."""
        rules = [thing.hours for thing in self.oracle.things if thing.id in ids]
        return None in span and any(rule is not None and not rule.always for rule in rules)

    def places(self, spans: Any) -> list[Any]:
        """Return spans, with what else comes with them, as places (see `Family.place`)."""
        return [[self.family.place(a), self.family.place(b), *rest] for a, b, *rest in spans]

    @precondition(can_tell)
    @rule(asks=st.lists(st.tuples(WHO, WINDOWS, QUANTITIES, LENGTHS), min_size=1, max_size=4))
    def look_for_time(self, asks: list[Any]) -> None:
        """Ask some resources for their gaps and what is next to them."""
        for who, *ask in asks:
            self.look_at(self.id_of(who), *ask)

    def look_at(self, id: Any, span: Span, quantity: int, length: int) -> None:
        """Ask one resource."""
        oracle = self.oracle
        keys = self.keys(span)
        what = f"({id}, {span}, {quantity}, {length})"
        if self.endless([id], span):
            return

        def gaps(at: int, calendar: Calendar) -> Any:
            return self.places(calendar.gaps(id, *keys, quantity=quantity))

        self.agree(gaps, lambda: oracle.gaps(id, *span, None, quantity), what=f"gaps{what}")
        self.agree(
            lambda at, c: self.places((a, b, str(state)) for a, b, state in c.free_busy(id, *keys)),
            lambda: oracle.free_busy(id, *span),
            what=f"free_busy{what}",
        )
        self.agree(
            lambda at, c: self.places(c.occupancy(id, *keys)),
            lambda: oracle.occupancy(id, *span),
            what=f"occupancy{what}",
        )
        if self.family.length is None:
            return
        long: Any = self.family.length(length)
        self.agree(
            lambda at, c: self.places(c.gaps(id, *keys, quantity=quantity, at_least=long)),
            lambda: oracle.gaps(id, *span, length, quantity),
            what=f"gaps{what}",
        )
        if span[0] is not None:
            self.agree(
                lambda at, c: self._one(c.next_available(id, keys[0], long, quantity=quantity)),
                lambda: oracle.next_available(id, span[0], length, quantity),
                what=f"next_available{what}",
            )
        self.agree(
            lambda at, c: list(map(self._one, c.nearest(id, *keys, quantity=quantity))),
            lambda: oracle.nearest(id, *span, quantity),
            what=f"nearest{what}",
        )

    def _one(self, span: Span | None) -> Any:
        return None if span is None else self.places([span])[0]

    @precondition(can_tell)
    @rule(ids=st.lists(WHO, max_size=4), span=WINDOWS, quorum=st.none() | st.integers(1, 3), length=LENGTHS)
    def look_for_common_time(self, ids: list[int], span: Span, quorum: int | None, length: int) -> None:
        """Ask when several resources are free together."""
        ids = [self.id_of(who) for who in ids]
        if self.endless(ids, span):
            return
        keys = self.keys(span)
        least = length or None if self.family.length is not None else None
        long: Any = None if least is None or self.family.length is None else self.family.length(least)
        self.agree(
            lambda at, c: self.places(c.common_gaps(ids, *keys, quorum=quorum, at_least=long)),
            lambda: self.oracle.common_gaps(ids, *span, least, quorum),
            what=f"common_gaps({ids}, {span}, {quorum}, {least})",
        )

    @precondition(lambda self: self.can_tell() and self.family.length is not None)
    @rule(
        ids=st.none() | st.lists(IDS, max_size=6), start=st.integers(-5, HIGH), width=st.integers(1, 60),
        length=LENGTHS.filter(bool), step=st.none() | st.integers(1, 20), quantity=st.sampled_from([1, 1, 2]),
    )  # fmt: skip
    def look_for_slots(
        self, ids: list[int] | None, start: int, width: int, length: int, step: int | None, quantity: int
    ) -> None:
        """Ask for slots across resources, earliest first."""
        assert self.family.length is not None
        keys = self.key(start), self.key(start + width)
        long, stride = self.family.length(length), None if step is None else self.family.length(step)
        terms = [] if ids is None else [ids]
        self.agree(
            lambda at, c: [
                (*self.places([(a, b)])[0], who.id)
                for a, b, who in c.find_slots(long, *keys, *terms, step=stride, quantity=quantity)
            ],
            lambda: self.oracle.find_slots(length, start, start + width, ids, step, quantity),
            what=f"find_slots({length}, {start}, {start + width}, {ids}, {step}, {quantity})",
        )

    @rule(asks=st.lists(st.tuples(WHO, SPANS, st.sampled_from([1, 1, 2, 4, 0])), min_size=1, max_size=4))
    def explain(self, asks: list[Any]) -> None:
        """Ask for the causes, in order; there is none exactly where the span is available."""
        for who, *ask in asks:
            self.explain_one(self.id_of(who), *ask)

    def explain_one(self, id: Any, span: Span, quantity: int) -> None:
        """Ask about one span."""
        keys = self.keys(span)

        def call(at: int, calendar: Calendar) -> Any:
            why = calendar.explain(id, *keys, quantity)
            if why.available is not calendar.is_available(id, *keys, quantity):
                self.fail(f"{why} is not so")
            return [(str(cause.kind), getattr(cause.what, "id", _number(cause.what))) for cause in why.causes]

        def judge() -> Any:
            causes = self.oracle.explain(id, *span, quantity)
            if bool(causes) is self.oracle.is_available(id, *span, quantity):
                raise Refused("the oracle", causes=causes)
            return causes

        self.agree(call, judge, what=f"explain({id}, {span}, {quantity})")


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) else None
