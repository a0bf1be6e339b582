"""`Walk`: one history through several calendars and the oracle, every outcome compared. `StoreMachine` adds the rules.

    step                    oracle        Calendar(Memory)    Calendar(Tree)      Calendar(List)
    book(3, 2, 7)           id 5          event 5             event 5             event 5            agree
    book(3, 6, 9)           refused: 5    ConflictError       ConflictError       ConflictError      agree
    after every step        ------------- check(), every booking, who is free in a window ------------

A rule says what happens twice: as a call on one calendar, and as a call on the oracle. `agree` runs both and compares
results in order or, for refusals, the error's class and its facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, ClassVar

from hypothesis import note
from hypothesis.stateful import RuleBasedStateMachine, invariant

from bookcore import BookcoreError, BookingEvent, BookingStore, Calendar, Resource, Selection
from bookcore.testing.families import Family, family
from bookcore.testing.oracle import Oracle, Refused
from bookcore.testing.sizes import small_sizes

__all__ = ["Walk"]


class Walk(RuleBasedStateMachine):
    """Base of the machines. Set the class attributes in a subclass, or let `bookcore.testing.machine` do it."""

    stores: ClassVar[tuple[Callable[[], BookingStore], ...]] = ()
    """Makers of the stores to walk through, in the order of ``self.calendars``."""
    bounds: ClassVar[str] = "[)"
    family: ClassVar[Family] = family("int")
    sizes: ClassVar[Mapping[str, int] | None] = {}
    """How small the indexes' parts are (see `small_sizes`); None: as in production."""

    def __init__(self) -> None:
        super().__init__()
        self._cleanup = ExitStack()
        if self.sizes is not None:
            self._cleanup.enter_context(small_sizes(**self.sizes))
        self.calendars = [Calendar(make(), bounds=self.bounds) for make in self.stores]
        self.oracle = Oracle(self.bounds)
        self.events: dict[Any, list[BookingEvent]] = {}  # standing ones by id, one for each calendar
        self.released: list[list[BookingEvent]] = []  # not standing (any more), one for each calendar
        self.steps = 0

    def teardown(self) -> None:
        """Put the sizes back; the machine is done."""
        self._cleanup.close()

    # -- keys --------------------------------------------------------------------------------------

    def key(self, rank: int | None) -> Any:
        """Return the key of a rank, in spellings that change as the walk goes on."""
        self._form = getattr(self, "_form", 0) + 1
        return self.family.key(rank, self._form)

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
                right = ("returns", judge())
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
                raise AssertionError(f"{what}: {self.calendars[0]} {outcomes[0]}, but {calendar} {outcome}")
            if right is not None:
                self._compare(what, calendar, outcome, right)
        return results if outcomes[0][0] == "returns" else None

    @staticmethod
    def _compare(what: str, calendar: Calendar, outcome: Any, right: Any) -> None:
        same = outcome[:2] == right[:2]
        if same and right[0] == "raises":
            same = all(outcome[2].get(name) == value for name, value in right[2].items())
        if not same:
            note(f"{calendar} {outcome}")
            raise AssertionError(f"{what}: should be {right}, but {calendar} {outcome}")

    def facts(self, error: BookcoreError) -> dict[str, Any]:
        """Return what an error carries, as things that can be compared between calendars."""
        return {name: self.describe(value) for name, value in vars(error).items() if name not in ("store", "args")}

    def describe(self, value: Any) -> Any:
        """Return a result as something that compares equal between calendars: ids for bookings and resources."""
        if isinstance(value, BookingEvent | Resource):
            return value.id
        if isinstance(value, Selection):
            return value.ids()
        if isinstance(value, list | tuple):
            return [self.describe(item) for item in value]
        if value is None or isinstance(value, bool | int | str):
            return value
        return f"{type(value).__name__} at {id(value)}"  # a key or a stranger: the same object went to all

    # -- after every step --------------------------------------------------------------------------

    @invariant()
    def invariants_hold(self) -> None:
        """Every structure proves its invariants."""
        for calendar in self.calendars:
            calendar.check()

    @invariant()
    def answers_agree(self) -> None:
        """Every booking, in order, and who is free in some window; the window moves on from step to step."""
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
            raise AssertionError(f"{what}: should be {right}, but {calendar} says {got}")

    # -- what rules share --------------------------------------------------------------------------

    def stood(self, ids: Iterable[Any], events: Iterable[list[BookingEvent]]) -> None:
        """Note bookings that stand now."""
        for id, copies in zip(ids, events, strict=True):
            self.events[id] = copies
            if copies in self.released:
                self.released.remove(copies)

    def fell(self, id: Any) -> None:
        """Note a booking that stands no longer."""
        self.released.append(self.events.pop(id))
