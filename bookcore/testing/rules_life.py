"""Steps of random histories on holds, moves, splits, repeated requests, closures, opening hours and transactions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from bookcore import BookcoreError, BookingEvent, Calendar, RecursiveCallError
from bookcore.testing.cutting import cut_off
from bookcore.testing.families import OnlyLess
from bookcore.testing.history import HistoryMachine, Span
from bookcore.testing.oracle import Booked, Refused
from bookcore.testing.rules_bookings import MANY, NAMES, QUANTITIES, SHORT, SPANS, WHO
from bookcore.testing.timetables import timetables

NAMED = (None, None, None, None, "a", None, 3, "b", None, None, 7)
SOME = st.none() | st.lists(WHO, max_size=6)  # of these resources, of which some may be unknown, or of all
STRATEGIES = st.sampled_from(["first", "best_fit", "best_fit", "least_used", "own"])
DEEDS = st.lists(
    st.tuples(
        st.sampled_from([
            "hold", "crowd", "confirm", "extend", "tick", "move", "move", "change", "split", "close", "reopen",
            "hours", "again", "resize",
        ]),
        WHO, MANY, st.integers(0, 60), st.booleans(),
    ),
    min_size=4,
    max_size=16,
)  # fmt: skip
"""The kind of step, the resource and the span; a number and a flag, whose meaning depends on the kind."""


def _change(calendar: Calendar, resource: Any, keys: Any, booking: Any) -> None:
    """Make changes of several kinds, as far as they are accepted, in a block that is undone."""
    steps: list[Callable[[], Any]] = [
        lambda: calendar.book(resource, *keys),
        lambda: calendar.remove_booking(booking),
        lambda: calendar.close(resource, *keys),
        lambda: calendar.book(resource, *keys, id="cut off", quantity=2),
        lambda: calendar.tag(resource, "cut off"),
    ]
    with calendar.what_if():
        for step in steps:
            with suppress(BookcoreError):
                step()


def _note(called: list[bool], act: Callable[[], Any], *args: Any) -> Any:
    """Note that the program's own code was called, and act."""
    called.append(True)
    return act()


def _fail() -> None:
    """Fail as the code of a program may."""
    raise ZeroDivisionError


def _once(nth: int, act: Callable[[], Any]) -> Callable[[], None]:
    """Return a function that calls *act* when it is called for the n-th time."""
    calls = count(1)

    def step() -> None:
        if next(calls) == nth:
            act()

    return step


