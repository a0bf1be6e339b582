"""Columns come back as they were: equal values, of the same type, zone, fold and representation."""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from typing import Any, NamedTuple
from unittest.mock import Mock
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookcore.errors import KeyTypeError
from bookcore.index.dictionary_column import DictionaryColumn
from bookcore.persist import registry
from bookcore.persist.codec import containers
from bookcore.persist.codec.blob import MissingCodec, Unreadable, Unwritable
from bookcore.persist.codec.columns import (
    decode_column,
    decode_keys,
    decode_numbers,
    encode_column,
    encode_numbers,
)
from bookcore.persist.registry import register_key_codec

MOST = settings().max_examples  # as the profile says, see tests/conftest.py

PARIS, NEW_YORK = ZoneInfo("Europe/Paris"), ZoneInfo("America/New_York")
NOON = datetime(2024, 10, 27, 2, 30)  # a time that Paris had twice


def alike(one: Any, two: Any) -> bool:
    """Tell whether two values are the same in everything that can be seen of them."""
    if not isinstance(two, type(one)) or not isinstance(one, type(two)):
        return False
    if isinstance(one, float):
        return struct.pack("<d", one) == struct.pack("<d", two)
    if isinstance(one, Decimal):
        return bool(one.as_tuple() == two.as_tuple())
    if isinstance(one, datetime):
        naive = one.replace(tzinfo=None), two.replace(tzinfo=None)
        return naive[0] == naive[1] and one.fold == two.fold and zones_alike(one.tzinfo, two.tzinfo)
    if isinstance(one, time):
        return (one.isoformat(), one.fold) == (two.isoformat(), two.fold) and zones_alike(
            one.tzinfo, two.tzinfo
        )
    if isinstance(one, tuple | list):
        return len(one) == len(two) and all(map(alike, one, two))
    if isinstance(one, dict):
        return alike(list(one.items()), list(two.items()))
    if isinstance(one, set | frozenset):
        return len(one) == len(two) and all(any(alike(each, other) for other in two) for each in one)
    return bool(one == two)


def zones_alike(one: tzinfo | None, two: tzinfo | None) -> bool:
    """Tell whether two zones are of one type and name."""
    return type(one) is type(two) and repr(one) == repr(two)


def assert_comes_back(values: list[Any]) -> list[Any]:
    """Write and read a column, check that nothing has changed, and return it."""
    found = decode_column(encode_column(values), len(values))
    assert len(found) == len(values)
    for one, two in zip(values, found, strict=True):
        assert alike(one, two), (one, two)
    return found


# -- strategies ------------------------------------------------------------------------------------

texts = st.text(st.characters(), max_size=12) | st.text(st.characters(categories=["Cs"]), max_size=3)
floats = st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0, math.inf, -math.inf, 5e-324])
offsets = st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59))
zones = (
    st.builds(timezone, offsets)
    | st.builds(timezone, offsets, texts)
    | st.sampled_from([UTC, PARIS, NEW_YORK, ZoneInfo("UTC"), ZoneInfo("Asia/Kathmandu")])
)
naive = st.builds(datetime.replace, st.datetimes(), fold=st.integers(0, 1))
aware = st.builds(datetime.replace, naive, tzinfo=zones)
FAMILIES: dict[str, st.SearchStrategy[Any]] = {
    "none": st.none(),
    "bool": st.booleans(),
    "int": st.integers(),
    "machine int": st.integers(-(1 << 63), (1 << 63) - 1),
    "large int": st.integers(-(1 << 400), 1 << 400),
    "float": floats,
    "text": texts,
    "bytes": st.binary(max_size=20),
    "Decimal": st.decimals(allow_nan=False)
    | st.sampled_from([Decimal("1.0"), Decimal("1.00"), Decimal("-0")]),
    "Fraction": st.fractions(),
    "UUID": st.uuids(),
    "date": st.dates(),
    "naive": naive,
    "aware": aware,
    "time": st.builds(time.replace, st.times(timezones=st.none() | zones), fold=st.integers(0, 1)),
    "timedelta": st.timedeltas() | st.sampled_from([timedelta.min, timedelta.max]),
}


@st.composite
def hashables(draw: st.DrawFn, depth: int = 2) -> Any:
    """Draw a value of any family, or a tuple or frozenset of such values."""
    shape = draw(st.integers(0, 5)) if depth else 0
    if shape < 4:
        return draw(FAMILIES[draw(st.sampled_from(sorted(FAMILIES)))])
    inner = draw(st.lists(hashables(depth - 1), max_size=3))
    return tuple(inner) if shape == 4 else frozenset(inner)


