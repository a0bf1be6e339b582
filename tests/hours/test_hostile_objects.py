"""Objects whose own code raises, lies or goes on for ever, as arguments of `Hours` and `recurring`: ours, or an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bookcore import BookcoreError
from bookcore.hours import Hours
from bookcore.recurrence import recurring
from bookcore.testing.strategies import IMPOSTORS

COMPARED = ["__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"]
SHOWN = ["__hash__", "__repr__", "__str__", "__format__", "__bool__", "__len__", "__iter__", "__getitem__"]
COUNTED = ["__add__", "__radd__", "__sub__", "__rsub__", "__index__"]
TIMES = ["utcoffset", "astimezone", "replace", "isoformat", "toordinal", "date", "time", "dst", "fromutc"]
TEXTS = ["strip", "upper", "lower", "split", "partition", "casefold", "encode"]


def raising(name: str) -> Any:
    """Return a method that raises."""

    def method(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError(name)

    return method


def odd(base: Any, *args: Any, properties: tuple[str, ...] = (), names: Any = None) -> Callable[[], Any]:
    """Return a maker of an instance of a subclass of which these methods, by default all, and properties raise."""
    all_names = [name for name in [*COMPARED, *SHOWN, *COUNTED, *TIMES, *TEXTS] if hasattr(base, name) or name in SHOWN]
    parts = {name: raising(name) for name in (all_names if names is None else names)}
    parts |= {name: property(raising(name)) for name in properties}
    return lambda: type(f"Odd{base.__name__}", (base,), parts)(*args)


def endless(base: Any, item: Any, *args: Any) -> Callable[[], Any]:
    """Return a maker of a collection that yields the same item for ever."""

    def items(_: Any) -> Iterator[Any]:
        while True:
            yield item

    return lambda: type("Endless", (base,), {"__iter__": items, "items": items})(*args)


class TextZone(tzinfo):
    """A zone whose offset is no length."""

    def utcoffset(self, _: Any) -> Any:
        return "1"

    def dst(self, _: Any) -> None:
        return None

    def tzname(self, _: Any) -> None:
        return None


class NoZone(TextZone):
    """A zone that knows no offset."""

    def utcoffset(self, _: Any) -> Any:
        return None


class RaisingZone(TextZone):
    """A zone that raises."""

    def utcoffset(self, _: Any) -> Any:
        raise ZeroDivisionError


def in_itself() -> list[Any]:
    """Return a list that contains itself."""
    items: list[Any] = []
    items.append(items)
    return items


HOSTILE: dict[str, Callable[[], Any]] = {
    **IMPOSTORS,
    "datetime": odd(datetime, 2026, 5, 4, 12),
    "datetime with a zone": odd(datetime, 2026, 5, 4, 12, 0, 0, 0, UTC),
    "times of it": odd(datetime, 2026, 5, 4, 12, 0, 0, 0, UTC, names=TIMES),
    "properties of it": odd(datetime, 2026, 5, 4, 12, properties=("year", "hour", "tzinfo"), names=("__sub__",)),
    "date": odd(date, 2026, 5, 4),
    "order of date": odd(date, 2026, 5, 4, names=["__lt__", "__gt__"]),
    "time": odd(time, 9, properties=("hour", "tzinfo")),
    "timedelta": odd(timedelta, 1),
    "order of timedelta": odd(timedelta, 1, names=COMPARED),
    "int": odd(int, 2),
    "float": odd(float, 2.5),
    "str": odd(str, "FREQ=DAILY"),
    "bytes": odd(bytes, b"ab"),
    "tuple": odd(tuple, (datetime(2026, 5, 4), datetime(2026, 5, 5))),
    "list": odd(list, ["09:00-10:00"]),
    "dict": odd(dict, {"mon": "09:00-10:00"}, names=["items", "keys", "__iter__", "__len__"]),
    "zone": odd(ZoneInfo, "Europe/Berlin"),
    "name of a zone": odd(ZoneInfo, "Europe/Berlin", properties=("key",), names=()),
    "zone of texts": TextZone,
    "zone of none": NoZone,
    "zone that raises": RaisingZone,
    "datetime in it": lambda: datetime(2026, 5, 4, tzinfo=RaisingZone()),
    "datetime in a zone of texts": lambda: datetime(2026, 5, 4, tzinfo=TextZone()),
    "endless numbers": endless(object, 1),
    "endless texts": endless(list, "09:00-10:00"),
    "endless pairs": endless(dict, ("mon", "09:00-10:00")),
    "endless dates": endless(dict, ("2026-05-04", "09:00-10:00")),
    "endless facts": endless(dict, ("week", ())),
    "a length that is too long": type("Long", (), {"__len__": lambda _: 2**62, "__iter__": lambda _: iter("a")}),
    "a negative length": type("Short", (), {"__len__": lambda _: -1, "__iter__": lambda _: iter(())}),
    "an iterator that is none": type("None_", (), {"__iter__": lambda _: 3}),
    "a list in itself": in_itself,
    "a great number": lambda: 10**5000,
}

FIRST, LAST = datetime(2026, 5, 4, 9, tzinfo=UTC), datetime(2026, 5, 4, 10, tzinfo=UTC)
WEEK = {"mon-fri": "09:00-17:00"}
HOURS = Hours(WEEK, zone="Europe/Berlin")
PLAIN = Hours(WEEK)
NAIVE = FIRST.replace(tzinfo=None)


class Pair(dict[Any, Any]):
    """A mapping of one key, which need not be hashable."""

    def __init__(self, *pair: Any) -> None:
        super().__init__()
        self.pair = pair

    def items(self) -> Any:
        return [self.pair]


def spans(*args: Any, **options: Any) -> list[Any]:
    """Return the first spans of a recurrence."""
    return list(islice(recurring(*args, **options), 3))


def daily(name: str) -> Callable[[Any], Any]:
    """Return a call of `recurring` with one argument by name."""
    return lambda one: spans(FIRST, LAST, "FREQ=DAILY", **{name: one})


CALLS: dict[str, Callable[[Any], Any]] = {
    "weekly": Hours,
    "a weekday": lambda one: Hours(Pair(one, "09:00-17:00")),
    "a day": lambda one: Hours({"mon": one}),
    "an opening": lambda one: Hours({"mon": [one]}),
    "a time": lambda one: Hours({"mon": [(one, "17:00")]}),
    "exceptions": lambda one: Hours(WEEK, exceptions=one),
    "a date": lambda one: Hours(WEEK, exceptions=Pair(one, None)),
    "an exception": lambda one: Hours(WEEK, exceptions={"2026-12-25": one}),
    "zone": lambda one: Hours(WEEK, zone=one).is_open(FIRST, LAST),
    "nonexistent": lambda one: Hours(WEEK, nonexistent=one),
    "ambiguous": lambda one: Hours(WEEK, ambiguous=one),
    "is_open": lambda one: HOURS.is_open(one, LAST),
    "is_open until": lambda one: HOURS.is_open(FIRST, one),
    "is_open, naive": lambda one: PLAIN.is_open(one, None),
    "open_spans": lambda one: list(islice(HOURS.open_spans(one, LAST), 3)),
    "open_spans until": lambda one: list(islice(PLAIN.open_spans(NAIVE, one), 3)),
    "open_spans at least": lambda one: list(islice(PLAIN.open_spans(NAIVE, None, at_least=one), 3)),
    "closed_spans": lambda one: list(islice(HOURS.closed_spans(FIRST, one), 3)),
    "next_open": HOURS.next_open,
    "next_open at least": lambda one: PLAIN.next_open(NAIVE, at_least=one),
    "from_plain": Hours.from_plain,
    "start": lambda one: spans(one, LAST, "FREQ=DAILY"),
    "end": lambda one: spans(FIRST, one, "FREQ=DAILY"),
    "start and end": lambda one: spans(one, one, None),
    "rule": lambda one: spans(FIRST, LAST, one),
    **{name: daily(name) for name in ("zone", "include", "exclude", "until", "limit", "keep", "nonexistent", "ambiguous")},
    "wall zone": lambda one: spans(NAIVE, NAIVE, "FREQ=DAILY", zone=one),
    "an exclusion": lambda one: spans(FIRST, LAST, "FREQ=DAILY", exclude=[one]),
    "an inclusion": lambda one: spans(FIRST, LAST, "FREQ=DAILY", include=[one]),
    "an included pair": lambda one: spans(FIRST, LAST, "FREQ=DAILY", include=[(FIRST, one)]),
    "a day that is excluded": lambda one: spans(date(2026, 5, 4), date(2026, 5, 5), "FREQ=DAILY", exclude=[one]),
    "the last day": lambda one: spans(date(2026, 5, 4), date(2026, 5, 5), "FREQ=DAILY", until=one),
}


@pytest.mark.parametrize("call", CALLS)
def test_hostile_objects_bring_out_only_errors_of_ours(call: str) -> None:
    """A raw error would come out of the object's own code; a loop without end would be stopped by nobody."""
    for name, make in HOSTILE.items():
        try:
            CALLS[call](make())
        except BookcoreError as error:
            assert str(error)
            assert repr(error)
        except Exception as error:
            raise AssertionError(f"{call} of {name}") from error
