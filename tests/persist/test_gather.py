"""Rows in order of booking, a part at a time; and columns that are written without a look at each value."""

from __future__ import annotations

import gc
import random
from array import array
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bookcore import Calendar, Resource
from bookcore.index import dictionary_column
from bookcore.index.dictionary_column import DictionaryColumn, take
from bookcore.persist.codec import columns
from bookcore.persist.codec.columns import KeyColumn, decode_keys, encode_column, encode_keys
from bookcore.persist.snapshot import gather
from bookcore.persist.snapshot.state import encode_state


@pytest.mark.parametrize("last", [60, 240, 241, 10_000, 1 << 62])
@pytest.mark.parametrize("part", [1, 7, 60, 1 << 14])
def test_rows_come_in_order_of_their_numbers(part: int, last: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where most numbers up to the last are in use, and where most are of bookings that are gone."""
    monkeypatch.setattr(gather, "PART", part)
    rng = random.Random(f"{part} {last}")
    seqs = array("q", [*(rng.sample(range(1, last), 59) if last > 60 else range(1, 60)), last])
    rng.shuffle(seqs)
    order, found = gather._in_order(seqs)
    assert found == sorted(seqs)
    assert [seqs[place] for place in order] == found
    assert gather._in_order(array("q")) == ([], [])


@pytest.mark.parametrize("count", [0, 1, 2, 6, 7, 8, 13, 14, 15])
def test_values_are_taken_a_part_at_a_time(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last part may be of one value."""
    monkeypatch.setattr(dictionary_column, "PART", 7)
    values = list(range(100, 200))
    places = random.Random(count).choices(range(100), k=count)
    assert take(values, places) == tuple(values[place] for place in places)


def filled() -> Calendar[Any, Any]:
    """A calendar with bookings on the hours of a week, in no order."""
    calendar: Calendar[Any, Any] = Calendar()
    rooms = [calendar.add_resource(Resource(number)) for number in range(40)]
    week = [datetime(2026, 5, 1) + timedelta(hours=hour) for hour in range(168)]
    for number in range(480):
        room, hour = rooms[number * 7 % 40], number // 40 * 13
        calendar.book(room, week[hour], week[hour + 3])
    return calendar


def test_rows_that_are_no_more_are_written_as_they_are_in_general() -> None:
    """Without an id, fields or a zone: no value is looked at twice, and the sections are the same."""
    state = gather.gather(filled()._engine.state, "file", numbered=True)
    rows = state.bookings
    assert rows.bare and rows.nameless and isinstance(rows.keys.values, DictionaryColumn)
    general = replace(rows, keys=KeyColumn(list(rows.keys.values)), bare=False, nameless=False)
    assert encode_state(state) == encode_state(replace(state, bookings=general))


@pytest.mark.parametrize("says", ["an id", "fields", "a zone", "a fold", "no end"])
def test_rows_that_say_more_are_looked_at(says: str) -> None:
    """Each takes the general way, and comes back."""
    calendar = filled()
    state: Any = calendar._engine.state
    if says == "a zone":
        state = Calendar()._engine.state
        state.home.add_resource(Resource("room"))
        for hour in range(9):
            state.home.book("room", datetime(2026, 5, 1, hour, tzinfo=UTC), datetime(2026, 5, 1, hour + 1, tzinfo=UTC))
    else:
        start = datetime(2026, 5, 9, fold=int(says == "a fold"))
        more: Any = {"an id": {"id": "stay"}, "fields": {"guest": "Ada"}}.get(says, {})
        calendar.book(3, start, None if says == "no end" else datetime(2026, 5, 10), **more)
    rows = gather.gather(state, "file", numbered=True).bookings
    assert rows.nameless is (says != "an id") and rows.bare is (says != "fields")
    assert isinstance(rows.keys.values, list) is (says != "an id")
    read = decode_keys(encode_keys(rows.keys), 2 * len(rows.ids))
    assert list(read.values) == list(rows.keys.values)


def test_a_table_of_keys_is_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that reading it need not sort, and the places of keys can be compared."""
    monkeypatch.setattr(columns, "PART", 50)
    hours = [datetime(2026, 5, 1) + timedelta(hours=number * 59 % 168) for number in range(1_000)]
    read = decode_keys(encode_column(hours), 1_000)
    assert list(read.values) == hours and read.values.table == sorted(set(hours))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_column_of_none_is_written_as_it_is_in_general(count: int) -> None:
    """Whether its type is known or has to be found out."""
    assert encode_column([None] * count, blank=True) == encode_column([None] * count)


def test_columns_of_a_snapshot_are_gone_before_the_collector_walks_them(tmp_path: Path) -> None:
    """It would walk all of them within one call of a thread that books meanwhile."""
    calendar, longest = filled(), list[int]()

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            longest.append(max((len(each) for each in gc.get_objects(generation=0) if type(each) is list), default=0))

    gc.collect()
    threshold = gc.get_threshold()
    gc.callbacks.append(note)
    gc.set_threshold(1)
    try:
        calendar.snapshot(tmp_path / "file")
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(note)
    assert longest and max(longest) < len(calendar)
