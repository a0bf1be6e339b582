"""Spans over clock changes come back from a snapshot as they were, whatever the faces of their clocks say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookcore.calendar import Calendar
from bookcore.errors import BookcoreError, SnapshotError
from bookcore.model.event import BookingEvent
from bookcore.model.resource import Resource

MOST = settings().max_examples  # as the profile says, see tests/conftest.py

BERLIN = ZoneInfo("Europe/Berlin")


def berlin(hour: int, minute: int, fold: int = 0) -> datetime:
    """Return a time of the day on which Berlin has the hour from two to three twice."""
    return datetime(2026, 10, 25, hour, minute, tzinfo=BERLIN, fold=fold)


SPANS = [
    pytest.param(berlin(2, 30), berlin(2, 15, fold=1), id="face runs backwards"),
    pytest.param(berlin(2, 30), berlin(2, 30, fold=1), id="faces are equal"),
    pytest.param(berlin(1, 30), berlin(2, 15, fold=1), id="into the second pass"),
    pytest.param(berlin(2, 59), berlin(2, 0, fold=1), id="over the change"),
]


FORMS: dict[str, Callable[[Any], Any]] = {
    "plain": lambda key: key,
    "tuple": lambda key: None if key is None else (key,),
    "nested": lambda key: None if key is None else ("day", (key, 1)),
}
"""How a key may hold a time."""


def book(calendar: Calendar, resource: int, start: datetime, end: datetime) -> None:
    """Book."""
    calendar.book(resource, start, end)


def hold(calendar: Calendar, resource: int, start: datetime, end: datetime) -> None:
    """Hold, without a deadline."""
    calendar.hold(resource, start, end)


def close(calendar: Calendar, resource: int, start: datetime, end: datetime) -> None:
    """Close."""
    calendar.close(resource, start, end)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rows", [1, 40])
@pytest.mark.parametrize("bounds", ["[)", "[]"])
@pytest.mark.parametrize("act", [book, hold, close])
@pytest.mark.parametrize(("start", "end"), SPANS)
def test_span_that_is_in_order_in_truth_comes_back(
    tmp_path: Path, start: datetime, end: datetime, act: Callable[..., None], bounds: Any, rows: int, form: str
) -> None:
    """One row, and as many as make a table of keys; times by themselves, and in tuples."""
    calendar = Calendar(bounds=bounds)
    for number in range(rows):
        calendar.add_resource(Resource(number))
        act(calendar, number, FORMS[form](start), FORMS[form](end))
    calendar.snapshot(tmp_path / "a.bks")
    found = Calendar.restore(tmp_path / "a.bks")
    found.check()
    assert told(found) == told(calendar)


def told(calendar: Calendar) -> Any:
    """Return bookings, holds and closures with their keys to the last fold."""
    return [
        [
            (event.resource.id, seen(event.start), seen(event.end), event.status.value)
            for event in calendar.bookings()
        ],
        [
            (c.resource.id, seen(c.start), seen(c.end), [(e.id, e.owns_lock) for e in c.overlapping])
            for c in calendar.closures()
        ],
    ]


def seen(key: Any) -> Any:
    """Return what can be seen of a datetime, or of those in a tuple."""
    if isinstance(key, tuple):
        return [seen(part) if isinstance(part, tuple | datetime) else part for part in key]
    return repr(key), getattr(key, "fold", None), key is not None and key.utcoffset()


CHANGES = {
    "Europe/Berlin": [datetime(2026, 3, 29, 1), datetime(2026, 10, 25, 1)],
    "America/New_York": [datetime(2026, 3, 8, 7), datetime(2026, 11, 1, 6)],
    "Australia/Lord_Howe": [datetime(2026, 4, 4, 15), datetime(2026, 10, 3, 15, 30)],  # by half an hour
    "Pacific/Kiritimati": [datetime(1994, 12, 31, 10)],  # by a day: the last of the year was left out
    "Africa/Casablanca": [datetime(2026, 2, 15, 2), datetime(2026, 3, 22, 2)],
}
ZONES = st.sampled_from([name for name in CHANGES for _ in range(2)])


@st.composite
def zoned_spans(draw: st.DrawFn) -> tuple[datetime | None, datetime | None]:
    """Draw a span around a clock change: instants told in a zone, or faces in it as anybody may write them."""
    name = draw(ZONES)
    zone, change = ZoneInfo(name), draw(st.sampled_from(CHANGES[name])).replace(tzinfo=UTC)
    reach = 36 * 4 if name == "Pacific/Kiritimati" else 3 * 4

    def key() -> datetime:
        instant = (change + timedelta(minutes=15) * draw(st.integers(-reach, reach))).astimezone(zone)
        if draw(st.booleans()):
            return instant
        return (instant.replace(tzinfo=None) + timedelta(minutes=15)).replace(
            tzinfo=zone, fold=draw(st.integers(0, 1))
        )

    start, end = key(), key()
    if end.astimezone(UTC) < start.astimezone(UTC):
        start, end = end, start
    return draw(st.sampled_from([(start, end)] * 6 + [(None, end), (start, None)]))


@given(
    st.lists(st.tuples(st.sampled_from("bhcr"), st.integers(0, 2), zoned_spans()), min_size=1, max_size=12),
    st.sampled_from(["[)", "[]"]),
    st.sampled_from([0, 12]),
    st.lists(zoned_spans(), min_size=3, max_size=3),
    st.sampled_from(sorted(FORMS)),
)
@settings(max_examples=MOST * 2)
def test_spans_over_clock_changes_come_back(
    tmp_path_factory: pytest.TempPathFactory,
    wishes: list[tuple[str, int, Any]],
    bounds: Any,
    crowd: int,
    questions: list[Any],
    form: str,
) -> None:
    """Restored from its snapshot, a calendar answers as it did; with a crowd that makes tables of keys, and without."""
    calendar = Calendar(bounds=bounds)
    for number in range(3 + crowd):
        calendar.add_resource(Resource(number, capacity=2 if number == 2 else 1))
    tell = FORMS[form]
    for what, who, (first, last) in wishes:
        start, end = tell(first), tell(last)
        try:
            if what == "b":
                calendar.book(who, start, end)
            elif what == "h":
                calendar.hold(who, start, end)
            elif what == "c":
                calendar.close(who, start, end)
            else:
                for event in list(calendar.bookings())[:1]:
                    calendar.remove_booking(event)
            for number in range(3, 3 + crowd) if what == "b" else ():
                calendar.book(number, start, end)
        except BookcoreError:
            continue
    path = tmp_path_factory.mktemp("zones") / "a.bks"
    calendar.snapshot(path)
    found = Calendar.restore(path)
    found.check()
    assert told(found) == told(calendar)
    for first, last in questions:
        start, end = tell(first), tell(last)
        for number in range(3):
            assert answer(found, number, start, end) == answer(calendar, number, start, end)
        assert answer_all(found, start, end) == answer_all(calendar, start, end)
    found.snapshot(path)
    assert told(Calendar.restore(path)) == told(calendar)


def answer(calendar: Calendar, number: int, start: Any, end: Any) -> Any:
    """Return what a calendar says of one resource, or how it refuses to."""
    try:
        return calendar.is_available(number, start, end), [
            e.id for e in calendar.conflicts(number, start, end)
        ]
    except BookcoreError as exc:
        return type(exc)


def answer_all(calendar: Calendar, start: Any, end: Any) -> Any:
    """Return what a calendar says of all resources, or how it refuses to."""
    try:
        return calendar.find_available(start, end).ids(), calendar.find_booked(start, end).ids()
    except BookcoreError as exc:
        return type(exc)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rows", [1, 40])
@pytest.mark.parametrize(
    ("start", "end"), [(berlin(2, 15, fold=1), berlin(2, 30)), (berlin(2, 30, fold=1), berlin(2, 30))]
)
def test_forged_closure_that_is_reversed_in_truth_is_refused(
    tmp_path: Path, start: datetime, end: datetime, rows: int, form: str
) -> None:
    """The faces of its ends are in order, or equal; the instants are not."""
    tell = FORMS[form]
    for bounds in ("[)", "[]"):
        calendar = Calendar(bounds=bounds)
        for number in range(rows):
            calendar.add_resource(Resource(number))
            calendar.close(number, tell(end), tell(start))
        for closure in calendar.closures():
            object.__setattr__(closure, "start", tell(start))
            object.__setattr__(closure, "end", tell(end))
        calendar.snapshot(tmp_path / "a.bks")
        with pytest.raises(SnapshotError, match="ends before it starts"):
            Calendar.restore(tmp_path / "a.bks")


def test_two_zones_of_one_name_come_back(tmp_path: Path) -> None:
    """Python compares datetimes of two such zones by UTC, and those of one by their faces."""
    other = ZoneInfo.no_cache("Europe/Berlin")
    calendar = Calendar()
    calendar.add_resource(Resource("r"))
    calendar.add_booking(BookingEvent("r", berlin(2, 30), berlin(2, 15, fold=1).replace(tzinfo=other)))
    calendar.snapshot(tmp_path / "a.bks")
    (event,) = Calendar.restore(tmp_path / "a.bks").bookings()
    assert seen(event.end)[1:] == (1, timedelta(hours=1))
