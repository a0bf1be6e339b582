"""A state comes back complete, and a state that no calendar can have is refused before objects are made."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore.persist.codec.blob import Unreadable
from bookcore.persist.codec.columns import KeyColumn
from bookcore.persist.snapshot.state import (
    Bookings,
    Holds,
    Resources,
    State,
    decode_state,
    encode_state,
)

Sound = Callable[..., State]


def facts(state: State) -> list[Any]:
    """Return everything in a state, for comparison."""
    found: list[Any] = [
        state.bounds,
        state.classes,
        state.event_type,
        state.last_sequence,
        state.last_closure,
    ]
    for section in (
        state.resources,
        state.tags,
        state.rules,
        state.bookings,
        state.holds,
        state.expired,
        state.closures,
    ):
        for name in section.__slots__:
            if name in ("bare", "nameless"):  # how the fields were read, and no fact
                continue
            value = getattr(section, name)
            value = value.values if isinstance(value, KeyColumn) else value
            found.append(value if value is None else list(value))
    return found


def through_pickles(state: State) -> State:
    """Write and read a state, pickles and all."""
    sections = [pickle.loads(pickle.dumps(section, 5)) for section in encode_state(state)]  # noqa: S301 - ours
    return decode_state(sections, numbered=state.bookings.numbers is not None)


def test_state_comes_back(sound: Sound) -> None:
    """Every column of every section comes back, and so does the state of an empty calendar."""
    assert facts(through_pickles(sound())) == facts(sound())
    empty = State(classes=[":BookingEvent"])
    assert facts(through_pickles(empty)) == facts(empty)


@pytest.mark.parametrize(
    ("ids", "numbers", "expected"),
    [
        ([None, None], [12, 3], [12, 3]),
        (["a", None], [1, 12], ["a", 12]),
        ([2, None], [1, 5], [2, 5]),
        ([None, None], [11, 12], [11, 12]),  # they count up by one
        (["a", None], [3, 4], ["a", 4]),
        ([None, None], [1 << 40, 3], [1 << 40, 3]),  # too far apart for a table
        ([None, None], [1 << 62, 1], [1 << 62, 1]),
    ],
)
def test_numbered_bookings_come_back_in_their_order(
    sound: Sound, ids: list[Any], numbers: list[int], expected: list[Any]
) -> None:
    """Where there is no id, the number is the id."""
    state = through_pickles(sound(bookings__ids=ids, bookings__numbers=numbers, last_sequence=max(12, *numbers)))
    assert list(state.bookings.ids) == expected
    assert list(state.bookings.numbers or ()) == numbers


@pytest.mark.parametrize(
    ("ids", "numbers", "reason"),
    [
        ([None, None], [3, 3], "number that is there twice"),
        ([None, None], [1 << 40, 1 << 40], "number that is there twice"),
        ([None, None], [0, 3], "has not given"),
        ([None, None], [1, 13], "has not given"),
        ([None, None], [0, 1], "has not given"),  # as those that count up by one
        ([None, None], [12, 13], "has not given"),
        (["a", "b"], [1 << 70, 3], "has not given"),
        (["a", "b"], [1 << 70, 1 << 70], "number that is there twice"),
        ([5, None], [1, 5], "an id twice"),
        (["a", "a"], [1, 2], "an id twice"),
    ],
)
def test_numbers_that_no_calendar_gives_are_refused(
    sound: Sound, ids: list[Any], numbers: list[int], reason: str
) -> None:
    """Each is given once, from 1 to the last one; and is no other booking's id where it is the id of its own."""
    last = 1 << 40 if numbers == [1 << 40] * 2 else 12
    with pytest.raises(Unreadable, match=reason):
        through_pickles(sound(bookings__ids=ids, bookings__numbers=numbers, last_sequence=last))


@given(
    st.integers(0, 5).flatmap(
        lambda n: st.tuples(
            st.just(n),
            st.lists(
                st.tuples(st.integers(0, 50), st.integers(1, 9), st.integers(1, 3)), max_size=30 if n else 0
            ),
        )
    )
)
def test_any_number_of_rows_comes_back(drawn: tuple[int, list[tuple[int, int, int]]]) -> None:
    """Columns of any length come back; overlaps are not checked at this level."""
    count, spans = drawn
    keys = [start for start, _, _ in spans] + [start + length for start, length, _ in spans]
    state = State(
        classes=["Flat"],
        resources=Resources(
            list(range(count)), [0] * count, [1] * count, [None] * count, [None] * count, [None] * count
        ),
        bookings=Bookings(
            [f"b{at}" for at in range(len(spans))], [0] * len(spans), [at % count for at in range(len(spans))],
            KeyColumn(keys), [quantity for _, _, quantity in spans], [None] * len(spans),
        ),
    )  # fmt: skip
    assert facts(through_pickles(state)) == facts(state)


