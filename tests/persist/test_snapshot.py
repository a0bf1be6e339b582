"""A calendar comes back from its snapshot with all it had; from a file that is not one, nothing comes back."""

from __future__ import annotations

import gc
import math
import os
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore.calendar import Calendar
from bookcore.changes import Released
from bookcore.errors import (
    BookcoreError,
    ConflictError,
    HoldExpiredError,
    QueryError,
    SnapshotError,
    StoreError,
)
from bookcore.hours import Hours
from bookcore.model.event import BookingEvent
from bookcore.model.resource import Resource, overwrite
from bookcore.persist import registry
from bookcore.persist.errors import (
    SnapshotDamagedError,
    SnapshotKeyError,
    SnapshotTypeError,
    SnapshotValueError,
    SnapshotVersionError,
)
from bookcore.persist.fs import FileSystem
from bookcore.persist.registry import register_key_codec
from bookcore.persist.snapshot import save_load
from bookcore.persist.snapshot.classes import OWN
from bookcore.persist.snapshot.format import Limits, read_file
from bookcore.persist.snapshot.state import encode_state
from bookcore.stores.tree import TreeStore


def save(calendar: Calendar, path: Any, **options: Any) -> int:
    """Write a calendar to a file."""
    return save_load.save(calendar._engine.state, path, **options)


def load(make: Callable[..., Calendar], path: Any, **options: Any) -> Calendar:
    """Return the calendar in a file."""

    def made(**settings: Any) -> Any:
        calendar = make(**settings)
        return calendar, calendar._engine.state

    loaded: Calendar = save_load.load(made, path, **options)
    return loaded

Forge = Callable[..., Path]
InMemory = Callable[[bytes | bytearray], FileSystem]
GOLDEN = Path(__file__).parent / "data" / "format-1.bks"


class Flat(Resource):
    """Has a price, and notices when its constructor runs."""

    made = 0

    def __init__(self, id: Any, price: int, **more: Any) -> None:
        super().__init__(id, **more)
        self.price = price
        Flat.made += 1


@dataclass(eq=False)
class Car(Resource):
    """A dataclass, with defaults."""

    seats: int = 5
    extras: tuple[str, ...] = ()


class Slotted(Resource):
    """Has slots only, one of them left empty."""

    __slots__ = ("colour", "empty")

    def __init__(self, id: Any, colour: str) -> None:
        super().__init__(id)
        self.colour = colour


class Renamed(Resource):
    """Its id is not the attribute of that name."""

    def __init__(self, number: int) -> None:
        super().__init__(None)
        self.number = number

    @property
    def id(self) -> Any:
        return self.number

    @id.setter
    def id(self, value: Any) -> None:
        pass


class Stay(BookingEvent):
    """Carries a price, in a slot and loosely."""

    __slots__ = ("price",)

    def __init__(self, *args: Any, price: int = 0, **more: Any) -> None:
        super().__init__(*args, **more)
        self.price = price


@dataclass(eq=False)
class Rental(BookingEvent):
    """A booking that is a dataclass."""

    insured: bool = False


class Row(NamedTuple):
    """What a database may hand out: an id and more, and no Resource."""

    id: int
    name: str