class LifeRules(HistoryMachine):
    """Every kind of change besides booking and releasing.

    One rule makes many changes, so that a history of a few dozen steps has many of each kind.
    """

    @rule(deeds=DEEDS)
    def live(self, deeds: list[Any]) -> None:
        """Make changes of any kind."""
        for deed, *how in deeds:
            getattr(self, deed)(*how)

    @rule(deeds=DEEDS)
    def live_on(self, deeds: list[Any]) -> None:
        """Make changes of any kind: a second rule, so that it is drawn twice as often as other rules."""
        self.live(deeds)

    @precondition(lambda self: len(self.open) < 2)
    @rule(kind=st.sampled_from(["transaction", "what_if"]), deeds=DEEDS, fails=st.booleans())
    def try_out(self, kind: str, deeds: list[Any], fails: bool) -> None:
        """Make changes of any kind in a transaction, which may be undone."""
        self.begin_transaction(kind)
        self.live(deeds)
        self.end_transaction(fails)

    @precondition(lambda self: not self.open)
    @rule(nth=st.integers(1, 900), who=WHO, span=SHORT | SPANS, number=st.integers(0, 60))
    def cut_off(self, nth: int, who: int, span: Span, number: int) -> None:
        """Cut a block that would be undone off at some place, as Ctrl-C does: it changes nothing."""
        thing, keys, name = self.id_of(who), self.keys(span), self.pick(number)
        for calendar in self.calendars:
            cut_off(partial(_change, calendar, thing, keys, name), nth)

    @precondition(lambda self: not self.open and self.family.name == "own")
    @rule(nth=st.integers(1, 60), who=WHO, span=SHORT | SPANS, number=st.integers(0, 60), calls=st.booleans())
    def compare_badly(self, nth: int, who: int, span: Span, number: int, calls: bool) -> None:
        """Have the n-th comparison of keys in a block that is undone fail, or call a command: it changes nothing."""
        thing, keys, name = self.id_of(who), self.keys(span), self.pick(number)
        for calendar in self.calendars:
            before, inside = calendar.digest(), _once(nth, partial(calendar.tag, thing, "within") if calls else _fail)
            OnlyLess.inside = inside
            try:
                with suppress(BookcoreError):
                    _change(calendar, thing, keys, name)
            finally:
                OnlyLess.inside = None
            self.same(calendar, f"the state after a bad comparison, the {nth}th", calendar.digest(), before)

    @precondition(lambda self: not self.open)
    @rule(way=st.sampled_from(["strategy", "key function", "clock"]), who=WHO, span=SHORT, number=st.integers(0, 60))
    def call_within(self, way: str, who: int, span: Span, number: int) -> None:
        """Have the program's own code call a command in the midst of another one: both are refused, and nothing changes."""
        thing, keys, name = self.id_of(who), self.keys(span), self.pick(number)
        commands: list[Callable[[Calendar], Any]] = [
            lambda c: c.book(thing, *keys),
            lambda c: c.remove_booking(name),
            lambda c: c.tag(thing, "within"),
            lambda c: c.transaction().__enter__(),
            lambda c: c.rebuild(),
        ]
        for calendar in self.calendars:
            before, command = calendar.digest(), commands[number % len(commands)]
            called: list[bool] = []

            within = partial(_note, called, partial(command, calendar))
            error: BookcoreError | None = None
            with calendar.what_if():  # the call is undone if it does not come to the program's code
                try:
                    if way == "strategy":
                        calendar.book_any(calendar.resources, *keys, strategy=within)
                    elif way == "key function":
                        calendar.create_index(f"within {self.steps}", key=within)
                    else:
                        self.within = within
                        calendar.remove_booking(name)
                except BookcoreError as exc:
                    error = exc
                finally:
                    self.within = None
            if called:
                self.same(calendar, f"the end of a call whose {way} calls", type(error), RecursiveCallError)
            self.same(calendar, "the state after a call within a call", calendar.digest(), before)

    def pick(self, number: int) -> Any:
        """Return the id of an active booking, or sometimes of one that is not active."""
        names = [*self.events, *list(self.oracle.ran_out)[-2:], "nobody"]
        return names[number % len(names)]

    # -- holds -------------------------------------------------------------------------------------

    def hold(self, who: int, span: Span, number: int, until: bool) -> None:
        """Make a hold: without a deadline, with a length, or until an instant."""
        thing, name = self.id_of(who), NAMED[number % len(NAMED)]
        lasts = (None, 1, 2, 3, 5, 8, 0)[number % 7]
        quantity = (1, 1, 1, 2)[number % 4]
        keys = self.keys(span)
        over = None if lasts is None else self.oracle.now + lasts
        deadline = {} if lasts is None else {"until": over} if until else {"ttl": lasts}

        def judge() -> list[Booked]:
            id = object() if name is None else name
            return [self.oracle.hold(thing, *span, id=id, quantity=quantity, until=over)]

        self.make(
            lambda at, c: [c.hold(thing, *keys, id=name, quantity=quantity, **deadline)],
            judge,
            what=f"hold({thing}, {span}, {name!r}, {quantity}, {deadline})",
        )

    def crowd(self, who: int, span: Span, number: int, wide: bool) -> None:
        """Hold several of one resource until the same instant, one behind the other or over each other."""
        for turn in range(4):
            by = turn * (1 if wide else number % 5)
            moved: Any = tuple(None if rank is None else rank + by for rank in span)
            self.hold(who, moved, 7 * (turn + number % 4) + 2, True)  # the same `lasts`, other names and quantities

    def tick(self, who: int, span: Span, number: int, flag: bool) -> None:
        """Advance the clock: holds may expire, and the next call releases them."""
        self.forget(self.oracle.tick(number % 3 + 1))

    def forget(self, ids: list[Any]) -> None:
        """Note that holds have expired."""
        for id in ids:
            self.fell(id)

    def confirm(self, who: int, span: Span, number: int, by_id: bool) -> None:
        """Confirm an active hold, an expired one, or a booking that is not a hold."""
        name = self.pick(number)

        def judge() -> Any:
            self.oracle.confirm(name)
            return name

        by_id = by_id or name not in self.events
        self.agree(lambda at, c: c.confirm(name if by_id else self.events[name][at]), judge, what=f"confirm({name!r})")

    def extend(self, who: int, span: Span, number: int, by_id: bool) -> None:
        """Give a hold a later deadline, an earlier one, or none; or try that with what is no hold."""
        name = self.pick(number)
        lasts = (None, 1, 4, 9, 20)[number % 5]
        until = None if lasts is None else self.oracle.now + lasts
        deadline = {"ttl": lasts} if lasts is not None and number % 2 else {"until": until}

        def judge() -> Any:
            return [name, self.oracle.extend(name, until).until]

        def call(at: int, calendar: Calendar) -> Any:
            event = calendar.extend(name if by_id else self.events[name][at], **deadline)
            return [event.id, event.until]

        by_id = by_id or name not in self.events
        self.agree(call, judge, what=f"extend({name!r}, {deadline})")

    # -- moving ------------------------------------------------------------------------------------

    def move(self, who: int, span: Span, number: int, by_id: bool) -> None:
        """Give a booking another span, another resource, or both; half of the moves are short."""
        name = self.pick(number)
        ranks: dict[str, Any] = {}
        standing = self.events.get(name)
        if standing is not None and number % 2:
            old = self.oracle.standing(name)
            span = tuple(None if rank is None else rank + number % 5 - 1 for rank in (old.start, old.end))  # type: ignore[assignment]
        if number % 5 != 3:
            ranks["start"] = span[0]
        if number % 5 != 4:
            ranks["end"] = span[1]
        changes = {end: self.key(rank) for end, rank in ranks.items()}
        if number % 3 == 0:
            changes["resource"] = self.id_of(who)

        def judge() -> list[Booked]:
            old = self.oracle.standing(name)
            thing = changes.get("resource", old.thing.id)
            return [self.oracle.move(name, thing, ranks.get("start", old.start), ranks.get("end", old.end))]

        by_id = by_id or standing is None
        what = f"move({name!r}, {ranks}, {changes.get('resource')})"
        done = self.make(lambda at, c: [c.move(name if by_id else self.events[name][at], **changes)], judge, what=what)
        if done and standing is not None:
            self.released.append(standing)

    def change(self, who: int, span: Span, number: int, by_id: bool) -> None:
        """Give a booking another quantity, a field, or both."""
        name = self.pick(number)
        standing = self.events.get(name)
        quantity = (None, 1, 2, 3, 0)[number % 5]
        given: dict[str, Any] = {} if quantity is None else {"quantity": quantity}
        if number % 3 or not given:
            given["note"] = number

        by_id = by_id or standing is None
        done = self.make(
            lambda at, c: [c.change(name if by_id else self.events[name][at], **given)],
            lambda: [self.oracle.change(name, quantity)],
            what=f"change({name!r}, {given})",
        )
        if done and standing is not None:
            self.released.append(standing)
            for event in self.events[name]:
                if "note" in given and event.fields["note"] != number:
                    self.fail(f"{event} was changed to {given}")

    def split(self, who: int, span: Span, number: int, inside: bool) -> None:
        """Cut a booking in two."""
        name = self.pick(number)
        at = number if span[0] is None else span[0]
        standing = self.events.get(name)
        if inside and standing is not None:
            old = self.oracle.standing(name)
            at = at if old.start is None or old.end is None else (old.start + old.end + 1) // 2
        key = self.key(at)
        done = self.make(
            lambda _, c: c.split(name, key),
            lambda: list(self.oracle.split(name, at, object())),
            what=f"split({name!r}, {at})",
        )
        if done and standing is not None:
            self.released.append(standing)

    # -- closures and hours ------------------------------------------------------------------------

    def close(self, who: int, span: Span, number: int, flag: bool) -> None:
        """Close a resource for a span, mostly a short one, so that other spans stay available."""
        thing = self.id_of(who)
        span = (number, number + 1 + number % 5) if flag or None in span else span
        keys = self.keys(span)
        made: list[Any] = []

        def judge() -> Any:
            shut = self.oracle.close(thing, *span)
            return [shut.id, shut.overlapping]

        def call(at: int, calendar: Calendar) -> Any:
            closure = calendar.close(thing, *keys, "paint")
            made.append(closure)
            return [closure.id, closure.overlapping]

        if self.agree(call, judge, what=f"close({thing}, {span})"):
            self.closures[made[0].id] = made

    def reopen(self, who: int, span: Span, number: int, flag: bool) -> None:
        """Remove a closure, which may have been removed before."""
        if self.closures:
            id = sorted(self.closures)[number % len(self.closures)]
            self.agree(
                lambda at, c: c.reopen(self.closures[id][at]), lambda: self.oracle.reopen(id), what=f"reopen({id})"
            )

    def hours(self, who: int, span: Span, number: int, lift: bool) -> None:
        """Give a resource or two opening hours, or none; none where keys are not datetimes."""
        tables = timetables(self.family)
        if not tables:
            return
        ids = [self.id_of(who), self.id_of(who + number)][: 1 + number % 2]
        hours, rule = (None, None) if lift else tables[number % len(tables)]

        def judge() -> None:
            for thing in list(map(self.oracle.thing, ids)):
                thing.hours = rule

        self.agree(lambda at, c: c.set_hours(ids, hours), judge, what=f"set_hours({ids}, {rule})")

    def resize(self, who: int, span: Span, number: int, flag: bool) -> None:
        """Give a resource another capacity, which its bookings may exceed, or one that is none."""
        id, capacity = self.id_of(who), (1, 2, 3, 1, 2, 5, 0)[number % 7]

        def judge() -> None:
            thing = self.oracle.thing(id)
            if capacity < 1:
                raise Refused("InvalidQuantityError", quantity=capacity)
            thing.capacity = capacity

        self.agree(lambda at, c: c.set_capacity(id, capacity), judge, what=f"set_capacity({id}, {capacity})")

    # -- requests ----------------------------------------------------------------------------------

    @rule(of=SOME, span=MANY, name=NAMES, quantity=QUANTITIES, strategy=STRATEGIES)
    def book_any(self, of: list[int] | None, span: Span, name: Any, quantity: int, strategy: str) -> None:
        """Book whichever resource is available and chosen."""
        keys = self.keys(span)
        of = None if of is None else [self.id_of(who) for who in of]

        def judge() -> list[Booked]:
            oracle = self.oracle
            oracle.cells(*span)
            if quantity < 1:
                raise Refused("InvalidQuantityError")
            if any(booked.id == name for booked in oracle.booked):
                raise Refused("DuplicateBookingError")
            if strategy == "best_fit" and self.family.length is None and span != (None, None):
                raise Refused("KeyTypeError")
            chosen = oracle.choose(of, *span, quantity, strategy)
            return [oracle.book(chosen, *span, id=object() if name is None else name, quantity=quantity)]

        how: Any = _last if strategy == "own" else strategy
        self.make(
            lambda at, c: [
                c.book_any(c.resources if of is None else of, *keys, id=name, quantity=quantity, strategy=how)
            ],
            judge,
            what=f"book_any({of}, {span}, {name!r}, {quantity}, {strategy})",
        )

    @rule(
        rows=st.lists(st.tuples(WHO, MANY, st.sampled_from([1, 1, 1, 2])), max_size=6),
        skip=st.booleans(),
        forms=st.integers(0, 2),
    )
    def book_all(self, rows: list[Any], skip: bool, forms: int) -> None:
        """Book several, all or those that fit, each asked for in one of three ways."""
        asked = [(self.id_of(who), *span, object(), quantity) for who, span, quantity in rows]
        keyed = [(t, self.key(a), self.key(b), quantity) for t, a, b, _, quantity in asked]
        refused: list[Any] = []
        judged: list[Any] = []

        def judge() -> list[Booked]:
            booked, places = self.oracle.book_all(asked, skip)
            judged.append(places)
            return booked

        def call(at: int, calendar: Calendar) -> Any:
            requests: list[Any] = [_request(forms + n, *row) for n, row in enumerate(keyed)]
            report = calendar.book_all(requests, on_conflict="skip" if skip else "raise")
            refused.append([next(n for n, r in enumerate(requests) if r is refusal.request) for refusal in report.refused])
            return list(report.booked)

        asked = [(*row[:4], 1 if (forms + n) % 3 == 0 else row[4]) for n, row in enumerate(asked)]
        if self.make(call, judge, what=f"book_all({rows}, {skip}, {forms})"):
            self.same(self.calendars[0], "refused", refused, judged * len(refused))

    def again(self, who: int, span: Span, number: int, flag: bool) -> None:
        """Repeat the request of an active booking, or make another request with its id."""
        name = self.pick(number)
        if name not in self.events:
            return
        old = self.oracle.get(name)
        later, more = number % 3 == 1, number % 3 == 2
        end = None if old.end is None else old.end + later
        keys = self.keys((old.start, end))

        def judge() -> Any:
            if end != old.end or more or old.held:
                raise Refused("DuplicateBookingError")
            return name

        def call(at: int, calendar: Calendar) -> Any:
            fields: dict[str, Any] = dict(self.events[name][at].fields)
            return calendar.book(
                old.thing.id, *keys, id=name, quantity=old.quantity + more, if_exists="return", **fields
            )

        self.agree(
            call,
            judge,
            what=f"book({name!r} again, {later}, {more})",
        )

    # -- many changes as one -----------------------------------------------------------------------

    @precondition(lambda self: len(self.open) < 2)
    @rule(kind=st.sampled_from(["transaction", "transaction", "what_if"]))
    def begin_transaction(self, kind: str) -> None:
        """Begin a transaction; the next steps of the history are in it."""
        blocks = [getattr(calendar, kind)() for calendar in self.calendars]
        for block in blocks:
            block.__enter__()
        before = dict(self.events), list(self.released), dict(self.closures)
        self.open.append((kind, blocks, self.oracle.save(), before))

    @precondition(lambda self: self.open)
    @rule(fails=st.booleans())
    def end_transaction(self, fails: bool) -> None:
        """End the innermost transaction: kept, or undone completely."""
        kind, blocks, saved, before = self.open.pop()
        for block in blocks:
            error = ZeroDivisionError() if fails else None
            if block.__exit__(type(error) if fails else None, error, None):
                self.fail("a transaction swallowed an exception")
        if fails or kind == "what_if":
            self.events, self.released, self.closures = before
            self.forget(self.oracle.restore(saved))
            for calendar in self.calendars:  # resources are the user's own to undo; indexes are not
                for resource in calendar.resources:
                    if hasattr(resource, "value"):
                        resource.value = self.oracle.thing(resource.id).value

    def end_all(self) -> None:
        """End every transaction that is open, the inner ones first."""
        while self.open:
            self.end_transaction(False)

    @rule(span=SHORT | SPANS, quantity=st.sampled_from([1, 1, 2]))
    def search_never_lies(self, span: Span, quantity: int) -> None:
        """Try to book every resource: search, booking and explaining agree, and are right."""
        try:
            right = self.oracle.available(*span, quantity)
        except Refused:
            return
        keys = self.keys(span)
        everyone = self.oracle.select(lambda thing: True)
        for calendar in self.calendars:
            accepted, asked, explained = [], [], []
            for id in everyone:
                with calendar.what_if():
                    report = calendar.book_all([{"resource": id, "start": keys[0], "end": keys[1], "quantity": quantity}],
                                               on_conflict="skip")  # fmt: skip
                    accepted += [event.resource.id for event in report.booked]
                asked += [id] if calendar.is_available(id, *keys, quantity=quantity) else []
                explained += [id] if calendar.explain(id, *keys, quantity=quantity).available else []
            what = f"in ({span}, {quantity})"
            self.same(calendar, f"found {what}", calendar.find_available(*keys, quantity=quantity).ids(), right)
            self.same(calendar, f"accepted {what}", accepted, right)
            self.same(calendar, f"available {what}", asked, right)
            self.same(calendar, f"explained {what}", explained, right)


def _last(candidates: list[Any]) -> Any:
    return candidates[-1]


def _request(form: int, thing: Any, start: Any, end: Any, quantity: int) -> Any:
    """Return a request for `Calendar.book_all` in one of its forms; a tuple has no quantity."""
    match form % 3:
        case 0:
            return thing, start, end
        case 1:
            return {"resource": thing, "start": start, "end": end, "quantity": quantity}
        case _:
            return BookingEvent(thing, start, end, quantity=quantity)
