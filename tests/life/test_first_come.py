"""`book_all` decides at once which of many requests fit, and loads those: the same as if each was booked at its turn."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bookcore import BookingEvent, Calendar, Report, Resource
from bookcore.engine import engine
from bookcore.errors import ConflictError, DuplicateBookingError, UnknownResourceError
from bookcore.stores.sorted import SortedStore
from bookcore.testing.sizes import SMALL

MANY = 400 if os.environ.get("BOOKCORE_EXAMPLES") == "many" else 10
BERLIN = ZoneInfo("Europe/Berlin")
ZERO = datetime(2026, 10, 25)  # a day whose clock is set back in Berlin

KEYS: dict[str, Callable[[int], Any]] = {
    "int": lambda n: n,
    "float": lambda n: n / 4,
    "date": lambda n: date(2026, 1, 1) + timedelta(days=n),
    "naive": lambda n: ZERO + timedelta(minutes=10 * n),
    "utc": lambda n: (ZERO + timedelta(minutes=10 * n)).replace(tzinfo=UTC),
    "zone": lambda n: (ZERO + timedelta(minutes=10 * n)).replace(tzinfo=UTC).astimezone(BERLIN),
    "tuple": lambda n: (n // 3, n % 3),
}


def requests_of(rng: random.Random, key: Callable[[int], Any], bounds: str, rooms: int) -> list[tuple[Any, ...]]:
    """Return forms, resources, spans and ids of random requests, few or many of which are refused."""
    count, width = rng.randrange(2, 60), rng.choice([20, 60, 400])
    named = rng.choice([0, 0.5, 1])
    rows = []
    for _ in range(count):
        low = rng.randrange(width)
        high = low + rng.randrange(0 if bounds == "[]" else 1, rng.choice([3, 12]))
        name = f"n{rng.randrange(count * 2)}" if rng.random() < named else None
        rows.append((rng.randrange(3), f"r{rng.randrange(rooms)}", key(low), key(high), name))
    return rows


def asked(rows: list[tuple[Any, ...]]) -> list[Any]:
    """Return the requests, as events, mappings or tuples."""
    made: list[Any] = []
    for form, room, low, high, name in rows:
        if form == 0 or (form == 2 and name is not None):
            made.append(BookingEvent(room, low, high, id=name))
        elif form == 1:
            made.append({"resource": room, "start": low, "end": high, "id": name})
        else:
            made.append((room, low, high))
    return made


def told(calendar: Calendar, requests: list[Any], report: Report) -> Any:
    """Return all that a report says, and what the calendar holds."""
    places = {id(request): place for place, request in enumerate(requests)}
    booked = [(event.id, event.resource.id, event.start, event.end, event.owns_lock) for event in report.booked]
    refused = [
        (
            places[id(refusal.request)], type(refusal.error), str(refusal.error), [event.id for event in refusal.conflicts],
            getattr(getattr(refusal.error, "standing", None), "id", None),
        )
        for refusal in report.refused
    ]  # fmt: skip
    return booked, refused, calendar.digest(), [event.id for event in calendar.bookings()]


def random_calendar(
    counting: Any, rng: random.Random, key: Callable[[int], Any], bounds: Any, small: bool, rooms: int
) -> Calendar:
    """Return a calendar with some bookings, with holds, with a name that has run out, or empty."""
    store = counting()
    if small:
        store.sizes = SMALL
    calendar = Calendar(store, bounds=bounds, clock=lambda: 0)
    for number in range(rooms):
        calendar.add_resource(Resource(f"r{number}"))
    if rng.random() < 0.6:
        for number in range(rng.randrange(8)):
            low = rng.randrange(60)
            span = key(low), key(low + 2)
            name = rng.choice([None, f"n{number}", f"n{rng.randrange(40)}"])
            call = rng.choice([calendar.book, calendar.hold])
            calendar.book_all([{"resource": f"r{rng.randrange(rooms)}", "start": span[0], "end": span[1]}], "skip")
            if name is not None and calendar.is_available("r0", *span):
                try:
                    call("r0", *span, id=name)
                except DuplicateBookingError:
                    continue
    return calendar


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("bounds", ["[)", "[]"])
def test_requests_that_are_booked_at_once_are_told_what_each_is_told_at_its_turn(
    counting: Any, kind: str, bounds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bookings under the same ids and numbers, the same refusals in the same words, one digest."""
    at_once = 0
    for seed in range(MANY):
        said = []
        for whole in (True, False):
            rng = random.Random(f"{kind}{bounds}{seed}")
            rooms, small = rng.choice([1, 2, 5]), rng.random() < 0.7
            calendar = random_calendar(counting, rng, KEYS[kind], bounds, small, rooms)
            rows = requests_of(rng, KEYS[kind], bounds, rooms)
            store: Any = calendar._engine.state.store
            with monkeypatch.context() as patched:
                if not whole:
                    patched.setattr(engine, "find_late", lambda state, events: None)
                store.put_count = store.load_count = 0
                requests = asked(rows)
                report = calendar.book_all(requests, on_conflict="skip")
                at_once += store.load_count if whole else 0
                if not whole:
                    assert not store.load_count, seed
            said.append(told(calendar, requests, report))
            calendar.check()
        assert said[0] == said[1], (kind, bounds, seed)
    assert at_once > MANY or kind == "tuple"