BROKEN: dict[str, dict[str, Any]] = {
    "unknown bounds": {"bounds": "(]"},
    "bounds no text": {"bounds": 5},
    "class twice": {"classes": ["Flat", "Flat"]},
    "class no text": {"classes": ["Flat", 5]},
    "event type not among the classes": {"event_type": 2},
    "event type below zero": {"event_type": -1},
    "sequence below zero": {"last_sequence": -1},
    "resource id twice": {"resources__ids": ["a", 5, "a"]},
    "resource ids equal": {"resources__ids": [1, True, "a"]},
    "resource id None": {"resources__ids": ["a", None, "b"]},
    "resource id without hash": {"resources__ids": ["a", [1], "b"]},
    "resource of an unknown class": {"resources__kinds": [0, 2, 0]},
    "capacity zero": {"resources__capacities": [1, 0, 1]},
    "buffer negative": {"resources__before": [None, -1, None]},
    "buffer no length": {"resources__after": ["1", 2, None]},
    "column too short": {"resources__before": [None, None]},
    "column too long": {"resources__after": [None] * 4},
    "label twice": {"tags__labels": ["sea", "sea"]},
    "label on an unknown resource": {"tags__members": [[0, 3], [1]]},
    "label on one twice": {"tags__members": [[0, 0], [1]]},
    "label on a text": {"tags__members": [["a"], [1]]},
    "label on a truth": {"tags__members": [[True], [1]]},
    "label on no list": {"tags__members": [(0,), [1]]},
    "label on minus one": {"tags__members": [[-1], [1]]},
    "hours of an unknown resource": {"rules__members": [[3]]},
    "booking id twice": {"bookings__ids": [1, 1.0]},
    "booking id None": {"bookings__ids": [1, None]},
    "booking of an unknown class": {"bookings__kinds": [1, 2]},
    "booking of an unknown resource": {"bookings__resources": [0, 3]},
    "booking of nothing": {"bookings__quantities": [1, 0]},
    "booking reversed": {"bookings__keys": KeyColumn([3, 9, 5, 5])},
    "booking empty": {"bookings__keys": KeyColumn([3, 9, 3, 10])},
    "start not a number": {"bookings__keys": KeyColumn([3.0, math.nan, 5.0, None])},
    "end not a number": {"bookings__keys": KeyColumn([3.0, None, 5.0, math.nan])},
    "keys of two families": {"bookings__keys": KeyColumn([3, "a", 5, 9])},
    "keys with a zone and without": {
        "bookings__keys": KeyColumn([3, datetime(2024, 1, 1), 5, datetime(2024, 1, 2).astimezone()])
    },
    "too few keys": {"bookings__keys": KeyColumn([3, 5])},
    "fields no dict": {"bookings__fields": [None, [1]]},
    "fields without names": {"bookings__fields": [None, {5: 1}]},
    "hold of an unknown booking": {"holds__bookings": [2]},
    "two holds of one booking": {"holds": Holds([1, 1], [5, 6])},
    "one id expired twice": {"expired__ids": [4, 4]},
    "hours no dict": {"rules__hours": [[1]]},
    "reason no text": {"closures__reasons": [5]},
    "closure of an unknown resource": {"closures__resources": [3]},
    "closure never made": {"closures__ids": [8]},
    "closure number zero": {"closures__ids": [0]},
    "closure with a name": {"closures__ids": ["7"]},
    "closure reversed": {"closures__keys": KeyColumn([5, 1])},
    "closure over an unknown booking": {"closures__overlapping": [[2]]},
}


@pytest.mark.parametrize("name", BROKEN)
def test_state_that_cannot_be_is_refused(name: str, sound: Sound) -> None:
    """In each of these states one thing is wrong, as it may be in a forged file with a right digest."""
    with pytest.raises(Unreadable):
        through_pickles(sound(**BROKEN[name]))