class Version:
    """A key of the user's own, without a hash."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, *parts: int) -> None:
        self.parts = parts

    def __lt__(self, other: Version) -> bool:
        return self.parts < other.parts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.parts == other.parts

    def __repr__(self) -> str:
        return f"Version{self.parts}"


def seen(value: Any) -> Any:
    """Return what can be seen of a key or value: type, representation, zone, fold."""
    return type(value), repr(value), getattr(value, "fold", None)


def seen_resource(resource: Any) -> Any:
    """Return what can be seen of a resource."""
    state: Any = object.__getstate__(resource) if isinstance(resource, Resource) else repr(resource)
    if isinstance(state, tuple):
        state = {**(state[0] or {}), **(state[1] or {})}
    if isinstance(state, dict):
        state = {name: seen(value) for name, value in sorted(state.items()) if name not in OWN}
    return type(resource), seen(resource.id), state


def portrait(calendar: Calendar) -> Any:
    """Return everything about a calendar that a snapshot carries, for comparison."""
    state = calendar._engine.state
    records, until = state.registry.in_order(), state.holds.until
    numbers = [record.number for record in records]
    return {
        "bounds": calendar.bounds,
        "event type": state.event_type,
        "resources": [seen_resource(record.resource) for record in records],
        "records": [
            (seen(r.id), r.capacity, seen(r.before), seen(r.after), r.active_count, r.hours) for r in records
        ],
        "tags": {
            label: [numbers.index(n) for n in numbers if n in bits] for label, bits in state.registry.tags.items()
        },
        "bookings": [
            (
                type(event), seen(event.id), seen(event.resource.id), seen(event.start), seen(event.end),
                event.quantity, {name: seen(value) for name, value in event.fields.items()},
                event._seq in until, seen(until.get(event._seq or 0)),
            )
            for event in sorted(state.ledger.all(), key=lambda event: event._seq or 0)
        ],
        "closures": [
            (c.id, seen(c.resource.id), seen(c.start), seen(c.end), c.reason, [event.id for event in c.overlapping])
            for c in calendar.closures()
        ],
        "numbers": (state.ledger.last, state.closures.last_id),
        "order": [event.id for event in calendar.bookings()],
    }  # fmt: skip


TYPES = [Flat, Car, Slotted, Renamed, Stay, Rental]


def full_calendar() -> Calendar:
    """Return a calendar with something of everything."""
    calendar = Calendar(clock=lambda: 0)
    loft = calendar.add_resource(Flat("loft", 90))
    gone = calendar.add_resource(Flat("gone", 1))
    calendar.add_resource(Car("AB-123", seats=7, extras=("roof",)))
    calendar.add_resource(Car(("nested", 1)))
    calendar.add_resource(Resource(5, capacity=20, before=1, after=2))
    calendar.add_resource(Slotted("slots", "red"))
    calendar.add_resource(Renamed(77))
    calendar.remove_resource(gone)
    loft.price = 95
    calendar.tag("loft", "sea", 3, ("a", "b"))
    calendar.tag("AB-123", "sea")
    calendar.book("loft", 3, 7, guest="Ada", notes=["late", {"bed": 2}])
    calendar.book("loft", None, 1, id="early")
    calendar.remove_booking(calendar.book("loft", 20, 25))
    calendar.add_booking(Stay("loft", 8, None, price=50, why="open"))
    calendar.add_booking(Rental("AB-123", 1, 5, insured=True))
    for quantity in (5, 8, 7):
        calendar.book(5, 1, 6, quantity=quantity)
    calendar.hold("AB-123", 50, 60, until=1000)
    calendar.hold("AB-123", 60, 70, until=None)
    calendar.close("loft", 5, 7, "paint")
    calendar.close("loft", 6, None, "rebuilt")
    calendar.reopen(calendar.close("slots", 1, 2, "by mistake"))
    return calendar


def clocked(**settings: Any) -> Calendar:
    """Make a calendar that knows the time."""
    return Calendar(clock=lambda: 0, **settings)


def there_and_back(
    calendar: Calendar, path: Path, make: Callable[..., Calendar] = Calendar, **how: Any
) -> Calendar:
    """Save a calendar, load it, prove its structures, and return it."""
    save(calendar, path, key=how.get("key"))
    found = load(make, path, types=TYPES, **how)
    found.check()
    return found


# -- what comes back -------------------------------------------------------------------------------


def test_calendar_comes_back_whole(tmp_path: Path) -> None:
    """Resources of every sort, tags, bookings, holds, closures: in their order, with all they carry."""
    calendar = full_calendar()
    assert portrait(there_and_back(calendar, tmp_path / "a.bks", clocked)) == portrait(calendar)


def test_snapshot_of_a_restored_calendar_is_the_same_file(tmp_path: Path) -> None:
    """Writing what was read gives the same bytes: nothing drifts."""
    calendar = full_calendar()
    again = there_and_back(calendar, tmp_path / "a.bks", clocked)
    save(again, tmp_path / "b.bks")
    assert (tmp_path / "a.bks").read_bytes() == (tmp_path / "b.bks").read_bytes()


def test_empty_calendar_comes_back(tmp_path: Path) -> None:
    """Nothing, with either bounds, with a booking class of one's own."""
    for calendar in (Calendar(), Calendar(bounds="[]"), Calendar(event_type=Stay)):
        assert portrait(there_and_back(calendar, tmp_path / "a.bks")) == portrait(calendar)


def test_restored_calendar_works_on(tmp_path: Path) -> None:
    """It refuses what the first would refuse, gives new ids, lets go, and removes resources."""
    calendar = there_and_back(full_calendar(), tmp_path / "a.bks", clocked)
    with pytest.raises(ConflictError) as caught:
        calendar.book("AB-123", 4, 6)
    assert [type(event) for event in caught.value.conflicts] == [Rental]
    with pytest.raises(ConflictError):
        calendar.book("loft", 7, 8)  # closed
    assert calendar.is_available(5, 10, 12, 20)
    assert not calendar.is_available(5, 5, 7, 1)
    new = calendar.book("AB-123", 5, 6)
    assert new.id == 11
    (car,) = (event for event in calendar.bookings("AB-123") if event.start == 1)
    assert car.owns_lock
    assert car.resource.is_available(100, 101)
    calendar.remove_booking(car)
    calendar.book(car.resource, 1, 5)
    calendar.check()


def test_constructors_do_not_run(tmp_path: Path) -> None:
    """Objects come back as they were left, not as their classes would make them."""
    calendar = full_calendar()
    made = Flat.made
    found = there_and_back(calendar, tmp_path / "a.bks", clocked)
    assert Flat.made == made
    (loft,) = (resource for resource in found.resources if resource.id == "loft")
    assert loft.price == 95


def test_overridden_capacity_and_buffers_come_back(tmp_path: Path) -> None:
    """What was given to add_resource counts, whatever the resource says of itself, then or later."""
    calendar = Calendar()
    pool = Resource("pool", 3)
    calendar.add_resource(pool, capacity=8, after=2)
    overwrite(pool, "capacity", 99)  # past what refuses it
    assert portrait(there_and_back(calendar, tmp_path / "a.bks")) == portrait(calendar)


def test_opening_hours_come_back(tmp_path: Path) -> None:
    """Rules, shared by many and exceptions among them, and what follows from them."""
    calendar = Calendar()
    rules = [
        Hours(
            {"mon-fri": "09:00-17:00"},
            zone="Europe/Berlin",
            exceptions={"2026-12-24": "09:00-12:00", "2026-12-25": None},
        ),
        Hours({"sat": ["10:00-12:00", "22:00-26:00"]}, zone="Europe/Berlin"),
    ]
    for number in range(6):
        calendar.add_resource(Resource(number))
        calendar.set_hours(number, rules[number % 3] if number % 3 < 2 else None)
    zone = ZoneInfo("Europe/Berlin")
    monday = datetime(2026, 12, 21, 9, tzinfo=zone)
    calendar.book(0, monday, monday + timedelta(hours=2))
    found = there_and_back(calendar, tmp_path / "a.bks")
    assert portrait(found) == portrait(calendar)
    for hours in range(0, 24 * 7, 3):
        start = monday + timedelta(hours=hours)
        assert found.find_available(start, start + timedelta(hours=1)).ids() == (
            calendar.find_available(start, start + timedelta(hours=1)).ids()
        )


