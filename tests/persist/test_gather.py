"""Rows in order of booking: a part at a time, however many bookings are gone."""

from __future__ import annotations

import random
from array import array

import pytest

from bookcore.index import dictionary_column
from bookcore.index.dictionary_column import take
from bookcore.persist.snapshot import gather


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
