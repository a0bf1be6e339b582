"""How opening hours are written, refused, printed, compared and stored."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore.errors import BookcoreError, HoursError
from bookcore.hours import Hours

NINE_TO_FIVE = ((32400, 61200),)


@pytest.mark.parametrize(
    ("weekly", "open_days"),
    [
        ({"mon": "09:00-17:00"}, [0]),
        ({"Monday": "9:00 - 17:00"}, [0]),
        ({"thurs": "09:00-17:00"}, [3]),
        ({"mon-fri": "09:00-17:00"}, [0, 1, 2, 3, 4]),
        ({"sat-mon": "09:00-17:00"}, [0, 5, 6]),
        ({"mon, wed-thu": "09:00-17:00"}, [0, 2, 3]),
        ({"daily": "09:00-17:00"}, [0, 1, 2, 3, 4, 5, 6]),
        ({0: "09:00-17:00", 6: ["09:00-17:00"]}, [0, 6]),
        ({"tue": [("09:00", "17:00")]}, [1]),
        ({"tue": [(time(9), time(17))]}, [1]),
        ({"tue": ["09:00-12:00", "12:00-17:00"]}, [1]),
        ({"tue": "14:00-17:00, 09:00-14:00"}, [1]),
        ({"tue": "09:00:00-17:00:00", "wed": None, "thu": []}, [1]),
    ],
)
def test_weekdays_and_times_in_every_spelling_are_read(weekly: dict[Any, Any], open_days: list[int]) -> None:
    """Each spelling gives nine to five on its days and nothing on the others."""
    assert Hours(weekly).week == tuple(NINE_TO_FIVE if day in open_days else () for day in range(7))


@pytest.mark.parametrize(
    ("weekly", "exceptions", "name"),
    [
        ({"mon": "09:00\u201317:00"}, {}, "the \u2013 in it is no ASCII character but EN DASH"),
        ({"mon": "09:00\u221217:00"}, {}, "MINUS SIGN"),
        ({"mon\u2013fri": "09:00-17:00"}, {}, "EN DASH"),
        ({"m\u043en": "09:00-17:00"}, {}, "CYRILLIC SMALL LETTER O"),
        ({"mon": "09\uff1a00-17:00"}, {}, "FULLWIDTH COLON"),
        ({"mon": [("09:00", "17:00\u200b")]}, {}, "ZERO WIDTH SPACE"),
        ({"mon": "09:00-17:00\ue000"}, {}, r"the \\ue000 in it is no ASCII character but U\+E000"),
        ({"mon": "09:00-17:00"}, {"2026\u201112\u201125": None}, "NON-BREAKING HYPHEN"),
    ],
)
def test_a_character_that_looks_like_the_right_one_is_named(weekly: Any, exceptions: Any, name: str) -> None:
    """The message would look like what it asks for."""
    with pytest.raises(HoursError, match=f"{name}$"):
        Hours(weekly, exceptions=exceptions)
    with pytest.raises(HoursError) as caught:
        Hours({"mon": "nine to five"})
    assert "ASCII" not in str(caught.value)


@pytest.mark.parametrize("midnight", ["20:00-24:00", "20:00-00:00", [("20:00", time(0))]])
def test_midnight_as_a_close_is_the_end_of_the_day(midnight: Any) -> None:
    """24:00 and 00:00 close at the same midnight."""
    hours = Hours({"mon": midnight})
    assert hours.is_open(datetime(2026, 5, 4, 23, 59), datetime(2026, 5, 5))
    assert not hours.is_open(datetime(2026, 5, 4, 23, 59), datetime(2026, 5, 5, 0, 1))


@pytest.mark.parametrize(
    ("weekly", "says"),
    [
        (None, "mapping"),
        ("mon 09:00-17:00", "mapping"),
        ({"mun": "09:00-17:00"}, "weekday"),
        ({"mo": "09:00-17:00"}, "weekday"),
        ({"": "09:00-17:00"}, "weekday"),
        ({"mon-": "09:00-17:00"}, "weekday"),
        ({"mon-tue-wed": "09:00-17:00"}, "weekday"),
        ({7: "09:00-17:00"}, "weekday"),
        ({True: "09:00-17:00"}, "weekday"),
        ({"mon": "09:00-17:00", "mon-fri": "10:00-12:00"}, "mon has its hours already"),
        ({"mon,mon": "09:00-17:00"}, "mon has its hours already"),
        ({"mon": "17:00-09:00"}, "write '17:00-33:00'"),
        ({"mon": [(time(22), time(2))]}, "write '22:00-26:00'"),
        ({"mon": "09:00-09:00"}, "when it opens"),
        ({"mon": "00:00-00:00"}, "00:00-24:00"),
        ({"mon": "24:00-26:00"}, "starts by"),
        ({"mon": "09:00-48:01"}, "48:00"),
        ({"mon": "09:60-10:00"}, "59"),
        ({"mon": "9-17"}, "not a time of day"),
        ({"mon": "09:00"}, "an opening is"),
        ({"mon": ""}, "an opening is"),
        ({"mon": ("09:00", "17:00")}, "an opening is"),
        ({"mon": [("09:00", 17)]}, "not a time of day"),
        ({"mon": [("09:00", "17:00", "18:00")]}, "an opening is"),
        ({"mon": [(time(9, 0, 0, 1), time(17))]}, "whole seconds"),
        ({"mon": [(time(9, tzinfo=ZoneInfo("UTC")), time(17))]}, "zone of their own"),
        ({"mon": "09:00-12:00, 11:00-13:00"}, "overlaps 09:00-12:00"),
        ({"mon": ["20:00-26:00", "23:00-24:00"]}, "overlaps"),
        ({"mon": 9}, "text"),
        ({"mon": b"09:00-17:00"}, "text"),
        ({"mon": {"09:00": "17:00"}}, "text"),
        ({"mon": "\u0660\u0669:00-17:00"}, "not a time of day"),
    ],
)
def test_weekly_rule_that_cannot_be_read_is_refused(weekly: Any, says: str) -> None:
    """Each slip is an HoursError that carries what was wrong and says what to write."""
    with pytest.raises(HoursError) as caught:
        Hours(weekly)
    assert says in str(caught.value)
    assert caught.value.reason in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"zone": "Europe/Atlantis"},
        {"zone": ""},
        {"zone": "Europe"},
        {"zone": "../../etc/passwd"},
        {"zone": "/etc/localtime"},
        {"zone": "Europe/Berlin\0"},
        {"zone": "x" * 5000},
        {"zone": 1},
        {"zone": b"UTC"},
        {"exceptions": ["2026-12-25"]},
        {"exceptions": {"25.12.2026": None}},
        {"exceptions": {datetime(2026, 12, 25): None}},
        {"exceptions": {20261225: None}},
        {"exceptions": {"2026-12-25": None, date(2026, 12, 25): "09:00-12:00"}},
        {"exceptions": {"2026-12-25": "12:00-09:00"}},
        {"nonexistent": "refuse"},
        {"nonexistent": None},
        {"ambiguous": "jump"},
        {"ambiguous": ["both"]},
    ],
)
def test_argument_that_cannot_be_read_is_refused(arguments: dict[str, Any]) -> None:
    """Zones, exceptions and policies that mean nothing are HoursErrors."""
    with pytest.raises(HoursError):
        Hours({"mon": "09:00-17:00"}, **arguments)


def failing() -> Iterator[str]:
    """Begin, and fail."""
    yield "09:00-12:00"
    raise ZeroDivisionError


def test_day_that_cannot_be_iterated_is_refused() -> None:
    """An iterable that fails when it is read; an array without dimensions, which says that it is one and is none."""
    np = pytest.importorskip("numpy")
    for make in (failing, lambda: np.array(3)):
        with pytest.raises(HoursError, match="text such as"):
            Hours({"mon": make()})
        with pytest.raises(HoursError, match="text such as"):
            Hours({}, exceptions={"2026-12-25": make()})


ATOMS = st.none() | st.integers() | st.text(max_size=12) | st.binary(max_size=4) | st.floats()
THINGS: st.SearchStrategy[Any] = st.recursive(
    ATOMS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


@given(THINGS)
def test_any_object_as_a_rule_raises_only_our_errors(thing: Any) -> None:
    """Whatever is handed in, either it is read or a BookcoreError says why not."""
    builds: list[Callable[[], object]] = [
        lambda: Hours(thing),
        lambda: Hours({"mon": thing}),
        lambda: Hours({}, exceptions=thing),
        lambda: Hours({}, exceptions={"2026-01-01": thing}),
        lambda: Hours({}, zone=thing),
        lambda: Hours({}, ambiguous=thing),
        lambda: Hours.from_plain(thing),
        lambda: Hours.from_plain({**Hours({}).to_plain(), "week": thing}),
        lambda: Hours.from_plain({**Hours({}).to_plain(), "week": (thing,) * 7}),
        lambda: Hours.from_plain({**Hours({}).to_plain(), "exceptions": (("2026-01-01", thing),)}),
        lambda: Hours.from_plain({**Hours({}).to_plain(), "zone": thing}),
    ]
    for build in builds:
        with suppress(BookcoreError):
            build()


FULL = Hours(
    {"mon-fri": "09:00-17:00", "sat": ["10:00-12:00", "22:00-26:00"]},
    zone="America/St_Johns",
    exceptions={"2026-12-24": "09:00-12:00", "2026-12-25": None},
    nonexistent="later",
    ambiguous="first",
)


@pytest.mark.parametrize("hours", [FULL, Hours({}), Hours({"daily": "00:00-24:00"}, zone=ZoneInfo("UTC"))])
def test_hours_round_trip_in_every_way(hours: Hours) -> None:
    """Plain data, pickle, deep copy and repr all give an equal rule with an equal hash."""
    hours.is_open(None, None)
    again = [Hours.from_plain(hours.to_plain()), pickle.loads(pickle.dumps(hours))]  # noqa: S301
    again.append(copy.deepcopy(hours))
    again.append(eval(repr(hours), {"Hours": Hours}))  # noqa: S307
    for copied in again:
        assert copied == hours
        assert hash(copied) == hash(hours)
        assert repr(copied) == repr(hours)


def test_plain_data_is_dicts_of_text_numbers_and_tuples() -> None:
    """Nothing in the plain form needs more than str, int and tuple."""

    def flat(value: object) -> bool:
        return type(value) in (str, int) or (type(value) is tuple and all(map(flat, value)))

    assert all(type(key) is str and flat(value) for key, value in FULL.to_plain().items())


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"week": ()},
        {"week": [()] * 7},
        {"week": ((),) * 6 + ([(0, 60)],)},
        {"week": ((),) * 6 + (((0, 60.0),),)},
        {"week": ((),) * 6 + (((0, True),),)},
        {"week": ((),) * 6 + (((60, 0),),)},
        {"week": ((),) * 6 + (((-60, 60),),)},
        {"week": ((),) * 6 + (((0, 10**9),),)},
        {"week": ((),) * 6 + (((0, 120), (60, 180)),)},
        {"zone": "Nowhere"},
        {"zone": None, "week": 3},
        {"exceptions": ((date(2026, 1, 1),),)},
        {"exceptions": (("2026-01-01", ()), ("2026-01-01", ()))},
        {"ambiguous": 3},
        {"more": 1},
    ],
)
def test_damaged_plain_data_is_refused(change: dict[str, Any]) -> None:
    """What to_plain did not write, from_plain does not take."""
    with pytest.raises(HoursError):
        Hours.from_plain({**FULL.to_plain(), **change})


def test_hours_are_equal_by_content_and_frozen() -> None:
    """Spelling does not matter, content does, and nothing can be set."""
    one = Hours({"mon-tue": "09:00-12:00,12:00-17:00"}, zone="Europe/Berlin")
    two = Hours({0: [("09:00", "17:00")], "tuesday": "9:00-17:00"}, zone=ZoneInfo("Europe/Berlin"))
    assert one == two
    assert len({one, two}) == 1
    assert one != Hours({"mon-tue": "09:00-17:00"}, zone="Europe/Paris")
    assert one != Hours({"mon-tue": "09:00-17:00"})
    assert one != Hours({"mon-tue": "09:00-17:00"}, zone="Europe/Berlin", ambiguous="first")
    assert one != "mon-tue"
    with pytest.raises(AttributeError):
        one.zone = None  # type: ignore[misc]
