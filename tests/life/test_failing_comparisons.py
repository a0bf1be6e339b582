"""Keys whose ``<`` raises, at the k-th comparison of a call, or from the k-th on: the call raises and changes nothing.

All comparisons come before the first change where that is possible. Where it is not, in a pool, the change is undone before
the next call.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from bookcore import (
    BookcoreError,
    BookingEvent,
    Calendar,
    CalendarBrokenError,
    Closure,
    KeyTypeError,
    MemoryStore,
    Resource,
    changes,
)
from bookcore.stores.sizes import Sizes
from bookcore.stores.sorted import SortedStore
from bookcore.stores.tree import TreeStore

STORES: dict[str, Callable[[], Any]] = {
    "memory": MemoryStore,
    "small memory": lambda: MemoryStore(Sizes(split=4, overlapping=4)),
    "sorted": SortedStore,
    "tree": TreeStore,
}


class Key:
    """A key that can be compared *fuse* times more; then once not, or with *lasting* never again."""

    fuse: ClassVar[float] = float("inf")
    lasting: ClassVar[bool] = False

    def __init__(self, value: int) -> None:
        self.value = value

    def __lt__(self, other: Key) -> bool:
        Key.fuse -= 1
        if Key.fuse < 0 and (Key.lasting or Key.fuse == -1):
            raise ZeroDivisionError
        return self.value < other.value


@pytest.fixture(autouse=True)
def mended() -> Any:
    """Leave keys that can be compared."""
    yield
    Key.fuse, Key.lasting = float("inf"), False


def make(store: Callable[[], Any]) -> Calendar:
    """Return a calendar with a room, a pool, and closures."""
    calendar = Calendar(store())
    for resource in (Resource("r"), Resource("q", capacity=3), Resource("s")):
        calendar.add_resource(resource)
    for at in range(0, 48, 6):
        calendar.book("r", Key(at), Key(at + 2), id=f"r{at}")
        calendar.book("q", Key(at), Key(at + 5), id=f"q{at}", quantity=2)
        calendar.book("q", Key(at + 3), Key(at + 6), id=f"p{at}")
    calendar.close("s", Key(10), Key(20))
    calendar.close("s", Key(15), Key(25))
    return calendar


def block(calendar: Calendar) -> None:
    """Change several things in a block that is undone."""
    with calendar.what_if():
        calendar.book("r", Key(3), Key(4))
        calendar.remove_booking("q6")
        calendar.move("p6", resource="s", start=Key(70), end=Key(71))


COMMANDS: dict[str, Callable[[Calendar], Any]] = {
    "book": lambda c: c.book("r", Key(3), Key(5)),
    "book in a pool": lambda c: c.book("q", Key(5), Key(6), quantity=2),
    "book twice as much": lambda c: c.book("q", Key(50), Key(60), quantity=3),
    "remove": lambda c: c.remove_booking("r12"),
    "remove from a pool": lambda c: c.remove_booking("q12"),
    "move": lambda c: c.move("r12", start=Key(15), end=Key(17)),
    "change a quantity": lambda c: c.change("p12", quantity=2) if c.is_available("q", Key(15), Key(18)) else None,
    "change to fewer": lambda c: c.change("q12", quantity=1),
    "move in a pool": lambda c: c.move("p12", start=Key(60), end=Key(62)),
    "move elsewhere": lambda c: c.move("p24", resource="s", start=Key(40), end=Key(41)),
    "split": lambda c: c.split("q12", Key(14)),
    "close": lambda c: c.close("s", Key(12), Key(30)),
    "reopen": lambda c: c.reopen(c.closures()[0]),
    "load": lambda c: c.load([BookingEvent("s", Key(at), Key(at + 1)) for at in range(100, 104)]),
    "book_all": lambda c: c.book_all([("r", Key(3), Key(4)), ("q", Key(60), Key(61)), ("s", Key(60), Key(61))]),
    "block": block,
}


def facts(calendar: Calendar) -> list[Any]:
    """Return what is booked and closed, and what is free in the pool."""
    booked = [(str(e.id), e.resource.id, e.start.value, e.end.value, e.quantity) for e in calendar.bookings()]
    closed = [(c.id, c.resource.id, c.start.value, c.end.value) for c in calendar.closures()]
    used = [(start.value, end.value, units) for start, end, units in calendar.occupancy("q", Key(0), Key(70))]
    return [sorted(booked), closed, used, [calendar.is_available("q", Key(at), Key(at + 1), 2) for at in range(0, 70, 7)]]


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_call_whose_comparison_fails_changes_nothing(command: str, lasting: bool, store: str) -> None:
    """At every k: an error of ours, and then all is as before; or, while keys fail, the calendar says that it is broken."""
    calendar = make(STORES[store])
    before = facts(calendar)
    for fuse in range(1000):
        Key.fuse, Key.lasting = fuse, lasting
        raised = False
        try:
            COMMANDS[command](calendar)
        except BookcoreError:
            raised = True
        failed = Key.fuse < 0
        if lasting and failed:
            try:
                len(calendar)
            except CalendarBrokenError:
                Key.fuse = float("inf")
                calendar.rebuild()
        Key.fuse = float("inf")
        assert failed or not raised, fuse
        calendar.check()
        if raised or command == "block":
            assert facts(calendar) == before, fuse
        if not failed:
            break
        if not raised:  # the answer did not need the comparison that failed
            calendar = make(STORES[store])
    assert 0 < fuse < 999


FIRST: dict[str, Callable[[Calendar], Any]] = {
    "book": lambda c: c.book("r", Key(3), Key(5)),
    "book in a pool": lambda c: c.book("q", Key(3), Key(5), quantity=2),
    "hold": lambda c: c.hold("r", Key(3), Key(5), ttl=4),
    "book_any": lambda c: c.book_any(["q", "r"], Key(3), Key(5)),
    "book_all": lambda c: c.book_all([("q", Key(3), Key(5)), ("q", Key(4), Key(6)), ("r", Key(3), Key(5))]),
    "load": lambda c: c.load([BookingEvent("r", Key(at), Key(at + 1)) for at in range(4)]),
    "close": lambda c: c.close("r", Key(3), Key(5)),
    "close_all": lambda c: c.close_all(["r", "q"], Key(3), Key(5)),
    "apply a booking": lambda c: c.apply(changes.Booked(BookingEvent("r", Key(3), Key(5), id="b"), False, None)),
    "apply a closure": lambda c: c.apply(changes.Closed(Closure(c.resource("r"), Key(3), Key(5), "", 1, ()))),
    "is_available": lambda c: c.is_available("r", Key(3), Key(5)),
    "find_available": lambda c: c.find_available(Key(3), Key(5)).ids(),
    "gaps": lambda c: list(c.gaps("q", Key(3), Key(5))),
}


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("command", FIRST)
def test_the_first_keys_that_cannot_be_compared_are_named(command: str, store: str) -> None:
    """The calendar holds none yet, or none any more when all has been undone, and knows where the error comes from."""
    for fuse in range(100):
        Key.fuse = float("inf")
        calendar = Calendar(STORES[store](), clock=lambda: 0)
        for resource in (Resource("r"), Resource("q", capacity=3)):
            calendar.add_resource(resource)
        Key.fuse = fuse
        with contextlib.suppress(KeyTypeError):
            FIRST[command](calendar)
        failed, Key.fuse = Key.fuse < 0, float("inf")
        calendar.check()
        if not failed:
            break
    assert 0 < fuse < 99


def test_all_bookings_of_a_block_are_undone_though_no_key_can_be_compared() -> None:
    """A booking is hidden then, which compares nothing: each of them, and not only the last."""
    calendar = make(MemoryStore)
    before = len(calendar)
    with pytest.raises(KeyError), calendar.transaction():
        for at in (100, 110, 120):
            calendar.book("r", Key(at), Key(at + 2))
        Key.fuse, Key.lasting = 0, True
        raise KeyError
    assert len(calendar) == before
    assert not calendar._gate.torn
    Key.fuse, Key.lasting = float("inf"), False
    assert all(calendar.is_available("r", Key(at), Key(at + 2)) for at in (100, 110, 120))
    calendar.check()


class LyingError(Exception):
    """An exception that claims to be another one."""

    __class__ = MemoryError  # type: ignore[assignment]


class ShyError(Exception):
    """An exception that raises where it is asked what it is."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise ZeroDivisionError


