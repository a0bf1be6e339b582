"""`PartitionedCalendar`: the calls of `Calendar`, on a calendar in partitions.

    about a resource      the partition that its id says                            `_ask`, `_command`
    about a booking       the partition that has it in memory; else all catch up    `_on_booking`
    about all             each partition; counts are added, lists are merged
    about several         a `JointTransaction` of their partitions

Each partition is a `Calendar`, which documents the calls. Their signatures are the same here, and of a call that is only
passed on there is nothing else, see `_passed_on`; what makes no sense here is refused by name.
"""

# of a call that is passed on there is no body:
# mypy: disable-error-code="empty-body"

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial, wraps
from operator import attrgetter, itemgetter
from time import monotonic
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from bookcore.engine.engine import UNSET
from bookcore.engine.requests import book_each, is_several, listed, members, parsed, skipped
from bookcore.model.change import IndexCreated
from bookcore.model.closure import Closure
from bookcore.model.errors import (
    LACKING,
    BookcoreError,
    ConflictError,
    DuplicateBookingError,
    DuplicateResourceError,
    NoneAvailableError,
    QueryError,
    TransactionError,
    UnknownBookingError,
    UnknownResourceError,
    attempt,
)
from bookcore.model.event import BookingEvent
from bookcore.model.explanation import Explanation, State
from bookcore.model.generic import IfExists
from bookcore.model.numpy_scalars import python_int
from bookcore.model.report import Report
from bookcore.model.resource import Resource
from bookcore.model.timeouts import check_timeout
from bookcore.model.typecheck import is_a, plain_text
from bookcore.persist.journal.errors import PartitionNotHeldError
from bookcore.persist.journal.past import PastRecorder
from bookcore.persist.shared.partitioned.choosing import chosen, none_available
from bookcore.persist.shared.partitioned.division import EPOCH, RANGE, key_of, misplaced, noted_in, owner_of
from bookcore.persist.shared.partitioned.joint import JointTransaction
from bookcore.persist.shared.partitioned.merging import by_start, digest_of, slots_in_order
from bookcore.persist.shared.partitioned.parts import DIRECTORY, Part
from bookcore.persist.shared.partitioned.registration import LAST, Registration
from bookcore.persist.shared.partitioned.routing import partition_of
from bookcore.persist.shared.partitioned.selection import (
    PartitionedIndex,
    PartitionedSelection,
    terms_in_parts,
)
from bookcore.persist.shared.pgschema import Address
from bookcore.query.choice import Choice
from bookcore.query.selection import Selection

_COPY = "`bookcore copy` or copy_calendar takes it to a snapshot file, and anywhere else"
REFUSED = {
    "snapshot": _COPY,
    "restore": _COPY,
    "open": "it is Calendar.open",
    "apply": "it follows other processes by itself; `subscribe` of it tells a calendar in memory what to apply",
    "salvaged": "a database is repaired by its own means",
}
"""Calls of `Calendar` that are not here, and what is done in place of them."""
F = TypeVar("F", bound=Callable[..., Any])


def _passed_on(by: Callable[..., Any]) -> Callable[[F], F]:
    """Return a decorator that makes a call of a signature: it calls *by* with its name and its arguments."""

    def decorate(signature: F) -> F:
        name = signature.__name__

        @wraps(signature)
        def call(self: PartitionedCalendar, /, *args: Any, **options: Any) -> Any:
            try:
                return by(self, name, *args, **options)
            except TypeError:
                inspect.signature(signature).bind(self, *args, **options)  # raises if the arguments are to blame
                raise

        call.__doc__ = f"See `Calendar.{name}`."
        return cast("F", call)

    return decorate


