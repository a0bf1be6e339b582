"""Keys of whatever types are ordered exactly or refused: no two spans that overlap are ever booked, in any mix.

The oracle is arithmetic without rounding: of each key its value as a `Fraction`, and for times that value in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bookcore import Calendar, ConflictError, InvalidSpanError, KeyTypeError, MemoryStore, Resource
from bookcore.stores.sorted import SortedStore
from bookcore.stores.tree import TreeStore
from bookcore.testing import ListStore

np = pytest.importorskip("numpy", reason="NumPy is not installed")
pd = pytest.importorskip("pandas", reason="pandas is not installed")

STORES = (MemoryStore, SortedStore, TreeStore, ListStore)
EPOCH = datetime(1970, 1, 1)
NANO = Fraction(1, 10**9)


class Floor(IntEnum):
    """Whole numbers with names."""

    GROUND, FIRST = 0, 1


# -- keys, and what they are worth -----------------------------------------------------------------

_NUMBERS: list[Any] = [
    *(base + n for base in (0, 2**11, 2**24, 2**53, 2**63) for n in (-1, 0, 1, 2)), True, Floor.FIRST,
    0.1, 0.5, 2.0**24, 2.0**53, 2.0**53 + 2, 2.0**63, 1e300, float("inf"), float("-inf"),
    Fraction(1, 10), Fraction(2**53 + 1),
    Fraction(2**60 + 1, 2), Decimal("0.1"), Decimal(2**53 + 1), Decimal("1e300"), np.bool_(True),
    *(kind(n) for kind in (np.int8, np.uint8) for n in (0, 1, 100)), *(np.int16(n) for n in (2047, 2048, 2049)),
    *(np.int32(2**24 + n) for n in (-1, 0, 1)), *(np.int64(2**53 + n) for n in (-1, 0, 1)), np.int64(2**63 - 1),
    *(np.uint64(2**63 + n) for n in (-1, 0, 1)), *(np.float16(n) for n in (0.1, 0.5, 2048)),
    *(np.float32(n) for n in (0.1, 0.5, 2**24, 2**53, 1e30)), *(np.float64(n) for n in (0.1, 2**53, 2**63, 1e300)),
    np.longdouble(0.5), np.longdouble(2**63), np.longdouble(2**63) + 1, np.longdouble(1) / 10,
]  # fmt: skip

_DAYS = ("1677-09-20", "1969-12-31", "1970-01-01", "2026-05-04", "2262-04-11", "2262-04-12", "2300-01-01", "9999-12-31")
_TIMES: list[Any] = [
    *(np.datetime64(day, unit) for day in _DAYS for unit in ("Y", "M", "W", "D", "h", "s", "us")),
    *(np.datetime64(n, "ns") for n in (-(2**63) + 1, -1, 0, 1, 1777852800000000001, 2**63 - 1)),
    *(np.datetime64(n, unit) for n, unit in ((5, "as"), (2**62, "ps"), (2**62, "s"), (3, "25s"), (7, "10s"), (9, "25s"))),
    np.datetime64(9, "7D"), np.datetime64(2, "3M"),
    *(datetime.fromisoformat(day) for day in _DAYS), *(date.fromisoformat(day) for day in _DAYS),
    *(pd.Timestamp(day) for day in _DAYS), pd.Timestamp(1, unit="ns"), pd.Timestamp(1777852800000000001, unit="ns"),
    datetime(2026, 5, 4, 0, 0, 0, 1), datetime(2026, 5, 4, tzinfo=UTC), pd.Timestamp("2026-05-04", tz="Europe/Berlin"),
]  # fmt: skip

_LENGTHS: list[Any] = [
    np.timedelta64(1, "ps"), np.timedelta64(2**40, "fs"),
    *(np.timedelta64(n, unit) for n in (-1, 0, 1, 60, 10**6, 2**62) for unit in ("W", "D", "h", "m", "s", "us", "ns")),
    np.timedelta64(5, "Y"), np.timedelta64(60, "M"), np.timedelta64(2**62, "Y"),
    1, 60, 1.5, True, np.int8(60),
    timedelta(0), timedelta(seconds=1), timedelta(days=1), timedelta(days=10**6), timedelta.max,
    pd.Timedelta(1, unit="ns"), pd.Timedelta(days=1), pd.Timedelta(days=10**5),
]  # fmt: skip

_UNITS = {
    "W": Fraction(604800), "D": Fraction(86400), "h": Fraction(3600), "m": Fraction(60), "s": Fraction(1),
    **{unit: Fraction(1, 1000**power) for power, unit in enumerate(("ms", "us", "ns", "ps", "fs", "as"), 1)},
}  # fmt: skip


def worth(key: Any) -> Any:
    """Return a number or a time as a fraction, infinities as they are."""
    if isinstance(key, np.datetime64 | np.timedelta64):
        unit, multiple = np.datetime_data(key.dtype)
        count = int(key.astype("i8")) * multiple
        if unit in "YM":
            months = count * (12 if unit == "Y" else 1)
            return _of_month(months) if isinstance(key, np.datetime64) else months * _UNITS["D"] * 30
        return count * _UNITS.get(unit, Fraction(1))
    if isinstance(key, pd.Timestamp | pd.Timedelta):
        return key.as_unit("ns").value * NANO if key.unit == "ns" else Fraction(key.value) * NANO
    if isinstance(key, timedelta):
        return Fraction((key.days * 86400 + key.seconds) * 10**6 + key.microseconds, 10**6)
    if isinstance(key, datetime):
        return worth(key.replace(tzinfo=None) - (key.utcoffset() or timedelta(0)) - EPOCH)
    if isinstance(key, date):
        return worth(datetime(key.year, key.month, key.day))
    if isinstance(key, np.integer | np.bool_):
        return Fraction(int(key))
    if isinstance(key, np.floating):
        return Fraction(*key.as_integer_ratio())
    return key if key in (float("inf"), float("-inf")) else Fraction(key)


def _of_month(months: int) -> Fraction:
    year, month = divmod(months + 1970 * 12, 12)
    cycles, year = divmod(year - 1600, 400)  # the calendar repeats itself every 400 years
    return (date(1600 + year, month + 1, 1) - date(1970, 1, 1)).days * _UNITS["D"] + cycles * 146097 * _UNITS["D"]


def _stamped(key: Any) -> Any:
    """Return what `worth` makes of a key, of a `Timestamp` beyond the years of nanoseconds too."""
    if isinstance(key, pd.Timestamp):
        whole = key.tz_convert(None) if key.tzinfo is not None else key
        return worth(whole.to_pydatetime(warn=False)) + whole.nanosecond * NANO
    if isinstance(key, pd.Timedelta):
        return worth(key.to_pytimedelta()) + key.nanoseconds * NANO
    return worth(key)


def mixes(make: Callable[[Any], Any]) -> Any:
    """Lists of what is made of a strategy of keys: all numbers, all times or all lengths of time."""
    kinds = [st.integers(0, len(keys) - 1).map(keys.__getitem__) for keys in (_NUMBERS, _TIMES, _LENGTHS)]
    return st.one_of([st.lists(make(keys), min_size=1, max_size=9) for keys in kinds])


SPANS = mixes(lambda keys: st.tuples(keys, keys, st.booleans()))


@given(steps=SPANS, make=st.sampled_from(STORES), bounds=st.sampled_from(["[)", "[]"]))
@example([(np.datetime64("2026-01-01", "ns"), np.datetime64("2026-01-02", "ns"), True),
          (np.datetime64("1700-01-01"), np.datetime64("2300-01-01"), True)], MemoryStore, "[)")  # fmt: skip
@example([(np.datetime64("2300-01", "M"), np.datetime64("2300-02", "M"), True),
          (np.datetime64("2299-12-25", "W"), np.datetime64("2300-01-06", "W"), True)], MemoryStore, "[)")  # fmt: skip
@example([(2**53, 2**53 + 1, True), (np.float64(2**53), 2.0**53 + 2, True)], MemoryStore, "[)")
@example([(np.float32(2**24), np.float32(2**24 + 2), True), (2**24 + 1, 2**24 + 2, True)], MemoryStore, "[)")
@example([(np.timedelta64(1, "m"), np.timedelta64(1, "h"), True), (60, 90, True)], MemoryStore, "[)")
def test_spans_of_any_mix_overlap_just_when_their_values_do(steps: Any, make: Any, bounds: Any) -> None:
    """Booked, asked, listed: without rounding. What cannot be compared by value is refused, and changes nothing."""
    calendar = Calendar(make(), bounds=bounds)
    calendar.add_resource(Resource("room"))
    held: list[tuple[Any, Any]] = []
    for start, end, books in steps:
        low, high = _stamped(start), _stamped(end)
        closed = bounds == "[]"
        inside = [(a, b) for a, b in held if (a <= high and low <= b if closed else a < high and low < b)]
        try:
            if books:
                event = calendar.book("room", start, end)
                assert event.start is start
                assert event.end is end
                held.append((low, high))
                assert not inside
            else:
                assert calendar.is_available("room", start, end) is not bool(inside)
        except ConflictError as exc:
            assert sorted((_stamped(e.start), _stamped(e.end)) for e in exc.conflicts) == sorted(inside)
        except InvalidSpanError:
            assert high < low if closed else high <= low
        except KeyTypeError:
            pass
        else:
            assert low <= high if closed else low < high
        assert len(calendar) == len(held)
    calendar.check()
    assert [_stamped(event.start) for event in calendar.bookings()] == sorted(a for a, _ in held)


@given(values=mixes(lambda keys: keys))
@example([np.float32(0.1), 0.1, np.float64(0.1), Decimal("0.1"), Fraction(1, 10)])
@example([2**53 + 1, 2.0**53, np.int64(2**53 + 1), np.float64(2**53)])
@example([np.datetime64("2026-01-01", "ns"), np.datetime64("2300-01-01")])
@example([True, 1, np.bool_(True), np.int8(1)])
def test_values_of_an_index_are_ordered_by_value(values: Any) -> None:
    """Also the bounds that are asked for; and what an index cannot order, `create_index` refuses by name."""
    calendar = Calendar()
    known = []
    calendar.create_index("size", key=attrgetter("size"))
    for number, value in enumerate(values):
        with suppress(KeyTypeError):
            calendar.add_resource(SimpleNamespace(id=number, size=value))
            known.append((number, _stamped(value)))
    index = calendar.index("size")
    assert calendar.resources.ids() == [number for number, _ in known]
    in_order = [number for number, _ in sorted(known, key=lambda entry: entry[1])]
    for order in ("size", attrgetter("size")):
        assert calendar.resources.order_by(order).ids() == in_order
    for value in values:
        bound = _stamped(value)
        with suppress(KeyTypeError):
            assert index.equal(value).ids() == [number for number, own in known if own == bound]
            assert index.between(value, None).ids() == [number for number, own in known if own >= bound]
            assert index.between(None, value).ids() == [number for number, own in known if own <= bound]
            assert index.one_of([value]).ids() == index.equal(value).ids()
    calendar.check()


@given(steps=mixes(lambda keys: st.tuples(keys, st.booleans())))
@example([(np.datetime64(1, "ns"), True), (np.datetime64("2300-01-01"), True), (np.datetime64("2027-01-01"), False)])
@example([(2**53, True), (2**53 + 1, True), (np.float64(2**53), False)])
@example([(np.float32(0.1), True), (0.1, False)])
def test_holds_run_out_when_the_clock_reaches_their_deadline_by_value(steps: Any) -> None:
    """Whatever the types of the deadlines, and of the clock's instant."""
    now: list[Any] = [steps[0][0]]
    calendar = Calendar(clock=lambda: now[0])
    calendar.add_resource(Resource("pool", capacity=99))
    alive: dict[int, Any] = {}
    for number, (instant, is_deadline) in enumerate(steps):
        before = now[0]
        try:
            if is_deadline:
                calendar.hold("pool", 1, 2, until=instant, id=number)
                alive[number] = _stamped(instant)
                assert alive[number] > _stamped(before)
            else:
                now[0] = instant
                calendar.is_available("pool", 1, 2)
        except KeyTypeError:
            now[0] = before  # an instant that cannot be compared: the clock is mended
        except ConflictError:
            pytest.fail("there is room")
        except Exception as exc:
            assert type(exc).__name__ == "HoldExpiredError"
            assert _stamped(instant) <= _stamped(before)
        try:
            calendar.is_available("pool", 1, 2)
        except KeyTypeError:
            return
        alive = {id: until for id, until in alive.items() if until > _stamped(now[0])}
        assert sorted(event.id for event in calendar.bookings()) == sorted(alive)
    calendar.check()


