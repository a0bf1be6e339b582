"""`gaps` and `common_gaps` compare keys in the call; what the keys raise is a `KeyTypeError`, in the call or later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest

from bookcore import Calendar, KeyTypeError, MemoryStore, RecursiveCallError, Resource
from bookcore.hours import Hours
from bookcore.query import slots
from bookcore.testing import ListStore

ASKS: dict[str, Callable[[Calendar, Any, Any], Iterator[Any]]] = {
    "gaps": lambda calendar, low, high: calendar.gaps("a", low, high),
    "long gaps": lambda calendar, low, high: calendar.gaps("a", low, high, at_least=1),
    "gaps for two": lambda calendar, low, high: calendar.gaps("pool", low, high, quantity=2),
    "common gaps": lambda calendar, low, high: calendar.common_gaps(["a", "b"], low, high),
    "quorum": lambda calendar, low, high: calendar.common_gaps(["a", "b", "pool"], low, high, quorum=2),
    "long common gaps": lambda calendar, low, high: calendar.common_gaps(["a", "b"], low, high, at_least=1),
    "gaps without end": lambda calendar, low, _: calendar.gaps("a", low, None),
}


class Key:
    """A whole number that calls *hook* when it is compared."""

    hook: Callable[[], Any] | None = None

    def __init__(self, value: int) -> None:
        self.value = value

    def __lt__(self, other: Key) -> bool:
        if Key.hook is not None:
            Key.hook()
        return self.value < other.value

    def __add__(self, other: int) -> Key:
        return Key(self.value + other)

    def __sub__(self, other: Any) -> Any:
        return self.value - other.value if isinstance(other, Key) else Key(self.value - other)


@pytest.fixture(params=[MemoryStore, ListStore])
def calendar(request: Any) -> Iterator[Calendar]:
    """Give a calendar of three resources with bookings at keys of the program's own."""
    calendar = Calendar(request.param())
    for name, capacity in ("a", 1), ("b", 1), ("pool", 3):
        calendar.add_resource(Resource(name, capacity=capacity))
        for number in range(0, 20, 4):
            calendar.book(name, Key(number + (name == "b")), Key(number + 2))
    yield calendar
    Key.hook = None


def failing() -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("name", ASKS)
def test_nothing_is_compared_after_the_call(calendar: Calendar, name: str) -> None:
    right = [(start.value, end and end.value) for start, end in ASKS[name](calendar, Key(0), Key(30))]
    spans = ASKS[name](calendar, Key(0), Key(30))
    Key.hook = failing
    assert [(start.value, end and end.value) for start, end in spans] == right
    with pytest.raises(KeyTypeError):
        ASKS[name](calendar, Key(0), Key(30))
    Key.hook = None
    assert right


@pytest.mark.parametrize("name", ASKS)
def test_a_command_from_a_comparison_is_refused(calendar: Calendar, name: str) -> None:
    """So says the table of `docs/calling.md`."""
    refused: list[Any] = []

    def book() -> None:
        hook, Key.hook = Key.hook, None
        try:
            calendar.book("b", Key(100), Key(101))
        except RecursiveCallError as exc:
            refused.append(exc)
        Key.hook = hook

    before = len(calendar)
    Key.hook = book
    list(ASKS[name](calendar, Key(0), Key(30)))
    Key.hook = None
    assert refused
    assert len(calendar) == before


class Instant(datetime):
    """An instant of a class of the program's own."""

    fails = False

    def __lt__(self, other: Any) -> bool:
        if Instant.fails:
            raise ZeroDivisionError
        return super().__lt__(other)


@pytest.mark.parametrize("name", ["gaps", "gaps for two", "common gaps"])
def test_keys_within_opening_hours_fail_by_name(name: str) -> None:
    """These spans are computed while they are iterated, because openings go on without end."""
    calendar = Calendar()
    for each in ("a", "b", "pool"):
        calendar.add_resource(Resource(each, capacity=3))
        calendar.book(each, Instant(2026, 5, 4), Instant(2026, 5, 4, 10))
        calendar.set_hours(each, Hours({"daily": "09:00-17:00"}))
    spans = ASKS[name](calendar, Instant(2026, 5, 4), Instant(2026, 5, 6) + timedelta(hours=1))
    Instant.fails = True
    try:
        with pytest.raises(KeyTypeError, match="could not be compared"):
            for _ in zip(spans, range(9), strict=False):
                pass
    finally:
        Instant.fails = False


@pytest.mark.parametrize("at", range(0, 120, 3))
@pytest.mark.parametrize("many", [2, 500])
def test_keys_that_fail_between_slots_fail_by_name(monkeypatch: pytest.MonkeyPatch, many: int, at: int) -> None:
    """Some comparisons of `find_slots` are made without the lock; whichever fails, nothing raw comes out."""
    monkeypatch.setattr(slots, "MANY", many)
    calendar = Calendar()
    for number in range(5):
        calendar.add_resource(Resource(number))
        calendar.book(number, Key(0), Key(5 + number // 2))
        calendar.close(number, Key(7), Key(8 + number))
    left = at

    def fail() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise ZeroDivisionError

    answers = calendar.find_slots(1, Key(0), Key(12))
    Key.hook = fail
    try:
        with suppress(KeyTypeError):
            list(answers)
    finally:
        Key.hook = None
