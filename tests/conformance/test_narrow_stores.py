"""A store that holds some families of keys passes the conformance suite that is told so, and no other key reaches it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pytest

from bookcore import Calendar, MemoryStore, QueryError, Resource
from bookcore.stores.tree import TreeStore
from bookcore.testing import ListStore, StoreContract
from bookcore.testing.contract_spans import SpanExam
from bookcore.testing.contract_store import StoreExam
from bookcore.testing.contract_time import TimeExam
from bookcore.testing.narrow import hold_only


class Columns(ListStore):
    """Holds whole numbers and floats, as columns of a database would; for any other key it fails."""

    def put(self, record: Any, start: Any, end: Any, seq: int, quantity: int) -> None:
        """Put a row of numbers."""
        self.judge(start, end)
        super().put(record, start, end, seq, quantity)

    def overlapping(self, record: Any, start: Any, end: Any) -> Any:
        """Look for numbers."""
        self.judge(start, end)
        return super().overlapping(record, start, end)

    @staticmethod
    def judge(*keys: Any) -> None:
        """Raise unless all keys can be in a column."""
        for key in keys:
            if key is not None and type(key) not in (int, float):
                raise RuntimeError(f"no column for {key!r}")


class TestColumns(StoreExam, SpanExam, TimeExam):
    """The parts of the suite that bring the most kinds of keys."""

    keys = "int", "float"

    @pytest.fixture
    def store(self) -> Columns:
        """Give a fresh store."""
        return Columns()


@pytest.mark.parametrize("make", [MemoryStore, TreeStore, ListStore])
@pytest.mark.parametrize(
    "key", [date(2026, 5, 4), datetime(2026, 5, 4), datetime(2026, 5, 4, tzinfo=UTC), "a", (1, 2), Fraction(1, 3)]
)
def test_another_key_skips_the_test_that_brings_it(make: Any, key: Any) -> None:
    """Booked, loaded or asked for; whole numbers and floats go on."""
    calls: list[Callable[[Any], Any]] = [
        lambda calendar: calendar.book("room", key, None),
        lambda calendar: calendar.is_available("room", None, key),
    ]
    for call in calls:
        store = make()
        hold_only(store, ["int", "float"])
        calendar = Calendar(store)
        calendar.add_resource(Resource("room", 2))
        with pytest.raises(pytest.skip.Exception):
            call(calendar)
    store = make()
    hold_only(store, ["int", "float"])
    calendar = Calendar(store)
    calendar.add_resource(Resource("room"))
    calendar.book("room", 1, 2.5)
    assert not calendar.is_available("room", 2, 3)


def test_a_store_without_whole_numbers_or_with_unknown_families_is_refused() -> None:
    """The suite could not speak with it. What says so is part of `StoreContract`."""
    assert issubclass(StoreContract, StoreExam)
    with pytest.raises(QueryError):
        hold_only(ListStore(), ["float", "aware"])
    with pytest.raises(LookupError):
        hold_only(ListStore(), ["int", "integers"])

