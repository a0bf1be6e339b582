"""Texts and the like are no lengths; and whatever `<` answers, every search advances or stops."""

from __future__ import annotations

from collections import UserList, UserString
from collections.abc import Callable, Iterable
from datetime import date, datetime
from fractions import Fraction
from itertools import islice
from random import Random
from typing import Any

import pytest

from bookcore import (
    BookcoreError,
    Calendar,
    InvalidSpanError,
    KeyTypeError,
    MemoryStore,
    Resource,
    ResourceError,
)
from bookcore.testing import ListStore

STORES = (MemoryStore, ListStore)

# -- what is no length -----------------------------------------------------------------------------


class Word:
    """A text that is no `str`: a sum of two is the longer text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __lt__(self, other: Any) -> bool:
        return bool(self.text < other.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Word) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __add__(self, other: Word) -> Word:
        return Word(self.text + other.text)


class Sequence(tuple[int, ...]):
    """A tuple of a name."""


_CONCATENATED: list[Callable[[str], Any]] = [
    str, str.encode, lambda text: tuple(map(ord, text)), lambda text: list(map(ord, text)), Word, UserString, UserList,
    lambda text: bytearray(text, "ascii"), lambda text: (text, text), lambda text: Sequence(map(ord, text)),
]  # fmt: skip


def _asks(calendar: Calendar, low: Any, high: Any, length: Any) -> list[Callable[[], Any]]:
    """Return a question for each place where a length is taken."""
    return [
        lambda: calendar.next_available("room", low, length),
        lambda: calendar.find_slots(length, low, high),
        lambda: calendar.find_slots(length, low, high, step=length),
        lambda: calendar.gaps("room", low, high, at_least=length),
        lambda: calendar.gaps("room", None, None, at_least=length),
        lambda: calendar.common_gaps(["room"], low, high, at_least=length),
        lambda: calendar.common_gaps(["room"], None, None, at_least=length),
        lambda: calendar.hold("room", low, high, ttl=length),
    ]


@pytest.mark.parametrize("make", _CONCATENATED)
@pytest.mark.parametrize("booked", [False, True])
def test_keys_that_are_joined_have_no_lengths(make: Any, booked: bool) -> None:
    """`"a" + "zz"` is a later text and no step along an axis: every question with such a length is refused at once."""
    calendar = Calendar(clock=lambda: make("a"))
    calendar.add_resource(Resource("room"))
    if booked:
        calendar.book("room", make("m"), make("p"))
    for ask in _asks(calendar, make("a"), make("b"), make("zz")):
        with pytest.raises(KeyTypeError):
            ask()
    for buffer in ({"before": make("zz")}, {"after": make("zz")}):
        with pytest.raises(ResourceError):
            calendar.add_resource(Resource("other", **buffer))
    assert len(calendar) == booked
    calendar.check()


@pytest.mark.parametrize(
    ("key", "last"),
    [
        (5, 9), (5.0, 9.0), (Fraction(5), Fraction(9)), (date(2026, 5, 4), date(2026, 5, 9)),
        (datetime(2026, 5, 4), datetime(2026, 5, 9)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("length", ["x", "", b"x", (), (1,), [], [1], True, False, {1}, {}, str, UserString("x")])
def test_what_is_no_length_is_refused_everywhere(key: Any, last: Any, length: Any) -> None:
    """For every family of keys with lengths, and for truth values, which Python adds as 0 and 1."""
    calendar = Calendar(clock=lambda: key)
    calendar.add_resource(Resource("room"))
    booked = calendar.book("room", key, None)
    for ask in _asks(calendar, key, last, length):
        with pytest.raises(KeyTypeError):
            ask()
    for buffer in ({"before": length}, {"after": length}):
        with pytest.raises(ResourceError):
            calendar.add_resource(Resource("other", **buffer))
    assert list(calendar.bookings()) == [booked]


# -- loops -----------------------------------------------------------------------------------------


class Endless(BaseException):
    """More comparisons than any search needs: no `Exception`, so that nothing translates it."""


class Turncoat:
    """A whole number that is compared honestly a number of times, and after that as `answer` says."""

    honest, left = 0, 0
    answer: Callable[[int, int], bool] = int.__lt__
    resolution = 1

    def __init__(self, n: int) -> None:
        self.n = n

    def __lt__(self, other: Any) -> bool:
        cls = Turncoat
        cls.honest -= 1
        cls.left -= 1
        if cls.left < 0:
            raise Endless
        return self.n < other.n if cls.honest >= 0 else cls.answer(self.n, other.n)

    def __add__(self, length: int) -> Turncoat:
        return Turncoat(self.n + length)

    def __sub__(self, other: Any) -> Any:
        return self.n - other.n if isinstance(other, Turncoat) else Turncoat(self.n - other)


_random = Random(5)
ANSWERS: dict[str, Callable[[int, int], bool]] = {
    "always": lambda one, other: True,
    "never": lambda one, other: False,
    "or equal": int.__le__,
    "reversed": int.__gt__,
    "at random": lambda one, other: _random.random() < 0.5,
    "in a circle": lambda one, other: (other - one) % 30 < 15,
}


def _day(store: Any, bounds: Any) -> Calendar:
    """Return a calendar with an exclusive resource, one with capacity, one with buffers, and many more."""
    Turncoat.honest = Turncoat.left = 10**9
    calendar = Calendar(store(), bounds=bounds)
    for resource in (Resource("one"), Resource("pool", capacity=2), Resource("turn", before=1, after=2), Resource("free")):
        calendar.add_resource(resource)
    for number in range(257):
        calendar.add_resource(Resource(number))
    for id in ("one", "pool", "turn", 7, 8):
        for at in range(12):
            calendar.book(id, Turncoat(10 * at), Turncoat(10 * at + 4))
    calendar.close("one", Turncoat(35), Turncoat(37))
    return calendar


def _read(found: Any) -> Any:
    """Read an iterator to its end; of slots, which repeat for each resource, a part."""
    return list(islice(found, 300)) if isinstance(found, Iterable) else found


Asked = Callable[[Calendar, Any], Any]
QUESTIONS: dict[str, Asked] = {
    "gaps": lambda calendar, id: calendar.gaps(id, Turncoat(0), Turncoat(150)),
    "long gaps": lambda calendar, id: calendar.gaps(id, None, None, at_least=3),
    "next": lambda calendar, id: calendar.next_available(id, Turncoat(1), 5),
    "nearest": lambda calendar, id: calendar.nearest(id, Turncoat(50), Turncoat(55)),
    "occupancy": lambda calendar, id: calendar.occupancy(id, Turncoat(0), Turncoat(150)),
    "free_busy": lambda calendar, id: calendar.free_busy(id, Turncoat(0), Turncoat(150)),
    "slots": lambda calendar, id: calendar.find_slots(5, Turncoat(0), Turncoat(150)),
    "slots of one": lambda calendar, id: calendar.find_slots(5, Turncoat(0), Turncoat(150), [id]),
    "slots on a grid": lambda calendar, id: calendar.find_slots(5, Turncoat(0), Turncoat(150), [id], step=7),
    "common": lambda calendar, id: calendar.common_gaps(["one", "pool", "turn"], Turncoat(0), Turncoat(150), at_least=2),
    "quorum": lambda calendar, id: calendar.common_gaps(["one", "pool", "turn"], Turncoat(0), Turncoat(150), quorum=2),
    "bookings": lambda calendar, id: calendar.bookings(id, Turncoat(3), Turncoat(90)),
    "conflicts": lambda calendar, id: calendar.conflicts(id, Turncoat(3), Turncoat(90)),
    "explain": lambda calendar, id: calendar.explain(id, Turncoat(3), Turncoat(90)),
    "available": lambda calendar, id: calendar.find_available(Turncoat(3), Turncoat(9)).ids(),
    "any": lambda calendar, id: calendar.book_any([id, "free"], Turncoat(205), Turncoat(209), strategy="best_fit"),
}


@pytest.mark.parametrize("bounds", ["[)", "[]"])
@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("answer", ANSWERS)
def test_every_search_ends_whatever_the_keys_answer(store: Any, bounds: Any, answer: str) -> None:
    """Wherever in a search the keys turn: an answer, or an error of ours, after a bounded number of comparisons."""
    Turncoat.answer = staticmethod(ANSWERS[answer])
    calendar = _day(store, bounds)
    for name, ask in QUESTIONS.items():
        for id in ("one", "pool", "turn"):
            for honest in (0, 4, 16, 60):
                if name == "any":
                    calendar = _day(store, bounds)
                Turncoat.honest, Turncoat.left = honest, 30_000
                try:
                    _read(ask(calendar, id))
                except (BookcoreError, InvalidSpanError):
                    pass
                except Endless:
                    pytest.fail(f"{name} of {id!r} does not end, with keys that turn after {honest} comparisons")


def test_a_key_that_is_less_than_itself_is_refused() -> None:
    """At the door, so that no search meets it."""

    class Less(Turncoat):
        def __lt__(self, other: Any) -> bool:
            return True

    calendar = Calendar()
    calendar.add_resource(Resource("room"))
    for ask in (calendar.free_busy, calendar.is_available, calendar.book):
        with pytest.raises(KeyTypeError, match="each is less than the other"):
            ask("room", Less(1), Less(2))