@st.composite
def anything(draw: st.DrawFn, depth: int = 3) -> Any:
    """Draw a value of any family, or a container of such values."""
    shape = draw(st.integers(0, 8)) if depth else 0
    if shape < 5:
        return draw(hashables())
    inner = draw(st.lists(anything(depth - 1), max_size=3))
    if shape == 5:
        return inner
    if shape == 6:
        return tuple(inner)
    if shape == 7:
        return set(draw(st.lists(hashables(), max_size=3)))
    return {draw(hashables()): value for value in inner}


# -- round trips -----------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_column_of_one_family_comes_back(family: str) -> None:
    """Each family alone, plain and with values repeated."""

    @given(st.lists(FAMILIES[family], max_size=20), st.integers(1, 3))
    def check(values: list[Any], times: int) -> None:
        assert_comes_back(values * times)

    check()


@pytest.mark.parametrize("family", FAMILIES)
def test_tuples_of_a_family_come_back(family: str) -> None:
    """Tuples of one length, of several, within tuples, as keys are made of."""
    key = FAMILIES[family]

    @given(
        st.lists(
            st.tuples(key, key) | st.tuples(key) | st.tuples(key, st.tuples(key, st.integers())), max_size=8
        )
    )
    @settings(max_examples=MOST // 2)
    def check(values: list[Any]) -> None:
        assert_comes_back(values)
        assert_comes_back([value for value in values if len(value) == 1])

    check()


@given(st.lists(anything(), max_size=12), st.integers(1, 3))
@settings(max_examples=MOST * 2)
def test_mixed_column_comes_back(values: list[Any], times: int) -> None:
    """All families in one column, containers within containers among them."""
    assert_comes_back(values * times)


@given(st.lists(st.integers(0, 300) | st.integers(0, 1 << 64).filter(lambda n: n < 1 << 64), max_size=20))
def test_numbers_come_back_in_any_width(values: list[int]) -> None:
    """Counts and places, from one byte to eight, and from arrays that are wider than needed."""
    assert list(decode_numbers(encode_numbers(values), len(values))) == values
    assert encode_numbers(array("Q", values)) == encode_numbers(values)


EQUAL_BUT_DIFFERENT = [
    [1, True, 1.0, Decimal(1), Fraction(1)],
    [0, False, 0.0, -0.0, Decimal("-0"), Decimal("0.00")],
    [Decimal("1.0"), Decimal("1.00"), Decimal("1E+0")],
    [NOON, NOON.replace(fold=1)],
    [NOON.replace(tzinfo=PARIS), NOON.replace(tzinfo=PARIS, fold=1)],
    [
        datetime(2024, 6, 1, 12, tzinfo=UTC),
        datetime(2024, 6, 1, 14, tzinfo=PARIS),
        datetime(2024, 6, 1, 8, tzinfo=NEW_YORK),
        datetime(2024, 6, 1, 14, tzinfo=timezone(timedelta(hours=2))),
        datetime(2024, 6, 1, 14, tzinfo=timezone(timedelta(hours=2), "CEST")),
        datetime(2024, 6, 1, 14, tzinfo=ZoneInfo.no_cache("Europe/Paris")),
    ],
    [(1, 2), (True, 2), (1.0, 2)],
    [frozenset([1]), frozenset([True])],
    [{frozenset([1, 9]), frozenset([5, 8])}, {frozenset([True, 9]), frozenset([5, 8.0])}],
    [time(1, tzinfo=UTC), time(2, tzinfo=timezone(timedelta(hours=1)))],
]


@pytest.mark.parametrize("values", EQUAL_BUT_DIFFERENT, ids=str)
@pytest.mark.parametrize("times", [1, 50])
def test_equal_values_that_differ_are_not_merged(values: list[Any], times: int) -> None:
    """Values that compare equal and differ otherwise do not share an entry of a table."""
    assert_comes_back(values * times)
    assert_comes_back(sorted(values * times, key=repr))


def test_half_folded_hours_among_many_come_back() -> None:
    """One folded datetime in a long column of repeated plain ones keeps its fold."""
    values = [datetime(2024, 1, 1, hour % 24) for hour in range(20_000)]
    values[12_345] = values[12_345].replace(fold=1)
    assert_comes_back(values)


@pytest.mark.parametrize("first", [None, UTC, PARIS], ids=str)
def test_hours_with_and_without_a_zone_come_back(first: tzinfo | None) -> None:
    """One column may hold datetimes with and without a zone, in any order and number."""
    zones = [first, *(zone for zone in (None, UTC, PARIS, NEW_YORK) if zone is not first)]
    values = [datetime(2024, 1, 1, hour // 4 % 24, tzinfo=zones[hour % 4]) for hour in range(20_000)]
    assert_comes_back(values)
    assert_comes_back([datetime(2024, 1, 1, tzinfo=first), *[datetime(2024, 1, 2, tzinfo=zones[1])] * 9])


def test_times_of_a_gap_seen_from_two_zone_objects_come_back() -> None:
    """Datetimes of two objects for one zone compare by UTC, where two times of a skipped hour are equal; both come back."""
    other = ZoneInfo.no_cache("Europe/Paris")
    gap = [datetime(2024, 3, 31, 2, 30, tzinfo=PARIS), datetime(2024, 3, 31, 3, 30, tzinfo=other)]
    assert_comes_back(gap * 100)


@pytest.mark.parametrize(
    "values",
    [
        [datetime(2024, 1, 1, hour % 24) for hour in range(30_000)],
        [datetime(2024, 1, 1, hour % 24, tzinfo=UTC) for hour in range(30_000)],
        [datetime(2024, 1, 1, hour % 24, tzinfo=PARIS) for hour in range(30_000)],
        [number % 1000 + 10**6 for number in range(30_000)],
        [str(number % 1000) for number in range(30_000)],
        [date.fromordinal(730_000 + number % 365) for number in range(30_000)],
        [Decimal(number % 100) / 100 for number in range(30_000)],
        [Fraction(number % 100, 7) for number in range(3_000)],
        [*[None] * 10_000, *[datetime(2024, 1, 1, hour % 24) for hour in range(30_000)]],
    ],
    ids=lambda values: type(values[-1]).__name__,
)
def test_equal_keys_come_back_as_one_object(values: list[Any]) -> None:
    """All rows of an entry of the table are one object after reading."""
    found = assert_comes_back(values)
    assert len(set(map(id, found))) == len(set(values))


@pytest.mark.parametrize("value", [(1, "x"), 2.5, NOON.replace(fold=1), time(3), [1], {"a": 1}, {1, 2}])
def test_one_object_many_times_comes_back_as_one_object(value: Any) -> None:
    """Values without a usable hash share an entry of the table if they are one object."""
    found = assert_comes_back([value] * 10)
    assert len(set(map(id, found))) == 1


def test_distinct_keys_are_written_without_a_table() -> None:
    """A table is made only if it is smaller than the column; `decode_keys` returns it."""
    assert decode_keys(encode_column(list(range(0, 200_000, 2))), 100_000).values == list(range(0, 200_000, 2))
    repeated = decode_keys(encode_column([number * 7919 % 500 for number in range(100_000)]), 100_000)
    assert isinstance(repeated.values, DictionaryColumn) and len(repeated.values.table) == 500
    assert list(repeated.values) == [number * 7919 % 500 for number in range(100_000)]


def test_repeated_hours_take_two_bytes_each() -> None:
    """Two million keys on the hour of a year are written as 8,760 hours and two bytes a key."""
    hours = [datetime(2024, 1, 1) + timedelta(hours=number * 7919 % 8760) for number in range(50_000)]
    assert len(encode_column(hours)) < 2 * 50_000 + 10 * 8760 + 100


def test_numpy_scalars_come_back() -> None:
    """NumPy's scalars keep their type, width and unit."""
    np = pytest.importorskip("numpy")
    values = [
        *(np.dtype(name).type(3) for name in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")),
        np.bool_(True), np.complex128(1 + 2j), np.str_("text\0"), np.bytes_(b"bytes\0"),
        *(np.datetime64("2024-01-01T10", unit) for unit in ("h", "m", "s", "ms", "us", "ns")),
        np.datetime64("2024-01-01"), np.timedelta64(5, "D"), np.float64(-0.0), np.datetime64("NaT", "s"),
    ]  # fmt: skip
    for column in (
        values,
        values * 3,
        *([value] * 4 for value in values),
        list(np.arange(0, 100, dtype="M8[h]")),
    ):
        found = decode_column(encode_column(column), len(column))
        for one, two in zip(column, found, strict=True):
            assert type(one) is type(two)
            assert one.dtype == two.dtype
            assert one.tobytes() == two.tobytes()
            assert len(one) == len(two) if isinstance(one, str | bytes) else True


def test_numpy_scalar_that_would_change_its_type_is_refused() -> None:
    """A type with the same layout as another type on this machine is not written as that other type."""
    np = pytest.importorskip("numpy")
    for value in (np.longdouble(1), np.void(b"ab")):
        with pytest.raises(Unwritable, match="register_key_codec"):
            encode_column([value])


def test_pandas_timestamps_come_back() -> None:
    """Timestamps keep unit, zone and fold."""
    pd = pytest.importorskip("pandas")
    stamp = pd.Timestamp("2024-10-27 02:30:00.123456789")
    values = [
        stamp, stamp.as_unit("us"), stamp.as_unit("s"), stamp.tz_localize("UTC"),
        stamp.tz_localize(PARIS, ambiguous=True), stamp.tz_localize(PARIS, ambiguous=False),
        stamp.tz_localize(timezone(timedelta(hours=-3))), pd.Timestamp.min, pd.Timestamp.max,
    ]  # fmt: skip
    for column in (values, values * 3, [stamp] * 5):
        found = decode_column(encode_column(column), len(column))
        for one, two in zip(column, found, strict=True):
            assert type(one) is type(two)
            assert (one, one.unit, one.fold, one.nanosecond) == (two, two.unit, two.fold, two.nanosecond)
            assert str(one.tzinfo) == str(two.tzinfo)


# -- what cannot be written ------------------------------------------------------------------------


class Point:
    """A key class of a user: ordered, with a hash that is of no use."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, *place: int) -> None:
        self.place = place

    def __lt__(self, other: Point) -> bool:
        return self.place < other.place

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and self.place == other.place


class Pair(NamedTuple):
    """A subclass of tuple, which is a plain type."""

    one: int
    two: int


class Colour(IntEnum):
    """A subclass of int."""

    RED = 1


class Wednesday(date):
    """A subclass of date."""


@pytest.mark.parametrize(
    "value",
    [
        Point(1),
        Pair(1, 2),
        Colour.RED,
        Wednesday(2024, 1, 3),
        object(),
        len,
        int,
        2j,
        range(3),
        bytearray(b"a"),
        ...,
        NotImplemented,
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize(
    "wrap",
    [lambda v: v, lambda v: (v,), lambda v: [1, [v]], lambda v: {"a": v}],
    ids=["bare", "tuple", "list", "dict"],
)
def test_value_of_another_type_is_refused_with_the_cure(value: Any, wrap: Callable[[Any], Any]) -> None:
    """Subclasses of plain types are refused as well: they would come back as the plain type."""
    with pytest.raises(Unwritable, match=r"register_key_codec") as caught:
        encode_column([1, wrap(value), "x"])
    assert type(value).__qualname__ in caught.value.reason


class Odd(tzinfo):
    """A zone class of a user."""

    def utcoffset(self, when: datetime | None) -> timedelta:
        return timedelta(hours=1)

    def dst(self, when: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, when: datetime | None) -> str:
        return "odd"


@pytest.mark.parametrize(
    "zone", [Odd(), type("Sub", (ZoneInfo,), {})("Europe/Paris")], ids=["own", "subclass"]
)
def test_zone_that_has_no_name_is_refused(zone: tzinfo) -> None:
    """Only fixed offsets, and ZoneInfo with a key, can be made again from a file."""
    for value in (NOON.replace(tzinfo=zone), time(1, tzinfo=zone)):
        with pytest.raises(Unwritable, match="time zone"):
            encode_column([value, value])


def test_value_within_itself_is_refused() -> None:
    """A list that holds itself, once or a thousand times, raises an error and does not use up the memory."""
    once: list[Any] = []
    once.append(once)
    often: list[Any] = []
    often += [often] * 1000
    around: dict[str, Any] = {}
    around["a"] = ([around],)
    for value in (once, often, around):
        with pytest.raises(Unwritable, match="itself"):
            encode_column([value])


def test_depth_is_limited_alike_for_writing_and_reading() -> None:
    """Values nested as deep as can be written can be read; values nested one deeper cannot be written."""
    deep: Any = 1
    for _ in range(31):
        deep = (deep,)
    assert_comes_back([deep])
    with pytest.raises(Unwritable, match="deep"):
        encode_column([(deep,)])


@pytest.mark.parametrize("value", [1 << (1 << 24), Fraction(1, 1 << (1 << 17))], ids=["int", "Fraction"])
def test_number_of_a_million_digits_is_refused(value: Any) -> None:
    """A number that would take minutes to read is not written."""
    with pytest.raises(Unwritable, match="too large"):
        encode_column([value])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (frozenset([0, 8]), frozenset([8, 0])), ({0, 8}, {8, 0}),
        (frozenset([frozenset([0, 8]), 8, "a", 1.5]), frozenset([1.5, "a", 8, frozenset([8, 0])])),
    ],
)  # fmt: skip
def test_equal_sets_are_written_alike(one: Any, other: Any) -> None:
    """Whatever order their elements have in this process."""
    assert one == other
    assert encode_column([one]) == encode_column([other])
    assert decode_column(encode_column([one]), 1) == [one]


@pytest.mark.parametrize("one", [{"b", "a", "c"}, {8, 0, -3}, {b"b", b"", b"a"}])
def test_elements_of_one_plain_type_are_put_in_order_without_their_places(one: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the same order; with another element among them it is that of the places."""
    general = sorted(one, key=containers._place)
    monkeypatch.setattr(containers, "_place", Mock(side_effect=ZeroDivisionError))
    assert containers._in_order(one) == general
    with pytest.raises(ZeroDivisionError):
        containers._in_order({*one, None})


def test_a_set_has_elements_of_a_class_that_is_called_like_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its elements are not compared with those of the other class."""
    monkeypatch.setattr(registry, "_by_class", {})
    monkeypatch.setattr(registry, "_by_name", {})
    whole: Any = type("int", (Fraction,), {})
    register_key_codec(whole, "whole", str, whole)
    given = frozenset([5, whole(7), whole(1)])
    found = decode_column(encode_column([given]), 1)
    assert found == [given] and set(map(type, found[0])) == {int, whole}


class BrokenZone(tzinfo):
    """A zone whose code raises."""

    def utcoffset(self, dt: datetime | None) -> timedelta:
        raise ZeroDivisionError

    dst = tzname = utcoffset  # type: ignore[assignment]


@pytest.mark.parametrize("count", [1, 2, 500])
def test_a_datetime_whose_zone_raises_is_not_written(count: int) -> None:
    """The error is that of every zone that cannot be written, and not the zone's own."""
    with pytest.raises(Unwritable, match="a time zone of BrokenZone cannot be written"):
        encode_column([datetime(2026, 5, 1, tzinfo=BrokenZone())] * count)


class Silent:
    """A point that says of itself only where it is in memory."""

    def __init__(self, at: int) -> None:
        self.at = at

    def __eq__(self, other: object) -> bool:
        return type(other) is Silent and other.at == self.at

    def __hash__(self) -> int:
        return self.at % 4


@pytest.mark.parametrize(
    "encode", [lambda one: one.at, lambda one: [one.at % 3, {"at": {one.at, -1.5}}]], ids=["int", "nested"]
)
def test_equal_sets_of_objects_with_a_key_codec_are_written_alike(encode: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever their elements are in memory, which is another place in each process; within tuples as well."""
    monkeypatch.setattr(registry, "_by_class", {})
    monkeypatch.setattr(registry, "_by_name", {})
    register_key_codec(Silent, "silent", encode, lambda plain: Silent(plain if type(plain) is int else max(plain[1]["at"])))
    first = list(map(Silent, range(20)))
    second = list(map(Silent, reversed(range(20))))
    for wrap in (frozenset, set, lambda ones: frozenset((one, "a") for one in ones), lambda ones: {*ones, 1, "a", 2.5}):
        one, other = wrap(first), wrap(second)
        assert one == other
        assert encode_column([one]) == encode_column([other])
        assert decode_column(encode_column([one]), 1) == [one]


def test_a_set_of_objects_whose_key_codec_fails_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the codec, as for one such object."""
    monkeypatch.setattr(registry, "_by_class", {})
    monkeypatch.setattr(registry, "_by_name", {})
    register_key_codec(Silent, "silent", lambda one: 1 / 0, Silent)
    with pytest.raises(Unwritable, match="'silent' failed"):
        encode_column([{Silent(1), Silent(2)}])


# -- classes of the user ---------------------------------------------------------------------------


def test_registered_class_comes_back() -> None:
    """Keys without a hash come back: alone, in tuples, among other values, and as one object where they were one."""
    register_key_codec(Point, "point", lambda point: point.place, lambda place: Point(*place))
    one, two = Point(1, 2), Point(3)
    for column in (
        [one, two],
        [one] * 5,
        [one, None, 5, two],
        [(one, 1), (two, 2)],
        [{"at": one}],
        [[one, [two]]],
    ):
        assert decode_column(encode_column(column), len(column)) == column
    found = decode_column(encode_column([one] * 5), 5)
    assert len(set(map(id, found))) == 1


def test_registered_class_within_a_registered_class_comes_back() -> None:
    """The value that an encode returns may hold instances of registered classes."""
    register_key_codec(Pair, "pair", tuple, lambda pair: Pair(*pair))
    register_key_codec(Point, "point", lambda point: Pair(*point.place), Point)
    (found,) = decode_column(encode_column([Point(1, 2)]), 1)
    assert found.place == (Pair(1, 2),)


def test_unknown_codec_is_named_when_read() -> None:
    """The error for a codec that is not registered names the codec and the function to call."""
    register_key_codec(Point, "the.point", lambda point: point.place, lambda place: Point(*place))
    data = encode_column([Point(1)])
    registry._by_name.clear()
    with pytest.raises(MissingCodec, match=r"the\.point.*register_key_codec") as caught:
        decode_column(data, 1)
    assert caught.value.name == "the.point"


def failing(_: Any) -> Any:
    """Fail as a user's function may."""
    raise LookupError("no such point")


@pytest.mark.parametrize(
    ("encode", "decode", "refusal"),
    [
        (failing, Point, Unwritable),
        (lambda point: point, Point, Unwritable),
        (lambda point: 1, failing, Unreadable),
        (lambda point: 1, lambda plain: plain, Unreadable),
        (lambda point: 1, lambda plain: None, Unreadable),
    ],
    ids=["encode fails", "encode gives itself", "decode fails", "decode gives another", "decode gives None"],
)
def test_codec_that_fails_is_reported_as_such(
    encode: Callable[[Any], Any], decode: Callable[[Any], Any], refusal: type[Exception]
) -> None:
    """A user's function may fail in any way; the error names the codec or what it got."""
    register_key_codec(Point, "broken", encode, decode)
    with pytest.raises(refusal):
        decode_column(encode_column([Point(1), Point(2)]), 2)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((5, "five", str, int), "class"),
        ((Point, "", str, int), "name"),
        ((Point, 5, str, int), "name"),
        ((Point, "a\nb", str, int), "name"),
        ((Point, "point", None, int), "functions"),
        ((Point, "point", str, None), "functions"),
        ((int, "int", str, int), "already"),
        ((datetime, "datetime", str, int), "already"),
    ],
)
def test_registration_that_makes_no_sense_is_refused(arguments: tuple[Any, ...], why: str) -> None:
    """A codec needs a class, a name and two functions; plain types take no codec."""
    with pytest.raises(KeyTypeError, match=why):
        register_key_codec(*arguments)


def test_name_stands_for_one_class() -> None:
    """A second class for a name, or a second name for a class, is refused; the same pair again replaces the functions."""
    register_key_codec(Point, "point", str, lambda plain: Point(1))
    register_key_codec(Point, "point", lambda point: 1, lambda plain: Point(2))
    with pytest.raises(KeyTypeError, match="taken"):
        register_key_codec(Pair, "point", str, lambda plain: Pair(1, 2))
    with pytest.raises(KeyTypeError, match="already"):
        register_key_codec(Point, "dot", str, lambda plain: Point(1))
    assert decode_column(encode_column([Point(5)]), 1) == [Point(2)]


# -- what no writer wrote --------------------------------------------------------------------------


@given(st.binary(max_size=120), st.integers(0, 40))
@settings(max_examples=MOST * 5)
def test_random_bytes_are_unreadable_or_a_column(data: bytes, rows: int) -> None:
    """Whatever the bytes are, decoding returns a column or raises Unreadable."""
    for attempt in (data, struct.pack("<Q", rows) + data):
        try:
            found = decode_column(attempt, rows)
        except Unreadable:
            continue
        assert len(found) == rows


SAMPLES: list[list[Any]] = [
    [1, 2, 3],
    [5, 5, 7],
    [1 << 70, -3],
    [1.5, -0.0],
    ["a", "b\nc", "\ud800"],
    [b"x", b""],
    [Decimal("1.50")],
    [Fraction(1, 3)],
    [UUID(int=1 << 127 | 5), UUID("12345678-1234-1678-9234-567812345678")],
    [date(2024, 2, 29)],
    [
        NOON,
        NOON.replace(fold=1),
        NOON.replace(tzinfo=PARIS),
        NOON.replace(tzinfo=timezone(timedelta(1) / 3, "x")),
    ],
    [time(1, 2, 3, 4, UTC)],
    [timedelta(-1, 5, 6)],
    [(1, "a"), (2, "b")],
    [(), (1,), (2, (3,))],
    [[1], [], [[2]]],
    [{"a": 1, "b": 2}, {"a": 3, "b": 4}],
    [{1: 2}, {}, {"x": [3]}],
    [{1, 2}, frozenset([3])],
    [None, True, 5, "x", None],
]


@pytest.mark.parametrize("values", SAMPLES, ids=str)
def test_damaged_column_is_unreadable_or_another_column(values: list[Any]) -> None:
    """Every bit flipped and every byte set to its extremes: never another exception, never more rows."""
    data = encode_column(values)
    for at in range(len(data)):
        for other in {data[at] ^ 1 << bit for bit in range(8)} | {0, 1, 127, 128, 255}:
            try:
                found = decode_column(data[:at] + bytes((other,)) + data[at + 1 :], len(values))
            except Unreadable:
                continue
            assert len(found) == len(values)
    for cut in range(len(data)):
        with pytest.raises(Unreadable):
            decode_column(data[:cut], len(values))
    with pytest.raises(Unreadable):
        decode_column(data + b"\0", len(values))
    with pytest.raises(Unreadable):
        decode_column(data, len(values) + 1)


def pack(count: int, *parts: bytes) -> bytes:
    """Return a column by hand."""
    return struct.pack("<Q", count) + b"".join(parts)


def size(number: int) -> bytes:
    """Return a count as it is written in a column."""
    return struct.pack("<Q", number)


HUGE = 2**40
UNREADABLE = {
    "more rows than bytes": (pack(HUGE, b"\x02"), HUGE),
    "rows at the sign": (pack(2**63, b"\x04\x00"), 2**63),
    "no rows where some should be": (pack(3, b"\xf0"), 3),
    "rows where none should be": (pack(0, b"\x02"), 0),
    "unknown family": (pack(1, b"\x63\x00"), 1),
    "mixed within mixed": (pack(2, b"\xf1", size(2), b"\x00\x01", b"\xf1"), 2),
    "one kind only": (pack(2, b"\xf1", size(1), b"\x00\x00", b"\x02\x00\x00"), 2),
    "a kind too many": (pack(2, b"\xf1", size(2), b"\x00\x02", b"\x02\x00\x02\x00"), 2),
    "a kind without rows": (pack(2, b"\xf1", size(2), b"\x00\x00", b"\x02\x00\x00"), 2),
    "more kinds than rows": (pack(2, b"\xf1", size(HUGE), b"\x00\x01"), 2),
    "table within table": (
        pack(2, b"\xf2", size(1), b"\x00\x00", b"\xf2", size(1), b"\x00", b"\x04\x00", bytes(8)),
        2,
    ),
    "table of nothing": (pack(2, b"\xf2", size(0), b"\x00\x00\x04\x00"), 2),
    "table larger than its column": (pack(2, b"\xf2", size(3), b"\x00\x01\x04\x00", bytes(24)), 2),
    "past the end of a table": (pack(2, b"\xf2", size(1), b"\x00\x01\x04\x00", bytes(8)), 2),
    "table of Nones": (pack(2, b"\xf2", size(1), b"\x00\x00\x02\x00"), 2),
    "None with a value": (pack(1, b"\x02\x01"), 1),
    "bool of two": (pack(1, b"\x03\x02"), 1),
    "int in an unknown form": (pack(1, b"\x04\x09", bytes(8)), 1),
    "run of ints within a table": (pack(2, b"\xf2", size(1), b"\x00\x00\x04\x03", bytes(8)), 2),
    "run of ints within a tuple": (pack(2, b"\x14\x01\x01", b"\x04\x03", bytes(8)), 2),
    "int of no bytes": (pack(1, b"\x04\x02", bytes(4), size(0)), 1),
    "texts that do not fill": (pack(2, b"\x06\x00", size(1), b"a"), 2),
    "text that is no UTF-8": (pack(1, b"\x06\x00", size(1), b"\xff"), 1),
    "text lengths beyond the text": (pack(1, b"\x06\x01", b"\xff\xff\xff\xff", size(1), b"a"), 1),
    "bytes lengths beyond the bytes": (pack(1, b"\x07", b"\xff\xff\xff\xff", size(1), b"a"), 1),
    "Decimal that is none": (pack(1, b"\x08\x00", size(3), b"abc"), 1),
    "fraction over zero": (pack(1, b"\x09", b"\x01\0\0\0", size(1), b"\1", b"\x01\0\0\0", size(1), b"\0"), 1),
    "day zero": (pack(1, b"\x0b", bytes(4)), 1),
    "month 13": (pack(1, b"\x0c\x00", b"\x07\xe8\x0d\x01\0\0\0\0\0\0"), 1),
    "30 February": (pack(1, b"\x0c\x00", b"\x07\xe8\x02\x1e\0\0\0\0\0\0"), 1),
    "31 June among others": (
        pack(2, b"\x0c\x00", b"\x07\xe8\x06\x01\0\0\0\0\0\0", b"\x07\xe8\x06\x1f\0\0\0\0\0\0"),
        2,
    ),
    "hour 24": (pack(1, b"\x0c\x00", b"\x07\xe8\x01\x01\x18\0\0\0\0\0"), 1),
    "second 60": (pack(1, b"\x0c\x00", b"\x07\xe8\x01\x01\0\0\x3c\0\0\0"), 1),
    "a million microseconds": (pack(1, b"\x0c\x00", b"\x07\xe8\x01\x01\0\0\0\x0f\x42\x40"), 1),
    "year zero": (pack(1, b"\x0c\x00", b"\0\0\x01\x01\0\0\0\0\0\0"), 1),
    "zone up the folders": (pack(1, b"\x0c\x03", size(9), b"../passwd", b"\x07\xe8\x01\x01\0\0\0\0\0\0"), 1),
    "zone from the root": (
        pack(1, b"\x0c\x03", size(11), b"/etc/passwd", b"\x07\xe8\x01\x01\0\0\0\0\0\0"),
        1,
    ),
    "zone that is a folder": (pack(1, b"\x0c\x03", size(6), b"Europe", b"\x07\xe8\x01\x01\0\0\0\0\0\0"), 1),
    "zone of a long name": (pack(1, b"\x0c\x03", size(300), b"A" * 300, b"\x07\xe8\x01\x01\0\0\0\0\0\0"), 1),
    "offset of a day": (
        pack(1, b"\x0c\x01", struct.pack("<q", 86_400_000_000), b"\x07\xe8\x01\x01\0\0\0\0\0\0"),
        1,
    ),
    "length that overflows": (pack(1, b"\x0e", b"\xff\xff\xff\x7f" * 3), 1),
    "tuples of width zero": (pack(2, b"\x14\x01\x00"), 2),
    "list longer than what follows": (pack(1, b"\x15", b"\xff\xff\xff\xff", b"\x02"), 1),
    "set of lists": (pack(1, b"\x17", b"\x01\0\0\0", b"\x15", bytes(4), b"\xf0"), 1),
    "set of one element twice": (pack(1, b"\x17", b"\x02\0\0\0", b"\x02\x00\x00"), 1),
    "dict of one key twice": (pack(1, b"\x16\x00", b"\x02\0\0\0", b"\x02\x00\x00", b"\x02\x00\x00"), 1),
    "dict of lists": (pack(1, b"\x16\x00", b"\x01\0\0\0", b"\x15", bytes(4), b"\xf0", b"\x02\x00"), 1),
    "nested without end": (pack(1, (b"\x15" + b"\x01\0\0\0") * 5000), 1),
    "doubling table of tuples": (
        pack(1, b"\x14\x01\x02" + (b"\xf2" + size(1) + b"\0" + b"\x14\x01\x02") * 20),
        1,
    ),
    "NumPy object": (pack(1, b"\x1e", size(2), b"|O", size(8), bytes(8)), 1),
    "NumPy text of a gigabyte": (pack(1, b"\x1e", size(11), b"<U268435456", size(8), bytes(8)), 1),
    "unknown codec": (pack(1, b"\x22", size(3), b"abc", b"\x02\x00"), 1),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_column_that_no_writer_wrote_is_unreadable(name: str) -> None:
    """Each of these columns breaks one rule of the format."""
    data, rows = UNREADABLE[name]
    with pytest.raises(Unreadable):
        decode_column(data, rows)


def test_numbers_out_of_range_are_unreadable() -> None:
    """Numbers that are not below the limit, too many or too few numbers, and unknown widths are refused."""
    data = encode_numbers([0, 1, 300])
    assert list(decode_numbers(data, 3, below=301)) == [0, 1, 300]
    wrong = b"Z" + data[1:]
    for broken, count, below in (
        (data, 3, 300),
        (data, 2, 301),
        (data, 4, 301),
        (wrong, 3, 301),
        (b"", 0, 1),
    ):
        with pytest.raises(Unreadable):
            decode_numbers(broken, count, below=below)
