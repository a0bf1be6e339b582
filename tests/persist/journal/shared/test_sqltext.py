"""The words of SQL for values of a calendar: different ids have different texts, and ranges have the order of their keys."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore.persist.shared.sqltext import RANGES, as_json, id_text, range_of

TEXTS = st.text(st.characters(codec=None), max_size=6) | st.sampled_from(["1", "-1", '"1"', "[1]", "{", "\0", "é" * 900])
PLAIN = st.integers() | TEXTS | st.binary(max_size=3) | st.booleans() | st.uuids() | st.dates() | st.floats(allow_nan=False)
IDS = PLAIN | st.tuples(PLAIN) | st.tuples(PLAIN, TEXTS) | st.frozensets(PLAIN, max_size=3)


@given(IDS, IDS)
def test_different_ids_have_different_texts(one: Any, other: Any) -> None:
    """Which PostgreSQL takes, and which are short enough for its indexes."""
    if (type(one), one) != (type(other), other):
        assert id_text(one) != id_text(other) or one == other
    text = id_text(one)
    assert "\0" not in text
    assert len(text.encode()) <= 800


NUMBERS = st.integers() | st.floats(allow_nan=False) | st.decimals(allow_nan=False) | st.fractions()
FAMILIES = {
    "texts": TEXTS,
    "bytes": st.binary(),
    "times": st.times(),
    "lengths": st.timedeltas(),
    "tuples": st.tuples(NUMBERS, TEXTS),
    "nested": st.lists(st.tuples(TEXTS, st.datetimes(timezones=st.just(UTC)), st.tuples(st.dates()))).map(tuple),
}


@pytest.mark.parametrize("family", FAMILIES)
@given(st.data())
def test_bytes_have_the_order_of_the_keys_that_they_stand_for(family: str, data: Any) -> None:
    """Of any two keys of a family; those that are equal are equal as bytes."""
    one, other = data.draw(FAMILIES[family]), data.draw(FAMILIES[family])
    low, high = sorted((one, other))
    found = range_of(low, high, True)
    if "keys" not in found:  # a third, or too long
        return
    first, last = (bytes.fromhex(part.strip('[]"').removeprefix("\\\\x")) for part in found["keys"].split(","))
    assert (first < last, first == last) == (low < high, low == high)


@given(NUMBERS, NUMBERS)
def test_numbers_are_told_exactly_or_not_at_all(one: Any, other: Any) -> None:
    """Whatever they are of; a fraction whose digits do not end has no range."""
    low, high = sorted((one, other))
    found = range_of(low, high, True)
    if "numbers" in found:
        told = [Decimal(part) for part in found["numbers"].strip("[]").split(",")]
        assert [low == told[0], high == told[1]] == [True, True]
    else:
        assert found == {"span": [as_json(low), as_json(high)]}


@pytest.mark.parametrize(
    ("start", "end", "column", "told"),
    [
        (1, None, "numbers", "[1,)"),
        (None, 0.5, "numbers", "(,0.5)"),
        (date(2026, 5, 1), date(2026, 5, 2), "dates", "[2026-05-01,2026-05-02)"),
        (datetime(2026, 5, 1, 2, 3, 4, 5), None, "during_local", '["2026-05-01T02:03:04.000005",)'),
        (datetime(1, 1, 1, tzinfo=UTC), None, "during", '["0001-01-01T00:00:00+00:00",)'),
        ("", "a", "keys", r'["\\x","\\x61")'),
    ],
)
def test_a_span_is_a_range_in_the_column_of_its_keys(start: Any, end: Any, column: str, told: str) -> None:
    """With its start and without its end; nothing where it is unbounded."""
    assert range_of(start, end, False)[column] == told


def test_a_span_without_bounds_is_in_all_columns() -> None:
    """It overlaps every other one, of whatever keys they are."""
    assert range_of(None, None, True) == dict.fromkeys(RANGES, "(,)")


class Own:
    """A key of the program's own."""


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (Fraction(1, 3), 1),
        (0, Fraction(1, 3)),
        ("a", "b" * 501),
        (Decimal("1e-9999"), 1),
        (1, 1 << 9999),
        ((1, Own()), None),
        (time(1, tzinfo=UTC), None),
        (date(2026, 5, 1), datetime(2026, 5, 2)),
    ],
)
def test_what_no_range_can_have_is_told_as_json(start: Any, end: Any) -> None:
    """And refuses nothing."""
    found = range_of(start, end, False)
    assert list(found) == ["span"]
    json.dumps(found, allow_nan=False)


def test_an_id_of_numpy_or_pandas_is_told_as_the_equal_one_of_python() -> None:
    """It is the id of the same resource."""
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    at = datetime(2026, 5, 1, 12, tzinfo=UTC)
    for equal, id in ((np.int64(4711), 4711), (np.float64(0.5), 0.5), (pd.Timestamp(at), at)):
        assert id_text(equal) == id_text(id)


def test_an_id_of_a_class_of_the_program_is_told_as_its_codec_writes_it(world: Any) -> None:
    """So different ones have different texts."""
    one, same, other = (id_text(world.Boat(name)) for name in ("Ahab", "Ahab", "Bea"))
    assert one == same != other
    assert list(json.loads(one)) == ["Boat"]


class Rows(tuple[Any, ...]):
    """A tuple whose elements cannot be had."""

    reason: type[BaseException] = RuntimeError

    def __iter__(self) -> Any:
        raise self.reason


def test_a_value_that_cannot_be_looked_at_refuses_nothing() -> None:
    """What is wrong is told in its place; that memory lacks is told as that."""
    rows = Rows((1, 2))
    assert as_json({"rows": rows})["rows"].startswith("KeyTypeError: ")
    rows.reason = MemoryError
    with pytest.raises(MemoryError):
        as_json(rows)


def test_json_is_the_same_in_every_process() -> None:
    """Sets are in order, objects are their class; what JSON lacks is text."""
    numbers = [float("inf"), Decimal("1.10"), Fraction(1, 3), b"a"]
    value = {"b": {3, 1, 2}, "at": datetime(2026, 5, 1), "n": numbers, "o": Own()}
    assert as_json(value | {"length": timedelta(hours=1), "nul": "a\0", 4: None}) == {
        "b": [1, 2, 3], "at": "2026-05-01T00:00:00", "n": ["inf", "1.10", "1/3", "61"], "o": "Own", "length": "1:00:00",
        "nul": '"a\\u0000"', "4": None,
    }  # fmt: skip