def test_holds_go_on_running_out(tmp_path: Path) -> None:
    """A hold restored frees its span when the clock of the new calendar passes its end, and not before."""
    now = [0]
    calendar = Calendar(clock=lambda: now[0])
    calendar.add_resource(Resource("room"))
    calendar.hold("room", 10, 20, until=50)
    save(calendar, tmp_path / "a.bks")
    found = load(lambda **settings: Calendar(clock=lambda: now[0], **settings), tmp_path / "a.bks")
    assert not found.is_available("room", 10, 20)
    now[0] = 50
    assert found.is_available("room", 10, 20)


def test_hold_that_has_run_out_is_not_saved(tmp_path: Path) -> None:
    """It holds nothing any more, though nobody has asked since."""
    now = [0]
    calendar = Calendar(clock=lambda: now[0])
    calendar.add_resource(Resource("room"))
    calendar.hold("room", 10, 20, until=50)
    now[0] = 60
    save(calendar, tmp_path / "a.bks")
    assert len(load(Calendar, tmp_path / "a.bks")) == 0


def test_holds_restored_without_a_clock_stand(tmp_path: Path) -> None:
    """A calendar that cannot tell the time keeps them, with when they should end, and hands that on."""
    calendar = Calendar(clock=lambda: 0)
    calendar.add_resource(Resource("room"))
    calendar.hold("room", 10, 20, until=50)
    save(calendar, tmp_path / "a.bks")
    timeless = load(Calendar, tmp_path / "a.bks")
    assert not timeless.is_available("room", 10, 20)
    save(timeless, tmp_path / "b.bks")
    found = load(lambda **settings: Calendar(clock=lambda: 60, **settings), tmp_path / "b.bks")
    assert found.is_available("room", 10, 20)


MOMENTS: dict[str, tuple[Any, Any]] = {
    "ints, then datetimes": (5, datetime(2026, 1, 2)),
    "datetimes, then ints": (datetime(2026, 1, 2), 5),
    "naive, then aware": (datetime(2026, 1, 2), datetime(2026, 1, 2, tzinfo=UTC)),
    "dates, then datetimes": (date(2026, 1, 2), datetime(2026, 1, 2)),
    "texts, then decimals": ("b", Decimal(5)),
    "tuples, then fractions": ((1, "a"), Fraction(5, 2)),
    "tuples of two kinds": ((1, "a"), ("a", 1)),
}


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("moments", MOMENTS)
def test_holds_that_ran_out_by_two_clocks_come_back(tmp_path: Path, moments: str, held: bool) -> None:
    """What is remembered of them is told and never compared, so the program may have gone over to other instants."""
    first, second = MOMENTS[moments]
    earlier = {int: 0, str: "a", tuple: (0, "a"), Fraction: Fraction(1), Decimal: Decimal(1)}
    now: list[Any] = [None]

    def before(moment: Any) -> Any:
        if type(moment) is tuple:
            return (0, "a") if moment[0] == 1 else ("A", 1)
        return earlier[type(moment)] if type(moment) in earlier else moment - timedelta(days=1)

    calendar = Calendar(clock=lambda: now[0])
    calendar.add_resource(Resource("room"))
    now[0] = before(first)
    calendar.hold("room", 10, 20, until=first, id="one")
    now[0] = first
    assert calendar.is_available("room", 10, 20)
    now[0] = before(second)
    calendar.hold("room", 10, 20, until=second, id="two")
    if not held:
        now[0] = second
        assert calendar.is_available("room", 10, 20)
    save(calendar, tmp_path / "a.bks")
    found = load(lambda **settings: Calendar(clock=lambda: now[0], **settings), tmp_path / "a.bks")
    assert found.digest() == calendar.digest()
    for id, until in [("one", first), ("two", second)][: 1 if held else 2]:
        with pytest.raises(HoldExpiredError) as caught:
            found.confirm(id)
        assert caught.value.until == until


@pytest.mark.parametrize("until", [math.nan, Decimal("nan"), [1], {1}, None])
def test_whatever_is_remembered_of_a_hold_comes_back(tmp_path: Path, until: Any) -> None:
    """A follower remembers what its leader says, which need not be an instant."""
    calendar = Calendar()
    calendar.add_resource(Resource("room"))
    event = calendar.book("room", 10, 20)
    calendar.apply(Released(event, expired=True, until=until))
    save(calendar, tmp_path / "a.bks")
    found = load(Calendar, tmp_path / "a.bks")
    assert repr(found._engine.state.holds.expired) == repr({1: until})


def test_confirming_a_hold_that_ran_out_before_still_says_so(tmp_path: Path) -> None:
    """The last few that ran out are known by name, here as there."""
    now = [0]
    calendar = Calendar(clock=lambda: now[0])
    calendar.add_resource(Resource("room"))
    event = calendar.hold("room", 10, 20, until=50)
    now[0] = 60
    save(calendar, tmp_path / "a.bks")
    found = load(lambda **settings: Calendar(clock=lambda: now[0], **settings), tmp_path / "a.bks")
    with pytest.raises(HoldExpiredError):
        found.confirm(event.id)


def test_booking_that_stands_in_a_closure_comes_back(tmp_path: Path) -> None:
    """It stood first: closures are put in force after the bookings stand."""
    calendar = Calendar()
    calendar.add_resource(Resource("room"))
    kept, gone = calendar.book("room", 1, 5), calendar.book("room", 7, 9)
    calendar.close("room", 3, 8, "flood")
    calendar.remove_booking(gone)
    found = there_and_back(calendar, tmp_path / "a.bks")
    (closure,) = found.closures()
    stood, gone = closure.overlapping
    assert stood == found.get(kept.id)
    assert stood.owns_lock
    assert (gone.start, gone.end, gone.owns_lock) == (7, 9, False)
    with pytest.raises(ConflictError):
        found.book("room", 7, 8)


