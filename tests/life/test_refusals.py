"""A refusal is as fast as an acceptance: what was in the way is found when it is asked for, and is what it was."""

from __future__ import annotations

import copy
import gc
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import ref

import pytest

from bookcore import (
    BookcoreError,
    BookingEvent,
    Calendar,
    ConflictError,
    KeyTypeError,
    MemoryStore,
    NoneAvailableError,
    RecursiveCallError,
    Resource,
)
from bookcore.engine.gate import CHANGING, IDLE
from bookcore.engine.ledger import Ledger
from bookcore.stores.tree import TreeStore
from bookcore.testing.cutting import cut_off
from bookcore.testing.every_change import Clock
from bookcore.testing.sizes import SMALL

MANY = 300


class Key:
    """A key that counts how often it is compared."""

    compared = 0

    def __init__(self, value: int) -> None:
        self.value = value

    def __lt__(self, other: Key) -> bool:
        Key.compared += 1
        return self.value < other.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)


def cost(call: Callable[[], Any]) -> int:
    """Return how many comparisons a call makes, and keep nothing of it."""
    before = Key.compared
    try:
        call()
    except BookcoreError:
        pass
    return Key.compared - before


KINDS: dict[str, dict[str, Any]] = {
    "a pool, all at one time": {"capacity": MANY},
    "exclusive, one after the other": {},
    "exclusive, with closed bounds": {"bounds": "[]"},
    "a pool in a tree": {"capacity": MANY, "store": TreeStore},
    "a closed pool": {"capacity": MANY, "closed": True},
}


def full(kind: str, make: Callable[[int], Any] = int) -> tuple[Calendar, Any, Any]:
    """Return a calendar in which "r" has many bookings, and a span that they are in the way of."""
    how = dict(KINDS[kind])
    store, bounds, closed = how.pop("store", MemoryStore), how.pop("bounds", "[)"), how.pop("closed", False)
    calendar = Calendar(store(), bounds=bounds)
    calendar.add_resource(Resource("r", **how))
    calendar.add_resource(Resource("other"))
    for number in range(MANY):
        start = 5 if how else 10 * number + 5
        calendar.book("r", make(start), make(start + 3))
    if closed:
        calendar.close("r", make(0), make(2), "paint")
    return calendar, make(0), make(10 * MANY)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "tree" not in kind])
def test_it_compares_as_few_keys_as_an_acceptance(kind: str) -> None:
    calendar, low, high = full(kind, Key)
    accepted = cost(lambda: calendar.book("r", Key(-10), Key(-5)))
    assert cost(lambda: calendar.book("r", low, high)) <= accepted + 30
    assert cost(lambda: calendar.book("r", low, high, id="named")) <= accepted + 30
    assert cost(lambda: calendar.hold("r", low, high)) <= accepted + 30
    assert cost(lambda: calendar.book_any(["r"], low, high)) <= accepted + 60


@pytest.mark.parametrize("capacity", [1, 2, 5])
def test_a_move_is_refused_as_fast(capacity: int) -> None:
    """The booking that moves is in its own way, and needs no other way of looking."""
    calendar = Calendar()
    calendar.add_resource(Resource("r", capacity=capacity))
    for number in range(MANY):
        calendar.book("r", Key(10 * number), Key(10 * number + 8), quantity=capacity)
    accepted = cost(lambda: calendar.move(MANY, start=Key(10 * MANY + 3), end=Key(10 * MANY + 50)))
    for start, end in (0, 9), (5, 15), (-9, 3000), (15, 300), (None, None), (15, None):
        span = [None if key is None else Key(key) for key in (start, end)]
        for number in (1, 7, MANY - 1):
            if (start, end, number) != (0, 9, 1):
                with pytest.raises(ConflictError):
                    calendar.move(number, start=span[0], end=span[1])
                assert cost(lambda: calendar.move(number, start=span[0], end=span[1])) <= 2 * accepted + 40  # noqa: B023
    for start, end in (12, 18), (8, 20), (11, 19), (10, 18):
        assert calendar.move(2, start=Key(start), end=Key(end)).quantity == capacity
    calendar.check()


