"""Keys come back as they were given, also where a calendar holds others that are equal but of another type."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bookcore import Calendar, Resource

pd = pytest.importorskip("pandas")
START = datetime(2026, 3, 1)


def key(at: int, kind: str) -> Any:
    return pd.Timestamp(START + at * timedelta(hours=1)) if kind == "T" else START + at * timedelta(hours=1)


def book(calendar: Calendar, kinds: str, **fields: Any) -> None:
    """Book a span in two of three rooms for each letter, so that keys are found more than once."""
    for at, kind in enumerate(kinds, len(calendar) // 2):
        for room in sorted({0, 1, 2} - {at % 3}):
            calendar.book(room, key(at, kind), key(at + 1, kind), **fields)


@pytest.mark.parametrize("kinds", ["T", "d", "Td", "dT", "TTd", "ddTdd", "random"])
@pytest.mark.parametrize("fields", [{}, {"guest": "Ada"}], ids=["rows", "events"])
def test_timestamps_and_datetimes_come_back_as_such(kinds: str, fields: Any, tmp_path: Path) -> None:
    """However often a calendar is restored and goes on; the digest tells them apart."""
    kinds = "".join(Random(3).choices("Td", k=40)) if kinds == "random" else kinds
    calendar, plain = Calendar(), Calendar()
    for one in (calendar, plain):
        for room in range(3):
            one.add_resource(Resource(room))
    restored = calendar
    for more in (kinds, "", "d", "T", "dT"):
        for one in {id(calendar): calendar, id(restored): restored}.values():
            book(one, more, **fields)
        book(plain, "d" * len(more), **fields)
        for _ in range(2):
            for first, second in zip(calendar.bookings(), restored.bookings(), strict=True):
                assert (type(first.start), type(first.end)) == (type(second.start), type(second.end))
            assert restored.digest() == calendar.digest()
            restored.snapshot(tmp_path / "file")
            restored = Calendar.restore(tmp_path / "file")
    assert plain.digest() != calendar.digest()


def test_equal_fixed_zones_are_one_zone_however_many_objects() -> None:
    """Timestamps read one by one have a zone object each; the digest is that of one object for all."""
    found = set()
    for shared in (timezone(timedelta(hours=5)), None):
        calendar = Calendar()
        room = calendar.add_resource(Resource("room"))
        for at in range(6):
            zone = shared or timezone(timedelta(hours=5))
            calendar.book(room, key(at, "T").tz_localize(zone), key(at + 1, "T").tz_localize(zone))
        found.add(calendar.digest())
    assert len(found) == 1