def test_order_of_booking_comes_back_after_an_undone_release(tmp_path: Path) -> None:
    """A booking that was released and put back by a transaction is still the first of its start."""
    calendar = Calendar()
    calendar.add_resource(Resource("pool", 5))
    first = calendar.book("pool", 1, 5)
    calendar.book("pool", 1, 5)
    with pytest.raises(ZeroDivisionError), calendar.transaction():
        calendar.remove_booking(first)
        raise ZeroDivisionError
    found = there_and_back(calendar, tmp_path / "a.bks")
    assert [event.id for event in found.bookings()] == [1, 2]
    assert portrait(found) == portrait(calendar)


def test_calendar_offers_both_calls(tmp_path: Path) -> None:
    """`Calendar.snapshot` and `Calendar.restore`, with classes, key, store and clock."""
    calendar = full_calendar()
    assert calendar.snapshot(tmp_path / "a.bks", key=b"k") == (tmp_path / "a.bks").stat().st_size
    found = Calendar.restore(tmp_path / "a.bks", types=TYPES, key=b"k", store=TreeStore(), clock=lambda: 0)
    assert portrait(found) == portrait(calendar)


def test_snapshot_can_be_restored_into_another_store(tmp_path: Path) -> None:
    """The file knows nothing of stores."""
    calendar = full_calendar()
    save(calendar, tmp_path / "a.bks")
    found = load(
        lambda **settings: Calendar(TreeStore(), clock=lambda: 0, **settings), tmp_path / "a.bks", types=TYPES
    )
    found.check()
    assert portrait(found) == portrait(calendar)