def test_requests_that_fit_come_into_the_store_in_one_load(counting: Any) -> None:
    """None is put by itself, whether others are refused or not, and however the requests are given."""
    calendar = Calendar(counting())
    store: Any = calendar._engine.state.store
    for number in range(4):
        calendar.add_resource(Resource(f"r{number}"))
    ends = {7: 130}
    rows = [(n % 3, f"r{n % 4}", 10 * n, ends.get(n, 10 * n + 9), f"n{4 if n == 9 else n}") for n in range(100)]
    report = calendar.book_all(asked(rows), on_conflict="skip")
    assert (store.load_count, store.put_count) == (98, 0)
    assert [type(refusal.error) for refusal in report.refused] == [DuplicateBookingError, ConflictError]
    assert len(calendar) == 98


def test_raising_loads_what_fits_and_raises_what_does_not(counting: Any) -> None:
    """All or none, with the error and the request of the first that is refused."""
    calendar = Calendar(counting())
    store: Any = calendar._engine.state.store
    calendar.add_resource(Resource("r"))
    good = [("r", n, n + 1) for n in range(50)]
    with pytest.raises(ConflictError) as caught:
        calendar.book_all([*good, ("r", 7, 9), ("r", 8, 9)])
    assert caught.value.request == ("r", 7, 9)
    assert len(calendar) == store.load_count == 0
    with pytest.raises(DuplicateBookingError):
        calendar.book_all([{"resource": "r", "start": n, "end": n + 1, "id": "a"} for n in range(50)], ConflictError)
    assert len(calendar.book_all(good).booked) == store.load_count == 50


def test_subscribers_are_told_of_each_in_order() -> None:
    """As of bookings that are made one by one."""
    calendar, heard = Calendar(), list[Any]()
    calendar.add_resource(Resource("r"))
    calendar.subscribe(heard.append)
    calendar.book_all([("r", n, n + (5 if n == 40 else 1)) for n in range(50)], on_conflict="skip")
    assert [change.event.start for change in heard] == [n for n in range(50) if n not in (41, 42, 43, 44)]
    assert [change.number for change in heard] == [event.id for event in calendar.bookings()]


def test_refusals_say_what_was_in_the_way_then_and_not_later() -> None:
    """Also where that is looked for only when it is asked for, and also after the calendar has changed."""
    for changes in (False, True):
        calendar = Calendar()
        calendar.add_resource(Resource("r"))
        early, late = [("r", 2 * n, 2 * n + 1) for n in range(200)], [("r", 2 * n + 1, 2 * n + 2) for n in range(200)]
        report = calendar.book_all([*early, ("r", 0, 400), *late], on_conflict="skip")
        if changes:
            calendar.remove_booking(1)
        (refusal,) = report.refused
        assert [event.start for event in refusal.conflicts] == [2 * n for n in range(200)]
        assert str(refusal.error).endswith("197 more bookings")


@pytest.mark.parametrize("odd", ["capacity", "buffer", "closure", "unknown", "quantity", "twice", "index", "store"])
def test_other_requests_are_booked_one_by_one(odd: str) -> None:
    """Whatever else may have a say; the same for each."""
    calendar = Calendar(SortedStore() if odd == "store" else None)
    room = calendar.add_resource(Resource("r", **{"capacity": {"capacity": 2}, "buffer": {"after": 1}}.get(odd, {})))
    calendar.add_resource(Resource("pool", capacity=3))
    requests: list[Any] = [("r", 3 * n, 3 * n + 2) for n in range(50)]
    if odd == "closure":
        calendar.close(room, 4, 5)
    if odd == "index":
        calendar.create_booking_index("start", key=lambda event: event.start)
    if odd == "unknown":
        requests.append(("nobody", 1, 2))
    if odd == "quantity":
        requests.append({"resource": "pool", "start": 1, "end": 2, "quantity": 2})
    event = BookingEvent("r", 400, 401)
    requests += [event, event] if odd == "twice" else [event]
    report = calendar.book_all(requests, on_conflict="skip")
    wrong = {"closure": ConflictError, "unknown": UnknownResourceError, "twice": DuplicateBookingError}
    assert [type(refusal.error) for refusal in report.refused] == ([wrong[odd]] if odd in wrong else [])
    assert len(calendar) == len(report.booked) == len(requests) - (odd in wrong)


@pytest.mark.parametrize("zone", [None, UTC])
def test_each_keeps_the_fold_of_its_keys(zone: Any) -> None:
    """Also where equal keys repeat, which then are no longer one object."""
    said = []
    for how in ("book", "book_all", "load"):
        calendar = Calendar()
        rows = []
        for number in range(40):
            calendar.add_resource(Resource(number))
            start = (ZERO + timedelta(hours=number // 8)).replace(fold=number % 2, tzinfo=zone)
            rows.append((number, start, (start + timedelta(hours=1)).replace(fold=number % 2)))
        if how == "book":
            for row in rows:
                calendar.book(*row)
        elif how == "book_all":
            calendar.book_all(rows)
        else:
            calendar.load([BookingEvent(*row) for row in rows])
        said.append((calendar.digest(), [(event.start.fold, event.end.fold) for event in calendar.bookings()]))
    assert sorted(said[0][1]) == [(0, 0)] * 20 + [(1, 1)] * 20
    assert said[1] == said[0]
    assert said[2] == said[0]
