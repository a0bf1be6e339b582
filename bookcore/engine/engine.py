"""`Engine`: the commands. Each first decides, without changing anything; then it commits changes.

`bookcore.calendar` calls them by `Gate.run`, with the lock held for writing. They call each other directly.

    command            decides by                                    commits
    book, hold, add    `KeyFamily.admit`, `Rules.allows`             Booked
    remove             `Ledger.find`                                 Released
    confirm            `Ledger.find`                                 Confirmed
    extend             `Holds.deadline`                              Extended
    move               `Rules.allows_beside`                         Moved
    change             `Rules.allows`, for more units                Changed
    split              `Bookings.allows`                             Released, Booked, Booked
    close, reopen      `KeyFamily.admit`                             Closed, Reopened
    apply              whether the change fits this calendar         the change, with this calendar's own objects

`bookcore.calendar` documents the calls, their errors and their complexity.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from bookcore.engine.bulk_load import load_events, suspects
from bookcore.engine.first_come import Late, find_late
from bookcore.engine.log import Subscription, facts_of, restore_facts
from bookcore.engine.making import changed_event, check_event, field_reader, make_event
from bookcore.engine.opening_hours import suits
from bookcore.engine.requests import book_each, is_several, members, requested
from bookcore.engine.state import CalendarState
from bookcore.model import change as changes
from bookcore.model.closure import Closure
from bookcore.model.errors import (
    LACKING,
    SHOWN,
    BookcoreError,
    ConflictError,
    DuplicateBookingError,
    FieldError,
    HoldExpiredError,
    HoursError,
    InvalidSpanError,
    KeyTypeError,
    QueryError,
    ResourceError,
    ResourceInUseError,
    TransactionError,
    UnknownClosureError,
    attempt,
    blaming,
    brief,
    brief_key,
)
from bookcore.model.event import BookingEvent, unpacked
from bookcore.model.keys import incomparable, normal
from bookcore.model.lengths import is_movable, later
from bookcore.model.report import Refusal, Report
from bookcore.model.resource import check_quantity, shows_capacity
from bookcore.model.typecheck import is_a, is_async, plain_text
from bookcore.stores.record import ResourceRecord

UNSET: Any = object()
"""The default of an argument for which None is a meaningful value."""


class Chooser(Protocol):
    """Chooses the resource that `Engine.book_any` books."""

    def choose(self, start: Any, end: Any, low: Any, high: Any, quantity: int) -> ResourceRecord | None:
        """Return the record of the resource to book, which has room over the span, or None if there is no such resource."""

    def refusal(self, start: Any, end: Any, low: Any, high: Any, quantity: int) -> BookcoreError:
        """Return the error that says why no resource has room."""


P = ParamSpec("P")
T = TypeVar("T")


def all_or_nothing(command: Callable[Concatenate[Any, P], T], ticks: bool = False) -> Callable[Concatenate[Any, P], T]:
    """Make a command a block, so that all its changes are undone if it raises.

    *ticks*: it releases expired holds first, which stay released if it is refused.
    """

    @wraps(command)
    def undoing(self: Engine, /, *args: P.args, **options: P.kwargs) -> T:
        if ticks:
            self._tick()
        return self.state.undoing(True, partial(command, self, *args, **options))

    return undoing


class Engine:
    """The commands of one calendar."""

    __slots__ = ("state",)

    def __init__(self, state: CalendarState) -> None:
        self.state = state

    def _tick(self) -> None:
        if self.state.gate.waiting:
            self.state.tick()

    # -- resources ---------------------------------------------------------------------------------

    def add_resource(
        self, resource: Any, capacity: int | None, before: Any, after: Any, id: Hashable, if_exists: str = "raise"
    ) -> Any:
        """See `Calendar.add_resource`."""
        state = self.state
        or_standing = _is_return(if_exists)
        state.renumber()
        record = state.registry.prepare(resource, capacity, before, after, id, or_standing=or_standing)
        if or_standing and state.registry.by_id.get(record.id) is record:
            return record.resource
        for name in ("before", "after"):
            length = getattr(record, name)
            if length is not None and not state.keys.suit(partial(is_movable, length=length)):
                reason = f"its {name} is {brief_key(length)}, by which the keys of this calendar cannot be moved"
                raise ResourceError(resource, reason)
        facts = record.capacity, record.before, record.after, record.number
        state.commit(changes.ResourceAdded(resource, *facts, id=record.id))
        return resource

    @all_or_nothing
    def remove_resource(self, resource: Any) -> Any:
        """See `Calendar.remove_resource`."""
        state = self.state
        self._tick()
        record = state.registry.record(resource)
        if record.active_count:
            raise ResourceInUseError(record.resource, record.active_count)
        for closure in state.closures.of(record):
            state.commit(changes.Reopened(closure))
        if record.hours is not None:
            state.commit(changes.HoursSet(record.resource, None, record.hours))
        state.commit(state.removal_of(record))
        return record.resource

    # -- booking -----------------------------------------------------------------------------------

    def book(
        self, resource: Any, start: Any, end: Any, id: Hashable, quantity: int, if_exists: str, fields: dict[str, Any]
    ) -> BookingEvent:
        """See `Calendar.book`."""
        state = self.state
        self._tick()
        record = state.registry.record(resource)
        low, high = state.keys.admit(start, end)
        quantity = check_quantity(quantity)
        active = self._same(if_exists, id, record, low, high, quantity, fields)
        if active is not None:
            return active
        return self._book_new(record, start, end, low, high, id, quantity, fields)

    def _book_new(
        self,
        record: ResourceRecord,
        start: Any,
        end: Any,
        low: Any,
        high: Any,
        id: Hashable,
        quantity: int,
        fields: dict[str, Any],
        held: bool = False,
        until: Any = None,
    ) -> BookingEvent:
        """Make an event and book it, or raise and change nothing."""
        cls = self.state.event_type
        event = make_event(cls, record.resource, start, end, quantity, fields)
        as_row = cls is BookingEvent and not fields and low is start and high is end
        return self._book(record, low, high, event, id, held, until, as_row=as_row)

    def _book(
        self,
        record: ResourceRecord,
        low: Any,
        high: Any,
        event: BookingEvent,
        id: Hashable,
        held: bool = False,
        until: Any = None,
        *,
        as_row: bool = False,
        by_bookings_alone: bool = False,
        number: int = 0,
    ) -> BookingEvent:
        """Book an event that has been checked under *id* (None: its number), or raise and change nothing.

        *as_row*: the event carries no more than its row, so the ledger need not keep it. *by_bookings_alone*: closures and
        opening hours are ignored. *number*: the least number that the booking may get.
        """
        state = self.state
        ledger, expired, quantity = state.ledger, state.holds.expired, event._quantity
        try:
            seq = ledger.next_number(number, is_id=id is None)
            name = seq if id is None else id
            taken = None if id is None else ledger.number_of(id)
            ran_out = expired.get(name) if expired else None
        except LACKING:
            raise
        except Exception as exc:  # unhashable, or the code of this id or of another one with the same hash
            why = f"an id must be hashable, and comparable with all ids of the same hash ({type(exc).__name__}: {exc})"
            raise FieldError(type(event), ["id"], why) from exc
        if taken is not None:
            event._id = id
            raise DuplicateBookingError(event, ledger.event(taken))
        if until is not None:
            state.holds.position(until, seq)  # raises where deadlines cannot be compared
        allows = state.rules.bookings.allows if by_bookings_alone else state.rules.allows
        if quantity > record.capacity or not self._has_room(allows, record, low, high, quantity):
            raise self.conflict(record, low, high, event._start, event._end, quantity)
        facts = facts_of(event)
        event._seq = seq
        event._id = name
        event._lock = ledger.lock_of_new(seq) if as_row else None
        event._resource = record.resource
        event._home = ledger
        change, log = changes.Booked(event, held, until, seq, ran_out), state.log
        if log.changes is not None:
            log.handed.append((event, facts))
        try:
            state.commit(change)
        except BaseException:
            if log.latest is not change:  # else it was cut off after the change had been noted
                if log.handed and log.handed[-1][0] is event:
                    log.handed.pop()
                restore_facts(event, facts)
            raise
        return event

    def conflict(
        self,
        record: ResourceRecord,
        low: Any,
        high: Any,
        start: Any,
        end: Any,
        quantity: int,
        ignored: int | None = None,
        before: int | None = None,
    ) -> ConflictError:
        """Return the error that names everything in the way of a span.

        Except the booking with number *ignored*, and those that have the number *before* or a later one.
        """
        state = self.state
        rules = state.rules

        def look() -> tuple[list[BookingEvent], list[str], list[str]]:
            others = [rule for rule in rules.every if rule is not rules.bookings]
            every = (cause for rule in others for cause in rule.causes(record, low, high, quantity, start, end))
            try:
                causes = [cause.short or cause.text for cause in every]
                rows = rules.bookings.rows(record, low, high, quantity, ignored)
                if before is not None:
                    rows = [row for row in rows if row[2] < before]
                near = [rules.bookings.nearness(record, low, high, row) for row in rows[:SHOWN]]
                return state.ledger.events(record, rows), causes, near
            except Exception as exc:
                state.translate_error(exc, low, high)
                raise

        error = ConflictError(record.resource, start, end, quantity=quantity, bounds=state.bounds)
        state.refused(error, record, look)
        return error

    def _same(
        self,
        if_exists: Any,
        id: Any,
        record: ResourceRecord | None,
        low: Any,
        high: Any,
        quantity: int,
        fields: dict[str, Any],
        *,
        or_hold: bool = False,
    ) -> BookingEvent | None:
        """Return the active booking with *id* if it has the requested content, None if there is no such id; else raise.

        *record* None: on any resource. *or_hold*: it may be a hold.
        """
        if not _is_return(if_exists) or id is None:
            return None
        state = self.state
        seq = attempt(lambda: state.ledger.number_of(id), None)  # it may be unhashable
        if seq is None:
            return None
        active = state.ledger.event(seq)
        owner = state.ledger.record(seq)
        try:
            same = (
                (record is None or owner is record)
                and _alike(normal(active._start), low)
                and _alike(normal(active._end), high)
                and active._quantity == quantity
                and dict(active.fields)
                == dict(make_event(state.event_type, owner.resource, active._start, active._end, quantity, fields).fields)
            )
        except (BookcoreError, *LACKING):
            raise
        except Exception:  # a field whose comparison fails
            same = False
        if not same:
            raise DuplicateBookingError(id, active, "its resource, span, quantity or fields are others")
        if not or_hold and state.ledger.is_held(seq):
            raise DuplicateBookingError(id, active, "it is a hold; Calendar.confirm makes it a booking")
        return active

    def add_booking(self, event: BookingEvent) -> BookingEvent:
        """See `Calendar.add_booking`."""
        self._tick()
        low, high, record = self.examine(event)
        return self._book(record, low, high, event, event._id)

    def examine(self, event: Any) -> tuple[Any, Any, ResourceRecord]:
        """Check an event that is to be added; return its span in index form and the record of its resource."""
        check_event(event)
        home: Any = event._home
        if home is not None and home.owns(event):
            raise DuplicateBookingError(event, event)
        record = self.state.registry.record(event._resource)
        low, high = self.state.keys.admit(event._start, event._end)
        event._quantity = check_quantity(event._quantity)
        return low, high, record

    def remove_booking(self, event_or_id: Any) -> BookingEvent:
        """See `Calendar.remove_booking`."""
        state = self.state
        seq, event = self._find(event_or_id)
        state.commit(state.release_of(seq, event))
        return event

    def load(self, rows: list[Any]) -> int:
        """See `Calendar.load`."""
        self._tick()
        state = self.state
        if load_events(state, rows):
            return len(rows)
        if len(rows) >= state.sizes.fewest:
            state.undoing(False, self._book_each, suspects(state, rows, self.examine))
        state.undoing(True, self._book_each, enumerate(rows))  # the first event that cannot be added raises
        return len(rows)

    def _book_each(self, events: Iterable[tuple[int, Any]]) -> None:
        """Book events under the numbers that they have as parts of one load; each comes with its position in that."""
        first = self.state.ledger.last + 1
        for position, event in events:
            low, high, record = self.examine(event)
            self._book(record, low, high, event, event._id, number=first + position)

    # -- holds, moves ------------------------------------------------------------------------------

    def hold(
        self,
        resource: Any,
        start: Any,
        end: Any,
        ttl: Any,
        until: Any,
        id: Hashable,
        quantity: int,
        if_exists: str,
        fields: dict[str, Any],
    ) -> BookingEvent:
        """See `Calendar.hold`."""
        if ttl is not None and until is not None:
            raise QueryError(ttl, "a hold takes ttl (a length) or until (an instant), not both")
        state = self.state
        self._tick()
        past, now = False, None
        if ttl is not None or until is not None:
            until, now = self._deadline(ttl, until)
            past = not now < until
            if past and plain_text(if_exists) != "return":  # an active booking is returned, whatever the deadline
                raise HoldExpiredError(id, until, now)
        record = state.registry.record(resource)
        low, high = state.keys.admit(start, end)
        quantity = check_quantity(quantity)
        active = self._same(if_exists, id, record, low, high, quantity, fields, or_hold=True)
        if active is not None:
            return active
        if past:
            raise HoldExpiredError(id, until, now)
        return self._book_new(record, start, end, low, high, id, quantity, fields, held=True, until=until)

    def confirm(self, event_or_id: Any) -> BookingEvent:
        """See `Calendar.confirm`."""
        state = self.state
        until = state.holds.until
        seq, event = self._find(event_or_id)
        if seq in until:
            state.commit(changes.Confirmed(event, until[seq]))
        return event

    def _find(self, event_or_id: Any) -> tuple[int, BookingEvent]:
        """Return the number and the event of an active booking: the object that the caller gave, unless that was an id.

        Raises: `HoldExpiredError` if it was a hold, else as `Ledger.find`.
        """
        state = self.state
        ledger, holds = state.ledger, state.holds
        until = None
        if state.gate.waiting:
            try:  # before `_tick`, because an expired hold cannot be found by its event any more
                until = holds.until.get(ledger.find(event_or_id))
            except BookcoreError:
                pass
            self._tick()
        try:
            seq = ledger.find(event_or_id)
        except BookcoreError:
            here = not is_a(event_or_id, BookingEvent) or getattr(event_or_id, "_home", None) is ledger
            ran_out = until if until is not None or not here else holds.expired.get(_id_of(event_or_id))
            if ran_out is not None:
                now = None if holds.clock is None else holds.now(state.shown_as)
                raise HoldExpiredError(event_or_id, ran_out, now) from None
            raise
        return seq, event_or_id if issubclass(type(event_or_id), BookingEvent) else ledger.event(seq)

    def extend(self, event_or_id: Any, ttl: Any, until: Any) -> BookingEvent:
        """See `Calendar.extend`."""
        state = self.state
        holds = state.holds
        if (ttl is None) is (until is UNSET):
            raise QueryError(ttl, "extend takes either ttl (a length) or until (an instant, or None for no deadline)")
        seq, event = self._find(event_or_id)
        if seq not in holds.until:
            raise QueryError(event, "is confirmed, so it has no deadline to extend")
        before = holds.until[seq]
        if ttl is not None or until is not None:
            until, _ = self._deadline(ttl, until)
            if before is None:
                raise QueryError(until, "would shorten a hold that has no deadline; remove it and hold anew")
            if (why := incomparable(until, before)) is not None:
                raise KeyTypeError(until, f"cannot be compared with the deadline {brief_key(before)} ({why})")
            if until < before:
                raise QueryError(until, f"lies before the deadline {brief_key(before)}; extend only makes a hold longer")
        if before is not None and (until is None or before < until):
            state.commit(changes.Extended(event, until, before))
        return event

    def move(self, event_or_id: Any, start: Any, end: Any, resource: Any) -> BookingEvent:
        """See `Calendar.move`."""
        state = self.state
        ledger = state.ledger
        seq, old = self._find(event_or_id)
        source = ledger.record(seq)
        target = source if resource is UNSET else state.registry.record(resource)
        new = old._with(
            resource=target.resource,
            start=old._start if start is UNSET else start,
            end=old._end if end is UNSET else end,
        )
        low, high = state.keys.admit(new._start, new._end)
        quantity, rules = new._quantity, state.rules
        if target is source:
            allowed = self._has_room(rules.allows_beside, target, low, high, quantity, seq)
        else:
            allowed = self._has_room(rules.allows, target, low, high, quantity)
        if not allowed:
            raise self.conflict(target, low, high, new._start, new._end, quantity, seq)
        new._seq, new._id, new._home = seq, old._id, ledger
        as_row = old._lock is not None and low is new._start and high is new._end
        new._lock = ledger.next_lock() if as_row else None
        state.commit(changes.Moved(old, new, state.booking_indexes.values_of(seq)))
        return new

    def change(self, event_or_id: Any, quantity: Any, remove: Any, fields: dict[str, Any]) -> BookingEvent:
        """See `Calendar.change`."""
        state = self.state
        removed = _names(remove)
        if quantity is UNSET and not (removed or fields.keys() - {"fields"} or unpacked(state.event_type, fields)):
            raise QueryError(event_or_id, "change takes quantity=..., fields or remove=...: nothing was given to change")
        seq, old = self._find(event_or_id)
        record = state.ledger.record(seq)
        units = old._quantity if quantity is UNSET else check_quantity(quantity)
        return self._change(old, record, changed_event(old, units, fields, removed), by_bookings_alone=False)

    def _change(
        self, old: BookingEvent, record: ResourceRecord, new: BookingEvent, *, by_bookings_alone: bool
    ) -> BookingEvent:
        """Put *new*, which has the same span, in the place of *old*, or raise `ConflictError` and change nothing.

        *by_bookings_alone*: closures and opening hours are ignored.
        """
        state = self.state
        seq: Any = old._seq
        low, high = normal(old._start), normal(old._end)
        more = new._quantity - old._quantity
        if more > 0:
            # the booking itself uses its units over the whole of its reach: there is room if the rest fits beside it
            allows = state.rules.bookings.allows if by_bookings_alone else state.rules.allows
            if new._quantity > record.capacity or not self._has_room(allows, record, low, high, more):
                raise self.conflict(record, low, high, old._start, old._end, new._quantity, seq)
        new._seq, new._id, new._home, new._resource = seq, old._id, state.ledger, record.resource
        as_row = old._lock is not None and type(new) is BookingEvent and not new._fields
        new._lock = state.ledger.next_lock() if as_row else None
        state.commit(changes.Changed(old, new, state.booking_indexes.values_of(seq)))
        return new

    def _deadline(self, ttl: Any, until: Any) -> tuple[Any, Any]:
        """Return the deadline that ``ttl`` or ``until`` asks for, in index form, and the clock's present instant."""
        holds = self.state.holds
        now = holds.now(self.state.shown_as)
        return holds.deadline(later(now, ttl) if ttl is not None else until, now), now

    def _has_room(self, allows: Callable[..., bool], record: ResourceRecord, low: Any, high: Any, *asked: Any) -> bool:
        """Ask a rule. Raises: an error of ours in place of what the store or the keys raise."""
        try:
            return allows(record, low, high, *asked)
        except Exception as exc:
            self.state.translate_error(exc, low, high)
            raise

    @all_or_nothing
    def split(self, event_or_id: Any, at: Any) -> tuple[BookingEvent, BookingEvent]:
        """See `Calendar.split`."""
        state = self.state
        if state.closed:
            raise InvalidSpanError(at, at, "with bounds '[]' both parts would hold the key they are split at")
        seq, event = self._find(event_or_id)
        record = state.ledger.record(seq)
        point = None if at is None else state.keys.point(at)
        low, high = normal(event._start), normal(event._end)
        if point is None or (low is not None and not low < point) or (high is not None and not point < high):
            raise InvalidSpanError(event._start, event._end, f"{brief_key(at)} does not lie strictly inside")
        first, second = event._with(end=at), event._with(start=at)
        second._id = None
        held, until = seq in state.holds.until, state.holds.until.get(seq)
        as_row = event._lock is not None and point is at
        # closures and hours that came after the booking do not prevent a split
        book = partial(self._book, record, held=held, until=until, as_row=as_row, by_bookings_alone=True)
        state.commit(state.release_of(seq, event))
        book(low, point, first, event._id)
        book(point, high, second, None)
        return first, second

    # -- several at once ---------------------------------------------------------------------------

    def book_any(
        self,
        chooser: Chooser,
        start: Any,
        end: Any,
        id: Hashable,
        quantity: int,
        if_exists: str,
        fields: dict[str, Any],
    ) -> BookingEvent:
        """See `Calendar.book_any`."""
        state = self.state
        self._tick()
        low, high = state.keys.admit(start, end)
        quantity = check_quantity(quantity)
        active = self._same(if_exists, id, None, low, high, quantity, fields)
        if active is not None:
            return active
        # of an id that is unhashable, `_book` raises the error
        taken = None if id is None else attempt(lambda: state.ledger.number_of(id), None)
        if taken is not None:
            raise DuplicateBookingError(id, state.ledger.event(taken))
        record = chooser.choose(start, end, low, high, quantity)
        if record is None:
            raise chooser.refusal(start, end, low, high, quantity)
        return self._book_new(record, start, end, low, high, id, quantity, fields)

    @all_or_nothing
    def book_all(self, requests: Sequence[tuple[Any, Any]], skips: tuple[type[BookcoreError], ...]) -> Report:
        """See `Calendar.book_all`; *requests* are pairs of a request and the result of `parsed` for it."""
        self._tick()
        report = self._book_at_once(requests, skips)
        if report is not None:
            return report
        return book_each(
            requests, skips, lambda event, asked: self.add_booking(event) if asked is None else self.book(*asked)
        )

    def _book_at_once(self, requests: Sequence[tuple[Any, Any]], skips: tuple[type[BookcoreError], ...]) -> Report | None:
        """Do what `book_all` does by one load; or change nothing and return None, so that all are booked one by one."""
        state = self.state
        first = state.ledger.last + 1
        if len(requests) < state.sizes.fewest:
            return None
        try:
            events = [request if arguments is None else requested(state, *arguments) for request, arguments in requests]
            late = find_late(state, events)
        except LACKING:
            raise
        except Exception:  # booking one by one meets the same error at the turn of its request
            return None
        if late is None or not all(
            issubclass(DuplicateBookingError if each.is_duplicate else ConflictError, skips) for each in late
        ):
            return None
        places = {each.position for each in late}
        booked = [event for place, event in enumerate(events) if place not in places] if late else events
        if not load_events(state, booked):
            return None
        refused = [Refusal(requests[each.position][0], self._refusal(events[each.position], first, each)) for each in late]
        return Report(tuple(booked), tuple(refused))

    def _refusal(self, event: BookingEvent, first: int, late: Late) -> BookcoreError:
        """Return the error that `book` would have raised for an event, if only the earlier ones of its load were booked."""
        state = self.state
        record = state.registry.record(event._resource)
        if late.is_duplicate:
            standing: Any = state.ledger.number_of(event._id)
            return DuplicateBookingError(event, state.ledger.event(standing))
        low, high = normal(event._start), normal(event._end)
        return self.conflict(record, low, high, event._start, event._end, 1, before=first + late.earlier)

    # -- closures and hours ------------------------------------------------------------------------

    def close(self, resource: Any, start: Any, end: Any, reason: str) -> Closure:
        """See `Calendar.close`."""
        named = {"resource": resource, "start": start, "end": end}
        if missing := [name for name, given in named.items() if given is UNSET]:
            what = "close(resource, start, end) closes a resource, and lacks these"
            ends = "without any it closes a calendar from Calendar.open(directory), and others need no closing"
            raise QueryError(missing, f"{what}; {ends}")
        text = plain_text(reason)
        if text is None:
            raise QueryError(reason, "the reason of a closure is a text")
        state = self.state
        self._tick()
        record = state.registry.record(resource)
        low, high = state.keys.admit(start, end)
        active = tuple(state.ledger.events(record, state.store.overlapping(record, low, high)))
        closure = Closure(record.resource, start, end, text, state.closures.last_id + 1, active)
        state.commit(changes.Closed(closure))
        return closure

    @all_or_nothing
    def close_all(self, resources: Any, start: Any, end: Any, reason: str) -> tuple[Closure, ...]:
        """See `Calendar.close_all`."""
        self._tick()
        self.state.keys.admit(start, end)  # checks the span also if there are no resources
        return tuple(self.close(record.resource, start, end, reason) for record in self._each(resources))

    def reopen(self, closure: Closure) -> None:
        """See `Calendar.reopen`."""
        state = self.state
        if not is_a(closure, Closure) or state.closures.by_id.get(closure.id) is not closure:
            raise UnknownClosureError(closure)
        state.commit(changes.Reopened(closure))

    @all_or_nothing
    def set_hours(self, resources: Any, hours: Any) -> None:
        """See `Calendar.set_hours`."""
        if hours is not None:
            from bookcore.hours.opening_hours import Hours

            if not is_a(hours, Hours):
                raise HoursError(hours, "is no bookcore.hours.Hours")
        state = self.state
        self._tick()
        if hours is not None:
            state.keys.check_datetimes(hours.zone is not None)
            if not state.keys.suit(lambda key: suits(hours, key, None)):
                state.keys.suit(lambda key: hours.points(key, None))  # raises the error with the reason
        for record in self._each(resources):
            state.commit(changes.HoursSet(record.resource, hours, record.hours))

    def set_capacity(self, resource: Any, capacity: int) -> None:
        """See `Calendar.set_capacity`."""
        state = self.state
        self._tick()
        record = state.registry.record(resource)
        capacity = check_quantity(capacity, "capacity")
        if capacity != record.capacity:
            follows = shows_capacity(record.resource, record.capacity)
            state.commit(changes.CapacitySet(record.resource, capacity, record.capacity, follows))

    def _each(self, resources: Any) -> list[ResourceRecord]:
        """Return the records of a resource, an id, a selection or an iterable of resources or ids. The lock is held."""
        registry = self.state.registry
        try:
            return [registry.record(resources)]
        except BookcoreError:
            if not is_several(resources):
                raise
        return list(map(registry.record, members(resources, self.state.home)))

    # -- tags and indexes --------------------------------------------------------------------------

    @all_or_nothing
    def tag(self, resource: Any, labels: tuple[Hashable, ...], on: bool) -> None:
        """See `Calendar.tag` and `Calendar.untag`."""
        state = self.state
        record = state.registry.record(resource)
        with blaming(lambda exc: QueryError(label, "a label must be hashable")):
            for label in labels:
                hash(label)
        new: dict[Hashable, None] = {}
        wrong = "cannot be used as a label"
        with blaming(lambda exc: QueryError(label, f"{wrong} ({type(exc).__name__})"), BookcoreError):
            for label in labels:  # all comparisons of labels come before the first change
                if state.registry.has_label(record, label) is not on:
                    new[label] = None
        make = changes.Tagged if on else changes.Untagged
        for label in new:
            state.commit(make(record.resource, label))

    def create_index(self, name: str, key: Callable[[Any], Any]) -> str:
        """See `Calendar.create_index`."""
        text = plain_text(name)  # a plain str, because a subclass of str need not be hashable
        if text is None or not callable(key):
            raise QueryError(name if callable(key) else key, "create_index takes a name and key=a function")
        self.state.commit(changes.IndexCreated(text, key))
        return text

    def create_booking_index(self, name: str, key: Callable[[Any], Any] | None) -> str:
        """See `Calendar.create_booking_index`."""
        text = plain_text(name)
        if text is None or not (key is None or callable(key)):
            raise QueryError(name if text is None else key, "create_booking_index takes a name and key=a function")
        if key is None:
            key = field_reader(text, self.state.event_type, self.state.ledger.all)
        self._tick()
        self.state.commit(changes.IndexCreated(text, key, of_bookings=True))
        return text

    def reindex(self, resource: Any) -> None:
        """See `Calendar.reindex`."""
        state = self.state
        record = state.registry.record(resource)
        state.commit(changes.Reindexed(record.resource, state.registry.held(record)))

    # -- changes -----------------------------------------------------------------------------------

    def subscribe(self, callback: Callable[[changes.Change], Any]) -> Callable[[], None]:
        """See `Calendar.subscribe`."""
        if not callable(callback):
            raise QueryError(callback, "a subscriber is a function of one change")
        if is_async(callback):
            raise QueryError(callback, "is async, and would not be awaited: a subscriber may put the change into a queue")
        gate, log, subscription = self.state.gate, self.state.log, Subscription(callback)
        gate.ask(False, log.subscribe, subscription)

        def unsubscribe() -> None:
            with gate.lock:  # not `gate.ask`: it may be called at any time, in a finalizer or while a block is open
                log.unsubscribe(subscription)

        return unsubscribe

    def apply(self, change: changes.Change) -> None:
        """See `Calendar.apply`."""
        if not is_a(change, changes.Change):
            raise TransactionError(f"{brief(change)} is no change")
        if not _is_whole(change):
            raise TransactionError(f"{brief(change)} lacks the record it tells of")
        state = self.state
        ledger, twin = state.ledger, state.registry.twin
        match change:
            case changes.ResourceAdded(resource, capacity, before, after):
                state.renumber()  # not in the block of `_apply_resource`, whose changes have numbers
                self._apply_resource(resource, capacity, before, after, change.id, change.labels)
            case changes.ResourceRemoved(resource):
                self.remove_resource(twin(resource).resource if change.id is None else change.id)
            case changes.Booked(event, held, until):
                self._apply_booked(event, held, until, change.number or event._seq or 1)
            case changes.Confirmed(event):
                self.confirm(event._id)
            case changes.Held(event, until):
                state.commit(changes.Held(ledger.event(ledger.find(event._id)), until))
            case changes.Extended(event, until):
                seq = ledger.find(event._id)
                if seq not in state.holds.until:
                    raise TransactionError(f"{brief(change)} is about a hold, and the booking is confirmed here")
                state.commit(changes.Extended(ledger.event(seq), until, state.holds.until[seq]))
            case changes.Released(event, expired):
                until = change.until if expired else None
                state.commit(state.release_of(ledger.find(event._id), expired=expired, until=until))
            case changes.Moved(before, after):
                self.move(before._id, after._start, after._end, twin(after._resource).resource)
            case changes.Changed(before, after):
                seq = ledger.find(before._id)
                copy = after._with(resource=ledger.record(seq).resource)
                copy._quantity = check_quantity(copy._quantity)
                # the leader's closures and hours do not count, as for `Booked`
                self._change(ledger.event(seq), ledger.record(seq), copy, by_bookings_alone=True)
            case changes.Closed(closure):
                if closure.id in state.closures.by_id:
                    raise TransactionError(f"closure {closure.id} is in this calendar already: {brief(closure)}")
                record = twin(closure.resource)
                state.keys.admit(closure.start, closure.end)
                here = tuple(self._own(event) for event in closure.overlapping)
                reason: Any = plain_text(closure.reason)
                state.commit(changes.Closed(replace(closure, resource=record.resource, reason=reason, overlapping=here)))
            case changes.Reopened(closure):
                known = state.closures.by_id.get(closure.id)
                if known is None:
                    raise UnknownClosureError(closure)
                state.commit(changes.Reopened(known))
            case changes.HoursSet(resource, hours):
                self.set_hours(twin(resource).resource, hours)
            case changes.CapacitySet(resource, capacity):
                self.set_capacity(twin(resource).resource, capacity)
            case changes.Tagged(resource, label):
                self.tag(twin(resource).resource, (label,), True)
            case changes.Untagged(resource, label):
                self.tag(twin(resource).resource, (label,), False)
            case changes.IndexCreated(name, key):
                (self.create_booking_index if change.of_bookings else self.create_index)(name, key)
            case changes.IndexDropped():
                state.commit(change)
            case changes.Reindexed(resource):
                self.reindex(twin(resource).resource)
            case _:
                raise TransactionError(f"{brief(change)} is no change")

    @all_or_nothing
    def _apply_resource(
        self, resource: Any, capacity: int | None, before: Any, after: Any, id: Hashable, labels: Any
    ) -> None:
        # None would ask the object itself
        self.add_resource(resource, capacity, 0 if before is None else before, 0 if after is None else after, id)
        if labels:
            self.tag(resource, labels, True)

    def _own(self, event: BookingEvent) -> BookingEvent:
        """Return this calendar's booking with the id of another calendar's event, or that event if there is none."""
        seq = self.state.ledger.number_of(event._id)
        return event if seq is None else self.state.ledger.event(seq)

    def _apply_booked(self, event: BookingEvent, held: bool, until: Any, number: int) -> None:
        copy = event._with(resource=self.state.registry.twin(event._resource).resource)
        low, high, record = self.examine(copy)
        as_row = event._lock is not None
        # the leader's closures and hours do not count: a split booking may be where its resource was closed later
        book = partial(self._book, as_row=as_row, by_bookings_alone=True, number=number)
        book(record, low, high, copy, event._id, held, until)