@pytest.mark.parametrize(
    ("keys", "refused"),
    [
        ([1, 1, 2, 2], ""),
        ([1, 2, 1, 2], "[)"),  # no length
        ([1, 2, 2, 1], "[) []"),  # the second is reversed
        ([2, 1, 2, 1], "[)"),  # the same with a table that is not in order: its keys are in the order in which they appear
        ([2, 1, 1, 2], "[) []"),
    ],
)
@pytest.mark.parametrize("bounds", ["[)", "[]"])
def test_spans_of_repeated_keys_are_compared(sound: Sound, keys: list[int], refused: str, bounds: str) -> None:
    """By their places in the table if its keys are in order, and by the keys themselves if they are not."""
    state = sound(bounds=bounds, bookings__keys=KeyColumn(keys))
    if bounds in refused:
        with pytest.raises(Unreadable, match="ends before it starts"):
            through_pickles(state)
    else:
        assert through_pickles(state).bookings.keys.values.table == sorted(set(keys), key=keys.index)


def test_closed_bounds_allow_a_span_of_no_length(sound: Sound) -> None:
    """With bounds ``[]`` a start may equal its end, but not come after it."""
    keys = KeyColumn([3, 9, 3, 9])
    assert list(through_pickles(sound(bounds="[]", bookings__keys=keys)).bookings.keys.values) == keys.values
    with pytest.raises(Unreadable):
        through_pickles(sound(bounds="[]", bookings__keys=KeyColumn([3, 9, 3, 8])))
    with pytest.raises(Unreadable):
        through_pickles(sound(bounds="[]", bookings__keys=KeyColumn([math.nan, 9, 3, 9])))


MEDDLING: dict[str, Callable[[list[Any]], Any]] = {
    "no sections": lambda sections: sections.clear(),
    "a section missing": lambda sections: sections.pop(),
    "a section too many": lambda sections: sections.append(sections[0]),
    "sections in another order": lambda sections: sections.reverse(),
    "two sections swapped": lambda sections: sections.insert(2, sections.pop(3)),
    "an empty section": lambda sections: sections.__setitem__(2, ()),
    "a column missing": lambda sections: sections.__setitem__(4, sections[4][:-1]),
    "a column too many": lambda sections: sections.__setitem__(4, (*sections[4], b"ab")),
    "two columns swapped": lambda sections: sections.__setitem__(
        4, (sections[4][0], sections[4][2], sections[4][1], *sections[4][3:])
    ),
    "rows without end": lambda sections: sections.__setitem__(
        5, (b"\xff" * 8 + sections[5][0][8:], *sections[5][1:])
    ),
    "one row more": lambda sections: sections.__setitem__(
        5, (b"\x02" + sections[5][0][1:], *sections[5][1:])
    ),
    "two calendars": lambda sections: sections.__setitem__(
        0, (b"\x02" + sections[0][0][1:], *sections[0][1:])
    ),
    "an empty column": lambda sections: sections.__setitem__(1, (*sections[1][:2], b"", *sections[1][3:])),
}


@pytest.mark.parametrize("name", MEDDLING)
def test_sections_that_do_not_fit_are_refused(name: str, sound: Sound) -> None:
    """The file must have just the sections and columns of its format."""
    sections: list[Any] = encode_state(sound())
    MEDDLING[name](sections)
    with pytest.raises(Unreadable):
        decode_state(sections)


def test_refusal_names_section_and_column(sound: Sound) -> None:
    """The error says in which section and column the wrong value is."""
    with pytest.raises(Unreadable, match="section bookings, column 3: a number 3"):
        through_pickles(sound(bookings__resources=[0, 3]))


def test_runs_of_ids_take_no_room_and_cannot_be_forged_longer() -> None:
    """Consecutive ids are written as one number; a section with more rows than bytes is refused all the same."""
    count = 10_000
    state = State(
        classes=["Flat"],
        resources=Resources(
            list(range(7, 7 + count)),
            [0] * count,
            [1] * count,
            [None] * count,
            [None] * count,
            [None] * count,
        ),
    )
    sections = encode_state(state)
    assert len(sections[1][1]) < 50
    assert facts(decode_state(sections)) == facts(state)
    head = (10**12).to_bytes(8, "little") + sections[1][0][8:]
    sections[1] = (head, (10**12).to_bytes(8, "little") + sections[1][1][8:], *sections[1][2:])
    with pytest.raises(Unreadable, match="fewer bytes"):
        decode_state(sections)
