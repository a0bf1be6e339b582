"""The ids that a calendar gives, where some bookings have whole numbers as ids: the same in every store."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bookcore import BookcoreError, BookingEvent, Calendar, MemoryStore, Resource
from bookcore.testing import ListStore
from bookcore.testing.sizes import SMALL

IDS = st.lists(st.integers(0, 15), unique=True, max_size=6) | st.lists(st.none(), max_size=6)
WAYS = st.sampled_from(["load", "load", "one by one", "split", "remove"])


def ids_of(calendar: Calendar, batches: list[Any]) -> list[Any]:
    """Book batches of ids, each at once or one by one; then split or remove the last booking. Return the ids there are."""
    room = calendar.add_resource(Resource("room"))
    for at, (way, ids) in enumerate(batches):
        spans = ((start, start + 2) for start in range(100 * at, 100 * at + 2 * len(ids), 2))
        events = [BookingEvent(room, *span, id=id) for span, id in zip(spans, ids, strict=True)]
        for part in [events] if way == "load" else [[event] for event in events]:
            with suppress(BookcoreError):  # some ids are taken
                calendar.load(part)
        last = [*calendar.bookings()][-1:]
        if last and way == "split":
            with suppress(BookcoreError):  # it was split before
                calendar.split(last[0], last[0].start + 1)
        elif last and way == "remove":
            calendar.remove_booking(last[0])
    calendar.check()
    return [*(event.id for event in calendar.bookings()), calendar.book(room, 5000, 5001).id]


@given(st.lists(st.tuples(WAYS, IDS), max_size=5))
def test_ids_that_are_given_do_not_depend_on_the_store(batches: list[Any]) -> None:
    """Nor on whether the store takes a load at once."""
    expected = ids_of(Calendar(ListStore()), batches)
    assert ids_of(Calendar(MemoryStore(SMALL)), batches) == expected
    assert ids_of(Calendar(MemoryStore()), batches) == expected