_RECORDS: dict[type, tuple[str, ...]] = {
    changes.Booked: ("event",),
    changes.Confirmed: ("event",),
    changes.Held: ("event",),
    changes.Extended: ("event",),
    changes.Released: ("event",),
    changes.Moved: ("before", "after"),
    changes.Changed: ("before", "after"),
    changes.Closed: ("closure",),
    changes.Reopened: ("closure",),
}
"""The fields in which a change carries a booking or a closure."""

_FACTS = ("_resource", "_start", "_end", "_id", "_quantity")


def _is_whole(change: Any) -> bool:
    """Tell whether the bookings and closures of a change are of the right types; its class does not check them."""
    closes = type(change) in (changes.Closed, changes.Reopened)
    for name in _RECORDS.get(type(change), ()):
        record = getattr(change, name, None)
        if closes:
            if not is_a(record, Closure) or type(record.id) is not int or plain_text(record.reason) is None:
                return False
        elif not is_a(record, BookingEvent) or not all(hasattr(record, fact) for fact in _FACTS):
            return False
    return True


def _names(remove: Any) -> list[str]:
    """Return the names of the fields that `Calendar.change` removes. Raises: `QueryError`."""
    none: list[str | None] = [None]
    names = attempt(lambda: [plain_text(name) for name in remove], none) if plain_text(remove) is None else none
    if None in names:
        raise QueryError(remove, "remove is an iterable of names of fields: remove=[...]")
    return [name for name in names if name is not None]


def _id_of(event_or_id: Any) -> Any:
    id = getattr(event_or_id, "_id", None) if is_a(event_or_id, BookingEvent) else event_or_id
    return None if attempt(lambda: hash(id), None) is None else id


def _is_return(if_exists: Any) -> bool:
    """Tell whether what is there already is to be returned. Raises: `QueryError`."""
    how = plain_text(if_exists)
    if how not in ("raise", "return"):
        raise QueryError(if_exists, "if_exists is 'raise' or 'return'")
    return how == "return"


def _alike(key: Any, requested: Any) -> bool:
    """Tell whether two keys, or Nones, are the same point."""
    if key is None or requested is None:
        return key is requested
    return not key < requested and not requested < key
