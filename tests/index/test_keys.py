"""What may be a key: families, points, instants; each refusal with nothing remembered of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from functools import partial
from itertools import pairwise, permutations
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore import Calendar, InvalidKeyError, InvalidSpanError, KeyTypeError, MemoryStore, Resource
from bookcore.model import keys as module
from bookcore.model import numpy_scalars
from bookcore.model.keys import LOWEST, KeyFamily, is_one_kind, normal
from bookcore.model.numpy_scalars import grain
from bookcore.stores.tree import TreeStore
from bookcore.testing import Family, any_family, families, nans, strangers
from bookcore.testing.cutting import cut_off
from bookcore.testing.families import OnlyLess

BERLIN = ZoneInfo("Europe/Berlin")


def ring(*held: Any, closed: bool = False) -> KeyFamily:
    """Return a keyring that has learned some keys."""
    made = KeyFamily(closed, lambda: map(normal, held))
    made.learn(*map(normal, held))
    return made


@given(one=any_family(), other=any_family(), ranks=st.tuples(st.integers(0, 20), st.integers(0, 20)))
def test_a_span_is_admitted_just_when_its_keys_can_be_ordered_with_those_held(
    one: Family, other: Family, ranks: tuple[int, int]
) -> None:
    """Whatever the families: either it raises, or every comparison the index may make works."""
    held, new = one.key(ranks[0]), other.key(ranks[1])
    try:
        low, high = ring(held).admit(new, None)
    except KeyTypeError:
        assert one is not other
        return
    assert high is None
    assert isinstance(bool(low < normal(held)), bool)
    assert isinstance(bool(normal(held) < low), bool)


@given(nan=nans(), family=any_family())
def test_a_value_unequal_to_itself_is_no_point(nan: Any, family: Family) -> None:
    """On either side, alone or with a good key, in an empty calendar and in a full one."""
    for made in (ring(), ring(family.key(1))):
        for span in ((nan, None), (None, nan), (nan, family.key(3)), (family.key(3), nan)):
            with pytest.raises(InvalidKeyError):
                made.admit(*span)


@pytest.mark.parametrize(
    ("held", "stranger"),
    [
        (1, "a"), ("a", 1), (1, Ellipsis), (1.5, "x"), (Decimal(1), "1"), (Fraction(1, 2), "1"),
        (date(2026, 1, 1), datetime(2026, 1, 1)), (datetime(2026, 1, 1), date(2026, 1, 1)),
        (datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)), (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1)),
        ((1, 2), (1, "a")), ((1, 2), 1), ((1, (2, 3)), (1, 2)), ((1, datetime(2026, 1, 1)), (1, date(2026, 1, 1))),
        (1, timedelta(1)), (timedelta(1), 1), (b"a", "a"), (1, {1}), (1, 1j), (1, [1]),
    ],
    ids=repr,
)  # fmt: skip
def test_keys_of_two_kinds_without_a_common_order_do_not_mix(held: Any, stranger: Any) -> None:
    """Even where the values at hand would happen to compare."""
    with pytest.raises(KeyTypeError) as caught:
        ring(held).admit(stranger, None)
    assert caught.value.key is stranger


@pytest.mark.parametrize("mixed", [(1, 2.0, Fraction(5, 2), Decimal(3)), ((1, 2), (1, 2.5)), (True, 2)])
def test_kinds_that_have_a_common_order_do_mix(mixed: tuple[Any, ...]) -> None:
    """All numbers are one family, also within tuples."""
    made = ring(mixed[0])
    for key in mixed[1:]:
        assert made.admit(key, None) == (key, None)
        made.learn(key)


class Version:
    """A point that can be compared with whole numbers and with its own kind, but not with other such points."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __lt__(self, other: Any) -> Any:
        if type(other) is not int and type(other) is not type(self):
            return NotImplemented
        return self.value < getattr(other, "value", other)

    def __gt__(self, other: Any) -> Any:
        if type(other) is not int and type(other) is not type(self):
            return NotImplemented
        return self.value > getattr(other, "value", other)