@pytest.mark.parametrize("kind", KINDS)
def test_no_events_are_made(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calendar, low, high = full(kind)
    ledger = type(calendar._engine.state.ledger)
    monkeypatch.setattr(ledger, "events", lambda *_: pytest.fail("events were made"))
    calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
        (calendar.book, ("r", low, high)),
        (calendar.add_booking, (BookingEvent("r", low, high),)),
        (calendar.book_any, (["r"], low, high)),
        (calendar.hold, ("r", low, high)),
    ]
    for call, arguments in calls:
        with pytest.raises((ConflictError, NoneAvailableError)):
            call(*arguments)
    monkeypatch.undo()
    calendar.check()


def undone(calendar: Calendar) -> None:
    with calendar.what_if():
        calendar.remove_booking(4)


def transaction(calendar: Calendar) -> None:
    with calendar.transaction():
        calendar.book("other", 1, 2)
        calendar.remove_booking(4)


CHANGES: dict[str, Callable[[Calendar], Any]] = {
    "remove": lambda calendar: calendar.remove_booking(1),
    "move": lambda calendar: calendar.move(2, start=100_000, end=100_001),
    "move away": lambda calendar: calendar.move(2, resource="other"),
    "split": lambda calendar: calendar.split(3, calendar.get(3).start + 1),
    "book": lambda calendar: calendar.book("r", -50, -40),
    "book a pool's last unit": lambda calendar: calendar.book("r", 9, 10),
    "close": lambda calendar: calendar.close("r", 0, 3),
    "load": lambda calendar: calendar.load([BookingEvent("r", -3 * at, -3 * at + 1) for at in range(100, 200)]),
    "undo": undone,
    "a transaction": transaction,
    "clear": lambda calendar: [calendar.remove_booking(event) for event in list(calendar.bookings("r"))],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_later_change_is_not_in_it(kind: str, change: str) -> None:
    calendar, low, high = full(kind)
    if change in ("split", "move") and calendar._engine.state.closed:
        pytest.skip("with closed bounds nothing is split")
    expected = calendar.conflicts("r", low, high)
    with pytest.raises(ConflictError) as caught:
        calendar.book("r", low, high)
    error, other = caught.value, None
    try:
        calendar.book("r", low, high)
    except ConflictError as exc:
        other = exc
    text = str(other)
    CHANGES[change](calendar)
    calendar.check()
    assert error.conflicts == expected
    assert (str(error), error.args, repr(error)) == (text, (text,), f"ConflictError({text!r})")
    assert ("closed: paint" in error.causes) is ("closed" in kind and "bounds" not in kind)


def test_a_refusal_in_a_what_if_is_about_the_what_if() -> None:
    calendar, low, high = full("a pool, all at one time")
    with calendar.what_if():
        for number in range(1, 11):
            calendar.remove_booking(number)
        with pytest.raises(ConflictError) as caught:
            calendar.book("r", low, high, quantity=20)
    assert len(caught.value.conflicts) == MANY - 10
    assert len(calendar.conflicts("r", low, high)) == MANY


def test_expired_holds_are_in_it() -> None:
    """They stood when the span was refused, and ran out before the error was read."""
    for subscribed in (False, True):
        clock = Clock(0)
        calendar = Calendar(clock=clock)
        calendar.add_resource(Resource("r", capacity=MANY))
        if subscribed:
            calendar.subscribe(lambda change: None)
        for _ in range(MANY):
            calendar.hold("r", 5, 8, ttl=10)
        with pytest.raises(ConflictError) as caught:
            calendar.book("r", 0, 9)
        clock.now = 20
        assert len(caught.value.conflicts) == MANY
        assert calendar.is_available("r", 0, 9)
        assert len(caught.value.conflicts) == MANY


@pytest.mark.parametrize("kind", KINDS)
def test_pickled_and_copied(kind: str) -> None:
    calendar, low, high = full(kind)
    with pytest.raises(ConflictError) as caught:
        calendar.book("r", low, high)
    with pytest.raises(NoneAvailableError) as none:
        calendar.book_any(["r"], low, high)
    for error in caught.value, none.value:
        assert str(copy.copy(error)) == str(error)
        assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301
    twin = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert [event.id for event in twin.conflicts] == [event.id for event in caught.value.conflicts]
    assert (twin.resource.id, twin.start, twin.end, twin.quantity, twin.causes) == ("r", low, high, 1, caught.value.causes)


def test_keys_that_fail_later_are_said_to() -> None:
    """Who asks is told; a message and a change do not fail."""

    class Failing(Key):
        fails = False

        def __lt__(self, other: Key) -> bool:
            if Failing.fails:
                raise RuntimeError("no order")
            return super().__lt__(other)

    calendar, low, high = full("exclusive, one after the other", Failing)
    with pytest.raises(ConflictError) as caught:
        calendar.book("r", low, high)
    Failing.fails = True
    assert "cannot be listed (KeyTypeError: 'could not be compared: RuntimeError: no order')" in str(caught.value)
    with pytest.raises(KeyTypeError, match="could not be compared: RuntimeError: no order"):
        _ = caught.value.conflicts
    Failing.fails = False
    assert len(caught.value.conflicts) == MANY
    calendar.remove_booking(1)
    calendar.check()
    assert len(caught.value.conflicts) == MANY


class Trouble:
    """A function of the store that raises as long as there is an error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error: BaseException | None = None
        events = Ledger.events

        def troubled(ledger: Ledger, *args: Any) -> Any:
            if self.error is not None:
                raise self.error
            return events(ledger, *args)

        monkeypatch.setattr(Ledger, "events", troubled)


PASSED_ON = [KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError, RecursionError]


def asked(how: str, error: ConflictError) -> Any:
    """Ask a refusal what was in the way."""
    return pickle.loads(pickle.dumps(error)).conflicts if how == "pickle" else getattr(error, how)  # noqa: S301


@pytest.mark.parametrize("how", ["conflicts", "causes", "pickle"])
@pytest.mark.parametrize("kind", PASSED_ON)
def test_who_was_interrupted_may_ask_again(
    monkeypatch: pytest.MonkeyPatch, kind: type[BaseException], how: str
) -> None:
    """Ctrl-C, or lack of memory, is no answer, and nothing is forgotten."""
    trouble = Trouble(monkeypatch)
    calendar, low, high = full("a closed pool")
    with pytest.raises(ConflictError) as caught:
        calendar.book("r", low, high)
    trouble.error = kind()
    with pytest.raises(kind):
        asked(how, caught.value)
    trouble.error = None
    assert [event.id for event in caught.value.conflicts] == [event.id for event in calendar.conflicts("r", low, high)]
    assert caught.value.causes


@pytest.mark.parametrize("kind", [*PASSED_ON, ValueError])
def test_a_refusal_that_is_looked_into_at_once_may_be_asked_later(
    monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    """Where there is little to find it is found within the call; if that fails, who asks looks again."""
    trouble = Trouble(monkeypatch)
    calendar = Calendar()
    calendar.add_resource(Resource("r"))
    calendar.book("r", 1, 5, id="there")
    trouble.error = kind()
    with pytest.raises(ConflictError if issubclass(kind, Exception) else kind) as caught:
        calendar.book("r", 2, 3)
    trouble.error = None
    if isinstance(caught.value, ConflictError):
        assert [event.id for event in caught.value.conflicts] == ["there"]
        calendar.remove_booking("there")
        assert [event.id for event in caught.value.conflicts] == ["there"]
    calendar.check()


@pytest.mark.parametrize("change", ["remove", "move", "book", "close", "load", "undo", "split"])
@pytest.mark.parametrize("kind", [*PASSED_ON, ValueError])
def test_trouble_of_a_refusal_in_a_later_change(
    monkeypatch: pytest.MonkeyPatch, kind: type[BaseException], change: str
) -> None:
    """Ctrl-C ends the change before it began, and the refusal is told rightly; no other trouble stops the change."""
    trouble = Trouble(monkeypatch)
    calendar, low, high = full("exclusive, one after the other")
    with pytest.raises(ConflictError) as caught:
        calendar.book("r", low, high)
    before = calendar.digest()
    looked = type(caught.value).settle

    def settle(error: ConflictError, last: bool = False) -> None:
        trouble.error = kind()
        try:
            looked(error, last)
        finally:
            trouble.error = None

    monkeypatch.setattr(ConflictError, "settle", settle)
    if issubclass(kind, Exception):
        CHANGES[change](calendar)
        for _ in range(2):
            with pytest.raises(BookcoreError, match=kind.__name__):
                _ = caught.value.conflicts
        with pytest.raises(BookcoreError, match=kind.__name__):
            _ = pickle.loads(pickle.dumps(caught.value)).conflicts  # noqa: S301
        assert kind.__name__ in str(caught.value)
    else:
        with pytest.raises(kind):
            CHANGES[change](calendar)
        assert calendar.digest() == before
        monkeypatch.setattr(ConflictError, "settle", looked)
        CHANGES[change](calendar)
        assert len(caught.value.conflicts) == MANY
    calendar.check()


def test_a_copy_made_in_the_midst_of_a_change_says_so() -> None:
    """There the calendar answers nothing; a copy does not say that nothing was in the way."""
    calendar, low, high = full("exclusive, one after the other")
    with pytest.raises(ConflictError) as caught:
        calendar.book("r", low, high)
    gate = calendar._gate
    with gate.lock:
        gate.mode = CHANGING
        twins = copy.copy(caught.value), pickle.loads(pickle.dumps(caught.value))  # noqa: S301
        gate.mode = IDLE
    for twin in twins:
        with pytest.raises(RecursiveCallError):
            _ = twin.conflicts
        assert "RecursiveCallError" in str(twin)
    assert len(caught.value.conflicts) == MANY


def refusal_of(calendar: Calendar) -> ConflictError:
    """Return the refusal of a span that is taken."""
    try:
        calendar.book("room", 1, 3)
    except ConflictError as error:
        return error
    raise AssertionError("it is booked")


def test_one_that_is_cut_off_does_not_keep_the_next_from_what_was_in_the_way() -> None:
    """Wherever it is cut off."""
    nth, is_cut = 1, True
    while is_cut:
        calendar = Calendar(MemoryStore(SMALL))
        room = calendar.add_resource(Resource("room"))
        booked = [calendar.book(room, at, at + 1) for at in range(5)]

        is_cut = cut_off(partial(refusal_of, calendar), nth) == nth
        error = refusal_of(calendar)
        calendar.remove_booking(booked[1])
        calendar.book(room, 1, 2)
        assert error.conflicts == (booked[1], booked[2]), nth
        nth += 1
    assert nth > 10


def test_nothing_is_kept_of_refusals() -> None:
    calendar, low, high = full("a pool, all at one time")
    with pytest.raises(ConflictError) as caught:
        calendar.book("r", low, high)
    dead = ref(caught.value)
    del caught
    for _ in range(100):
        with pytest.raises(ConflictError):
            calendar.book("r", low, high)
    gc.collect()
    state = calendar._engine.state
    assert dead() is None
    assert len(state._refusals) == 0
    assert len(state._awaited) == 1
    calendar.remove_booking(1)
    assert not state._awaited


def test_the_fast_paths_come_back() -> None:
    """The fast path of `book` leaves a resource alone only until the next change."""
    calendar, low, high = full("exclusive, one after the other")
    room = calendar.resources.first(1)[0]
    index = room._binding
    with pytest.raises(ConflictError) as caught:
        calendar.book(room, low, high)
    assert room._binding is not index
    stay = calendar.book(room, -9, -8)
    assert room._binding is index
    assert stay not in caught.value.conflicts
    assert len(caught.value.conflicts) == MANY
    calendar.check()


def test_a_booking_that_is_too_near_is_told_as_such() -> None:
    """One that does not overlap the span is in the way by the buffer, which the message names as `explain` does."""
    calendar = Calendar()
    calendar.add_resource(Resource("s", before=1, after=2))
    calendar.book("s", 10, 12, id="early")
    calendar.book("s", 15, 17, id="late")
    text = "booking 'early' [10, 12) is too near: buffer of 1 before and 2 after; booking 'late' [15, 17)"
    with pytest.raises(ConflictError) as caught:
        calendar.book("s", 13, 16)
    assert str(caught.value) == f"'s' is not available in [13, 16): {text}"
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301
    assert str(caught.value.in_the_way) == text
    with pytest.raises(NoneAvailableError) as none:
        calendar.book_any(calendar.resources, 13, 16)
    assert text in str(none.value)
    with pytest.raises(ConflictError, match=r"early.*is too near.*late' \[15, 17\)$"):
        calendar.move(calendar.book("s", 30, 33), start=13, end=16)
    own = ConflictError("s", 13, 16, calendar.conflicts("s", 13, 16))
    assert "too near" not in str(own)