class PartitionedCalendar:
    """See `bookcore.calendar.Calendar`, and ``docs/shared.md`` for what is different. `Calendar.open` makes it.

    ``parts`` are the partitions that it holds, in ascending order; ``partitions`` is how many there are.
    """

    def __init__(
        self, where: Address, directory: Part, parts: Sequence[Part], key: Callable[[Any], Hashable] | None,
        idle: list[Any], news: Any,
    ) -> None:  # fmt: skip
        """*idle* are connections to write with, *news* bring what others have done, or refuse to, and close all parts."""
        self.name, self.partitions, self.directory, self.parts = where.name, where.partitions or 0, directory, tuple(parts)
        self._divided, self._key_function, self._idle, self.news = where.whole, key, idle, news
        self._by_number = {part.number: part for part in parts}
        self.registration = Registration([[] for _ in (directory, *parts)])  # made anew by a question about all
        self._thread = threading.local()
        for part in (directory, *parts):
            part.state.shown_as = self

    if not TYPE_CHECKING:  # pragma: no branch - a type checker alone goes on, and knows what is there

        def __getattr__(self, name):
            if name in REFUSED:
                raise QueryError(self, f"has no {name}, because it is in partitions: {REFUSED[name]}")
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    # -- which partition ---------------------------------------------------------------------------

    @property
    def _is_whole(self) -> bool:
        return len(self.parts) == self.partitions

    def _id_of(self, resource: Any) -> Any:
        """Return the id of a resource, given as an object or an id."""
        if type(resource) is str or type(resource) is int:
            return resource
        for part in self.parts:
            record = part.state.registry.renamed.get(id(resource))
            if record is not None and record.resource is resource:
                return record.id
        return self.parts[0].state.registry.id_of(resource)

    def _number_of(self, resource: Any) -> int | None:
        """Return the number of the partition of a resource; None for what has no id that can be written."""
        try:
            return partition_of(self._id_of(resource), self.partitions)
        except (BookcoreError, *LACKING):
            raise
        except Exception:  # the object's own code, or a value that no codec writes
            return None

    def _part(self, number: int | None, what: Any) -> Part:
        """Return a partition. Raises: `PartitionNotHeldError`, which names *what* was asked for."""
        if number is None:  # any of them says what is wrong
            return self.parts[0]
        part = self._by_number.get(number)
        if part is None:
            raise PartitionNotHeldError(self.name, what, (number,), self.held)
        return part

    def _of_resource(self, resource: Any) -> Part:
        return self._part(self._number_of(resource), resource)

    @property
    def held(self) -> tuple[int, ...]:
        """The numbers of the partitions that it holds."""
        return tuple(self._by_number)

    @property
    def _not_held(self) -> tuple[int, ...]:
        return tuple(number for number in range(self.partitions) if number not in self._by_number)

    def partition_of(self, resource: Any) -> int:
        """Return the number of the partition that a resource is in, or would be; it may be given by its id."""
        number = self._number_of(resource)
        if number is None:
            raise UnknownResourceError(resource, None)
        return number

    def _writable(self, part: Part) -> Part:
        """Return a partition that is to be changed. Raises: `TransactionError` if the open transaction is not about it."""
        block = self._block()
        if block is not None and part.number not in block.numbers:
            what = "the directory" if part.number == DIRECTORY else f"partition {part.number}"
            way = "name its resources in transaction(...), or none of them, which takes all partitions"
            raise TransactionError(f"the open transaction is not about {what}: {way}")
        return part

    def _ask(self, name: str, /, resource: Any, *args: Any, **options: Any) -> Any:
        """Call a method of the partition of a resource that asks."""
        return getattr(self._of_resource(resource).calendar, name)(resource, *args, **options)

    def _command(self, name: str, /, resource: Any, *args: Any, **options: Any) -> Any:
        """Call a method of the partition of a resource that changes something."""
        return getattr(self._writable(self._of_resource(resource)).calendar, name)(resource, *args, **options)

    def _with_booking(self, booking: Any) -> Part | None:
        """Return the partition in whose memory a booking is, given as an event or an id."""
        return next((part for part in self.parts if booking in part.calendar), None)

    def _lacking(self, booking: Any) -> Part:
        """Return the partition that knows best why a booking is not there.

        Raises: `PartitionNotHeldError` for an id that a partition which is not held may have, though a hold with it ran out.
        """
        is_event = is_a(booking, BookingEvent)
        if not self._is_whole and not is_event:
            raise PartitionNotHeldError(self.name, f"booking {booking!r}", self._not_held, self.held)
        id = booking.id if is_event else booking
        for part in self.parts:
            try:
                if id in part.state.holds.expired:
                    return part
            except TypeError:  # unhashable
                break
        return self._of_resource(booking._resource) if is_event else self.parts[0]

    def _on_booking(self, name: str, /, event_or_id: Any, *args: Any, **options: Any) -> Any:
        """Call a method of the partition that has a booking."""

        def call(part: Part) -> Any:
            return getattr(self._writable(part).calendar, name)(event_or_id, *args, **options)

        return self._where_booked(event_or_id, call)

    def _where_booked(self, booking: Any, call: Callable[[Part], Any]) -> Any:
        """Call something with the partition that has a booking."""
        part = self._with_booking(booking)
        if part is not None:
            try:
                return call(part)
            except UnknownBookingError:  # memory was not up to date: it may have moved to another one
                pass
        if self._block() is None:
            self.catch_up()
        return call(self._with_booking(booking) or self._lacking(booking))

    # -- resources ---------------------------------------------------------------------------------

    def add_resource(
        self, resource: Any, *, capacity: Any = None, before: Any = None, after: Any = None, id: Hashable = None,
        if_exists: Any = "raise",
    ) -> Any:  # fmt: skip
        """See `Calendar.add_resource`. It is a transaction of the directory and the partition of the resource."""
        options = {"capacity": capacity, "before": before, "after": after, "id": id, "if_exists": if_exists}
        make: Any = self._key_function or attrgetter("id")
        # where one of these fails, the partition says what is wrong
        key: Any = attempt(lambda: make(resource), None) if id is None else id
        number = None if key is None else attempt(lambda: partition_of(key, self.partitions), None)
        part = self._part(number, key)
        if number is None or plain_text(if_exists) not in ("raise", "return"):
            return part.calendar.add_resource(resource, **options)
        for holder in self.parts:
            known = holder.state.registry.find(resource)
            if holder is not part and known is not None and known.resource is resource:
                raise DuplicateResourceError(resource, known.id)
        if self._block() is not None and part.state.registry.with_id(key) is not None:  # else memory may be behind
            return self._writable(part).calendar.add_resource(resource, **options)
        with self._joint([self.directory, part]):
            added = part.calendar.add_resource(resource, **options)
            if self.directory.state.registry.with_id(key) is None:
                self.directory.calendar.add_resource(Resource(key))
        return added

    def remove_resource(self, resource: Any) -> Any:
        """See `Calendar.remove_resource`. It is a transaction of the directory and the partition of the resource."""
        part = self._of_resource(resource)
        with self._joint([self.directory, part]):
            key = part.state.registry.id_of(resource)
            removed = part.calendar.remove_resource(resource)
            self.directory.calendar.remove_resource(key)
        return removed

    def resource(self, id: Hashable) -> Any:
        """See `Calendar.resource`."""
        return self._of_resource(id).calendar.resource(id)

    @property
    def resources(self) -> PartitionedSelection:
        """See `Calendar.resources`: those of the partitions that it holds."""
        return PartitionedSelection(self, [part.calendar.resources for part in self.parts])

    @_passed_on(_command)
    def set_capacity(self, resource: Any, capacity: int) -> None: ...
    @_passed_on(_command)
    def tag(self, resource: Any, *labels: Hashable) -> None: ...
    @_passed_on(_command)
    def untag(self, resource: Any, *labels: Hashable) -> None: ...
    @_passed_on(_ask)
    def tags_of(self, resource: Any) -> frozenset[Hashable]: ...
    @_passed_on(_command)
    def reindex(self, resource: Any) -> None: ...

    def places(self, ids: Sequence[Any]) -> list[int]:
        """Return numbers that are in the order of registration of the resources with these ids."""
        by_id = self.directory.state.registry.by_id

        def found() -> list[int]:
            records = map(by_id.get, ids)
            return [LAST if record is None else record.number for record in records]

        return self.directory.state.gate.ask(False, found)

    def _place_of(self, resource: Any) -> int:
        return self.places([self._id_of(resource)])[0]

    def in_order(self, ids: Iterable[Any]) -> list[Any]:
        """Return ids of resources in order of registration, also of those in partitions that it does not hold.

        So the lists of several processes become one.
        """
        given = list(ids)
        return [id for _, _, id in sorted(zip(self.places(given), range(len(given)), given, strict=True))]

    # -- booking -----------------------------------------------------------------------------------

    def _book(self, name: str, /, resource: Any, *args: Any, id: Hashable = None, **options: Any) -> Any:
        """Call a method of the partition of a resource that books under an id, if one is given."""
        part = self._writable(self._of_resource(resource))
        return self._named(id, part, lambda: getattr(part.calendar, name)(resource, *args, id=id, **options))

    @_passed_on(_book)
    def book(
        self, /, resource: Any, start: Any, end: Any, *, id: Hashable = None, quantity: int = 1,
        if_exists: IfExists = "raise", **fields: Any,
    ) -> Any: ...  # fmt: skip
    @_passed_on(_book)
    def hold(
        self, /, resource: Any, start: Any, end: Any, *, ttl: Any = None, until: Any = None, id: Hashable = None,
        quantity: int = 1, if_exists: IfExists = "raise", **fields: Any,
    ) -> Any: ...  # fmt: skip

    def add_booking(self, event: Any) -> Any:
        """See `Calendar.add_booking`."""
        if not is_a(event, BookingEvent):
            return self.parts[0].calendar.add_booking(event)
        if event.owns_lock:
            raise DuplicateBookingError(event, event)
        part = self._writable(self._of_resource(event._resource))
        return self._named(event._id, part, lambda: part.calendar.add_booking(event))

    def _named(self, id: Any, part: Part, book: Callable[[], Any]) -> Any:
        """Book under an id that the program gave, which no booking of another partition may have.

        Memory may be behind: the database decides, and what it refuses is looked up.
        """
        if id is None:
            return book()
        self._check_id(id, part)
        if self._elsewhere(id, part) is not None:
            self._settle()
            self._refuse_elsewhere(id, part)
        try:
            return book()
        except DuplicateBookingError as exc:
            if exc.standing is not None:
                raise
        self._settle()  # a hold that ran out has its id until a record says that it did
        self._refuse_elsewhere(id, part)
        return book()

    def _check_id(self, id: Any, part: Part) -> None:
        """Raise `QueryError` for a number that another partition may yet give."""
        number = python_int(id)
        if number is None or number <= RANGE or number <= part.state.ledger.last // EPOCH * EPOCH:
            return
        owner = self._by_number.get(owner_of(number))
        if owner is not part and (owner is None or number > owner.state.ledger.last):
            raise QueryError(id, f"numbers above {RANGE} are given by the calendar: take a text, or a smaller number")

    def _elsewhere(self, id: Any, part: Part) -> Any:
        """Return the booking with an id in another partition, as far as memory knows."""
        where = self._with_booking(id)
        return None if where is None or where is part else where.calendar.get(id)

    def _refuse_elsewhere(self, id: Any, part: Part) -> None:
        standing = self._elsewhere(id, part)
        if standing is not None:
            raise DuplicateBookingError(id, standing, "in another partition")

    def _settle(self) -> None:
        """Bring memory up to date, and have the holds that ran out recorded."""
        if self._block() is None:
            self.catch_up()
            for part in self.parts:
                part.recorder.record_what_is_pending()

    def load(self, events: Iterable[Any]) -> int:
        """See `Calendar.load`."""
        rows = listed(events)
        if not rows or not all(is_a(event, BookingEvent) for event in rows):
            return int(self.parts[0].calendar.load(rows))
        groups = self._grouped(rows, lambda event: event._resource)
        named = [(event._id, part) for part, events_of_part in groups for event in events_of_part if event._id is not None]
        for id, part in named:
            self._check_id(id, part)
        ledgers = [part.state.ledger for part in self.parts]
        # an id whose own code raises is looked up as any other id is that may be taken
        taken = attempt(lambda: [pair for pair in named if any(each.number_of(pair[0]) for each in ledgers)], named)
        if taken:
            self._settle()
            for id, part in taken:
                self._refuse_elsewhere(id, part)
        with self._joint([part for part, _ in groups]):
            return sum(part.calendar.load(events_of_part) for part, events_of_part in groups)

    def _grouped(self, items: Iterable[Any], resource_of: Callable[[Any], Any]) -> list[tuple[Part, list[Any]]]:
        """Return items by partition, in ascending order."""
        groups: dict[int, tuple[Part, list[Any]]] = {}
        for item in items:
            part = self._of_resource(resource_of(item))
            groups.setdefault(part.number, (part, []))[1].append(item)
        return [group for _, group in sorted(groups.items())]

    def book_all(self, requests: Iterable[Any], on_conflict: Any = "raise") -> Report[Any]:
        """See `Calendar.book_all`: one transaction of the partitions of all requests."""
        pairs, skips = parsed(requests), skipped(on_conflict)
        asked = [
            _resource_and_id(request, arguments)
            for request, arguments in pairs
            if not is_a(arguments, BookcoreError)
        ]
        parts = [part for part, _ in self._grouped(asked, itemgetter(0))]
        noted: dict[bytes, int] = {}
        while True:
            try:
                with self._joint(parts or self.parts[:1]):
                    return book_each(pairs, skips, partial(self._booked, noted))
            except DuplicateBookingError as exc:
                if exc.request is not None or self._block() is not None:
                    raise
                # It was the commit that the database refused, for an id that memory does not know.
                known, noted = noted, self._noted([id for _, id in asked if id is not None])
                if known == noted:
                    raise

    def _noted(self, ids: Iterable[Any]) -> dict[bytes, int]:
        """Return the keys of those ids that the database knows, and in which partitions their bookings are."""
        self._settle()
        with self.directory.recorder.journal.reading() as connection:
            return noted_in(connection, self._divided, map(_key_of, ids))

    def _booked(self, noted: dict[bytes, int], request: Any, arguments: Any) -> Any:
        if noted:
            resource, id = _resource_and_id(request, arguments)
            number = self._number_of(resource)
            if id is not None and noted.get(_key_of(id), number) != number:
                raise DuplicateBookingError(id, None, "in another partition")
        if arguments is None:
            return self.add_booking(request)
        resource, start, end, id, quantity, if_exists, fields = arguments
        return self.book(resource, start, end, id=id, quantity=quantity, if_exists=if_exists, **fields)

    def book_any(
        self, /, selection: Any, start: Any, end: Any, *, strategy: Any = "first", id: Hashable = None,
        quantity: int = 1, if_exists: Any = "raise", **fields: Any,
    ) -> Any:  # fmt: skip
        """See `Calendar.book_any`. No other partition is locked: if a choice is taken meanwhile, it chooses again."""
        options: dict[str, Any] = {"id": id, "quantity": quantity, "if_exists": if_exists, **fields}
        first = self.parts[0]
        Choice(first.calendar._planner, [], strategy, first.calendar._engine.conflict)
        if self._block() is None:
            self.catch_up()
        standing = None if id is None else self._with_booking(id)
        if standing is not None:  # it is what is asked for, or refused
            with suppress(NoneAvailableError):  # it was released meanwhile
                return standing.calendar.book_any([], start, end, **options)
        terms = [term for (term,) in terms_in_parts([selection], self)]
        self._check_held(terms[0])
        order = selection._order if is_a(selection, PartitionedSelection) else None
        candidates = PartitionedSelection(self, [
            part.calendar.find_available(start, end, term, quantity=quantity)
            for part, term in zip(self.parts, terms, strict=True)
        ], order)  # fmt: skip
        before: Any = None
        while True:
            choice = chosen(candidates, strategy, start, end, quantity)
            if choice is None:
                raise none_available(self.parts, terms, start, end, quantity, self._place_of)
            part, record = self._writable(choice.part), choice.record
            try:
                return self._named(id, part, partial(part.calendar.book, record.resource, start, end, **options))
            except ConflictError:
                if before is record or self._block() is not None:
                    raise
                before = record
                self.catch_up()

    def _check_held(self, term: Any) -> None:
        """Raise `PartitionNotHeldError` for a resource that a term lists, and that is in a partition which is not held."""
        if self._is_whole or not is_several(term) or is_a(term, Selection):
            return
        nothing: list[Any] = []
        for item in attempt(lambda: list(term), nothing):  # a partition says what is wrong with it
            number = attempt(partial(self._number_of, item), None)
            if number is None or self.directory.state.registry.with_id(self._id_of(item)) is None:
                self._check_held(item)
            elif number not in self._by_number:
                raise PartitionNotHeldError(self.name, item, (number,), self.held)

    @_passed_on(_on_booking)
    def remove_booking(self, event_or_id: Hashable) -> Any: ...
    @_passed_on(_on_booking)
    def confirm(self, event_or_id: Hashable) -> Any: ...
    @_passed_on(_on_booking)
    def extend(self, event_or_id: Hashable, *, ttl: Any = None, until: Any = UNSET) -> Any: ...
    @_passed_on(_on_booking)
    def change(
        self, /, event_or_id: Hashable, *, quantity: int = UNSET, remove: Iterable[str] = (), **fields: Any
    ) -> Any: ...
    @_passed_on(_on_booking)
    def split(self, event_or_id: Hashable, at: Any) -> tuple[Any, Any]: ...

    def move(self, event_or_id: Any, *, start: Any = UNSET, end: Any = UNSET, resource: Any = UNSET) -> Any:
        """See `Calendar.move`. To a resource of another partition: booked there and released here, in one transaction."""

        def call(part: Part) -> Any:
            target = part if resource is UNSET else self._of_resource(resource)
            if target is part:
                return self._writable(part).calendar.move(event_or_id, start=start, end=end, resource=resource)
            with self._joint(sorted([part, target])):
                return self._carry(part, target, event_or_id, resource, start, end)

        return self._where_booked(event_or_id, call)

    def _carry(self, part: Part, target: Part, booking: Any, resource: Any, start: Any, end: Any) -> Any:
        old = part.calendar.get(booking)
        until = part.state.holds.until
        held, deadline = old._seq in until, until.get(old._seq)
        engine, state = target.calendar._engine, target.state
        new = old._with(
            resource=state.registry.record(resource).resource,
            start=old._start if start is UNSET else start,
            end=old._end if end is UNSET else end,
        )

        def book() -> Any:
            low, high, record = engine.examine(new)
            return state.undoing(True, lambda: engine._book(record, low, high, new, old._id, held, deadline))

        moved = state.gate.run(book)
        part.calendar.remove_booking(old)
        return moved

    # -- bookings ----------------------------------------------------------------------------------

    def bookings(self, resource: Any = None, start: Any = None, end: Any = None) -> Iterator[Any]:
        """See `Calendar.bookings`. Of bookings with the same start, those of the partition with the lower number first.

        All are read in the call, as by a calendar that is not divided, whatever is taken of them.
        """
        if resource is not None:
            events: Iterator[Any] = self._of_resource(resource).calendar.bookings(resource, start, end)
            return events
        return by_start(part.calendar.bookings(None, start, end) for part in self.parts)

    def get(self, booking_id: Hashable) -> Any:
        """See `Calendar.get`."""
        return (self._with_booking(booking_id) or self._lacking(booking_id)).calendar.get(booking_id)

    def __contains__(self, event: object) -> bool:
        return self._with_booking(event) is not None

    def __len__(self) -> int:
        return sum(len(part.calendar) for part in self.parts)

    def __bool__(self) -> bool:
        return True

    # -- about one resource --------------------------------------------------------------------------

    @_passed_on(_ask)
    def is_available(self, resource: Any, start: Any, end: Any, quantity: int = 1) -> bool: ...
    @_passed_on(_ask)
    def conflicts(self, resource: Any, start: Any, end: Any, quantity: int = 1) -> tuple[Any, ...]: ...
    @_passed_on(_ask)
    def explain(self, resource: Any, start: Any, end: Any, quantity: int = 1) -> Explanation: ...
    @_passed_on(_ask)
    def free_busy(self, resource: Any, start: Any, end: Any) -> tuple[tuple[Any, Any, State], ...]: ...
    @_passed_on(_ask)
    def occupancy(self, resource: Any, start: Any, end: Any) -> Iterator[tuple[Any, Any, int]]: ...
    @_passed_on(_ask)
    def gaps(
        self, resource: Any, start: Any, end: Any, *, at_least: Any = None, quantity: int = 1
    ) -> Iterator[tuple[Any, Any]]: ...
    @_passed_on(_ask)
    def next_available(self, resource: Any, after: Any, length: Any, *, quantity: int = 1) -> tuple[Any, Any] | None: ...
    @_passed_on(_ask)
    def nearest(
        self, resource: Any, start: Any, end: Any, *, quantity: int = 1
    ) -> tuple[tuple[Any, Any] | None, tuple[Any, Any] | None]: ...

    # -- finding -----------------------------------------------------------------------------------

    def find_available(self, start: Any, end: Any, *terms: Any, quantity: int = 1) -> PartitionedSelection:
        """See `Calendar.find_available`."""
        return self._selected(terms, lambda calendar, own: calendar.find_available(start, end, *own, quantity=quantity))

    def find_booked(self, start: Any, end: Any, *terms: Any) -> PartitionedSelection:
        """See `Calendar.find_booked`."""
        return self._selected(terms, lambda calendar, own: calendar.find_booked(start, end, *own))

    def find(self, *terms: Any) -> PartitionedSelection:
        """See `Calendar.find`."""
        return self._selected(terms, lambda calendar, own: calendar.find(*own))

    def tagged(self, label: Hashable) -> PartitionedSelection:
        """See `Calendar.tagged`."""
        return self._selected((), lambda calendar, own: calendar.tagged(label))

    def _selected(self, terms: tuple[Any, ...], find: Callable[[Any, list[Any]], Any]) -> PartitionedSelection:
        every = zip(self.parts, terms_in_parts(terms, self), strict=True)
        return PartitionedSelection(self, [find(part.calendar, own) for part, own in every])

    def create_index(self, name: str, *, key: Callable[[Any], Any]) -> PartitionedIndex[PartitionedSelection]:
        """See `Calendar.create_index`."""
        with self._blocks(keep=True):  # in all partitions, or in none
            return self._index([part.calendar.create_index(name, key=key) for part in self.parts])

    def index(self, name: str) -> PartitionedIndex[PartitionedSelection]:
        """See `Calendar.index`."""
        return self._index([part.calendar.index(name) for part in self.parts])

    def _index(self, views: list[Any]) -> PartitionedIndex[PartitionedSelection]:
        return PartitionedIndex(views, partial(PartitionedSelection, self))

    def create_booking_index(self, name: str, key: Callable[[Any], Any] | None = None) -> PartitionedIndex[Iterator[Any]]:
        """See `Calendar.create_booking_index`."""
        with self._blocks(keep=True):
            return PartitionedIndex([part.calendar.create_booking_index(name, key) for part in self.parts], by_start)

    def booking_index(self, name: str) -> PartitionedIndex[Iterator[Any]]:
        """See `Calendar.booking_index`."""
        return PartitionedIndex([part.calendar.booking_index(name) for part in self.parts], by_start)

    def find_slots(
        self, length: Any, start: Any, end: Any, *terms: Any, step: Any = None, quantity: int = 1
    ) -> Iterator[tuple[Any, Any, Any]]:
        """See `Calendar.find_slots`."""
        slots = [
            part.calendar.find_slots(length, start, end, *own, step=step, quantity=quantity)
            for part, own in zip(self.parts, terms_in_parts(terms, self), strict=True)
        ]
        return slots_in_order(self.parts, slots, quantity, self._place_of)

    def common_gaps(
        self, resources: Iterable[Any], start: Any, end: Any, *, at_least: Any = None, quorum: int | None = None
    ) -> Iterator[tuple[Any, Any]]:
        """See `Calendar.common_gaps`: of resources of one partition. Raises: `QueryError` for those of several."""
        given = members(resources, self)
        groups = self._grouped(given, lambda resource: resource)
        if len(groups) > 1:
            way = "ask for `gaps` of each, and take what they have in common"
            raise QueryError(given, f"are in {len(groups)} partitions, and common_gaps is of one: {way}")
        part = groups[0][0] if groups else self.parts[0]
        gaps: Iterator[tuple[Any, Any]] = part.calendar.common_gaps(given, start, end, at_least=at_least, quorum=quorum)
        return gaps

    # -- closures, hours ---------------------------------------------------------------------------

    def close(self, resource: Any = UNSET, start: Any = UNSET, end: Any = UNSET, reason: Any = "closed") -> Any:
        """See `Calendar.close`."""
        if resource is UNSET and start is UNSET and end is UNSET:
            self.news.close()
            return None
        if UNSET in (resource, start, end):
            return self.parts[0].calendar._engine.close(resource, start, end, reason)
        return self._command("close", resource, start, end, reason)

    def close_all(self, resources: Any, start: Any, end: Any, reason: str = "closed") -> tuple[Closure, ...]:
        """See `Calendar.close_all`."""
        members = self._each(resources)
        groups = self._grouped(members, lambda resource: resource)
        with self._joint([part for part, _ in groups] or self.parts[:1]):
            if not members:  # the span is checked also then
                self.parts[0].calendar.close_all([], start, end, reason)
            return tuple(self._of_resource(member).calendar.close(member, start, end, reason) for member in members)

    def set_hours(self, resources: Any, hours: Any) -> None:
        """See `Calendar.set_hours`."""
        groups = self._grouped(self._each(resources), lambda resource: resource)
        with self._joint([part for part, _ in groups] or self.parts[:1]):
            for part, members in groups or [(self.parts[0], [])]:
                part.calendar.set_hours(members, hours)

    @_passed_on(_ask)
    def closures_of(self, resource: Any) -> tuple[Closure, ...]: ...
    @_passed_on(_ask)
    def hours_of(self, resource: Any) -> Any: ...

    def _each(self, resources: Any) -> list[Any]:
        """Return the resources of a resource, an id, a selection or an iterable of resources or ids."""
        part = self._by_number.get(self._number_of(resources) or 0)
        if part is not None and part.state.registry.find(resources) is not None:
            return [resources]
        return members(resources, self) if is_several(resources) else [resources]  # the partition refuses it

    def reopen(self, closure: Any) -> None:
        """See `Calendar.reopen`."""
        part = self.parts[0]
        if is_a(closure, Closure):
            part = next((each for each in self.parts if each.state.closures.by_id.get(closure.id) is closure), part)
        self._writable(part).calendar.reopen(closure)

    def closures(self, resource: Any = None) -> tuple[Closure, ...]:
        """See `Calendar.closures`; those of all partitions in the order of these, then in the order they were made."""
        if resource is not None:
            closures: tuple[Closure, ...] = self._of_resource(resource).calendar.closures(resource)
            return closures
        return tuple(closure for part in self.parts for closure in part.calendar.closures())

    # -- blocks ------------------------------------------------------------------------------------

    def _block(self) -> Any:
        """Return the open transaction or what-if of this thread, or None."""
        there = getattr(self._thread, "block", None)
        return None if there is None else there()

    def transaction(self, *resources: Any) -> AbstractContextManager[None]:
        """See `Calendar.transaction`: of the partitions of these resources; without any, of all, and of the directory.

        Other partitions go on meanwhile, and calls that would change them are refused in the block.
        Raises: `UnknownResourceError`; `PartitionNotHeldError`.
        """
        if resources:
            groups = self._grouped(resources, lambda resource: resource)
            given = [(part.state.registry, each) for part, resources_of_part in groups for each in resources_of_part]
            if self._block() is None and any(registry.find(each) is None for registry, each in given):
                self.catch_up()  # memory may be behind
            for registry, each in given:
                registry.record(each)
            return self._joint([part for part, _ in groups])
        return self._joint([self.directory, *self.parts])

    def _joint(self, parts: Collection[Part]) -> AbstractContextManager[None]:
        for part in parts:
            self._writable(part)
        return JointTransaction(parts, self._idle, self._thread, self._block())

    def what_if(self) -> AbstractContextManager[None]:
        """See `Calendar.what_if`."""
        return self._blocks(keep=False)

    def _blocks(self, *, keep: bool) -> AbstractContextManager[None]:
        """Return a block in all parts, for changes that no record tells."""
        return JointTransaction((self.directory, *self.parts), None, self._thread, self._block(), keep=keep)

    # -- changes of others -------------------------------------------------------------------------

    def subscribe(self, callback: Callable[[Any], Any]) -> Callable[[], None]:
        """See `Calendar.subscribe`. The changes of each partition come in order, those of different ones in any.

        Several threads may call it at the same time.
        """

        def call(change: Any) -> None:
            if not is_a(change, IndexCreated):  # the first partition tells of it
                callback(change)

        first, *others = self.parts
        ends = [first.calendar.subscribe(callback), *(part.calendar.subscribe(call) for part in others)]

        def end() -> None:
            for each in ends:
                each()

        return end

    @property
    def position(self) -> tuple[int | None, ...]:
        """The position of each partition, in order; None for one that is not held."""
        return tuple(
            self._by_number[number].recorder.position if number in self._by_number else None
            for number in range(self.partitions)
        )

    def lag(self) -> int:
        """See `Calendar.lag`: of the partitions that it holds, together."""
        return sum(part.recorder.lag() for part in self.parts)

    def staleness(self) -> float:
        """See `Calendar.staleness`: of the partitions that it holds, the greatest."""
        return float(max(part.recorder.staleness() for part in self.parts))

    def catch_up(self) -> None:
        """See `Calendar.catch_up`. One question to the database, and one for each partition with something new."""
        self.news.catch_up()

    def wait_for(self, position: Sequence[int | None], timeout: float | None = None) -> None:
        """See `Calendar.wait_for`; a position is that of a calendar in as many partitions.

        Raises: `QueryError` for something else. Partitions that are not held are not waited for.
        """
        if not is_a(position, (tuple, list)) or len(position) != self.partitions:
            raise QueryError(position, f"a position here has {self.partitions} numbers, one for each partition")
        until = None if timeout is None else monotonic() + check_timeout(timeout)
        for part in self.parts:
            if position[part.number] is not None:
                left = None if until is None else max(0.0, until - monotonic())
                part.calendar.wait_for(position[part.number], left)
        if not isinstance(self.directory.recorder, PastRecorder):  # the past has all resources that it shows
            self.directory.recorder.catch_up()

    @contextmanager
    def fresh(self) -> Iterator[PartitionedCalendar]:
        """See `Calendar.fresh`."""
        self.catch_up()
        yield self

    def history(self, booking_or_resource: Any) -> Any:
        """See `Calendar.history`: of a resource, in its partition; of a booking, in the one that has it, or had it.

        Raises: `PartitionNotHeldError` for what a partition that is not held may have had.
        """
        what = booking_or_resource
        if is_a(what, BookingEvent):
            return self._of_resource(what._resource).calendar.history(what)
        part = self._with_booking(what)
        if part is not None:
            return part.calendar.history(what)
        own = self._number_of(what)
        for part in sorted(self.parts, key=lambda each: each.number != own):
            entries = part.calendar.history(what)
            if entries or part.state.registry.find(what) is not None:
                return entries
        if not self._is_whole:
            raise PartitionNotHeldError(self.name, what, self._not_held, self.held)
        return entries

    def _tell_all(self, name: str) -> None:
        """Call a method of the directory and of each partition."""
        for part in (self.directory, *self.parts):
            getattr(part.calendar, name)()

    @_passed_on(_tell_all)
    def barrier(self) -> None: ...
    @_passed_on(_tell_all)
    def checkpoint(self) -> None: ...
    @_passed_on(_tell_all)
    def rebuild(self) -> None: ...

    def __enter__(self) -> PartitionedCalendar:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # -- the rest ----------------------------------------------------------------------------------

    def digest(self) -> str:
        """See `Calendar.digest`: of the partitions that it holds."""
        return digest_of((part.number, part.calendar.digest()) for part in self.parts)

    @property
    def bounds(self) -> Any:
        """See `Calendar.bounds`."""
        return self.parts[0].calendar.bounds

    @property
    def event_type(self) -> Any:
        """See `Calendar.event_type`."""
        return self.parts[0].calendar.event_type

    def check(self) -> None:
        """See `Calendar.check`; every resource has to be in its partition, and in the directory."""
        self.directory.calendar.check()
        for part in self.parts:
            part.calendar.check()
        for fault in misplaced(self.directory.state, {part.number: part.state for part in self.parts}, self.partitions):
            raise AssertionError(fault)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        self.parts[0].state.__reduce_ex__(protocol)

    def __repr__(self) -> str:
        held = "" if self._is_whole else f", of which it holds {', '.join(map(str, self.held))}"
        return f"<PartitionedCalendar in {self.partitions} partitions{held}, kept in {self.name}>"


def _resource_and_id(request: Any, arguments: Any) -> tuple[Any, Any]:
    """Return what a request books and under which id: an event, or the arguments that it stands for."""
    return (request._resource, request._id) if arguments is None else (arguments[0], arguments[3])


def _key_of(id: Any) -> bytes:
    """Return the key of an id as the database notes it; empty for what is refused as one."""
    return attempt(lambda: key_of(id), b"")