class OtherVersion(Version):
    """Another such point."""


@pytest.mark.parametrize("make", [MemoryStore, TreeStore])
def test_a_kind_that_is_not_held_any_more_does_not_stand_in_the_way(make: Any) -> None:
    """Each of two kinds goes with whole numbers, but not with the other: one may move in when the other has gone."""
    calendar = Calendar(make())
    calendar.add_resource(Resource("flat"))
    calendar.book("flat", 1, 2)
    odd = calendar.book("flat", Version(3), 4)
    with pytest.raises(KeyTypeError):
        calendar.book("flat", OtherVersion(9), 10)
    calendar.remove_booking(odd)
    calendar.book("flat", OtherVersion(9), 10)
    with pytest.raises(KeyTypeError):
        calendar.book("flat", Version(7), 8)
    assert not calendar.is_available("flat", 9, 10)
    calendar.check()


@given(stranger=strangers())
def test_what_is_refused_is_not_remembered(stranger: Any) -> None:
    """After any refusal the family is what it was."""
    made = ring(1, 5)
    before = made.fast_type, made.zone
    for span in ((stranger, None), (None, stranger), (0, stranger), (stranger, 9), (stranger, stranger)):
        try:
            made.admit(*span)
        except (KeyTypeError, InvalidSpanError):
            assert (made.fast_type, made.zone) == before
            assert made.admit(2, 3) == (2, 3)


def test_instants_are_compared_in_utc_whatever_the_zone_and_the_fold() -> None:
    """At a clock change Python's own order of wall clocks has cycles; the order of instants has none."""
    first = datetime(2026, 10, 25, 2, 45, tzinfo=BERLIN)
    second = datetime(2026, 10, 25, 2, 15, tzinfo=BERLIN, fold=1)
    between = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
    assert second < first
    assert normal(first) < normal(between) < normal(second)
    calendar = Calendar()
    calendar.add_resource(Resource("flat"))
    stay = calendar.book("flat", first, second)
    assert (stay.start, stay.end) == (first, second)
    assert stay.start is first
    assert not calendar.is_available("flat", between, between + timedelta(minutes=1))
    for one, two in permutations((first, second), 2):
        assert calendar.is_available("flat", one, two) is False if one is first else True
    with pytest.raises(InvalidSpanError):
        calendar.book("flat", second, first)


def test_a_zone_that_cannot_be_told_in_utc_is_refused() -> None:
    """Where UTC would be before the year 1."""
    east = timezone(timedelta(hours=5))
    with pytest.raises(KeyTypeError):
        ring().admit(datetime(1, 1, 1, 3, tzinfo=east), None)


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("family", families(), ids=str)
def test_ends_are_in_order_or_refused(family: Family, closed: bool) -> None:
    """Reversed never; equal only with closed bounds."""
    made = ring(closed=closed)
    key = family.key
    assert len(made.admit(key(1), key(2, 1))) == 2
    with pytest.raises(InvalidSpanError):
        made.admit(key(2), key(1, 1))
    if closed:
        made.admit(key(1), key(1, 1))
    else:
        with pytest.raises(InvalidSpanError):
            made.admit(key(1), key(1, 1))


def test_lowest_is_before_every_key_and_asks_none() -> None:
    """It is on the left of ``<``, so that no key's own method is called."""
    assert LOWEST < 1
    assert LOWEST < "a"
    assert not LOWEST < LOWEST


