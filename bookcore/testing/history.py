"""`HistoryMachine`: one history through several calendars and the oracle, every outcome compared.

    step                    oracle        Calendar(Memory)    Calendar(Tree)      Calendar(List)
    book(3, 2, 7)           id 5          event 5             event 5             event 5            agree
    book(3, 6, 9)           refused: 5    ConflictError       ConflictError       ConflictError      agree
    after every step        ------------- check(), every booking, who is free in a window ------------

A rule states each step twice: as a call on one calendar, and as a call on the oracle. `agree` runs both and compares
results in order or, for refusals, the error's class and its facts. `make` does so for what makes bookings.

One more calendar, the follower, only applies the changes of the last calendar, and has to give the same answers. The
oracle is the clock of all calendars.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, NoReturn, TypeAlias

from hypothesis import note
from hypothesis.control import current_build_context
from hypothesis.errors import HypothesisException
from hypothesis.stateful import RuleBasedStateMachine, invariant

from bookcore import (
    BookcoreError,
    BookingEvent,
    BookingStore,
    Calendar,
    Closure,
    Resource,
    Selection,
    changes,
)
from bookcore.model.generic import Bounds
from bookcore.persist.registry import register_key_codec
from bookcore.testing.families import Family, OnlyLess, family
from bookcore.testing.liststore import ListStore
from bookcore.testing.oracle import Booked, Refused
from bookcore.testing.oracle_time import TimeOracle
from bookcore.testing.sizes import small_sizes, small_store

Span: TypeAlias = tuple[Any, Any]
"""Two ranks, or None."""


class HistoryMachine(RuleBasedStateMachine):
    """Base of the machines. Set the class attributes in a subclass, or let `bookcore.testing.machine` do it."""

    stores: ClassVar[tuple[Callable[[], BookingStore[Any]], ...]] = ()
    """Functions that make the stores, in the order of ``self.calendars``."""
    bounds: ClassVar[Bounds] = "[)"
    family: ClassVar[Family] = family("int")
    sizes: ClassVar[Mapping[str, Any] | None] = {}
    """The sizes that differ from `SMALL` (see `small_sizes`); None: the default sizes of the stores."""
    shrinks: ClassVar[int] = 100
    """How many histories are tried to make one that failed shorter. Hypothesis alone may try for five minutes."""
    tried: ClassVar[int | None] = None
    """How many have been tried since one failed; None: none has failed."""

    def __init__(self) -> None:
        cls = type(self)
        if current_build_context().is_final:  # the shortest is played once more, and told
            cls.tried = None
        elif cls.tried is not None:
            cls.tried += 1
            if cls.tried > cls.shrinks:
                current_build_context().data.mark_overrun()  # `reject` before a draw contradicts earlier runs
        super().__init__()
        self.oracle = TimeOracle(self.bounds, bool(self.family.between), self.family.days)
        self.within: Callable[[], Any] | None = None  # what the clock calls, if it is set
        self.clock = lambda: self.within() if self.within is not None else self.oracle.now
        # digests write keys: those of the user's own class as a user would have them written
        register_key_codec(OnlyLess, "bookcore.testing.OnlyLess", lambda key: key.rank, OnlyLess)
        self.calendars = self.new_calendars()
        self.follower = Calendar(ListStore(), bounds=self.bounds)
        self.strayed: list[Any] = []  # changes that the follower could not apply
        self.calendars[-1].subscribe(self.follow)
        self.events: dict[Any, list[BookingEvent]] = {}  # active bookings by id, one for each calendar
        self.released: list[list[BookingEvent]] = []  # bookings that are not active, one for each calendar
        self.closures: dict[int, list[Closure]] = {}  # closures by id, also those that were removed
        self.open: list[Any] = []  # the transactions that are open, the innermost last
        self.steps = 0
        self.broken = False

    def new_calendars(self) -> list[Calendar]:
        """Return the calendars that are compared, all empty; the follower follows the last one."""
        return [Calendar(store, bounds=self.bounds, clock=self.clock) for store in map(self.new_store, self.stores)]

    def new_store(self, make: Callable[[], BookingStore[Any]]) -> BookingStore[Any]:
        """Return a fresh store, with small structures if it takes `sizes`."""
        return make() if self.sizes is None else small_store(make, small_sizes(**self.sizes))

    def teardown(self) -> None:
        """Note whether the history failed, so that few others are tried after it."""
        error = sys.exc_info()[1]
        failed = isinstance(error, Exception) and not isinstance(error, HypothesisException)
        if failed and not current_build_context().is_final and type(self).tried is None:
            type(self).tried = 0
        super().teardown()

    def follow(self, change: changes.Change) -> None:
        """Apply a change of the last calendar to the follower."""
        try:
            self.follower.apply(change)
        except Exception as error:
            self.strayed.append((change, error))

    # -- keys --------------------------------------------------------------------------------------

    def key(self, rank: int | None) -> Any:
        """Return the key of a rank, in a form that changes from step to step."""
        self._form = getattr(self, "_form", 0) + 1
        return self.family.key(rank, self._form)

    def keys(self, span: Span) -> tuple[Any, Any]:
        """Return the keys of a span of ranks."""
        return self.key(span[0]), self.key(span[1])

    def length(self, ranks: int) -> Any:
        """Return a length as keys of this family take it; None for 0, or where they take none."""
        return self.family.length(ranks) if ranks and self.family.length is not None else None

    # -- comparing ---------------------------------------------------------------------------------

    def agree(
        self, call: Callable[[int, Calendar], Any], judge: Callable[[], Any] | None, *, what: str = ""
    ) -> list[Any] | None:
        """Do one thing to the oracle and to every calendar, and compare.

        *call* gets the position of the calendar and the calendar; *judge* asks the oracle (None: there is no right
        answer to be known, the calendars need only agree with each other). Returns what the calendars returned, or
        None if they refused.
        """
        right: Any = None
        if judge is not None:
            try:
                right = ("returns", self.describe(judge()))
            except Refused as refused:
                right = ("raises", refused.error, refused.facts)
        results: list[Any] = []
        outcomes: list[Any] = []
        for at, calendar in enumerate(self.calendars):
            try:
                result = call(at, calendar)
                result = list(result) if isinstance(result, Iterator) else result
                results.append(result)
                outcomes.append(("returns", self.describe(result)))
            except BookcoreError as error:
                outcomes.append(("raises", type(error).__name__, self.facts(error)))
        for outcome, calendar in zip(outcomes, self.calendars, strict=True):
            if outcome != outcomes[0]:
                self.fail(f"{what}: {self.calendars[0]} {outcomes[0]}, but {calendar} {outcome}")
            if right is not None:
                self._compare(what, calendar, outcome, right)
        return results if outcomes[0][0] == "returns" else None

    def make(self, call: Callable[[int, Calendar], Any], judge: Callable[[], list[Booked]], *, what: str) -> bool:
        """Do what makes bookings, of which *call* returns a list; note them as active. Return whether the call succeeded.

        A booking without an id gets one from the calendar; until then the oracle has an object in its place.
        """
        try:
            right = judge()
        except Refused as refused:
            refusal = refused
            self.agree(call, lambda: raise_again(refusal), what=what)
            return False
        results = self.agree(call, None, what=what)
        if results is None:
            self.fail(f"{what} should succeed, but {self.calendars} refused")
        for at, booked in enumerate(right):
            copies = [events[at] for events in results]
            name = copies[0].id
            if not isinstance(booked.id, str | int):
                booked.id = name
            got = [(c.id, c.resource.id, *map(self.family.rank, (c.start, c.end)), c.quantity) for c in copies]
            should = booked.id, booked.thing.id, booked.start, booked.end, booked.quantity
            if got != [should] * len(got) or not all(copy.owns_lock for copy in copies):
                self.fail(f"{what} should make {should}, but made {got}")
            self.stood([name], [copies])
        return True

    def _compare(self, what: str, calendar: Calendar, outcome: Any, right: Any) -> None:
        same = outcome[:2] == right[:2]
        if same and right[0] == "raises":
            same = all(outcome[2].get(name) == value for name, value in right[2].items())
        if not same:
            note(f"{calendar} {outcome}")
            self.fail(f"{what}: should be {right}, but {calendar} {outcome}")

    def facts(self, error: BookcoreError) -> dict[str, Any]:
        """Return what an error carries, as things that can be compared between calendars."""
        told = [name for name, value in vars(type(error)).items() if isinstance(value, property) and name != "in_the_way"]
        told += [name for name in vars(error) if not name.startswith("_") and name not in ("store", "args", "request")]
        return {name: self.describe(getattr(error, name)) for name in told}

    def describe(self, value: Any) -> Any:
        """Return a result as something that compares equal between calendars: ids for bookings and resources."""
        if isinstance(value, BookingEvent | Resource | Closure):
            return value.id
        if isinstance(value, BookcoreError):
            return [type(value).__name__, self.facts(value)]
        if isinstance(value, Selection):
            return value.ids()
        if isinstance(value, list | tuple):
            return [self.describe(item) for item in value]
        if value is None or isinstance(value, bool | int | str):
            return value
        try:
            return f"key {self.family.place(value)}"
        except Exception:  # a stranger: the same object went to all
            return f"{type(value).__name__} at {id(value)}"

    def fail(self, what: str) -> NoReturn:
        """Raise AssertionError and end the history; the calendars are not checked any more."""
        self.broken = True
        raise AssertionError(what)

    # -- after every step --------------------------------------------------------------------------

    @invariant()
    def invariants_hold(self) -> None:
        """Check the invariants of every structure."""
        for calendar in self.calendars:
            calendar.check()

    @invariant()
    def answers_agree(self) -> None:
        """Compare all bookings, in order, and the resources available in a window that moves from step to step."""
        self.steps += 1
        oracle = self.oracle
        standing = oracle.bookings()
        low = self.steps * 7 % 90
        window = (None, None) if self.steps % 9 == 0 else (low, low + 1 + self.steps % 5)
        free = oracle.available(*window)
        for calendar in self.calendars:
            self.same(calendar, "bookings()", [event.id for event in calendar.bookings()], standing)
            self.same(calendar, "len()", len(calendar), len(standing))
            keys = [self.key(rank) for rank in window]
            self.same(calendar, f"find_available{window}", calendar.find_available(*keys).ids(), free)
            self.same(calendar, "closures()", [closure.id for closure in calendar.closures()], oracle.closures())
        if not self.open:  # the follower gets the changes of a transaction when it has ended
            self.same(self.follower, "what could be applied", self.strayed, [])
            self.same(self.follower, "bookings()", [event.id for event in self.follower.bookings()], standing)
            keys = [self.key(rank) for rank in window]
            self.same(self.follower, f"find_available{window}", self.follower.find_available(*keys).ids(), free)
            self.same(self.follower, "digest()", self.follower.digest(), self.calendars[-1].digest())
        if oracle.by_units:
            units = 1 + self.steps % 3
            looked_up = [id for id in standing if oracle.get(id).quantity == units]
            for calendar in self.calendars if self.open else (*self.calendars, self.follower):
                found = [event.id for event in calendar.booking_index("units").equal(units)]
                self.same(calendar, f"bookings of {units} units", found, looked_up)
        if self.events:
            name = list(self.events)[self.steps % len(self.events)]
            status = "held" if oracle.get(name).held else "confirmed"
            self.same(self.calendars[0], f"status of {name!r}", [e.status for e in self.events[name]],
                      [status] * len(self.calendars))  # fmt: skip
        if oracle.things:
            one = oracle.things[self.steps % len(oracle.things)].id
            held, near = oracle.bookings(one), oracle.conflicts(one, *window)
            for calendar in self.calendars:
                self.same(calendar, f"bookings({one})", [event.id for event in calendar.bookings(one)], held)
                keys = [self.key(rank) for rank in window]
                found = [event.id for event in calendar.conflicts(one, *keys)]
                self.same(calendar, f"conflicts({one}, {window})", found, near)

    def same(self, calendar: Calendar, what: str, got: Any, right: Any) -> None:
        """Raise AssertionError unless one calendar's answer is right."""
        if got != right:
            self.fail(f"{what}: should be {right}, but {calendar} says {got}")

    # -- what rules share --------------------------------------------------------------------------

    def id_of(self, who: int) -> int:
        """Return the id of one of the resources there are, the first few more often, or sometimes an unknown id."""
        things = self.oracle.things
        return things[who % 7 % len(things) if who % 2 else who % len(things)].id if things and who < 40 else 99

    def stood(self, ids: Iterable[Any], events: Iterable[list[BookingEvent]]) -> None:
        """Note bookings that are active now."""
        for id, copies in zip(ids, events, strict=True):
            self.events[id] = copies
            if copies in self.released:
                self.released.remove(copies)

    def fell(self, id: Any) -> None:
        """Note a booking that is not active any more."""
        self.released.append(self.events.pop(id))


def raise_again(refused: Refused) -> Any:
    """Raise the refusal of the oracle."""
    raise refused