HOUR = timedelta(hours=1)
START = datetime(2024, 10, 26, 22)
FAMILIES: dict[str, Callable[[int], Any]] = {
    "int": lambda n: n,
    "large int": lambda n: 10**30 + n,
    "negative int": lambda n: n - 25,
    "float": lambda n: n / 4 - 2,
    "Fraction": lambda n: Fraction(n, 7),
    "Decimal": lambda n: Decimal(n) / 100,
    "mixed numbers": lambda n: (n, n + 0.25, Fraction(n, 1) + Fraction(1, 3), Decimal(n))[n % 4],
    "str": lambda n: f"{n:03}\ud800é",
    "bytes": lambda n: b"%03d" % n,
    "date": lambda n: date(2024, 2, 1) + timedelta(n),
    "naive datetime": lambda n: START + n * HOUR,
    "folded datetime": lambda n: (START + n * HOUR).replace(fold=n % 2),
    "UTC": lambda n: (START + n * HOUR).replace(tzinfo=UTC),
    "offset": lambda n: (START + n * HOUR).replace(tzinfo=timezone(timedelta(hours=-3), "there")),
    "zone": lambda n: (START + n * HOUR).replace(tzinfo=UTC).astimezone(ZoneInfo("Europe/Paris")),
    "zones": lambda n: (
        (START + n * HOUR)
        .replace(tzinfo=UTC)
        .astimezone((ZoneInfo("Europe/Paris"), UTC, ZoneInfo("America/New_York"))[n % 3])
    ),
    "timedelta": lambda n: n * HOUR - timedelta(days=1),
    "tuple": lambda n: (n // 5, f"{n % 5}"),
    "nested tuple": lambda n: (n // 5, (START + n * HOUR, Decimal(n))),
    "bool in tuple": lambda n: (n // 2, bool(n % 2)),
    "own class": lambda n: Version(n // 5, n % 5),
    "own class in tuple": lambda n: (Version(n // 5), n),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("bounds", ["[)", "[]"])
def test_calendar_of_every_key_family_comes_back(tmp_path: Path, family: str, bounds: Any) -> None:
    """Keys of each family, unbounded ends among them, come back as they were, and answer as they did."""
    register_key_codec(Version, "version", lambda version: version.parts, lambda parts: Version(*parts))
    key = FAMILIES[family]
    calendar = Calendar(bounds=bounds)
    for name in "abc":
        calendar.add_resource(Resource(name))
    for number in range(0, 48, 4):
        calendar.book("a", key(number), key(number + 2))
        calendar.book("b", key(number + 1), key(number + 4 - (bounds == "[]")))
    calendar.book("c", key(30), None)
    calendar.book("c", None, key(10))
    found = there_and_back(calendar, tmp_path / "a.bks")
    assert portrait(found) == portrait(calendar)
    for low in range(0, 50, 3):
        for high in range(low + 1, 51, 7):
            assert (
                found.find_available(key(low), key(high)).ids()
                == calendar.find_available(key(low), key(high)).ids()
            )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("bounds", ["[)", "[]"])
def test_calendar_whose_keys_repeat_comes_back(tmp_path: Path, family: str, bounds: Any) -> None:
    """Many resources at the same hours, as calendars mostly are: loaded in one piece where that can be."""
    register_key_codec(Version, "version", lambda version: version.parts, lambda parts: Version(*parts))
    key = FAMILIES[family]
    calendar = Calendar(bounds=bounds)
    for name in range(20):
        calendar.add_resource(Resource(name))
        for number in range(0, 40, 4):
            calendar.book(name, key(number), key(number + 2 + name % 2))
    found = there_and_back(calendar, tmp_path / "a.bks")
    assert portrait(found) == portrait(calendar)
    for low in range(0, 44, 3):
        assert (
            found.find_available(key(low), key(low + 1)).ids()
            == calendar.find_available(key(low), key(low + 1)).ids()
        )
    with pytest.raises(ConflictError):
        found.book(3, key(1), key(2))
    assert found._keys._kinds.keys() == calendar._keys._kinds.keys()  # what it takes for a key, and what not
    found.book(3, key(44), key(46))
    found.check()


@pytest.mark.parametrize("family", ["NumPy int", "NumPy time", "pandas"])
def test_calendar_of_scalars_of_arrays_comes_back(tmp_path: Path, family: str) -> None:
    """Keys out of arrays and frames."""
    np = pytest.importorskip("numpy")
    pd = pytest.importorskip("pandas")
    column = {
        "NumPy int": list(np.arange(100)),
        "NumPy time": list(np.arange("2024-01-01", "2024-01-05", dtype="M8[h]")),
        "pandas": list(pd.date_range("2024-01-01", periods=100, freq="h", tz="Europe/Paris")),
    }[family]
    calendar = Calendar()
    calendar.add_resource(Resource("a"))
    for number in range(0, 90, 3):
        calendar.book("a", column[number], column[number + 2])
    assert portrait(there_and_back(calendar, tmp_path / "a.bks")) == portrait(calendar)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 60), st.integers(1, 20), st.integers(1, 3)), max_size=60
    ),
    st.sampled_from(sorted(FAMILIES)),
    st.randoms(use_true_random=False),
)
def test_any_history_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    wishes: list[tuple[int, int, int, int]],
    family: str,
    random: Any,
) -> None:
    """Whatever was booked, refused and released before the snapshot."""
    register_key_codec(Version, "version", lambda version: version.parts, lambda parts: Version(*parts))
    key = FAMILIES[family]
    calendar = Calendar()
    for number, capacity in enumerate((1, 1, 2, 3)):
        calendar.add_resource(Resource(number, capacity))
    for resource, start, length, quantity in wishes:
        try:
            calendar.book(
                resource, key(start), key(start + length), quantity=min(quantity, (1, 1, 2, 3)[resource])
            )
        except ConflictError:
            if calendar and random.random() < 0.5:
                calendar.remove_booking(random.choice(list(calendar.bookings())))
    found = there_and_back(calendar, tmp_path_factory.mktemp("history") / "a.bks")
    assert portrait(found) == portrait(calendar)


def test_keys_that_were_equal_become_one_object(tmp_path: Path) -> None:
    """A restored calendar holds each hour once."""
    calendar = Calendar()
    for number in range(50):
        calendar.add_resource(Resource(number))
        for day in range(3):
            calendar.book(number, START + day * 24 * HOUR, START + (day * 24 + 12) * HOUR)
    found = there_and_back(calendar, tmp_path / "a.bks")
    assert (
        len({id(event.start) for event in found.bookings()} | {id(event.end) for event in found.bookings()})
        == 6
    )


def test_indexes_are_made_again_by_the_user(tmp_path: Path) -> None:
    """An index is a function of the user's and does not come back; made again it answers as before."""
    calendar = full_calendar()
    calendar.create_index("price", key=lambda resource: resource.price)
    found = there_and_back(calendar, tmp_path / "a.bks", clocked)
    with pytest.raises(BookcoreError):
        found.index("price")
    index = found.create_index("price", key=lambda resource: resource.price)
    assert found.find(index.between(90, 100)).ids() == ["loft"]


def test_foreign_resource_comes_back_by_its_codec(tmp_path: Path) -> None:
    """An object that only has an id is carried whole once the user has said how."""
    calendar = Calendar()
    calendar.add_resource(Row(1, "one"), capacity=4)
    calendar.book(1, 5, 6, quantity=3)
    register_key_codec(Row, "row", tuple, lambda plain: Row(*plain))
    found = there_and_back(calendar, tmp_path / "a.bks")
    assert portrait(found) == portrait(calendar)
    assert found.resources.first(1) == [Row(1, "one")]


def test_calendar_can_be_used_while_it_is_saved(tmp_path: Path) -> None:
    """Bookings that another thread makes meanwhile are in the file whole or not at all, and in order."""
    calendar = Calendar()
    calendar.add_resource(Resource("a"))
    failures: list[Exception] = []

    def work() -> None:
        try:
            for number in range(3000):
                calendar.book("a", number, number + 1)
        except ConflictError as exc:
            failures.append(exc)

    thread = threading.Thread(target=work)
    thread.start()
    counts = []
    for _ in range(5):
        save(calendar, tmp_path / "a.bks")
        found = load(Calendar, tmp_path / "a.bks")
        assert [(event.id, event.start, event.end) for event in found.bookings()] == [
            (number + 1, number, number + 1) for number in range(len(found))
        ]
        counts.append(len(found))
    thread.join()
    assert not failures
    assert counts == sorted(counts)


def test_garbage_collector_is_left_as_it_was(tmp_path: Path) -> None:
    """On if it was on, off if it was off, also after a failure."""
    calendar = full_calendar()
    for state in (True, False):
        (gc.enable if state else gc.disable)()
        try:
            there_and_back(calendar, tmp_path / "a.bks", clocked)
            with pytest.raises(SnapshotError):
                load(Calendar, tmp_path / "a.bks")
            assert gc.isenabled() is state
        finally:
            gc.enable()


# -- classes ---------------------------------------------------------------------------------------


def test_class_not_handed_in_is_named(tmp_path: Path) -> None:
    """All that are missing, in one error, before anything is made."""
    save(full_calendar(), tmp_path / "a.bks")
    with pytest.raises(SnapshotTypeError, match=r"types=\[Car, Flat") as caught:
        load(clocked, tmp_path / "a.bks", types=[Slotted, Renamed, Stay, Rental])
    assert caught.value.names == ("Car", "Flat")
    with pytest.raises(SnapshotTypeError) as caught:
        load(clocked, tmp_path / "a.bks", types=[Flat, Car, Slotted, Renamed])
    assert caught.value.names == ("Rental", "Stay")


def test_class_of_the_wrong_sort_is_refused(tmp_path: Path) -> None:
    """A name in the file does not make a resource of what is none."""
    calendar = Calendar()
    calendar.add_resource(Flat("a", 1))
    save(calendar, tmp_path / "a.bks")
    wrong = type("Flat", (), {"__qualname__": "Flat"})
    for types in ([wrong], [type("Flat", (BookingEvent,), {"__qualname__": "Flat"})]):
        with pytest.raises(SnapshotTypeError, match="subclass of Resource"):
            load(Calendar, tmp_path / "a.bks", types=types)


@pytest.mark.parametrize("types", [5, None, [5], ["Flat"], [Flat, None], Flat, "Flat", object()])
def test_types_that_are_none_are_refused(tmp_path: Path, types: Any) -> None:
    """What is not a list of classes."""
    save(Calendar(), tmp_path / "a.bks")
    with pytest.raises(SnapshotTypeError):
        load(Calendar, tmp_path / "a.bks", types=types)


def test_two_classes_of_one_name_are_refused(tmp_path: Path) -> None:
    """Neither is guessed, when saving or when loading."""
    other = type("Flat", (Resource,), {"__qualname__": "Flat"})
    calendar = Calendar()
    calendar.add_resource(Flat("a", 1))
    save(calendar, tmp_path / "a.bks")
    with pytest.raises(SnapshotTypeError, match="Flat"):
        load(Calendar, tmp_path / "a.bks", types=[Flat, other])
    assert len(load(Calendar, tmp_path / "a.bks", types=[Flat, Flat]).resources) == 1
    calendar.add_resource(other("b"))
    with pytest.raises(SnapshotTypeError, match="Flat"):
        save(calendar, tmp_path / "a.bks")


def test_class_with_the_name_of_one_of_ours_comes_back(tmp_path: Path) -> None:
    """A user's class may be called Resource too."""
    mine = type("Resource", (Resource,), {"__qualname__": "Resource"})
    calendar = Calendar()
    calendar.add_resource(mine("a"))
    calendar.add_resource(Resource("b"))
    save(calendar, tmp_path / "a.bks")
    found = load(Calendar, tmp_path / "a.bks", types=[mine])
    assert [type(resource) for resource in found.resources] == [mine, Resource]


def test_foreign_resource_is_refused_by_name_before_anything_is_written(tmp_path: Path) -> None:
    """The error names the class and both cures; there is no file."""
    calendar = Calendar()
    calendar.add_resource(Resource("fine"))
    calendar.add_resource(Row(1, "one"))
    with pytest.raises(SnapshotTypeError, match=r"Row.*register_key_codec") as caught:
        save(calendar, tmp_path / "a.bks")
    assert caught.value.names == ("Row",)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("where", ["key", "id", "attribute", "field", "label", "resource id"])
def test_value_that_cannot_be_carried_is_refused_before_anything_is_written(
    tmp_path: Path, where: str
) -> None:
    """The error names the class and the cure; what stood there still stands."""
    calendar = Calendar()
    flat = calendar.add_resource(Flat("a", 1))
    path = tmp_path / "a.bks"
    save(calendar, path)
    before = path.read_bytes()
    strange = Row(1, "strange")
    if where == "attribute":
        flat.owner = strange
    elif where == "label":
        calendar.tag(flat, strange)
    elif where == "resource id":
        calendar.add_resource(Resource(strange))
    else:
        key = strange if where == "key" else 5
        calendar.book(
            flat, key, None, id=strange if where == "id" else 1, guest=strange if where == "field" else 1
        )
    with pytest.raises(SnapshotValueError, match=r"Row.*register_key_codec") as caught:
        save(calendar, path)
    assert caught.value.value == strange
    assert os.listdir(tmp_path) == ["a.bks"]
    assert path.read_bytes() == before


# -- files that are not what they should be --------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return the snapshot of a small calendar."""
    calendar = Calendar()
    calendar.add_resource(Flat("a", 1))
    calendar.tag("a", "sea")
    calendar.book("a", 1, 5, guest="Ada")
    calendar.book("a", 5, 9)
    save(calendar, tmp_path / "small.bks")
    return tmp_path / "small.bks"


def test_flipped_bit_under_a_right_digest_gives_an_error_or_a_sound_calendar(
    small: Path, reseal: Callable[[bytes], bytes], in_memory: InMemory
) -> None:
    """A forger can change the data, and no more than that: what opens is a calendar in a lawful state."""
    whole = bytearray(small.read_bytes())
    opened = 0
    for bit in range(8 * 64, 8 * (len(whole) - 40), 3):
        whole[bit >> 3] ^= 1 << (bit & 7)
        try:
            found = load(Calendar, small, types=[Flat], fs=in_memory(reseal(bytes(whole))))
        except SnapshotError:
            pass
        else:
            found.check()
            opened += 1
        whole[bit >> 3] ^= 1 << (bit & 7)
    assert 0 < opened < 4 * len(whole)


def test_forged_overlap_is_refused(tmp_path: Path) -> None:
    """Two bookings in each other's way do not open, though the file is whole."""
    from bookcore.persist.codec.columns import KeyColumn
    from bookcore.persist.snapshot.format import Facts, write_file
    from bookcore.persist.snapshot.state import Bookings, Resources, State

    rows = 100  # enough for a load in one piece
    state = State(
        classes=[":BookingEvent", ":Resource"],
        resources=Resources(["a"], [1], [1], [None], [None], [None]),
        bookings=Bookings(
            list(range(1, rows + 1)), [0] * rows, [0] * rows,
            KeyColumn([*range(0, 2 * rows, 2), *range(2, 2 * rows, 2), 2 * rows]), [1] * rows, [None] * rows,
        ),
        last_sequence=rows,
    )  # fmt: skip
    write_file(tmp_path / "a.bks", Facts(rows=rows, last_sequence=rows), encode_state(state))
    assert len(load(Calendar, tmp_path / "a.bks")) == rows
    state.bookings.keys.values[rows + 50] += 1
    write_file(tmp_path / "a.bks", Facts(rows=rows, last_sequence=rows), encode_state(state))
    with pytest.raises(SnapshotDamagedError, match="not available"):
        load(Calendar, tmp_path / "a.bks")
    state.bookings.keys = KeyColumn([*[number % 10 for number in range(rows)], *[10] * rows])
    write_file(tmp_path / "a.bks", Facts(rows=rows, last_sequence=rows), encode_state(state))
    with pytest.raises(SnapshotDamagedError, match="not available"):
        load(Calendar, tmp_path / "a.bks")
    write_file(tmp_path / "a.bks", Facts(rows=rows - 1, last_sequence=rows), encode_state(state))
    with pytest.raises(SnapshotDamagedError, match="header"):
        load(Calendar, tmp_path / "a.bks")


@pytest.mark.parametrize(("start", "end"), [("02:30", "03:15"), ("02:00", "03:00")])
def test_forged_span_that_is_reversed_in_truth_is_refused(tmp_path: Path, start: str, end: str) -> None:
    """Over a clock change the wall clock may say that a span is in order when it is not."""
    from bookcore.persist.codec.columns import KeyColumn
    from bookcore.persist.snapshot.format import Facts, write_file
    from bookcore.persist.snapshot.state import Bookings, Resources, State

    zone = ZoneInfo("Europe/Paris")  # from two to three was skipped there: 02:30 is 03:30
    keys = [datetime.fromisoformat(f"2024-03-31 {clock}").replace(tzinfo=zone) for clock in (start, end)]
    state = State(
        classes=[":BookingEvent", ":Resource"],
        resources=Resources(list(range(9)), [1] * 9, [1] * 9, [None] * 9, [None] * 9, [None] * 9),
        bookings=Bookings(
            list(range(9)),
            [0] * 9,
            list(range(9)),
            KeyColumn([keys[0]] * 9 + [keys[1]] * 9),
            [1] * 9,
            [None] * 9,
        ),
    )
    write_file(tmp_path / "a.bks", Facts(rows=9), encode_state(state))
    with pytest.raises(SnapshotDamagedError):
        load(Calendar, tmp_path / "a.bks")


def bomb(kind: str) -> Iterator[bytes]:
    """Yield the section pickles of a file that asks for far more than it is."""
    from bookcore.persist.snapshot import flat

    names = ("calendar", "resources", "tags", "rules", "bookings", "holds", "expired", "closures")
    for name in names:
        head = struct.pack("<Q12s", 2**40 if kind == "rows" else 1, name.encode())
        if kind == "rows":
            columns = [struct.pack("<Q", 2**40) + b"\x04\x03" + bytes(8)] * 6
        elif kind == "nested":
            columns = [struct.pack("<Q", 1) + (b"\x15" + b"\x01\0\0\0") * 20_000] * 6
        elif kind == "lengths":
            columns = [struct.pack("<Q", 1) + b"\x15" + b"\xff\xff\xff\xff" + b"\x02"] * 6
        elif kind == "tables":
            columns = [struct.pack("<Q", 1) + (b"\xf2" + struct.pack("<Q", 1) + b"\0") * 20_000] * 6
        else:
            columns = [struct.pack("<Q", 1) + b"\x16\x01\x20" * 20_000] * 6
        yield flat.dumps((head, *(bytes(bytearray(column)) for column in columns[:5])))


@pytest.mark.parametrize("kind", ["rows", "nested", "lengths", "tables", "dicts"])
def test_bomb_is_refused_at_once(forge: Forge, kind: str, within_limits: AbstractContextManager[None]) -> None:
    """Numbers in a file buy no memory and no time: 50 ms and 64 MB are the limit."""
    path = forge(bomb(kind))
    with pytest.raises(SnapshotDamagedError), within_limits:
        load(Calendar, path)


def test_attributes_cannot_reach_into_the_calendar(tmp_path: Path) -> None:
    """Where a resource is registered is not for a file to say, nor what its class has no place for."""
    from bookcore.persist.snapshot.format import Facts, write_file
    from bookcore.persist.snapshot.state import Resources, State

    for attributes in ({"_calendars": [1]}, {"_entry": 5}, [1], 7, {5: 1}, {"unknown": 5}):
        state = State(
            classes=[":BookingEvent", ":Resource"],
            resources=Resources(["a"], [1], [1], [None], [None], [attributes]),
        )
        write_file(tmp_path / "a.bks", Facts(), encode_state(state))
        with pytest.raises(SnapshotDamagedError):
            load(Calendar, tmp_path / "a.bks")


def test_codec_that_gives_a_resource_another_id_is_refused(tmp_path: Path) -> None:
    """The bookings would be on something else."""
    calendar = Calendar()
    calendar.add_resource(Row(1, "one"))
    register_key_codec(Row, "row", tuple, lambda plain: Row(2, "two"))
    save(calendar, tmp_path / "a.bks")
    with pytest.raises(SnapshotDamagedError, match="another id"):
        load(Calendar, tmp_path / "a.bks")


def test_objects_whose_own_code_fails_are_an_error_of_ours(tmp_path: Path) -> None:
    """Of a snapshot, and of a digest."""

    class Late:
        """Is asked for its id when it is registered, and again when it is written."""

        is_broken = False

        @property
        def id(self) -> str:
            if self.is_broken:
                raise RuntimeError("no id any more")
            return "late"

    register_key_codec(Late, "late", lambda late: 1, lambda plain: Late())
    calendar = Calendar()
    calendar.add_resource(Late()).is_broken = True
    for call in (lambda: calendar.snapshot(tmp_path / "a.bks"), calendar.digest):
        with pytest.raises(SnapshotError, match=r"its objects cannot be read \(RuntimeError: no id any more\)"):
            call()


def test_unknown_codec_is_named(tmp_path: Path) -> None:
    """Restoring without having registered it says which, and what to call."""
    register_key_codec(Version, "my.version", lambda version: version.parts, lambda parts: Version(*parts))
    calendar = Calendar()
    calendar.add_resource(Resource("a"))
    calendar.book("a", Version(1), Version(2))
    save(calendar, tmp_path / "a.bks")
    registry._by_name.clear()
    with pytest.raises(SnapshotTypeError, match=r"my\.version.*register_key_codec") as caught:
        load(Calendar, tmp_path / "a.bks")
    assert caught.value.names == ("my.version",)


def test_failures_of_files_reach_the_caller_as_ours(small: Path, tmp_path: Path) -> None:
    """Missing file, wrong key, newer format, too large: each its own error."""
    with pytest.raises(SnapshotError, match="no such file"):
        load(Calendar, tmp_path / "missing.bks")
    with pytest.raises(SnapshotKeyError):
        load(Calendar, small, types=[Flat], key=b"key")
    with pytest.raises(SnapshotError, match="at most"):
        load(Calendar, small, types=[Flat], limits=Limits(10))
    data = bytearray(small.read_bytes())
    data[8] = 3
    small.write_bytes(data)
    with pytest.raises(SnapshotVersionError):
        load(Calendar, small, types=[Flat])
    with pytest.raises(SnapshotError):
        save(Calendar(), tmp_path / "no" / "where.bks")


def test_failure_to_make_a_calendar_is_not_blamed_on_the_file(small: Path) -> None:
    """A store that serves another calendar, a clock that is none: said as it is."""
    store = TreeStore()
    Calendar(store)
    with pytest.raises(StoreError):
        Calendar.restore(small, types=[Flat], store=store)
    with pytest.raises(QueryError):
        Calendar.restore(small, types=[Flat], clock=5)  # type: ignore[arg-type]


def test_class_both_of_resources_and_of_bookings_is_refused(tmp_path: Path) -> None:
    """One name cannot stand for both."""
    calendar = Calendar(event_type=type("Flat", (BookingEvent,), {"__qualname__": "Flat"}))
    calendar.add_resource(Flat("a", 1))
    with pytest.raises(SnapshotTypeError, match="Flat"):
        save(calendar, tmp_path / "a.bks")


def test_sealed_snapshot_opens_with_its_key(tmp_path: Path) -> None:
    """And with no other."""
    calendar = full_calendar()
    save(calendar, tmp_path / "a.bks", key=b"secret")
    assert portrait(load(clocked, tmp_path / "a.bks", types=TYPES, key=b"secret")) == portrait(calendar)
    with pytest.raises(SnapshotKeyError):
        load(clocked, tmp_path / "a.bks", types=TYPES, key=b"public")


def test_snapshot_within_a_transaction_is_refused(tmp_path: Path) -> None:
    """What may yet be undone is not what the calendar is."""
    calendar = Calendar()
    with calendar.transaction(), pytest.raises(SnapshotError, match="transaction"):
        save(calendar, tmp_path / "a.bks")
    assert not os.listdir(tmp_path)


@given(
    st.none()
    | st.integers()
    | st.text()
    | st.binary()
    | st.floats()
    | st.lists(st.integers())
    | st.just(object())
)
def test_arbitrary_arguments_raise_only_our_errors(
    tmp_path_factory: pytest.TempPathFactory, thing: Any
) -> None:
    """Whatever is given for path, types or key."""
    base = tmp_path_factory.getbasetemp()
    calendar = Calendar()
    attempts: list[Callable[[], object]] = [
        lambda: load(Calendar, thing),
        lambda: load(Calendar, base / "none.bks", types=thing),
        lambda: load(Calendar, base / "none.bks", key=thing),
        lambda: save(calendar, base / "no" / "folder.bks", key=thing),
    ]
    for attempt in attempts:
        with pytest.raises(SnapshotError):
            attempt()


# -- formats of the past ---------------------------------------------------------------------------


def test_file_of_format_1_still_opens() -> None:
    """A file written when the format was new is read by every later version."""
    found = load(clocked, GOLDEN, types=TYPES, key=b"golden")
    found.check()
    assert portrait(found) == portrait(full_calendar())
    assert read_file(GOLDEN, b"golden")[0].rows == len(found)


def test_a_small_calendar_does_not_have_frozen_objects_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python walks all of them for that, which may be the whole program; a large calendar is worth it."""
    counted: list[int] = []

    def count_frozen() -> int:
        counted.append(1)
        return 1

    monkeypatch.setattr(gc, "get_freeze_count", count_frozen)
    for count, expected in (1, 0), (20_000, 1):
        calendar = Calendar()
        for number in range(count):
            calendar.add_resource(Resource(number))
        calendar.snapshot(tmp_path / f"{count}.bks")
        Calendar.restore(tmp_path / f"{count}.bks")
        assert len(counted) == expected


@pytest.mark.usefixtures("thawed")
@pytest.mark.parametrize("count", [1, 20_000])
def test_restoring_leaves_the_collector_as_it_was(count: int, tmp_path: Path) -> None:
    """Running, with nothing more frozen; and where a program has frozen something, that is frozen still."""
    calendar = Calendar()
    for number in range(count):
        calendar.add_resource(Resource(number))
    calendar.book(0, 1, 2)
    calendar.snapshot(tmp_path / "c.bks")
    frozen = gc.get_freeze_count()  # Python 3.12 starts with some
    Calendar.restore(tmp_path / "c.bks")
    assert gc.isenabled() and gc.get_freeze_count() <= frozen
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        Calendar.restore(tmp_path / "c.bks")
        assert 0 < gc.get_freeze_count() <= frozen
    finally:
        gc.unfreeze()
    gc.disable()
    try:
        Calendar.restore(tmp_path / "c.bks")
        assert not gc.isenabled()
    finally:
        gc.enable()