class Raising(Key):
    """A key whose comparisons raise *what* when the fuse is burnt."""

    what: ClassVar[type[Exception]]

    def __lt__(self, other: Key) -> bool:
        try:
            return super().__lt__(other)
        except ZeroDivisionError:
            raise self.what from None


CALLS: tuple[Callable[[Calendar], Any], ...] = (
    lambda c: c.book("r", Raising(6), Raising(9)), lambda c: c.is_available("q", Raising(1), Raising(60)),
    lambda c: c.find_available(Raising(1), Raising(60)).ids(), lambda c: list(c.gaps("q", Raising(1), Raising(60))),
    lambda c: c.remove_booking("q1"),
)  # fmt: skip


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("what", [LyingError, ShyError])
def test_an_exception_of_a_key_is_judged_by_its_type(what: type[Exception], store: str) -> None:
    """Whatever it says of itself, and at whichever comparison it comes."""
    Raising.what, failed = what, 0
    for fuse in range(0, 40, 3):
        for call in CALLS:
            Key.fuse = float("inf")
            calendar = Calendar(STORES[store]())
            calendar.add_resource(Resource("r"))
            calendar.add_resource(Resource("q", capacity=2))
            for at in range(6):
                calendar.book("r", Raising(10 * at), Raising(10 * at + 5))
                calendar.book("q", Raising(10 * at), Raising(10 * at + 15), id=f"q{at}")
            Key.fuse = fuse
            try:
                call(calendar)
            except KeyTypeError:
                failed += 1
    assert failed