@pytest.mark.parametrize(
    "held", [(), (1,), (1, 2.5), (datetime(2026, 5, 1),), (datetime(2026, 5, 1, tzinfo=UTC),), ((1, "a"),)]
)
@pytest.mark.parametrize(
    "act",
    [
        KeyFamily.reset,
        lambda family: family.learn(7),
        lambda family: family.learn(OnlyLess(7)),
        lambda family: family.suit(lambda key: False),
        lambda family: family.learn(date(2026, 5, 1), "a"),
    ],
)
def test_what_a_family_knows_stays_whole_if_learning_is_cut_off(act: Callable[[KeyFamily], Any], held: Any) -> None:
    """Wherever it is: the type that takes the short way is always the one that follows from the kinds."""
    for nth in range(1, 60):
        family = ring(*held)
        cut_off(partial(act, family), nth)
        fresh = ring(*family._kinds.values())
        assert (family.fast_type, family.zone, family.user_defined) == (fresh.fast_type, fresh.zone, fresh.user_defined), nth
        assert act is KeyFamily.reset or all(map(family.knows, held)), nth


_HELD: dict[str, list[Any]] = {
    "ints and floats": [1, 2.5, 7],
    "fractions and ints": [Fraction(1, 2), 1, 3],
    "decimals and ints": [Decimal("0.5"), 1, 3],
    "datetimes in UTC": [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)],
    "dates": [date(2026, 1, day) for day in (1, 2, 3)],
    "days of NumPy": [np.datetime64(day, "D") for day in (1, 2, 3)],
    "days and hours of NumPy": [np.datetime64(1, "D"), np.datetime64(48, "h"), np.datetime64(3, "D")],
    "lengths of NumPy": [np.timedelta64(day, "s") for day in (1, 2, 3)],
    "numbers of NumPy": [np.int64(1), np.float64(2.5), np.int32(7)],
}


@pytest.mark.parametrize("keys", _HELD)
def test_keys_of_kinds_that_are_held_are_compared_once(keys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their kinds tell that they can be; of a time of NumPy the grain is found once. The first keys are examined in full."""
    held = _HELD[keys]
    made = ring(*held)
    for low, high in pairwise(held):
        assert made.admit(low, high) == (normal(low), normal(high))
    grains: list[Any] = []
    compared: list[Any] = []

    def counted(key: Any) -> Any:
        grains.append(key)
        return grain(key)

    monkeypatch.setattr(module, "grain", counted)
    monkeypatch.setattr(module, "incomparable", lambda *pair: compared.append(pair))
    for low, high in pairwise(held):
        made.admit(low, high)
    assert not compared
    assert len(grains) == (2 * len(held) - 2 if hasattr(normal(held[0]), "dtype") else 0)


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as", "25s", "7D"])
def test_a_grain_tells_the_finest_unit_with_room(unit: Any) -> None:
    """Against a search through all units, at each power of two."""
    for power in (0, 1, 10, *range(24, 63)):
        for count in (2**power - 1, 2**power, -(2**power)):
            length = np.timedelta64(count, unit)
            of_one, multiple = np.datetime_data(length.dtype)
            lasts = abs(count) * multiple * numpy_scalars._UNITS[of_one]
            room = [place for each, place in numpy_scalars._PLACES.items() if lasts < 2**63 * numpy_scalars._UNITS[each]]
            found = grain(length)
            assert found is not None
            assert found.finest == max(room, default=-1)


@pytest.mark.parametrize(
    ("keys", "one"),
    [
        ([1, 2], True), ([1, 2.0], False), ([datetime(2026, 1, 1), datetime(2026, 1, 2)], True), (["a"], True), ([], False),
        ([datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)], True), ([(1,), (2,)], True), ([(1,), (1, 2)], False),
        ([time(1), time(2, tzinfo=UTC)], True), ([np.datetime64(1, "D"), np.datetime64(2, "D")], True),
        ([np.datetime64(1, "D"), np.datetime64(2, "h")], False), ([(1, "a"), (1, 2)], False),
    ],
)  # fmt: skip
def test_keys_of_one_kind_are_told(keys: list[Any], one: bool) -> None:
    """A type is not enough, unless Python's ``<`` raises where its kinds differ."""
    assert is_one_kind(keys, set(map(type, keys))) is one