# -- refused by name -------------------------------------------------------------------------------


class Row(tuple[Any, ...]):
    """A tuple that is compared as a tuple."""


class Backwards(tuple[int, ...]):
    """A tuple with an order of its own."""

    def __lt__(self, other: Any) -> bool:
        return tuple.__lt__(other, self)


class Always:
    """Less than everything, and everything less than it."""

    def __lt__(self, other: Any) -> bool:
        return True

    __gt__ = __lt__


class Sets(frozenset[int]):
    """Some values, by inclusion."""


_REFUSED: list[Callable[[], Any]] = [
    lambda: np.complex64(1), lambda: np.complex128(1), lambda: np.array(5), lambda: np.array([5]), lambda: np.void(b"ab"),
    lambda: np.longdouble(2**63) + 1, Always, Sets, {1: 2}.keys, lambda: (1, {2}),
    lambda: [1, frozenset()], lambda: (1, Always()), lambda: (1, np.complex64(2)), lambda: [np.array(5)],
    lambda: [float("nan")],
]  # fmt: skip


@pytest.mark.parametrize("make", _REFUSED)
def test_what_has_no_order_is_refused_as_key_as_deadline_and_as_value(make: Callable[[], Any]) -> None:
    """In an empty calendar, where there is nothing yet that it could be compared with."""
    if isinstance(make(), np.longdouble) and np.finfo(np.longdouble).nmant <= 52:
        pytest.skip("a longdouble is a double here")
    calendar = Calendar(clock=lambda: now)
    calendar.add_resource(Resource("room"))
    now: Any = 1
    for ask in (
        lambda: calendar.book("room", make(), None),
        lambda: calendar.book("room", None, make()),
        lambda: calendar.is_available("room", make(), None),
        lambda: calendar.close("room", make(), None),
        lambda: calendar.hold("room", 1, 2, until=make()),
        lambda: calendar.find_available(make(), None),
    ):
        with pytest.raises((KeyTypeError, InvalidSpanError)):
            ask()
    if not isinstance(make(), list) or make() == make():  # a list with a NaN in it is a resource without a value
        with pytest.raises(KeyTypeError):
            calendar.create_index("it", key=lambda resource: make())
    now = make()
    with pytest.raises(KeyTypeError):
        calendar.hold("room", 1, 2, ttl=1)
    assert not len(calendar)
    calendar.check()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, "a"), (2, 3)), ([1, "a"], [2, 3]), ((1,), [2]), (np.datetime64(1, "ns"), np.datetime64("2300-01-01")),
        (np.timedelta64(5, "s"), 6), (5, np.timedelta64(6, "s")), (np.timedelta64(1, "Y"), np.timedelta64(400, "D")),
        ((0, np.datetime64("2026-01-01", "ns")), (1, np.datetime64("2300-01-01"))), (datetime(2026, 1, 1), date(2027, 1, 1)),
        (time(9), time(10, tzinfo=UTC)), (np.datetime64("2026-01-01T00", "h"), datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_ends_that_have_no_common_order_make_no_span(one: Any, other: Any) -> None:
    """Also in a calendar that holds no key yet, and where Python happens to compare the two."""
    calendar = Calendar()
    calendar.add_resource(Resource("room"))
    for ask in (calendar.book, calendar.is_available, calendar.close):
        with pytest.raises(KeyTypeError):
            ask("room", one, other)
    calendar.check()


def test_tuples_are_compared_as_they_say() -> None:
    """By their elements; a class of the user's own that has another order keeps it."""
    for make, first, last in ((Row, (1, 5), (2, 3)), (Backwards, (2, 3), (1, 5))):
        calendar = Calendar()
        calendar.add_resource(Resource("room"))
        calendar.book("room", make(first), make(last))
        with pytest.raises(InvalidSpanError):
            calendar.book("room", make(last), make(first))
        calendar.check()


@pytest.mark.parametrize(
    "make", [np.int64, np.float64, np.float32, lambda n: np.datetime64(n, "D"), lambda n: np.timedelta64(n, "s")]
)
def test_keys_of_numpy_come_back_as_they_were_given(make: Any, tmp_path: Any) -> None:
    """Booked, loaded in bulk, moved, split and read from a file."""
    calendar = Calendar()
    calendar.add_resource(Resource("room"))
    event = calendar.book("room", make(1), make(9), id="x")
    moved = calendar.move(event, start=make(2), end=make(8))
    first, second = calendar.split(moved, make(5))
    other = Calendar()
    other.add_resource(Resource("room"))
    other.load([type(first)("room", make(n), make(n + 1)) for n in range(100)])
    other.snapshot(tmp_path / "it")
    for found in (calendar, other, Calendar.restore(tmp_path / "it")):
        for booked in found.bookings():
            assert {type(booked.start), type(booked.end)} == {type(make(1))}
        found.check()
    assert (first.start, second.start, second.end) == (make(2), make(5), make(8))


def test_a_column_of_several_units_is_loaded_by_value(tmp_path: Any) -> None:
    """One type, and two kinds of key: the first does not speak for the others."""
    nanoseconds = [np.datetime64(n, "ns") for n in range(0, 200, 2)]
    spans = [(start, start + np.timedelta64(1, "ns")) for start in nanoseconds]
    far = (np.datetime64("1700-01-01"), np.datetime64("2300-01-01"))
    calendar = Calendar()
    calendar.add_resource(Resource("room"))
    event = type(calendar.book("room", *spans.pop(0)))
    with pytest.raises(KeyTypeError):
        calendar.load([event("room", *span) for span in [*spans, far]])
    assert len(calendar) == 1
    calendar.check()
